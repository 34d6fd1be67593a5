#include "log.h"

#include <glib.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define LINE_BYTES 1024 /* a longer line is cut */

static const struct {
	const char *name;
	const char *priority; /* what the journal wants in front of a line */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", SD_ERR},      [LOG_LEVEL_WARNING] = {"warning", SD_WARNING},
	[LOG_LEVEL_NOTICE] = {"notice", SD_NOTICE}, [LOG_LEVEL_INFO] = {"info", SD_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", SD_DEBUG},
};

static const char *program_name = "headcount";
static enum log_level lowest_level = LOG_LEVEL_NOTICE;
static bool journal_reads;

/* systemd names the journal's socket in the environment, so that a program can tell whether its standard error
 * still is that one (systemd.exec(5), $JOURNAL_STREAM). */
static bool is_journal(int descriptor)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat status;

	if (stream == NULL || fstat(descriptor, &status) < 0)
		return false;
	snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return strcmp(stream, own) == 0;
}

void log_start(const char *program, enum log_level lowest)
{
	program_name = program;
	lowest_level = lowest;
	journal_reads = is_journal(STDERR_FILENO);
}

bool log_level_find(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Topics and payloads come from anybody: an event stays one line, whatever is in it. */
static void make_one_line(char *text)
{
	for (; *text != '\0'; text++) {
		if (g_ascii_iscntrl(*text))
			*text = '?';
	}
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	if (level > lowest_level)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	make_one_line(line);
	if (journal_reads)
		fprintf(stderr, "%s%s\n", levels[level].priority, line);
	else
		fprintf(stderr, "%s: %s: %s\n", program_name, levels[level].name, line);
}
