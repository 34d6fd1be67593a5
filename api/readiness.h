/* GET /healthz: does the process turn? GET /readyz: can it do its work, and what is missing if not? */
#ifndef HEADCOUNT_READINESS_H
#define HEADCOUNT_READINESS_H

struct http_request;

/* The handlers of the routes. */
void readiness_show_alive(struct http_request *request);
void readiness_show(struct http_request *request);

#endif
