/* PUT /dpus/{id}: events by HTTP, for DPUs that speak no MQTT. */
#ifndef HEADCOUNT_UPLOADS_H
#define HEADCOUNT_UPLOADS_H

struct http_request;

/* The handler of the route. */
void uploads_take(struct http_request *request);

#endif
