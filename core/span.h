/* What a run of changes does to a count, whatever the count was before: the algebra that makes late data
 * cheap (DESIGN.md, section 4). Spans join associatively, so those of hours make those of longer times. */
#ifndef HEADCOUNT_SPAN_H
#define HEADCOUNT_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "instant.h"

/* A change of one space's count, in the order in which changes of one instant take effect. */
enum change_kind {
	CHANGE_ENTRY,       /* people come in: value > 0 */
	CHANGE_EXIT,        /* people go out: value < 0 */
	CHANGE_DAILY_RESET, /* there were `value` people, says the schedule */
	CHANGE_RESET,       /* there were `value` people, says a person */
};
struct change {
	instant time;
	enum change_kind kind;
	int64_t value;
};
int change_compare(const struct change *a,
		   const struct change *b); /* by time, then kind; as qsort wants */
bool change_is_reset(const struct change *change);

/* A count and its honest raw sum (which may be negative) at an instant. */
struct occupancy {
	int64_t count;
	int64_t net;
};
struct occupancy occupancy_after(struct occupancy before, const struct change *change);

/* All zero but the two INSTANT_NONE times is the span without a change: SPAN_EMPTY. */
struct span {
	int64_t entries, exits; /* people, all of them, before and after resets */

	/* Up to the first reset, or the end: */
	int64_t sum;     /* S: of all effects */
	int64_t lowest;  /* L <= 0: lowest prefix sum */
	int64_t highest; /* H >= 0: highest prefix sum */
	int64_t peak;    /* R: highest count, when starting from 0 */

	/* From the first reset on; meaningful only if there is one: */
	instant reset_time; /* INSTANT_NONE: no reset in this span */
	struct occupancy reset_end;
	int64_t reset_lowest, reset_highest;

	instant last_event_time;  /* of an entry or exit; INSTANT_NONE if there is none */
	instant last_change_time; /* of anything */
};
#define SPAN_EMPTY                                                                                 \
	((struct span){.reset_time = INSTANT_NONE,                                                 \
		       .last_event_time = INSTANT_NONE,                                            \
		       .last_change_time = INSTANT_NONE})

void span_append(struct span *span,
		 const struct change *change); /* the change comes after all in it */
void span_join(struct span *first,
	       const struct span *second); /* first becomes both, in this order */

/* Where a count comes out that was `before` when the span began, and its extremes on the way. The extremes
 * include `before` itself. */
struct occupancy span_end(const struct span *span, struct occupancy before);
int64_t span_lowest(const struct span *span, int64_t count_before);
int64_t span_highest(const struct span *span, int64_t count_before);

#endif
