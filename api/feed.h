/* What GET /live reads from the database, in one view of it: what is new to everybody, and a page for one stream that
 * lags behind. */
#ifndef HEADCOUNT_FEED_H
#define HEADCOUNT_FEED_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "news.h"
#include "store.h"

#define FEED_PAGE 32 /* events */

struct feed {
	int64_t known; /* the revision up to which everybody knows the news */

	bool restarted; /* the database has not come as far as that: it is another one */
	bool more;      /* there is more news than there was room for */
	int64_t last;   /* the revision up to which `items` say everything */
	GArray *items;  /* of struct news_item, in the order of their revisions */

	GString *page;            /* events; NULL: none is wanted */
	const GHashTable *wanted; /* ids of the spaces that the page is about; NULL: all */
	int64_t page_known,
		page_last; /* the page says everything after the one revision, up to the other */
};

void feed_begin(struct feed *feed, int64_t known);
void feed_want_page(struct feed *feed, const GHashTable *wanted, int64_t known);
void feed_end(struct feed *feed);

/* The work of store_transaction; its context is the feed. */
MUST_USE enum result feed_read(struct store *store, void *feed);

#endif
