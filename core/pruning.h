/* The work behind a horizon that was moved: crossings before it go, in slices of some milliseconds between the batches of
 * the gateway. Before they do, each hour's summary is settled: as nothing before the horizon can change any more, the
 * count at its begin is known, and what depended on it is put into the summary. Then the file gives back what it doesn't
 * need. All of it can end at any moment: what is left to do stands in the database. */
#ifndef HEADCOUNT_PRUNING_H
#define HEADCOUNT_PRUNING_H

#include <stdbool.h>

#include "store.h"

struct pruning;

struct pruning *pruning_new(struct store *store);
void pruning_free(struct pruning *pruning);

/* Looks whether there is anything to do: at the begin, and when the horizon may have moved. */
void pruning_look(struct pruning *pruning);

/* Is there, as far as is known? */
bool pruning_is_due(const struct pruning *pruning);

/* Does some of it in a transaction: so many microseconds, and one step at least, which takes one or two milliseconds. On
 * anything but RESULT_OK nothing is done. */
MUST_USE enum result pruning_go_on(struct pruning *pruning, int64_t slice_us);

#endif
