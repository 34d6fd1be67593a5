#include "space.h"

static enum space_health health_of(int64_t devices, int64_t known, int64_t online)
{
	if (known == 0)
		return HEALTH_UNKNOWN;
	if (online == devices)
		return HEALTH_HEALTHY;
	return online == 0 && known == devices ? HEALTH_OFFLINE : HEALTH_DEGRADED;
}

static void find_health(struct store *store, instant now, struct space_state *state)
{
	struct query *query = store_query(store, SQL_SPACE_DEVICES);

	query_bind_integer(query, 1, state->key);
	query_bind_integer(query, 2, now);
	if (query_next(query)) {
		state->health = health_of(query_integer(query, 0), query_integer(query, 1),
					  query_integer(query, 2));
		state->health_until = query_optional(query, 3);
	}
	query_end(query);
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
		find_health(store, now, &state);
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

void space_set_past(struct space_state *state, const struct history_point *point)
{
	state->point = *point;
	state->as_of = point->as_of;
	if (point->last_change_time == INSTANT_NONE)
		state->health = HEALTH_UNKNOWN;
}

void space_look_back(struct store *store, struct space_state *state, instant when)
{
	struct history_point point = history_back(store, state->key, &state->point, when);

	space_set_past(state, &point);
}

int64_t space_revision(struct store *store, const char *id)
{
	struct query *query = store_query(store, SQL_SPACE_REVISION);
	int64_t revision = 0;

	query_bind_text(query, 1, id);
	if (query_next(query))
		revision = query_integer(query, 0);
	query_end(query);
	return revision;
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

const char *space_health_name(enum space_health health)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_DEGRADED] = "degraded",
		[HEALTH_OFFLINE] = "offline",
	};

	return names[health];
}

static void add_description(GString *out, const struct space_state *state)
{
	json_add_text(out, "id", state->id);
	json_add_text(out, "name", state->name);
	json_add_text(out, "timezone", state->timezone);
	add_optional(out, "capacity", state->capacity);
}

static void add_count(GString *out, const struct space_state *state)
{
	const struct occupancy *occupancy = &state->point.occupancy;

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
	json_add_text(out, "health", space_health_name(state->health));
}

void space_write(GString *out, const struct space_state *state)
{
	json_begin_object(out, NULL);
	add_description(out, state);
	add_count(out, state);
	json_end_object(out);
}

static bool is_visible(const char *id, const char *const *visible)
{
	return visible == NULL || g_strv_contains(visible, id);
}

static void add_parent_and_reset(GString *out, struct store *store, int64_t space,
				 const char *const *visible)
{
	struct query *query = store_query(store, SQL_SPACE_SURROUNDINGS);
	char clock[sizeof "04:00"] = "";

	query_bind_integer(query, 1, space);
	if (query_next(query)) {
		const char *parent = query_text(query, 0);
		unsigned minute = (unsigned)query_integer(query, 1);

		if (query_optional(query, 1) != INT64_MIN)
			g_snprintf(clock, sizeof clock, "%02u:%02u", minute / 60, minute % 60);
		json_add_text(out, "parent",
			      *parent != '\0' && is_visible(parent, visible) ? parent : NULL);
	}
	query_end(query);
	json_add_text(out, "daily_reset", *clock != '\0' ? clock : NULL);
}

static void add_children(GString *out, struct store *store, int64_t space,
			 const char *const *visible)
{
	struct query *query = store_query(store, SQL_SPACE_CHILDREN);
	int children = 0;

	query_bind_integer(query, 1, space);
	json_begin_array(out, "children");
	while (children < SPACE_CHILDREN && query_next(query)) {
		if (!is_visible(query_text(query, 0), visible))
			continue;
		json_add_text(out, NULL, query_text(query, 0));
		children++;
	}
	query_end(query);
	json_end_array(out);
}

void space_write_whole(GString *out, struct store *store, const struct space_state *state,
		       const char *const *visible)
{
	json_begin_object(out, NULL);
	add_description(out, state);
	add_count(out, state);
	add_parent_and_reset(out, store, state->key, visible);
	add_children(out, store, state->key, visible);
	json_end_object(out);
}

size_t space_write_frame(GString *out, struct store *store, const struct space_state *state)
{
	size_t place;

	json_begin_object(out, NULL);
	add_description(out, state);
	place = out->len;
	add_parent_and_reset(out, store, state->key, NULL);
	add_children(out, store, state->key, NULL);
	json_end_object(out);
	return place;
}

void space_write_framed(GString *out, const char *frame, size_t size, size_t place,
			const struct space_state *state)
{
	g_string_append_len(out, frame, (gssize)place);
	add_count(out, state);
	g_string_append_len(out, frame + place, (gssize)(size - place));
}
