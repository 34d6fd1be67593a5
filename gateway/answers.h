/* What the senders of a batch are told once it is committed: the answer to each request, and to a DPU, on a switch, which
 * of its events it need keep no longer. */
#ifndef HEADCOUNT_ANSWERS_H
#define HEADCOUNT_ANSWERS_H

#include "batch.h"

struct answers;

struct answers *answers_new(bool confirm_stored);
void answers_free(struct answers *answers);

/* Takes the place of those to the batch before. */
void answers_collect(struct answers *answers, struct batch *batch);
void answers_forget(struct answers *answers);

/* A confirmation may be lost: the DPU sends its events again then. The correlation is NULL where there is none. */
typedef void answers_publish(void *context, const char *topic, const void *payload, size_t size,
			     const void *correlation, size_t correlation_size);
void answers_to_requests(const struct answers *answers, answers_publish *publish, void *context);
void answers_to_dpus(const struct answers *answers, answers_publish *publish, void *context);

#endif
