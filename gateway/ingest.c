#include "ingest.h"

#include <inttypes.h>
#include <string.h>

#include "audit.h"
#include "crossing.h"
#include "registry.h"
#include "rejected.h"
#include "topics.h"

/* Answers go nowhere else: a sender must not make us publish what it may not publish itself. */
#define ANSWERS_BELOW "replies/"

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

/* Item bytes are slices of the batch's copy of the payload. */
struct item {
	const char *bytes;
	size_t size;
	guint message;
};

struct refusal {
	struct item item;
	enum reason reason;
};

/* A message of the batch, with all that it did. */
struct delivery {
	enum topic_kind kind;
	const char *topic;
	const char *dpu_id;
	const char *payload;
	size_t size;
	instant received;
	char *response_topic;      /* NULL: no answer is wanted */
	GBytes *correlation;       /* NULL without a response topic */
	guint crossings, refusals; /* items of the batch before this message */
	struct rejected_tally tally;
	GString *answer; /* of a command */
};

struct ingest {
	struct store *store;
	const struct config *config;
	GStringChunk *texts; /* topics, ids and payloads of the batch */
	GArray *deliveries;  /* struct delivery */
	GArray *crossings;   /* struct crossing */
	GArray *items;       /* struct item, one for each crossing */
	GArray *refusals;    /* struct refusal: items that could not be read */
	/* Of the batch committed last, struct answer: */
	GArray *answers, *confirmations;
	struct ingest_counters counters;
	struct ingest_counters pending; /* what this batch will add to the counters */
};

/* Something to publish after the commit. */
struct answer {
	char *topic, *payload;
	GBytes *correlation; /* NULL: none */
};

static void clear_delivery(gpointer data)
{
	struct delivery *delivery = data;

	g_free(delivery->response_topic);
	g_bytes_unref(delivery->correlation);
	if (delivery->answer != NULL)
		g_string_free(delivery->answer, TRUE);
}

static void clear_answer(gpointer data)
{
	struct answer *answer = data;

	g_free(answer->topic);
	g_free(answer->payload);
	g_bytes_unref(answer->correlation);
}

struct ingest *ingest_new(struct store *store, const struct config *config)
{
	struct ingest *ingest = g_new0(struct ingest, 1);

	ingest->store = store;
	ingest->config = config;
	ingest->texts = g_string_chunk_new(65536);
	ingest->deliveries = g_array_new(FALSE, TRUE, sizeof(struct delivery));
	g_array_set_clear_func(ingest->deliveries, clear_delivery);
	ingest->crossings = g_array_new(FALSE, TRUE, sizeof(struct crossing));
	ingest->items = g_array_new(FALSE, TRUE, sizeof(struct item));
	ingest->refusals = g_array_new(FALSE, TRUE, sizeof(struct refusal));
	ingest->answers = g_array_new(FALSE, TRUE, sizeof(struct answer));
	g_array_set_clear_func(ingest->answers, clear_answer);
	ingest->confirmations = g_array_new(FALSE, TRUE, sizeof(struct answer));
	g_array_set_clear_func(ingest->confirmations, clear_answer);
	return ingest;
}

void ingest_free(struct ingest *ingest)
{
	if (ingest == NULL)
		return;
	g_string_chunk_free(ingest->texts);
	g_array_unref(ingest->deliveries);
	g_array_unref(ingest->crossings);
	g_array_unref(ingest->items);
	g_array_unref(ingest->refusals);
	g_array_unref(ingest->answers);
	g_array_unref(ingest->confirmations);
	g_free(ingest);
}

/* Gathering */

static void take_item(void *context, const struct event *event, enum reason reason,
		      const char *bytes, size_t size)
{
	struct ingest *ingest = context;
	guint message = ingest->deliveries->len - 1;
	const struct delivery *delivery =
		&g_array_index(ingest->deliveries, struct delivery, message);
	struct item item = {.bytes = bytes, .size = size, .message = message};

	if (event == NULL) {
		struct refusal refusal = {.item = item, .reason = reason};
		g_array_append_val(ingest->refusals, refusal);
		return;
	}
	struct crossing crossing = {
		.dpu_id = delivery->dpu_id,
		.event = *event,
		.received = delivery->received,
		.latest = delivery->received + ingest->config->max_clock_skew_ms,
	};
	g_array_append_val(ingest->crossings, crossing);
	g_array_append_val(ingest->items, item);
}

static void take_events(struct ingest *ingest, const struct delivery *delivery)
{
	if (delivery->dpu_id[0] == '\0')
		take_item(ingest, NULL, REASON_TOPIC, delivery->payload, delivery->size);
	else
		event_read(delivery->payload, delivery->size, take_item, ingest);
}

void ingest_message(struct ingest *ingest, const struct message *message)
{
	char dpu_id[JSON_ID_SIZE];
	struct delivery delivery = {
		.kind = topic_kind(message->topic, dpu_id),
		.topic = g_string_chunk_insert_const(ingest->texts, message->topic),
		.dpu_id = g_string_chunk_insert_const(ingest->texts, dpu_id),
		.payload = g_string_chunk_insert_len(ingest->texts, message->payload,
						     (gssize)message->size),
		.size = message->size,
		.received = message->received,
		.crossings = ingest->crossings->len,
		.refusals = ingest->refusals->len,
	};

	if (message->response_topic != NULL &&
	    g_str_has_prefix(message->response_topic, ANSWERS_BELOW)) {
		delivery.response_topic = g_strdup(message->response_topic);
		delivery.correlation = g_bytes_new(message->correlation, message->correlation_size);
	}
	g_array_append_val(ingest->deliveries, delivery);
	if (delivery.kind == TOPIC_EVENTS)
		take_events(ingest, &delivery);
}

size_t ingest_items(const struct ingest *ingest)
{
	return ingest->deliveries->len + ingest->crossings->len + ingest->refusals->len;
}

/* Storing */

static struct delivery *delivery_of(struct ingest *ingest, const struct item *item)
{
	return &g_array_index(ingest->deliveries, struct delivery, item->message);
}

static void reject(struct ingest *ingest, const struct item *item, enum reason reason)
{
	struct delivery *delivery = delivery_of(ingest, item);

	rejected_keep(ingest->store, reason, delivery->topic, delivery->dpu_id, item->bytes,
		      item->size, delivery->received);
	delivery->tally.rejected++;
	ingest->pending.rejected[reason]++;
}

static void settle_crossing(struct ingest *ingest, guint index)
{
	const struct crossing *crossing = &g_array_index(ingest->crossings, struct crossing, index);
	const struct item *item = &g_array_index(ingest->items, struct item, index);
	struct delivery *delivery = delivery_of(ingest, item);

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

/* Stores the items first…end, without the end. */
static void store_events(struct ingest *ingest, guint first_crossing, guint end_crossing,
			 guint first_refusal, guint end_refusal)
{
	struct crossing *crossings = (struct crossing *)(void *)ingest->crossings->data;

	crossing_store(ingest->store, crossings + first_crossing, end_crossing - first_crossing);
	for (guint i = first_crossing; i < end_crossing; i++)
		settle_crossing(ingest, i);
	for (guint i = first_refusal; i < end_refusal; i++) {
		const struct refusal *refusal = &g_array_index(ingest->refusals, struct refusal, i);

		reject(ingest, &refusal->item, refusal->reason);
	}
}

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

/* Events between two commands are stored together; a command sees all that came before it. */
static enum result store_batch(struct store *store, void *context)
{
	struct ingest *ingest = context;
	guint crossings = 0, refusals = 0;

	for (guint i = 0; i < ingest->deliveries->len; i++) {
		struct delivery *delivery = &g_array_index(ingest->deliveries, struct delivery, i);

		if (delivery->kind != TOPIC_COMMANDS)
			continue;
		store_events(ingest, crossings, delivery->crossings, refusals, delivery->refusals);
		crossings = delivery->crossings;
		refusals = delivery->refusals;
		carry_out(ingest, delivery);
	}
	store_events(ingest, crossings, ingest->crossings->len, refusals, ingest->refusals->len);
	for (guint i = 0; i < ingest->deliveries->len; i++) {
		const struct delivery *delivery =
			&g_array_index(ingest->deliveries, struct delivery, i);

		if (delivery->kind == TOPIC_STATUS)
			note_status(ingest, delivery);
	}
	ingest->pending.rejected_dropped = rejected_trim(store, ingest->config->rejected_max);
	if (ingest->pending.commands > 0)
		ingest->pending.audit_dropped = audit_trim(store, ingest->config->audit_max);
	return RESULT_OK;
}

static void count_batch(struct ingest *ingest, int64_t commit_us)
{
	struct ingest_counters *counters = &ingest->counters;
	const struct ingest_counters *batch = &ingest->pending;
	int64_t items = (int64_t)ingest_items(ingest);

	counters->messages += ingest->deliveries->len;
	counters->stored += batch->stored;
	counters->duplicates += batch->duplicates;
	for (int reason = 0; reason < REASON_COUNT; reason++)
		counters->rejected[reason] += batch->rejected[reason];
	counters->rejected_dropped += batch->rejected_dropped;
	counters->commands += batch->commands;
	counters->audit_dropped += batch->audit_dropped;
	counters->batches++;
	counters->commit_us_last = commit_us;
	counters->commit_us_max = MAX(counters->commit_us_max, commit_us);
	counters->batch_items_last = items;
	counters->batch_items_max = MAX(counters->batch_items_max, items);
	counters->last_commit = instant_now();
	histogram_add(&counters->commit_us, &histogram_latency_us, commit_us);
	histogram_add(&counters->batch_items, &ingest_items_scale, items);
	histogram_join(&counters->lag_ms, &batch->lag_ms);
}

static void forget_batch(struct ingest *ingest)
{
	g_array_set_size(ingest->deliveries, 0);
	g_array_set_size(ingest->crossings, 0);
	g_array_set_size(ingest->items, 0);
	g_array_set_size(ingest->refusals, 0);
	g_string_chunk_clear(ingest->texts);
	ingest->pending = (struct ingest_counters){0};
}

/* Answering */

static void add_answer(struct ingest *ingest, struct delivery *delivery)
{
	const struct rejected_tally *tally = &delivery->tally;
	struct answer answer = {
		.topic = g_steal_pointer(&delivery->response_topic),
		.correlation = g_steal_pointer(&delivery->correlation),
	};

	if (delivery->answer != NULL)
		answer.payload = g_string_free(g_steal_pointer(&delivery->answer), FALSE);
	else
		answer.payload =
			g_strdup_printf("{\"status\":200,\"body\":{\"stored\":%" PRId64
					",\"duplicates\":%" PRId64 ",\"rejected\":%" PRId64 "}}",
					tally->stored, tally->duplicates, tally->rejected);
	g_array_append_val(ingest->answers, answer);
}

/* An item without an event is named by its bytes, as table rejected_event has them. */
static void confirm_refusal(GString *payload, const struct refusal *refusal)
{
	g_autofree char *digest = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, (const guchar *)refusal->item.bytes, refusal->item.size);

	json_begin_object(payload, NULL);
	json_add_text(payload, "sha256", digest);
	json_add_text(payload, "rejected", reason_name(refusal->reason));
	json_end_object(payload);
}

static void confirm_crossing(GString *payload, const struct crossing *crossing)
{
	json_begin_object(payload, NULL);
	json_add_instant(payload, "dpu_event_time", crossing->event.time);
	json_add_integer(payload, "seq", crossing->event.seq);
	json_add_integer(payload, "count", crossing->event.count);
	if (crossing->outcome == CROSSING_REJECTED)
		json_add_text(payload, "rejected", reason_name(crossing->reason));
	json_end_object(payload);
}

/* Every item of the message is named, and no other: that one event is on the disk says nothing of those before it. */
static void add_confirmation(struct ingest *ingest, const struct delivery *delivery,
			     guint end_crossing, guint end_refusal)
{
	GString *payload = g_string_new(NULL);
	struct answer answer = {.topic = g_strdup_printf("dpu/%s/stored", delivery->dpu_id)};

	json_begin_array(payload, NULL);
	for (guint i = delivery->crossings; i < end_crossing; i++)
		confirm_crossing(payload, &g_array_index(ingest->crossings, struct crossing, i));
	for (guint i = delivery->refusals; i < end_refusal; i++)
		confirm_refusal(payload, &g_array_index(ingest->refusals, struct refusal, i));
	json_end_array(payload);
	answer.payload = g_string_free(payload, FALSE);
	g_array_append_val(ingest->confirmations, answer);
}

static bool is_confirmed(const struct ingest *ingest, const struct delivery *delivery)
{
	return ingest->config->confirm_stored && delivery->kind == TOPIC_EVENTS &&
	       delivery->dpu_id[0] != '\0';
}

/* Backwards, so that each message knows where the items of the next one begin. */
static void collect_confirmations(struct ingest *ingest)
{
	guint end_crossing = ingest->crossings->len, end_refusal = ingest->refusals->len;

	for (guint i = ingest->deliveries->len; i-- > 0;) {
		const struct delivery *delivery =
			&g_array_index(ingest->deliveries, struct delivery, i);

		if (is_confirmed(ingest, delivery))
			add_confirmation(ingest, delivery, end_crossing, end_refusal);
		end_crossing = delivery->crossings;
		end_refusal = delivery->refusals;
	}
}

static void collect_answers(struct ingest *ingest)
{
	for (guint i = 0; i < ingest->deliveries->len; i++) {
		struct delivery *delivery = &g_array_index(ingest->deliveries, struct delivery, i);

		if (delivery->response_topic != NULL)
			add_answer(ingest, delivery);
	}
	collect_confirmations(ingest);
}

static void publish_each(const GArray *answers, ingest_publish *publish, void *context)
{
	for (guint i = 0; i < answers->len; i++) {
		const struct answer *answer = &g_array_index(answers, struct answer, i);
		gsize size = 0;
		const void *correlation = answer->correlation == NULL
						  ? NULL
						  : g_bytes_get_data(answer->correlation, &size);

		publish(context, answer->topic, answer->payload, strlen(answer->payload),
			correlation, size);
	}
}

void ingest_answers(struct ingest *ingest, ingest_publish *publish, void *context)
{
	publish_each(ingest->answers, publish, context);
}

void ingest_confirmations(struct ingest *ingest, ingest_publish *publish, void *context)
{
	publish_each(ingest->confirmations, publish, context);
}

enum result ingest_commit(struct ingest *ingest)
{
	int64_t begin = g_get_monotonic_time();
	enum result result = RESULT_OK;

	g_array_set_size(ingest->answers, 0);
	g_array_set_size(ingest->confirmations, 0);
	if (ingest->deliveries->len > 0)
		result = store_transaction(ingest->store, store_batch, ingest);
	if (result == RESULT_OK && ingest->deliveries->len > 0) {
		count_batch(ingest, g_get_monotonic_time() - begin);
		collect_answers(ingest);
	}
	forget_batch(ingest);
	return result;
}

const struct ingest_counters *ingest_counters(const struct ingest *ingest)
{
	return &ingest->counters;
}
