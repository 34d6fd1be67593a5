/* Who runs the command line. */
#ifndef HEADCOUNT_PERSON_H
#define HEADCOUNT_PERSON_H

/* The name of the system's user, in UTF-8; behind sudo, whoever stands there: "alice as root". The caller frees it. */
char *person_name(void);

/* The same of the machine. */
char *person_machine(void);

#endif
