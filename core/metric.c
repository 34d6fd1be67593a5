#include "metric.h"

#define NUMBER_SIZE 32

/* clang-format off */
const struct histogram_scale histogram_latency_us = {
	.unit = 1e-6,
	.count = 14,
	.bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 2500000, 10000000},
};
/* clang-format on */

/* The decimal point is a point in every locale; 15 digits show what was meant and not how doubles store it. */
static const char *number(double value, char buffer[NUMBER_SIZE])
{
	return g_ascii_formatd(buffer, NUMBER_SIZE, "%.15g", value);
}

static void add_sample(GString *out, const char *name, const char *suffix, const char *labels,
		       double value)
{
	char text[NUMBER_SIZE];

	g_string_append_printf(out, "%s%s", name, suffix);
	if (*labels != '\0')
		g_string_append_printf(out, "{%s}", labels);
	g_string_append_printf(out, " %s\n", number(value, text));
}

void metric_begin(GString *out, const struct metric *metric)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
			       metric->name, types[metric->type]);
}

void metric_add(GString *out, const struct metric *metric, const char *labels, double value)
{
	add_sample(out, metric->name, "", labels, value);
}

void metric_write(GString *out, const struct metric *metric, double value)
{
	metric_begin(out, metric);
	metric_add(out, metric, "", value);
}

void metric_write_build(GString *out, const char *program)
{
	g_autofree char *name = g_strconcat(program, "_build_info", NULL);
	const struct metric metric = {name, METRIC_GAUGE, "Always 1; the label says the version."};

	metric_begin(out, &metric);
	metric_add(out, &metric, "version=\"" HEADCOUNT_VERSION "\"", 1);
}

void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, int64_t value)
{
	size_t range = 0;

	while (range < scale->count && value > scale->bounds[range])
		range++;
	histogram->counts[range]++;
	histogram->sum += value;
}

void histogram_join(struct histogram *histogram, const struct histogram *other)
{
	for (size_t i = 0; i < G_N_ELEMENTS(histogram->counts); i++)
		histogram->counts[i] += other->counts[i];
	histogram->sum += other->sum;
}

static void add_bucket(GString *out, const char *name, const char *labels, const char *bound,
		       int64_t count)
{
	g_autofree char *all =
		g_strdup_printf("%s%sle=\"%s\"", labels, *labels != '\0' ? "," : "", bound);

	add_sample(out, name, "_bucket", all, (double)count);
}

void histogram_write(GString *out, const struct metric *metric, const struct histogram_scale *scale,
		     const char *labels, const struct histogram *histogram)
{
	char bound[NUMBER_SIZE];
	int64_t below = 0;

	for (size_t i = 0; i < scale->count; i++) {
		below += histogram->counts[i];
		add_bucket(out, metric->name, labels,
			   number((double)scale->bounds[i] * scale->unit, bound), below);
	}
	below += histogram->counts[scale->count];
	add_bucket(out, metric->name, labels, "+Inf", below);
	add_sample(out, metric->name, "_sum", labels, (double)histogram->sum * scale->unit);
	add_sample(out, metric->name, "_count", labels, (double)below);
}
