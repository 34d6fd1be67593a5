#include "progress.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_US 100000
#define BAR_WIDTH 30

#define CLEAR_LINE "\r\033[K"

struct progress progress_begin(const char *what)
{
	return (struct progress){.what = what, .shown = isatty(STDERR_FILENO) == 1};
}

void progress_show(struct progress *progress, int64_t count, int64_t part, int64_t whole)
{
	static const char bar[BAR_WIDTH + 1] = "##############################";
	gint64 now = progress->shown ? g_get_monotonic_time() : 0;

	if (!progress->shown || now < progress->next_us)
		return;
	progress->next_us = now + INTERVAL_US;
	fprintf(stderr, CLEAR_LINE "%" PRId64 " %s", count, progress->what);
	if (whole > 0) {
		int64_t full = MIN(part, whole) * BAR_WIDTH / whole;

		fprintf(stderr, "  [%-*.*s] %" PRId64 "%%", BAR_WIDTH, (int)full, bar,
			MIN(part, whole) * 100 / whole);
	}
	fflush(stderr);
}

void progress_end(const struct progress *progress)
{
	if (progress->shown)
		fputs(CLEAR_LINE, stderr);
}
