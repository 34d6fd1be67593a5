/* The api's metrics for Prometheus: GET /metrics. */
#ifndef HEADCOUNT_METRICS_H
#define HEADCOUNT_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct http_request;
struct metrics;
struct route;

/* Of this route table, which is borrowed. */
struct metrics *metrics_new(const struct route *routes, size_t route_count);
void metrics_free(struct metrics *metrics);

/* Counts a request. From any thread. The context is the struct services. */
void metrics_observe(void *context, const struct route *route, int status, int64_t latency_us);

/* The handler of the route. */
void metrics_show(struct http_request *request);

#endif
