/* The messages read since the last commit, and the items of those that carry events. Only kept here: ingest.c decides
 * what becomes of each, answers.c tells its sender. */
#ifndef HEADCOUNT_BATCH_H
#define HEADCOUNT_BATCH_H

#include <glib.h>

#include "crossing.h"
#include "event.h"
#include "rejected.h"
#include "topics.h"

/* A message of the batch, with all that it did. */
struct delivery {
	enum topic_kind kind;
	const char *topic;
	const char *dpu_id; /* "" if the topic names none */
	const char *payload;
	size_t size;
	instant received;
	char *response_topic;      /* NULL: no answer is wanted */
	GBytes *correlation;       /* NULL without a response topic */
	guint crossings, refusals; /* items of the batch before this message */
	struct rejected_tally tally;
	GString *answer; /* of a command */
};

/* An event as its sender wrote it: bytes are slices of the batch's copy of the payload. */
struct item {
	const char *bytes;
	size_t size;
	guint message;
};

/* An item that could not be read. */
struct refusal {
	struct item item;
	enum reason reason;
};

struct batch {
	GStringChunk *texts; /* topics, ids and payloads */
	GArray *deliveries;  /* struct delivery */
	GArray *crossings;   /* struct crossing */
	GArray *items;       /* struct item, one for each crossing */
	GArray *refusals;    /* struct refusal */
};

void batch_begin(struct batch *ret_batch);
void batch_end(struct batch *batch);

/* Takes in a message (copies it) and reads its events, whose clocks may be so far ahead (ms). */
void batch_add(struct batch *batch, const struct message *message, int64_t max_clock_skew_ms);

/* How much there is to do: messages and items. */
size_t batch_size(const struct batch *batch);

void batch_forget(struct batch *batch);

struct delivery *batch_delivery(const struct batch *batch, guint index);
struct crossing *batch_crossings(const struct batch *batch);
const struct refusal *batch_refusal(const struct batch *batch, guint index);

/* The message that an item came with. */
struct delivery *batch_delivery_of(const struct batch *batch, const struct item *item);

#endif
