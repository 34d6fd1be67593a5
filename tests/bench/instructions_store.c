/* A fixed piece of work for callgrind to count the instructions of (tests/instructions_test.py): stores a batch, then asks
 * for counts in the past.
 *
 *     instructions_store DATABASE      a new file
 *
 * What counts is what happens within NAME_measured; the same was done before, so that statements are prepared and pages
 * at hand. Prints how often each NAME was done within. */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "history.h"
#include "ingest.h"
#include "store.h"
#include "town.h"

#define DPUS 200
#define BATCHES 5
#define SINGLE_MESSAGES 2000 /* in a batch */
#define ARRAYS 20
#define ARRAY_EVENTS 100
#define QUESTIONS 1000
#define BEGIN INT64_C(1767225600000) /* 2026-01-01 */
#define STEP INT64_C(9000)           /* between two events: a batch is ten hours */

struct work {
	struct ingest *ingest;
	GPtrArray *topics, *payloads; /* of the batch to store next: char * */
	GRand *dice;
	instant time;
	int64_t sum; /* of the answers, so that none is left out */
};

int64_t batch_measured(struct work *work);
int64_t count_at_measured(struct store *store, struct work *work);

static void fail(const char *what)
{
	fprintf(stderr, "instructions_store: %s\n", what);
	exit(EXIT_FAILURE);
}

static void append_event(struct work *work, GString *payload)
{
	work->time += STEP;
	g_string_append_printf(payload,
			       "{\"dpu_event_time\": %" PRId64 ", \"count\": %d, \"seq\": %d}",
			       work->time, g_rand_boolean(work->dice) ? 1 : -1, 1);
}

static void append_array(struct work *work, GString *payload)
{
	for (int i = 0; i < ARRAY_EVENTS; i++) {
		g_string_append_c(payload, i == 0 ? '[' : ',');
		append_event(work, payload);
	}
	g_string_append_c(payload, ']');
}

static void prepare_batch(struct work *work)
{
	g_ptr_array_set_size(work->topics, 0);
	g_ptr_array_set_size(work->payloads, 0);
	for (int i = 0; i < SINGLE_MESSAGES + ARRAYS; i++) {
		GString *payload = g_string_new(NULL);

		if (i < SINGLE_MESSAGES)
			append_event(work, payload);
		else
			append_array(work, payload);
		g_ptr_array_add(
			work->topics,
			g_strdup_printf("dpu/%d/events", g_rand_int_range(work->dice, 0, DPUS)));
		g_ptr_array_add(work->payloads, g_string_free(payload, FALSE));
	}
}

static void store_batch(struct work *work)
{
	for (guint i = 0; i < work->topics->len; i++) {
		const char *payload = g_ptr_array_index(work->payloads, i);

		ingest_message(work->ingest,
			       &(struct message){.topic = g_ptr_array_index(work->topics, i),
						 .payload = payload,
						 .size = strlen(payload),
						 .received = work->time});
	}
	if (ingest_commit(work->ingest) != RESULT_OK)
		fail("the batch was not stored");
}

static void ask_counts(struct store *store, struct work *work)
{
	for (int i = 0; i < QUESTIONS; i++) {
		int64_t space = g_rand_int_range(work->dice, 1, DPUS / TOWN_DPUS_PER_ROOM);
		instant when =
			BEGIN + (instant)(g_rand_double(work->dice) * (double)(work->time - BEGIN));

		work->sum += history_at(store, space, when).occupancy.net;
	}
}

/* They answer something, lest the compiler makes a jump of the call, which callgrind can't tell from it. */

__attribute__((noinline)) int64_t batch_measured(struct work *work)
{
	store_batch(work);
	return ingest_counters(work->ingest)->stored;
}

__attribute__((noinline)) int64_t count_at_measured(struct store *store, struct work *work)
{
	ask_counts(store, work);
	return work->sum;
}

static enum result ask(struct store *store, void *context)
{
	ask_counts(store, context);
	return count_at_measured(store, context) != INT64_MIN ? RESULT_OK : RESULT_FAILED;
}

static void store_all(struct work *work)
{
	const int64_t events = BATCHES * (SINGLE_MESSAGES + ARRAYS * ARRAY_EVENTS);

	for (int i = 0; i < BATCHES - 1; i++) {
		prepare_batch(work);
		store_batch(work);
	}
	prepare_batch(work);
	if (batch_measured(work) != events)
		fail("not all was stored");
}

static struct store *open_store(const char *path, enum store_mode mode)
{
	struct store *store = NULL;
	struct problem problem;

	if (store_open(path, mode, &store, &problem) != RESULT_OK)
		fail(problem.detail);
	return store;
}

int main(int argc, char **argv)
{
	const struct config config = {
		.rejected_max = 1000, .audit_max = 1000, .max_clock_skew_ms = INSTANT_MINUTE};
	struct work work = {
		.topics = g_ptr_array_new_with_free_func(g_free),
		.payloads = g_ptr_array_new_with_free_func(g_free),
		.dice = g_rand_new_with_seed(1),
		.time = BEGIN,
	};
	struct store *writer, *reader;

	if (argc != 2)
		fail("a database is expected");
	writer = open_store(argv[1], STORE_WRITER);
	town_make(writer, DPUS);
	work.ingest = ingest_new(writer, &config);
	store_all(&work);
	reader = open_store(argv[1], STORE_READER);
	if (store_transaction(reader, ask, &work) != RESULT_OK)
		fail(store_error(reader));
	printf("batch %d\ncount_at %d\n", SINGLE_MESSAGES + ARRAYS * ARRAY_EVENTS, QUESTIONS);
	store_close(reader);
	ingest_free(work.ingest);
	store_close(writer);
	g_ptr_array_unref(work.topics);
	g_ptr_array_unref(work.payloads);
	g_rand_free(work.dice);
	return EXIT_SUCCESS;
}
