#include <stddef.h>

#include "registry_command.h"
#include "rejected.h"

struct filter {
	char reason[32];
	char dpu[JSON_ID_SIZE];
};

/* clang-format off */
static const struct member members[] = {
	{"reason", MEMBER_TEXT, offsetof(struct filter, reason), MEMBER_REQUIRED, 0, 31},
	{"dpu",    MEMBER_ID,   offsetof(struct filter, dpu),    MEMBER_REQUIRED, 0, 0},
};
/* clang-format on */

/* What is given must say something: an empty filter would mean all, and be a slip. */
static bool is_given(const struct command *command, const char *name)
{
	return command->values != NULL && json_member(command->values, name) != NULL;
}

static enum result read_filter(struct command *command, struct filter *values,
			       struct rejected_filter *ret_filter)
{
	enum result result = RESULT_OK;
	enum reason reason;

	if (command->values != NULL)
		result = json_read_members(command->values, members, G_N_ELEMENTS(members), false,
					   values, command->problem);
	if (result != RESULT_OK)
		return result;
	if (is_given(command, "reason") && !reason_find(values->reason, &reason))
		return problem_set(command->problem, RESULT_INVALID, "reason",
				   "expected a reason of rejection, such as unknown_dpu");
	*ret_filter = (struct rejected_filter){
		.id = g_ascii_strtoll(command->id, NULL, 10),
		.reason = values->reason,
		.dpu_id = values->dpu,
	};
	if (command->id[0] != '\0' && ret_filter->id <= 0)
		return problem_set(command->problem, RESULT_INVALID, "id", "expected a number");
	return RESULT_OK;
}

static enum result write_tally(struct command *command, const struct rejected_tally *tally)
{
	json_begin_object(command->body, NULL);
	json_add_integer(command->body, "stored", tally->stored);
	json_add_integer(command->body, "duplicates", tally->duplicates);
	json_add_integer(command->body, "rejected", tally->rejected);
	json_add_integer(command->body, "removed", tally->removed);
	json_end_object(command->body);
	return RESULT_OK;
}

enum result rejected_event_replay(struct command *command)
{
	struct filter values = {0};
	struct rejected_filter filter = {0};
	struct rejected_tally tally;
	enum result result = read_filter(command, &values, &filter);

	if (result != RESULT_OK)
		return result;
	tally = rejected_replay(command->store, &filter, command->limits->now,
				command->limits->max_clock_skew_ms);
	return write_tally(command, &tally);
}

enum result rejected_event_remove(struct command *command)
{
	struct filter values = {0};
	struct rejected_filter filter = {0};
	struct rejected_tally tally = {0};
	enum result result = read_filter(command, &values, &filter);

	if (result != RESULT_OK)
		return result;
	tally.removed = rejected_remove(command->store, &filter);
	if (filter.id != 0 && tally.removed == 0)
		return problem_set(command->problem, RESULT_NOT_FOUND, "id",
				   "there is no rejected event '%s'", command->id);
	return write_tally(command, &tally);
}
