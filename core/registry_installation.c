#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "attribution.h"
#include "occupancy.h"
#include "registry_command.h"
#include "rejected.h"
#include "retention.h"

struct row {
	int64_t key;
	char dpu[JSON_ID_SIZE];
	char doorway[JSON_ID_SIZE];
	instant started_at;
	instant ended_at; /* INSTANT_NONE: active */
	int64_t orientation;
};

static const struct row blank = {
	.started_at = INSTANT_NONE, .ended_at = INSTANT_NONE, .orientation = 1};

/* clang-format off */
static const struct member members[] = {
	{"id",          MEMBER_INTEGER, offsetof(struct row, key),         MEMBER_FIXED, 0, 0},
	{"dpu",         MEMBER_ID,      offsetof(struct row, dpu),         MEMBER_REQUIRED, 0, 0},
	{"doorway",     MEMBER_ID,      offsetof(struct row, doorway),     MEMBER_REQUIRED, 0, 0},
	{"started_at",  MEMBER_INSTANT, offsetof(struct row, started_at),  MEMBER_REQUIRED, 0, 0},
	{"ended_at",    MEMBER_INSTANT, offsetof(struct row, ended_at),    0, 0, 0},
	{"orientation", MEMBER_INTEGER, offsetof(struct row, orientation), MEMBER_REQUIRED, -1, 1},
};
/* clang-format on */

static enum result load_where(struct query *query, struct row *row)
{
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	row->key = query_integer(query, 0);
	g_strlcpy(row->dpu, query_text(query, 1), sizeof row->dpu);
	g_strlcpy(row->doorway, query_text(query, 2), sizeof row->doorway);
	row->started_at = query_integer(query, 3);
	row->ended_at = query_optional(query, 4);
	row->orientation = query_integer(query, 5);
	query_end(query);
	return RESULT_OK;
}

static enum result load(struct store *store, const char *id, void *ret_row)
{
	struct query *query = store_query(store, SQL_INSTALLATION_LOAD);

	query_bind_integer(query, 1, g_ascii_strtoll(id, NULL, 10));
	return load_where(query, ret_row);
}

const struct registry_object registry_installation = {
	.name = "installation",
	.members = members,
	.member_count = G_N_ELEMENTS(members),
	.row_size = sizeof(struct row),
	.blank = &blank,
	.load = load,
};

static enum result answer(struct command *command, int64_t key)
{
	g_autofree char *id = g_strdup_printf("%" PRId64, key);

	return command_answer(command, &registry_installation, id);
}

/* The times of the first and last event that an installation has stored; false if it has none. */
static bool event_times(struct store *store, int64_t installation, instant *ret_first,
			instant *ret_last)
{
	struct query *query = store_query(store, SQL_INSTALLATION_EVENT_TIMES);

	query_bind_integer(query, 1, installation);
	if (query_next(query)) {
		*ret_first = query_optional(query, 0);
		*ret_last = query_optional(query, 1);
	}
	query_end(query);
	return *ret_first != INSTANT_NONE;
}

/* Moves the events before `from` and from `until` on to the rejected ones, since nothing else covers their times:
 * installations of a DPU do not overlap. */
static void release_events(struct store *store, const struct row *row, instant from, instant until)
{
	struct query *query = store_query(store, SQL_INSTALLATION_EVENTS_OUTSIDE);
	g_autofree char *topic = g_strdup_printf("dpu/%s/events", row->dpu);
	g_autoptr(GString) item = g_string_new(NULL);

	query_bind_integer(query, 1, row->key);
	query_bind_integer(query, 2, from);
	query_bind_integer(query, 3, until);
	while (query_next(query)) {
		g_string_truncate(item, 0);
		json_begin_object(item, NULL);
		json_add_instant(item, "dpu_event_time", query_integer(query, 0));
		json_add_integer(item, "count", query_integer(query, 2));
		json_add_integer(item, "seq", query_integer(query, 1));
		json_end_object(item);
		rejected_keep(store, REASON_NO_INSTALLATION, topic, row->dpu, item->str, item->len,
			      query_integer(query, 3));
	}
	query = store_query(store, SQL_INSTALLATION_EVENTS_REMOVE_OUTSIDE);
	query_bind_integer(query, 1, row->key);
	query_bind_integer(query, 2, from);
	query_bind_integer(query, 3, until);
	query_run(query);
}

static void add_affected(struct store *store, struct affected *affected, const char *doorway)
{
	affected_add_doorway(affected, registry_key(store, SQL_DOORWAY_KEY, doorway));
}

static void replay(struct command *command, const char *dpu)
{
	rejected_replay_dpu(command->store, dpu, command->limits->now,
			    command->limits->max_clock_skew_ms);
}

/* Checks what the members' table can't. */
static enum result check(struct command *command, const struct row *row, int64_t *ret_dpu,
			 int64_t *ret_doorway)
{
	enum result result = command_refer(command, SQL_DPU_KEY, "dpu", row->dpu, ret_dpu);

	if (result == RESULT_OK)
		result = command_refer(command, SQL_DOORWAY_KEY, "doorway", row->doorway,
				       ret_doorway);
	if (result == RESULT_OK && row->orientation == 0)
		result = problem_set(command->problem, RESULT_INVALID, "orientation",
				     "expected 1, or -1 if the DPU faces out");
	if (result == RESULT_OK && row->ended_at != INSTANT_NONE &&
	    row->ended_at <= row->started_at)
		result = problem_set(command->problem, RESULT_INVALID, "ended_at",
				     "expected a time after started_at");
	return result;
}

static void bind_row(struct query *query, const struct row *row, int64_t dpu, int64_t doorway)
{
	query_bind_integer(query, 1, dpu);
	query_bind_integer(query, 2, doorway);
	query_bind_integer(query, 3, row->started_at);
	query_bind_optional(query, 4, row->ended_at);
	query_bind_integer(query, 5, row->orientation);
}

/* Inserts the row and stores what it makes attributable. */
static enum result add(struct command *command, const struct row *row, int64_t *ret_key)
{
	g_autoptr(Affected) affected = affected_new(command->store);
	int64_t dpu, doorway;
	enum result result = check(command, row, &dpu, &doorway);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_INSTALLATION_ADD);
	bind_row(query, row, dpu, doorway);
	query_run(query);
	attribution_forget(command->store);
	if (store_failed(command->store))
		return RESULT_CONFLICT;
	*ret_key = store_last_id(command->store);
	replay(command, row->dpu);
	affected_add_doorway(affected, doorway);
	affected_touch(affected);
	return RESULT_OK;
}

/* Is an installation another one before the horizon than it was? What began later has nothing there. */
static enum result check_past(struct command *command, const struct row *before,
			      const struct row *row)
{
	instant horizon = retention_horizon(command->store);
	instant until_before = before->ended_at == INSTANT_NONE ? INT64_MAX : before->ended_at;
	instant until = row->ended_at == INSTANT_NONE ? INT64_MAX : row->ended_at;
	const struct {
		const char *member;
		bool same;
	} members_then[] = {
		{"started_at", before->started_at == row->started_at},
		{"ended_at", MIN(until_before, horizon) == MIN(until, horizon)},
		{"orientation", before->orientation == row->orientation},
		{"dpu", strcmp(before->dpu, row->dpu) == 0},
		{"doorway", strcmp(before->doorway, row->doorway) == 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(members_then); i++) {
		if (!members_then[i].same)
			return command_keep_past(command, members_then[i].member,
						 before->started_at);
	}
	return RESULT_OK;
}

/* Writes the changed row and brings its events where they belong now. */
static enum result set(struct command *command, const struct row *before, const struct row *row)
{
	struct store *store = command->store;
	g_autoptr(Affected) affected = affected_new(store);
	bool same_dpu = strcmp(before->dpu, row->dpu) == 0;
	instant until = row->ended_at == INSTANT_NONE ? INT64_MAX : row->ended_at;
	instant first = INSTANT_NONE, last = INSTANT_NONE;
	int64_t dpu, doorway;
	enum result result = check(command, row, &dpu, &doorway);
	bool any = event_times(store, before->key, &first, &last);
	struct query *query;

	if (result == RESULT_OK)
		result = check_past(command, before, row);
	if (result != RESULT_OK)
		return result;
	query = store_query(store, SQL_INSTALLATION_SET);
	bind_row(query, row, dpu, doorway);
	query_bind_integer(query, 6, row->key);
	query_run(query);
	attribution_forget(store);
	if (store_failed(store))
		return RESULT_CONFLICT;
	release_events(store, before, same_dpu ? row->started_at : INT64_MAX, until);
	add_affected(store, affected, before->doorway);
	add_affected(store, affected, row->doorway);
	if (any)
		affected_derive(affected, first, last);
	else
		affected_touch(affected);
	replay(command, row->dpu);
	return RESULT_OK;
}

enum result installation_create(struct command *command)
{
	struct row row = blank;
	enum result result = command_read(command, &registry_installation, true, &row);
	int64_t key;

	if (result == RESULT_OK)
		result = add(command, &row, &key);
	return result == RESULT_OK ? answer(command, key) : result;
}

enum result installation_update(struct command *command)
{
	struct row before = {0}, row;
	enum result result = command_load(command, &registry_installation, &before);

	if (result != RESULT_OK)
		return result;
	row = before;
	result = command_read(command, &registry_installation, false, &row);
	if (result == RESULT_OK)
		result = set(command, &before, &row);
	return result == RESULT_OK ? answer(command, row.key) : result;
}

enum result installation_remove(struct command *command)
{
	struct store *store = command->store;
	struct row row = {0};
	g_autoptr(Affected) affected = affected_new(store);
	instant first = INSTANT_NONE, last = INSTANT_NONE;
	enum result result = command_load(command, &registry_installation, &row);
	struct query *query;

	if (result == RESULT_OK)
		result = command_keep_past(command, "id", row.started_at);
	if (result != RESULT_OK)
		return result;
	add_affected(store, affected, row.doorway);
	if (event_times(store, row.key, &first, &last)) {
		release_events(store, &row, INT64_MAX, INT64_MAX);
		affected_derive(affected, first, last);
	} else {
		affected_touch(affected);
	}
	query = store_query(store, SQL_INSTALLATION_REMOVE);
	query_bind_integer(query, 1, row.key);
	query_run(query);
	attribution_forget(store);
	return RESULT_OK;
}

/* Moving a DPU */

struct move {
	char doorway[JSON_ID_SIZE];
	instant at;
	int64_t orientation;
};

/* clang-format off */
static const struct member move_members[] = {
	{"doorway",     MEMBER_ID,      offsetof(struct move, doorway),     MEMBER_REQUIRED, 0, 0},
	{"at",          MEMBER_INSTANT, offsetof(struct move, at),          MEMBER_REQUIRED, 0, 0},
	{"orientation", MEMBER_INTEGER, offsetof(struct move, orientation), MEMBER_REQUIRED, -1, 1},
};
/* clang-format on */

static enum result end_active(struct command *command, instant at)
{
	struct row before = {0}, row;
	struct query *query = store_query(command->store, SQL_INSTALLATION_LOAD_ACTIVE);

	query_bind_text(query, 1, command->id);
	if (load_where(query, &before) != RESULT_OK)
		return RESULT_OK; /* it hangs nowhere: moving it is installing it */
	if (before.started_at >= at)
		return problem_set(command->problem, RESULT_CONFLICT, "at",
				   "the DPU hangs at '%s' since later than that", before.doorway);
	row = before;
	row.ended_at = at;
	return set(command, &before, &row);
}

enum result dpu_move(struct command *command)
{
	struct move move = {.at = command->limits->now, .orientation = 1};
	struct row row = {.ended_at = INSTANT_NONE};
	enum result result;
	int64_t key;

	if (registry_key(command->store, SQL_DPU_KEY, command->id) == 0)
		return problem_set(command->problem, RESULT_NOT_FOUND, "id", "there is no dpu '%s'",
				   command->id);
	if (command->values == NULL)
		return problem_set(command->problem, RESULT_INVALID, "doorway", "it is missing");
	result = json_read_members(command->values, move_members, G_N_ELEMENTS(move_members), false,
				   &move, command->problem);
	if (result == RESULT_OK && move.doorway[0] == '\0')
		result = problem_set(command->problem, RESULT_INVALID, "doorway", "it is missing");
	if (result == RESULT_OK)
		result = end_active(command, move.at);
	if (result != RESULT_OK)
		return result;
	g_strlcpy(row.dpu, command->id, sizeof row.dpu);
	g_strlcpy(row.doorway, move.doorway, sizeof row.doorway);
	row.started_at = move.at;
	row.orientation = move.orientation;
	result = add(command, &row, &key);
	return result == RESULT_OK ? answer(command, key) : result;
}
