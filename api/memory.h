/* What has been read of spaces, kept as long as it is still so, for all threads that serve. It has room for a bounded
 * number of bytes; what was not asked for in a long time goes first.
 *
 * A space as it is now is kept as long as the number of the last change in the database is the same, or else the revision
 * of the space is: whatever people see of a space raises it, but for the clock, by which installations begin and end;
 * struct space_state says until when that is not so. What a count was at an instant is kept as long as the revision is the
 * same. What only some may see is not kept. What takes a store is called within store_transaction, from any thread. */
#ifndef HEADCOUNT_MEMORY_H
#define HEADCOUNT_MEMORY_H

#include <glib.h>

#include "space.h"

#define MEMORY_BYTES                                                                               \
	(32 * 1024 * 1024) /* of headcount-api: 30,000 spaces, 40,000 counts at an instant */

struct memory;

/* Of so many bytes at most. */
struct memory *memory_new(size_t bytes);
void memory_free(struct memory *memory);

/* How many are taken now. */
size_t memory_bytes(struct memory *memory);

/* As space_find. */
MUST_USE enum result memory_find_space(struct memory *memory, struct store *store, const char *id,
				       instant now, struct space_state *ret_state);

/* As space_write_whole. */
void memory_write_space(GString *out, struct memory *memory, struct store *store,
			const struct space_state *state, const char *const *visible);

/* As space_look_back; false: it is not known, and this is within store_glance. */
bool memory_look_back(struct memory *memory, struct store *store, struct space_state *state,
		      instant when);

#endif
