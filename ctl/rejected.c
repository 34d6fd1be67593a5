#include "commands.h"
#include "event.h"
#include "list.h"

#define LIMIT_DEFAULT 100

/* clang-format off */
static const struct column columns[] = {
	{"id", "ID"}, {"reason", "REASON"}, {"dpu", "DPU"}, {"event_received_time", "RECEIVED"},
	{"times", "TIMES"}, {"item", "ITEM"},
};
/* clang-format on */
static const struct list list = {LISTING_REJECTED_EVENTS, columns, G_N_ELEMENTS(columns)};

static bool check_reason(const struct session *session, const char *name)
{
	g_autoptr(GString) names = NULL;
	enum reason reason;

	if (name == NULL || reason_find(name, &reason))
		return true;
	names = g_string_new(NULL);
	for (reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "",
				       reason_name(reason));
	session_complain(session, "--reason: expected one of %s, not '%s'", names->str, name);
	return false;
}

enum exit_code rejected_list_run(struct session *session)
{
	g_autofree char *reason = NULL, *dpu = NULL;
	gint64 limit = LIMIT_DEFAULT, after = 0;
	const GOptionEntry entries[] = {
		{"reason", 0, 0, G_OPTION_ARG_FILENAME, &reason, "Only those rejected for this",
		 "REASON"},
		{"dpu", 0, 0, G_OPTION_ARG_FILENAME, &dpu, "Only those of this DPU", "DPU"},
		{"limit", 0, 0, G_OPTION_ARG_INT64, &limit,
		 "How many (default: " G_STRINGIFY(LIMIT_DEFAULT) "; 0: all)", "N"},
		{"after", 0, 0, G_OPTION_ARG_INT64, &after, "Only those behind this number", "ID"},
		G_OPTION_ENTRY_NULL,
	};
	g_autofree char *first = NULL;
	char next[JSON_ID_SIZE];

	if (!session_begin(session, entries) || !check_reason(session, reason))
		return EXIT_USAGE;
	if (limit < 0 || after < 0) {
		session_complain(session, "--limit, --after: expected no negative number");
		return EXIT_USAGE;
	}
	first = g_strdup_printf("%" G_GINT64_FORMAT, after);
	if (!list_print(session, &list,
			&(struct listing_page){
				.after = first, .limit = limit, .dpu_id = dpu, .reason = reason},
			next))
		return EXIT_REFUSED;
	if (*next != '\0')
		session_complain(session, "there are more: go on with --after %s", next);
	return EXIT_DONE;
}

/* Replaying and removing */

static const char *plural(int64_t count)
{
	return count == 1 ? "" : "s";
}

static void say_replayed(void *session, const char *subject, const struct answer *answer)
{
	const struct json *tally = answer->body;

	(void)subject;
	session_say(session, json_as_written(tally),
		    "%" G_GINT64_FORMAT " stored, %" G_GINT64_FORMAT
		    " duplicate%s, %" G_GINT64_FORMAT " rejected again",
		    json_member_integer(tally, "stored", 0),
		    json_member_integer(tally, "duplicates", 0),
		    plural(json_member_integer(tally, "duplicates", 0)),
		    json_member_integer(tally, "rejected", 0));
}

static void say_removed(void *session, const char *subject, const struct answer *answer)
{
	(void)subject;
	session_say(session, json_as_written(answer->body), "%" G_GINT64_FORMAT " removed",
		    json_member_integer(answer->body, "removed", 0));
}

struct choice {
	char *reason, *dpu;
	gboolean all;
};

static GString *write_command(const struct session *session, const char *action,
			      const struct choice *choice)
{
	GString *command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", action);
	json_add_text(command, "object", "rejected-event");
	if (session->argc > 0)
		json_add_text(command, "id", session->argv[0]);
	json_begin_object(command, "values");
	if (choice->reason != NULL)
		json_add_text(command, "reason", choice->reason);
	if (choice->dpu != NULL)
		json_add_text(command, "dpu", choice->dpu);
	json_end_object(command);
	json_end_object(command);
	return command;
}

static bool is_chosen(const struct session *session, const struct choice *choice)
{
	bool some = session->argc > 0 || choice->reason != NULL || choice->dpu != NULL;

	if (some == !choice->all)
		return true;
	session_complain(session,
			 "which? expected a number, --reason, --dpu or --all (see --help)");
	return false;
}

static enum exit_code act(struct session *session, const char *action, broker_answered *done)
{
	struct choice choice = {0};
	const GOptionEntry entries[] = {
		{"reason", 0, 0, G_OPTION_ARG_FILENAME, &choice.reason,
		 "All that were rejected for this", "REASON"},
		{"dpu", 0, 0, G_OPTION_ARG_FILENAME, &choice.dpu, "All of this DPU", "DPU"},
		{"all", 0, 0, G_OPTION_ARG_NONE, &choice.all, "All", NULL},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code = EXIT_USAGE;

	if (session_begin(session, entries) && check_reason(session, choice.reason) &&
	    is_chosen(session, &choice)) {
		g_autoptr(GString) command = write_command(session, action, &choice);

		code = session_ask(session, command, "rejected events", done, session);
	}
	g_free(choice.reason);
	g_free(choice.dpu);
	return code;
}

enum exit_code rejected_replay_run(struct session *session)
{
	return act(session, "replay", say_replayed);
}

enum exit_code rejected_remove_run(struct session *session)
{
	return act(session, "delete", say_removed);
}
