/* The derived rows: summaries of hours and longer spans, and the count now, kept in step with the facts. */
#ifndef HEADCOUNT_OCCUPANCY_H
#define HEADCOUNT_OCCUPANCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "span.h"
#include "store.h"

/* A change of a space's count, by a fact that is stored already. */
struct space_change {
	int64_t space; /* space.id */
	struct change change;
};

/* Takes the next `count` numbers of the global sequence of revisions; the first of them. */
int64_t occupancy_take_revisions(struct store *store, int64_t count);

/* Brings the spaces in step with new facts, given in any order (they get sorted). Each space gets a new
 * revision. */
void occupancy_apply(struct store *store, struct space_change *changes, size_t count);

/* Derives a space's summaries of the hours that touch [from, until], all that lies above them and the count now
 * again from the facts: for facts that went or moved. Hours before the horizon (retention.h) stay as they are. The space
 * gets a new revision. */
void occupancy_derive(struct store *store, int64_t space, instant from, instant until);

/* Gives the space a new revision, because something else that people see of it changed. */
void occupancy_touch(struct store *store, int64_t space);

/* Compares what is kept with what the facts give, writing nothing: calls `differs` with a sentence for each
 * difference. True if there is none. Hours before the horizon have no facts: they are to be possible, and what lies above
 * them is to follow from them. */
bool occupancy_check(struct store *store, int64_t space,
		     void (*differs)(void *context, const char *sentence), void *context);

#endif
