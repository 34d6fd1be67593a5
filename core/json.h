/* JSON, read strictly and written plainly. Only json.c knows json-c. */
#ifndef HEADCOUNT_JSON_H
#define HEADCOUNT_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instant.h"
#include "result.h"

#define JSON_DEPTH 16 /* nested deeper than this is refused */

/* A value of a parsed text; values inside it live as long as the outermost one. */
typedef struct json Json; /* for g_autoptr */

enum json_kind {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER, /* a number without fraction and exponent, within -INT64_MAX…INT64_MAX */
	JSON_NUMBER,  /* any other number */
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* Reads one JSON text as RFC 8259 has it: UTF-8, nothing else before or after, no NaN, no single quotes, no
 * comments; and no member name twice or with a NUL in it. NULL if it isn't; *reterr_why is then a constant phrase.
 * The caller owns the result (json_free). `text` needs no NUL. */
struct json *json_read(const char *text, size_t size, const char **reterr_why);
void json_free(struct json *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_free)

enum json_kind json_kind(const struct json *json);
int64_t json_integer(const struct json *json); /* of a JSON_INTEGER */
bool json_boolean(const struct json *json);    /* of a JSON_BOOLEAN */
/* Of a JSON_TEXT, which may hold NULs; of a JSON_NUMBER its digits. */
const char *json_text(const struct json *json, size_t *ret_size);
size_t json_length(const struct json *array);
const struct json *json_item(const struct json *array, size_t index);
const struct json *json_member(const struct json *object, const char *name); /* NULL if absent */
/* The same for a member of one kind: `otherwise` if it is absent or of another. */
int64_t json_member_integer(const struct json *object, const char *name, int64_t otherwise);
const char *json_member_text(const struct json *object, const char *name, const char *otherwise);
void json_each_member(const struct json *object,
		      void (*found)(void *context, const char *name, const struct json *value),
		      void *context);

/* The value as JSON again; lives as long as the value. */
const char *json_as_written(const struct json *json);

/* Writing: each call appends to a GString; commas come by themselves. `name` is NULL inside an array and for
 * the outermost value, else plain ASCII of ours that needs no escape. */
void json_begin_object(GString *out, const char *name);
void json_end_object(GString *out);
void json_begin_array(GString *out, const char *name);
void json_end_array(GString *out);
void json_add_text(GString *out, const char *name, const char *text); /* NULL writes null */
void json_add_text_sized(GString *out, const char *name, const char *text, size_t size);
void json_add_integer(GString *out, const char *name, int64_t value);
void json_add_number(GString *out, const char *name, double value, int decimals); /* at most */
void json_add_boolean(GString *out, const char *name, bool value);
void json_add_null(GString *out, const char *name);
void json_add_instant(GString *out, const char *name, instant when); /* INSTANT_NONE writes null */

/* The members of an object kept in a struct: one table reads and writes them. */
enum member_type {
	MEMBER_ID,      /* char[65]: 1-64 characters of A-Z a-z 0-9 . _ : -; "" is null */
	MEMBER_TEXT,    /* char[max + 1]: UTF-8 without control characters, at most max bytes */
	MEMBER_ZONE,    /* char[65]: an IANA timezone name that the system knows */
	MEMBER_INTEGER, /* int64_t within min…max; INT64_MIN is null */
	MEMBER_INSTANT, /* instant, in any form that instant_parse takes; INSTANT_NONE is null */
	MEMBER_CLOCK,   /* int64_t minute of the day, written "04:00"; INT64_MIN is null */
};
enum member_flag {
	/* May not be null; on creation it must be given, or the struct hold a default. */
	MEMBER_REQUIRED = 1,
	MEMBER_FIXED = 2, /* can't be given by a sender: written only */
};
struct member {
	const char *name;
	enum member_type type;
	size_t offset; /* within the struct */
	unsigned flags;
	int64_t min, max;
};

/* Reads the members that `object` has into the struct, leaving the others as they are. A member that the
 * table has not, or one that is not as the table says, is a RESULT_INVALID that names it. With `creating`,
 * no required member may be null in the end. */
MUST_USE enum result json_read_members(const struct json *object, const struct member *members,
				       size_t count, bool creating, void *into,
				       struct problem *reterr_problem);
void json_add_members(GString *out, const struct member *members, size_t count, const void *from);

#define JSON_ID_SIZE 65
bool json_is_id(const char *text, size_t size); /* may it be the id of a space, doorway or DPU? */

#endif
