/* How each space stands, in memory: its count now and the hour of its last change, so that what happens now is added without
 * reading anything. It is a cache: whatever is in it is what the database says, and it is dropped as a whole when a
 * transaction, or a part of one, is undone. */
#ifndef HEADCOUNT_LATEST_H
#define HEADCOUNT_LATEST_H

#include <stdbool.h>

#include "history.h"
#include "summary.h"

struct latest {
	int64_t space;
	struct history_point now;
	int64_t hour;           /* of the last change; -1: there is none */
	struct summary summary; /* of that hour */
	/* Before the first change of that hour; known only after it was asked for. */
	bool begin_known;
	struct occupancy begin;
	instant begin_last_event_time;
};

/* The space as it stands, read from the database if it has to be: for who writes its rows, and changes them here as well.
 * It lives until the next latest_of, latest_forget or the end of the transaction. */
struct latest *latest_of(struct store *store, int64_t space);

/* The summary of an hour is another one, or a new one. */
void latest_put_hour(struct latest *latest, int64_t hour, const struct summary *summary);

/* Derives `now`, but for its revision, from the summaries. */
void latest_count_again(struct store *store, struct latest *latest);

/* The rows of a space were written by somebody else. */
void latest_forget(struct store *store, int64_t space);

#endif
