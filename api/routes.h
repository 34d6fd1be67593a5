/* All routes: the one table. */
#ifndef HEADCOUNT_ROUTES_H
#define HEADCOUNT_ROUTES_H

#include <stddef.h>

#include "http.h"

extern const struct route routes[];
extern const size_t route_count;

#endif
