#include "listing.h"

#include "registry.h"
#include "space.h"
#include "visibility.h"

/* Appends the object of an id; `row` is the one of the listing's query, NULL if there is only the id. RESULT_NOT_FOUND
 * if there is none. */
struct shown {
	struct store *store;
	const char *object, *id;
	struct query *row;
	instant as_of;
	const char *const *visible;
};
typedef enum result show(GString *out, const struct shown *shown);

static enum result show_registered(GString *out, const struct shown *shown)
{
	return registry_show(shown->store, shown->object, shown->id, out);
}

static enum result show_space_state(GString *out, const struct shown *shown)
{
	struct space_state state;
	enum result result = space_find(shown->store, shown->id, shown->as_of, &state);

	if (result == RESULT_OK)
		space_write_whole(out, shown->store, &state, shown->visible);
	return result;
}

static const char *text_or_null(struct query *query, int column)
{
	const char *text = query_text(query, column);

	return *text != '\0' ? text : NULL;
}

static enum result show_dpu_state(GString *out, const struct shown *shown)
{
	struct query *query = store_query(shown->store, SQL_DPU_STATE);
	int64_t online;

	query_bind_text(query, 1, shown->id);
	query_bind_integer(query, 2, shown->as_of);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	online = query_optional(query, 2);
	json_begin_object(out, NULL);
	json_add_text(out, "id", query_text(query, 0));
	json_add_text(out, "name", query_text(query, 1));
	if (online == INT64_MIN)
		json_add_null(out, "online");
	else
		json_add_boolean(out, "online", online != 0);
	json_add_instant(out, "online_since", query_optional(query, 3));
	json_add_text(out, "doorway", text_or_null(query, 4));
	json_end_object(out);
	query_end(query);
	return RESULT_OK;
}

static enum result show_rejected(GString *out, const struct shown *shown)
{
	struct query *row = shown->row;
	size_t size;
	const char *bytes = query_blob(row, 4, &size);
	g_autofree char *text = g_utf8_make_valid(bytes, (gssize)size);

	json_begin_object(out, NULL);
	json_add_integer(out, "id", query_integer(row, 0));
	json_add_text(out, "reason", query_text(row, 1));
	json_add_text(out, "topic", query_text(row, 2));
	json_add_text(out, "dpu", text_or_null(row, 3));
	json_add_text(out, "item", text);
	json_add_integer(out, "item_size", query_integer(row, 5));
	json_add_instant(out, "event_received_time", query_integer(row, 6));
	json_add_instant(out, "last_received_time", query_integer(row, 7));
	json_add_integer(out, "times", query_integer(row, 8));
	json_end_object(out);
	return RESULT_OK;
}

static enum result show_audited(GString *out, const struct shown *shown)
{
	struct query *row = shown->row;

	json_begin_object(out, NULL);
	json_add_integer(out, "id", query_integer(row, 0));
	json_add_instant(out, "time", query_integer(row, 1));
	json_add_text(out, "who", text_or_null(row, 2));
	json_add_text(out, "from", text_or_null(row, 3));
	json_add_text(out, "object", query_text(row, 4));
	json_add_text(out, "action", query_text(row, 5));
	json_add_text(out, "object_id", text_or_null(row, 6));
	json_add_text(out, "details", query_text(row, 7));
	json_add_integer(out, "status", query_integer(row, 8));
	json_end_object(out);
	return RESULT_OK;
}

/* A filter that a listing has an index for: where it stands in the page, and the rows it leaves. */
struct filter {
	size_t offset; /* 0: no filter */
	enum sql rows;
};
#define BY(member, rows)                                                                           \
	{                                                                                          \
		offsetof(struct listing_page, member), SQL_LISTING_##rows                          \
	}

/* clang-format off */
static const struct {
	const char *object;
	enum sql rows;
	bool numbered; /* ids are numbers */
	bool timed;    /* the parameters ?3 and ?4 of the rows are from and until, not filters */
	show *show;
	struct filter filters[2]; /* parameters ?3 and ?4; the first one given decides which rows */
} listings[] = {
	[LISTING_SPACES] = {"space", SQL_LISTING_SPACES, false, false, show_registered,
		{BY(parent, SPACES_OF_PARENT)}},
	[LISTING_SPACE_STATES] = {"space", SQL_LISTING_SPACES, false, false, show_space_state,
		{BY(parent, SPACES_OF_PARENT)}},
	[LISTING_DOORWAYS] = {"doorway", SQL_LISTING_DOORWAYS, false, false, show_registered,
		{BY(space, DOORWAYS_OF_SPACE)}},
	[LISTING_DPUS] = {"dpu", SQL_LISTING_DPUS, false, false, show_registered, {{0}}},
	[LISTING_DPU_STATES] = {"dpu", SQL_LISTING_DPUS, false, false, show_dpu_state, {{0}}},
	[LISTING_INSTALLATIONS] = {"installation", SQL_LISTING_INSTALLATIONS, true, false, show_registered,
		{BY(dpu_id, INSTALLATIONS_OF_DPU), BY(doorway_id, INSTALLATIONS_OF_DOORWAY)}},
	[LISTING_AUDIT] = {"audit", SQL_LISTING_AUDIT, true, true, show_audited, {{0}}},
	[LISTING_REJECTED_EVENTS] = {"rejected-event", SQL_LISTING_REJECTED, true, false, show_rejected,
		{BY(dpu_id, REJECTED_OF_DPU), BY(reason, REJECTED_OF_REASON)}},
};
/* clang-format on */

static const char *text_of(const struct listing_page *page, const struct filter *filter)
{
	const char *text = *(const char *const *)((const char *)page + filter->offset);

	return filter->offset == 0 || text == NULL ? "" : text;
}

static struct query *begin(struct store *store, enum listing listing,
			   const struct listing_page *page)
{
	const struct filter *filters = listings[listing].filters;
	const char *first = text_of(page, &filters[0]), *second = text_of(page, &filters[1]);
	enum sql rows = *first != '\0'    ? filters[0].rows
			: *second != '\0' ? filters[1].rows
					  : listings[listing].rows;
	struct query *query = store_query(store, rows);

	if (listings[listing].numbered)
		query_bind_integer(query, 1, g_ascii_strtoll(page->after, NULL, 10));
	else
		query_bind_text(query, 1, page->after);
	/* One row more tells whether anything follows; how many are visible is not known before they are seen. */
	query_bind_integer(query, 2, page->visible != NULL ? -1 : page->limit + 1);
	if (listings[listing].timed) {
		query_bind_integer(query, 3, page->from);
		query_bind_integer(query, 4, page->until != 0 ? page->until : INT64_MAX);
	}
	if (rows != listings[listing].rows)
		query_bind_text(query, 3, first);
	if (rows != listings[listing].rows && filters[1].offset != 0)
		query_bind_text(query, 4, second);
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
		const struct shown shown = {
			store,
			listings[listing].object,
			query_text(query, 0),
			query,
			page->as_of,
			page->visible,
		};
		if (!visibility_of(store, shown.object, shown.id, page->visible))
			continue;
		if (rows == page->limit) {
			g_strlcpy(ret_next, last, JSON_ID_SIZE);
			break;
		}
		if (listings[listing].show(out, &shown) != RESULT_OK)
			break; /* only when a query has failed, and with it the transaction */
		g_strlcpy(last, shown.id, sizeof last);
		rows++;
	}
	query_end(query);
	return rows;
}

enum result listing_show(struct store *store, enum listing listing, const char *id, instant as_of,
			 const char *const *visible, GString *out)
{
	const struct shown shown = {store, listings[listing].object, id, NULL, as_of, visible};

	if (!visibility_of(store, shown.object, id, visible))
		return RESULT_NOT_FOUND;
	return listings[listing].show(out, &shown);
}
