#include "crossing.h"

#include <glib.h>

#include "attribution.h"
#include "occupancy.h"
#include "retention.h"
#include "runs.h"

#define ROWS_AT_ONCE 50 /* of SQL_INSTALLATION_COUNT_ADD_50 */

/* A crossing with the installation it belongs to. */
struct attributed {
	int64_t installation;
	instant time;
	struct crossing *crossing;
	const struct attribution *to;
};

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

/* The row's number within the statement counts from 0. */
static void bind_row(struct query *query, int row, const struct attributed *attributed)
{
	const struct crossing *crossing = attributed->crossing;
	int before = row * 5;

	query_bind_integer(query, before + 1, attributed->installation);
	query_bind_integer(query, before + 2, crossing->event.time);
	query_bind_integer(query, before + 3, crossing->event.seq);
	query_bind_integer(query, before + 4, crossing->event.count);
	query_bind_integer(query, before + 5, crossing->received);
}

static void insert_one(struct store *store, struct attributed *attributed)
{
	struct query *query = store_query(store, SQL_INSTALLATION_COUNT_ADD);

	bind_row(query, 0, attributed);
	attributed->crossing->outcome = query_run(query) > 0 ? CROSSING_STORED : CROSSING_DUPLICATE;
}

/* ROWS_AT_ONCE of them, up to the first that is there already. Returns how many. */
static size_t insert_many(struct store *store, struct attributed *attributed)
{
	struct query *query = store_query(store, SQL_INSTALLATION_COUNT_ADD_50);
	size_t stored;

	for (int i = 0; i < ROWS_AT_ONCE; i++)
		bind_row(query, i, &attributed[i]);
	stored = (size_t)query_run_as_far(query);
	for (size_t i = 0; i < stored; i++)
		attributed[i].crossing->outcome = CROSSING_STORED;
	return stored;
}

/* After one that is there already, there are often more: the rest of those at once goes one by one. */
static void insert(struct store *store, struct attributed *attributed, size_t count)
{
	for (size_t i = 0, end; i < count; i = end) {
		end = MIN(i + ROWS_AT_ONCE, count);
		if (end - i == ROWS_AT_ONCE)
			i += insert_many(store, attributed + i);
		for (; i < end; i++)
			insert_one(store, &attributed[i]);
	}
}

static void add_change(GArray *changes, const struct effect *effect, const struct event *event)
{
	int64_t value = effect->sign * event->count;
	struct space_change change = {
		.space = effect->space,
		.change = {.time = event->time,
			   .kind = value > 0 ? CHANGE_ENTRY : CHANGE_EXIT,
			   .value = value},
	};

	g_array_append_val(changes, change);
}

/* A crossing changes every space that contains exactly one side of its doorway. All of one space follow each other, as far
 * as they are of one installation: that leaves less to sort. */
static void add_changes(GArray *changes, const struct attributed *attributed, size_t count)
{
	const struct attribution *to = attributed->to;

	for (size_t i = 0; i < to->effect_count; i++) {
		for (size_t j = 0; j < count; j++) {
			const struct crossing *crossing = attributed[j].crossing;

			if (crossing->outcome == CROSSING_STORED)
				add_change(changes, &to->effects[i], &crossing->event);
		}
	}
}

static size_t run_of_installation(const struct attributed *attributed, size_t count, size_t from)
{
	size_t end = from + 1;

	while (end < count && attributed[end].to == attributed[from].to)
		end++;
	return end - from;
}

static void store_attributed(struct store *store, struct attributed *attributed, size_t count)
{
	g_autoptr(GArray) changes =
		g_array_sized_new(FALSE, FALSE, sizeof(struct space_change), (guint)count);

	runs_sort(attributed, count, sizeof *attributed, compare_attributed);
	insert(store, attributed, count);
	for (size_t i = 0, run; i < count; i += run) {
		run = run_of_installation(attributed, count, i);
		add_changes(changes, attributed + i, run);
	}
	occupancy_apply(store, (struct space_change *)(void *)changes->data, changes->len);
}

/* Is it of the same installation as the one attributed before? Mostly, in an array. */
static bool is_alike(const struct crossing *crossing, const struct attributed *before)
{
	return before->crossing->dpu_id == crossing->dpu_id &&
	       before->to->started_at <= crossing->event.time &&
	       crossing->event.time < before->to->ended_at;
}

/* The installation of a crossing; NULL, and the reason, if it is to be rejected. */
static const struct attribution *attribute(struct store *store, struct crossing *crossing,
					   instant horizon, const struct attributed *before)
{
	crossing->outcome = CROSSING_REJECTED;
	if (crossing->event.time > crossing->latest)
		crossing->reason = REASON_CLOCK_AHEAD;
	else if (crossing->event.time < horizon)
		crossing->reason = REASON_TOO_OLD;
	else if (before != NULL && is_alike(crossing, before))
		return before->to;
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
	const struct attributed *before = NULL;

	attribution_tidy(store);
	for (size_t i = 0; i < count; i++) {
		const struct attribution *to = attribute(store, &crossings[i], horizon, before);

		if (to == NULL)
			continue;
		struct attributed item = {
			.installation = to->installation,
			.time = crossings[i].event.time,
			.crossing = &crossings[i],
			.to = to,
		};
		g_array_append_val(attributed, item);
		before = &g_array_index(attributed, struct attributed, attributed->len - 1);
	}
	store_attributed(store, (struct attributed *)(void *)attributed->data, attributed->len);
}
