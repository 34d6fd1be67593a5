#include "json.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

/* Checking: json-c takes much that is no JSON, so it gets to see nothing else. */

struct scan {
	const char *at, *end;
	const char *why; /* NULL: a character that is not expected there, or the text's end */
	size_t members;  /* of all objects */
	int depth;
	bool null_escaped;
};

static bool take(struct scan *scan, char wanted)
{
	if (scan->at == scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

static bool take_any(struct scan *scan, const char *wanted)
{
	if (scan->at == scan->end || *scan->at == '\0' || strchr(wanted, *scan->at) == NULL)
		return false;
	scan->at++;
	return true;
}

static void skip_space(struct scan *scan)
{
	while (take_any(scan, " \t\n\r"))
		;
}

static bool scan_word(struct scan *scan, const char *word)
{
	while (*word != '\0') {
		if (!take(scan, *word++))
			return false;
	}
	return true;
}

static bool scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && g_ascii_isdigit(*scan->at))
		scan->at++;
	return scan->at > start;
}

static bool scan_number(struct scan *scan)
{
	take(scan, '-');
	if (!take(scan, '0') && !scan_digits(scan))
		return false;
	if (take(scan, '.') && !scan_digits(scan))
		return false;
	if (take_any(scan, "eE")) {
		take_any(scan, "+-");
		return scan_digits(scan);
	}
	return true;
}

static bool scan_escape(struct scan *scan)
{
	if (!take(scan, 'u'))
		return take_any(scan, "\"\\/bfnrt");
	if (scan->end - scan->at >= 4 && memcmp(scan->at, "0000", 4) == 0)
		scan->null_escaped = true;
	for (int i = 0; i < 4; i++) {
		if (scan->at == scan->end || !g_ascii_isxdigit(*scan->at))
			return false;
		scan->at++;
	}
	return true;
}

static bool scan_text(struct scan *scan)
{
	if (!take(scan, '"'))
		return false;
	while (scan->at < scan->end && (unsigned char)*scan->at >= ' ') {
		if (take(scan, '"'))
			return true;
		if (!take(scan, '\\'))
			scan->at++;
		else if (!scan_escape(scan))
			return false;
	}
	return false;
}

static bool scan_value(struct scan *scan);

static bool scan_member(struct scan *scan)
{
	scan->null_escaped = false;
	if (!scan_text(scan))
		return false;
	if (scan->null_escaped) {
		scan->why = "a member name holds \\u0000"; /* where json-c would end it */
		return false;
	}
	scan->members++;
	skip_space(scan);
	if (!take(scan, ':'))
		return false;
	skip_space(scan);
	return scan_value(scan);
}

/* The elements of an array, or the members of an object, after the bracket. */
static bool scan_elements(struct scan *scan, bool (*scan_element)(struct scan *scan), char bracket)
{
	if (++scan->depth > JSON_DEPTH) {
		scan->why = "nested deeper than " G_STRINGIFY(JSON_DEPTH) " levels";
		return false;
	}
	skip_space(scan);
	if (!take(scan, bracket)) {
		do {
			skip_space(scan);
			if (!scan_element(scan))
				return false;
			skip_space(scan);
		} while (take(scan, ','));
		if (!take(scan, bracket))
			return false;
	}
	scan->depth--;
	return true;
}

static bool scan_value(struct scan *scan)
{
	if (take(scan, '{'))
		return scan_elements(scan, scan_member, '}');
	if (take(scan, '['))
		return scan_elements(scan, scan_value, ']');
	switch (scan->at < scan->end ? *scan->at : '\0') {
	case '"':
		return scan_text(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

static bool scan_whole(struct scan *scan)
{
	skip_space(scan);
	if (!scan_value(scan))
		return false;
	skip_space(scan);
	return scan->at == scan->end;
}

/* Reading */

/* A struct json is json-c's object by another name, but for null: json-c has none, and NULL means absent here. */
static const char null_value;

static const struct json *json_of(const struct json_object *object)
{
	return object != NULL ? (const void *)object : (const void *)&null_value;
}

static struct json_object *object_of(const struct json *json)
{
	return (const void *)json != &null_value ? (struct json_object *)json : NULL;
}

static void free_tokener(void *tokener)
{
	json_tokener_free(tokener);
}

static bool parse(const char *text, size_t size, struct json_object **ret_object)
{
	static GPrivate tokeners = G_PRIVATE_INIT(free_tokener); /* one for each thread */
	struct json_tokener *tokener = g_private_get(&tokeners);

	if (tokener == NULL) {
		tokener = json_tokener_new_ex(JSON_DEPTH + 1);
		g_private_set(&tokeners, tokener);
	}
	json_tokener_reset(tokener);
	*ret_object = json_tokener_parse_ex(tokener, text, (int)size);
	/* A number or a word might go on: a NUL says that it does not. */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		*ret_object = json_tokener_parse_ex(tokener, "", 1);
	return json_tokener_get_error(tokener) == json_tokener_success;
}

/* Of all objects in it: fewer than the text has if a name stands twice. As deep as was checked before. */
static size_t count_members(const struct json_object *object)
{
	size_t members = 0;

	if (json_object_is_type(object, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(object); i++)
			members += count_members(json_object_array_get_idx(object, i));
	} else if (json_object_is_type(object, json_type_object)) {
		const struct lh_table *table = json_object_get_object(object);
		for (const struct lh_entry *entry = table->head; entry != NULL; entry = entry->next)
			members += 1 + count_members(lh_entry_v(entry));
	}
	return members;
}

struct json *json_read(const char *text, size_t size, const char **reterr_why)
{
	struct scan scan = {.at = text, .end = text + size};
	struct json_object *object;

	if (size == 0 || size > INT_MAX) {
		*reterr_why = size == 0 ? "it is empty" : "it is too long";
		return NULL;
	}
	if (!g_utf8_validate_len(text, size, NULL)) {
		*reterr_why = "it is not UTF-8";
		return NULL;
	}
	if (!scan_whole(&scan)) {
		if (scan.why != NULL)
			*reterr_why = scan.why;
		else
			*reterr_why = scan.at == scan.end ? "it ends too early"
							  : "a character is out of place";
		return NULL;
	}
	if (!parse(text, size, &object)) {
		*reterr_why = "there is no memory for it";
		return NULL;
	}
	if (count_members(object) != scan.members) {
		*reterr_why = "a member name stands twice";
		json_object_put(object);
		return NULL;
	}
	return (struct json *)json_of(object);
}

void json_free(struct json *json)
{
	json_object_put(object_of(json));
}

/* json-c makes the nearest int64_t or uint64_t of a number that fits neither; INT64_MIN may be such a one. */
static bool is_exact(const struct json_object *integer)
{
	return json_object_get_uint64(integer) <= INT64_MAX &&
	       json_object_get_int64(integer) != INT64_MIN;
}

enum json_kind json_kind(const struct json *json)
{
	static const enum json_kind types[] = {
		[json_type_null] = JSON_NULL,     [json_type_boolean] = JSON_BOOLEAN,
		[json_type_double] = JSON_NUMBER, [json_type_int] = JSON_INTEGER,
		[json_type_object] = JSON_OBJECT, [json_type_array] = JSON_ARRAY,
		[json_type_string] = JSON_TEXT,
	};
	const struct json_object *object = object_of(json);
	enum json_kind type = types[json_object_get_type(object)];

	return type == JSON_INTEGER && !is_exact(object) ? JSON_NUMBER : type;
}

int64_t json_integer(const struct json *json)
{
	return json_object_get_int64(object_of(json));
}

bool json_boolean(const struct json *json)
{
	return json_object_get_boolean(object_of(json));
}

const char *json_text(const struct json *json, size_t *ret_size)
{
	struct json_object *object = object_of(json);
	const char *text = json_object_get_string(object);
	bool is_text = json_object_is_type(object, json_type_string);

	*ret_size = is_text ? (size_t)json_object_get_string_len(object) : strlen(text);
	return text;
}

size_t json_length(const struct json *array)
{
	return json_object_array_length(object_of(array));
}

const struct json *json_item(const struct json *array, size_t index)
{
	return json_of(json_object_array_get_idx(object_of(array), index));
}

const struct json *json_member(const struct json *object, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(object_of(object), name, &value) ? json_of(value) : NULL;
}

int64_t json_member_integer(const struct json *object, const char *name, int64_t otherwise)
{
	const struct json *member = json_member(object, name);

	return member != NULL && json_kind(member) == JSON_INTEGER ? json_integer(member)
								   : otherwise;
}

const char *json_member_text(const struct json *object, const char *name, const char *otherwise)
{
	const struct json *member = json_member(object, name);
	size_t size;

	return member != NULL && json_kind(member) == JSON_TEXT ? json_text(member, &size)
								: otherwise;
}

void json_items(const char *text, size_t size,
		void (*found)(void *context, size_t index, const char *item, size_t item_size),
		void *context)
{
	struct scan scan = {.at = text, .end = text + size};
	bool is_array;
	size_t index = 0;

	skip_space(&scan);
	is_array = take(&scan, '[');
	do {
		const char *item;

		skip_space(&scan);
		item = scan.at;
		if (!scan_value(&scan))
			return;
		found(context, index++, item, (size_t)(scan.at - item));
		skip_space(&scan);
	} while (is_array && take(&scan, ','));
}

void json_each_member(const struct json *object,
		      void (*found)(void *context, const char *name, const struct json *value),
		      void *context)
{
	const struct lh_table *table = json_object_get_object(object_of(object));

	for (const struct lh_entry *entry = table->head; entry != NULL; entry = entry->next)
		found(context, lh_entry_k(entry), json_of(lh_entry_v(entry)));
}

const char *json_as_written(const struct json *json)
{
	return json_object_to_json_string_ext(
		object_of(json), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
