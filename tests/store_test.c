/* The store: schema, versions, locks, transactions and the plans of all its statements. */
#include "store.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "commits.h"

struct folder {
	char *path;
	char *database;
};

static void set_up(struct folder *folder, gconstpointer data)
{
	(void)data;
	folder->path = g_dir_make_tmp("headcount-store-XXXXXX", NULL);
	folder->database = g_build_filename(folder->path, "headcount.db", NULL);
}

static void tear_down(struct folder *folder, gconstpointer data)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".writer"};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *path = g_strconcat(folder->database, endings[i], NULL);
		g_unlink(path);
	}
	g_rmdir(folder->path);
	g_free(folder->path);
	g_free(folder->database);
}

static struct store *open_store(const struct folder *folder, enum store_mode mode)
{
	struct store *store = NULL;
	struct problem problem;

	g_assert_cmpint(store_open(folder->database, mode, &store, &problem), ==, RESULT_OK);
	return store;
}

/* Runs SQL on the file behind the store's back. */
static void meddle(const struct folder *folder, const char *sql)
{
	sqlite3 *database;

	g_assert_cmpint(sqlite3_open(folder->database, &database), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(database, sql, NULL, NULL, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_close(database), ==, SQLITE_OK);
}

static enum result take_revision(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_META_TAKE_REVISIONS);

	query_bind_integer(query, 1, 1);
	g_assert_true(query_next(query));
	*(int64_t *)context = query_integer(query, 0);
	query_end(query);
	return RESULT_OK;
}

static enum result take_revision_and_refuse(struct store *store, void *context)
{
	g_assert_cmpint(take_revision(store, context), ==, RESULT_OK);
	return RESULT_CONFLICT;
}

static enum result read_revision(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_META_REVISION);

	g_assert_true(query_next(query));
	*(int64_t *)context = query_integer(query, 0);
	return RESULT_OK;
}

static int64_t revision_of(struct store *store)
{
	int64_t revision = -1;

	g_assert_cmpint(store_transaction(store, read_revision, &revision), ==, RESULT_OK);
	return revision;
}

static void refused_work_leaves_nothing_behind(struct folder *folder, gconstpointer data)
{
	struct store *store = open_store(folder, STORE_WRITER);
	int64_t revision;

	(void)data;
	g_assert_cmpint(store_transaction(store, take_revision, &revision), ==, RESULT_OK);
	g_assert_cmpint(store_transaction(store, take_revision_and_refuse, &revision), ==,
			RESULT_CONFLICT);
	g_assert_cmpint(revision, ==, 2);
	g_assert_cmpint(revision_of(store), ==, 1);
	store_close(store);
}

static enum result break_a_rule(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_SPACE_ADD);

	(void)context;
	query_bind_text(query, 1, "no such id!");
	query_bind_text(query, 2, "");
	query_bind_text(query, 3, "UTC");
	g_assert_cmpint(query_run(query), ==, 0);
	return RESULT_OK;
}

#define ROWS 50 /* of SQL_INSTALLATION_COUNT_ADD_50 */

/* Crossings of as many milliseconds on end. */
static int64_t add_rows(struct store *store, int64_t first_time, int64_t last_count)
{
	struct query *query = store_query(store, SQL_INSTALLATION_COUNT_ADD_50);

	for (int i = 0; i < ROWS; i++) {
		query_bind_integer(query, 5 * i + 1, 1);
		query_bind_integer(query, 5 * i + 2, first_time + i);
		query_bind_integer(query, 5 * i + 3, 0);
		query_bind_integer(query, 5 * i + 4, i == ROWS - 1 ? last_count : 1);
		query_bind_integer(query, 5 * i + 5, 0);
	}
	return query_run_as_far(query);
}

static enum result add_rows_that_are_there(struct store *store, void *context)
{
	(void)context;
	g_assert_cmpint(add_rows(store, 1000, 1), ==, ROWS);
	g_assert_cmpint(add_rows(store, 1000, 1), ==, 0);
	g_assert_cmpint(add_rows(store, 980, 1), ==, 20);
	g_assert_cmpint(add_rows(store, 950, 1), ==, 30);
	return RESULT_OK;
}

static enum result add_row_that_breaks_a_rule(struct store *store, void *context)
{
	(void)context;
	g_assert_cmpint(add_rows(store, 2000, 0), ==, 0);
	return RESULT_OK;
}

static enum result count_rows(struct store *store, void *ret_count)
{
	struct query *query = store_query(store, SQL_CROSSING_PAGE);

	query_bind_integer(query, 1, 1);
	query_bind_integer(query, 2, 0);
	query_bind_integer(query, 3, 0);
	query_bind_integer(query, 4, 0);
	query_bind_integer(query, 5, INSTANT_LAST);
	query_bind_integer(query, 6, 1000);
	*(int *)ret_count = 0;
	while (query_next(query))
		++*(int *)ret_count;
	return RESULT_OK;
}

static void rows_go_in_up_to_the_first_that_is_there(struct folder *folder, gconstpointer data)
{
	struct store *store = open_store(folder, STORE_WRITER);
	int count;

	(void)data;
	g_assert_cmpint(store_transaction(store, add_rows_that_are_there, NULL), ==, RESULT_OK);
	g_assert_cmpint(store_transaction(store, add_row_that_breaks_a_rule, NULL), ==,
			RESULT_FAILED);
	g_assert_true(g_str_has_prefix(store_error(store),
				       "INSTALLATION_COUNT_ADD_50: CHECK constraint failed"));
	g_assert_cmpint(store_transaction(store, count_rows, &count), ==, RESULT_OK);
	g_assert_cmpint(count, ==, ROWS + 20 + 30);
	store_close(store);
}

static enum result part_that_breaks_a_rule(struct store *store, void *context)
{
	struct problem problem = {0};

	g_assert_cmpint(take_revision(store, context), ==, RESULT_OK);
	g_assert_cmpint(store_part(store, break_a_rule, NULL, &problem), ==, RESULT_INVALID);
	g_assert_nonnull(strstr(problem.detail, "CHECK constraint failed"));
	return RESULT_OK;
}

static void part_that_fails_leaves_the_rest(struct folder *folder, gconstpointer data)
{
	struct store *store = open_store(folder, STORE_WRITER);
	int64_t revision = 0;

	(void)data;
	g_assert_cmpint(store_transaction(store, part_that_breaks_a_rule, &revision), ==,
			RESULT_OK);
	g_assert_cmpint(revision_of(store), ==, 1);
	store_close(store);
}

/* Caches, by how often they were made and freed */

static int caches_made, caches_freed;

static void *make_cache(void)
{
	caches_made++;
	return g_new0(char, 1);
}

static void free_cache(void *cache)
{
	caches_freed++;
	g_free(cache);
}

static enum result use_cache(struct store *store, void *context)
{
	g_assert_nonnull(store_cache(store, make_cache, free_cache));
	return *(enum result *)context;
}

static enum result part_that_uses_cache(struct store *store, void *context)
{
	enum result wanted = *(enum result *)context;
	struct problem problem;

	g_assert_cmpint(store_part(store, use_cache, context, &problem), ==, wanted);
	return RESULT_OK;
}

static void assert_caches(int made, int freed)
{
	g_assert_cmpint(caches_made, ==, made);
	g_assert_cmpint(caches_freed, ==, freed);
}

static void caches_go_with_whatever_is_undone(struct folder *folder, gconstpointer data)
{
	struct store *store = open_store(folder, STORE_WRITER);
	enum result ok = RESULT_OK, refused = RESULT_CONFLICT;

	(void)data;
	caches_made = caches_freed = 0;
	g_assert_cmpint(store_transaction(store, use_cache, &ok), ==, RESULT_OK);
	g_assert_cmpint(store_transaction(store, part_that_uses_cache, &ok), ==, RESULT_OK);
	assert_caches(1, 0);
	g_assert_cmpint(store_transaction(store, part_that_uses_cache, &refused), ==, RESULT_OK);
	assert_caches(1, 1);
	g_assert_cmpint(store_transaction(store, use_cache, &refused), ==, RESULT_CONFLICT);
	assert_caches(2, 2);
	g_assert_cmpint(store_transaction(store, use_cache, &ok), ==, RESULT_OK);
	store_close(store);
	assert_caches(3, 3);
}

static void second_writer_is_refused(struct folder *folder, gconstpointer data)
{
	struct store *first = open_store(folder, STORE_WRITER), *second = NULL;
	struct problem problem;

	(void)data;
	g_assert_cmpint(store_open(folder->database, STORE_WRITER, &second, &problem), ==,
			RESULT_BUSY);
	g_assert_nonnull(strstr(problem.detail, "another headcount-gateway"));
	store_close(first);
	second = open_store(folder, STORE_WRITER);
	store_close(second);
}

static void reader_sees_commits_and_works_without_a_writer(struct folder *folder,
							   gconstpointer data)
{
	struct store *writer = open_store(folder, STORE_WRITER);
	struct store *reader = open_store(folder, STORE_READER);
	int64_t revision;

	(void)data;
	g_assert_cmpint(store_transaction(writer, take_revision, &revision), ==, RESULT_OK);
	g_assert_cmpint(revision_of(reader), ==, 1);
	store_close(writer);
	g_assert_cmpint(revision_of(reader), ==, 1);
	store_close(reader);
	reader = open_store(folder, STORE_READER);
	g_assert_cmpint(revision_of(reader), ==, 1);
	store_close(reader);
}

static enum result read_nothing(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_META_REVISION);

	(void)context;
	g_assert_false(query_next(query));
	return RESULT_OK;
}

static enum result ask_nothing(struct store *store, void *context)
{
	(void)store;
	*(bool *)context = true;
	return RESULT_OK;
}

static enum result glance_of(struct store *reader)
{
	bool worked = false;
	enum result result = store_glance(reader, ask_nothing, &worked);

	g_assert_true(worked == (result == RESULT_OK));
	return result;
}

static void a_glance_does_until_somebody_commits(struct folder *folder, gconstpointer data)
{
	struct store *writer = open_store(folder, STORE_WRITER);
	struct store *reader = open_store(folder, STORE_READER);
	int64_t revision;

	(void)data;
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY); /* it knows nothing yet */
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	g_assert_cmpint(store_glance(reader, read_nothing, NULL), ==, RESULT_BUSY);
	g_assert_cmpint(store_transaction(writer, take_revision_and_refuse, &revision), ==,
			RESULT_CONFLICT);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	g_assert_cmpint(store_transaction(writer, take_revision, &revision), ==, RESULT_OK);
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	g_assert_cmpint(revision_of(reader), ==, 1);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	store_close(writer);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	store_close(open_store(folder, STORE_WRITER));
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	store_close(reader);
}

/* As a writer that was killed within a commit leaves it. */
static void a_glance_does_not_do_while_a_commit_is_under_way(struct folder *folder,
							     gconstpointer data)
{
	g_autofree char *beside = g_strconcat(folder->database, ".writer", NULL);
	struct store *writer = open_store(folder, STORE_WRITER);
	struct store *reader = open_store(folder, STORE_READER);
	int file = open(beside, O_RDWR | O_CLOEXEC), lock;
	struct problem problem;

	(void)data;
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_true(commits_begin(file));
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	store_close(writer);
	store_close(open_store(folder, STORE_WRITER));
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	g_assert_cmpint(commits_lock(folder->database, &lock, &problem), ==, RESULT_OK);
	close(lock);
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	writer = open_store(folder, STORE_WRITER);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	close(file);
	store_close(reader);
	store_close(writer);
}

static void without_the_file_beside_every_look_is_one_into_the_database(struct folder *folder,
									gconstpointer data)
{
	g_autofree char *beside = g_strconcat(folder->database, ".writer", NULL);
	struct store *reader;

	(void)data;
	store_close(open_store(folder, STORE_WRITER));
	reader = open_store(folder, STORE_READER);
	g_assert_false(store_is_replaced(reader));
	store_close(reader);
	reader = open_store(folder, STORE_READER);
	g_assert_cmpint(g_unlink(beside), ==, 0);
	g_assert_true(store_is_replaced(reader));
	store_close(reader);
	reader = open_store(folder, STORE_READER);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(symlink(folder->database, beside), ==, 0);
	g_assert_false(store_is_replaced(reader)); /* it is not followed, so there is still none */
	g_assert_cmpint(g_unlink(beside), ==, 0);
	g_assert_true(g_file_set_contents(beside, "short", -1, NULL));
	g_assert_false(store_is_replaced(reader));
	store_close(reader);
	reader = open_store(folder, STORE_READER);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_BUSY);
	store_close(open_store(folder, STORE_WRITER));
	g_assert_true(store_is_replaced(reader));
	store_close(reader);
	reader = open_store(folder, STORE_READER);
	g_assert_cmpint(revision_of(reader), ==, 0);
	g_assert_cmpint(glance_of(reader), ==, RESULT_OK);
	store_close(reader);
}

static enum result try_to_write(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_META_TAKE_REVISIONS);

	(void)context;
	query_bind_integer(query, 1, 1);
	g_assert_false(query_next(query));
	return RESULT_OK;
}

static void reader_cannot_write(struct folder *folder, gconstpointer data)
{
	struct store *writer = open_store(folder, STORE_WRITER);
	struct store *reader = open_store(folder, STORE_READER);

	(void)data;
	g_assert_cmpint(store_transaction(reader, try_to_write, NULL), ==, RESULT_FAILED);
	g_assert_nonnull(strstr(store_error(reader), "readonly"));
	store_close(reader);
	store_close(writer);
}

static void locked_database_is_busy(struct folder *folder, gconstpointer data)
{
	struct store *store = open_store(folder, STORE_WRITER);
	sqlite3 *other;
	int64_t revision;

	(void)data;
	g_assert_cmpint(sqlite3_open(folder->database, &other), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
	g_assert_cmpint(store_transaction(store, take_revision, &revision), ==, RESULT_BUSY);
	g_assert_cmpint(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), ==, SQLITE_OK);
	g_assert_cmpint(store_transaction(store, take_revision, &revision), ==, RESULT_OK);
	g_assert_cmpint(sqlite3_close(other), ==, SQLITE_OK);
	store_close(store);
}

static void expect_refusal(const struct folder *folder, enum store_mode mode, enum result expected,
			   const char *words)
{
	struct store *store = NULL;
	struct problem problem;

	g_assert_cmpint(store_open(folder->database, mode, &store, &problem), ==, expected);
	if (strstr(problem.detail, words) == NULL)
		g_error("'%s' does not say '%s'", problem.detail, words);
}

static void newer_database_is_refused(struct folder *folder, gconstpointer data)
{
	(void)data;
	store_close(open_store(folder, STORE_WRITER));
	meddle(folder, "PRAGMA user_version = 1000");
	expect_refusal(folder, STORE_WRITER, RESULT_INVALID, "newer program");
	expect_refusal(folder, STORE_READER, RESULT_INVALID, "newer program");
}

static void foreign_database_is_refused(struct folder *folder, gconstpointer data)
{
	(void)data;
	meddle(folder, "CREATE TABLE recipes (title TEXT)");
	expect_refusal(folder, STORE_WRITER, RESULT_INVALID, "another program");
}

static void reader_needs_a_database(struct folder *folder, gconstpointer data)
{
	(void)data;
	expect_refusal(folder, STORE_READER, RESULT_NOT_FOUND, "does not exist yet");
}

/* Tables with their columns, and indexes, as SQLite understands them and not as they are written. */
static char *shape_of(const struct folder *folder)
{
	static const char sql[] =
		"SELECT group_concat(type || ' ' || name || ':' || columns, char(10)) FROM ("
		"SELECT s.type, s.name, CASE s.type WHEN 'table' THEN (SELECT group_concat(c.name "
		"|| ' ' "
		"|| c.type || ' ' || c.\"notnull\" || ' ' || coalesce(c.dflt_value, '') || ' ' || "
		"c.pk) "
		"FROM pragma_table_info(s.name) AS c) WHEN 'index' THEN (SELECT "
		"group_concat(c.name) "
		"FROM pragma_index_info(s.name) AS c) ELSE '' END AS columns "
		"FROM sqlite_schema AS s ORDER BY s.type, s.name)";
	sqlite3_stmt *statement;
	sqlite3 *database;
	char *shape;

	g_assert_cmpint(sqlite3_open(folder->database, &database), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	shape = g_strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	g_assert_cmpint(sqlite3_close(database), ==, SQLITE_OK);
	return shape;
}

static void database_of_version_1_becomes_as_a_new_one(struct folder *folder, gconstpointer data)
{
	g_autofree char *sql = NULL, *migrated = NULL, *fresh = NULL;

	g_assert_true(
		g_file_get_contents(TEST_DATA_DIR "/released/version_1.sql", &sql, NULL, NULL));
	meddle(folder, sql);
	store_close(open_store(folder, STORE_WRITER));
	migrated = shape_of(folder);
	tear_down(folder, data);

	set_up(folder, data);
	store_close(open_store(folder, STORE_WRITER));
	fresh = shape_of(folder);
	g_assert_cmpstr(migrated, ==, fresh);
}

/* Statements that walk through a whole table or index, and why they may. */
/* clang-format off */
static const struct { const char *statement, *step, *why; } scans[] = {
	{"META_TAKE_REVISIONS",        "SCAN meta", "it has one row"},
	{"META_REVISION",              "SCAN meta", "it has one row"},
	{"META_RAISE_REVISION",        "SCAN meta", "it has one row"},
	{"META_RETENTION",             "SCAN meta", "it has one row"},
	{"META_SET_RETENTION_HORIZON", "SCAN meta", "it has one row"},
	{"META_SET_RETENTION_DONE",    "SCAN meta", "it has one row"},
	{"META_ADD_REJECTED_DROPPED",  "SCAN meta", "it has one row"},
	{"META_REJECTED",              "SCAN meta", "it has one row"},
	{"REJECTED_TRIM",              "SCAN meta", "it has one row"},
	{"REJECTED_TRIM",              "SCAN rejected_event", "its LIMIT is what is too much"},
	{"REJECTED_REMOVE",            "SCAN rejected_event", "an operator's rare command, with any filter"},
	{"SPACE_ALL",                  "SCAN space", "all spaces are asked for"},
	{"SPACE_IDS_EVER",             "SCAN space", "all spaces are asked for"},
	{"SPACE_DOORWAYS_WITHIN",      "SCAN inside", "the spaces below one"},
	{"DOORWAY_EFFECTS_REMOVE_WRONG", "SCAN own", "the spaces above one"},
	{"DOORWAY_EFFECTS_REMOVE_WRONG", "SCAN adjacent", "the spaces above one"},
	{"DOORWAY_EFFECTS_ADD_MISSING", "SCAN own", "the spaces above one"},
	{"DOORWAY_EFFECTS_ADD_MISSING", "SCAN adjacent", "the spaces above one"},
	{"SPACE_EFFECTS_DIFFER",       "SCAN inside", "the spaces below one"},
	{"SPACE_EFFECTS_DIFFER",       "SCAN derived", "the doorways of one space"},
	{"SPACE_EFFECTS_DIFFER",       "SCAN kept", "the doorways of one space"},
	{"INSTALLATION_COUNT_OF_NONE", "SCAN counting", "an operator's rare question, of each installation"},
	{"DOCUMENT_INSTALLATIONS",     "SCAN dpu", "all of them are what is asked for"},
	{"DOCUMENT_RESETS",            "SCAN space", "all of them are what is asked for"},
	{"EXPORT_INSTALLATIONS",       "SCAN installation", "an operator's rare command, with any filter"},
	{"REJECTED_BY_REASON",         "SCAN rejected_event", "an operator's rare question"},
	{"DPU_COUNT",                  "SCAN dpu", "an operator's rare question"},
	{"SPACE_CHANGED_SINCE",        "SCAN space_removed", "no more rows than spaces ever removed"},
};
/* clang-format on */

static bool may_scan(const char *statement, const char *step)
{
	static const char *const harmless[] = {"SCAN CONSTANT ROW", "SCAN 50 CONSTANT ROWS",
					       "SCAN (subquery", "SCAN SUBQUERY"};

	for (size_t i = 0; i < G_N_ELEMENTS(harmless); i++) {
		if (g_str_has_prefix(step, harmless[i]))
			return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(scans); i++) {
		if (strcmp(scans[i].statement, statement) == 0 &&
		    g_str_has_prefix(step, scans[i].step))
			return true;
	}
	return false;
}

static void plan_has_no_unlisted_scan(sqlite3 *database, const struct sql_text *text)
{
	g_autofree char *sql = g_strconcat("EXPLAIN QUERY PLAN ", text->text, NULL);
	sqlite3_stmt *plan;

	if (sqlite3_prepare_v2(database, sql, -1, &plan, NULL) != SQLITE_OK)
		g_error("%s: %s", text->name, sqlite3_errmsg(database));
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		if (g_str_has_prefix(step, "SCAN") && !may_scan(text->name, step)) {
			g_test_message("%s: %s", text->name, step);
			g_test_fail();
		}
	}
	sqlite3_finalize(plan);
}

static void no_statement_scans_a_table(void)
{
	sqlite3 *database;

	g_assert_cmpint(sqlite3_open(":memory:", &database), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_exec(database, sql_schema, NULL, NULL, NULL), ==, SQLITE_OK);
	for (int i = 0; i < SQL_COUNT; i++)
		plan_has_no_unlisted_scan(database, &sql_texts[i]);
	sqlite3_close(database);
}

#define ADD(name) g_test_add("/store/" #name, struct folder, NULL, set_up, name, tear_down)

int main(int count, char **arguments)
{
	g_test_init(&count, &arguments, NULL);
	ADD(refused_work_leaves_nothing_behind);
	ADD(part_that_fails_leaves_the_rest);
	ADD(rows_go_in_up_to_the_first_that_is_there);
	ADD(caches_go_with_whatever_is_undone);
	ADD(second_writer_is_refused);
	ADD(reader_sees_commits_and_works_without_a_writer);
	ADD(a_glance_does_until_somebody_commits);
	ADD(a_glance_does_not_do_while_a_commit_is_under_way);
	ADD(without_the_file_beside_every_look_is_one_into_the_database);
	ADD(reader_cannot_write);
	ADD(locked_database_is_busy);
	ADD(newer_database_is_refused);
	ADD(foreign_database_is_refused);
	ADD(reader_needs_a_database);
	ADD(database_of_version_1_becomes_as_a_new_one);
	g_test_add_func("/store/no_statement_scans_a_table", no_statement_scans_a_table);
	return g_test_run();
}
