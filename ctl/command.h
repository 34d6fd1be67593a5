/* A command of the command line, and what all commands share: options, configuration, the gateway, the database. */
#ifndef HEADCOUNT_COMMAND_H
#define HEADCOUNT_COMMAND_H

#include <glib.h>
#include <stdbool.h>

#include "broker.h"
#include "config.h"
#include "store.h"

#define PROGRAM "headcount"

/* The options of all commands, which may stand in front of a command's name too. */
#define OPTIONS_EVERYWHERE(config_path, json)                                                      \
	{"config",                                                                                 \
	 'c',                                                                                      \
	 0,                                                                                        \
	 G_OPTION_ARG_FILENAME,                                                                    \
	 config_path,                                                                              \
	 "Read this configuration (default: $HEADCOUNT_CONFIG, then "                              \
	 "/etc/headcount/headcount.conf)",                                                         \
	 "FILE"},                                                                                  \
	{                                                                                          \
		"json", 0, 0, G_OPTION_ARG_NONE, json, "Write JSON", NULL                          \
	}

enum exit_code {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,   /* it was refused or has failed, or something was found wrong */
	EXIT_USAGE = 2,     /* unknown command, option or configuration: nothing was tried */
	EXIT_NO_ANSWER = 3, /* the broker or the gateway does not answer */
};

struct session;

typedef enum exit_code command_run(struct session *session);

struct command {
	const char *name;      /* one word, or an object and what is done to it */
	const char *arguments; /* as the usage line shows them */
	int least, most;       /* how many of them there are; most -1: any number */
	command_run *run;
	const char *summary;     /* one line */
	const char *description; /* what else --help says; NULL: nothing */
	const void *details;     /* for commands that share a `run` */
};

/* One run of a command. */
struct session {
	const struct command *command;
	int argc;
	char **argv;       /* behind the command's name; after session_begin the arguments alone */
	char *config_path; /* owned; NULL: the usual places */
	gboolean json;     /* output is for programs */
	struct config config;
	struct broker *broker; /* NULL: not connected */
	struct store *store;   /* NULL: not open */
};

/* Reads the command's options into what the entries point to, checks the number of arguments and reads the
 * configuration. False if something is wrong, which is said then: EXIT_USAGE. `entries` may be NULL. */
bool session_begin(struct session *session, const GOptionEntry *entries);

/* The same in two steps, for a command that goes on if the configuration can't be read. */
bool session_read_arguments(struct session *session, const GOptionEntry *entries);
MUST_USE enum result session_configure(struct session *session, struct problem *reterr_problem);

/* The connection to the broker, made when it is first asked for; NULL if there is none, which is said then:
 * EXIT_NO_ANSWER. */
struct broker *session_broker(struct session *session);

/* Ends the connection; makes it anew, once and without a word: NULL if that fails. */
void session_disconnect(struct session *session);
struct broker *session_reconnect(struct session *session);

/* Sends a registry command and waits for the answer: calls `done` with it, or says what was refused. */
enum exit_code session_ask(struct session *session, const GString *command, const char *subject,
			   broker_answered *done, void *context);

/* Says why the broker failed: EXIT_NO_ANSWER. */
enum exit_code session_no_answer(const struct session *session);

/* The database, read-only; NULL if it can't be opened, which is said then: EXIT_REFUSED. */
struct store *session_store(struct session *session);

/* Ends connections and frees what the session holds. */
void session_end(struct session *session);

/* Says on standard error what is wrong: "headcount space add: …". */
void session_complain(const struct session *session, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same for what the gateway refused: its problem's member and detail, after the subject. */
void session_complain_refused(const struct session *session, const char *subject,
			      const struct answer *answer);

/* A line on standard output; with --json the JSON text instead. */
void session_say(const struct session *session, const char *json, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* What an option's text means; false if it means nothing, which is said then, naming the option. Any integer will do if
 * min is INT64_MIN. */
bool session_read_time(const struct session *session, const char *option, const char *text,
		       instant *ret_instant);
bool session_read_integer(const struct session *session, const char *option, const char *text,
			  int64_t min, int64_t max, int64_t *ret_value);

#endif
