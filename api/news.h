/* The latest changes of spaces, as Server-Sent Events, in the order of their revisions. */
#ifndef HEADCOUNT_NEWS_H
#define HEADCOUNT_NEWS_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "space.h"

#define NEWS_KEPT 4096 /* of 500 bytes or so */

struct news_item {
	int64_t revision;
	char id[JSON_ID_SIZE]; /* of the space */
	char *event;           /* as it is sent; owned */
};

/* Everything that changed after revision `floor`, up to `last`. A value; all zero but for the two is an empty one. */
struct news {
	struct news_item items[NEWS_KEPT];
	size_t first, count;
	int64_t floor, last;
};

/* Appends the event that says how a space is now: `state`, or `removed`. */
void news_write_event(GString *out, const struct space_state *state);

/* Takes the item's event over; its revision is greater than all before. The oldest goes if there is no room. */
void news_append(struct news *news, struct news_item *item);

/* Items from 0, the oldest, to news->count; the first one with a revision after the one given. */
const struct news_item *news_at(const struct news *news, size_t index);
size_t news_find(const struct news *news, int64_t revision);

/* Forgets all up to a revision, which may be less than the last one. */
void news_begin_at(struct news *news, int64_t revision);

#endif
