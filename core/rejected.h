/* Rejected events: kept with their reason, given a second chance when the registry changes. */
#ifndef HEADCOUNT_REJECTED_H
#define HEADCOUNT_REJECTED_H

#include <stddef.h>

#include "event.h"
#include "store.h"

/* Keeps a message item (its first EVENT_PAYLOAD_BYTES). dpu_id is "" if the topic names none. */
void rejected_keep(struct store *store, enum reason reason, const char *topic, const char *dpu_id,
		   const char *item, size_t size, instant received);

/* Drops the oldest rows past `most`; how many went. */
int64_t rejected_trim(struct store *store, int64_t most);

struct rejected_filter {
	int64_t id;         /* 0: any */
	const char *reason; /* "": any */
	const char *dpu_id; /* "": any */
};
struct rejected_tally {
	int64_t stored, duplicates, rejected, removed;
};
/* Judges the rows again: what can be attributed now is stored and leaves the table. */
struct rejected_tally rejected_replay(struct store *store, const struct rejected_filter *filter,
				      instant now, int64_t max_clock_skew_ms);
/* The same for what a change of the registry may have made attributable: this DPU's unknown_dpu and
 * no_installation. */
struct rejected_tally rejected_replay_dpu(struct store *store, const char *dpu_id, instant now,
					  int64_t max_clock_skew_ms);
int64_t rejected_remove(struct store *store, const struct rejected_filter *filter);

#endif
