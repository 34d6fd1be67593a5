/* GET /spaces/{id}/counts: the history of a space by intervals. */
#ifndef HEADCOUNT_COUNTS_H
#define HEADCOUNT_COUNTS_H

#include "http.h"

/* The handler of the route. */
void counts_show(struct http_request *request);

#endif
