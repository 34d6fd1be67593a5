#include "history.h"

#include "openings.h"
#include "retention.h"
#include "summary.h"

void history_changes(struct store *store, int64_t space, instant from, instant until,
		     history_found *found, void *context)
{
	struct query *query = store_query(store, SQL_CHANGES);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, from);
	query_bind_integer(query, 3, until);
	while (query_next(query)) {
		struct change change = {
			.time = query_integer(query, 0),
			.kind = (enum change_kind)query_integer(query, 1),
			.value = query_integer(query, 2),
		};
		found(context, &change);
	}
}

static void append_change(void *context, const struct change *change)
{
	span_append(context, change);
}

struct history_point history_now(struct store *store, int64_t space)
{
	struct query *query = store_query(store, SQL_OCCUPANCY_NOW);
	struct history_point point = {.last_event_time = INSTANT_NONE,
				      .last_change_time = INSTANT_NONE};

	query_bind_integer(query, 1, space);
	if (query_next(query)) {
		point = (struct history_point){
			.occupancy = {.count = query_integer(query, 0),
				      .net = query_integer(query, 1)},
			.last_event_time = query_optional(query, 2),
			.last_change_time = query_optional(query, 3),
			.revision = query_integer(query, 4),
		};
		query_end(query);
	}
	return point;
}

struct history_point history_back(struct store *store, int64_t space,
				  const struct history_point *now, instant when)
{
	int64_t hour = summary_hour(when);
	struct history_point point = *now;
	struct span span;

	point.as_of = when;
	if (when >= now->last_change_time)
		return point;
	if (!openings_read_until(store, space, when, &span)) {
		if (hour < summary_hour(retention_horizon(store)))
			when = hour * INSTANT_HOUR - 1;
		else
			history_changes(store, space, hour * INSTANT_HOUR, when, append_change,
					&span);
	}
	return (struct history_point){
		.occupancy = span_end(&span, (struct occupancy){0}),
		.last_event_time = span.last_event_time,
		.last_change_time = span.last_change_time,
		.revision = now->revision,
		.as_of = when,
	};
}

struct history_point history_at(struct store *store, int64_t space, instant when)
{
	struct history_point now = history_now(store, space);

	return history_back(store, space, &now, when);
}
