#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x48444354 /* "HDCT": file(1) and we tell our databases from others by it */
#define WRITER_BUSY_MS 5000       /* an operator's sqlite3 shell may hold the lock for a moment */
#define READER_BUSY_MS 2000
#define RECOVERY_TRIES 1000 /* about 1 read in 100,000 needs one repetition */
#define CACHES_MOST 3
#define WAL_BYTES_MOST (64 * 1024 * 1024)
#define WAL_TIDY_BUSY_MS 50 /* the writer waits this long for readers to leave the WAL */

/* What every transaction does, prepared like any query: a writer begins and commits, a reader looks. */
enum step { STEP_BEGIN_WRITING, STEP_LOOK, STEP_COMMIT, STEP_COUNT };

/* Statements are reached from their query, so that callers hold one pointer. */
struct query {
	struct store *store;
	sqlite3_stmt *statement;
	bool running; /* stepped, and not reset yet */
};

struct store {
	sqlite3 *database;
	enum store_mode mode;
	char *path;
	int lock;           /* a writer's; else -1 */
	int failure;        /* the first SQLite result code that went wrong in this transaction */
	int failure_detail; /* the same, extended; what comes after it has codes and words of its own */
	char failure_words[160];
	char error[256];
	struct {
		void *cache;
		store_cache_free *free;
	} caches[CACHES_MOST];
	struct query queries[SQL_COUNT];
	sqlite3_stmt *steps[STEP_COUNT];
	int64_t version; /* as the last look found it */
	uint64_t file;
};

static void remember_failure(struct store *store, int code, const char *doing)
{
	if (store->failure != SQLITE_OK)
		return;
	store->failure = code;
	store->failure_detail = sqlite3_extended_errcode(store->database);
	g_strlcpy(store->failure_words, sqlite3_errmsg(store->database),
		  sizeof store->failure_words);
	snprintf(store->error, sizeof store->error, "%s: %s (SQLite %d)", doing,
		 sqlite3_errmsg(store->database), sqlite3_extended_errcode(store->database));
}

static enum result result_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
		return RESULT_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return RESULT_BUSY;
	default:
		return RESULT_FAILED;
	}
}

static bool execute(struct store *store, const char *sql)
{
	int code = sqlite3_exec(store->database, sql, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		remember_failure(store, code, sql);
	return code == SQLITE_OK;
}

static bool take_step(struct store *store, enum step step)
{
	static const char *const steps[] = {
		[STEP_BEGIN_WRITING] = "BEGIN IMMEDIATE",
		[STEP_LOOK] = "PRAGMA data_version",
		[STEP_COMMIT] = "COMMIT",
	};
	int code = SQLITE_OK;

	if (store->steps[step] == NULL)
		code = sqlite3_prepare_v3(store->database, steps[step], -1,
					  SQLITE_PREPARE_PERSISTENT, &store->steps[step], NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(store->steps[step]);
	if (code == SQLITE_ROW) {
		store->version = sqlite3_column_int64(store->steps[step], 0);
		return true;
	}
	if (code == SQLITE_DONE)
		code = sqlite3_reset(store->steps[step]);
	else
		sqlite3_reset(store->steps[step]);
	if (code != SQLITE_OK)
		remember_failure(store, code, steps[step]);
	return code == SQLITE_OK;
}

const char *store_error(const struct store *store)
{
	return store->error;
}

int64_t store_version(const struct store *store)
{
	return store->version;
}

uint64_t store_file(const struct store *store)
{
	return store->file;
}

bool store_failed(const struct store *store)
{
	return store->failure != SQLITE_OK;
}

/* Opening */

static const char *const writer_pragmas[] = {
	"PRAGMA journal_mode = WAL",        /* readers never wait for the writer, nor it for them */
	"PRAGMA synchronous = FULL",        /* committed means on the disk */
	"PRAGMA foreign_keys = ON",         /* SQLite's default is off */
	"PRAGMA trusted_schema = OFF",      /* the file may have been in other hands */
	"PRAGMA temp_store = MEMORY",       /* journals of parts of a transaction are small */
	"PRAGMA cache_size = -16384",       /* 16 MiB: the hot ends of 25,000 spaces */
	"PRAGMA wal_autocheckpoint = 8192", /* 32 MiB: a hot page is written back once, not per batch */
	"PRAGMA journal_size_limit = 67108864", /* a WAL that grew is cut when it starts over */
};

static const char *const reader_pragmas[] = {
	"PRAGMA query_only = ON", "PRAGMA trusted_schema = OFF",
	"PRAGMA cache_size = -4096", /* there is one connection a thread */
};

static bool set_pragmas(struct store *store)
{
	bool writer = store->mode == STORE_WRITER;
	const char *const *pragmas = writer ? writer_pragmas : reader_pragmas;
	size_t count = writer ? G_N_ELEMENTS(writer_pragmas) : G_N_ELEMENTS(reader_pragmas);

	for (size_t i = 0; i < count; i++) {
		if (!execute(store, pragmas[i]))
			return false;
	}
	return true;
}

/* SQLite removes the -wal and -shm when the last connection closes; a reader without the right to write could not
 * open the database then. So they stay; and a reader never copies the WAL back (DESIGN.md, section 5). */
static bool keep_wal(struct store *store)
{
	int on = 1;
	int code = store->mode == STORE_WRITER
			   ? sqlite3_file_control(store->database, "main", SQLITE_FCNTL_PERSIST_WAL,
						  &on)
			   : sqlite3_db_config(store->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
					       NULL);

	if (code != SQLITE_OK)
		remember_failure(store, code, "keep the WAL");
	return code == SQLITE_OK;
}

static int64_t pragma_integer(struct store *store, const char *pragma)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;
	int code = sqlite3_prepare_v2(store->database, pragma, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	else
		remember_failure(store, code, pragma);
	sqlite3_finalize(statement);
	return value;
}

/* Applies the schema to an empty file, or the migrations that an older one lacks. */
static enum result bring_up_to_date(struct store *store, int64_t version)
{
	char done[64];

	if (!execute(store, "BEGIN IMMEDIATE"))
		return result_of(store->failure);
	if (version == 0) {
		if (!execute(store, sql_schema))
			return RESULT_FAILED;
		version = SCHEMA_VERSION;
	}
	for (; version < SCHEMA_VERSION; version++) {
		if (!execute(store, sql_migrations[version]))
			return RESULT_FAILED;
	}
	snprintf(done, sizeof done, "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 SCHEMA_VERSION, APPLICATION_ID);
	if (!execute(store, done) || !execute(store, "COMMIT"))
		return RESULT_FAILED;
	return RESULT_OK;
}

static enum result check_version(struct store *store, struct problem *reterr_problem)
{
	int64_t version = pragma_integer(store, "PRAGMA user_version");
	int64_t application = pragma_integer(store, "PRAGMA application_id");
	int64_t objects = pragma_integer(store, "SELECT count(*) FROM sqlite_schema");

	if (store_failed(store))
		return problem_set(reterr_problem, result_of(store->failure), "database", "%s: %s",
				   store->path, store->error);
	if (application != APPLICATION_ID && (objects > 0 || version > 0))
		return problem_set(reterr_problem, RESULT_INVALID, "database",
				   "%s is a database of another program", store->path);
	if (version > SCHEMA_VERSION)
		return problem_set(reterr_problem, RESULT_INVALID, "database",
				   "%s has schema version %" PRId64
				   ", made by a newer program; this one knows %d: "
				   "install the newer program again",
				   store->path, version, SCHEMA_VERSION);
	if (version == SCHEMA_VERSION)
		return RESULT_OK;
	if (store->mode == STORE_READER)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "database",
				   "%s has schema version %" PRId64
				   ", not %d yet: start headcount-gateway, which "
				   "brings it up to date",
				   store->path, version, SCHEMA_VERSION);
	if (bring_up_to_date(store, version) != RESULT_OK)
		return problem_set(reterr_problem, result_of(store->failure), "database", "%s: %s",
				   store->path, store->error);
	return RESULT_OK;
}

/* One writer: the kernel lets go of the lock however the program ends. */
static enum result lock_out_others(struct store *store, struct problem *reterr_problem)
{
	g_autofree char *path = g_strconcat(store->path, ".writer", NULL);

	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock < 0)
		return problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", path,
				   g_strerror(errno));
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
		return problem_set(reterr_problem, RESULT_BUSY, "database",
				   "%s is in use by another headcount-gateway (it holds %s)",
				   store->path, path);
	return RESULT_OK;
}

/* The number of a file is given again when it is gone, but not with the same time of birth. */
static uint64_t identify(const char *path)
{
	struct statx file = {0};
	uint64_t born, device;

	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &file) < 0)
		return 0;
	born = (uint64_t)file.stx_btime.tv_sec * UINT64_C(1000000000) + file.stx_btime.tv_nsec;
	device = ((uint64_t)file.stx_dev_major << 32) | file.stx_dev_minor;
	return (file.stx_ino * UINT64_C(0x9E3779B97F4A7C15)) ^ born ^ (device << 16);
}

static enum result open_file(struct store *store, struct problem *reterr_problem)
{
	int flags = store->mode == STORE_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
						: SQLITE_OPEN_READONLY;
	int code =
		sqlite3_open_v2(store->path, &store->database, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK && store->mode == STORE_READER && access(store->path, F_OK) < 0)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "database",
				   "%s does not exist yet: start headcount-gateway, which makes it",
				   store->path);
	if (code != SQLITE_OK)
		return problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", store->path,
				   sqlite3_errmsg(store->database));
	store->file = identify(store->path);
	sqlite3_busy_timeout(store->database,
			     store->mode == STORE_WRITER ? WRITER_BUSY_MS : READER_BUSY_MS);
	if (!keep_wal(store) || !set_pragmas(store))
		return problem_set(reterr_problem, result_of(store->failure), "database", "%s: %s",
				   store->path, store->error);
	return RESULT_OK;
}

/* SQLite counts what memory it uses, under a lock that all threads share. */
static void configure_once(void)
{
	static gsize configured;

	if (g_once_init_enter(&configured)) {
		sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
		g_once_init_leave(&configured, 1);
	}
}

enum result store_open(const char *path, enum store_mode mode, struct store **ret_store,
		       struct problem *reterr_problem)
{
	struct store *store = g_new0(struct store, 1);
	enum result result = RESULT_OK;

	configure_once();
	store->mode = mode;
	store->path = g_strdup(path);
	store->lock = -1;
	g_strlcpy(store->error, "no error", sizeof store->error);
	if (mode == STORE_WRITER)
		result = lock_out_others(store, reterr_problem);
	if (result == RESULT_OK)
		result = open_file(store, reterr_problem);
	if (result == RESULT_OK)
		result = check_version(store, reterr_problem);
	if (result != RESULT_OK) {
		store_close(store);
		return result;
	}
	*ret_store = store;
	return RESULT_OK;
}

static void drop_caches(struct store *store)
{
	for (int i = 0; i < CACHES_MOST && store->caches[i].cache != NULL; i++) {
		store->caches[i].free(store->caches[i].cache);
		store->caches[i].cache = NULL;
	}
}

void *store_cache(struct store *store, store_cache_make *make, store_cache_free *free)
{
	int i = 0;

	while (store->caches[i].cache != NULL && store->caches[i].free != free) {
		i++;
		assert(i < CACHES_MOST);
	}
	if (store->caches[i].cache == NULL)
		store->caches[i].cache = make();
	store->caches[i].free = free;
	return store->caches[i].cache;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	drop_caches(store);
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(store->queries[i].statement);
	for (int i = 0; i < STEP_COUNT; i++)
		sqlite3_finalize(store->steps[i]);
	sqlite3_close(store->database);
	if (store->lock >= 0)
		close(store->lock);
	g_free(store->path);
	g_free(store);
}

/* Transactions */

static void end_queries(struct store *store)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		if (store->queries[i].running)
			query_end(&store->queries[i]);
	}
}

static enum result begin_writing(struct store *store)
{
	take_step(store, STEP_BEGIN_WRITING);
	return result_of(store->failure);
}

/* A reader's view is that of its first statement, as long as that has not ended: what SQLite calls an implicit
 * transaction, and a third of the work of BEGIN, a first read and COMMIT. When the writer has died, the look finds a WAL
 * that wants recovery, which a reader may not do itself; the next try finds it done or does without. */
static enum result begin_reading(struct store *store)
{
	for (int tries = 0; tries < RECOVERY_TRIES; tries++) {
		store->failure = SQLITE_OK;
		if (take_step(store, STEP_LOOK))
			return RESULT_OK;
		if (sqlite3_extended_errcode(store->database) != SQLITE_READONLY_RECOVERY)
			break;
		g_usleep(100);
	}
	return result_of(store->failure);
}

static enum result end_reading(struct store *store, enum result result)
{
	if (sqlite3_reset(store->steps[STEP_LOOK]) != SQLITE_OK)
		remember_failure(store, sqlite3_errcode(store->database), "end of reading");
	return store_failed(store) ? result_of(store->failure) : result;
}

static enum result end_writing(struct store *store, enum result result)
{
	if (result == RESULT_OK && !take_step(store, STEP_COMMIT))
		result = result_of(store->failure);
	if (!sqlite3_get_autocommit(store->database))
		sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

enum result store_transaction(struct store *store, store_work *work, void *context)
{
	bool writer = store->mode == STORE_WRITER;
	enum result result;

	assert(sqlite3_get_autocommit(store->database) &&
	       !sqlite3_stmt_busy(store->steps[STEP_LOOK]));
	store->failure = SQLITE_OK;
	result = writer ? begin_writing(store) : begin_reading(store);
	if (result != RESULT_OK)
		return result;
	result = work(store, context);
	end_queries(store);
	if (store_failed(store))
		result = result_of(store->failure);
	result = writer ? end_writing(store, result) : end_reading(store, result);
	if (result != RESULT_OK)
		drop_caches(store);
	return result;
}

/* "FOREIGN KEY constraint failed" tells a sender nothing; the triggers' own words do. */
static enum result conflict_of(struct store *store, struct problem *reterr_problem)
{
	const char *words = store->failure_words;
	const char *colon = strstr(words, ": ");

	switch (store->failure_detail) {
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return problem_set(reterr_problem, RESULT_CONFLICT, "",
				   "something else still refers to it: remove that first");
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		return problem_set(reterr_problem, RESULT_CONFLICT, "id", "it exists already");
	case SQLITE_CONSTRAINT_TRIGGER:
		if (colon != NULL && colon - words < (ptrdiff_t)sizeof reterr_problem->member) {
			g_autofree char *member = g_strndup(words, (gsize)(colon - words));
			return problem_set(reterr_problem, RESULT_CONFLICT, member, "%s",
					   colon + 2);
		}
		return problem_set(reterr_problem, RESULT_CONFLICT, "", "%s", words);
	default:
		return problem_set(reterr_problem, RESULT_INVALID, "", "%s", words);
	}
}

enum result store_part(struct store *store, store_work *work, void *context,
		       struct problem *reterr_problem)
{
	enum result result;

	query_run(store_query(store, SQL_PART_BEGIN));
	if (store_failed(store))
		return RESULT_FAILED;
	result = work(store, context);
	if ((store->failure & 0xff) == SQLITE_CONSTRAINT) {
		result = conflict_of(store, reterr_problem);
		store->failure = SQLITE_OK;
	}
	if (store_failed(store))
		return RESULT_FAILED;
	end_queries(store);
	if (result != RESULT_OK) {
		drop_caches(store);
		query_run(store_query(store, SQL_PART_UNDO));
	}
	query_run(store_query(store, SQL_PART_END));
	return store_failed(store) ? RESULT_FAILED : result;
}

/* Damage */

#define EXAMINE_STEPS                                                                              \
	10000 /* of SQLite's machine between two looks at the clock: about a millisecond */

static int is_too_late(void *until)
{
	return g_get_monotonic_time() > *(const gint64 *)until;
}

static enum result run_examination(struct store *store, sqlite3_stmt *statement,
				   store_damage *found, void *context)
{
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *sentence = (const char *)sqlite3_column_text(statement, 0);

		if (sentence != NULL && strcmp(sentence, "ok") != 0)
			found(context, sentence);
	}
	if (code == SQLITE_INTERRUPT)
		return RESULT_BUSY;
	if (code != SQLITE_DONE)
		remember_failure(store, code, "examination");
	return result_of(store->failure);
}

enum result store_examine(struct store *store, bool deep, int64_t within_ms, store_damage *found,
			  void *context)
{
	gint64 until = g_get_monotonic_time() + within_ms * 1000;
	sqlite3_stmt *statement = NULL;
	enum result result;
	int code;

	store->failure = SQLITE_OK;
	code = sqlite3_prepare_v2(store->database,
				  deep ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)",
				  -1, &statement, NULL);
	if (code != SQLITE_OK) {
		remember_failure(store, code, "examination");
		return result_of(store->failure);
	}
	sqlite3_progress_handler(store->database, EXAMINE_STEPS, is_too_late, &until);
	result = run_examination(store, statement, found, context);
	sqlite3_progress_handler(store->database, 0, NULL, NULL);
	sqlite3_finalize(statement);
	return result;
}

/* Files */

static int64_t file_bytes(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

int64_t store_file_bytes(const struct store *store)
{
	return file_bytes(store->path);
}

int64_t store_wal_bytes(const struct store *store)
{
	g_autofree char *path = g_strconcat(store->path, "-wal", NULL);

	return file_bytes(path);
}

void store_tidy(struct store *store)
{
	if (store_wal_bytes(store) < WAL_BYTES_MOST)
		return;
	/* Readers that never pause keep the WAL from starting over; a failure now is no harm: the next call tries. */
	sqlite3_busy_timeout(store->database, WAL_TIDY_BUSY_MS);
	sqlite3_wal_checkpoint_v2(store->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(store->database, WRITER_BUSY_MS);
}

/* Queries */

struct query *store_query(struct store *store, enum sql name)
{
	struct query *query = &store->queries[name];

	if (query->statement == NULL) {
		int code = sqlite3_prepare_v3(store->database, sql_texts[name].text, -1,
					      SQLITE_PREPARE_PERSISTENT, &query->statement, NULL);

		query->store = store;
		if (code != SQLITE_OK)
			remember_failure(store, code, sql_texts[name].name);
		return query;
	}
	if (query->running)
		query_end(query);
	sqlite3_clear_bindings(query->statement);
	return query;
}

static void check_bind(struct query *query, int code)
{
	if (code != SQLITE_OK)
		remember_failure(query->store, code, "bind");
}

void query_bind_integer(struct query *query, int index, int64_t value)
{
	check_bind(query, sqlite3_bind_int64(query->statement, index, value));
}

void query_bind_optional(struct query *query, int index, int64_t value)
{
	if (value != INT64_MIN)
		query_bind_integer(query, index, value);
}

void query_bind_text(struct query *query, int index, const char *text)
{
	check_bind(query, sqlite3_bind_text(query->statement, index, text, -1, SQLITE_STATIC));
}

void query_bind_blob(struct query *query, int index, const void *bytes, size_t size)
{
	/* A NULL pointer would bind NULL, which an empty blob is not. */
	check_bind(query, sqlite3_bind_blob64(query->statement, index, size > 0 ? bytes : "", size,
					      SQLITE_STATIC));
}

bool query_next(struct query *query)
{
	int code;

	if (store_failed(query->store))
		return false;
	query->running = true;
	code = sqlite3_step(query->statement);
	if (code == SQLITE_ROW)
		return true;
	if (code != SQLITE_DONE)
		remember_failure(query->store, code, sqlite3_sql(query->statement));
	else
		query_end(query);
	return false;
}

void query_end(struct query *query)
{
	query->running = false;
	sqlite3_reset(query->statement);
}

int64_t query_run(struct query *query)
{
	while (query_next(query))
		;
	return store_failed(query->store) ? 0 : sqlite3_changes64(query->store->database);
}

bool query_try(struct query *query)
{
	int code;

	if (store_failed(query->store))
		return false;
	code = sqlite3_step(query->statement);
	if (code != SQLITE_DONE && code != SQLITE_CONSTRAINT)
		remember_failure(query->store, code, sqlite3_sql(query->statement));
	query_end(query);
	return code == SQLITE_DONE;
}

int64_t query_integer(struct query *query, int column)
{
	return sqlite3_column_int64(query->statement, column);
}

int64_t query_optional(struct query *query, int column)
{
	if (sqlite3_column_type(query->statement, column) == SQLITE_NULL)
		return INT64_MIN;
	return query_integer(query, column);
}

const char *query_text(struct query *query, int column)
{
	const unsigned char *text = sqlite3_column_text(query->statement, column);

	return text == NULL ? "" : (const char *)text;
}

const void *query_blob(struct query *query, int column, size_t *ret_size)
{
	const void *bytes = sqlite3_column_blob(query->statement, column);

	*ret_size = (size_t)sqlite3_column_bytes(query->statement, column);
	return bytes == NULL ? "" : bytes;
}

int64_t store_last_id(const struct store *store)
{
	return sqlite3_last_insert_rowid(store->database);
}
