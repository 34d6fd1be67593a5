/* The payload of dpu/<id>/events. What is accepted, json-c reads the same way, and the items lie in the payload one behind
 * the other; what json-c takes for no JSON is rejected. */
#include <json-c/json.h>
#include <string.h>

#include "event.h"
#include "fuzz.h"
#include "json.h"

struct reading {
	const char *payload;
	size_t size;
	const char *end; /* of the item before */
	size_t items;
	enum reason whole; /* why all of it was rejected */
};

static struct json_object *parse(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH + 1);
	struct json_object *value;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, text, (int)size);
	if (value == NULL && json_tokener_get_error(tokener) == json_tokener_continue)
		value = json_tokener_parse_ex(tokener, "", 1); /* a number ends with its text */
	if (json_tokener_get_error(tokener) != json_tokener_success)
		g_clear_pointer(&value, json_object_put);
	json_tokener_free(tokener);
	return value;
}

static void check_time(const struct json_object *time, const struct event *event)
{
	instant when = INSTANT_NONE;

	if (json_object_is_type(time, json_type_int))
		when = json_object_get_int64(time);
	else
		g_assert(instant_parse(json_object_get_string((struct json_object *)time),
				       (size_t)json_object_get_string_len(time), &when));
	g_assert(when == event->time);
}

static void check_event(const struct event *event, const char *item, size_t size)
{
	struct json_object *object = parse(item, size);
	struct json_object *seq = json_object_object_get(object, "seq");
	struct json_object *count = json_object_object_get(object, "count");

	g_assert(json_object_is_type(object, json_type_object));
	check_time(json_object_object_get(object, "dpu_event_time"), event);
	g_assert(json_object_is_type(count, json_type_int));
	g_assert(json_object_get_int(count) == event->count);
	g_assert(event->count != 0 && ABS(event->count) <= EVENT_COUNT);
	g_assert(seq == NULL || json_object_is_type(seq, json_type_int));
	g_assert((seq == NULL ? 0 : json_object_get_int64(seq)) == event->seq);
	g_assert(event->time >= INSTANT_FIRST && event->time <= INSTANT_LAST);
	json_object_put(object);
}

static void found(void *context, const struct event *event, enum reason reason, const char *item,
		  size_t size)
{
	struct reading *reading = context;

	g_assert((event == NULL) == (reason != REASON_NONE));
	g_assert(item >= reading->end && item + size <= reading->payload + reading->size);
	if (event != NULL)
		check_event(event, item, size);
	if (item == reading->payload && size == reading->size)
		reading->whole = reason;
	reading->end = item + size;
	reading->items++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *block = g_malloc(size + 1);
	char *exact = block + 1; /* nothing of ours is behind it */
	struct reading reading = {.payload = exact, .size = size, .end = exact};
	struct json_object *whole;
	const char *why;
	g_autoptr(Json) json = NULL;

	memcpy(exact, data, size);
	json = json_read(exact, size, &why);
	event_read(exact, size, found, &reading);
	g_assert(reading.items >= 1 && reading.items <= EVENT_ITEMS);
	whole = size > 0 && size <= EVENT_PAYLOAD_BYTES ? parse(exact, size) : NULL;
	if (json == NULL && size <= EVENT_PAYLOAD_BYTES)
		g_assert(reading.items == 1 && reading.whole == REASON_MALFORMED);
	if (json != NULL && json_kind(json) == JSON_ARRAY && reading.items > 1)
		g_assert(json_object_array_length(whole) == reading.items);
	json_object_put(whole);
	return 0;
}
