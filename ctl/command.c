#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Complaints */

static void complain(const struct session *session, const char *subject, const char *text)
{
	fflush(stdout);
	fprintf(stderr, PROGRAM " %s: %s%s%s\n", session->command->name,
		subject != NULL ? subject : "", subject != NULL ? ": " : "", text);
}

void session_complain(const struct session *session, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	complain(session, NULL, text);
}

void session_complain_refused(const struct session *session, const char *subject,
			      const struct answer *answer)
{
	const char *member = json_member_text(answer->body, "member", "");
	const char *detail = json_member_text(answer->body, "detail", "");
	g_autofree char *text =
		*detail == '\0'
			? g_strdup_printf("refused with status %" G_GINT64_FORMAT, answer->status)
			: g_strconcat(member, *member != '\0' ? ": " : "", detail, NULL);

	complain(session, subject, text);
}

void session_say(const struct session *session, const char *json, const char *format, ...)
{
	va_list arguments;

	if (session->json) {
		puts(json);
		return;
	}
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* Beginning */

static GOptionContext *new_context(const struct session *session)
{
	const struct command *command = session->command;
	GOptionContext *context = g_option_context_new(command->arguments);
	g_autofree char *name = g_strconcat(PROGRAM " ", command->name, NULL);

	g_set_prgname(name);
	g_option_context_set_summary(context, command->summary);
	g_option_context_set_description(context, command->description);
	return context;
}

static bool read_options(struct session *session, const GOptionEntry *entries, char **ret_config)
{
	const GOptionEntry everywhere[] = {
		OPTIONS_EVERYWHERE(ret_config, &session->json),
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = new_context(session);
	g_autoptr(GError) error = NULL;

	if (entries != NULL)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, everywhere, NULL);
	if (g_option_context_parse(context, &session->argc, &session->argv, &error))
		return true;
	session_complain(session, "%s (see --help)", error->message);
	return false;
}

static bool check_arguments(struct session *session)
{
	const struct command *command = session->command;

	/* What GOption leaves: the name of the program, and a "--" in front of what looks like an option. */
	session->argc--;
	session->argv++;
	if (session->argc > 0 && strcmp(session->argv[0], "--") == 0) {
		session->argc--;
		session->argv++;
	}
	if (session->argc >= command->least &&
	    (command->most < 0 || session->argc <= command->most))
		return true;
	if (session->argc > command->least)
		session_complain(session, "'%s' is one argument too many (see --help)",
				 session->argv[command->most]);
	else
		session_complain(session, "expected %s (see --help)", command->arguments);
	return false;
}

bool session_read_arguments(struct session *session, const GOptionEntry *entries)
{
	g_autofree char *config_path = NULL;

	if (!read_options(session, entries, &config_path) || !check_arguments(session))
		return false;
	if (config_path != NULL) {
		g_free(session->config_path);
		session->config_path = g_steal_pointer(&config_path);
	}
	return true;
}

enum result session_configure(struct session *session, struct problem *reterr_problem)
{
	return config_read(session->config_path, &session->config, reterr_problem);
}

bool session_begin(struct session *session, const GOptionEntry *entries)
{
	struct problem problem;

	if (!session_read_arguments(session, entries))
		return false;
	if (session_configure(session, &problem) == RESULT_OK)
		return true;
	session_complain(session, "configuration: %s", problem.detail);
	return false;
}

struct broker *session_broker(struct session *session)
{
	struct problem problem;

	if (session->broker == NULL &&
	    broker_open(&session->config, &session->broker, &problem) != RESULT_OK)
		session_complain(session, "%s", problem.detail);
	return session->broker;
}

void session_disconnect(struct session *session)
{
	broker_close(session->broker);
	session->broker = NULL;
}

struct broker *session_reconnect(struct session *session)
{
	struct problem problem;

	session_disconnect(session);
	if (broker_open(&session->config, &session->broker, &problem) != RESULT_OK)
		session->broker = NULL;
	return session->broker;
}

struct store *session_store(struct session *session)
{
	struct problem problem;

	if (session->store == NULL && store_open(session->config.database, STORE_READER,
						 &session->store, &problem) != RESULT_OK)
		session_complain(session, "%s", problem.detail);
	return session->store;
}

void session_end(struct session *session)
{
	broker_close(session->broker);
	store_close(session->store);
	config_clear(&session->config);
	g_clear_pointer(&session->config_path, g_free);
}

/* Asking */

struct question {
	const struct session *session;
	broker_answered *done;
	void *context;
	enum exit_code code;
};

static void settle_question(void *context, const char *subject, const struct answer *answer)
{
	struct question *question = context;

	if (answer->status < 400) {
		question->code = EXIT_DONE;
		question->done(question->context, subject, answer);
	} else {
		question->code = EXIT_REFUSED;
		session_complain_refused(question->session, subject, answer);
	}
}

enum exit_code session_no_answer(const struct session *session)
{
	session_complain(session, "%s", broker_why(session->broker));
	return EXIT_NO_ANSWER;
}

enum exit_code session_ask(struct session *session, const GString *command, const char *subject,
			   broker_answered *done, void *context)
{
	struct question question = {.session = session, .done = done, .context = context};
	struct request request = {
		.topic = BROKER_COMMANDS,
		.payload = command->str,
		.size = command->len,
		.expires = true,
		.subject = subject,
		.handler = settle_question,
		.context = &question,
	};
	struct broker *broker = session_broker(session);

	if (broker == NULL)
		return EXIT_NO_ANSWER;
	if (broker_request(broker, &request) != RESULT_OK || broker_finish(broker) != RESULT_OK)
		return session_no_answer(session);
	return question.code;
}

/* Values */

bool session_read_time(const struct session *session, const char *option, const char *text,
		       instant *ret_instant)
{
	if (instant_parse_date(text, strlen(text), ret_instant))
		return true;
	session_complain(session,
			 "%s: expected a time such as 2026-11-23, '2026-11-23 08:15' (UTC) or "
			 "2026-11-23T08:15:30+01:00, not '%s'",
			 option, text);
	return false;
}

bool session_read_integer(const struct session *session, const char *option, const char *text,
			  int64_t min, int64_t max, int64_t *ret_value)
{
	gint64 value;

	if (g_ascii_string_to_signed(text, 10, min, max, &value, NULL)) {
		*ret_value = value;
		return true;
	}
	if (min == INT64_MIN)
		session_complain(session, "%s: expected a whole number, not '%s'", option, text);
	else
		session_complain(session,
				 "%s: expected a whole number from %" G_GINT64_FORMAT
				 " to %" G_GINT64_FORMAT ", not '%s'",
				 option, min, max, text);
	return false;
}
