#include "health.h"

#include "broker.h"
#include "ingest.h"
#include "json.h"
#include "publish.h"
#include "store.h"

void health_begin(struct health *health)
{
	*health = (struct health){.started_us = g_get_monotonic_time(),
				  .broker_drops = -1,
				  .last_error_time = INSTANT_NONE};
}

void health_broker_drops(struct health *health, const char *payload, size_t size)
{
	g_autofree char *text = g_strndup(payload, size);
	int64_t drops;

	if (g_ascii_string_to_signed(text, 10, 0, INT64_MAX, &drops, NULL))
		health->broker_drops = drops;
}

void health_error(struct health *health, const char *error)
{
	g_strlcpy(health->last_error, error, sizeof health->last_error);
	health->last_error_time = instant_now();
	health->due_ms = 0;
}

static void write_rejected(GString *out, const struct ingest_counters *counters)
{
	json_begin_object(out, "rejected");
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		json_add_integer(out, reason_name((enum reason)reason), counters->rejected[reason]);
	json_end_object(out);
}

static void write_ingest(GString *out, const struct ingest_counters *counters)
{
	json_add_integer(out, "messages", counters->messages);
	json_add_integer(out, "events_stored", counters->stored);
	json_add_integer(out, "duplicates", counters->duplicates);
	write_rejected(out, counters);
	json_add_integer(out, "rejected_dropped", counters->rejected_dropped);
	json_add_integer(out, "commands", counters->commands);
	json_add_integer(out, "batches", counters->batches);
	json_add_integer(out, "batch_items_last", counters->batch_items_last);
	json_add_integer(out, "batch_items_max", counters->batch_items_max);
	json_add_integer(out, "commit_us_last", counters->commit_us_last);
	json_add_integer(out, "commit_us_max", counters->commit_us_max);
	json_add_instant(out, "last_commit",
			 counters->batches > 0 ? counters->last_commit : INSTANT_NONE);
}

static void write_queue(GString *out, const struct health_sources *sources)
{
	json_begin_object(out, "queue");
	json_add_integer(out, "items", (int64_t)ingest_items(sources->ingest));
	json_add_integer(out, "publications", (int64_t)broker_outstanding(sources->broker));
	json_end_object(out);
}

static void write_error(GString *out, const struct health *health)
{
	if (health->last_error_time == INSTANT_NONE) {
		json_add_null(out, "last_error");
		return;
	}
	json_begin_object(out, "last_error");
	json_add_text(out, "detail", health->last_error);
	json_add_instant(out, "time", health->last_error_time);
	json_end_object(out);
}

void health_write(GString *out, const struct health *health, const struct health_sources *sources)
{
	int64_t uptime_us = g_get_monotonic_time() - health->started_us;

	json_begin_object(out, NULL);
	json_add_text(out, "version", HEADCOUNT_VERSION);
	json_add_instant(out, "as_of", instant_now());
	json_add_integer(out, "uptime_s", uptime_us / G_USEC_PER_SEC);
	write_ingest(out, ingest_counters(sources->ingest));
	write_queue(out, sources);
	json_add_integer(out, "spaces_published", publish_spaces(sources->publish));
	json_add_integer(out, "database_bytes", store_file_bytes(sources->store));
	json_add_integer(out, "wal_bytes", store_wal_bytes(sources->store));
	if (health->broker_drops < 0)
		json_add_null(out, "broker_drops");
	else
		json_add_integer(out, "broker_drops", health->broker_drops);
	write_error(out, health);
	json_end_object(out);
}
