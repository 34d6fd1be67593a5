#include "event.h"

#include <glib.h>
#include <string.h>

#include "json.h"

static const char *const reason_names[REASON_COUNT] = {
	[REASON_NONE] = "none",
	[REASON_MALFORMED] = "malformed",
	[REASON_INVALID_TIME] = "invalid_time",
	[REASON_INVALID_COUNT] = "invalid_count",
	[REASON_UNKNOWN_DPU] = "unknown_dpu",
	[REASON_NO_INSTALLATION] = "no_installation",
	[REASON_CLOCK_AHEAD] = "clock_ahead",
	[REASON_TOO_OLD] = "too_old",
	[REASON_TOO_LARGE] = "too_large",
	[REASON_TOPIC] = "topic",
};

const char *reason_name(enum reason reason)
{
	return reason_names[reason];
}

bool reason_find(const char *name, enum reason *ret_reason)
{
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		if (strcmp(reason_names[reason], name) == 0) {
			*ret_reason = (enum reason)reason;
			return true;
		}
	}
	return false;
}

static bool read_integer(const struct json *json, int64_t min, int64_t max, int64_t *ret_integer)
{
	if (json_kind(json) != JSON_INTEGER)
		return false;
	*ret_integer = json_integer(json);
	return *ret_integer >= min && *ret_integer <= max;
}

static bool read_time(const struct json *json, instant *ret_time)
{
	const char *text;
	size_t size;

	if (json_kind(json) != JSON_TEXT)
		return read_integer(json, INSTANT_FIRST, INSTANT_LAST, ret_time);
	text = json_text(json, &size);
	return instant_parse(text, size, ret_time);
}

static bool read_count(const struct json *json, int *ret_count)
{
	int64_t count;

	if (!read_integer(json, -EVENT_COUNT, EVENT_COUNT, &count) || count == 0)
		return false;
	*ret_count = (int)count;
	return true;
}

static enum reason read_event(const struct json *json, struct event *event)
{
	const struct json *time, *count, *seq;

	if (json_kind(json) != JSON_OBJECT)
		return REASON_MALFORMED;
	time = json_member(json, "dpu_event_time");
	if (time == NULL || !read_time(time, &event->time))
		return REASON_INVALID_TIME;
	count = json_member(json, "count");
	if (count == NULL || !read_count(count, &event->count))
		return REASON_INVALID_COUNT;
	seq = json_member(json, "seq");
	event->seq = 0;
	if (seq != NULL && !read_integer(seq, 0, EVENT_SEQ_LAST, &event->seq))
		return REASON_MALFORMED;
	return REASON_NONE;
}

/* A payload that is judged item by item. */
struct reading {
	const struct json *json;
	event_found *found;
	void *context;
};

static void judge_item(void *context, size_t index, const char *item, size_t size)
{
	const struct reading *reading = context;
	bool is_array = json_kind(reading->json) == JSON_ARRAY;
	struct event event;
	enum reason reason =
		read_event(is_array ? json_item(reading->json, index) : reading->json, &event);

	reading->found(reading->context, reason == REASON_NONE ? &event : NULL, reason, item, size);
}

/* Why the payload is rejected whole. */
static enum reason judge_whole(const struct json *json)
{
	if (json == NULL)
		return REASON_MALFORMED;
	if (json_kind(json) == JSON_OBJECT)
		return REASON_NONE;
	if (json_kind(json) != JSON_ARRAY || json_length(json) == 0)
		return REASON_MALFORMED;
	return json_length(json) > EVENT_ITEMS ? REASON_TOO_LARGE : REASON_NONE;
}

void event_read(const char *payload, size_t size, event_found *found, void *context)
{
	const char *why;
	g_autoptr(Json) json = size <= EVENT_PAYLOAD_BYTES ? json_read(payload, size, &why) : NULL;
	enum reason reason = size <= EVENT_PAYLOAD_BYTES ? judge_whole(json) : REASON_TOO_LARGE;
	struct reading reading = {.json = json, .found = found, .context = context};

	if (reason == REASON_NONE)
		json_items(payload, size, judge_item, &reading);
	else
		found(context, NULL, reason, payload, size);
}
