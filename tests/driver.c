/* Drives the gateway's batches and the history without a broker: for tests in another language.
 *
 *     test-driver DATABASE
 *
 * reads commands from standard input, a line each, words separated by tabs (the last word may hold
 * tabs), and answers each but the first two with lines of which the last begins with "ok" or
 * "failed":
 *
 *     message RECEIVED TOPIC PAYLOAD    puts a message into the batch; says nothing
 *     request RECEIVED NUMBER COMMAND   the same for a registry command, whose answer has the NUMBER
 *     commit                            stores the batch: "publish TOPIC NUMBER PAYLOAD"…, "ok"
 *     daily NOW                         writes the daily resets that are due: "ok HOW-MANY"
 *     at SPACE INSTANT…                 "ok COUNT NET AS-OF COUNT NET AS-OF …"
 *     now SPACE                         "ok COUNT NET"
 *     check SPACE                       "differs SENTENCE"…, "ok" or "ok differs"
 *     prune                             does one step of pruning: "ok more" or "ok done"
 *     buckets SPACE EDGE…               "bucket …" with the numbers of each, "ok", or "ok unknown"
 *     reopen                            closes the database and opens it again: "ok" */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buckets.h"
#include "config.h"
#include "history.h"
#include "ingest.h"
#include "occupancy.h"
#include "pruning.h"
#include "registry.h"
#include "space.h"
#include "store.h"

struct driver {
	const char *path;
	struct config config;
	struct store *writer;
	struct store *reader; /* answers come the way in which other programs read */
	struct ingest *ingest;
	struct pruning *pruning;
	char **words;   /* of the line in hand */
	int64_t resets; /* written by the last "daily" */
};

static struct store *open_store(const char *path, enum store_mode mode)
{
	struct problem problem;
	struct store *store;

	if (store_open(path, mode, &store, &problem) == RESULT_OK)
		return store;
	fprintf(stderr, "%s\n", problem.detail);
	exit(EXIT_FAILURE);
}

static void open_all(struct driver *driver)
{
	driver->writer = open_store(driver->path, STORE_WRITER);
	driver->reader = open_store(driver->path, STORE_READER);
	driver->ingest = ingest_new(driver->writer, &driver->config);
	driver->pruning = pruning_new(driver->writer);
}

static void close_all(struct driver *driver)
{
	pruning_free(driver->pruning);
	ingest_free(driver->ingest);
	store_close(driver->reader);
	store_close(driver->writer);
}

static int64_t number(const char *word)
{
	return g_ascii_strtoll(word, NULL, 10);
}

/* Ends an answer. */
static void print_end(const struct store *store, enum result result)
{
	if (result == RESULT_OK)
		printf("ok\n");
	else
		printf("failed %d %s\n", (int)result, store_error(store));
}

static void add_message(struct driver *driver)
{
	char **words = driver->words;
	struct message message = {
		.received = number(words[1]),
		.topic = words[2],
		.payload = words[3],
		.size = strlen(words[3]),
	};

	ingest_message(driver->ingest, &message);
}

static void add_request(struct driver *driver)
{
	char **words = driver->words;
	struct message message = {
		.received = number(words[1]),
		.topic = "registry/commands",
		.response_topic = "replies/driver",
		.correlation = words[2],
		.correlation_size = strlen(words[2]),
		.payload = words[3],
		.size = strlen(words[3]),
	};

	ingest_message(driver->ingest, &message);
}

static void print_publication(void *context, const char *topic, const void *payload, size_t size,
			      const void *correlation, size_t correlation_size)
{
	(void)context;
	printf("publish\t%s\t%.*s\t%.*s\n", topic, (int)correlation_size,
	       correlation == NULL ? "" : (const char *)correlation, (int)size,
	       (const char *)payload);
}

static void commit(struct driver *driver)
{
	enum result result = ingest_commit(driver->ingest);

	if (result == RESULT_OK)
		answers_to_requests(ingest_answers(driver->ingest), print_publication, NULL);
	print_end(driver->writer, result);
}

static enum result write_daily_resets(struct store *store, void *context)
{
	struct driver *driver = context;

	driver->resets = registry_daily_resets(store, number(driver->words[1]));
	return RESULT_OK;
}

static enum result print_counts(struct store *store, void *context)
{
	const struct driver *driver = context;
	g_auto(GStrv) instants = g_strsplit(driver->words[2], "\t", -1);
	struct space_state space;
	enum result result = space_find(store, driver->words[1], 0, &space);

	if (result != RESULT_OK)
		return result;
	printf("ok");
	for (char **when = instants; *when != NULL; when++) {
		struct history_point found = history_at(store, space.key, number(*when));

		printf(" %" PRId64 " %" PRId64 " %" PRId64, found.occupancy.count,
		       found.occupancy.net, found.as_of);
	}
	printf("\n");
	return RESULT_OK;
}

static enum result print_count_now(struct store *store, void *context)
{
	const struct driver *driver = context;
	struct space_state space;
	enum result result = space_find(store, driver->words[1], 0, &space);

	if (result == RESULT_OK)
		printf("ok %" PRId64 " %" PRId64 "\n", space.point.occupancy.count,
		       space.point.occupancy.net);
	return result;
}

static void print_difference(void *context, const char *sentence)
{
	(void)context;
	printf("differs %s\n", sentence);
}

static enum result check_space(struct store *store, void *context)
{
	const struct driver *driver = context;
	struct space_state space;
	enum result result = space_find(store, driver->words[1], 0, &space);

	if (result == RESULT_OK && occupancy_check(store, space.key, print_difference, NULL))
		printf("ok\n");
	else if (result == RESULT_OK)
		printf("ok differs\n");
	return result;
}

static void daily(struct driver *driver)
{
	enum result result = store_transaction(driver->writer, write_daily_resets, driver);

	if (result == RESULT_OK)
		printf("ok %" PRId64 "\n", driver->resets);
	else
		print_end(driver->writer, result);
}

static void answer_by(struct driver *driver, store_work *work)
{
	enum result result = store_transaction(driver->reader, work, driver);

	if (result != RESULT_OK)
		print_end(driver->reader, result);
}

static void at(struct driver *driver)
{
	answer_by(driver, print_counts);
}

static void now(struct driver *driver)
{
	answer_by(driver, print_count_now);
}

static void check(struct driver *driver)
{
	answer_by(driver, check_space);
}

static void print_bucket(void *context, const struct bucket *bucket)
{
	(void)context;
	printf("bucket %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
	       " %" PRId64 " %" PRId64 " %.6f\n",
	       bucket->opening.count, bucket->closing.count, bucket->closing.net, bucket->entries,
	       bucket->exits, bucket->lowest, bucket->highest, bucket->highest_time,
	       bucket->average);
}

static enum result print_buckets(struct store *store, void *context)
{
	const struct driver *driver = context;
	g_auto(GStrv) words = g_strsplit(driver->words[2], "\t", -1);
	g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(instant));
	struct space_state space;
	enum result result = space_find(store, driver->words[1], 0, &space);

	if (result != RESULT_OK)
		return result;
	for (char **word = words; *word != NULL; word++) {
		instant edge = number(*word);
		g_array_append_val(edges, edge);
	}
	result = buckets_read(store, space.key, (const instant *)(void *)edges->data, edges->len,
			      INT64_MAX, print_bucket, NULL);
	printf(result == RESULT_OK ? "ok\n" : "ok unknown\n");
	return RESULT_OK;
}

static void buckets(struct driver *driver)
{
	answer_by(driver, print_buckets);
}

static void prune(struct driver *driver)
{
	enum result result = RESULT_OK;

	pruning_look(driver->pruning);
	if (pruning_is_due(driver->pruning))
		result = pruning_go_on(driver->pruning, 0);
	store_tidy(driver->writer);
	if (result == RESULT_OK)
		printf(pruning_is_due(driver->pruning) ? "ok more\n" : "ok done\n");
	else
		print_end(driver->writer, result);
}

static void reopen(struct driver *driver)
{
	close_all(driver);
	open_all(driver);
	printf("ok\n");
}

/* clang-format off */
static const struct command {
	const char *name;
	int words;
	void (*run)(struct driver *driver);
} commands[] = {
	{"message", 4, add_message},
	{"request", 4, add_request},
	{"commit",  1, commit},
	{"daily",   2, daily},
	{"at",      3, at},
	{"now",     2, now},
	{"check",   2, check},
	{"prune",   1, prune},
	{"buckets", 3, buckets},
	{"reopen",  1, reopen},
};
/* clang-format on */

static const struct command *find_command(const char *line)
{
	size_t length = strcspn(line, "\t");

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strlen(commands[i].name) == length &&
		    strncmp(commands[i].name, line, length) == 0)
			return &commands[i];
	}
	return NULL;
}

static void run_line(struct driver *driver, char *line)
{
	const struct command *command = find_command(line);

	driver->words = command == NULL ? NULL : g_strsplit(line, "\t", command->words);
	if (command == NULL || g_strv_length(driver->words) != (guint)command->words)
		printf("failed: not understood: %s\n", line);
	else
		command->run(driver);
	g_strfreev(driver->words);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct driver driver = {
		.path = argv[argc - 1],
		.config = {.rejected_max = 1000000,
			   .audit_max = 1000000,
			   .batch_items = 100000,
			   .max_clock_skew_ms = 5 * INSTANT_MINUTE,
			   .confirm_stored = true},
	};
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;

	if (argc != 2) {
		fprintf(stderr, "usage: test-driver DATABASE\n");
		return EXIT_FAILURE;
	}
	open_all(&driver);
	while ((length = getline(&line, &capacity, stdin)) > 0) {
		line[length - 1] = '\0';
		run_line(&driver, line);
	}
	free(line);
	close_all(&driver);
	return EXIT_SUCCESS;
}
