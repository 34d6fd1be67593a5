#include "crossing.h"

#include <glib.h>
#include <stdlib.h>

#include "attribution.h"
#include "occupancy.h"

/* A crossing with the installation it belongs to. */
struct attributed {
	int64_t installation;
	instant time;
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
	int order = compare_int64(first->installation, second->installation);

	if (order == 0)
		order = compare_int64(first->time, second->time);
	if (order == 0)
		order = compare_int64(first->crossing->event.seq, second->crossing->event.seq);
	return order != 0 ? order : first->crossing->event.count - second->crossing->event.count;
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

static void store_attributed(struct store *store, struct attributed *attributed, size_t count)
{
	g_autoptr(GArray) changes =
		g_array_sized_new(FALSE, FALSE, sizeof(struct space_change), (guint)count);

	if (count > 0)
		qsort(attributed, count, sizeof *attributed, compare_attributed);
	for (size_t i = 0; i < count; i++) {
		struct crossing *crossing = attributed[i].crossing;

		crossing->outcome = CROSSING_DUPLICATE;
		if (!insert(store, &attributed[i]))
			continue;
		crossing->outcome = CROSSING_STORED;
		add_changes(&attributed[i], changes);
	}
	occupancy_apply(store, (struct space_change *)(void *)changes->data, changes->len);
}

/* The installation of a crossing; NULL, and the reason, if it is to be rejected. */
static const struct attribution *attribute(struct store *store, struct crossing *crossing,
					   instant horizon)
{
	crossing->outcome = CROSSING_REJECTED;
	if (crossing->event.time > crossing->latest)
		crossing->reason = REASON_CLOCK_AHEAD;
	else if (crossing->event.time < horizon)
		crossing->reason = REASON_TOO_OLD;
	else
		return attribution_find(store, crossing->dpu_id, crossing->event.time,
					&crossing->reason);
	return NULL;
}

void crossing_store(struct store *store, struct crossing *crossings, size_t count)
{
	g_autoptr(GArray) attributed =
		g_array_sized_new(FALSE, FALSE, sizeof(struct attributed), (guint)count);
	instant horizon = retention_horizon(store);

	attribution_tidy(store);
	for (size_t i = 0; i < count; i++) {
		const struct attribution *to = attribute(store, &crossings[i], horizon);

		if (to == NULL)
			continue;
		struct attributed item = {
			.installation = to->installation,
			.time = crossings[i].event.time,
			.crossing = &crossings[i],
			.to = to,
		};
		g_array_append_val(attributed, item);
	}
	store_attributed(store, (struct attributed *)(void *)attributed->data, attributed->len);
}
