/* What somebody sees who is limited to some spaces: those, and the doorways that change their counts, and what hangs or
 * hung there. */
#ifndef HEADCOUNT_VISIBILITY_H
#define HEADCOUNT_VISIBILITY_H

#include <stdbool.h>

#include "store.h"

/* Does an object ("space", "doorway", "dpu", "installation") belong to one of the spaces, whose ids end with a NULL?
 * Always, if `spaces` is NULL; never, if it is another object. Within store_transaction. */
bool visibility_of(struct store *store, const char *object, const char *id,
		   const char *const *spaces);

#endif
