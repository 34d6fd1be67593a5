/* The history of a space by intervals: what a chart or a report of a day, a year, an hour shows. */
#ifndef HEADCOUNT_BUCKETS_H
#define HEADCOUNT_BUCKETS_H

#include <stddef.h>

#include "history.h"
#include "result.h"

/* A half-open interval [start, end). */
struct bucket {
	instant start, end;
	struct occupancy opening; /* after all before start */
	struct occupancy closing; /* after all before end */
	int64_t entries, exits;   /* people */
	int64_t lowest, highest;  /* of the opening count and the count after each change */
	instant highest_time; /* when it was first reached: start, if that is the opening count */
	double average;       /* people, weighted by time */
};

/* Calls `found` for the bucket between each two neighbours of `edges` (ascending, edge_count >= 2), in order. Whole
 * hours are read from their summaries, the rest from the facts; reads no more than `most_changes` of those:
 * RESULT_INVALID if that is not enough. Before the horizon (retention.h) there are whole hours only: RESULT_NOT_FOUND if an
 * edge is none, and highest_time is the begin of the hour. Within store_transaction. */
typedef void bucket_found(void *context, const struct bucket *bucket);
MUST_USE enum result buckets_read(struct store *store, int64_t space, const instant *edges,
				  size_t edge_count, int64_t most_changes, bucket_found *found,
				  void *context);

#endif
