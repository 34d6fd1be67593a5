/* How long after a crossing its count is on the displays, beside the broker's own way from publisher to subscriber.
 *
 * One connection publishes crossings at a steady rate, another subscribes to the crossings themselves and to
 * space/<id>/count: the first to arrive tells the broker's own round trip, the second the gateway's, of the same
 * message. Rooms take turns, so that none is published twice within the gateway's publish_interval; rooms and DPUs are
 * those of tests/bench/town.c. Every other second it measures what storing a crossing costs where nothing else is done: a
 * commit of core's, to a database as large, on the same disk and at the same rate, so that both meet the disk's good and bad
 * moments; and afterwards the disk's fdatasync alone. Prints one JSON object. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crossing.h"
#include "store.h"
#include "town.h"

#define SYNCS 300
#define PAGE_BYTES 4096
#define LATE_US (10 * G_USEC_PER_SEC) /* what comes later is lost */
#define QUIET_US (G_USEC_PER_SEC / 2) /* so long nothing retained comes: that was all */

static struct {
	int port, rooms, rate, seconds;
	char *folder, *town;
} options = {.rooms = 250, .rate = 500, .seconds = 5};

/* A crossing under way, by room. All but `sent_us` belong to the subscriber's thread. */
struct underway {
	gint64 sent_us, broker_us;
};

static struct {
	struct underway *rooms;
	GArray *broker, *count, *added, *commit; /* double: ms */
	gint subscribed, retained, arrived;      /* atomic */
} latency;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "latency: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void check(const char *what, int code)
{
	if (code != MOSQ_ERR_SUCCESS)
		fail(what, mosquitto_strerror(code));
}

/* The subscriber */

static void add(GArray *to, gint64 us)
{
	double ms = (double)us / 1000;

	g_array_append_val(to, ms);
}

static void crossing_came(struct underway *room, gint64 now)
{
	room->broker_us = now - room->sent_us;
	add(latency.broker, room->broker_us);
}

static void count_came(struct underway *room, gint64 now)
{
	gint64 us = now - room->sent_us;

	add(latency.count, us);
	add(latency.added, us - room->broker_us);
	room->sent_us = 0;
	g_atomic_int_inc(&latency.arrived);
}

/* The number that follows the prefix, -1 for another topic. */
static int number_of(const char *topic, const char *prefix)
{
	if (!g_str_has_prefix(topic, prefix))
		return -1;
	return (int)strtol(topic + strlen(prefix), NULL, 10);
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message)
{
	gint64 now = g_get_monotonic_time();
	int dpu = number_of(message->topic, "dpu/"), room = number_of(message->topic, "space/r");

	(void)client, (void)context;
	if (message->retain)
		g_atomic_int_inc(&latency.retained);
	else if (dpu >= 0)
		crossing_came(&latency.rooms[dpu / TOWN_DPUS_PER_ROOM], now);
	else if (room >= 0 && latency.rooms[room].sent_us != 0)
		count_came(&latency.rooms[room], now);
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted)
{
	(void)client, (void)context, (void)id, (void)count, (void)granted;
	g_atomic_int_inc(&latency.subscribed);
}

static struct mosquitto *connect_client(const char *name)
{
	struct mosquitto *client = mosquitto_new(name, true, NULL);

	mosquitto_message_callback_set(client, on_message);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	mosquitto_max_inflight_messages_set(client, 0); /* no limit */
	check("options", mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, true));
	check("connect", mosquitto_connect(client, "127.0.0.1", options.port, 60));
	check("loop", mosquitto_loop_start(client));
	return client;
}

static void disconnect(struct mosquitto *client)
{
	mosquitto_disconnect(client);
	mosquitto_loop_stop(client, false);
	mosquitto_destroy(client);
}

/* The broker first sends the retained counts of all rooms, which takes it a fifth of a second: none of what is measured. */
static void await_retained(void)
{
	int before;

	do {
		before = g_atomic_int_get(&latency.retained);
		g_usleep(QUIET_US);
	} while (g_atomic_int_get(&latency.retained) != before);
}

static struct mosquitto *subscribe(void)
{
	struct mosquitto *client = connect_client("bench-display");

	check("subscribe", mosquitto_subscribe(client, NULL, "dpu/+/events", 1));
	check("subscribe", mosquitto_subscribe(client, NULL, "space/+/count", 1));
	while (g_atomic_int_get(&latency.subscribed) < 2)
		g_usleep(1000);
	await_retained();
	return client;
}

/* The publisher */

static void sleep_until(gint64 us)
{
	struct timespec until = {.tv_sec = us / G_USEC_PER_SEC,
				 .tv_nsec = us % G_USEC_PER_SEC * 1000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void publish(struct mosquitto *client, int number)
{
	int room = number % options.rooms;
	char topic[64], payload[128];

	/* The second of a room's doorways leads to the floor, so it changes the count of the room alone. */
	g_snprintf(topic, sizeof topic, "dpu/%d/events", room * TOWN_DPUS_PER_ROOM + 1);
	g_snprintf(payload, sizeof payload,
		   "{\"dpu_event_time\": %" PRId64 ", \"count\": 1, \"seq\": %d}",
		   g_get_real_time() / 1000, number);
	latency.rooms[room].sent_us = g_get_monotonic_time();
	check("publish",
	      mosquitto_publish(client, NULL, topic, (int)strlen(payload), payload, 1, false));
}

/* As many as come in a second, from that number on; then all of them have arrived, or are lost. */
static void publish_second(struct mosquitto *client, int first)
{
	gint64 begin = g_get_monotonic_time(), until;

	for (int i = 0; i < options.rate; i++) {
		sleep_until(begin + (gint64)i * G_USEC_PER_SEC / options.rate);
		publish(client, first + i);
	}
	for (until = g_get_monotonic_time() + LATE_US;
	     g_atomic_int_get(&latency.arrived) < first + options.rate &&
	     g_get_monotonic_time() < until;)
		g_usleep(1000);
}

/* A commit */

static instant now_ms(void)
{
	return g_get_real_time() / 1000;
}

static enum result store_crossing(struct store *store, void *context)
{
	struct crossing *crossing = context;

	crossing_store(store, crossing, 1);
	return crossing->outcome == CROSSING_STORED ? RESULT_OK : RESULT_FAILED;
}

static struct store *open_town(void)
{
	struct store *store = NULL;
	struct problem problem;

	if (store_open(options.town, STORE_WRITER, &store, &problem) != RESULT_OK)
		fail(options.town, problem.detail);
	return store;
}

static void commit(struct store *store, const char *dpu_id, int number, gint64 came)
{
	struct crossing crossing = {
		.dpu_id = dpu_id,
		.event = {.time = now_ms(), .seq = number, .count = 1},
		.latest = INSTANT_LAST,
	};

	if (store_transaction(store, store_crossing, &crossing) != RESULT_OK)
		fail(options.town, store_error(store));
	add(latency.commit, g_get_monotonic_time() - came);
}

/* Sleeps until then, and says when it came: if that was over already, a commit took too long, and who comes waits for it. */
static gint64 await(gint64 us)
{
	if (g_get_monotonic_time() > us)
		return us;
	sleep_until(us);
	return g_get_monotonic_time();
}

/* Of the same crossings as were published in the second before. */
static void commit_second(struct store *store, const char *dpu_ids, int first)
{
	gint64 begin = g_get_monotonic_time();

	for (int i = 0; i < options.rate; i++) {
		int dpu = (first + i) % options.rooms * TOWN_DPUS_PER_ROOM + 1;

		commit(store, dpu_ids + (size_t)dpu * TOWN_ID_SIZE, first + i,
		       await(begin + (gint64)i * G_USEC_PER_SEC / options.rate));
	}
}

/* Of one page, over what is there. */
static GArray *measure_syncs(void)
{
	g_autofree char *path = g_build_filename(options.folder, "syncs", NULL);
	static const char page[PAGE_BYTES];
	GArray *syncs = g_array_new(FALSE, FALSE, sizeof(double));
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (file < 0)
		fail(path, g_strerror(errno));
	for (int i = 0; i < 2 * SYNCS; i++) {
		gint64 begin = g_get_monotonic_time();

		if (pwrite(file, page, sizeof page, (off_t)(i % SYNCS) * PAGE_BYTES) < 0 ||
		    fdatasync(file) < 0)
			fail(path, g_strerror(errno));
		if (i >= SYNCS)
			add(syncs, g_get_monotonic_time() - begin);
	}
	close(file);
	unlink(path);
	return syncs;
}

/* The result */

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return first < second ? -1 : first > second;
}

static double percentile(const GArray *of, double part)
{
	if (of->len == 0)
		return 0;
	return g_array_index(of, double, (guint)(part * (double)(of->len - 1) + 0.5));
}

static void print(const char *name, GArray *of)
{
	g_array_sort(of, compare);
	printf(", \"%s\": {\"p50\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f}", name,
	       percentile(of, 0.5), percentile(of, 0.99), percentile(of, 0.999));
}

static bool read_options(int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"port", 0, 0, G_OPTION_ARG_INT, &options.port, "The broker's, on 127.0.0.1", "N"},
		{"rooms", 0, 0, G_OPTION_ARG_INT, &options.rooms, "r0…r(N-1) take turns", "N"},
		{"rate", 0, 0, G_OPTION_ARG_INT, &options.rate, "Crossings a second", "N"},
		{"seconds", 0, 0, G_OPTION_ARG_INT, &options.seconds, "How long", "N"},
		{"folder", 0, 0, G_OPTION_ARG_FILENAME, &options.folder,
		 "On the database's disk, for a file to measure with", "DIR"},
		{"town", 0, 0, G_OPTION_ARG_FILENAME, &options.town,
		 "A database of the same town, to commit to", "FILE"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		fail("options", error->message);
	return options.port > 0 && options.rooms > 0 && options.rate > 0 && options.seconds > 0 &&
	       options.folder != NULL && options.town != NULL;
}

static void measure(void)
{
	struct mosquitto *display = subscribe(), *publisher = connect_client("bench-dpu");
	struct store *store = open_town();
	g_autofree char *dpu_ids = town_dpu_ids(options.rooms * TOWN_DPUS_PER_ROOM);

	for (int second = 0; second < options.seconds; second++) {
		publish_second(publisher, second * options.rate);
		commit_second(store, dpu_ids, second * options.rate);
	}
	store_close(store);
	disconnect(publisher);
	disconnect(display);
}

int main(int argc, char **argv)
{
	int published;

	if (!read_options(argc, argv))
		fail("options", "see --help");
	mosquitto_lib_init();
	latency.rooms = g_new0(struct underway, (gsize)options.rooms);
	latency.broker = g_array_new(FALSE, FALSE, sizeof(double));
	latency.count = g_array_new(FALSE, FALSE, sizeof(double));
	latency.added = g_array_new(FALSE, FALSE, sizeof(double));
	latency.commit = g_array_new(FALSE, FALSE, sizeof(double));
	measure();
	published = options.rate * options.seconds;
	printf("{\"rate\": %d, \"published\": %d, \"lost\": %d, \"unit\": \"ms\"", options.rate,
	       published, published - latency.arrived);
	print("broker", latency.broker);
	print("count", latency.count);
	print("added", latency.added);
	print("commit", latency.commit);
	print("sync", measure_syncs());
	puts("}");
	mosquitto_lib_cleanup();
	return EXIT_SUCCESS;
}
