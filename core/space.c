#include "space.h"

static enum space_health health_of(int64_t devices, int64_t known, int64_t online)
{
	if (known == 0)
		return HEALTH_UNKNOWN;
	if (online == devices)
		return HEALTH_HEALTHY;
	return online == 0 && known == devices ? HEALTH_OFFLINE : HEALTH_DEGRADED;
}

static enum space_health find_health(struct store *store, int64_t space, instant now)
{
	struct query *query = store_query(store, SQL_SPACE_DEVICES);
	enum space_health health = HEALTH_UNKNOWN;

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, now);
	if (query_next(query))
		health = health_of(query_integer(query, 0), query_integer(query, 1),
				   query_integer(query, 2));
	query_end(query);
	return health;
}

/* A row of SPACE_STATE or SPACE_CHANGED_SINCE. */
static struct space_state read_row(struct store *store, struct query *row, instant now)
{
	struct space_state state = {
		.removed = query_optional(row, 0) == INT64_MIN,
		.key = query_integer(row, 0),
		.capacity = query_optional(row, 4),
		.point =
			{
				.occupancy = {.count = query_integer(row, 5),
					      .net = query_integer(row, 6)},
				.last_event_time = query_optional(row, 7),
				.last_change_time = query_optional(row, 8),
				.revision = query_integer(row, 9),
			},
		.as_of = now,
	};

	g_strlcpy(state.id, query_text(row, 1), sizeof state.id);
	g_strlcpy(state.name, query_text(row, 2), sizeof state.name);
	g_strlcpy(state.timezone, query_text(row, 3), sizeof state.timezone);
	if (!state.removed)
		state.health = find_health(store, state.key, now);
	return state;
}

enum result space_find(struct store *store, const char *id, instant now,
		       struct space_state *ret_state)
{
	struct query *query = store_query(store, SQL_SPACE_STATE);

	query_bind_text(query, 1, id);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	*ret_state = read_row(store, query, now);
	query_end(query);
	return RESULT_OK;
}

enum result space_find_removed_too(struct store *store, const char *id, instant now,
				   struct space_state *ret_state)
{
	struct query *query;

	if (space_find(store, id, now, ret_state) == RESULT_OK)
		return RESULT_OK;
	query = store_query(store, SQL_SPACE_REMOVED_FIND);
	query_bind_text(query, 1, id);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	*ret_state =
		(struct space_state){.removed = true, .point.revision = query_integer(query, 0)};
	g_strlcpy(ret_state->id, id, sizeof ret_state->id);
	query_end(query);
	return RESULT_OK;
}

int64_t space_last_revision(struct store *store)
{
	struct query *query = store_query(store, SQL_META_REVISION);
	int64_t revision = query_next(query) ? query_integer(query, 0) : 0;

	query_end(query);
	return revision;
}

void space_changed_since(struct store *store, int64_t revision, int64_t most, instant now,
			 space_found *found, void *context)
{
	struct query *query = store_query(store, SQL_SPACE_CHANGED_SINCE);

	query_bind_integer(query, 1, revision);
	query_bind_integer(query, 2, most);
	while (query_next(query)) {
		struct space_state state = read_row(store, query, now);
		found(context, &state);
	}
}

static void add_optional(GString *out, const char *name, int64_t value)
{
	if (value == INT64_MIN)
		json_add_null(out, name);
	else
		json_add_integer(out, name, value);
}

void space_write(GString *out, const struct space_state *state)
{
	static const char *const healths[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_DEGRADED] = "degraded",
		[HEALTH_OFFLINE] = "offline",
	};
	const struct occupancy *occupancy = &state->point.occupancy;

	json_begin_object(out, NULL);
	json_add_text(out, "id", state->id);
	json_add_text(out, "name", state->name);
	json_add_text(out, "timezone", state->timezone);
	add_optional(out, "capacity", state->capacity);
	json_add_integer(out, "count", occupancy->count);
	json_add_integer(out, "net", occupancy->net);
	if (state->capacity == INT64_MIN)
		json_add_null(out, "utilization");
	else
		json_add_number(out, "utilization",
				(double)occupancy->count / (double)state->capacity, 4);
	json_add_instant(out, "last_event_time", state->point.last_event_time);
	json_add_instant(out, "as_of", state->as_of);
	json_add_integer(out, "revision", state->point.revision);
	json_add_text(out, "health", healths[state->health]);
	json_end_object(out);
}
