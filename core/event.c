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

static enum reason read_event(const struct json_slice *item, const struct members *members,
			      struct event *event)
{
	if (json_slice_kind(item) != JSON_OBJECT)
		return REASON_MALFORMED;
	if (members->time.at == NULL || !read_time(&members->time, &event->time))
		return REASON_INVALID_TIME;
	if (members->count.at == NULL || !read_count(&members->count, &event->count))
		return REASON_INVALID_COUNT;
	event->seq = 0;
	if (members->seq.at != NULL && !read_integer(&members->seq, 0, EVENT_SEQ_LAST, &event->seq))
		return REASON_MALFORMED;
	return REASON_NONE;
}

/* What a payload says, as long as it is not known yet whether it is JSON to its end. */
struct reading {
	struct members members; /* of the item under way */
	size_t count;
	struct judged {
		struct json_slice item;
		struct event event;
		enum reason reason;
	} items[EVENT_ITEMS];
};

static void take_member(void *context, const struct json_slice *name,
			const struct json_slice *value)
{
	struct members *members = &((struct reading *)context)->members;

	if (json_slice_is_text(name, "dpu_event_time"))
		members->time = *value;
	else if (json_slice_is_text(name, "count"))
		members->count = *value;
	else if (json_slice_is_text(name, "seq"))
		members->seq = *value;
}

static void take_item(void *context, const struct json_slice *item)
{
	struct reading *reading = context;

	if (reading->count < EVENT_ITEMS) {
		struct judged *judged = &reading->items[reading->count];

		judged->item = *item;
		judged->reason = read_event(item, &reading->members, &judged->event);
	}
	reading->count++;
	reading->members = (struct members){0};
}

/* Why the payload is rejected whole: no JSON, or neither an event nor some of them. */
static enum reason judge_whole(const char *payload, size_t size, struct reading *reading)
{
	const struct json_visitor visitor = {take_member, take_item, reading};
	const char *why;

	if (size > EVENT_PAYLOAD_BYTES)
		return REASON_TOO_LARGE;
	if (!json_slice_check(payload, size, &visitor, &why) || reading->count == 0)
		return REASON_MALFORMED;
	return reading->count > EVENT_ITEMS ? REASON_TOO_LARGE : REASON_NONE;
}

void event_read(const char *payload, size_t size, event_found *found, void *context)
{
	struct reading reading; /* large, and written as far as there are items */
	enum reason reason;

	reading.members = (struct members){0};
	reading.count = 0;
	reason = judge_whole(payload, size, &reading);
	if (reason != REASON_NONE)
		found(context, NULL, reason, payload, size);
	for (size_t i = 0; reason == REASON_NONE && i < reading.count; i++) {
		const struct judged *judged = &reading.items[i];

		found(context, judged->reason == REASON_NONE ? &judged->event : NULL,
		      judged->reason, judged->item.at, judged->item.size);
	}
}
