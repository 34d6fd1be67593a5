/* A database for a fuzzer: a small building that is the same before each input, and what must hold of any database. The
 * checks read it by themselves and know the registry and the facts only. */
#ifndef HEADCOUNT_TESTS_WORLD_H
#define HEADCOUNT_TESTS_WORLD_H

#include <glib.h>

#include "registry.h"
#include "store.h"

/* When everything in it begins. */
#define WORLD_NOW INT64_C(1600000000000) /* 2020-09-13T12:26:40Z */

/* The path of the database, as it was at first. Whoever has it open closes it before. */
const char *world_reset(void);

/* It satisfies the schema, occupancy_check finds nothing, and the counts now are those that a plain recount gives. */
void world_check(struct store *store);

/* All that is known, as a text: facts and counts, without what tells of the order in which they came (caller frees it). */
char *world_facts(void);

/* An answer to a command is JSON with a status of HTTP, and no failure of ours. */
void world_check_answer(const char *answer, size_t size);

#endif
