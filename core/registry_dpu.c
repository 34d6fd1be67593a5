#include <stddef.h>
#include <string.h>

#include "registry_command.h"
#include "rejected.h"

struct row {
	int64_t key;
	char id[JSON_ID_SIZE];
	char name[201];
};

static const struct row blank = {0};

/* clang-format off */
static const struct member members[] = {
	{"id",   MEMBER_ID,   offsetof(struct row, id),   MEMBER_REQUIRED, 0, 0},
	{"name", MEMBER_TEXT, offsetof(struct row, name), 0, 0, 200},
};
/* clang-format on */

static enum result load(struct store *store, const char *id, void *ret_row)
{
	struct query *query = store_query(store, SQL_DPU_LOAD);
	struct row *row = ret_row;

	query_bind_text(query, 1, id);
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	row->key = query_integer(query, 0);
	g_strlcpy(row->id, query_text(query, 1), sizeof row->id);
	g_strlcpy(row->name, query_text(query, 2), sizeof row->name);
	query_end(query);
	return RESULT_OK;
}

const struct registry_object registry_dpu = {
	.name = "dpu",
	.members = members,
	.member_count = G_N_ELEMENTS(members),
	.row_size = sizeof(struct row),
	.blank = &blank,
	.load = load,
};

/* What it sent before is no_installation now instead of unknown_dpu, or the other way round. */
static void judge_rejected(struct command *command, const char *id)
{
	rejected_replay_dpu(command->store, id, command->limits->now,
			    command->limits->max_clock_skew_ms);
}

enum result dpu_create(struct command *command)
{
	struct row row = {0};
	enum result result = command_read(command, &registry_dpu, true, &row);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_DPU_ADD);
	query_bind_text(query, 1, row.id);
	query_bind_text(query, 2, row.name);
	if (query_run(query) == 0)
		return problem_set(command->problem, RESULT_CONFLICT, "id",
				   "there is a DPU '%s' already", row.id);
	judge_rejected(command, row.id);
	return command_answer(command, &registry_dpu, row.id);
}

enum result dpu_update(struct command *command)
{
	struct row before = {0}, row;
	enum result result = command_load(command, &registry_dpu, &before);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	row = before;
	result = command_read(command, &registry_dpu, false, &row);
	if (result != RESULT_OK)
		return result;
	if (strcmp(before.id, row.id) != 0)
		return problem_set(command->problem, RESULT_INVALID, "id", "an id never changes");
	query = store_query(command->store, SQL_DPU_SET);
	query_bind_text(query, 1, row.id);
	query_bind_text(query, 2, row.name);
	query_run(query);
	return command_answer(command, &registry_dpu, row.id);
}

enum result dpu_remove(struct command *command)
{
	struct row row = {0};
	enum result result = command_load(command, &registry_dpu, &row);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_DPU_IN_USE);
	query_bind_integer(query, 1, row.key);
	if (query_next(query)) {
		query_end(query);
		return problem_set(command->problem, RESULT_CONFLICT, "id",
				   "installations still refer to '%s': remove those first", row.id);
	}
	query = store_query(command->store, SQL_DPU_REMOVE);
	query_bind_integer(query, 1, row.key);
	query_run(query);
	judge_rejected(command, row.id);
	return RESULT_OK;
}

bool registry_dpu_status(struct store *store, const char *dpu_id, bool online, instant when)
{
	struct query *query = store_query(store, SQL_DPU_SET_ONLINE);
	g_autoptr(Affected) affected = affected_new(store);

	query_bind_text(query, 1, dpu_id);
	query_bind_integer(query, 2, online);
	query_bind_integer(query, 3, when);
	if (query_run(query) == 0)
		return false;
	/* Those to come, too: until this is committed, they may have come, and be seen with the status of before. */
	query = store_query(store, SQL_DPU_DOORWAYS_FROM);
	query_bind_text(query, 1, dpu_id);
	query_bind_integer(query, 2, when);
	while (query_next(query))
		affected_add_doorway(affected, query_integer(query, 0));
	affected_touch(affected);
	return true;
}
