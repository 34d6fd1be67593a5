/* JSON where it stands in a text: judged strictly, and told piece by piece without anything being kept or copied. For what
 * comes often, like events; for the rest json.h is handier. */
#ifndef HEADCOUNT_JSON_SLICE_H
#define HEADCOUNT_JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json.h"

/* A value, or a member's name, as it is written; it lives as long as the text. */
struct json_slice {
	const char *at;
	size_t size;
};

/* Who is told of what a text consists of, in the order in which it stands: the items of an outermost array, or an outermost
 * object as the one item; nothing of any other value. `member` is called for each member of an item that is an object, `item` after them. What was told
 * counts only if the text passes. */
struct json_visitor {
	void (*member)(void *context, const struct json_slice *name,
		       const struct json_slice *value);
	void (*item)(void *context, const struct json_slice *item);
	void *context;
};

/* Is this one JSON text, by the rules of json_read? If not, *reterr_why is a constant phrase; else it stays as it was. The visitor may
 * be NULL, and the text of no bytes, as libmosquitto has it. */
bool json_slice_check(const char *text, size_t size, const struct json_visitor *visitor,
		      const char **reterr_why);

/* Of slices of a text that passes, or has passed up to their end: */
enum json_kind json_slice_kind(const struct json_slice *slice);

/* Of a JSON_INTEGER, else false. */
bool json_slice_integer(const struct json_slice *slice, int64_t *ret_integer);

/* Of a JSON_TEXT; it has no NUL at its end. Where it had to be unescaped, *ret_unescaped is it, for the caller to free;
 * else NULL. */
const char *json_slice_text(const struct json_slice *slice, size_t *ret_size, char **ret_unescaped);

/* The part of json_slice_is_text that comes seldom. */
bool json_slice_is_text_unescaped(const struct json_slice *slice, const char *expected);

/* In the header, so that the length of a constant text costs nothing. What is escaped is longer than what it means. */
static inline bool json_slice_is_text(const struct json_slice *slice, const char *expected)
{
	size_t size = strlen(expected) + strlen("\"\"");

	if (slice->size > size)
		return json_slice_is_text_unescaped(slice, expected);
	return slice->size == size && memcmp(slice->at + 1, expected, size - 2) == 0;
}

#endif
