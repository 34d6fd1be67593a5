/* What is kept of the past: from a horizon on each crossing, before it only what every UTC hour came to. What lies before
 * it stays as it is: nothing can be added to it, and nothing of it be derived again. */
#ifndef HEADCOUNT_RETENTION_H
#define HEADCOUNT_RETENTION_H

#include "instant.h"
#include "store.h"

struct retention {
	instant horizon; /* events before it are too_old; a whole hour, 0: all is kept */
	instant settled; /* summaries of hours before it say all that is known of them */
	instant pruned; /* there are no crossings before it any more; settled and pruned are on the way to the horizon */
};
struct retention retention_read(struct store *store);
instant retention_horizon(struct store *store);

/* Moves the horizon forward; within a transaction of the writer. The rest is pruning.h's. RESULT_INVALID: not a whole
 * hour, or after `now`; RESULT_CONFLICT: it is later already. */
MUST_USE enum result retention_move(struct store *store, instant horizon, instant now,
				    struct problem *reterr_problem);

#endif
