/* What has been read of spaces, kept as long as it is still so: a reader's store has one, bounded, in its cache.
 *
 * A space as it is now is kept as long as nothing at all has changed in the database, and a second at most, because
 * installations begin and end by the clock. What a count was at an instant is kept until the space has another
 * revision. Within store_transaction. */
#ifndef HEADCOUNT_MEMORY_H
#define HEADCOUNT_MEMORY_H

#include <glib.h>

#include "space.h"

/* As space_find. */
MUST_USE enum result memory_find_space(struct store *store, const char *id, instant now,
				       struct space_state *ret_state);

/* As space_write_whole. */
void memory_write_space(GString *out, struct store *store, const struct space_state *state,
			const char *const *visible);

/* As space_look_back. */
void memory_look_back(struct store *store, struct space_state *state, instant when);

#endif
