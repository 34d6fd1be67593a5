/* People who walk at random through the doorways that DPUs hang at: from space to space, in from the outside and out
 * again, never out of an empty room. */
#ifndef HEADCOUNT_CROWD_H
#define HEADCOUNT_CROWD_H

#include <glib.h>

#include "command.h"

struct crowd;

struct crowd_crossing {
	const char *dpu_id; /* lives as long as the crowd */
	int count;          /* as the DPU says it */
};

/* Reads the registry: the DPUs installed now, of those the ones that `chosen` says, and how many people there are. NULL
 * if the database can't be read, which is said then. */
typedef bool crowd_choice(const char *dpu_id, int64_t most);
struct crowd *crowd_new(struct session *session, crowd_choice *chosen, int64_t most);
void crowd_free(struct crowd *crowd);

size_t crowd_dpus(const struct crowd *crowd);

/* Somebody walks through a doorway. There is at least one DPU. */
struct crowd_crossing crowd_step(struct crowd *crowd, GRand *dice);

#endif
