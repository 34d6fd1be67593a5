/* A made-up town: two office buildings, and people who come, go to their rooms, meet, have lunch and leave again. */
#ifndef HEADCOUNT_TOWN_H
#define HEADCOUNT_TOWN_H

#include <glib.h>

#include "event.h"
#include "premises.h"

#define TOWN_BUILDINGS 2
#define TOWN_BEGINS INT64_C(946684800000) /* 2000-01-01: the DPUs hang there since then */

/* As the premises_add_… functions. */
MUST_USE enum result town_make(struct premises *premises);

struct town_crossing {
	const char *dpu_id;
	struct event event;
};

/* What the DPUs of a building count on a day of its own timezone, in the order of time: an array of struct town_crossing,
 * the caller's. The same seed gives the same, whatever else is asked. Days are numbered from 1970-01-01. */
GArray *town_day(int building, int64_t number, guint32 seed);

/* The day that the building's clocks show at an instant. */
int64_t town_day_of(int building, instant when);

#endif
