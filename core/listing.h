/* What the registry holds, and rejected events, as JSON objects: one, or lists of them a page at a time, in the order of
 * their ids; and the audit. */
#ifndef HEADCOUNT_LISTING_H
#define HEADCOUNT_LISTING_H

#include <glib.h>
#include <stdint.h>

#include "instant.h"
#include "json.h"
#include "store.h"

enum listing {
	LISTING_SPACES,       /* as registry_show has them */
	LISTING_SPACE_STATES, /* as space_write_whole has them */
	LISTING_DOORWAYS,
	LISTING_DPUS,       /* as registry_show has them */
	LISTING_DPU_STATES, /* and online, online_since, doorway: where it hangs */
	LISTING_INSTALLATIONS,
	LISTING_AUDIT,           /* the newest first */
	LISTING_REJECTED_EVENTS, /* the bytes of an item as text, with U+FFFD for those that are none */
};

struct listing_page {
	const char *after; /* begins behind this id: ret_next of the page before, "" at first */
	int64_t limit;     /* rows, at least 1 */
	instant as_of;     /* now, for states */
	/* Only what belongs to these spaces (core/visibility.h); NULL: all. */
	const char *const *visible;

	/* Filters; NULL or "": any. */
	const char *parent;     /* of spaces */
	const char *space;      /* of doorways: on either side */
	const char *dpu_id;     /* of installations, rejected events */
	const char *doorway_id; /* of installations */
	const char *reason;     /* of rejected events */
	instant from, until;    /* of the audit; until 0: now */
};

/* Appends the objects of one page to a JSON array that the caller has begun; how many. *ret_next is where the next page
 * begins, "" if nothing follows. Within store_transaction. */
int64_t listing_read(struct store *store, enum listing listing, const struct listing_page *page,
		     GString *out, char ret_next[JSON_ID_SIZE]);

/* Appends the one object of an id; RESULT_NOT_FOUND if there is none that is visible. Not for rejected events and the audit. */
MUST_USE enum result listing_show(struct store *store, enum listing listing, const char *id,
				  instant as_of, const char *const *visible, GString *out);

#endif
