#include "summary.h"

/* Columns of the SUMMARY_… queries. */
enum column {
	HOUR,
	ENTRIES,
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
				.last_change_time = query_optional(row, LAST_CHANGE_TIME),
			},
		.area = query_integer(row, AREA),
		.reset_area = query_integer(row, RESET_AREA),
	};
}

void summary_put(struct store *store, int64_t space, int64_t hour, enum summary_level level,
		 const struct summary *summary)
{
	const struct span *span = &summary->span;
	const int64_t values[] = {
		space,
		hour,
		level,
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

bool summary_find(struct store *store, int64_t space, int64_t hour, enum summary_level level,
		  struct summary *ret_summary)
{
	struct query *query = store_query(store, SQL_SUMMARY_FIND);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, hour);
	query_bind_integer(query, 3, level);
	if (!query_next(query))
		return false;
	*ret_summary = read_row(query);
	query_end(query);
	return true;
}

void summary_hours(struct store *store, int64_t space, int64_t first, int64_t last, int64_t most,
		   summary_found *found, void *context)
{
	struct query *query = store_query(store, SQL_SUMMARY_HOURS);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	query_bind_integer(query, 3, last);
	query_bind_integer(query, 4, most);
	while (query_next(query)) {
		struct summary summary = read_row(query);
		found(context, query_integer(query, HOUR), &summary);
	}
}

void summary_remove_hours(struct store *store, int64_t space, int64_t first, int64_t last)
{
	struct query *query = store_query(store, SQL_SUMMARY_REMOVE_HOURS);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	query_bind_integer(query, 3, last);
	query_run(query);
}

int64_t summary_count(struct store *store, int64_t space, int64_t first, enum summary_level level)
{
	struct query *query = store_query(store, SQL_SUMMARY_COUNT);
	int64_t count = 0;

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	query_bind_integer(query, 3, level);
	if (query_next(query))
		count = query_integer(query, 0);
	query_end(query);
	return count;
}

int64_t summary_last_stretch(struct store *store, int64_t space, int64_t first, int64_t last,
			     struct summary *ret_before)
{
	struct query *query = store_query(store, SQL_SUMMARY_LAST_STRETCH);
	int64_t stretch = -1;

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	query_bind_integer(query, 3, last);
	if (query_next(query)) {
		stretch = query_integer(query, HOUR);
		*ret_before = read_row(query);
	}
	query_end(query);
	return stretch;
}

int64_t summary_next(struct store *store, int64_t space, int64_t first,
		     enum summary_level *ret_level)
{
	struct query *query = store_query(store, SQL_SUMMARY_NEXT);
	int64_t hour = -1;

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, first);
	if (query_next(query)) {
		hour = query_integer(query, 0);
		*ret_level = (enum summary_level)query_integer(query, 1);
	}
	query_end(query);
	return hour;
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
