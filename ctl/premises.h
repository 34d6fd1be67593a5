/* Spaces, doorways and DPUs made in bulk: what exists already is left as it is. */
#ifndef HEADCOUNT_PREMISES_H
#define HEADCOUNT_PREMISES_H

#include "command.h"

struct premises {
	struct session *session;
	struct broker *broker;
	int64_t made, existing,
		refused; /* as the gateway has answered so far; what is refused is said */
};

/* Each sends a command and does not wait for its answer: broker_finish does. RESULT_FAILED: broker_why tells.
 * A NULL text, and capacity 0, is none. */
MUST_USE enum result premises_add_space(struct premises *premises, const char *id, const char *name,
					const char *zone, const char *parent, int64_t capacity,
					const char *daily_reset);
MUST_USE enum result premises_add_doorway(struct premises *premises, const char *id,
					  const char *name, const char *space,
					  const char *adjacent_space);
/* A DPU, and that it hangs at the doorway from then on. */
MUST_USE enum result premises_add_dpu(struct premises *premises, const char *id,
				      const char *doorway, instant from, int orientation);

#endif
