/* The database as a whole: taken away in a file, and put back. */
#include "backup.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "progress.h"

struct watching {
	struct session *session;
	struct progress bytes, spaces;
	int signals; /* signalfd: Ctrl-C leaves nothing behind */
};

static bool is_interrupted(const struct watching *watching)
{
	struct signalfd_siginfo signal;

	return read(watching->signals, &signal, sizeof signal) == (ssize_t)sizeof signal;
}

static bool show_copying(void *context, int64_t bytes, int64_t whole)
{
	struct watching *watching = context;

	progress_show(&watching->bytes, bytes / 1000000, bytes, whole);
	return !is_interrupted(watching);
}

static bool show_checking(void *context, int64_t spaces, int64_t whole)
{
	struct watching *watching = context;

	progress_show(&watching->spaces, spaces, spaces, whole);
	return !is_interrupted(watching);
}

static void say_difference(void *context, const char *space, const char *sentence)
{
	struct watching *watching = context;

	session_complain(watching->session, "%s: %s", space, sentence);
}

static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct watching begin_watching(struct session *session)
{
	return (struct watching){
		.session = session,
		.bytes = progress_begin("MB copied"),
		.spaces = progress_begin("spaces checked"),
		.signals = open_signals(),
	};
}

static void end_watching(struct watching *watching)
{
	progress_end(&watching->bytes);
	close(watching->signals);
}

static struct backup_watch watch_of(struct watching *watching, bool quick)
{
	return (struct backup_watch){
		.copying = show_copying,
		.checking = show_checking,
		.differs = say_difference,
		.context = watching,
		.quick = quick,
	};
}

/* backup */

static void say_made(const struct session *session, const char *file)
{
	g_autoptr(GString) json = g_string_new(NULL);
	g_autofree char *size = NULL;
	GStatBuf status = {0};

	(void)g_stat(file, &status);
	size = g_format_size((guint64)status.st_size);
	json_begin_object(json, NULL);
	json_add_text(json, "file", file);
	json_add_integer(json, "bytes", status.st_size);
	json_end_object(json);
	session_say(session, json->str, "%s: %s, verified", file, size);
}

enum exit_code backup_run(struct session *session)
{
	gboolean force = FALSE, quick = FALSE;
	const GOptionEntry entries[] = {
		{"force", 0, 0, G_OPTION_ARG_NONE, &force, "Replace FILE if it is there", NULL},
		{"quick", 0, 0, G_OPTION_ARG_NONE, &quick,
		 "Look at the copy's pages only, not at references and counts", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct problem problem = {0};
	struct watching watching;
	struct backup_watch watch;
	enum result result;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	watching = begin_watching(session);
	watch = watch_of(&watching, quick);
	result = backup_make(session->config.database, session->argv[0], force, &watch, &problem);
	end_watching(&watching);
	if (result != RESULT_OK) {
		session_complain(session, "%s", problem.detail);
		return EXIT_REFUSED;
	}
	say_made(session, session->argv[0]);
	return EXIT_DONE;
}

/* restore */

static void say_restored(const struct session *session, const struct backup_restored *restored)
{
	g_autoptr(GString) json = g_string_new(NULL);
	char last[INSTANT_TEXT_SIZE] = "never";

	if (restored->last_event_time != INSTANT_NONE)
		instant_format(restored->last_event_time, last);
	json_begin_object(json, NULL);
	json_add_text(json, "database", session->config.database);
	json_add_text(json, "kept", restored->kept);
	json_add_instant(json, "last_event_time", restored->last_event_time);
	json_end_object(json);
	session_say(session, json->str,
		    "%s is restored; the last crossing that it knows of: %s.\n"
		    "Whatever the gateway has stored after the backup is missing.\n"
		    "%s%s\n"
		    "Start headcount-gateway: it publishes all counts again.",
		    session->config.database, last,
		    restored->kept != NULL ? "The database of before: " : "There was none before.",
		    restored->kept != NULL ? restored->kept : "");
}

enum exit_code restore_run(struct session *session)
{
	gboolean quick = FALSE;
	const GOptionEntry entries[] = {
		{"quick", 0, 0, G_OPTION_ARG_NONE, &quick,
		 "Look at the backup's pages only, not at references and counts", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct backup_restored restored = {0};
	struct problem problem = {0};
	struct watching watching;
	struct backup_watch watch;
	enum result result;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	watching = begin_watching(session);
	watch = watch_of(&watching, quick);
	result = backup_restore(session->argv[0], session->config.database, &watch, &restored,
				&problem);
	end_watching(&watching);
	if (result == RESULT_OK)
		say_restored(session, &restored);
	else
		session_complain(session, "%s%s", problem.detail,
				 result == RESULT_BUSY ? ": nothing is changed" : "");
	g_free(restored.kept);
	return result == RESULT_OK ? EXIT_DONE : EXIT_REFUSED;
}
