/* Which installation an event belongs to: the one that was active when it happened, whatever is active now. What was
 * found is remembered until the registry changes. */
#ifndef HEADCOUNT_ATTRIBUTION_H
#define HEADCOUNT_ATTRIBUTION_H

#include "event.h"
#include "store.h"

/* What a crossing at a doorway does to a space: it gets count * sign people. The orientation is in the sign. */
struct effect {
	int64_t space;
	int64_t sign;
};

struct attribution {
	const struct attribution *other; /* of the same DPU, at other times; NULL: none is known */
	int64_t installation;
	instant started_at, ended_at; /* [started_at, ended_at) */
	size_t effect_count;
	struct effect effects[]; /* on the spaces that contain exactly one side of the doorway */
};

/* The installation of a DPU at an instant; NULL, and unknown_dpu or no_installation, if there is none. It lives until
 * attribution_forget, attribution_tidy or the end of the transaction. */
const struct attribution *attribution_find(struct store *store, const char *dpu_id, instant when,
					   enum reason *reterr_reason);

/* To be called whenever DPUs, installations or the effects of doorways have changed. */
void attribution_forget(struct store *store);

/* Forgets if there is too much to remember. */
void attribution_tidy(struct store *store);

/* Is everything there that rows refer to: what foreign keys name, and every installation that has counted, which none does?
 * Within store_transaction. */
bool attribution_holds(struct store *store);

#endif
