/* Crossings on their way to the gateway, in the DPUs' own words (DESIGN.md, section 3): batches of each DPU. */
#ifndef HEADCOUNT_UPLOAD_H
#define HEADCOUNT_UPLOAD_H

#include "broker.h"
#include "event.h"

struct upload;

/* Events: how many were sent, and what the gateway has confirmed of them so far. */
struct upload_tally {
	int64_t sent, stored, duplicates, rejected;
};

/* An event as a DPU says it. */
void upload_write_event(GString *payload, const struct event *event);

/* Puts up to `batch` events of a DPU (1…EVENT_ITEMS) into one message. Borrows the broker. */
struct upload *upload_new(struct broker *broker, size_t batch);
void upload_free(
	struct upload
		*upload); /* requests unanswered must not be outstanding any more: broker_finish */

/* Takes one event; sends the batches that are full. RESULT_FAILED: broker_why tells. */
MUST_USE enum result upload_add(struct upload *upload, const char *dpu_id,
				const struct event *event);

/* Sends what is left and waits until all is confirmed. */
MUST_USE enum result upload_finish(struct upload *upload);

const struct upload_tally *upload_tally(const struct upload *upload);

/* The tally for people, "530 stored, 33 duplicates, 0 rejected" (the caller's), and as members of a JSON object. */
char *upload_tally_text(const struct upload_tally *tally);
void upload_tally_add(GString *json, const struct upload_tally *tally);

/* Was all that was sent stored, now or before? */
bool upload_tally_clean(const struct upload_tally *tally);

#endif
