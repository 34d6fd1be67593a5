/* Lists of what the registry holds and of rejected events, a page at a time: their rows as JSON objects, in the
 * order of their ids. */
#ifndef HEADCOUNT_LISTING_H
#define HEADCOUNT_LISTING_H

#include <glib.h>
#include <stdint.h>

#include "instant.h"
#include "json.h"
#include "store.h"

enum listing {
	LISTING_SPACES,       /* as registry_show has them */
	LISTING_SPACE_STATES, /* as space_write has them */
	LISTING_DOORWAYS,
	LISTING_DPUS,
	LISTING_INSTALLATIONS,
	LISTING_REJECTED_EVENTS, /* the bytes of an item as text, with U+FFFD for those that are none */
};

struct listing_page {
	const char *after; /* the page begins behind this id: ret_next of the page before, "" at first */
	int64_t limit;     /* rows, at least 1 */
	instant as_of;     /* now, for space states */
	const char *dpu_id, *reason; /* of rejected events; "": any */
};

/* Appends the objects of one page to a JSON array that the caller has begun; how many. *ret_next is where the next page
 * begins, "" if nothing follows. Within store_transaction. */
int64_t listing_read(struct store *store, enum listing listing, const struct listing_page *page,
		     GString *out, char ret_next[JSON_ID_SIZE]);

#endif
