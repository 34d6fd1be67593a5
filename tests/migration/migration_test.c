/* How the store brings an older database up to date, shown on a small schema with a past (beside this file). */
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "store.h"

#define APPLICATION "PRAGMA application_id = 0x48444354;"

struct folder {
	char *path, *database;
};

static void set_up(struct folder *folder, gconstpointer data)
{
	(void)data;
	folder->path = g_dir_make_tmp("headcount-migration-XXXXXX", NULL);
	folder->database = g_build_filename(folder->path, "headcount.db", NULL);
}

static void tear_down(struct folder *folder, gconstpointer data)
{
	g_autoptr(GDir) files = g_dir_open(folder->path, 0, NULL);
	const char *name;

	(void)data;
	while ((name = g_dir_read_name(files)) != NULL) {
		g_autofree char *path = g_build_filename(folder->path, name, NULL);
		g_unlink(path);
	}
	g_rmdir(folder->path);
	g_free(folder->path);
	g_free(folder->database);
}

static void run_sql(const struct folder *folder, const char *sql)
{
	sqlite3 *database;
	char *error = NULL;

	g_assert_cmpint(sqlite3_open(folder->database, &database), ==, SQLITE_OK);
	sqlite3_exec(database, sql, NULL, NULL, &error);
	g_assert_cmpstr(error, ==, NULL);
	g_assert_cmpint(sqlite3_close(database), ==, SQLITE_OK);
}

static char *ask_file(const char *path, const char *sql)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	char *answer;

	g_assert_cmpint(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), ==,
			SQLITE_OK);
	g_assert_cmpint(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), ==, SQLITE_OK);
	g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
	answer = g_strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	g_assert_cmpint(sqlite3_close(database), ==, SQLITE_OK);
	return answer;
}

static char *ask_sql(const struct folder *folder, const char *sql)
{
	return ask_file(folder->database, sql);
}

static void make_version_1(const struct folder *folder)
{
	g_autofree char *sql = NULL;

	g_assert_true(g_file_get_contents(TEST_DATA_DIR "/version_1.sql", &sql, NULL, NULL));
	run_sql(folder, sql);
	run_sql(folder, APPLICATION "PRAGMA user_version = 1");
}

/* Columns and constraints as SQLite understands them, not as they happen to be written. */
static char *shape_of(const struct folder *folder)
{
	return ask_sql(folder, "SELECT group_concat(name || ':' || columns, ';') FROM ("
			       "SELECT t.name, (SELECT group_concat(c.name || ' ' || c.type || ' ' "
			       "|| c.\"notnull\" "
			       "|| ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk) "
			       "FROM pragma_table_info(t.name) AS c) AS columns "
			       "FROM sqlite_schema AS t WHERE t.type = 'table' ORDER BY t.name)");
}

static enum result open_and_close(const struct folder *folder, enum store_mode mode,
				  struct problem *problem)
{
	struct store *store = NULL;
	enum result result = store_open(folder->database, mode, &store, problem);

	store_close(store);
	return result;
}

static void old_database_keeps_its_rows_and_gets_the_new_shape(struct folder *folder,
							       gconstpointer data)
{
	struct problem problem;
	g_autofree char *migrated = NULL, *fresh = NULL, *note = NULL, *version = NULL;

	make_version_1(folder);
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_OK);
	migrated = shape_of(folder);
	note = ask_sql(folder, "SELECT text FROM note");
	version = ask_sql(folder, "PRAGMA user_version");
	g_assert_cmpstr(note, ==, "revision 42");
	g_assert_cmpstr(version, ==, "3");
	tear_down(folder, data);

	set_up(folder, data);
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_OK);
	fresh = shape_of(folder);
	g_assert_cmpstr(migrated, ==, fresh);
}

static void database_half_way_continues(struct folder *folder, gconstpointer data)
{
	struct problem problem;
	g_autofree char *note = NULL;

	(void)data;
	make_version_1(folder);
	run_sql(folder, "ALTER TABLE meta ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;"
			"UPDATE meta SET revision = 7; PRAGMA user_version = 2");
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_OK);
	note = ask_sql(folder, "SELECT text FROM note");
	g_assert_cmpstr(note, ==, "revision 7");
}

static void failed_migration_leaves_the_database_as_it_was(struct folder *folder,
							   gconstpointer data)
{
	struct problem problem;
	g_autofree char *version = NULL, *columns = NULL;

	(void)data;
	make_version_1(folder);
	run_sql(folder, "CREATE TABLE note (in_the_way INTEGER)");
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_FAILED);
	g_assert_nonnull(strstr(problem.detail, "note already exists"));
	g_assert_nonnull(strstr(problem.detail, "headcount.db.before-v3"));
	version = ask_sql(folder, "PRAGMA user_version");
	columns = ask_sql(folder, "SELECT count(*) FROM pragma_table_info('meta')");
	g_assert_cmpstr(version, ==, "1");
	g_assert_cmpstr(columns, ==, "2");
}

/* Of what lies beside the database, as "NAME,NAME": those that begin like it, but for SQLite's own and the lock. */
static char *beside(const struct folder *folder)
{
	g_autoptr(GDir) files = g_dir_open(folder->path, 0, NULL);
	g_autoptr(GString) names = g_string_new(NULL);
	const char *name;

	while ((name = g_dir_read_name(files)) != NULL) {
		if (g_str_has_prefix(name, "headcount.db."))
			g_string_append_printf(names, "%s%s", names->len > 0 ? "," : "", name);
	}
	return g_strdup(names->str);
}

static void database_of_before_stays_beside(struct folder *folder, gconstpointer data)
{
	struct problem problem;
	struct store *store = NULL;
	g_autofree char *copy = g_strconcat(folder->database, ".before-v3", NULL);
	g_autofree char *version = NULL, *revision = NULL;

	(void)data;
	make_version_1(folder);
	g_assert_cmpint(store_open(folder->database, STORE_WRITER, &store, &problem), ==,
			RESULT_OK);
	g_assert_cmpstr(store_old_copy(store), ==, copy);
	store_close(store);
	version = ask_file(copy, "PRAGMA user_version");
	revision = ask_file(copy, "SELECT revision FROM meta");
	g_assert_cmpstr(version, ==, "1");
	g_assert_cmpstr(revision, ==, "42");
}

static void no_copy_is_made_if_nothing_changes(struct folder *folder, gconstpointer data)
{
	struct problem problem;
	g_autofree char *names = NULL;

	(void)data;
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_OK);
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_OK);
	names = beside(folder);
	g_assert_cmpstr(names, ==, "headcount.db.writer");
}

static void nothing_is_migrated_without_a_copy(struct folder *folder, gconstpointer data)
{
	struct problem problem;
	g_autofree char *in_the_way = g_strconcat(folder->database, ".before-v3.partial", NULL);
	g_autofree char *version = NULL;

	(void)data;
	make_version_1(folder);
	g_assert_cmpint(g_mkdir(in_the_way, 0700), ==, 0);
	g_assert_cmpint(open_and_close(folder, STORE_WRITER, &problem), ==, RESULT_FAILED);
	g_assert_nonnull(strstr(problem.detail, ".before-v3.partial"));
	version = ask_sql(folder, "PRAGMA user_version");
	g_assert_cmpstr(version, ==, "1");
	g_rmdir(in_the_way);
}

static void reader_leaves_migration_to_the_gateway(struct folder *folder, gconstpointer data)
{
	struct problem problem;

	(void)data;
	make_version_1(folder);
	g_assert_cmpint(open_and_close(folder, STORE_READER, &problem), ==, RESULT_NOT_FOUND);
	g_assert_nonnull(strstr(problem.detail, "start headcount-gateway"));
}

#define ADD(name) g_test_add("/migration/" #name, struct folder, NULL, set_up, name, tear_down)

int main(int count, char **arguments)
{
	g_test_init(&count, &arguments, NULL);
	ADD(old_database_keeps_its_rows_and_gets_the_new_shape);
	ADD(database_half_way_continues);
	ADD(failed_migration_leaves_the_database_as_it_was);
	ADD(database_of_before_stays_beside);
	ADD(no_copy_is_made_if_nothing_changes);
	ADD(nothing_is_migrated_without_a_copy);
	ADD(reader_leaves_migration_to_the_gateway);
	return g_test_run();
}
