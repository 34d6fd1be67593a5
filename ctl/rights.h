/* mosquitto's access control list: which users it names, and the rights of displays, which each have a name of their own.
 * (DPUs are not named there: a pattern gives each its own topics.) */
#ifndef HEADCOUNT_RIGHTS_H
#define HEADCOUNT_RIGHTS_H

#include <stdbool.h>

#include "result.h"

struct rights;

/* RESULT_NOT_FOUND or RESULT_FAILED with a problem. */
MUST_USE enum result rights_open(const char *path, struct rights **ret_rights,
				 struct problem *reterr_problem);
void rights_close(struct rights *rights);

bool rights_names(const struct rights *rights, const char *user);

/* Gives a user who has none the rights of the user `display`; takes those back that a user got that way. */
void rights_add_display(struct rights *rights, const char *user);
void rights_remove_display(struct rights *rights, const char *user);

/* Replaces all by another list, but keeps the displays. */
void rights_renew(struct rights *rights, const char *text);

/* Replaces the file; who reads it stays. */
MUST_USE enum result rights_save(const struct rights *rights, struct problem *reterr_problem);

#endif
