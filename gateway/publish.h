/* What displays are told: space/<id>/count and space/<id>/state, retained, after the commit that changed them
 * (DESIGN.md, section 7).
 *
 * Every change of a space has a revision, and what has been said is remembered as the revisions up to which
 * everything was: one for changes as they come, one for saying all again to a broker that may have missed
 * some. Only spaces that were published less than an interval ago are remembered singly. */
#ifndef HEADCOUNT_PUBLISH_H
#define HEADCOUNT_PUBLISH_H

#include <stdint.h>

#include "broker.h"
#include "store.h"

struct publish;

#define PUBLISH_IDLE INT64_MAX

/* Borrows the store and the broker. Spaces that changed before now count as to be said again. */
struct publish *publish_new(struct store *store, struct broker *broker, int64_t interval_ms);
void publish_free(struct publish *publish);

/* Something was committed. */
void publish_changed(struct publish *publish);

/* The connection is a new one: all spaces are to be said again. */
void publish_all(struct publish *publish);

/* Publishes a slice of what is due, as far as the broker has room; publish_next_ms tells whether that was all. Else than
 * RESULT_OK: the database could not be read. The time is monotonic. */
MUST_USE enum result publish_due(struct publish *publish, int64_t now_ms);

/* When publish_due has something to do next: PUBLISH_IDLE when something is committed or the broker has room
 * again. */
int64_t publish_next_ms(const struct publish *publish);

/* Publishes all that the broker has room for and waits for no interval to end: before the program ends. */
MUST_USE enum result publish_hurry(struct publish *publish);

/* How often a space was published since the program began. */
int64_t publish_spaces(const struct publish *publish);

#endif
