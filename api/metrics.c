#include "metrics.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "attempts.h"
#include "broker.h"
#include "certificate.h"
#include "http.h"
#include "live.h"
#include "memory.h"
#include "metric.h"
#include "services.h"

#define STATUSES 600

/* One route's requests. */
struct tally {
	int64_t requests;
	struct histogram latency_us;
	int64_t by_status[STATUSES];
};

struct metrics {
	const struct route *routes;
	size_t route_count;
	double start_time; /* since 1970 */
	GMutex mutex;
	struct tally *tallies; /* one a route, and at the end that of requests without one */
};

/* What is known at one moment. */
struct snapshot {
	double start_time, broker_connected, gateway_online, broker_drops, streams;
	double database_bytes, wal_bytes, memory_bytes;
	double tokens_refused, certificate_expires;
};

/* clang-format off */
static const struct {
	struct metric metric;
	size_t offset;
} numbers[] = {
	{{"headcount_api_start_time_seconds", METRIC_GAUGE, "When the program began, since 1970."},
		offsetof(struct snapshot, start_time)},
	{{"headcount_api_broker_connected", METRIC_GAUGE, "Whether the broker is connected and subscribed."},
		offsetof(struct snapshot, broker_connected)},
	{{"headcount_api_gateway_online", METRIC_GAUGE, "Whether the gateway says that it is online."},
		offsetof(struct snapshot, gateway_online)},
	{{"headcount_api_broker_dropped_messages_total", METRIC_COUNTER, "Messages that the broker has dropped since it began, as the gateway knows; NaN if it does not."},
		offsetof(struct snapshot, broker_drops)},
	{{"headcount_api_live_streams", METRIC_GAUGE, "Clients of /live."},
		offsetof(struct snapshot, streams)},
	{{"headcount_api_database_bytes", METRIC_GAUGE, "Size of the database file."},
		offsetof(struct snapshot, database_bytes)},
	{{"headcount_api_wal_bytes", METRIC_GAUGE, "Size of the database's write-ahead log."},
		offsetof(struct snapshot, wal_bytes)},
	{{"headcount_api_memory_bytes", METRIC_GAUGE, "What is remembered of spaces; it has a bound."},
		offsetof(struct snapshot, memory_bytes)},
	{{"headcount_api_tokens_refused_total", METRIC_COUNTER, "Tokens sent that are not known, or no longer."},
		offsetof(struct snapshot, tokens_refused)},
	{{"headcount_api_certificate_expires_seconds", METRIC_GAUGE, "When the certificate in force expires, since 1970; NaN if there is none."},
		offsetof(struct snapshot, certificate_expires)},
};

static const struct metric requests =
	{"headcount_api_requests_total", METRIC_COUNTER, "Requests answered."};
static const struct metric latency =
	{"headcount_api_request_seconds", METRIC_HISTOGRAM, "From the head of a request to the end of its answer; of streams, as long as they last."};
/* clang-format on */

struct metrics *metrics_new(const struct route *routes, size_t route_count)
{
	struct metrics *metrics = g_new0(struct metrics, 1);

	metrics->routes = routes;
	metrics->route_count = route_count;
	metrics->start_time = (double)g_get_real_time() / G_USEC_PER_SEC;
	metrics->tallies = g_new0(struct tally, route_count + 1);
	g_mutex_init(&metrics->mutex);
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	g_free(metrics->tallies);
	g_mutex_clear(&metrics->mutex);
	g_free(metrics);
}

void metrics_observe(void *context, const struct route *route, int status, int64_t latency_us)
{
	const struct services *services = context;
	struct metrics *metrics = services->metrics;
	size_t index = route != NULL ? (size_t)(route - metrics->routes) : metrics->route_count;
	struct tally *tally = &metrics->tallies[index];

	g_mutex_lock(&metrics->mutex);
	tally->requests++;
	tally->by_status[CLAMP(status, 0, STATUSES - 1)]++;
	histogram_add(&tally->latency_us, &histogram_latency_us, latency_us);
	g_mutex_unlock(&metrics->mutex);
}

static char *label_of(const struct metrics *metrics, size_t index)
{
	const struct route *route = &metrics->routes[index];

	if (index == metrics->route_count)
		return g_strdup("method=\"\",route=\"\"");
	return g_strdup_printf("method=\"%s\",route=\"%s\"", route->method, route->path);
}

static void write_statuses(GString *out, const char *route, const struct tally *tally)
{
	for (int status = 0; status < STATUSES; status++) {
		g_autofree char *labels = NULL;

		if (tally->by_status[status] == 0)
			continue;
		labels = g_strdup_printf("%s,status=\"%d\"", route, status);
		metric_add(out, &requests, labels, (double)tally->by_status[status]);
	}
}

/* Under the lock, so that a request is in both or in neither. */
static void write_requests(GString *out, struct metrics *metrics)
{
	g_autoptr(GString) latencies = g_string_new(NULL);

	metric_begin(out, &requests);
	metric_begin(latencies, &latency);
	g_mutex_lock(&metrics->mutex);
	for (size_t i = 0; i <= metrics->route_count; i++) {
		g_autofree char *route = label_of(metrics, i);

		if (metrics->tallies[i].requests == 0)
			continue;
		write_statuses(out, route, &metrics->tallies[i]);
		histogram_write(latencies, &latency, &histogram_latency_us, route,
				&metrics->tallies[i].latency_us);
	}
	g_mutex_unlock(&metrics->mutex);
	g_string_append_len(out, latencies->str, (gssize)latencies->len);
}

static double file_bytes(const char *path)
{
	GStatBuf status;

	return g_stat(path, &status) == 0 ? (double)status.st_size : NAN;
}

static double expiry_of(struct certificate *certificate)
{
	return certificate != NULL
		       ? (double)certificate_look(certificate).expires / (double)INSTANT_SECOND
		       : NAN;
}

static struct snapshot take_snapshot(const struct services *services)
{
	struct broker_view view = broker_look(services->broker);
	const char *database = services->config->database;
	g_autofree char *wal = g_strconcat(database, "-wal", NULL);

	return (struct snapshot){
		.start_time = services->metrics->start_time,
		.broker_connected = view.ready,
		.gateway_online = view.gateway_online,
		.broker_drops = view.broker_drops < 0 ? NAN : (double)view.broker_drops,
		.streams = (double)live_streams(services->live),
		.database_bytes = file_bytes(database),
		.wal_bytes = file_bytes(wal),
		.memory_bytes = (double)memory_bytes(services->memory),
		.tokens_refused = (double)attempts_total(services->attempts),
		.certificate_expires = expiry_of(services->certificate),
	};
}

static void write_numbers(GString *out, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		const char *member = (const char *)snapshot + numbers[i].offset;

		metric_write(out, &numbers[i].metric, *(const double *)(const void *)member);
	}
}

void metrics_show(struct http_request *request)
{
	const struct services *services = http_context(request);
	struct snapshot snapshot = take_snapshot(services);
	GString *text = g_string_new(NULL);

	metric_write_build(text, "headcount_api");
	write_numbers(text, &snapshot);
	write_requests(text, services->metrics);
	http_answer(request, 200, METRIC_CONTENT_TYPE, text);
}
