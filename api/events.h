/* GET /spaces/{id}/events: the crossings that changed a space's count. */
#ifndef HEADCOUNT_EVENTS_H
#define HEADCOUNT_EVENTS_H

#include "http.h"

/* The handler of the route. */
void events_show(struct http_request *request);

#endif
