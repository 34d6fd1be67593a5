/* Whether what is derived is in step with the facts. */
#ifndef HEADCOUNT_DERIVED_H
#define HEADCOUNT_DERIVED_H

#include "store.h"

/* Compares a space's counts with the facts, calling `differs` with a sentence for each difference. In a view of the database
 * of its own: one for all spaces would keep the gateway's WAL from being reused. RESULT_NOT_FOUND: there is no such
 * space; RESULT_BUSY, RESULT_FAILED: store_error tells. */
MUST_USE enum result derived_compare(struct store *store, const char *space,
				     void (*differs)(void *context, const char *sentence),
				     void *context);

#endif
