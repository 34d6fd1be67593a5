/* Timezones by IANA name, from the system's tzdata by way of GTimeZone. */
#ifndef HEADCOUNT_ZONE_H
#define HEADCOUNT_ZONE_H

#include "instant.h"

struct zone;

/* The zone of an IANA name such as "Europe/Berlin" or "UTC"; NULL if the system knows none (POSIX TZ strings
 * and bare offsets are not names). Zones are cached for the life of the process and owned by the cache;
 * may be called from any thread. */
const struct zone *zone_find(const char *name);

/* Milliseconds to add to UTC to get local time at an instant. */
int64_t zone_offset(const struct zone *zone, instant when);

enum zone_fit {
	ZONE_UNIQUE,
	ZONE_GAP,     /* skipped by a change of the clocks: no such local time */
	ZONE_OVERLAP, /* happened twice */
};

/* Finds when a local time (ms since 1970 as the wall clock shows it) was. In a gap *ret_instant is the first
 * instant after it, in an overlap the first of the two; *ret_second (may be NULL) is then the second. */
enum zone_fit zone_from_local(const struct zone *zone, int64_t local_ms, instant *ret_instant,
			      instant *ret_second);

/* The first instant after `after` at which the wall clock shows minute_of_day (0…1439): in a gap the
 * first instant after it, in an overlap the first occurrence. */
instant zone_next_daily(const struct zone *zone, int minute_of_day, instant after);

#endif
