/* Who runs the command line, and who else the system knows. */
#ifndef HEADCOUNT_PERSON_H
#define HEADCOUNT_PERSON_H

#include <stdbool.h>
#include <sys/types.h>

/* The name of the system's user, in UTF-8; behind sudo, whoever stands there: "alice as root". The caller frees it. */
char *person_name(void);

/* The same of the machine. */
char *person_machine(void);

/* Is there a user of the system of that name, and under which numbers? */
bool person_find(const char *name, uid_t *ret_user, gid_t *ret_group);

#endif
