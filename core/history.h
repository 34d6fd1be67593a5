/* Counts at any instant, read from summaries and the events of one hour. */
#ifndef HEADCOUNT_HISTORY_H
#define HEADCOUNT_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"
#include "store.h"

struct history_point {
	struct occupancy occupancy;
	instant last_event_time;  /* the last crossing up to then; INSTANT_NONE if there was none */
	instant last_change_time; /* the same, resets included */
	int64_t revision;         /* of the space, now; 0 if nothing ever happened there */
	/* Of a look back: the instant that it is true for. That is the one asked for, or, if it lies within an hour whose
	 * crossings are gone (retention.h), the end of the hour before. */
	instant as_of;
};

/* The count after everything that is known (events may be ahead of our clock by max_clock_skew). */
struct history_point history_now(struct store *store, int64_t space);

/* The count of a space after everything with time <= when, or <= as_of if that is earlier. Reads at most 18 summary rows and the
 * changes of one hour. */
struct history_point history_at(struct store *store, int64_t space, instant when);
/* The same for somebody who knows what history_now says. */
struct history_point history_back(struct store *store, int64_t space,
				  const struct history_point *now, instant when);

/* Calls `found` for each change of a space within [from, until], in the order in which they take effect. */
typedef void history_found(void *context, const struct change *change);
void history_changes(struct store *store, int64_t space, instant from, instant until,
		     history_found *found, void *context);

#endif
