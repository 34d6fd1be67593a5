/* Commands to the registry, one a line, each in its own transaction. Whatever they are, each is answered, and the database
 * is sound after it; what is refused has changed nothing. */
#include "registry.h"

#include <string.h>

#include "fuzz.h"
#include "world.h"

#define COMMANDS_MOST 8

struct command {
	const char *text;
	size_t size;
	instant now;
	GString *answer;
};

static enum result carry_out(struct store *store, void *context)
{
	struct command *command = context;
	const struct registry_limits limits = {.now = command->now, .max_clock_skew_ms = 60000};

	registry_command(store, command->text, command->size, &limits, command->answer);
	return RESULT_OK;
}

/* *facts is what was known before, and then what is. */
static void check_command(struct store *store, struct command *command, char **facts)
{
	g_autofree char *before = *facts;

	command->answer = g_string_new(NULL);
	g_assert(store_transaction(store, carry_out, command) == RESULT_OK);
	world_check_answer(command->answer->str, command->answer->len);
	world_check(store);
	*facts = world_facts();
	if (strstr(command->answer->str, "\"status\":4") != NULL)
		g_assert(strcmp(before, *facts) == 0);
	g_string_free(command->answer, TRUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = world_reset();
	g_autofree char *facts = world_facts();
	const char *at = (const char *)data, *end = at + size;
	struct problem problem;
	struct store *store;

	g_assert(store_open(path, STORE_WRITER, &store, &problem) == RESULT_OK);
	for (int i = 0; i < COMMANDS_MOST && at < end; i++) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		struct command command = {.text = at, .now = WORLD_NOW + i * INSTANT_MINUTE};

		command.size = (size_t)((line_end != NULL ? line_end : end) - at);
		check_command(store, &command, &facts);
		at += command.size + 1;
	}
	store_close(store);
	return 0;
}
