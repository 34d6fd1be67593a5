/* SQLite finds no memory at its Nth request, for one N after the other: an error comes out, nothing is half done, and the
 * same again succeeds. */
#include <glib.h>
#include <sqlite3.h>
#include <string.h>

#include "history.h"
#include "ingest.h"
#include "space.h"
#include "world.h"

#define NEVER (-1)
#define STRIDE 37 /* between the Ns of a batch, which makes about 7,000 requests */

/* SQLite's own allocator, which refuses when it is told to. */

static sqlite3_mem_methods real;
static gint64 left = NEVER; /* requests until one is refused, and all after it */

static bool refuses(void)
{
	return left != NEVER && (left == 0 || --left == 0);
}

static void *allocate(int size)
{
	return refuses() ? NULL : real.xMalloc(size);
}

static void *reallocate(void *memory, int size)
{
	return refuses() ? NULL : real.xRealloc(memory, size);
}

static void take_over(void)
{
	sqlite3_mem_methods methods;

	g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), ==, SQLITE_OK);
	methods = real;
	methods.xMalloc = allocate;
	methods.xRealloc = reallocate;
	g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), ==, SQLITE_OK);
}

/* True if it went so far. */
static bool end_of_refusals(void)
{
	bool refused = left == 0;

	left = NEVER;
	return refused;
}

static struct store *open_store(const char *path, enum store_mode mode)
{
	struct problem problem;
	struct store *store;

	g_assert_cmpint(store_open(path, mode, &store, &problem), ==, RESULT_OK);
	return store;
}

/* A batch with something of everything */

static const char *const messages[][2] = {
	{"dpu/1/events", "[{\"dpu_event_time\":1599999000000,\"count\":3},"
			 "{\"dpu_event_time\":1599990000000,\"count\":-1},{\"count\":0}]"},
	{"dpu/9/events", "{\"dpu_event_time\":1599999000000,\"count\":3}"},
	{"dpu/1/status", "online"},
	{"registry/commands",
	 "{\"action\":\"create\",\"object\":\"dpu\",\"values\":{\"id\":\"9\"}}"},
	{"registry/commands", "{\"action\":\"move\",\"object\":\"dpu\",\"id\":\"1\",\"values\":"
			      "{\"doorway\":\"Z\",\"at\":\"2020-09-13T11:00:00Z\"}}"},
	{"registry/commands", "{\"action\":\"create\",\"object\":\"reset\",\"values\":"
			      "{\"space\":\"A\",\"count\":7,\"at\":\"2020-09-13T12:00:00Z\"}}"},
	{"registry/commands", "{\"action\":\"create\",\"object\":\"space\",\"values\":"
			      "{\"id\":\"A\"}}"}, /* a conflict */
	{"registry/commands", "{\"action\":\"update\",\"object\":\"space\",\"id\":\"B\",\"values\":"
			      "{\"parent\":\"A\"}}"},
};

static enum result commit(struct ingest *ingest, gint64 refuse_at)
{
	enum result result;

	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
		const struct message message = {.topic = messages[i][0],
						.payload = messages[i][1],
						.size = strlen(messages[i][1]),
						.received = WORLD_NOW};
		ingest_message(ingest, &message);
	}
	left = refuse_at;
	result = ingest_commit(ingest);
	return result;
}

/* False if the batch was through before the request. */
static bool try_batch(gint64 refuse_at, const char *before, const char *after)
{
	static const struct config config = {.rejected_max = 100, .max_clock_skew_ms = 60000};
	struct store *store = open_store(world_reset(), STORE_WRITER);
	struct ingest *ingest = ingest_new(store, &config);
	enum result result = commit(ingest, refuse_at);
	bool refused = end_of_refusals();
	g_autofree char *facts = world_facts();

	g_assert_true(result == RESULT_OK || (refused && result == RESULT_FAILED));
	g_assert_cmpstr(facts, ==, result == RESULT_OK ? after : before);
	if (result != RESULT_OK) {
		g_autofree char *again = NULL;

		g_assert_cmpstr(store_error(store), !=, "");
		g_assert_cmpint(commit(ingest, NEVER), ==, RESULT_OK);
		again = world_facts();
		g_assert_cmpstr(again, ==, after);
	}
	world_check(store);
	ingest_free(ingest);
	store_close(store);
	return refused;
}

static void a_batch_is_stored_whole_or_not_at_all(void)
{
	static const struct config config = {.rejected_max = 100, .max_clock_skew_ms = 60000};
	struct store *store = open_store(world_reset(), STORE_WRITER);
	g_autofree char *before = world_facts(), *after = NULL;
	struct ingest *ingest = ingest_new(store, &config);
	gint64 refuse_at = 1;

	g_assert_cmpint(commit(ingest, NEVER), ==, RESULT_OK);
	after = world_facts();
	g_assert_cmpstr(before, !=, after);
	ingest_free(ingest);
	store_close(store);
	while (try_batch(refuse_at, before, after))
		refuse_at += STRIDE;
	g_test_message("refused up to request %" G_GINT64_FORMAT, refuse_at);
	g_assert_cmpint(refuse_at, >, 100);
}

/* Opening */

static void opens_or_says_why_not(gconstpointer data)
{
	enum store_mode mode = data == NULL ? STORE_WRITER : STORE_READER;
	bool refused = true;

	for (gint64 refuse_at = 1; refused; refuse_at++) {
		const char *path = world_reset();
		struct problem problem = {.detail = ""};
		struct store *store = NULL;
		enum result result;

		left = refuse_at;
		result = store_open(path, mode, &store, &problem);
		refused = end_of_refusals();
		if (result == RESULT_OK)
			store_close(store);
		else
			g_assert_true(refused && *problem.detail != '\0');
	}
}

/* Reading */

struct reading {
	int64_t count, net;
	GString *text;
};

static enum result read_all(struct store *store, void *context)
{
	struct reading *reading = context;
	struct space_state space;
	enum result result = space_find(store, "A", WORLD_NOW, &space);

	if (result != RESULT_OK)
		return result;
	space_look_back(store, &space, WORLD_NOW - INSTANT_HOUR);
	space_write_whole(reading->text, store, &space, NULL);
	reading->count = space.point.occupancy.count;
	reading->net = space.point.occupancy.net;
	return RESULT_OK;
}

static void a_read_that_fails_says_so(void)
{
	static const struct config config = {.rejected_max = 100, .max_clock_skew_ms = 60000};
	const char *path = world_reset();
	struct store *writer = open_store(path, STORE_WRITER);
	struct ingest *ingest = ingest_new(writer, &config);
	g_autoptr(GString) expected = NULL;
	bool refused = true;

	g_assert_cmpint(commit(ingest, NEVER), ==, RESULT_OK);
	for (gint64 refuse_at = NEVER; refused; refuse_at = MAX(refuse_at, 0) + 1) {
		struct store *store = open_store(path, STORE_READER);
		struct reading reading = {.text = g_string_new(NULL)};
		enum result result;

		left = refuse_at;
		result = store_transaction(store, read_all, &reading);
		refused = end_of_refusals() || refuse_at == NEVER;
		g_assert_true(result == RESULT_OK || refused);
		if (expected == NULL)
			expected = g_string_new(reading.text->str);
		else if (result == RESULT_OK)
			g_assert_cmpstr(reading.text->str, ==, expected->str);
		g_string_free(reading.text, TRUE);
		store_close(store);
	}
	ingest_free(ingest);
	store_close(writer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	take_over();
	g_test_add_func("/exhaustion/a_batch_is_stored_whole_or_not_at_all",
			a_batch_is_stored_whole_or_not_at_all);
	g_test_add_data_func("/exhaustion/a_writer_opens_or_says_why_not", NULL,
			     opens_or_says_why_not);
	g_test_add_data_func("/exhaustion/a_reader_opens_or_says_why_not", "",
			     opens_or_says_why_not);
	g_test_add_func("/exhaustion/a_read_that_fails_says_so", a_read_that_fails_says_so);
	return g_test_run();
}
