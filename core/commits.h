/* The file beside a database, ….writer: who has locked it may write the database, and a number in it tells others whether
 * anything was committed, so that they need not ask the database.
 *
 * The number is odd from before a commit to after it, and never the same again. Who reads an even number, then the database,
 * and later the same number, knows that it would read the same again. */
#ifndef HEADCOUNT_COMMITS_H
#define HEADCOUNT_COMMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "result.h"

/* For who writes: the file. */

/* Locks it, as long as the file is open, however the program ends. RESULT_BUSY: somebody else has. Until commits_end says
 * otherwise, a commit is under way: its owner may change anything, or be killed. */
MUST_USE enum result commits_lock(const char *database, int *ret_file,
				  struct problem *reterr_problem);

/* False: it can't be written (errno), and nothing may be committed. */
bool commits_begin(int file);
bool commits_end(int file);

/* For who reads: the number, as it changes. The file is never cut, like SQLite's -shm: that would end who reads. */

struct commits;

/* NULL, which all of these take: there is none, or none for us. */
struct commits *commits_open(const char *database);
void commits_close(struct commits *commits);

/* 0: none is known, or a commit is under way. */
uint64_t commits_read(const struct commits *commits);

/* Is another one beside the database by now, or none? Of NULL: is there one for us by now? */
bool commits_is_replaced(const struct commits *commits, const char *database);

#endif
