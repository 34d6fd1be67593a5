/* Crossings of long ago go; what every hour came to stays. */
#include <glib.h>
#include <inttypes.h>
#include <unistd.h>

#include "commands.h"
#include "progress.h"
#include "retention.h"

#define LOOK_US 200000

static void take_horizon(void *context, const char *subject, const struct answer *answer)
{
	char *text = context;

	(void)subject;
	g_strlcpy(text, json_member_text(answer->body, "before", ""), INSTANT_TEXT_SIZE);
}

static enum exit_code move_horizon(struct session *session, instant before, char *ret_horizon)
{
	g_autoptr(GString) command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", "prune");
	json_add_text(command, "object", "history");
	json_begin_object(command, "values");
	json_add_instant(command, "before", before);
	json_end_object(command);
	json_end_object(command);
	return session_ask(session, command, "history", take_horizon, ret_horizon);
}

/* Waiting for the gateway */

static enum result read_retention(struct store *store, void *context)
{
	*(struct retention *)context = retention_read(store);
	return RESULT_OK;
}

/* How large the file is shows best how far it is. */
static enum exit_code wait_until_done(struct session *session)
{
	struct store *store = session_store(session);
	struct progress progress = progress_begin("MB");
	struct retention retention = {0};
	enum result result = RESULT_FAILED;

	if (store == NULL)
		return EXIT_REFUSED;
	do {
		g_usleep(LOOK_US);
		result = store_transaction(store, read_retention, &retention);
		progress_show(&progress, store_file_bytes(store) / 1000000, 0, 0);
	} while (result == RESULT_BUSY ||
		 (result == RESULT_OK && retention.pruned < retention.horizon));
	progress_end(&progress);
	if (result == RESULT_OK)
		return EXIT_DONE;
	session_complain(session, "%s: %s", session->config.database, store_error(store));
	return EXIT_REFUSED;
}

static void say_pruned(const struct session *session, const char *horizon, bool done)
{
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_text(json, "horizon", horizon);
	json_add_boolean(json, "done", done);
	json_end_object(json);
	session_say(session, json->str, "the crossings before %s %s", horizon,
		    done ? "are gone" : "go, bit by bit");
}

enum exit_code prune_run(struct session *session)
{
	g_autofree char *before = NULL;
	gboolean no_wait = FALSE;
	const GOptionEntry entries[] = {
		{"before", 0, 0, G_OPTION_ARG_STRING, &before,
		 "Crossings before it go: a date, or a whole hour in UTC. Needed", "TIME"},
		{"no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait,
		 "End when the gateway has begun; it goes on by itself", NULL},
		G_OPTION_ENTRY_NULL,
	};
	char horizon[INSTANT_TEXT_SIZE] = "";
	enum exit_code code;
	instant when;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	if (before == NULL) {
		session_complain(session, "--before is needed (see --help)");
		return EXIT_USAGE;
	}
	if (!session_read_time(session, "--before", before, &when))
		return EXIT_USAGE;
	code = move_horizon(session, when, horizon);
	if (code == EXIT_DONE && !no_wait)
		code = wait_until_done(session);
	if (code == EXIT_DONE)
		say_pruned(session, horizon, !no_wait);
	return code;
}
