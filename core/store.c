#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "commits.h"

#define APPLICATION_ID 0x48444354 /* "HDCT": file(1) and we tell our databases from others by it */
#define WRITER_BUSY_MS 5000       /* an operator's sqlite3 shell may hold the lock for a moment */
#define READER_BUSY_MS 2000
#define RECOVERY_TRIES 1000 /* about 1 read in 100,000 needs one repetition */
#define CACHES_MOST 3
#define WAL_BYTES_MOST (64 * 1024 * 1024)
#define WAL_TIDY_BUSY_MS 50 /* the writer waits this long for readers to leave the WAL */
#define COPY_PAGES 1024     /* between two looks at who wants it stopped: 4 MiB */
#define REPLACED_LOOK_US G_USEC_PER_SEC
#define GLANCE_US                                                                                  \
	G_USEC_PER_SEC /* so long after a look it is believed that only our writer writes */

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
	char *old_copy; /* NULL: none was made */
	int lock;       /* of commits_lock; or -1 */
	struct commits *commits;
	int failure;        /* the first SQLite result code that went wrong in this transaction */
	int failure_detail; /* the same, extended; what comes after it has codes and words of its own */
	char failure_words[160];
	bool working; /* within store_transaction */
	char error[256];
	struct {
		void *cache;
		store_cache_free *free;
	} caches[CACHES_MOST];
	struct query queries[SQL_COUNT];
	sqlite3_stmt *steps[STEP_COUNT];
	int64_t version; /* as the last look found it */
	uint64_t commit; /* the number of commits_read before it */
	gint64 looked_us;
	bool glancing; /* within store_glance */
	uint64_t file;
	gint64 replaced_us; /* when to look next whether it is still that, at the latest */
	uint64_t replaced_commit;
	int64_t tidy_bytes; /* how long the WAL is to be when store_tidy tries next */
	bool shrunk;        /* to the end: the file is longer than it need be until store_tidy */
};

static bool writes(const struct store *store)
{
	return store->mode == STORE_WRITER || store->mode == STORE_COPY;
}

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

static bool execute_script(struct store *store, const char *sql, const char *doing)
{
	int code = sqlite3_exec(store->database, sql, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		remember_failure(store, code, doing);
	return code == SQLITE_OK;
}

static bool execute(struct store *store, const char *sql)
{
	return execute_script(store, sql, sql);
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

const char *store_old_copy(const struct store *store)
{
	return store->old_copy;
}

bool store_failed(const struct store *store)
{
	return store->failure != SQLITE_OK;
}

/* Opening */

static const char *const writer_pragmas[] = {
	"PRAGMA auto_vacuum = INCREMENTAL", /* a new file can shrink: before anything else is in it */
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

static const char *const copy_pragmas[] = {
	"PRAGMA locking_mode = EXCLUSIVE", /* no shared memory for a WAL that it may still have */
	"PRAGMA journal_mode = DELETE",    /* one file, and none beside it */
	"PRAGMA synchronous = FULL",       /* committed means on the disk */
	"PRAGMA foreign_keys = ON",        "PRAGMA trusted_schema = OFF",
	"PRAGMA cache_size = -65536", /* all of it is read */
};

/* clang-format off */
static const struct {
	int flags;
	int busy_ms;
	const char *const *pragmas;
	size_t pragma_count;
} modes[] = {
	[STORE_WRITER] = {SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WRITER_BUSY_MS, writer_pragmas,
			  G_N_ELEMENTS(writer_pragmas)},
	[STORE_READER] = {SQLITE_OPEN_READONLY, READER_BUSY_MS, reader_pragmas, G_N_ELEMENTS(reader_pragmas)},
	[STORE_SOURCE] = {SQLITE_OPEN_READONLY, READER_BUSY_MS, reader_pragmas, G_N_ELEMENTS(reader_pragmas)},
	[STORE_COPY] = {SQLITE_OPEN_READWRITE, 0, copy_pragmas, G_N_ELEMENTS(copy_pragmas)},
};
/* clang-format on */

static bool set_pragmas(struct store *store)
{
	for (size_t i = 0; i < modes[store->mode].pragma_count; i++) {
		if (!execute(store, modes[store->mode].pragmas[i]))
			return false;
	}
	return true;
}

/* SQLite removes the -wal and -shm when the last connection closes; a reader without the right to write could not
 * open the database then. So they stay; and a reader never copies the WAL back (DESIGN.md, section 5). */
static bool keep_wal(struct store *store)
{
	int on = 1;
	int code = SQLITE_OK;

	if (store->mode == STORE_WRITER)
		code = sqlite3_file_control(store->database, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	else if (!writes(store))
		code = sqlite3_db_config(store->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
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
static bool migrate(struct store *store, int64_t version)
{
	char done[64];

	if (!execute(store, "BEGIN IMMEDIATE"))
		return false;
	if (version == 0) {
		if (!execute_script(store, sql_schema, "schema"))
			return false;
		version = SCHEMA_VERSION;
	}
	for (; version < SCHEMA_VERSION; version++) {
		if (!execute_script(store, sql_migrations[version], "migration"))
			return false;
	}
	snprintf(done, sizeof done, "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 SCHEMA_VERSION, APPLICATION_ID);
	return execute(store, done) && execute(store, "COMMIT");
}

/* A copy beside, as it was; whole, or not there at all. */
static enum result keep_old_copy(struct store *store, struct problem *reterr_problem)
{
	g_autofree char *path = g_strdup_printf("%s.before-v%d", store->path, SCHEMA_VERSION);
	g_autofree char *partial = g_strconcat(path, ".partial", NULL);
	enum result result = store_copy(store->path, partial, NULL, NULL, reterr_problem);

	if (result == RESULT_OK && rename(partial, path) < 0)
		result = problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", path,
				     g_strerror(errno));
	if (result == RESULT_OK)
		store->old_copy = g_steal_pointer(&path);
	else
		unlink(partial);
	return result;
}

static enum result bring_up_to_date(struct store *store, int64_t version,
				    struct problem *reterr_problem)
{
	enum result result = RESULT_OK;

	if (version > 0 && store->mode == STORE_WRITER)
		result = keep_old_copy(store, reterr_problem);
	if (result != RESULT_OK || migrate(store, version))
		return result;
	if (store->old_copy == NULL)
		return problem_set(reterr_problem, result_of(store->failure), "database", "%s: %s",
				   store->path, store->error);
	return problem_set(reterr_problem, result_of(store->failure), "database",
			   "%s stays at schema version %" PRId64 " (copy: %s): %s", store->path,
			   version, store->old_copy, store->error);
}

/* Whose database is it, and may this mode have it? */
static enum result check_version(struct store *store, struct problem *reterr_problem)
{
	int64_t version = pragma_integer(store, "PRAGMA user_version");
	int64_t application = pragma_integer(store, "PRAGMA application_id");
	int64_t objects = pragma_integer(store, "SELECT count(*) FROM sqlite_schema");

	if (store_failed(store))
		return problem_set(reterr_problem, result_of(store->failure), "database", "%s: %s",
				   store->path, store->error);
	if (application != APPLICATION_ID &&
	    (objects > 0 || version > 0 || store->mode == STORE_SOURCE))
		return problem_set(reterr_problem, RESULT_INVALID, "database",
				   "%s is a database of another program", store->path);
	if (version > SCHEMA_VERSION)
		return problem_set(reterr_problem, RESULT_INVALID, "database",
				   "%s has schema version %" PRId64
				   ", made by a newer program; this one knows %d: "
				   "install the newer program again",
				   store->path, version, SCHEMA_VERSION);
	if (version == SCHEMA_VERSION || store->mode == STORE_SOURCE)
		return RESULT_OK;
	if (store->mode == STORE_READER)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "database",
				   "%s has schema version %" PRId64
				   ", not %d yet: start headcount-gateway, which "
				   "brings it up to date",
				   store->path, version, SCHEMA_VERSION);
	return bring_up_to_date(store, version, reterr_problem);
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

static enum result open_commits(struct store *store, struct problem *reterr_problem)
{
	if (store->mode == STORE_WRITER)
		return commits_lock(store->path, &store->lock, reterr_problem);
	if (store->mode == STORE_READER)
		store->commits = commits_open(store->path);
	return RESULT_OK;
}

bool store_is_replaced(struct store *store)
{
	gint64 now = g_get_monotonic_time();
	uint64_t number = commits_read(store->commits), file;

	if (now < store->replaced_us && number != 0 && number == store->replaced_commit)
		return false;
	store->replaced_us = now + REPLACED_LOOK_US;
	store->replaced_commit = number;
	file = identify(store->path);
	return (file != 0 && file != store->file) ||
	       commits_is_replaced(store->commits, store->path);
}

static enum result open_file(struct store *store, struct problem *reterr_problem)
{
	int code = sqlite3_open_v2(store->path, &store->database,
				   modes[store->mode].flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK && store->mode == STORE_READER && access(store->path, F_OK) < 0)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "database",
				   "%s does not exist yet: start headcount-gateway, which makes it",
				   store->path);
	if (code != SQLITE_OK)
		return problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", store->path,
				   sqlite3_errmsg(store->database));
	store->file = identify(store->path);
	sqlite3_busy_timeout(store->database, modes[store->mode].busy_ms);
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
	enum result result;

	configure_once();
	store->mode = mode;
	store->path = g_strdup(path);
	store->lock = -1;
	g_strlcpy(store->error, "no error", sizeof store->error);
	result = open_commits(store, reterr_problem);
	if (result == RESULT_OK)
		result = open_file(store, reterr_problem);
	if (result == RESULT_OK)
		result = check_version(store, reterr_problem);
	if (result == RESULT_OK && mode == STORE_WRITER)
		(void)commits_end(store->lock); /* until here migrations were under way */
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
	commits_close(store->commits);
	if (store->lock >= 0)
		close(store->lock);
	g_free(store->old_copy);
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

/* What could not be undone for want of memory, which SQLite needs for that, too, is undone before anything else. */
static enum result begin_writing(struct store *store)
{
	if (!sqlite3_get_autocommit(store->database) && !execute(store, "ROLLBACK"))
		return result_of(store->failure);
	take_step(store, STEP_BEGIN_WRITING);
	return result_of(store->failure);
}

/* A reader's view is that of its first statement, as long as that has not ended: what SQLite calls an implicit
 * transaction, and a third of the work of BEGIN, a first read and COMMIT. When the writer has died, the look finds a WAL
 * that wants recovery, which a reader may not do itself; the next try finds it done or does without. */
static enum result begin_reading(struct store *store)
{
	store->commit = commits_read(store->commits);
	store->looked_us = g_get_monotonic_time();
	for (int tries = 0; tries < RECOVERY_TRIES; tries++) {
		store->failure = SQLITE_OK;
		if (take_step(store, STEP_LOOK))
			return RESULT_OK;
		if (sqlite3_extended_errcode(store->database) != SQLITE_READONLY_RECOVERY)
			break;
		g_usleep(100);
	}
	store->commit = 0;
	return result_of(store->failure);
}

static enum result end_reading(struct store *store, enum result result)
{
	if (sqlite3_reset(store->steps[STEP_LOOK]) != SQLITE_OK)
		remember_failure(store, sqlite3_errcode(store->database), "end of reading");
	return store_failed(store) ? result_of(store->failure) : result;
}

static bool announce_commit(struct store *store)
{
	if (store->mode != STORE_WRITER || commits_begin(store->lock))
		return true;
	store->failure = SQLITE_IOERR;
	snprintf(store->error, sizeof store->error, "%s: a commit can't be announced: %s",
		 store->path, g_strerror(errno));
	return false;
}

/* If its end can't be told, readers go on looking into the database. */
static bool commit(struct store *store)
{
	bool committed = announce_commit(store) && take_step(store, STEP_COMMIT);

	if (store->mode == STORE_WRITER)
		(void)commits_end(store->lock);
	return committed;
}

static enum result end_writing(struct store *store, enum result result)
{
	if (result == RESULT_OK && !commit(store))
		result = result_of(store->failure);
	if (!sqlite3_get_autocommit(store->database))
		sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

enum result store_transaction(struct store *store, store_work *work, void *context)
{
	bool writer = writes(store);
	enum result result;

	assert(!store->working);
	store->failure = SQLITE_OK;
	result = writer ? begin_writing(store) : begin_reading(store);
	if (result != RESULT_OK)
		return result;
	store->working = true;
	result = work(store, context);
	store->working = false;
	end_queries(store);
	if (store_failed(store))
		result = result_of(store->failure);
	result = writer ? end_writing(store, result) : end_reading(store, result);
	if (result != RESULT_OK)
		drop_caches(store);
	return result;
}

/* What no writer of ours has done, such as a shell, is seen as late as that. */
static bool is_unchanged(const struct store *store)
{
	return store->commit != 0 && g_get_monotonic_time() - store->looked_us < GLANCE_US &&
	       commits_read(store->commits) == store->commit;
}

bool store_is_glancing(const struct store *store)
{
	return store->glancing;
}

enum result store_glance(struct store *store, store_work *work, void *context)
{
	enum result result;

	assert(!store->working && store->mode == STORE_READER);
	if (!is_unchanged(store))
		return RESULT_BUSY;
	store->failure = SQLITE_OK;
	store->working = store->glancing = true;
	result = work(store, context);
	store->working = store->glancing = false;
	return store_failed(store) ? RESULT_BUSY : result;
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
	int64_t bytes = store_wal_bytes(store);
	int code;

	if (!store->shrunk && bytes < MAX(store->tidy_bytes, WAL_BYTES_MOST))
		return;
	store->shrunk = false;
	/* Readers that never pause keep the WAL from starting over, and so does a backup while it lasts. A failure is no
	 * harm: the next try comes when the WAL has grown by a quarter, so that not every batch waits. */
	sqlite3_busy_timeout(store->database, WAL_TIDY_BUSY_MS);
	code = sqlite3_wal_checkpoint_v2(store->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
					 NULL);
	sqlite3_busy_timeout(store->database, WRITER_BUSY_MS);
	store->tidy_bytes = code == SQLITE_OK ? 0 : bytes + bytes / 4;
}

bool store_shrink(struct store *store, int pages)
{
	enum { NONE, FULL, INCREMENTAL };
	char shrink[48];

	store->shrunk = pragma_integer(store, "PRAGMA auto_vacuum") != INCREMENTAL ||
			pragma_integer(store, "PRAGMA freelist_count") == 0;
	if (store->shrunk)
		return false;
	snprintf(shrink, sizeof shrink, "PRAGMA incremental_vacuum(%d)", pages);
	return execute(store, shrink);
}

/* Copies */

static enum result check_room(const char *from, const char *to, struct problem *reterr_problem)
{
	g_autofree char *wal = g_strconcat(from, "-wal", NULL);
	g_autofree char *folder = g_path_get_dirname(to);
	int64_t needed = file_bytes(from) + file_bytes(wal);
	struct statvfs disk;
	int64_t room;

	if (statvfs(folder, &disk) < 0)
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", folder,
				   g_strerror(errno));
	room = (int64_t)(disk.f_bavail * disk.f_frsize);
	if (room >= needed)
		return RESULT_OK;
	return problem_set(reterr_problem, RESULT_FAILED, "",
			   "%s has room for %" PRId64 " MB, a copy of %s needs %" PRId64, folder,
			   room / 1000000, from, needed / 1000000);
}

static enum result copy_failed(sqlite3 *target, const char *path, struct problem *reterr_problem)
{
	return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path,
			   sqlite3_errmsg(target));
}

struct copying {
	const char *path; /* of the target */
	store_copied *copied;
	void *context;
	struct problem *problem;
};

/* Page by page. The source is within a transaction, so that all steps see the same of it, whatever is written
 * meanwhile; without one, sqlite3_backup would begin anew with each write of another program. */
static enum result copy_pages(struct store *source, sqlite3 *target, const struct copying *copying)
{
	sqlite3_backup *backup = sqlite3_backup_init(target, "main", source->database, "main");
	int64_t page_bytes = pragma_integer(source, "PRAGMA page_size");
	int code = backup != NULL ? SQLITE_OK : SQLITE_ERROR;
	bool wanted = true;

	while (code == SQLITE_OK && wanted) {
		code = sqlite3_backup_step(backup, COPY_PAGES);
		wanted = copying->copied == NULL ||
			 copying->copied(copying->context,
					 (sqlite3_backup_pagecount(backup) -
					  sqlite3_backup_remaining(backup)) *
						 page_bytes,
					 sqlite3_backup_pagecount(backup) * page_bytes);
	}
	sqlite3_backup_finish(backup);
	if (!wanted)
		return problem_set(copying->problem, RESULT_BUSY, "", "stopped");
	return code == SQLITE_DONE ? RESULT_OK
				   : copy_failed(target, copying->path, copying->problem);
}

static enum result copy_into(struct store *source, void *context)
{
	const struct copying *copying = context;
	sqlite3 *target = NULL;
	enum result result;
	int code = sqlite3_open_v2(copying->path, &target,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	/* Nothing is to be undone in a file that is thrown away on a failure, and it is synchronized once, below. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
				    NULL, NULL, NULL);
	result = code == SQLITE_OK ? copy_pages(source, target, copying)
				   : copy_failed(target, copying->path, copying->problem);
	sqlite3_close(target);
	return result;
}

static enum result synchronize(const char *path, struct problem *reterr_problem)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	bool done = file >= 0 && fsync(file) == 0;

	if (!done)
		problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path, g_strerror(errno));
	if (file >= 0)
		close(file);
	return done ? RESULT_OK : RESULT_FAILED;
}

/* The pages say that there is a WAL; the copy has none. */
static enum result leave_wal(const char *path, struct problem *reterr_problem)
{
	sqlite3 *target = NULL;
	int code = sqlite3_open_v2(path, &target, SQLITE_OPEN_READWRITE, NULL);
	enum result result = RESULT_OK;

	if (code == SQLITE_OK)
		code = sqlite3_exec(target,
				    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE",
				    NULL, NULL, NULL);
	if (code != SQLITE_OK)
		result = copy_failed(target, path, reterr_problem);
	sqlite3_close(target);
	return result == RESULT_OK ? synchronize(path, reterr_problem) : result;
}

/* What a copy that was killed has left there. */
static enum result clear_away(const char *path, struct problem *reterr_problem)
{
	static const char *const beside[] = {"-journal", "-wal", "-shm"};

	for (size_t i = 0; i < G_N_ELEMENTS(beside); i++) {
		g_autofree char *name = g_strconcat(path, beside[i], NULL);
		unlink(name);
	}
	if (truncate(path, 0) == 0 || errno == ENOENT)
		return RESULT_OK;
	return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path, g_strerror(errno));
}

enum result store_copy(const char *from, const char *to, store_copied *copied, void *context,
		       struct problem *reterr_problem)
{
	struct copying copying = {to, copied, context, reterr_problem};
	struct store *source = NULL;
	enum result result = store_open(from, STORE_SOURCE, &source, reterr_problem);

	if (result == RESULT_OK)
		result = check_room(from, to, reterr_problem);
	if (result == RESULT_OK)
		result = clear_away(to, reterr_problem);
	if (result == RESULT_OK) {
		result = store_transaction(source, copy_into, &copying);
		if (store_failed(source))
			problem_set(reterr_problem, result, "", "%s: %s", from,
				    store_error(source));
	}
	store_close(source);
	return result == RESULT_OK ? leave_wal(to, reterr_problem) : result;
}

bool store_references_hold(struct store *store)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(store->database, "PRAGMA foreign_key_check", -1, &statement,
				      NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		remember_failure(store, code, "references");
	sqlite3_finalize(statement);
	return code == SQLITE_DONE;
}

bool store_empty_wal(const char *path)
{
	g_autofree char *wal = g_strconcat(path, "-wal", NULL);
	sqlite3 *database = NULL;
	int code = sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL);

	sqlite3_busy_timeout(database, WRITER_BUSY_MS);
	/* SQLite finds the WAL when it reads; before that there is nothing to be emptied. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(database, "PRAGMA schema_version", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
						 NULL);
	sqlite3_close(database);
	return code == SQLITE_OK && file_bytes(wal) == 0;
}

/* Queries */

struct query *store_query(struct store *store, enum sql name)
{
	struct query *query = &store->queries[name];

	if (store->glancing)
		store->failure = SQLITE_BUSY;
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

static const char *name_of(const struct query *query)
{
	return sql_texts[query - query->store->queries].name;
}

static void check_bind(struct query *query, int code)
{
	if (code != SQLITE_OK)
		remember_failure(query->store, code, name_of(query));
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
		remember_failure(query->store, code, name_of(query));
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

int64_t query_run_as_far(struct query *query)
{
	int code;

	if (store_failed(query->store))
		return 0;
	code = sqlite3_step(query->statement);
	if (code != SQLITE_DONE &&
	    sqlite3_extended_errcode(query->store->database) != SQLITE_CONSTRAINT_PRIMARYKEY)
		remember_failure(query->store, code, name_of(query));
	query_end(query);
	return store_failed(query->store) ? 0 : sqlite3_changes64(query->store->database);
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
