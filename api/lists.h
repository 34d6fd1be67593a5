/* Lists of spaces, doorways, DPUs, installations, rejected events and the audit, and single ones of them. */
#ifndef HEADCOUNT_LISTS_H
#define HEADCOUNT_LISTS_H

#include "http.h"

/* The handlers of the routes, and what a route shows: its details. */
void lists_show(struct http_request *request);
void lists_show_one(struct http_request *request);

extern const struct list spaces_list, doorways_list, dpus_list, installations_list,
	rejected_events_list, audit_list;

#endif
