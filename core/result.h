/* What a call can come to, as far as callers act on it differently, and why something from outside
 * was refused. */
#ifndef HEADCOUNT_RESULT_H
#define HEADCOUNT_RESULT_H

#define MUST_USE __attribute__((warn_unused_result))

enum result {
	RESULT_OK = 0,
	RESULT_DUPLICATE, /* known already; nothing was done, nothing is wrong */
	RESULT_INVALID,   /* what was asked can't be understood or is out of range */
	RESULT_NOT_FOUND, /* it names something that does not exist */
	RESULT_CONFLICT,  /* a rule of the data forbids it */
	RESULT_BUSY,      /* not now; the same call may succeed later */
	RESULT_FAILED,    /* disk, memory or another program; the message is logged at the edge */
};

/* A refusal for its sender: the member or parameter at fault ("" if none) and one sentence that says
 * what was expected. */
struct problem {
	char member[32];
	char detail[224];
};

/* Fills in a problem and returns the result given, so that a refusal is one line. Long texts are cut. */
enum result problem_set(struct problem *problem, enum result result, const char *member,
			const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
