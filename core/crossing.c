#include "crossing.h"

#include <glib.h>
#include <stdlib.h>

#include "attribution.h"
#include "occupancy.h"

/* A crossing with the installation it belongs to. */
struct attributed {
	struct crossing *crossing;
	const struct attribution *to;
};

static int64_t retention_horizon(struct store *store)
{
	struct query *query = store_query(store, SQL_META_RETENTION_HORIZON);
	int64_t horizon = query_next(query) ? query_integer(query, 0) : 0;

	query_end(query);
	return horizon;
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
	int order = compare_int64(first->to->installation, second->to->installation);

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

	query_bind_integer(query, 1, attributed->to->installation);
	query_bind_integer(query, 2, crossing->event.time);
	query_bind_integer(query, 3, crossing->event.seq);
	query_bind_integer(query, 4, crossing->event.count);
	query_bind_integer(query, 5, crossing->received);
	return query_run(query) > 0;
}

/* A crossing changes every space that contains exactly one side of its doorway. */
static void add_changes(const struct attributed *attributed, GArray *changes)
{
	const struct event *event = &attributed->crossing->event;

	for (size_t i = 0; i < attributed->to->effect_count; i++) {
		const struct effect *effect = &attributed->to->effects[i];
		int64_t value = effect->sign * event->count;
		struct space_change change = {
			.space = effect->space,
			.change = {.time = event->time,
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
		add_changes(item, changes);
	}
	occupancy_apply(store, (struct space_change *)(void *)changes->data, changes->len);
}

void crossing_store(struct store *store, struct crossing *crossings, size_t count)
{
	g_autoptr(GArray) attributed = g_array_new(FALSE, FALSE, sizeof(struct attributed));
	instant horizon = retention_horizon(store);

	attribution_tidy(store);
	for (size_t i = 0; i < count; i++) {
		struct crossing *crossing = &crossings[i];
		struct attributed item = {.crossing = crossing};

		crossing->outcome = CROSSING_REJECTED;
		if (crossing->event.time > crossing->latest)
			crossing->reason = REASON_CLOCK_AHEAD;
		else if (crossing->event.time < horizon)
			crossing->reason = REASON_TOO_OLD;
		else
			item.to = attribution_find(store, crossing->dpu_id, crossing->event.time,
						   &crossing->reason);
		if (item.to != NULL)
			g_array_append_val(attributed, item);
	}
	store_attributed(store, attributed);
}
