/* Intervals that a stretch of time is cut into: 5m, 1h, 1d, 2w, 1mo. */
#ifndef HEADCOUNT_INTERVAL_H
#define HEADCOUNT_INTERVAL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instant.h"
#include "zone.h"

enum interval_unit {
	INTERVAL_MINUTE, /* these two are lengths of time */
	INTERVAL_HOUR,
	INTERVAL_DAY, /* these are steps of the calendar */
	INTERVAL_WEEK,
	INTERVAL_MONTH,
};

struct interval {
	enum interval_unit unit;
	int64_t count; /* of them, 1…999999 */
};

/* Reads a number and m, h, d, w or mo; false for anything else. */
bool interval_parse(const char *text, struct interval *ret_interval);

/* The instants between which the intervals lie: start first, end last, so that the last interval may be shorter. NULL if
 * there are more than `most` intervals; else the caller owns the array of instant. start < end.
 *
 * Steps of the calendar are counted in the zone's local time, all from the start, so that months from the 31st on end on
 * the 31st wherever there is one, else on the month's last day. In a gap a step ends at the first instant after it, in
 * an overlap at the first of the two. */
GArray *interval_edges(const struct interval *interval, const struct zone *zone, instant start,
		       instant end, size_t most);

#endif
