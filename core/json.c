#include "json.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "json_slice.h"

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
	if (tokener == NULL)
		return false;
	json_tokener_reset(tokener);
	*ret_object = json_tokener_parse_ex(tokener, text, (int)size);
	/* A number or a word might go on: a NUL says that it does not. */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		*ret_object = json_tokener_parse_ex(tokener, "", 1);
	return json_tokener_get_error(tokener) == json_tokener_success;
}

/* json-c takes much that is no JSON, and the last of several members of one name: it gets to see nothing else. */
struct json *json_read(const char *text, size_t size, const char **reterr_why)
{
	struct json_object *object;

	if (size > INT_MAX) {
		*reterr_why = "it is too long";
		return NULL;
	}
	if (!json_slice_check(text, size, NULL, reterr_why))
		return NULL;
	if (!parse(text, size, &object)) {
		*reterr_why = "there is no memory for it";
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

/* A value that is there has a text, but for want of memory; that ends the program, as GLib does. */
static const char *text_of(const char *text)
{
	if (text == NULL)
		g_abort();
	return text;
}

const char *json_text(const struct json *json, size_t *ret_size)
{
	struct json_object *object = object_of(json);
	const char *text = text_of(json_object_get_string(object));
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
	return text_of(json_object_to_json_string_ext(
		object_of(json), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
