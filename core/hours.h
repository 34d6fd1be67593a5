/* The changes of hours into which late events came, in memory: the next late one needs no reading of the hour.
 *
 * Events of a busy space hardly ever come in exact order, a few milliseconds are enough. So hours that had a late change
 * are kept, in blocks whose spans are known, up to a bound. It is a cache: whatever is in it is what the facts say, and it
 * is dropped as a whole when a transaction, or a part of one, is undone. */
#ifndef HEADCOUNT_HOURS_H
#define HEADCOUNT_HOURS_H

#include <stdbool.h>

#include "summary.h"

struct hours;

struct hours *hours_new(void);
void hours_free(struct hours *hours);

/* Is the hour of a space here? Then changes can be added to it. */
bool hours_has(const struct hours *hours, int64_t space, int64_t hour);

/* Begins an hour that is not here, without a change; the changes that the facts hold are to be added. */
void hours_begin(struct hours *hours, int64_t space, int64_t hour);

/* Adds a change to an hour that is here, at its place in time. */
void hours_add(struct hours *hours, int64_t space, int64_t hour, const struct change *change);

/* What all changes of an hour that is here come to. The hour may be gone afterwards, if others need the room. */
struct summary hours_summary(struct hours *hours, int64_t space, int64_t hour);

/* Forgets everything: facts went or moved. */
void hours_forget(struct hours *hours);

#endif
