/* What a DPU says: one or more crossings in a message (DESIGN.md, section 3). */
#ifndef HEADCOUNT_EVENT_H
#define HEADCOUNT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instant.h"

#define EVENT_PAYLOAD_BYTES 65536 /* a longer message is rejected whole */
#define EVENT_ITEMS 1000          /* so is an array of more items */
#define EVENT_COUNT 100           /* people in one event, at most */
#define EVENT_SEQ_LAST ((INT64_C(1) << 53) - 1)

struct event {
	instant time;
	int64_t seq;
	int count; /* +: towards the DPU's side */
};

/* Why a message item was not stored. The names are part of the interface (rejected_event.reason, metrics). */
enum reason {
	REASON_NONE,
	REASON_MALFORMED,     /* no JSON, no object, or a seq that is none */
	REASON_INVALID_TIME,  /* dpu_event_time is missing or no time */
	REASON_INVALID_COUNT, /* count is missing or not within -100…-1, 1…100 */
	REASON_UNKNOWN_DPU,
	REASON_NO_INSTALLATION, /* the DPU hung nowhere at that time */
	REASON_CLOCK_AHEAD,
	REASON_TOO_OLD,   /* before the retention horizon */
	REASON_TOO_LARGE, /* more than EVENT_PAYLOAD_BYTES, or more than EVENT_ITEMS */
	REASON_TOPIC,     /* the topic names no possible DPU */
	REASON_COUNT
};
const char *reason_name(enum reason reason); /* "malformed", …; "none" for REASON_NONE */
bool reason_find(const char *name, enum reason *ret_reason);

/* Reads a payload: calls `found` once an item, in order, with its bytes; `event` is NULL if `reason` says why
 * the item was rejected. A payload that is rejected whole makes one call. Nothing is kept. */
typedef void event_found(void *context, const struct event *event, enum reason reason,
			 const char *item, size_t item_size);
void event_read(const char *payload, size_t size, event_found *found, void *context);

#endif
