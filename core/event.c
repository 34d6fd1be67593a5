#include "event.h"

#include <glib.h>
#include <string.h>

#include "json_slice.h"

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

static bool read_integer(const struct json_slice *value, int64_t min, int64_t max,
			 int64_t *ret_integer)
{
	int64_t integer;

	if (!json_slice_integer(value, &integer) || integer < min || integer > max)
		return false;
	*ret_integer = integer;
	return true;
}

static bool read_time(const struct json_slice *value, instant *ret_time)
{
	g_autofree char *unescaped = NULL;
	const char *text;
	size_t size;

	if (read_integer(value, INSTANT_FIRST, INSTANT_LAST, ret_time))
		return true;
	if (json_slice_kind(value) != JSON_TEXT)
		return false;
	text = json_slice_text(value, &size, &unescaped);
	return instant_parse(text, size, ret_time);
}

static bool read_count(const struct json_slice *value, int *ret_count)
{
	int64_t count;

	if (!read_integer(value, -EVENT_COUNT, EVENT_COUNT, &count) || count == 0)
		return false;
	*ret_count = (int)count;
	return true;
}

/* The members of an item that mean something; `at` is NULL for one that is absent. */
struct members {
	struct json_slice time, count, seq;
};

static struct members find_members(const struct json_slice *item)
{
	struct json_walk walk = json_slice_walk(item);
	struct json_slice name, value;
	struct members members = {0};

	while (json_walk_next(&walk, &name, &value)) {
		if (json_slice_is_text(&name, "dpu_event_time"))
			members.time = value;
		else if (json_slice_is_text(&name, "count"))
			members.count = value;
		else if (json_slice_is_text(&name, "seq"))
			members.seq = value;
	}
	return members;
}

static enum reason read_event(const struct json_slice *item, struct event *event)
{
	struct members members;

	if (json_slice_kind(item) != JSON_OBJECT)
		return REASON_MALFORMED;
	members = find_members(item);
	if (members.time.at == NULL || !read_time(&members.time, &event->time))
		return REASON_INVALID_TIME;
	if (members.count.at == NULL || !read_count(&members.count, &event->count))
		return REASON_INVALID_COUNT;
	event->seq = 0;
	if (members.seq.at != NULL && !read_integer(&members.seq, 0, EVENT_SEQ_LAST, &event->seq))
		return REASON_MALFORMED;
	return REASON_NONE;
}

static void judge_item(const struct json_slice *item, event_found *found, void *context)
{
	struct event event;
	enum reason reason = read_event(item, &event);

	found(context, reason == REASON_NONE ? &event : NULL, reason, item->at, item->size);
}

/* Why the payload is rejected whole. A single object is the only item. */
static enum reason judge_whole(const char *payload, size_t size, struct json_outline *outline)
{
	const char *why;

	if (size > EVENT_PAYLOAD_BYTES)
		return REASON_TOO_LARGE;
	if (!json_slice_check(payload, size, outline, &why))
		return REASON_MALFORMED;
	if (json_slice_kind(&outline->whole) == JSON_OBJECT) {
		outline->items[0] = outline->whole;
		outline->count = 1;
	}
	if (outline->count == 0)
		return REASON_MALFORMED;
	return outline->count > EVENT_ITEMS ? REASON_TOO_LARGE : REASON_NONE;
}

void event_read(const char *payload, size_t size, event_found *found, void *context)
{
	struct json_slice items[EVENT_ITEMS];
	struct json_outline outline = {.items = items, .room = EVENT_ITEMS};
	enum reason reason = judge_whole(payload, size, &outline);

	if (reason != REASON_NONE)
		found(context, NULL, reason, payload, size);
	for (size_t i = 0; reason == REASON_NONE && i < outline.count; i++)
		judge_item(&items[i], found, context);
}
