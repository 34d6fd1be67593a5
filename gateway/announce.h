/* When Home Assistant is told of the spaces (discovery.h): all of them to a new connection and when it has come back,
 * one when its name or capacity changed, an empty message when it was removed. Slowly, after the counts.
 *
 * What the broker has retained decides what is to be taken back: a configuration of ours that we would not give now is
 * emptied, be its space removed or the whole switched off. So nothing about it is kept in the database. */
#ifndef HEADCOUNT_ANNOUNCE_H
#define HEADCOUNT_ANNOUNCE_H

#include <stddef.h>
#include <stdint.h>

#include "broker.h"
#include "config.h"
#include "store.h"

struct announce;

#define ANNOUNCE_IDLE INT64_MAX
#define ANNOUNCE_PAUSE_MS 100     /* between two slices */
#define ANNOUNCE_SLICE 50         /* messages */
#define ANNOUNCE_CHANGES_MS 1000  /* how often changes are looked for */
#define ANNOUNCE_DELAY_MIN_MS 500 /* after Home Assistant came back, … */
#define ANNOUNCE_DELAY_MAX_MS                                                                      \
	5000 /* … at random in between: it asks not to be told at once by everybody */

/* Borrows all. */
struct announce *announce_new(const struct config *config, struct store *store,
			      struct broker *broker);
void announce_free(struct announce *announce);

/* Something was committed. */
void announce_changed(struct announce *announce);

/* The connection is a new one: all spaces are to be said again. The time is monotonic, as in all of these. */
void announce_all(struct announce *announce, int64_t now_ms);

/* Home Assistant says how it is: after `online` all is said again. */
void announce_birth(struct announce *announce, const char *payload, size_t size, int64_t now_ms);

/* The broker has this configuration retained. */
void announce_retained(struct announce *announce, const char *topic, const char *payload,
		       size_t size);

/* Publishes what is due, as far as the broker has room. Else than RESULT_OK: the database could not be read. */
MUST_USE enum result announce_due(struct announce *announce, int64_t now_ms);

/* When announce_due has something to do next: ANNOUNCE_IDLE when something is committed, arrives, or the broker has room
 * again. */
int64_t announce_next_ms(const struct announce *announce);

#endif
