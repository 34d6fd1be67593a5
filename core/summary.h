/* The rows of table summary: what happened to a space within an hour, 16 hours, … 16^4 hours. */
#ifndef HEADCOUNT_SUMMARY_H
#define HEADCOUNT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"
#include "store.h"

#define SUMMARY_LEVELS 5     /* hours, 16 hours, … 16^4 hours (7.5 years) */
#define SUMMARY_LEVEL_BITS 4 /* a span of a level is 2^4 spans of the level below */

struct summary {
	struct span span;
	/* Person-milliseconds, for averages; hours only. With x people at the start of the hour and no exit
	 * from an empty space up to the first reset, or the end, those up to there are area + x * that time. */
	int64_t area;
	int64_t reset_area; /* from the first reset to the end of the hour */
};

int64_t summary_hour(instant when); /* number of the UTC hour that holds the instant */

/* Appends a change of the hour, which comes after all in it. */
void summary_append(struct summary *summary, const struct change *change, int64_t hour);

bool summary_find(struct store *store, int64_t space, int level, int64_t number,
		  struct summary *ret_summary);
void summary_put(struct store *store, int64_t space, int level, int64_t number,
		 const struct summary *summary);
void summary_remove(struct store *store, int64_t space, int level, int64_t first, int64_t last);

/* Calls `found` for the rows first…last of a level, in order. */
typedef void summary_found(void *context, int level, int64_t span, const struct summary *summary);
void summary_each(struct store *store, int64_t space, int level, int64_t first, int64_t last,
		  summary_found *found, void *context);

/* The same for the first `most` hours of those. */
void summary_page(struct store *store, int64_t space, int64_t first, int64_t last, int64_t most,
		  summary_found *found, void *context);

/* Can a summary be that of an hour, whatever happened in it? For hours of which nothing else is known. */
bool summary_is_sound(const struct summary *summary, int64_t hour);

/* The last hour with a change; -1 if there is none. */
int64_t summary_last_hour(struct store *store, int64_t space);

/* Puts everything before the hour in front of `span`. The hour is not after the last one with a change, so that
 * all spans before it are complete. Reads at most 15 rows a level, and stops at a reset with an event behind it. Only
 * what span_end says of the result, and its two last times, hold for all of it. */
void summary_prefix(struct store *store, int64_t space, int64_t hour, struct span *span);

#endif
