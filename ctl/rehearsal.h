/* Registry commands tried on a database of their own, which is gone afterwards: what the gateway would refuse is known,
 * by its own rules, before anything is sent. */
#ifndef HEADCOUNT_REHEARSAL_H
#define HEADCOUNT_REHEARSAL_H

#include "config.h"
#include "json.h"
#include "store.h"

struct rehearsal;

typedef void rehearsal_work(struct rehearsal *rehearsal, void *context);

/* Makes an empty database in the folder for temporary files and runs the work with it. RESULT_FAILED and a problem if
 * that is not possible: what the work found does not count then. */
MUST_USE enum result rehearsal_run(const struct config *config, rehearsal_work *work, void *context,
				   struct problem *reterr_problem);

/* Carries one command out; its answer, as the gateway would give it, for the caller to free. */
struct json *rehearsal_try(struct rehearsal *rehearsal, const GString *command);

#endif
