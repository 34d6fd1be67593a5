/* One line an event on standard error: "dpu/423/events: rejected: …", with the journal's priority in front
 * when the journal reads (sd-daemon(3)). Core never logs; the programs do, at their edge.
 *
 * What comes from outside can neither end a line nor fill a disk: what is not printable is escaped, a line has a bound,
 * and of each place in the code only the first few in a minute are said, the others counted: "… and 4211 more". */
#ifndef HEADCOUNT_LOG_H
#define HEADCOUNT_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON, /* an object a line: time, level, program, subject if there is one, message */
};

/* A place in the code that logs, and what it has said in this minute. The macros below make one each. */
struct log_place {
	int64_t began; /* monotonic µs, of its minute; 0: it has said nothing yet */
	unsigned said;
	uint64_t more;        /* that were only counted */
	enum log_level level; /* of what was said last */
	char *text;           /* that, once no more may be said; else NULL */
	bool is_listed;       /* among those that log_tend looks at */
	struct log_place *next;
};

/* Before that: text, everything up to notice. May be called again. */
void log_start(const char *program, enum log_level lowest, enum log_format format);
bool log_level_find(const char *name, enum log_level *ret_level);
bool log_format_find(const char *name, enum log_format *ret_format);

/* `format` begins with the subject, one word and a colon, where there is one. From any thread. */
void log_line(struct log_place *place, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Says how many more there were, where a minute is over. To be called now and then. */
void log_tend(void);

/* The same for all, at the end. */
void log_finish(void);

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		static struct log_place this_place;                                                \
		log_line(&this_place, level, __VA_ARGS__);                                         \
	} while (0)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
