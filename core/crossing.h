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
	instant latest; /* an event after that is clock_ahead */

	/* Written by crossing_store: */
	enum crossing_outcome outcome;
	enum reason reason; /* unknown_dpu, no_installation, clock_ahead or too_old, if rejected */
};

/* Stores crossings, in any order, and brings every space they concern in step. Within a transaction of the
 * writer. */
void crossing_store(struct store *store, struct crossing *crossings, size_t count);

#endif
