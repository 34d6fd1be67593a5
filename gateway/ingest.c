#include "ingest.h"

#include <string.h>

#include "audit.h"
#include "registry.h"

struct ingest {
	struct store *store;
	const struct config *config;
	struct batch batch;
	struct answers *answers;
	struct ingest_counters counters;
	struct ingest_counters pending; /* what this batch will add to the counters */
};

struct ingest *ingest_new(struct store *store, const struct config *config)
{
	struct ingest *ingest = g_new0(struct ingest, 1);

	ingest->store = store;
	ingest->config = config;
	batch_begin(&ingest->batch);
	ingest->answers = answers_new(config->confirm_stored);
	return ingest;
}

void ingest_free(struct ingest *ingest)
{
	if (ingest == NULL)
		return;
	batch_end(&ingest->batch);
	answers_free(ingest->answers);
	g_free(ingest);
}

void ingest_message(struct ingest *ingest, const struct message *message)
{
	batch_add(&ingest->batch, message, ingest->config->max_clock_skew_ms);
}

size_t ingest_items(const struct ingest *ingest)
{
	return batch_size(&ingest->batch);
}

/* Events */

static void reject(struct ingest *ingest, const struct item *item, enum reason reason)
{
	struct delivery *delivery = batch_delivery_of(&ingest->batch, item);

	rejected_keep(ingest->store, reason, delivery->topic, delivery->dpu_id, item->bytes,
		      item->size, delivery->received);
	delivery->tally.rejected++;
	ingest->pending.rejected[reason]++;
}

static void settle(struct ingest *ingest, const struct crossing *crossing, const struct item *item)
{
	struct delivery *delivery = batch_delivery_of(&ingest->batch, item);

	switch (crossing->outcome) {
	case CROSSING_STORED:
		delivery->tally.stored++;
		ingest->pending.stored++;
		histogram_add(&ingest->pending.lag_ms, &ingest_lag_scale,
			      MAX(crossing->received - crossing->event.time, 0));
		break;
	case CROSSING_DUPLICATE:
		delivery->tally.duplicates++;
		ingest->pending.duplicates++;
		break;
	case CROSSING_REJECTED:
		reject(ingest, item, crossing->reason);
		break;
	}
}

/* How far the items of a batch are stored. */
struct progress {
	guint crossings, refusals;
};

static void store_events_until(struct ingest *ingest, struct progress *done, guint crossings,
			       guint refusals)
{
	const struct batch *batch = &ingest->batch;
	struct crossing *all = batch_crossings(batch);

	if (done->crossings < crossings) /* else there may be no array */
		crossing_store(ingest->store, all + done->crossings, crossings - done->crossings);
	for (; done->crossings < crossings; done->crossings++)
		settle(ingest, &all[done->crossings],
		       &g_array_index(batch->items, struct item, done->crossings));
	for (; done->refusals < refusals; done->refusals++) {
		const struct refusal *refusal = batch_refusal(batch, done->refusals);

		reject(ingest, &refusal->item, refusal->reason);
	}
}

/* Commands and statuses */

static void carry_out(struct ingest *ingest, struct delivery *delivery)
{
	struct registry_limits limits = {
		.now = delivery->received,
		.max_clock_skew_ms = ingest->config->max_clock_skew_ms,
	};

	/* A schedule that the command changes has had its say until now. */
	registry_daily_resets(ingest->store, delivery->received);
	delivery->answer = g_string_new(NULL);
	registry_command(ingest->store, delivery->payload, delivery->size, &limits,
			 delivery->answer);
	ingest->pending.commands++;
}

static void note_status(struct ingest *ingest, const struct delivery *delivery)
{
	bool online = delivery->size == 6 && memcmp(delivery->payload, "online", 6) == 0;
	bool offline = delivery->size == 7 && memcmp(delivery->payload, "offline", 7) == 0;

	if (online || offline)
		registry_dpu_status(ingest->store, delivery->dpu_id, online, delivery->received);
}

/* The batch */

/* Events between two commands are stored together; a command sees all that came before it. */
static void store_events_and_commands(struct ingest *ingest)
{
	const struct batch *batch = &ingest->batch;
	struct progress done = {0};

	for (guint i = 0; i < batch->deliveries->len; i++) {
		struct delivery *delivery = batch_delivery(batch, i);

		if (delivery->kind != TOPIC_COMMANDS)
			continue;
		store_events_until(ingest, &done, delivery->crossings, delivery->refusals);
		carry_out(ingest, delivery);
	}
	store_events_until(ingest, &done, batch->crossings->len, batch->refusals->len);
}

static void store_statuses(struct ingest *ingest)
{
	for (guint i = 0; i < ingest->batch.deliveries->len; i++) {
		const struct delivery *delivery = batch_delivery(&ingest->batch, i);

		if (delivery->kind == TOPIC_STATUS)
			note_status(ingest, delivery);
	}
}

static enum result store_batch(struct store *store, void *context)
{
	struct ingest *ingest = context;

	store_events_and_commands(ingest);
	store_statuses(ingest);
	ingest->pending.rejected_dropped = rejected_trim(store, ingest->config->rejected_max);
	if (ingest->pending.commands > 0)
		ingest->pending.audit_dropped = audit_trim(store, ingest->config->audit_max);
	return RESULT_OK;
}

static void count_batch(struct ingest *ingest, int64_t commit_us)
{
	struct ingest_counters *counters = &ingest->counters;
	const struct ingest_counters *pending = &ingest->pending;
	int64_t items = (int64_t)batch_size(&ingest->batch);

	counters->messages += ingest->batch.deliveries->len;
	counters->stored += pending->stored;
	counters->duplicates += pending->duplicates;
	for (int reason = 0; reason < REASON_COUNT; reason++)
		counters->rejected[reason] += pending->rejected[reason];
	counters->rejected_dropped += pending->rejected_dropped;
	counters->commands += pending->commands;
	counters->audit_dropped += pending->audit_dropped;
	counters->batches++;
	counters->commit_us_last = commit_us;
	counters->commit_us_max = MAX(counters->commit_us_max, commit_us);
	counters->batch_items_last = items;
	counters->batch_items_max = MAX(counters->batch_items_max, items);
	counters->last_commit = instant_now();
	histogram_add(&counters->commit_us, &histogram_latency_us, commit_us);
	histogram_add(&counters->batch_items, &ingest_items_scale, items);
	histogram_join(&counters->lag_ms, &pending->lag_ms);
}

enum result ingest_commit(struct ingest *ingest)
{
	int64_t begin = g_get_monotonic_time();
	enum result result = RESULT_OK;

	answers_forget(ingest->answers);
	if (ingest->batch.deliveries->len > 0)
		result = store_transaction(ingest->store, store_batch, ingest);
	if (result == RESULT_OK && ingest->batch.deliveries->len > 0) {
		count_batch(ingest, g_get_monotonic_time() - begin);
		answers_collect(ingest->answers, &ingest->batch);
	}
	batch_forget(&ingest->batch);
	ingest->pending = (struct ingest_counters){0};
	return result;
}

const struct answers *ingest_answers(const struct ingest *ingest)
{
	return ingest->answers;
}

/* Counting */

/* clang-format off */
const struct histogram_scale ingest_items_scale = {
	.unit = 1,
	.count = 11,
	.bounds = {1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000, 20000},
};
const struct histogram_scale ingest_lag_scale = {
	.unit = 1e-3,
	.count = 12,
	.bounds = {100, 500, 1000, 5000, 10000, 60000, 300000, 1800000, 3600000, 21600000, 86400000, 604800000},
};
/* clang-format on */

const struct ingest_counters *ingest_counters(const struct ingest *ingest)
{
	return &ingest->counters;
}
