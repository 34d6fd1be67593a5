#include "openings.h"

#define STRETCH_BITS 4
#define ERA_BITS 9
#define ERA_HOURS (INT64_C(1) << ERA_BITS)

/* The hours with which they begin. */
static int64_t stretch_of(int64_t hour)
{
	return hour >> STRETCH_BITS << STRETCH_BITS;
}

static int64_t era_of(int64_t hour)
{
	return hour >> ERA_BITS << ERA_BITS;
}

/* Making */

/* Goes from hour to hour. */
struct walk {
	struct store *store;
	int64_t space;
	int64_t era, stretch;  /* in hand; -1: none */
	struct span before;    /* the era */
	struct span of_era;    /* up to here */
	openings_found *found; /* for each that the walk comes to */
	void *context;
};

static struct walk walk_from_nothing(struct store *store, int64_t space)
{
	return (struct walk){
		.store = store,
		.space = space,
		.era = -1,
		.stretch = -1,
		.before = SPAN_EMPTY,
		.of_era = SPAN_EMPTY,
	};
}

static bool is_told(const struct span *span)
{
	return span->last_change_time != INSTANT_NONE;
}

static void begin_era(struct walk *walk, int64_t era)
{
	span_join(&walk->before, &walk->of_era);
	walk->of_era = SPAN_EMPTY;
	walk->era = era;
	if (is_told(&walk->before))
		walk->found(walk->context, era, SUMMARY_BEFORE_ERA, &walk->before);
}

static void begin_stretch(struct walk *walk, int64_t stretch)
{
	walk->stretch = stretch;
	if (is_told(&walk->before) || is_told(&walk->of_era))
		walk->found(walk->context, stretch, SUMMARY_BEFORE_STRETCH, &walk->of_era);
}

static void step(void *context, int64_t hour, const struct summary *summary)
{
	struct walk *walk = context;

	if (era_of(hour) != walk->era)
		begin_era(walk, era_of(hour));
	if (stretch_of(hour) != walk->stretch)
		begin_stretch(walk, stretch_of(hour));
	span_join(&walk->of_era, &summary->span);
}

static void walk_hours(struct walk *walk, int64_t first, int64_t last)
{
	summary_hours(walk->store, walk->space, first, last, INT64_MAX, step, walk);
}

void openings_each(struct store *store, int64_t space, openings_found *found, void *context)
{
	struct walk walk = walk_from_nothing(store, space);

	walk.found = found;
	walk.context = context;
	walk_hours(&walk, 0, INT64_MAX);
}

static void put(void *context, int64_t hour, enum summary_level level, const struct span *before)
{
	const struct walk *walk = context;
	struct summary summary = {.span = *before};

	summary_put(walk->store, walk->space, hour, level, &summary);
}

void openings_make(struct store *store, int64_t space)
{
	struct query *query = store_query(store, SQL_SUMMARY_REMOVE_OPENINGS);
	struct walk walk = walk_from_nothing(store, space);

	query_bind_integer(query, 1, space);
	query_run(query);
	walk.found = put;
	walk.context = &walk;
	walk_hours(&walk, 0, INT64_MAX);
}

/* Bringing */

/* Goes on from the last stretch with a change that begins in first…last: false if none does. */
static bool resume(struct walk *walk, int64_t first, int64_t last)
{
	struct summary of_era;
	int64_t stretch = summary_last_stretch(walk->store, walk->space, first, last, &of_era);

	if (stretch < 0)
		return false;
	walk->stretch = stretch;
	walk->of_era = of_era.span;
	return true;
}

/* The first of the hours that lies in the era; the era's last hour if none does. */
static int64_t first_in_era(const GArray *hours, int64_t era)
{
	for (guint i = 0; i < hours->len; i++) {
		int64_t hour = g_array_index(hours, int64_t, i);

		if (era_of(hour) == era)
			return hour;
	}
	return era + ERA_HOURS - 1;
}

/* Returns the hour to begin with: the walk knows all that is before it. */
static int64_t begin_bringing(struct walk *walk, int64_t first)
{
	struct summary before;
	enum summary_level level;

	if (!resume(walk, 0, first))
		return summary_next(walk->store, walk->space, 0, &level);
	walk->era = era_of(walk->stretch);
	if (summary_find(walk->store, walk->space, walk->era, SUMMARY_BEFORE_ERA, &before))
		walk->before = before.span;
	return walk->stretch;
}

/* The next era with a change. Returns the hour to go on with; -1: there is none. */
static int64_t go_to_next_era(struct walk *walk, const GArray *hours)
{
	enum summary_level level;
	int64_t next = summary_next(walk->store, walk->space, walk->era + ERA_HOURS, &level);

	if (next < 0)
		return -1;
	begin_era(walk, era_of(next));
	if (level != SUMMARY_BEFORE_ERA) /* the space began with this era until now */
		return next;
	return resume(walk, walk->era, first_in_era(hours, walk->era)) ? walk->stretch : next;
}

void openings_bring(struct store *store, int64_t space, const GArray *hours)
{
	struct walk walk = walk_from_nothing(store, space);
	int64_t hour;

	walk.found = put;
	walk.context = &walk;
	hour = begin_bringing(&walk, g_array_index(hours, int64_t, 0));
	while (hour >= 0) {
		walk_hours(&walk, hour, era_of(hour) + ERA_HOURS - 1);
		hour = go_to_next_era(&walk, hours);
	}
}

bool openings_stay(int64_t first, int64_t last)
{
	return stretch_of(first) == stretch_of(last);
}

/* Reading */

/* Everything before a reset no longer matters, but for the time of the last event. */
static bool nothing_before_matters(const struct span *span)
{
	return span->reset_time != INSTANT_NONE && span->last_event_time != INSTANT_NONE;
}

/* Columns of the queries that read backwards. */
enum column {
	HOUR,
	LEVEL,
	SUM,
	LOWEST,
	RESET_TIME,
	RESET_COUNT,
	RESET_NET,
	LAST_EVENT_TIME,
	LAST_CHANGE_TIME
};

/* Of a row before `later`: as much as where a count comes out depends on. Each column costs as much as a join. */
static struct span read_earlier(struct query *row, const struct span *later)
{
	struct span span = SPAN_EMPTY;

	span.sum = query_integer(row, SUM);
	span.lowest = query_integer(row, LOWEST);
	span.reset_time = query_optional(row, RESET_TIME);
	if (span.reset_time != INSTANT_NONE)
		span.reset_end = (struct occupancy){
			.count = query_integer(row, RESET_COUNT),
			.net = query_integer(row, RESET_NET),
		};
	if (later->last_event_time == INSTANT_NONE)
		span.last_event_time = query_optional(row, LAST_EVENT_TIME);
	if (later->last_change_time == INSTANT_NONE)
		span.last_change_time = query_optional(row, LAST_CHANGE_TIME);
	return span;
}

static void put_in_front(struct query *row, struct span *span)
{
	struct span earlier = read_earlier(row, span);

	span_join(&earlier, span);
	*span = earlier;
}

static void read_before_era(struct store *store, int64_t space, int64_t era, struct span *span)
{
	struct query *query = store_query(store, SQL_SUMMARY_BEFORE_ERA);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, era);
	if (query_next(query))
		put_in_front(query, span);
	query_end(query);
}

bool openings_read_until(struct store *store, int64_t space, instant when, struct span *ret_span)
{
	struct query *query = store_query(store, SQL_SUMMARY_BACKWARDS);
	int64_t hour = summary_hour(when), begin = hour;
	int64_t level = SUMMARY_HOUR;
	bool whole = true;

	*ret_span = SPAN_EMPTY;
	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, hour);
	while (level == SUMMARY_HOUR && !nothing_before_matters(ret_span) && query_next(query)) {
		begin = query_integer(query, HOUR);
		level = query_integer(query, LEVEL);
		if (level == SUMMARY_HOUR && begin == hour &&
		    query_integer(query, LAST_CHANGE_TIME) > when)
			whole = false;
		else
			put_in_front(query, ret_span);
	}
	query_end(query);
	if (level == SUMMARY_BEFORE_STRETCH && !nothing_before_matters(ret_span))
		read_before_era(store, space, era_of(begin), ret_span);
	return whole;
}
