/* An interval, a timezone, a start and an end, each on a line: what is accepted has so many edges and no more, and they
 * rise from the start to the end. */
#include "interval.h"

#include <string.h>

#include "fuzz.h"

#define MOST 1000

static void check_edges(const GArray *edges, instant start, instant end)
{
	const instant *at = (const instant *)(const void *)edges->data;

	g_assert(edges->len >= 2 && edges->len <= MOST + 1);
	g_assert(at[0] == start && at[edges->len - 1] == end);
	for (guint i = 1; i < edges->len; i++)
		g_assert(at[i - 1] < at[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 4);
	struct interval interval;
	const struct zone *zone;
	instant start, end;
	GArray *edges;

	if (g_strv_length(lines) < 4 || !interval_parse(lines[0], &interval))
		return 0;
	g_assert(interval.count >= 1 && interval.count <= 999999);
	zone = zone_find(lines[1]);
	if (zone == NULL || !instant_parse_date(lines[2], strlen(lines[2]), &start) ||
	    !instant_parse_date(lines[3], strlen(lines[3]), &end) || start >= end)
		return 0;
	edges = interval_edges(&interval, zone, start, end, MOST);
	if (edges == NULL)
		return 0;
	check_edges(edges, start, end);
	g_array_unref(edges);
	return 0;
}
