/* A space as people see it: the object of the topic space/<id>/state, and with its surroundings of GET /spaces/{id}. */
#ifndef HEADCOUNT_SPACE_H
#define HEADCOUNT_SPACE_H

#include <glib.h>

#include "history.h"
#include "json.h"
#include "store.h"

enum space_health {
	HEALTH_UNKNOWN,  /* the space has no device, or none ever said whether it is online */
	HEALTH_HEALTHY,  /* all its devices are online */
	HEALTH_DEGRADED, /* some are, or some never said */
	HEALTH_OFFLINE,  /* none is */
};

struct space_state {
	int64_t key; /* space.id */
	char id[JSON_ID_SIZE];
	char name[201];
	char timezone[65];
	int64_t capacity; /* INT64_MIN: none */
	bool removed; /* there is no space of this id any more: only id and point.revision are set */
	struct history_point point;
	instant as_of;
	enum space_health health;
	/* When an installation begins or ends next, as planned by now; INSTANT_NONE: none. Up to then `health` stays
	 * as long as the revision does. */
	instant health_until;
};

/* The space right now; `as_of` is given by the caller. RESULT_NOT_FOUND if there is no such space. */
MUST_USE enum result space_find(struct store *store, const char *id, instant now,
				struct space_state *ret_state);

/* As space_find, but a space that was removed is found, too, as such. */
MUST_USE enum result space_find_removed_too(struct store *store, const char *id, instant now,
					    struct space_state *ret_state);

/* Turns a space as it is now into the one it was at an instant, as far as is known by now: `health` stays that of its
 * devices now, but is unknown if nothing was known of the space then. */
void space_look_back(struct store *store, struct space_state *state, instant when);
/* The same with what history_back has given. */
void space_set_past(struct space_state *state, const struct history_point *point);

/* The revision of a space; 0 if there is no such space. */
int64_t space_revision(struct store *store, const char *id);

/* The revision given last, to any space. */
int64_t space_last_revision(struct store *store);

/* Calls `found` for the spaces with a revision after the one given, removed ones too, in the order of revisions,
 * `most` at most. */
typedef void space_found(void *context, const struct space_state *state);
void space_changed_since(struct store *store, int64_t revision, int64_t most, instant now,
			 space_found *found, void *context);

/* Appends the JSON object. */
void space_write(GString *out, const struct space_state *state);

/* The same and what stands around it: parent, children (the first SPACE_CHILDREN) and daily_reset. Of other spaces only
 * those among the ids of `visible`, the last one NULL; NULL: all. Within store_transaction. */
#define SPACE_CHILDREN 1000
void space_write_whole(GString *out, struct store *store, const struct space_state *state,
		       const char *const *visible);

/* The same in two steps. The frame, what all may see of it but for the count, stays as long as the revision does;
 * `place` is where the count belongs. */
size_t space_write_frame(GString *out, struct store *store, const struct space_state *state);
void space_write_framed(GString *out, const char *frame, size_t size, size_t place,
			const struct space_state *state);

const char *space_health_name(enum space_health health); /* "unknown", … */

#endif
