#include <stddef.h>
#include <string.h>

#include "occupancy.h"
#include "registry_command.h"
#include "zone.h"

struct row {
	int64_t key;
	char id[JSON_ID_SIZE];
	char name[201];
	char timezone[65];
	char parent[JSON_ID_SIZE];
	int64_t capacity;
	int64_t daily_reset; /* minute of the local day; INT64_MIN: none */
};

static const struct row blank = {
	.timezone = "UTC", .capacity = INT64_MIN, .daily_reset = INT64_MIN};

/* clang-format off */
static const struct member members[] = {
	{"id",          MEMBER_ID,      offsetof(struct row, id),          MEMBER_REQUIRED, 0, 0},
	{"name",        MEMBER_TEXT,    offsetof(struct row, name),        0, 0, 200},
	{"timezone",    MEMBER_ZONE,    offsetof(struct row, timezone),    MEMBER_REQUIRED, 0, 0},
	{"parent",      MEMBER_ID,      offsetof(struct row, parent),      0, 0, 0},
	{"capacity",    MEMBER_INTEGER, offsetof(struct row, capacity),    0, 1, 1000000000},
	{"daily_reset", MEMBER_CLOCK,   offsetof(struct row, daily_reset), 0, 0, 0},
};
/* clang-format on */

static enum result load(struct store *store, const char *id, void *ret_row)
{
	struct query *query = store_query(store, SQL_SPACE_LOAD);
	struct row *row = ret_row;

	query_bind_text(query, 1, id);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	row->key = query_integer(query, 0);
	g_strlcpy(row->id, query_text(query, 1), sizeof row->id);
	g_strlcpy(row->name, query_text(query, 2), sizeof row->name);
	g_strlcpy(row->timezone, query_text(query, 3), sizeof row->timezone);
	g_strlcpy(row->parent, query_text(query, 4), sizeof row->parent);
	row->capacity = query_optional(query, 5);
	row->daily_reset = query_optional(query, 6);
	query_end(query);
	return RESULT_OK;
}

const struct registry_object registry_space = {
	.name = "space",
	.members = members,
	.member_count = G_N_ELEMENTS(members),
	.row_size = sizeof(struct row),
	.blank = &blank,
	.load = load,
};

/* When the schedule fires next; INT64_MIN without one. */
static int64_t next_reset(const struct row *row, instant now)
{
	if (row->daily_reset == INT64_MIN)
		return INT64_MIN;
	return zone_next_daily(zone_find(row->timezone), (int)row->daily_reset, now);
}

static void bind_row(struct query *query, const struct row *row, int64_t parent)
{
	query_bind_text(query, 1, row->id);
	query_bind_text(query, 2, row->name);
	query_bind_text(query, 3, row->timezone);
	query_bind_optional(query, 4, parent == 0 ? INT64_MIN : parent);
	query_bind_optional(query, 5, row->capacity);
	query_bind_optional(query, 6, row->daily_reset);
}

/* A space names its children, so it has changed with them. */
static void touch_parent(struct command *command, const char *parent)
{
	int64_t key = registry_key(command->store, SQL_SPACE_KEY, parent);

	if (key != 0)
		occupancy_touch(command->store, key);
}

enum result space_create(struct command *command)
{
	struct row row = blank;
	enum result result = command_read(command, &registry_space, true, &row);
	struct query *query;
	int64_t parent;

	if (result != RESULT_OK)
		return result;
	result = command_refer(command, SQL_SPACE_KEY, "parent", row.parent, &parent);
	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_SPACE_ADD);
	bind_row(query, &row, parent);
	query_bind_optional(query, 7, next_reset(&row, command->limits->now));
	if (query_run(query) == 0)
		return problem_set(command->problem, RESULT_CONFLICT, "id",
				   "there is a space '%s' already", row.id);
	occupancy_touch(command->store, store_last_id(command->store));
	touch_parent(command, row.parent);
	query = store_query(command->store, SQL_SPACE_REMOVED_FORGET);
	query_bind_text(query, 1, row.id);
	query_run(query);
	return command_answer(command, &registry_space, row.id);
}

static GArray *doorways_within(struct store *store, int64_t space)
{
	GArray *doorways = g_array_new(FALSE, FALSE, sizeof(int64_t));
	struct query *query = store_query(store, SQL_SPACE_DOORWAYS_WITHIN);

	query_bind_integer(query, 1, space);
	while (query_next(query)) {
		int64_t doorway = query_integer(query, 0);
		g_array_append_val(doorways, doorway);
	}
	return doorways;
}

/* A parent that changed changes which doorways count for whom, on both ways up. */
static enum result derive_ways_up(struct command *command, int64_t space)
{
	struct store *store = command->store;
	g_autoptr(Affected) affected = affected_new(store);
	g_autoptr(GArray) doorways = doorways_within(store, space);
	enum result result = RESULT_OK;

	for (guint i = 0; i < doorways->len && result == RESULT_OK; i++) {
		int64_t doorway = g_array_index(doorways, int64_t, i);

		affected_add_doorway(affected, doorway);
		if (doorway_derive_effects(store, doorway))
			result = doorway_keep_past(command, "parent", doorway);
		affected_add_doorway(affected, doorway);
	}
	if (result == RESULT_OK)
		affected_derive(affected, INSTANT_FIRST, INSTANT_LAST);
	return result;
}

static void update_row(struct command *command, const struct row *before, const struct row *row,
		       int64_t parent)
{
	struct query *query = store_query(command->store, SQL_SPACE_SET);
	bool rescheduled = before->daily_reset != row->daily_reset ||
			   strcmp(before->timezone, row->timezone) != 0;

	bind_row(query, row, parent);
	query_bind_integer(query, 7, rescheduled);
	query_bind_optional(query, 8, next_reset(row, command->limits->now));
	query_run(query);
}

enum result space_update(struct command *command)
{
	struct row before = {0}, row;
	enum result result = command_load(command, &registry_space, &before);
	int64_t parent;

	if (result != RESULT_OK)
		return result;
	row = before;
	result = command_read(command, &registry_space, false, &row);
	if (result != RESULT_OK)
		return result;
	if (strcmp(before.id, row.id) != 0)
		return problem_set(command->problem, RESULT_INVALID, "id", "an id never changes");
	result = command_refer(command, SQL_SPACE_KEY, "parent", row.parent, &parent);
	if (result != RESULT_OK)
		return result;
	if (parent == row.key)
		return problem_set(command->problem, RESULT_CONFLICT, "parent",
				   "a space cannot lie inside itself");
	update_row(command, &before, &row, parent);
	if (strcmp(before.parent, row.parent) != 0 && !store_failed(command->store)) {
		result = derive_ways_up(command, row.key);
		if (result != RESULT_OK)
			return result;
		touch_parent(command, before.parent);
		touch_parent(command, row.parent);
	}
	occupancy_touch(command->store, row.key);
	return command_answer(command, &registry_space, row.id);
}

enum result space_remove(struct command *command)
{
	static const enum sql parts[] = {SQL_SUMMARY_REMOVE_SPACE, SQL_OCCUPANCY_REMOVE,
					 SQL_RESET_REMOVE_SPACE, SQL_SPACE_REMOVE};
	struct row row = {0};
	enum result result = command_load(command, &registry_space, &row);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_SPACE_IN_USE);
	query_bind_integer(query, 1, row.key);
	if (query_next(query)) {
		query_end(query);
		return problem_set(
			command->problem, RESULT_CONFLICT, "id",
			"doorways or other spaces still refer to '%s': remove those first", row.id);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		query = store_query(command->store, parts[i]);
		query_bind_integer(query, 1, row.key);
		query_run(query);
	}
	touch_parent(command, row.parent);
	query = store_query(command->store, SQL_SPACE_REMOVED_REMEMBER);
	query_bind_text(query, 1, row.id);
	query_bind_integer(query, 2, occupancy_take_revisions(command->store, 1));
	query_run(query);
	return RESULT_OK;
}

enum result space_rebuild(struct command *command)
{
	struct store *store = command->store;
	struct row row = {0};
	enum result result = command_load(command, &registry_space, &row);
	g_autoptr(GArray) doorways = NULL;

	if (result != RESULT_OK)
		return result;
	doorways = doorways_within(store, row.key);
	for (guint i = 0; i < doorways->len; i++)
		doorway_derive_effects(store, g_array_index(doorways, int64_t, i));
	occupancy_derive(store, row.key, INSTANT_FIRST, INSTANT_LAST);
	return command_answer(command, &registry_space, row.id);
}
