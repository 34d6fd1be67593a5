#include "summary.h"

/* Columns of the SUMMARY_… queries, after the span's number. */
enum column {
	ENTRIES = 1,
	EXITS,
	SUM,
	LOWEST,
	HIGHEST,
	PEAK,
	RESET_TIME,
	RESET_COUNT,
	RESET_NET,
	RESET_LOWEST,
	RESET_HIGHEST,
	AREA,
	RESET_AREA,
	LAST_EVENT_TIME,
	LAST_CHANGE_TIME,
};

static struct summary read_row(struct query *row)
{
	return (struct summary){
		.span =
			{
				.entries = query_integer(row, ENTRIES),
				.exits = query_integer(row, EXITS),
				.sum = query_integer(row, SUM),
				.lowest = query_integer(row, LOWEST),
				.highest = query_integer(row, HIGHEST),
				.peak = query_integer(row, PEAK),
				.reset_time = query_optional(row, RESET_TIME),
				.reset_end = {.count = query_integer(row, RESET_COUNT),
					      .net = query_integer(row, RESET_NET)},
				.reset_lowest = query_integer(row, RESET_LOWEST),
				.reset_highest = query_integer(row, RESET_HIGHEST),
				.last_event_time = query_optional(row, LAST_EVENT_TIME),
				.last_change_time = query_integer(row, LAST_CHANGE_TIME),
			},
		.area = query_integer(row, AREA),
		.reset_area = query_integer(row, RESET_AREA),
	};
}

void summary_put(struct store *store, int64_t space, int level, int64_t number,
		 const struct summary *summary)
{
	const struct span *span = &summary->span;
	const int64_t values[] = {
		space,
		level,
		number,
		span->entries,
		span->exits,
		span->sum,
		span->lowest,
		span->highest,
		span->peak,
		span->reset_time,
		span->reset_end.count,
		span->reset_end.net,
		span->reset_lowest,
		span->reset_highest,
		summary->area,
		summary->reset_area,
		span->last_event_time,
		span->last_change_time,
	};
	struct query *query = store_query(store, SQL_SUMMARY_PUT);

	for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++)
		query_bind_optional(query, i + 1, values[i]);
	query_run(query);
}

int64_t summary_hour(instant when)
{
	return when / INSTANT_HOUR;
}

/* The area grows by what the change makes different from then to the end of the hour. */
void summary_append(struct summary *summary, const struct change *change, int64_t hour)
{
	struct span *span = &summary->span;
	int64_t rest = (hour + 1) * INSTANT_HOUR - change->time;
	bool known = span->reset_time != INSTANT_NONE;
	int64_t before = known ? span->reset_end.count : span->sum;

	span_append(span, change);
	if (known) {
		summary->reset_area += (span->reset_end.count - before) * rest;
	} else if (change_is_reset(change)) {
		summary->area -= before * rest;
		summary->reset_area = change->value * rest;
	} else {
		summary->area += change->value * rest;
	}
}

bool summary_find(struct store *store, int64_t space, int level, int64_t number,
		  struct summary *ret_summary)
{
	struct query *query = store_query(store, SQL_SUMMARY_FIND);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, level);
	query_bind_integer(query, 3, number);
	if (!query_next(query))
		return false;
	*ret_summary = read_row(query);
	query_end(query);
	return true;
}

void summary_remove(struct store *store, int64_t space, int level, int64_t first, int64_t last)
{
	struct query *query = store_query(store, SQL_SUMMARY_REMOVE);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, level);
	query_bind_integer(query, 3, first);
	query_bind_integer(query, 4, last);
	query_run(query);
}

void summary_each(struct store *store, int64_t space, int level, int64_t first, int64_t last,
		  summary_found *found, void *context)
{
	struct query *query = store_query(store, SQL_SUMMARY_EACH);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, level);
	query_bind_integer(query, 3, first);
	query_bind_integer(query, 4, last);
	while (query_next(query)) {
		struct summary summary = read_row(query);
		found(context, level, query_integer(query, 0), &summary);
	}
}

void summary_page(struct store *store, int64_t space, int64_t first, int64_t last, int64_t most,
		  summary_found *found, void *context)
{
	struct query *query = store_query(store, SQL_SUMMARY_PAGE);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	query_bind_integer(query, 3, last);
	query_bind_integer(query, 4, most);
	while (query_next(query)) {
		struct summary summary = read_row(query);
		found(context, 0, query_integer(query, 0), &summary);
	}
}

static bool is_within(instant when, int64_t hour)
{
	return when == INSTANT_NONE || summary_hour(when) == hour;
}

bool summary_is_sound(const struct summary *summary, int64_t hour)
{
	const struct span *span = &summary->span;
	int64_t change = span->entries - span->exits;

	return (span->reset_time != INSTANT_NONE || span->sum == change) &&
	       span->lowest <= span->sum && span->sum <= span->highest &&
	       span->peak >= span->highest && span->peak >= span->sum - span->lowest &&
	       span->entries >= 0 && span->exits >= 0 && is_within(span->reset_time, hour) &&
	       is_within(span->last_event_time, hour) && is_within(span->last_change_time, hour);
}

int64_t summary_last_hour(struct store *store, int64_t space)
{
	struct query *query = store_query(store, SQL_SUMMARY_LAST_HOUR);
	int64_t hour = -1;

	query_bind_integer(query, 1, space);
	if (query_next(query))
		hour = query_integer(query, 0);
	query_end(query);
	return hour;
}

/* Everything before a reset no longer matters, but for the time of the last event. */
static bool nothing_before_matters(const struct span *span)
{
	return span->reset_time != INSTANT_NONE && span->last_event_time != INSTANT_NONE;
}

/* Of a row before `later`: as much as where a count comes out depends on. Each column costs as much as a join. */
static struct span read_earlier(struct query *row, const struct span *later)
{
	enum { SUM_THEN, LOWEST_THEN, RESET, RESET_END_COUNT, RESET_END_NET, EVENT, CHANGE };
	struct span span = SPAN_EMPTY;

	span.sum = query_integer(row, SUM_THEN);
	span.lowest = query_integer(row, LOWEST_THEN);
	span.reset_time = query_optional(row, RESET);
	if (span.reset_time != INSTANT_NONE)
		span.reset_end = (struct occupancy){
			.count = query_integer(row, RESET_END_COUNT),
			.net = query_integer(row, RESET_END_NET),
		};
	if (later->last_event_time == INSTANT_NONE)
		span.last_event_time = query_optional(row, EVENT);
	if (later->last_change_time == INSTANT_NONE)
		span.last_change_time = query_integer(row, CHANGE);
	return span;
}

static void prefix_level(struct store *store, int64_t space, int level, int64_t first, int64_t last,
			 struct span *span)
{
	struct query *query;

	if (first > last)
		return;
	query = store_query(store, SQL_SUMMARY_BACKWARDS);
	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, level);
	query_bind_integer(query, 3, first);
	query_bind_integer(query, 4, last);
	while (!nothing_before_matters(span) && query_next(query)) {
		struct span earlier = read_earlier(query, span);

		span_join(&earlier, span);
		*span = earlier;
	}
	query_end(query);
}

void summary_prefix(struct store *store, int64_t space, int64_t hour, struct span *span)
{
	for (int level = 0; level < SUMMARY_LEVELS && !nothing_before_matters(span); level++) {
		int64_t end = hour >> (SUMMARY_LEVEL_BITS * level);
		int64_t begin = end >> SUMMARY_LEVEL_BITS << SUMMARY_LEVEL_BITS;

		prefix_level(store, space, level, level == SUMMARY_LEVELS - 1 ? 0 : begin, end - 1,
			     span);
	}
}
