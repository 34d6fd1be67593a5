/* What questions about the past cost in the library, as a reader of the database asks them: prints one JSON object with
 * the median and the 99th percentile of each kind of question, and the rows that it read at most. Rooms and instants
 * are drawn at random. */
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "buckets.h"
#include "history.h"
#include "interval.h"
#include "space.h"
#include "store.h"
#include "town.h"
#include "zone.h"

#define MOST_BUCKETS 10000
#define MOST_CHANGES INT64_C(10000000)

static struct {
	char *database;
	int dpus, days, times, seed;
} options = {.dpus = 100000, .days = 365, .times = 1000, .seed = 1};

static struct {
	struct store *store;
	GRand *dice;
	instant first_day;
	int64_t rows; /* that queries gave since the question began */
	int64_t buckets;
} history;

static void fail(const char *what)
{
	fprintf(stderr, "history: %s\n", what);
	exit(EXIT_FAILURE);
}

/* The linker puts this before the store's own (ld: --wrap), so that rows are counted without a word about it in core. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names are the linker's */
bool __real_query_next(struct query *query);
bool __wrap_query_next(struct query *query);
bool __wrap_query_next(struct query *query)
{
	bool found = __real_query_next(query);

	history.rows += found;
	return found;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* Questions */

struct question {
	const char *name;
	const char *interval; /* NULL: the count at an instant */
	int days;
	int share; /* of options.times: this part of it, in hundredths */
};

static const struct question questions[] = {
	{"at", NULL, 0, 100},
	{"day_of_minutes", "1m", 1, 10},
	{"month_of_hours", "1h", 30, 10},
	{"year_of_days", "1d", 365, 10},
};

static void count_bucket(void *context, const struct bucket *bucket)
{
	(void)context, (void)bucket;
	history.buckets++;
}

static void ask_intervals(struct store *store, const struct space_state *state,
			  const struct question *question, instant start)
{
	const struct zone *zone = zone_find(state->timezone);
	struct interval interval;
	g_autoptr(GArray) edges = NULL;

	if (zone == NULL || !interval_parse(question->interval, &interval))
		fail("zone or interval");
	edges = interval_edges(&interval, zone, start, start + question->days * INSTANT_DAY,
			       MOST_BUCKETS);
	if (edges == NULL ||
	    buckets_read(store, state->key, (const instant *)(void *)edges->data, edges->len,
			 MOST_CHANGES, count_bucket, NULL) != RESULT_OK)
		fail("buckets");
}

static instant any_day(int days)
{
	int last = MAX(options.days - days, 0);

	return history.first_day + g_rand_int_range(history.dice, 0, last + 1) * INSTANT_DAY;
}

static instant any_time(void)
{
	return history.first_day +
	       (instant)(g_rand_double(history.dice) * (double)(options.days * INSTANT_DAY));
}

static enum result ask(struct store *store, void *context)
{
	const struct question *question = context;
	int rooms = options.dpus / TOWN_DPUS_PER_ROOM;
	int room = g_rand_int_range(history.dice, 0, rooms);
	g_autofree char *id = g_strdup_printf("r%d", room);
	struct space_state state;

	if (space_find(store, id, instant_now(), &state) != RESULT_OK)
		fail(id);
	if (question->interval == NULL)
		history_at(store, state.key, any_time());
	else
		ask_intervals(store, &state, question, any_day(question->days));
	return RESULT_OK;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return first < second ? -1 : first > second;
}

static double ask_once(const struct question *question, int64_t *rows)
{
	gint64 begin = g_get_monotonic_time();

	history.rows = 0;
	if (store_transaction(history.store, ask, (void *)question) != RESULT_OK)
		fail(store_error(history.store));
	*rows = MAX(*rows, history.rows);
	return (double)(g_get_monotonic_time() - begin);
}

static void measure(const struct question *question)
{
	int times = MAX(options.times * question->share / 100, 10);
	g_autoptr(GArray) us = g_array_new(FALSE, FALSE, sizeof(double));
	int64_t rows = 0;

	for (int i = 0; i < times; i++) {
		double once = ask_once(question, &rows);

		g_array_append_val(us, once);
	}
	g_array_sort(us, compare);
	printf("\"%s\": {\"p50_us\": %.0f, \"p99_us\": %.0f, \"rows\": %" PRId64 "}",
	       question->name, g_array_index(us, double, us->len / 2),
	       g_array_index(us, double, us->len * 99 / 100), rows);
}

static bool read_options(int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"database", 0, 0, G_OPTION_ARG_FILENAME, &options.database, "Made by fill",
		 "FILE"},
		{"dpus", 0, 0, G_OPTION_ARG_INT, &options.dpus, "As given to fill", "N"},
		{"days", 0, 0, G_OPTION_ARG_INT, &options.days, "As given to fill", "N"},
		{"times", 0, 0, G_OPTION_ARG_INT, &options.times,
		 "How often to ask for the count at an instant", "N"},
		{"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "Of all chances", "N"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		fail(error->message);
	return options.database != NULL && options.dpus >= TOWN_DPUS_PER_ROOM && options.days > 0 &&
	       options.times > 0;
}

int main(int argc, char **argv)
{
	struct problem problem;

	if (!read_options(argc, argv))
		fail("see --help");
	history.first_day = (instant_now() / INSTANT_DAY - options.days) * INSTANT_DAY;
	history.dice = g_rand_new_with_seed((guint32)options.seed);
	if (store_open(options.database, STORE_READER, &history.store, &problem) != RESULT_OK)
		fail(problem.detail);
	for (size_t i = 0; i < G_N_ELEMENTS(questions); i++) {
		fputs(i == 0 ? "{" : ", ", stdout);
		measure(&questions[i]);
	}
	puts("}");
	store_close(history.store);
	g_rand_free(history.dice);
	g_free(options.database);
	return EXIT_SUCCESS;
}
