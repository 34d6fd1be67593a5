/* The database: one file of SQLite, written by one connection of one process, read by any number of others.
 * The only file that knows sqlite3; all SQL stands in queries.sql, under a name. */
#ifndef HEADCOUNT_STORE_H
#define HEADCOUNT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instant.h"
#include "queries.h" /* enum sql: made from queries.sql */
#include "result.h"

struct store;
struct query;

enum store_mode {
	STORE_WRITER, /* creates or migrates the file, locks out a second writer */
	STORE_READER, /* changes nothing, not even a -wal file */
	STORE_SOURCE, /* the same, and takes an older schema too: to be copied */
	STORE_COPY, /* a file that nobody else knows of: changed without a lock or a WAL, and migrated at once */
};

/* Opens the database. RESULT_BUSY: another writer has it; RESULT_INVALID: not ours, or made by a newer program;
 * RESULT_NOT_FOUND: a reader finds no database yet. The problem says which and what to do. A store belongs
 * to one thread. */
MUST_USE enum result store_open(const char *path, enum store_mode mode, struct store **ret_store,
				struct problem *reterr_problem);
void store_close(struct store *store);

/* Where the writer has left a copy of the database as it was before it brought that up to date; NULL: there was nothing
 * to bring up to date. */
const char *store_old_copy(const struct store *store);

/* Copies the database at `from`, as it is at one moment, into the file `to`, while others use and change it. `to` is a
 * file of its own afterwards, on the disk; what was there before is overwritten, and something useless may be there on a
 * failure. `copied` (NULL: nobody) is called with the bytes so far and stops it by saying false: RESULT_BUSY. */
typedef bool store_copied(void *context, int64_t bytes, int64_t whole);
MUST_USE enum result store_copy(const char *from, const char *to, store_copied *copied,
				void *context, struct problem *reterr_problem);

/* Does every row exist that a foreign key names? Within store_transaction. */
bool store_references_hold(struct store *store);

/* Empties the WAL of a database that nobody writes, so that its file alone is all of it. False: it can't be opened, or a
 * reader keeps it. */
bool store_empty_wal(const char *path);

/* Runs the work in one transaction: commits if it returns RESULT_OK and no query failed, else nothing has
 * happened. Returns the work's result, RESULT_BUSY if the database is locked, RESULT_FAILED if SQLite failed
 * (store_error tells how). On a reader: one consistent view of the database. */
typedef enum result store_work(struct store *store, void *context);
MUST_USE enum result store_transaction(struct store *store, store_work *work, void *context);

/* On a reader: runs the work without a transaction, on what it knows from those before, provided that no writer has committed
 * since. RESULT_BUSY: one has, or the work has asked for a query; what it did is not to be trusted then. Costs next to
 * nothing, where a transaction takes locks that all readers of a process share. */
MUST_USE enum result store_glance(struct store *store, store_work *work, void *context);

/* Within store_glance: a query is in vain, and the work had better end with RESULT_BUSY. */
bool store_is_glancing(const struct store *store);

/* Runs the work as a part of a transaction that can fail alone: what is not RESULT_OK is undone. A broken
 * constraint is a RESULT_CONFLICT whose problem carries the schema's own words. */
MUST_USE enum result store_part(struct store *store, store_work *work, void *context,
				struct problem *reterr_problem);

/* The last failure, for a log: never NULL. */
const char *store_error(const struct store *store);

/* Has a query failed since the transaction began? What was read since is not to be trusted then. */
bool store_failed(const struct store *store);

/* Another number whenever somebody else has changed the database; never 0. On a reader, within store_transaction. */
int64_t store_version(const struct store *store);

/* Which file was opened: another number for another one. */
uint64_t store_file(const struct store *store);

/* Is another file at its path by now, or beside it (core/commits)? Looks when anything may have been committed, and once a
 * second. */
bool store_is_replaced(struct store *store);

/* Something that is made when it is first asked for and freed when a transaction, or a part of one, is undone, or the
 * store is closed: a place for what is known to be in step with the database. Which one it is, `free` tells. */
typedef void *store_cache_make(void);
typedef void store_cache_free(void *cache);
void *store_cache(struct store *store, store_cache_make *make, store_cache_free *free);

/* Empties the WAL into the database if it has grown past its bound (writer; between transactions). */
void store_tidy(struct store *store);

/* Looks for damage in the file, for so long at most; `deep` compares indexes with their tables, too. Calls `found` with
 * a sentence for each damage, some 20 at most. RESULT_BUSY: the time was too short for all of it; RESULT_FAILED:
 * store_error tells. Outside of transactions. */
typedef void store_damage(void *context, const char *sentence);
MUST_USE enum result store_examine(struct store *store, bool deep, int64_t within_ms,
				   store_damage *found, void *context);

/* Gives up to `pages` free pages of the file back to the file system, as far as it was made so that it can shrink; the file
 * is smaller after the next store_tidy. False if none was left. Within store_transaction. */
bool store_shrink(struct store *store, int pages);

int64_t store_file_bytes(const struct store *store);
int64_t store_wal_bytes(const struct store *store);

/* A prepared statement, ready to be bound (from 1) and run; prepared on first use, kept until the store closes.
 * One statement is not used twice at once. A failure is remembered by the store and fails the transaction, so
 * none of these says. */
struct query *store_query(struct store *store, enum sql name);
void query_bind_integer(struct query *query, int index, int64_t value);
void query_bind_optional(struct query *query, int index, int64_t value); /* INT64_MIN binds NULL */
void query_bind_text(struct query *query, int index,
		     const char *text); /* NULL binds NULL; not copied */
void query_bind_blob(struct query *query, int index, const void *bytes,
		     size_t size); /* not copied */

bool query_next(struct query *query);   /* is there a(nother) row? Ends the query when not */
void query_end(struct query *query);    /* before the last row; as store_query does anyway */
int64_t query_run(struct query *query); /* to the end, ignoring rows; how many rows it changed */
/* The same for INSERT OR FAIL of rows: up to the first whose primary key is there already, which is no failure. */
int64_t query_run_as_far(struct query *query);

/* Columns of the row, from 0; texts and blobs live until the next query_next. */
int64_t query_integer(struct query *query, int column);
int64_t query_optional(struct query *query, int column); /* NULL reads INT64_MIN */
const char *query_text(struct query *query, int column); /* NULL reads "" */
const void *query_blob(struct query *query, int column, size_t *ret_size);

int64_t store_last_id(const struct store *store); /* of the row inserted last */

#endif
