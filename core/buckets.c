#include "buckets.h"

#include <glib.h>

#include "retention.h"
#include "summary.h"

/* A walk through time with the count in hand, from edge to edge. */
struct walk {
	struct store *store;
	int64_t space;
	const instant *edges;
	size_t edge_count, edge; /* edges[edge] is where the bucket in hand ends */
	int64_t changes_left;
	struct retention retention;
	bucket_found *found;
	void *context;

	instant at;
	struct occupancy occupancy;
	struct bucket bucket;
	double area;          /* person-ms of the bucket, up to `at`; may exceed 2^63 */
	int64_t highest_hour; /* where the highest count was, if only its hour is known yet; else -1 */
	struct occupancy highest_hour_opening;
};

static void append(void *context, const struct change *change)
{
	g_array_append_vals(context, change, 1);
}

/* The facts of [from, until], taken at once so that no query is open while they are worked on. */
static GArray *read_changes(struct walk *walk, instant from, instant until)
{
	GArray *changes = g_array_new(FALSE, FALSE, sizeof(struct change));

	history_changes(walk->store, walk->space, from, until, append, changes);
	walk->changes_left -= changes->len;
	return changes;
}

static void begin_bucket(struct walk *walk)
{
	walk->bucket = (struct bucket){
		.start = walk->edges[walk->edge - 1],
		.end = walk->edges[walk->edge],
		.opening = walk->occupancy,
		.lowest = walk->occupancy.count,
		.highest = walk->occupancy.count,
		.highest_time = walk->edges[walk->edge - 1],
	};
	walk->area = 0;
	walk->highest_hour = -1;
}

static void find_highest_time(struct walk *walk)
{
	int64_t hour = walk->highest_hour;
	struct occupancy occupancy = walk->highest_hour_opening;
	g_autoptr(GArray) changes =
		read_changes(walk, hour * INSTANT_HOUR, (hour + 1) * INSTANT_HOUR - 1);

	for (guint i = 0; i < changes->len; i++) {
		const struct change *change = &g_array_index(changes, struct change, i);

		occupancy = occupancy_after(occupancy, change);
		if (occupancy.count == walk->bucket.highest) {
			walk->bucket.highest_time = change->time;
			return;
		}
	}
}

static void go_to(struct walk *walk, instant when)
{
	walk->area += (double)walk->occupancy.count * (double)(when - walk->at);
	walk->at = when;
}

static void end_bucket(struct walk *walk)
{
	struct bucket *bucket = &walk->bucket;

	go_to(walk, bucket->end);
	if (walk->highest_hour >= 0)
		find_highest_time(walk);
	bucket->closing = walk->occupancy;
	bucket->average = walk->area / (double)(bucket->end - bucket->start);
	walk->found(walk->context, bucket);
	walk->edge++;
	if (walk->edge < walk->edge_count)
		begin_bucket(walk);
}

/* Ends the buckets before `when`, so that the one in hand holds it. */
static void reach(struct walk *walk, instant when)
{
	while (walk->edge < walk->edge_count && walk->edges[walk->edge] <= when)
		end_bucket(walk);
}

static void raise_highest(struct walk *walk, int64_t count, instant when, int64_t hour)
{
	bool known = when >= walk->retention.horizon;

	if (count <= walk->bucket.highest)
		return;
	walk->bucket.highest = count;
	walk->bucket.highest_time = known ? when : when - when % INSTANT_HOUR;
	walk->highest_hour = known ? hour : -1;
	walk->highest_hour_opening = walk->occupancy;
}

static void step_over_change(struct walk *walk, const struct change *change)
{
	struct bucket *bucket = &walk->bucket;

	reach(walk, change->time);
	go_to(walk, change->time);
	walk->occupancy = occupancy_after(walk->occupancy, change);
	bucket->entries += change->kind == CHANGE_ENTRY ? change->value : 0;
	bucket->exits -= change->kind == CHANGE_EXIT ? change->value : 0;
	bucket->lowest = MIN(bucket->lowest, walk->occupancy.count);
	raise_highest(walk, walk->occupancy.count, change->time, -1);
}

/* The hour lies within the bucket in hand, and its summary tells all. */
static void step_over_hour(struct walk *walk, int64_t hour, const struct summary *summary)
{
	const struct span *span = &summary->span;
	struct bucket *bucket = &walk->bucket;
	instant begin = hour * INSTANT_HOUR, end = begin + INSTANT_HOUR;
	instant known = span->reset_time == INSTANT_NONE ? end : span->reset_time;
	int64_t count = walk->occupancy.count;

	go_to(walk, begin);
	walk->area += (double)(summary->area + count * (known - begin) + summary->reset_area);
	walk->at = end;
	bucket->entries += span->entries;
	bucket->exits += span->exits;
	bucket->lowest = MIN(bucket->lowest, span_lowest(span, count));
	raise_highest(walk, span_highest(span, count), begin, hour);
	walk->occupancy = span_end(span, walk->occupancy);
}

/* Nobody leaves an empty space in it before a reset, or that has been settled. */
static bool is_told_by_summary(const struct walk *walk, int64_t hour, const struct summary *summary)
{
	return hour * INSTANT_HOUR < walk->retention.settled ||
	       walk->occupancy.count + summary->span.lowest >= 0;
}

static void step(void *context, int64_t hour, const struct summary *summary)
{
	struct walk *walk = context;
	instant begin = hour * INSTANT_HOUR, end = begin + INSTANT_HOUR;
	instant first = walk->edges[0], last = walk->edges[walk->edge_count - 1];
	g_autoptr(GArray) changes = NULL;

	if (walk->changes_left < 0)
		return;
	if (begin >= first)
		reach(walk, begin);
	if (begin >= walk->bucket.start && end <= walk->bucket.end &&
	    is_told_by_summary(walk, hour, summary)) {
		step_over_hour(walk, hour, summary);
		return;
	}
	changes = read_changes(walk, MAX(begin, first), MIN(end, last) - 1);
	for (guint i = 0; i < changes->len; i++)
		step_over_change(walk, &g_array_index(changes, struct change, i));
}

static bool are_edges_known(const struct walk *walk)
{
	for (size_t i = 0; i < walk->edge_count && walk->edges[i] < walk->retention.horizon; i++) {
		if (walk->edges[i] % INSTANT_HOUR != 0)
			return false;
	}
	return true;
}

enum result buckets_read(struct store *store, int64_t space, const instant *edges,
			 size_t edge_count, int64_t most_changes, bucket_found *found,
			 void *context)
{
	struct walk walk = {
		.store = store,
		.space = space,
		.edges = edges,
		.edge_count = edge_count,
		.edge = 1,
		.changes_left = most_changes,
		.retention = retention_read(store),
		.found = found,
		.context = context,
		.at = edges[0],
	};
	instant last = edges[edge_count - 1];

	if (!are_edges_known(&walk))
		return RESULT_NOT_FOUND;
	walk.occupancy = history_at(store, space, edges[0] - 1).occupancy;
	begin_bucket(&walk);
	summary_hours(store, space, summary_hour(edges[0]), summary_hour(last - 1), INT64_MAX, step,
		      &walk);
	reach(&walk, last);
	return walk.changes_left < 0 ? RESULT_INVALID : RESULT_OK;
}
