/* GET /spaces/{id}: how many people are, or were, in a space. */
#ifndef HEADCOUNT_SPACES_H
#define HEADCOUNT_SPACES_H

#include <stdbool.h>

#include "http.h"
#include "space.h"

/* How an answer about the past may be kept: late data may still change it. */
#define SPACES_PAST_KEPT "max-age=60"

/* The handler of the route. */
void spaces_show(struct http_request *request);

/* Finds the space that the path names, as it is now; false if there is none that the request may see, which is
 * answered then. */
bool spaces_find(struct http_request *request, struct store *store, struct space_state *ret_state);

#endif
