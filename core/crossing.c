#include "crossing.h"

#include <glib.h>
#include <stdlib.h>

#include "occupancy.h"

/* A crossing with the installation it belongs to. */
struct attributed {
	struct crossing *crossing;
	int64_t installation;
	int64_t doorway;
	int64_t orientation;
};

static int64_t retention_horizon(struct store *store)
{
	struct query *query = store_query(store, SQL_META_RETENTION_HORIZON);
	int64_t horizon = query_next(query) ? query_integer(query, 0) : 0;

	query_end(query);
	return horizon;
}

/* The installation that was active at the time of the event, whatever is active now. */
static enum reason attribute(struct store *store, const struct crossing *crossing,
			     struct attributed *ret_attributed)
{
	struct query *query = store_query(store, SQL_INSTALLATION_AT);
	enum reason reason = REASON_NONE;

	query_bind_text(query, 1, crossing->dpu_id);
	query_bind_integer(query, 2, crossing->event.time);
	if (!query_next(query))
		return REASON_UNKNOWN_DPU;
	ret_attributed->installation = query_optional(query, 0);
	ret_attributed->doorway = query_integer(query, 1);
	ret_attributed->orientation = query_integer(query, 2);
	if (ret_attributed->installation == INT64_MIN)
		reason = REASON_NO_INSTALLATION;
	query_end(query);
	return reason;
}

static int compare_int64(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* The order of the table's key: rows inserted so touch each page once. */
static int compare_attributed(const void *a, const void *b)
{
	const struct attributed *first = a, *second = b;
	const struct event *one = &first->crossing->event, *two = &second->crossing->event;
	int order = compare_int64(first->installation, second->installation);

	if (order == 0)
		order = compare_int64(one->time, two->time);
	if (order == 0)
		order = compare_int64(one->seq, two->seq);
	return order != 0 ? order : one->count - two->count;
}

static bool insert(struct store *store, const struct attributed *attributed)
{
	const struct crossing *crossing = attributed->crossing;
	struct query *query = store_query(store, SQL_INSTALLATION_COUNT_ADD);

	query_bind_integer(query, 1, attributed->installation);
	query_bind_integer(query, 2, crossing->event.time);
	query_bind_integer(query, 3, crossing->event.seq);
	query_bind_integer(query, 4, crossing->event.count);
	query_bind_integer(query, 5, crossing->received);
	return query_run(query) > 0;
}

/* A crossing changes every space that contains exactly one side of its doorway. */
static void add_changes(struct store *store, const struct attributed *attributed, GArray *changes)
{
	struct query *query = store_query(store, SQL_DOORWAY_EFFECTS);

	query_bind_integer(query, 1, attributed->doorway);
	while (query_next(query)) {
		int64_t sign = query_integer(query, 1) * attributed->orientation;
		int64_t value = sign * attributed->crossing->event.count;
		struct space_change change = {
			.space = query_integer(query, 0),
			.change = {.time = attributed->crossing->event.time,
				   .kind = value > 0 ? CHANGE_ENTRY : CHANGE_EXIT,
				   .value = value},
		};
		g_array_append_val(changes, change);
	}
}

static void store_attributed(struct store *store, GArray *attributed)
{
	g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct space_change));

	g_array_sort(attributed, compare_attributed);
	for (guint i = 0; i < attributed->len; i++) {
		struct attributed *item = &g_array_index(attributed, struct attributed, i);

		item->crossing->outcome = CROSSING_DUPLICATE;
		if (!insert(store, item))
			continue;
		item->crossing->outcome = CROSSING_STORED;
		add_changes(store, item, changes);
	}
	occupancy_apply(store, (struct space_change *)(void *)changes->data, changes->len);
}

void crossing_store(struct store *store, struct crossing *crossings, size_t count)
{
	g_autoptr(GArray) attributed = g_array_new(FALSE, FALSE, sizeof(struct attributed));
	instant horizon = retention_horizon(store);

	for (size_t i = 0; i < count; i++) {
		struct crossing *crossing = &crossings[i];
		struct attributed item = {.crossing = crossing};

		crossing->outcome = CROSSING_REJECTED;
		if (crossing->event.time > crossing->latest)
			crossing->reason = REASON_CLOCK_AHEAD;
		else if (crossing->event.time < horizon)
			crossing->reason = REASON_TOO_OLD;
		else
			crossing->reason = attribute(store, crossing, &item);
		if (crossing->reason == REASON_NONE)
			g_array_append_val(attributed, item);
	}
	store_attributed(store, attributed);
}
