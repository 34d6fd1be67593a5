/* The audit: who told the gateway to do what, when and from where, and what came of it. Written by the gateway in the
 * transaction of the change itself. */
#ifndef HEADCOUNT_AUDIT_H
#define HEADCOUNT_AUDIT_H

#include <stdint.h>

#include "instant.h"
#include "store.h"

#define AUDIT_DETAILS_BYTES 1000 /* kept of a command's values */
#define AUDIT_SENDER_BYTES 200   /* kept of who sent it, and of from where */

struct audit_row {
	instant time;
	const char *who, *from; /* "" if that is not known */
	const char *object, *action, *id;
	const char *details;
	int status;
};

/* Adds a row; texts that are too long are cut, and end with an ellipsis. */
void audit_keep(struct store *store, const struct audit_row *row);

/* Removes the oldest rows beyond `most`; how many. */
int64_t audit_trim(struct store *store, int64_t most);

#endif
