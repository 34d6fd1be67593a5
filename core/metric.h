/* What a program counts, in Prometheus' text format (version 0.0.4: prometheus.io/docs/instrumenting/exposition_formats). */
#ifndef HEADCOUNT_METRIC_H
#define HEADCOUNT_METRIC_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

struct metric {
	const char *name; /* ends in its unit: _seconds, _bytes; a counter in _total */
	enum metric_type type;
	const char *help; /* one line */
};

/* Begins a metric; its samples follow. */
void metric_begin(GString *out, const struct metric *metric);

/* A sample. `labels` is what stands within the braces, such as `reason="malformed"`; "" for none. */
void metric_add(GString *out, const struct metric *metric, const char *labels, double value);

/* Both, of a metric that has one sample without labels. */
void metric_write(GString *out, const struct metric *metric, double value);

/* What build of which program this is: the metric <program>_build_info. */
void metric_write_build(GString *out, const char *program);

/* How often a value lay within each of a few ranges. */
#define HISTOGRAM_BOUNDS 14
struct histogram_scale {
	double unit; /* of the values, in the metric's unit: 1e-6 for µs in a metric of seconds */
	size_t count;
	int64_t bounds[HISTOGRAM_BOUNDS]; /* the highest value of each range, ascending */
};
struct histogram {
	int64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last range has no bound */
	int64_t sum;
};
extern const struct histogram_scale histogram_latency_us; /* 100 µs … 10 s */

void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, int64_t value);
void histogram_join(struct histogram *histogram, const struct histogram *other);
void histogram_write(GString *out, const struct metric *metric, const struct histogram_scale *scale,
		     const char *labels, const struct histogram *histogram);

#endif
