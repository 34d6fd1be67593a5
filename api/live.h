/* GET /live: changes of spaces as Server-Sent Events (html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * The database is the truth and revisions are the clock: a stream that has been told everything up to a revision is
 * next told what has a greater one. A thread reads what changed, once for all streams, into a ring of the latest
 * events; a stream that begins, resumes or lags behind the ring gets what it missed from the database, a page at a
 * time. So a stream owns a page of memory at most, whatever its client does, and no client misses the last
 * state of a space, though one that is slow sees fewer of those before. */
#ifndef HEADCOUNT_LIVE_H
#define HEADCOUNT_LIVE_H

#include <stddef.h>

#include "instant.h"

struct http_request;
struct live;

/* Borrows the name of the database, which need not be there yet. Signals should be blocked by now. */
struct live *live_start(const char *database);
/* No stream is told anything from now on. */
void live_stop(struct live *live);
/* When live_stop was called and all streams have ended. */
void live_free(struct live *live);

/* Spaces may have changed: what is a struct broker_listener's spaces_changed; the context is the struct live. From any thread. */
void live_changed(void *context);

size_t live_streams(struct live *live);
/* When the database could be read last; INSTANT_NONE: not yet. The thread tries once a second. */
instant live_last_look(struct live *live);
/* When the thread last did so, well or not, in monotonic µs. */
int64_t live_turned(struct live *live);

/* The handler of the route. */
void live_begin(struct http_request *request);

#endif
