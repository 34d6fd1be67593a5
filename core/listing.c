#include "listing.h"

#include "registry.h"
#include "space.h"

/* Appends the object of a row. RESULT_NOT_FOUND only when a query has failed, and with it the transaction. */
typedef enum result show(GString *out, struct store *store, const char *object, struct query *row,
			 instant as_of);

static enum result show_registered(GString *out, struct store *store, const char *object,
				   struct query *row, instant as_of)
{
	(void)as_of;
	return registry_show(store, object, query_text(row, 0), out);
}

static enum result show_state(GString *out, struct store *store, const char *object,
			      struct query *row, instant as_of)
{
	struct space_state state;
	enum result result = space_find(store, query_text(row, 0), as_of, &state);

	(void)object;
	if (result == RESULT_OK)
		space_write(out, &state);
	return result;
}

static enum result show_rejected(GString *out, struct store *store, const char *object,
				 struct query *row, instant as_of)
{
	size_t size;
	const char *bytes = query_blob(row, 4, &size);

	(void)store, (void)object, (void)as_of;
	json_begin_object(out, NULL);
	json_add_integer(out, "id", query_integer(row, 0));
	json_add_text(out, "reason", query_text(row, 1));
	json_add_text(out, "topic", query_text(row, 2));
	json_add_text(out, "dpu", *query_text(row, 3) != '\0' ? query_text(row, 3) : NULL);
	json_add_text_sized(out, "item", bytes, size);
	json_add_integer(out, "item_size", query_integer(row, 5));
	json_add_instant(out, "event_received_time", query_integer(row, 6));
	json_add_instant(out, "last_received_time", query_integer(row, 7));
	json_add_integer(out, "times", query_integer(row, 8));
	json_end_object(out);
	return RESULT_OK;
}

/* clang-format off */
static const struct {
	const char *object;
	enum sql rows;
	bool numbered; /* ids are numbers */
	show *show;
} listings[] = {
	[LISTING_SPACES]          = {"space",        SQL_LISTING_SPACES,        false, show_registered},
	[LISTING_SPACE_STATES]    = {"space",        SQL_LISTING_SPACES,        false, show_state},
	[LISTING_DOORWAYS]        = {"doorway",      SQL_LISTING_DOORWAYS,      false, show_registered},
	[LISTING_DPUS]            = {"dpu",          SQL_LISTING_DPUS,          false, show_registered},
	[LISTING_INSTALLATIONS]   = {"installation", SQL_LISTING_INSTALLATIONS, true,  show_registered},
	[LISTING_REJECTED_EVENTS] = {"",             SQL_LISTING_REJECTED,      true,  show_rejected},
};
/* clang-format on */

static bool is_given(const char *filter)
{
	return filter != NULL && *filter != '\0';
}

/* Filters have indexes of their own. */
static struct query *begin(struct store *store, enum listing listing,
			   const struct listing_page *page)
{
	bool filtered = is_given(page->dpu_id) || is_given(page->reason);
	enum sql narrowed = is_given(page->dpu_id) ? SQL_LISTING_REJECTED_OF_DPU
						   : SQL_LISTING_REJECTED_OF_REASON;
	struct query *query = store_query(store, filtered ? narrowed : listings[listing].rows);

	if (listings[listing].numbered)
		query_bind_integer(query, 1, g_ascii_strtoll(page->after, NULL, 10));
	else
		query_bind_text(query, 1, page->after);
	query_bind_integer(query, 2, page->limit + 1); /* one more tells whether anything follows */
	if (filtered) {
		query_bind_text(query, 3, is_given(page->dpu_id) ? page->dpu_id : "");
		query_bind_text(query, 4, is_given(page->reason) ? page->reason : "");
	}
	return query;
}

int64_t listing_read(struct store *store, enum listing listing, const struct listing_page *page,
		     GString *out, char ret_next[JSON_ID_SIZE])
{
	struct query *query = begin(store, listing, page);
	char last[JSON_ID_SIZE] = "";
	int64_t rows = 0;

	*ret_next = '\0';
	while (query_next(query)) {
		if (rows == page->limit) {
			g_strlcpy(ret_next, last, JSON_ID_SIZE);
			break;
		}
		if (listings[listing].show(out, store, listings[listing].object, query,
					   page->as_of) != RESULT_OK)
			break;
		g_strlcpy(last, query_text(query, 0), sizeof last);
		rows++;
	}
	query_end(query);
	return rows;
}
