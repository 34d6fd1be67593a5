#include "metrics.h"

#include <glib.h>
#include <math.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>

#include "broker.h"
#include "event.h"
#include "ingest.h"
#include "log.h"
#include "metric.h"
#include "publish.h"
#include "store.h"

#define CONNECTIONS 8
#define TIMEOUT_S 10

struct metrics {
	struct MHD_Daemon *daemon;
	GMutex mutex;
	GBytes *text;
};

/* What is known at one moment; times as Prometheus wants them. */
struct snapshot {
	double start_time, broker_connected, broker_drops;
	double messages, stored, duplicates, rejected_dropped, commands, audit_dropped;
	double spaces_published, publications, database_bytes, wal_bytes;
};

/* clang-format off */
static const struct {
	struct metric metric;
	size_t offset;
} numbers[] = {
	{{"headcount_gateway_start_time_seconds", METRIC_GAUGE, "When the gateway began, since 1970."},
		offsetof(struct snapshot, start_time)},
	{{"headcount_gateway_broker_connected", METRIC_GAUGE, "Whether the broker is connected and subscribed."},
		offsetof(struct snapshot, broker_connected)},
	{{"headcount_gateway_broker_dropped_messages_total", METRIC_COUNTER, "Messages that the broker has dropped since it began; NaN if it does not say."},
		offsetof(struct snapshot, broker_drops)},
	{{"headcount_gateway_messages_total", METRIC_COUNTER, "Messages taken from the broker and committed."},
		offsetof(struct snapshot, messages)},
	{{"headcount_gateway_events_stored_total", METRIC_COUNTER, "Events stored."},
		offsetof(struct snapshot, stored)},
	{{"headcount_gateway_events_duplicate_total", METRIC_COUNTER, "Events that were stored before."},
		offsetof(struct snapshot, duplicates)},
	{{"headcount_gateway_rejected_events_dropped_total", METRIC_COUNTER, "Rejected events that went because their table was full."},
		offsetof(struct snapshot, rejected_dropped)},
	{{"headcount_gateway_commands_total", METRIC_COUNTER, "Registry commands carried out or refused."},
		offsetof(struct snapshot, commands)},
	{{"headcount_gateway_audit_dropped_total", METRIC_COUNTER, "Rows of the audit that went because it was full."},
		offsetof(struct snapshot, audit_dropped)},
	{{"headcount_gateway_spaces_published_total", METRIC_COUNTER, "How often the state of a space was published."},
		offsetof(struct snapshot, spaces_published)},
	{{"headcount_gateway_publications_outstanding", METRIC_GAUGE, "Publications that the broker has not acknowledged yet."},
		offsetof(struct snapshot, publications)},
	{{"headcount_gateway_database_bytes", METRIC_GAUGE, "Size of the database file."},
		offsetof(struct snapshot, database_bytes)},
	{{"headcount_gateway_wal_bytes", METRIC_GAUGE, "Size of the database's write-ahead log."},
		offsetof(struct snapshot, wal_bytes)},
};

static const struct metric rejected =
	{"headcount_gateway_events_rejected_total", METRIC_COUNTER, "Message items rejected."};

static const struct {
	struct metric metric;
	const struct histogram_scale *scale;
	size_t offset; /* within struct ingest_counters */
} histograms[] = {
	{{"headcount_gateway_commit_seconds", METRIC_HISTOGRAM, "Time a transaction took."},
		&histogram_latency_us, offsetof(struct ingest_counters, commit_us)},
	{{"headcount_gateway_batch_items", METRIC_HISTOGRAM, "Messages and events in a transaction."},
		&ingest_items_scale, offsetof(struct ingest_counters, batch_items)},
	{{"headcount_gateway_event_lag_seconds", METRIC_HISTOGRAM, "From a stored event's own time to its receipt."},
		&ingest_lag_scale, offsetof(struct ingest_counters, lag_ms)},
};
/* clang-format on */

/* Writing */

static struct snapshot take_snapshot(const struct health *health,
				     const struct health_sources *sources)
{
	const struct ingest_counters *counters = ingest_counters(sources->ingest);
	int64_t uptime_us = g_get_monotonic_time() - health->started_us;

	return (struct snapshot){
		.start_time = (double)(g_get_real_time() - uptime_us) / G_USEC_PER_SEC,
		.broker_connected = broker_is_ready(sources->broker),
		.broker_drops = health->broker_drops < 0 ? NAN : (double)health->broker_drops,
		.messages = (double)counters->messages,
		.stored = (double)counters->stored,
		.duplicates = (double)counters->duplicates,
		.rejected_dropped = (double)counters->rejected_dropped,
		.commands = (double)counters->commands,
		.audit_dropped = (double)counters->audit_dropped,
		.spaces_published = (double)publish_spaces(sources->publish),
		.publications = (double)broker_outstanding(sources->broker),
		.database_bytes = (double)store_file_bytes(sources->store),
		.wal_bytes = (double)store_wal_bytes(sources->store),
	};
}

static void write_numbers(GString *out, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		const char *member = (const char *)snapshot + numbers[i].offset;

		metric_write(out, &numbers[i].metric, *(const double *)(const void *)member);
	}
}

static void write_rejected(GString *out, const struct ingest_counters *counters)
{
	metric_begin(out, &rejected);
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		g_autofree char *label =
			g_strdup_printf("reason=\"%s\"", reason_name((enum reason)reason));

		metric_add(out, &rejected, label, (double)counters->rejected[reason]);
	}
}

static void write_histograms(GString *out, const struct ingest_counters *counters)
{
	for (size_t i = 0; i < G_N_ELEMENTS(histograms); i++) {
		const char *member = (const char *)counters + histograms[i].offset;

		metric_begin(out, &histograms[i].metric);
		histogram_write(out, &histograms[i].metric, histograms[i].scale, "",
				(const struct histogram *)(const void *)member);
	}
}

void metrics_write(struct metrics *metrics, const struct health *health,
		   const struct health_sources *sources)
{
	struct snapshot snapshot = take_snapshot(health, sources);
	GString *text = g_string_new(NULL);
	GBytes *before;

	metric_write_build(text, "headcount_gateway");
	write_numbers(text, &snapshot);
	write_rejected(text, ingest_counters(sources->ingest));
	write_histograms(text, ingest_counters(sources->ingest));
	g_mutex_lock(&metrics->mutex);
	before = metrics->text;
	metrics->text = g_string_free_to_bytes(text);
	g_mutex_unlock(&metrics->mutex);
	g_bytes_unref(before);
}

/* Serving */

static struct MHD_Response *make_response(struct metrics *metrics)
{
	struct MHD_Response *response;
	const void *bytes;
	size_t size;

	g_mutex_lock(&metrics->mutex);
	bytes = g_bytes_get_data(metrics->text, &size);
	response = MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
	g_mutex_unlock(&metrics->mutex);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, METRIC_CONTENT_TYPE);
	return response;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **request)
{
	bool found = strcmp(url, "/metrics") == 0;
	bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
		     strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	unsigned status = !found ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED;
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (found && reads) {
		status = MHD_HTTP_OK;
		response = make_response(context);
	} else {
		response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	}
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

struct metrics *metrics_start(uint16_t port)
{
	struct metrics *metrics = g_new0(struct metrics, 1);
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	g_mutex_init(&metrics->mutex);
	metrics->text = g_bytes_new(NULL, 0);
	metrics->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, port, NULL, NULL, answer,
					   metrics, MHD_OPTION_SOCK_ADDR,
					   (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
					   (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
					   (unsigned)TIMEOUT_S, MHD_OPTION_END);
	if (metrics->daemon != NULL)
		return metrics;
	log_warning("metrics: can't listen on 127.0.0.1 port %u: there are none", (unsigned)port);
	metrics_stop(metrics);
	return NULL;
}

void metrics_stop(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	if (metrics->daemon != NULL)
		MHD_stop_daemon(metrics->daemon);
	g_bytes_unref(metrics->text);
	g_mutex_clear(&metrics->mutex);
	g_free(metrics);
}
