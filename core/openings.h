/* What a space has behind it where a stretch of 16 hours or an era of 512 begins: rows of table summary that make a count at
 * any time the matter of 18 rows, however long the history. A stretch with a change has a row that tells the part of its era
 * before it, and an era one that tells all before it; those with which a space begins have none. What comes late changes those
 * behind it: of its own era, and one of each later one (17 a year). */
#ifndef HEADCOUNT_OPENINGS_H
#define HEADCOUNT_OPENINGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "summary.h"

/* Brings them in step with hours that are other ones or new, in order, among them the one that was the last hour until then. */
void openings_bring(struct store *store, int64_t space, const GArray *hours);

/* Are they in step anyway, with changes in hours from `first` on, because those and the last one are of the same stretch? */
bool openings_stay(int64_t first, int64_t last);

/* Makes them all again. */
void openings_make(struct store *store, int64_t space);

/* Calls `found` for each as the hours give it, whatever is kept. */
typedef void openings_found(void *context, int64_t hour, enum summary_level level,
			    const struct span *before);
void openings_each(struct store *store, int64_t space, openings_found *found, void *context);

/* Reads everything up to an instant, but for the hour that holds it if that has a later change: false. Only what span_end
 * says of the span, and its two last times, hold for all of it. */
bool openings_read_until(struct store *store, int64_t space, instant when, struct span *ret_span);

#endif
