/* Whether somebody listens at a TCP address, found out within seconds. */
#ifndef HEADCOUNT_REACH_H
#define HEADCOUNT_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "result.h"

/* A connected socket, whose reading and writing gives up after some seconds too, for the caller to close; -1 and a
 * problem that names the address if there is none. */
int reach(const char *host, int64_t port, struct problem *reterr_problem);

bool reach_check(const char *host, int64_t port, struct problem *reterr_problem);

#endif
