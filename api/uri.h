/* The target of a request (RFC 3986), taken apart and decoded: /spaces/A/counts?start=2026-11-23+08:00 */
#ifndef HEADCOUNT_URI_H
#define HEADCOUNT_URI_H

#include <stdbool.h>
#include <stddef.h>

#define URI_SEGMENTS 6
#define URI_PARAMETERS 16

struct uri_parameter {
	char *name, *value; /* U+FFFD for what is no percent-encoded UTF-8 without NULs */
};

struct uri {
	/* Of the path; "/" has one, which is empty. None, if there are more or one is no percent-encoded UTF-8. */
	char *segments[URI_SEGMENTS];
	size_t segment_count;
	struct uri_parameter parameters[URI_PARAMETERS]; /* of the query, in their order */
	size_t parameter_count;
};

/* False if it is no URI that could be ours; *reterr_why is then a constant phrase. uri_clear in any case. */
bool uri_parse(const char *text, struct uri *ret_uri, const char **reterr_why);
void uri_clear(struct uri *uri);

/* The value of the first parameter of the name; NULL if there is none. */
const char *uri_parameter(const struct uri *uri, const char *name);

/* The text with `value`, which needs no encoding, in place of the parameter `name`; the caller frees it. */
char *uri_replace(const char *text, const char *name, const char *value);

#endif
