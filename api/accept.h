/* What a client takes: the headers Accept, Accept-Encoding and If-None-Match (RFC 9110). */
#ifndef HEADCOUNT_ACCEPT_H
#define HEADCOUNT_ACCEPT_H

#include <stdbool.h>

/* How much a header Accept (NULL: absent) likes a type such as "text/csv": 0 (not at all) to 1000. */
int accept_quality(const char *header, const char *type);

/* The same of Accept-Encoding for a coding such as "gzip"; an absent header likes none. */
int accept_coding_quality(const char *header, const char *coding);

/* Is the type of a header Content-Type, whatever its parameters, the one given? */
bool accept_is_type(const char *content_type, const char *type);

/* Does a header If-None-Match (NULL: absent) name the tag, weakly compared? */
bool accept_names_tag(const char *header, const char *tag);

#endif
