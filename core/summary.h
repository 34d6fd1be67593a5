/* The rows of table summary: what happened to a space within an hour, and before one (openings.h). */
#ifndef HEADCOUNT_SUMMARY_H
#define HEADCOUNT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"
#include "store.h"

enum summary_level {
	SUMMARY_BEFORE_ERA,     /* all that is before an era */
	SUMMARY_BEFORE_STRETCH, /* the part of an era that is before a stretch */
	SUMMARY_HOUR,
};

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

bool summary_find(struct store *store, int64_t space, int64_t hour, enum summary_level level,
		  struct summary *ret_summary);
void summary_put(struct store *store, int64_t space, int64_t hour, enum summary_level level,
		 const struct summary *summary);

/* Calls `found` for the first `most` of the hours first…last that have a change, in order. */
typedef void summary_found(void *context, int64_t hour, const struct summary *summary);
void summary_hours(struct store *store, int64_t space, int64_t first, int64_t last, int64_t most,
		   summary_found *found, void *context);

void summary_remove_hours(struct store *store, int64_t space, int64_t first, int64_t last);

/* How many rows of a level there are from hour `first` on. */
int64_t summary_count(struct store *store, int64_t space, int64_t first, enum summary_level level);

/* The last stretch that begins in first…last: its first hour, and what is before it; -1 if there is none. */
int64_t summary_last_stretch(struct store *store, int64_t space, int64_t first, int64_t last,
			     struct summary *ret_before);

/* The first row from hour `first` on: its hour; -1 if there is none. */
int64_t summary_next(struct store *store, int64_t space, int64_t first,
		     enum summary_level *ret_level);

/* Can a summary be that of an hour, whatever happened in it? For hours of which nothing else is known. */
bool summary_is_sound(const struct summary *summary, int64_t hour);

#endif
