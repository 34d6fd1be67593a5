/* How far something is, shown on a terminal only, on standard error. */
#ifndef HEADCOUNT_PROGRESS_H
#define HEADCOUNT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "rows" */
	bool shown;       /* standard error is a terminal */
	int64_t next_us;  /* when it is shown next, monotonic */
};

struct progress progress_begin(const char *what);

/* `part` of `whole` is done, which makes `count` things; whole 0: not known. Cheap to call often. */
void progress_show(struct progress *progress, int64_t count, int64_t part, int64_t whole);

void progress_end(const struct progress *progress); /* takes it off the terminal */

#endif
