/* DPUs that keep each event until the gateway has confirmed it in dpu/<id>/stored, and send it again until then: nobody is
 * lost, whatever dies on the way (DESIGN.md, section 7). How firmware is meant to do it. */
#ifndef HEADCOUNT_KEEPER_H
#define HEADCOUNT_KEEPER_H

#include "command.h"
#include "event.h"

struct keeper;

struct keeper_tally {
	int64_t sent;      /* messages, of one event each */
	int64_t again;     /* of them, those of an event sent before */
	int64_t confirmed; /* events */
	int64_t rejected;  /* of them, those that are not counted */
};

/* Uses the session's connection to the broker, which there must be, and makes it anew whenever it breaks. */
struct keeper *keeper_new(struct session *session);
void keeper_free(struct keeper *keeper);

/* Takes an event. */
void keeper_add(struct keeper *keeper, const char *dpu_id, const struct event *event);

/* Sends, and hears what is confirmed, for so many milliseconds, or until `descriptor` (-1: none) has something to read. */
void keeper_attend(struct keeper *keeper, int64_t ms, int descriptor);

/* Waits until all is confirmed. RESULT_FAILED if nothing was for KEEPER_PATIENCE_S. */
#define KEEPER_PATIENCE_S 60
MUST_USE enum result keeper_finish(struct keeper *keeper);

size_t keeper_kept(const struct keeper *keeper); /* events that are not confirmed yet */
const struct keeper_tally *keeper_tally(const struct keeper *keeper);

#endif
