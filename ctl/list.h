/* Lists out of the database: read page by page, so that no view of it is held for long, and printed. */
#ifndef HEADCOUNT_LIST_H
#define HEADCOUNT_LIST_H

#include "command.h"
#include "listing.h"
#include "table.h"

typedef void list_found(void *context, const struct json *object);

/* Calls `found` for the rows from `first` on, in order: first->limit of them, or all if that is 0. ret_next: behind
 * which id it would go on, "" if nothing follows. False if the database can't be read, which is said then:
 * EXIT_REFUSED. */
bool list_each(struct session *session, enum listing listing, const struct listing_page *first,
	       list_found *found, void *context, char ret_next[JSON_ID_SIZE]);

struct list {
	enum listing listing;
	const struct column *columns;
	size_t column_count;
};

/* Prints the rows from `first` on as a table, or as a JSON array; ret_next as above. */
bool list_print(struct session *session, const struct list *list, const struct listing_page *first,
		char ret_next[JSON_ID_SIZE]);

#endif
