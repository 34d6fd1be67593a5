#include "crossing_page.h"

#include <glib.h>

struct page {
	GArray *rows; /* of struct crossing_row: the first so far, and perhaps some more */
	size_t most;
	instant until; /* what is later does not belong to the first */
};

static int compare(const void *left, const void *right)
{
	const struct crossing_place *a = &((const struct crossing_row *)left)->place;
	const struct crossing_place *b = &((const struct crossing_row *)right)->place;
	const int64_t keys[][2] = {
		{a->time, b->time},
		{a->installation, b->installation},
		{a->seq, b->seq},
		{a->count, b->count},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	}
	return 0;
}

static void keep_first(struct page *page)
{
	g_array_sort(page->rows, compare);
	if (page->rows->len < page->most)
		return;
	g_array_set_size(page->rows, (guint)page->most);
	page->until = g_array_index(page->rows, struct crossing_row, page->most - 1).place.time;
}

/* The first event of an installation at `from` or after: of the same instant, lower installations come before. */
static void bind_from(struct query *query, const struct crossing_place *from, int64_t installation)
{
	bool same = installation == from->installation;
	instant time = installation < from->installation ? from->time + 1 : from->time;

	query_bind_integer(query, 2, time);
	query_bind_integer(query, 3, same ? from->seq : INT64_MIN);
	query_bind_integer(query, 4, same ? from->count : INT64_MIN);
}

static void read_installation(struct page *page, struct store *store, struct query *installation,
			      const struct crossing_place *from)
{
	struct query *query = store_query(store, SQL_CROSSING_PAGE);
	struct crossing_row row = {.place.installation = query_integer(installation, 0)};
	int64_t sign = query_integer(installation, 1);

	g_strlcpy(row.dpu_id, query_text(installation, 2), sizeof row.dpu_id);
	g_strlcpy(row.doorway_id, query_text(installation, 3), sizeof row.doorway_id);
	query_bind_integer(query, 1, row.place.installation);
	bind_from(query, from, row.place.installation);
	query_bind_integer(query, 5, page->until);
	query_bind_integer(query, 6, (int64_t)page->most);
	while (query_next(query)) {
		row.place.time = query_integer(query, 0);
		row.received = query_integer(query, 1);
		row.place.seq = query_integer(query, 2);
		row.place.count = query_integer(query, 3);
		row.change = row.place.count * sign;
		g_array_append_val(page->rows, row);
	}
}

size_t crossing_page_read(struct store *store, int64_t space, const struct crossing_place *from,
			  instant until, size_t most, crossing_found *found, void *context)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct crossing_row));
	struct page page = {.rows = rows, .most = most, .until = until};
	struct query *installations = store_query(store, SQL_CROSSING_INSTALLATIONS);

	query_bind_integer(installations, 1, space);
	query_bind_integer(installations, 2, from->time);
	query_bind_integer(installations, 3, until);
	while (query_next(installations)) {
		read_installation(&page, store, installations, from);
		if (rows->len >= 2 * most)
			keep_first(&page);
	}
	keep_first(&page);
	for (guint i = 0; i < rows->len; i++)
		found(context, &g_array_index(rows, struct crossing_row, i));
	return rows->len;
}
