#include <stddef.h>
#include <string.h>

#include "attribution.h"
#include "occupancy.h"
#include "registry_command.h"
#include "retention.h"

struct row {
	int64_t key;
	char id[JSON_ID_SIZE];
	char name[201];
	char space[JSON_ID_SIZE];
	char adjacent_space[JSON_ID_SIZE]; /* "": the outside */
};

static const struct row blank = {0};

/* clang-format off */
static const struct member members[] = {
	{"id",             MEMBER_ID,   offsetof(struct row, id),             MEMBER_REQUIRED, 0, 0},
	{"name",           MEMBER_TEXT, offsetof(struct row, name),           0, 0, 200},
	{"space",          MEMBER_ID,   offsetof(struct row, space),          MEMBER_REQUIRED, 0, 0},
	{"adjacent_space", MEMBER_ID,   offsetof(struct row, adjacent_space), 0, 0, 0},
};
/* clang-format on */

static enum result load(struct store *store, const char *id, void *ret_row)
{
	struct query *query = store_query(store, SQL_DOORWAY_LOAD);
	struct row *row = ret_row;

	query_bind_text(query, 1, id);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	row->key = query_integer(query, 0);
	g_strlcpy(row->id, query_text(query, 1), sizeof row->id);
	g_strlcpy(row->name, query_text(query, 2), sizeof row->name);
	g_strlcpy(row->space, query_text(query, 3), sizeof row->space);
	g_strlcpy(row->adjacent_space, query_text(query, 4), sizeof row->adjacent_space);
	query_end(query);
	return RESULT_OK;
}

const struct registry_object registry_doorway = {
	.name = "doorway",
	.members = members,
	.member_count = G_N_ELEMENTS(members),
	.row_size = sizeof(struct row),
	.blank = &blank,
	.load = load,
};

bool doorway_derive_effects(struct store *store, int64_t doorway)
{
	int64_t changed = 0;
	static const enum sql parts[] = {SQL_DOORWAY_EFFECTS_REMOVE_WRONG,
					 SQL_DOORWAY_EFFECTS_ADD_MISSING};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		struct query *query = store_query(store, parts[i]);

		query_bind_integer(query, 1, doorway);
		changed += query_run(query);
	}
	if (changed > 0)
		attribution_forget(store);
	return changed > 0;
}

enum result doorway_keep_past(struct command *command, const char *member, int64_t doorway)
{
	instant horizon = retention_horizon(command->store);
	struct query *query = store_query(command->store, SQL_DOORWAY_INSTALLED_BEFORE);
	bool counted;

	query_bind_integer(query, 1, doorway);
	query_bind_integer(query, 2, horizon);
	counted = query_next(query);
	query_end(query);
	return counted ? command_keep_past(command, member, horizon - 1) : RESULT_OK;
}

/* Affected spaces: a set of keys. */

struct affected {
	struct store *store;
	GHashTable *spaces; /* of int64_t */
};

struct affected *affected_new(struct store *store)
{
	struct affected *affected = g_new(struct affected, 1);

	affected->store = store;
	affected->spaces = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	return affected;
}

void affected_free(struct affected *affected)
{
	if (affected == NULL)
		return;
	g_hash_table_unref(affected->spaces);
	g_free(affected);
}

void affected_add_doorway(struct affected *affected, int64_t doorway)
{
	struct query *query = store_query(affected->store, SQL_DOORWAY_EFFECTS);

	query_bind_integer(query, 1, doorway);
	while (query_next(query)) {
		int64_t space = query_integer(query, 0);
		g_hash_table_add(affected->spaces, g_memdup2(&space, sizeof space));
	}
}

void affected_derive(struct affected *affected, instant from, instant until)
{
	GHashTableIter each;
	gpointer space;

	g_hash_table_iter_init(&each, affected->spaces);
	while (g_hash_table_iter_next(&each, &space, NULL))
		occupancy_derive(affected->store, *(int64_t *)space, from, until);
}

void affected_touch(struct affected *affected)
{
	GHashTableIter each;
	gpointer space;

	g_hash_table_iter_init(&each, affected->spaces);
	while (g_hash_table_iter_next(&each, &space, NULL))
		occupancy_touch(affected->store, *(int64_t *)space);
}

/* Commands */

static enum result refer(struct command *command, const struct row *row, int64_t *ret_space,
			 int64_t *ret_adjacent_space)
{
	enum result result = command_refer(command, SQL_SPACE_KEY, "space", row->space, ret_space);

	if (result == RESULT_OK)
		result = command_refer(command, SQL_SPACE_KEY, "adjacent_space",
				       row->adjacent_space, ret_adjacent_space);
	if (result == RESULT_OK && *ret_space == *ret_adjacent_space)
		result = problem_set(command->problem, RESULT_INVALID, "adjacent_space",
				     "expected another space than '%s'", row->space);
	return result;
}

static void bind_row(struct query *query, const struct row *row, int64_t space,
		     int64_t adjacent_space)
{
	query_bind_text(query, 1, row->id);
	query_bind_text(query, 2, row->name);
	query_bind_integer(query, 3, space);
	query_bind_optional(query, 4, adjacent_space == 0 ? INT64_MIN : adjacent_space);
}

enum result doorway_create(struct command *command)
{
	struct row row = {0};
	int64_t space, adjacent_space;
	struct query *query;
	enum result result = command_read(command, &registry_doorway, true, &row);

	if (result == RESULT_OK)
		result = refer(command, &row, &space, &adjacent_space);
	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_DOORWAY_ADD);
	bind_row(query, &row, space, adjacent_space);
	if (query_run(query) == 0)
		return problem_set(command->problem, RESULT_CONFLICT, "id",
				   "there is a doorway '%s' already", row.id);
	doorway_derive_effects(command->store, store_last_id(command->store));
	return command_answer(command, &registry_doorway, row.id);
}

enum result doorway_update(struct command *command)
{
	struct row before = {0}, row;
	int64_t space, adjacent_space;
	struct query *query;
	g_autoptr(Affected) affected = affected_new(command->store);
	enum result result = command_load(command, &registry_doorway, &before);

	if (result != RESULT_OK)
		return result;
	row = before;
	result = command_read(command, &registry_doorway, false, &row);
	if (result == RESULT_OK)
		result = refer(command, &row, &space, &adjacent_space);
	if (result != RESULT_OK)
		return result;
	if (strcmp(before.id, row.id) != 0)
		return problem_set(command->problem, RESULT_INVALID, "id", "an id never changes");
	query = store_query(command->store, SQL_DOORWAY_SET);
	bind_row(query, &row, space, adjacent_space);
	query_run(query);
	affected_add_doorway(affected, row.key);
	if (doorway_derive_effects(command->store, row.key)) {
		result = doorway_keep_past(
			command, strcmp(before.space, row.space) != 0 ? "space" : "adjacent_space",
			row.key);
		if (result != RESULT_OK)
			return result;
		affected_add_doorway(affected, row.key);
		affected_derive(affected, INSTANT_FIRST, INSTANT_LAST);
	}
	return command_answer(command, &registry_doorway, row.id);
}

enum result doorway_remove(struct command *command)
{
	static const enum sql parts[] = {SQL_DOORWAY_EFFECTS_REMOVE, SQL_DOORWAY_REMOVE};
	struct row row = {0};
	struct query *query;
	enum result result = command_load(command, &registry_doorway, &row);

	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_DOORWAY_IN_USE);
	query_bind_integer(query, 1, row.key);
	if (query_next(query)) {
		query_end(query);
		return problem_set(command->problem, RESULT_CONFLICT, "id",
				   "installations still refer to '%s': remove those first", row.id);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		query = store_query(command->store, parts[i]);
		query_bind_integer(query, 1, row.key);
		query_run(query);
	}
	return RESULT_OK;
}
