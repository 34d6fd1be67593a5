/* JSON where it stands in a text: the text is judged strictly, and then walked through without anything being kept or
 * copied. For what comes often, like events; for the rest json.h is handier. */
#ifndef HEADCOUNT_JSON_SLICE_H
#define HEADCOUNT_JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* A value, or a member's name, as it is written; it lives as long as the text. */
struct json_slice {
	const char *at;
	size_t size;
};

/* What a text consists of: the outermost value, without the white space around it; and if that is an array, how many items
 * it has, and where those stand that `items`, which the caller provides, has room for. */
struct json_outline {
	struct json_slice whole;
	struct json_slice *items; /* NULL with room 0: nobody asks */
	size_t room, count;
};

/* Is this one JSON text, by the rules of json_read? If not, *reterr_why is a constant phrase. All that follows is for
 * slices of texts that have passed. */
bool json_slice_check(const char *text, size_t size, struct json_outline *outline,
		      const char **reterr_why);

enum json_kind json_slice_kind(const struct json_slice *slice);

/* Of a JSON_INTEGER, else false. */
bool json_slice_integer(const struct json_slice *slice, int64_t *ret_integer);

/* Of a JSON_TEXT; it has no NUL at its end. Where it had to be unescaped, *ret_unescaped is it, for the caller to free;
 * else NULL. */
const char *json_slice_text(const struct json_slice *slice, size_t *ret_size, char **ret_unescaped);

bool json_slice_is_text(const struct json_slice *slice, const char *expected);

/* The members of an object, one after the other. */
struct json_walk {
	const char *at, *end;
};
struct json_walk json_slice_walk(const struct json_slice *object);
bool json_walk_next(struct json_walk *walk, struct json_slice *ret_name,
		    struct json_slice *ret_value);

#endif
