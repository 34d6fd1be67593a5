/* A town (town.h) and its past: makes a database with as many crossings as are asked for, in the order of time, through
 * core as the gateway does it, only in larger batches. Prints one JSON object at the end. */
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "crossing.h"
#include "store.h"
#include "town.h"

#define OPEN_FROM (8 * INSTANT_HOUR) /* of each day, UTC */
#define PEOPLE 25                    /* in a room, in the long run */
#define MISSED 200                   /* of so many crossings one is seen that wasn't there */

static struct {
	char *database;
	int dpus, days, open_hours, batch, seed;
	int64_t events;
} options = {.dpus = 1000, .days = 365, .open_hours = 4, .batch = 1000000, .seed = 1};

static struct {
	struct store *store;
	GRand *dice;
	instant now, first_day;
	int64_t made; /* crossings */
	char *ids;    /* of the DPUs */
	int *inside;  /* people in each room */
	struct crossing *batch;
} fill;

static void fail(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(EXIT_FAILURE);
}

/* Crossings */

/* Spread evenly over the open hours of all days, each at a millisecond of its own as long as there are enough. */
static instant time_of(int64_t number)
{
	int64_t open_ms = options.open_hours * INSTANT_HOUR;
	int64_t at = (int64_t)((double)number / (double)options.events *
			       (double)(options.days * open_ms));

	return fill.first_day + at / open_ms * INSTANT_DAY + OPEN_FROM + at % open_ms;
}

/* The more are inside, the more leave; and now and then an entry was missed. */
static int walk(int room)
{
	bool missed = g_rand_int_range(fill.dice, 0, MISSED) == 0;
	bool leaves = g_rand_int_range(fill.dice, 0, 2 * PEOPLE) < fill.inside[room];
	int count = leaves ? -1 : 1;

	fill.inside[room] += missed ? 0 : count;
	return count;
}

static struct crossing cross(int64_t number)
{
	int dpu = g_rand_int_range(fill.dice, 0, options.dpus);
	instant time = time_of(number);

	return (struct crossing){
		.dpu_id = fill.ids + dpu * TOWN_ID_SIZE,
		.event = {.time = time, .seq = number, .count = walk(dpu / TOWN_DPUS_PER_ROOM)},
		.received = time + INSTANT_SECOND,
		.latest = fill.now,
	};
}

static enum result store_batch(struct store *store, void *context)
{
	size_t count = *(size_t *)context;

	crossing_store(store, fill.batch, count);
	return RESULT_OK;
}

static void make_batch(void)
{
	size_t count = (size_t)MIN(options.batch, options.events - fill.made);

	for (size_t i = 0; i < count; i++)
		fill.batch[i] = cross(fill.made + (int64_t)i);
	if (store_transaction(fill.store, store_batch, &count) != RESULT_OK)
		fail(store_error(fill.store));
	for (size_t i = 0; i < count; i++) {
		if (fill.batch[i].outcome != CROSSING_STORED)
			fail("a crossing was not stored");
	}
	fill.made += (int64_t)count;
	store_tidy(fill.store);
}

static void make_past(void)
{
	fill.ids = town_dpu_ids(options.dpus);
	fill.inside = g_new0(int, (gsize)options.dpus / TOWN_DPUS_PER_ROOM + 1);
	fill.batch = g_new(struct crossing, (gsize)options.batch);
	while (fill.made < options.events)
		make_batch();
	g_free(fill.batch);
	g_free(fill.inside);
	g_free(fill.ids);
}

static bool read_options(int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"database", 0, 0, G_OPTION_ARG_FILENAME, &options.database,
		 "A new file, or one with a town of as many DPUs", "FILE"},
		{"dpus", 0, 0, G_OPTION_ARG_INT, &options.dpus, "A room has 4", "N"},
		{"events", 0, 0, G_OPTION_ARG_INT64, &options.events, "How many", "N"},
		{"days", 0, 0, G_OPTION_ARG_INT, &options.days, "Until yesterday", "N"},
		{"open-hours", 0, 0, G_OPTION_ARG_INT, &options.open_hours, "A day", "N"},
		{"batch", 0, 0, G_OPTION_ARG_INT, &options.batch, "Events a transaction", "N"},
		{"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "Of all chances", "N"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		fail(error->message);
	return options.database != NULL && options.dpus > 0 && options.days > 0 &&
	       options.open_hours > 0 && options.open_hours <= 16 && options.batch > 0;
}

int main(int argc, char **argv)
{
	struct problem problem;
	gint64 begin = g_get_monotonic_time();

	if (!read_options(argc, argv))
		fail("see --help");
	fill.now = instant_now();
	fill.first_day = (fill.now / INSTANT_DAY - options.days) * INSTANT_DAY;
	fill.dice = g_rand_new_with_seed((guint32)options.seed);
	if (store_open(options.database, STORE_WRITER, &fill.store, &problem) != RESULT_OK)
		fail(problem.detail);
	town_make(fill.store, options.dpus);
	make_past();
	store_close(fill.store);
	printf("{\"dpus\": %d, \"events\": %" PRId64 ", \"seconds\": %.3f}\n", options.dpus,
	       fill.made, (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC);
	g_rand_free(fill.dice);
	g_free(options.database);
	return EXIT_SUCCESS;
}
