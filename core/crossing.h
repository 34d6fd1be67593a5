/* Crossings: events that are given to the installation that was active when they happened, and stored once
 * (DESIGN.md, section 3). */
#ifndef HEADCOUNT_CROSSING_H
#define HEADCOUNT_CROSSING_H

#include <stddef.h>

#include "event.h"
#include "store.h"

enum crossing_outcome {
	CROSSING_STORED,
	CROSSING_DUPLICATE, /* it was there already */
	CROSSING_REJECTED,
};

struct crossing {
	const char *dpu_id; /* borrowed */
	struct event event;
	instant received;
	/* written by crossing_store: */
	enum crossing_outcome outcome;
	enum reason reason; /* of a rejection: unknown_dpu, no_installation, clock_ahead or too_old */
};

/* Stores crossings, in any order, and brings every space they concern in step. `judged_at` less the skew is
 * the latest time an event may have. Within a transaction of the writer. */
void crossing_store(struct store *store, struct crossing *crossings, size_t count, instant judged_at,
                    int64_t max_clock_skew_ms);

#endif
