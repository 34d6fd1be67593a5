#include <stddef.h>

#include "registry_command.h"
#include "retention.h"

struct row {
	instant before;
};

/* clang-format off */
static const struct member members[] = {
	{"before", MEMBER_INSTANT, offsetof(struct row, before), MEMBER_REQUIRED, 0, 0},
};
/* clang-format on */

enum result command_keep_past(struct command *command, const char *member, instant when)
{
	instant horizon = retention_horizon(command->store);
	char text[INSTANT_TEXT_SIZE];

	if (when >= horizon)
		return RESULT_OK;
	instant_format(horizon, text);
	return problem_set(
		command->problem, RESULT_CONFLICT, member,
		"it would change what was before %s: the crossings of that time are gone, "
		"and what they came to stays",
		text);
}

/* Its crossings go afterwards, bit by bit (pruning.h). */
enum result history_prune(struct command *command)
{
	struct row row = {.before = INSTANT_NONE};
	enum result result;

	if (command->values == NULL)
		return problem_set(command->problem, RESULT_INVALID, "before", "it is missing");
	result = json_read_members(command->values, members, G_N_ELEMENTS(members), true, &row,
				   command->problem);
	if (result == RESULT_OK)
		result = retention_move(command->store, row.before, command->limits->now,
					command->problem);
	if (result != RESULT_OK)
		return result;
	json_begin_object(command->body, NULL);
	json_add_members(command->body, members, G_N_ELEMENTS(members), &row);
	json_end_object(command->body);
	return RESULT_OK;
}
