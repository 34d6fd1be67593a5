/* The gateway's metrics for Prometheus, at http://127.0.0.1:<metrics_port>/metrics. A thread of libmicrohttpd hands out
 * the text that the gateway wrote last, so that whoever asks never waits for a commit, nor a commit for them. */
#ifndef HEADCOUNT_METRICS_H
#define HEADCOUNT_METRICS_H

#include <stdint.h>

#include "health.h"

#define METRICS_INTERVAL_MS 1000 /* how often the text is written */

struct metrics;

/* NULL, with a warning in the log, if it can't listen: people are counted all the same. */
struct metrics *metrics_start(uint16_t port);
void metrics_stop(struct metrics *metrics);

void metrics_write(struct metrics *metrics, const struct health *health,
		   const struct health_sources *sources);

#endif
