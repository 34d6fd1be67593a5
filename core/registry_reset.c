#include <stddef.h>

#include "occupancy.h"
#include "registry_command.h"
#include "retention.h"
#include "zone.h"

#define DUE_SPACES 1000 /* read at a time */

struct row {
	char space[JSON_ID_SIZE];
	int64_t count;
	instant at;
};

static const struct row blank = {.count = INT64_MIN, .at = INSTANT_NONE};

/* clang-format off */
static const struct member members[] = {
	{"space", MEMBER_ID,      offsetof(struct row, space), MEMBER_REQUIRED, 0, 0},
	{"count", MEMBER_INTEGER, offsetof(struct row, count), MEMBER_REQUIRED, 0, 1000000000},
	{"at",    MEMBER_INSTANT, offsetof(struct row, at),    0, 0, 0},
};
/* clang-format on */

/* The one that counts of an instant: its id is the space's and the time in milliseconds, with a blank between. */
static enum result load(struct store *store, const char *id, void *ret_row)
{
	struct query *query = store_query(store, SQL_RESET_LOAD);
	struct row *row = ret_row;
	g_auto(GStrv) parts = g_strsplit(id, " ", 2);

	query_bind_text(query, 1, parts[0]);
	query_bind_integer(query, 2, g_ascii_strtoll(parts[1], NULL, 10));
	if (!query_next(query))
		return RESULT_NOT_FOUND;
	g_strlcpy(row->space, parts[0], sizeof row->space);
	row->at = g_ascii_strtoll(parts[1], NULL, 10);
	row->count = query_integer(query, 0);
	query_end(query);
	return RESULT_OK;
}

const struct registry_object registry_reset = {
	.name = "reset",
	.members = members,
	.member_count = G_N_ELEMENTS(members),
	.row_size = sizeof(struct row),
	.blank = &blank,
	.load = load,
};

/* The command's values and the key of its space. */
static enum result read_row(struct command *command, size_t member_count, bool creating,
			    struct row *row, int64_t *ret_space)
{
	enum result result;

	if (command->values == NULL)
		return problem_set(command->problem, RESULT_INVALID, "values", "it is missing");
	result = json_read_members(command->values, members, member_count, creating, row,
				   command->problem);
	if (result != RESULT_OK)
		return result;
	if (row->space[0] == '\0')
		return problem_set(command->problem, RESULT_INVALID, "space", "it is missing");
	*ret_space = registry_key(command->store, SQL_SPACE_KEY, row->space);
	if (*ret_space == 0)
		return problem_set(command->problem, RESULT_NOT_FOUND, "space",
				   "there is no space '%s'", row->space);
	return RESULT_OK;
}

static enum result write_row(struct command *command, const struct row *row)
{
	json_begin_object(command->body, NULL);
	json_add_members(command->body, members, G_N_ELEMENTS(members), row);
	json_end_object(command->body);
	return RESULT_OK;
}

static bool add(struct store *store, int64_t space, const struct change *change, instant received)
{
	struct query *query = store_query(store, SQL_RESET_ADD);

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, change->time);
	query_bind_integer(query, 3, change->kind == CHANGE_RESET);
	query_bind_integer(query, 4, change->value);
	query_bind_integer(query, 5, received);
	return query_run(query) > 0;
}

static bool is_same(struct store *store, int64_t space, const struct row *row)
{
	struct query *query = store_query(store, SQL_RESET_BY_PERSON);
	bool same;

	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, row->at);
	same = query_next(query) && query_integer(query, 0) == row->count;
	query_end(query);
	return same;
}

enum result reset_create(struct command *command)
{
	struct row row = {.count = INT64_MIN, .at = command->limits->now};
	struct space_change change = {0};
	enum result result = read_row(command, G_N_ELEMENTS(members), true, &row, &change.space);

	if (result != RESULT_OK)
		return result;
	if (row.at == INSTANT_NONE)
		row.at = command->limits->now;
	if (row.at > command->limits->now + command->limits->max_clock_skew_ms)
		return problem_set(command->problem, RESULT_INVALID, "at", "it lies in the future");
	result = command_keep_past(command, "at", row.at);
	if (result != RESULT_OK)
		return result;
	change.change = (struct change){.time = row.at, .kind = CHANGE_RESET, .value = row.count};
	if (add(command->store, change.space, &change.change, command->limits->now))
		occupancy_apply(command->store, &change, 1);
	else if (!is_same(command->store, change.space, &row))
		return problem_set(
			command->problem, RESULT_CONFLICT, "at",
			"there is a reset to another count at that instant: remove it first");
	return write_row(command, &row);
}

enum result reset_remove(struct command *command)
{
	struct row row = {.at = INSTANT_NONE};
	int64_t space = 0;
	enum result result = read_row(command, G_N_ELEMENTS(members), false, &row, &space);
	struct query *query;

	if (result != RESULT_OK)
		return result;
	if (row.at == INSTANT_NONE)
		return problem_set(command->problem, RESULT_INVALID, "at", "it is missing");
	result = command_keep_past(command, "at", row.at);
	if (result != RESULT_OK)
		return result;
	query = store_query(command->store, SQL_RESET_REMOVE);
	query_bind_integer(query, 1, space);
	query_bind_integer(query, 2, row.at);
	if (query_run(query) == 0)
		return problem_set(command->problem, RESULT_NOT_FOUND, "at",
				   "there is no reset of '%s' at that instant", row.space);
	occupancy_derive(command->store, space, row.at, row.at);
	return RESULT_OK;
}

/* Daily schedules */

struct schedule {
	int64_t space;
	const struct zone *zone;
	int minute_of_day;
	instant next;
};

static GArray *due_schedules(struct store *store, instant now)
{
	GArray *due = g_array_new(FALSE, FALSE, sizeof(struct schedule));
	struct query *query = store_query(store, SQL_SPACE_DUE);

	query_bind_integer(query, 1, now);
	query_bind_integer(query, 2, DUE_SPACES);
	while (query_next(query)) {
		struct schedule schedule = {
			.space = query_integer(query, 0),
			.zone = zone_find(query_text(query, 1)),
			.minute_of_day = (int)query_integer(query, 2),
			.next = query_integer(query, 3),
		};
		g_array_append_val(due, schedule);
	}
	return due;
}

static int64_t reset_until(struct store *store, struct schedule *schedule, instant now,
			   GArray *changes)
{
	instant horizon = retention_horizon(store);
	int64_t written = 0;
	struct query *query;

	while (schedule->next <= now) {
		struct space_change change = {
			.space = schedule->space,
			.change = {.time = schedule->next, .kind = CHANGE_DAILY_RESET},
		};
		if (schedule->next >= horizon && add(store, schedule->space, &change.change, now)) {
			g_array_append_val(changes, change);
			written++;
		}
		schedule->next =
			zone_next_daily(schedule->zone, schedule->minute_of_day, schedule->next);
	}
	query = store_query(store, SQL_SPACE_SET_NEXT_RESET);
	query_bind_integer(query, 1, schedule->space);
	query_bind_integer(query, 2, schedule->next);
	query_run(query);
	return written;
}

int64_t registry_daily_resets(struct store *store, instant now)
{
	int64_t written = 0;
	guint read;

	do {
		g_autoptr(GArray) due = due_schedules(store, now);
		g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct space_change));

		read = due->len;
		for (guint i = 0; i < read; i++)
			written += reset_until(store, &g_array_index(due, struct schedule, i), now,
					       changes);
		occupancy_apply(store, (struct space_change *)(void *)changes->data, changes->len);
	} while (read == DUE_SPACES && !store_failed(store));
	return written;
}

instant registry_next_daily_reset(struct store *store)
{
	struct query *query = store_query(store, SQL_SPACE_NEXT_RESET);
	instant next = query_next(query) ? query_optional(query, 0) : INSTANT_NONE;

	query_end(query);
	return next;
}
