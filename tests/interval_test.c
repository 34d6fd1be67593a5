/* Intervals of time and of the calendar, across changes of the clocks and the ends of months. */
#include "interval.h"

#include <string.h>

#define MOST 10000

static instant at(const char *text)
{
	instant when = INSTANT_NONE;

	g_assert_true(instant_parse(text, strlen(text), &when));
	return when;
}

static GArray *edges_of(const char *text, const char *zone, const char *start, const char *end,
			size_t most)
{
	struct interval interval;

	g_assert_true(interval_parse(text, &interval));
	return interval_edges(&interval, zone_find(zone), at(start), at(end), most);
}

/* The edges are the instants listed, with one space between them. */
static void assert_edges(const char *text, const char *zone, const char *start, const char *end,
			 const char *expected)
{
	g_autoptr(GArray) edges = edges_of(text, zone, start, end, MOST);
	g_auto(GStrv) texts = g_strsplit(expected, " ", -1);

	g_assert_cmpuint(edges->len, ==, g_strv_length(texts));
	for (guint i = 0; i < edges->len; i++) {
		char edge[INSTANT_TEXT_SIZE];

		instant_format(g_array_index(edges, instant, i), edge);
		g_assert_cmpstr(edge, ==, texts[i]);
	}
}

static void what_is_an_interval(void)
{
	static const char *const good[] = {"1m", "5m", "1h", "24h", "1d", "2w", "1mo", "999999mo"};
	static const char *const bad[] = {"",     "m",   "0m",   "05m",      "-1m", "1",    "1M",
					  "1.5h", "1 h", "1min", "1000000m", "1y",  "1mom", "1m "};
	struct interval interval;

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(interval_parse(good[i], &interval));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(interval_parse(bad[i], &interval));
}

static void the_last_one_may_be_shorter(void)
{
	assert_edges("5m", "UTC", "2026-11-23T08:00:00Z", "2026-11-23T08:12:00Z",
		     "2026-11-23T08:00:00.000Z 2026-11-23T08:05:00.000Z "
		     "2026-11-23T08:10:00.000Z 2026-11-23T08:12:00.000Z");
	assert_edges("1d", "UTC", "2026-11-23T08:00:00.001Z", "2026-11-23T08:00:00.002Z",
		     "2026-11-23T08:00:00.001Z 2026-11-23T08:00:00.002Z");
}

static void days_have_23_and_25_hours(void)
{
	assert_edges("1d", "Europe/Berlin", "2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z",
		     "2026-03-27T23:00:00.000Z 2026-03-28T23:00:00.000Z "
		     "2026-03-29T22:00:00.000Z 2026-03-30T22:00:00.000Z");
	assert_edges("1d", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z",
		     "2026-10-24T22:00:00.000Z 2026-10-25T23:00:00.000Z 2026-10-26T23:00:00.000Z");
}

static void hours_have_60_minutes_whatever_the_clocks_do(void)
{
	assert_edges("1h", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z",
		     "2026-03-29T00:00:00.000Z 2026-03-29T01:00:00.000Z 2026-03-29T02:00:00.000Z");
}

static void a_step_into_a_gap_ends_behind_it(void)
{
	/* 02:30 does not exist on the 29th; the day after is counted from the start, not from there. */
	assert_edges("1d", "Europe/Berlin", "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z",
		     "2026-03-28T01:30:00.000Z 2026-03-29T01:00:00.000Z 2026-03-30T00:30:00.000Z");
}

static void a_step_into_an_overlap_ends_at_the_first(void)
{
	assert_edges("1d", "Europe/Berlin", "2026-10-24T00:30:00Z", "2026-10-26T01:30:00Z",
		     "2026-10-24T00:30:00.000Z 2026-10-25T00:30:00.000Z 2026-10-26T01:30:00.000Z");
}

static void a_day_that_a_zone_skipped_is_none(void)
{
	/* Samoa had no 30 December 2011. */
	assert_edges("1d", "Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z",
		     "2011-12-29T10:00:00.000Z 2011-12-30T10:00:00.000Z 2011-12-31T10:00:00.000Z");
}

static void months_end_on_their_last_day(void)
{
	assert_edges("1mo", "UTC", "2028-01-31T12:00:00Z", "2028-04-30T12:00:00Z",
		     "2028-01-31T12:00:00.000Z 2028-02-29T12:00:00.000Z "
		     "2028-03-31T12:00:00.000Z 2028-04-30T12:00:00.000Z");
	assert_edges("7mo", "UTC", "2025-11-30T00:00:00Z", "2027-01-30T00:00:00Z",
		     "2025-11-30T00:00:00.000Z 2026-06-30T00:00:00.000Z 2027-01-30T00:00:00.000Z");
}

static void more_than_the_most_are_none(void)
{
	g_autoptr(GArray) edges =
		edges_of("1m", "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:10:00Z", 10);

	g_assert_cmpuint(edges->len, ==, 11);
	g_assert_null(
		edges_of("1m", "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:10:00.001Z", 10));
}

static void the_longest_steps_end_with_time_itself(void)
{
	static const char *const texts[] = {"999999m", "999999h", "999999d", "999999w", "999999mo"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GArray) edges =
			edges_of(texts[i], "Europe/Berlin", "1970-01-01T00:00:00Z",
				 "9999-12-31T23:59:59.999Z", MOST);

		g_assert_cmpuint(edges->len, >=, 2);
		for (guint j = 1; j < edges->len; j++)
			g_assert_cmpint(g_array_index(edges, instant, j - 1), <,
					g_array_index(edges, instant, j));
	}
}

#define TEST(name) g_test_add_func("/interval/" #name, name)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST(what_is_an_interval);
	TEST(the_last_one_may_be_shorter);
	TEST(days_have_23_and_25_hours);
	TEST(hours_have_60_minutes_whatever_the_clocks_do);
	TEST(a_step_into_a_gap_ends_behind_it);
	TEST(a_step_into_an_overlap_ends_at_the_first);
	TEST(a_day_that_a_zone_skipped_is_none);
	TEST(months_end_on_their_last_day);
	TEST(more_than_the_most_are_none);
	TEST(the_longest_steps_end_with_time_itself);
	return g_test_run();
}
