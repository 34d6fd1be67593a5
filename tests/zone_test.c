/* Local times against their definition, looked up minute by minute. */
#include "zone.h"

#include <glib.h>
#include <string.h>

#define WINDOW (26 * INSTANT_HOUR) /* no local time is further from UTC */
#define THREADS 8
#define ROUNDS 2000

static instant at(const char *text)
{
	instant when = INSTANT_NONE;

	g_assert_true(instant_parse(text, strlen(text), &when));
	return when;
}

static int64_t local(const char *text)
{
	struct civil civil;

	g_assert_true(civil_parse(text, strlen(text), &civil));
	return instant_from_civil(civil);
}

static const struct zone *zone(const char *name)
{
	const struct zone *found = zone_find(name);

	g_assert_nonnull(found);
	return found;
}

static void assert_at(instant when, const char *expected)
{
	char text[INSTANT_TEXT_SIZE];

	instant_format(when, text);
	g_assert_cmpstr(text, ==, expected);
}

/* Finding */

static void names_of_the_system_are_found(void)
{
	static const char *const names[] = {
		"UTC",       "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3",
		"EST5EDT",   "Asia/Kolkata",  "America/Port-au-Prince",         "GB-Eire",
		"Etc/GMT-14"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_nonnull(zone_find(names[i]));
}

static void what_is_no_name_is_refused(void)
{
	static const char *const names[] = {
		"",
		" ",
		"Z",
		"z",
		"+02:00",
		"-08",
		"UTC+3",
		"GMT+3",
		"CET-1CEST",
		"EST5EDT4,M3.2.0,M11.1.0",
		"<+0330>-3:30",
		":Europe/Berlin",
		"Europe",
		"Europe/",
		"Europe/Berlin/",
		"Europe//Berlin",
		"/Europe/Berlin",
		"/usr/share/zoneinfo/Europe/Berlin",
		"./Europe/Berlin",
		"../zoneinfo/Europe/Berlin",
		"Europe/../Europe/Berlin",
		"Europe/./Berlin",
		"Europe/Berlin ",
		" Europe/Berlin",
		"Europe/Berlin\n",
		"europe/berlin",
		"EUROPE/BERLIN",
		"Europe/Nowhere",
		"Moon/Tranquility",
		"posix/Europe/Berlin",
		"right/Europe/Berlin",
		"posixrules",
		"localtime",
		"tzdata.zi",
		"zone.tab",
		"zone1970.tab",
		"leapseconds",
		"B\xc3\xa4rlin",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (zone_find(names[i]) != NULL)
			g_error("'%s' is found", names[i]);
	}
}

static void utc_is_known_without_the_systems_files(void)
{
	if (!g_test_subprocess()) {
		g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
		g_test_trap_assert_passed();
		return;
	}
	g_setenv("TZDIR", "/nonexistent", TRUE);
	g_assert_cmpint(zone_offset(zone("UTC"), at("2024-07-01T00:00:00Z")), ==, 0);
	g_assert_null(zone_find("Europe/Berlin"));
}

static void *find_from_a_thread(void *names)
{
	const struct zone *tokyo = NULL;

	for (int i = 0; i < ROUNDS; i++) {
		const struct zone *found = zone_find("Asia/Tokyo");
		g_assert_nonnull(found);
		g_assert_true(tokyo == NULL || tokyo == found);
		tokyo = found;
		g_assert_nonnull(zone_find(((char **)names)[i % 4]));
		g_assert_null(zone_find("Asia/Nowhere"));
		g_assert_cmpint(zone_offset(found, at("2024-01-01T00:00:00Z")), ==,
				9 * INSTANT_HOUR);
	}
	return (void *)tokyo;
}

static void threads_get_the_same_zone(void)
{
	static const char *names[] = {"Asia/Seoul", "Asia/Dubai", "Asia/Manila", "Asia/Tehran"};
	GThread *threads[THREADS];
	const void *first = NULL;

	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("find", find_from_a_thread, names);
	for (int i = 0; i < THREADS; i++) {
		const void *found = g_thread_join(threads[i]);
		g_assert_true(first == NULL || first == found);
		first = found;
	}
}

/* Offsets */

static void the_offset_changes_with_the_clocks(void)
{
	const struct zone *berlin = zone("Europe/Berlin");

	g_assert_cmpint(zone_offset(berlin, at("2020-03-29T00:59:59.999Z")), ==, INSTANT_HOUR);
	g_assert_cmpint(zone_offset(berlin, at("2020-03-29T01:00:00Z")), ==, 2 * INSTANT_HOUR);
	g_assert_cmpint(zone_offset(berlin, at("2020-10-25T00:59:59.999Z")), ==, 2 * INSTANT_HOUR);
	g_assert_cmpint(zone_offset(berlin, at("2020-10-25T01:00:00Z")), ==, INSTANT_HOUR);
	g_assert_cmpint(zone_offset(berlin, at("2060-07-01T00:00:00Z")), ==, 2 * INSTANT_HOUR);
	g_assert_cmpint(zone_offset(zone("Asia/Kathmandu"), at("2020-01-01T00:00:00Z")), ==,
			5 * INSTANT_HOUR + 45 * INSTANT_MINUTE);
	g_assert_cmpint(zone_offset(zone("Africa/Monrovia"), INSTANT_FIRST), ==,
			-(44 * INSTANT_MINUTE + 30 * INSTANT_SECOND));
}

/* Local times */

static void a_gap_ends_at_the_first_instant_after_it(void)
{
	const struct zone *berlin = zone("Europe/Berlin");
	instant when;

	g_assert_cmpint(zone_from_local(berlin, local("2020-03-29 01:59:59.999"), &when, NULL), ==,
			ZONE_UNIQUE);
	assert_at(when, "2020-03-29T00:59:59.999Z");
	g_assert_cmpint(zone_from_local(berlin, local("2020-03-29 02:00"), &when, NULL), ==,
			ZONE_GAP);
	assert_at(when, "2020-03-29T01:00:00.000Z");
	g_assert_cmpint(zone_from_local(berlin, local("2020-03-29 02:59:59.999"), &when, NULL), ==,
			ZONE_GAP);
	assert_at(when, "2020-03-29T01:00:00.000Z");
	g_assert_cmpint(zone_from_local(berlin, local("2020-03-29 03:00"), &when, NULL), ==,
			ZONE_UNIQUE);
	assert_at(when, "2020-03-29T01:00:00.000Z");
}

static void an_overlap_has_two_instants(void)
{
	const struct zone *berlin = zone("Europe/Berlin");
	instant first, second = INSTANT_NONE;

	g_assert_cmpint(zone_from_local(berlin, local("2020-10-25 01:59:59.999"), &first, &second),
			==, ZONE_UNIQUE);
	assert_at(first, "2020-10-24T23:59:59.999Z");
	g_assert_cmpint(second, ==, INSTANT_NONE);
	g_assert_cmpint(zone_from_local(berlin, local("2020-10-25 02:00"), &first, &second), ==,
			ZONE_OVERLAP);
	assert_at(first, "2020-10-25T00:00:00.000Z");
	assert_at(second, "2020-10-25T01:00:00.000Z");
	g_assert_cmpint(zone_from_local(berlin, local("2020-10-25 02:59:59.999"), &first, &second),
			==, ZONE_OVERLAP);
	assert_at(first, "2020-10-25T00:59:59.999Z");
	assert_at(second, "2020-10-25T01:59:59.999Z");
	g_assert_cmpint(zone_from_local(berlin, local("2020-10-25 03:00"), &first, NULL), ==,
			ZONE_UNIQUE);
	assert_at(first, "2020-10-25T02:00:00.000Z");
}

static void a_whole_day_may_be_a_gap(void)
{
	const struct zone *apia = zone("Pacific/Apia");
	instant when;

	g_assert_cmpint(zone_from_local(apia, local("2011-12-29 23:59"), &when, NULL), ==,
			ZONE_UNIQUE);
	assert_at(when, "2011-12-30T09:59:00.000Z");
	g_assert_cmpint(zone_from_local(apia, local("2011-12-30 12:00"), &when, NULL), ==,
			ZONE_GAP);
	assert_at(when, "2011-12-30T10:00:00.000Z");
	g_assert_cmpint(zone_from_local(apia, local("2011-12-31 00:00"), &when, NULL), ==,
			ZONE_UNIQUE);
	assert_at(when, "2011-12-30T10:00:00.000Z");
}

/* By definition: the instants at which the clock shows the local time, and the first at which it shows that or
 * a later one. All offsets here are whole minutes. */
struct lookup {
	int matches;
	instant first_match, second_match, first_not_before;
};

static struct lookup look_up(const struct zone *zone, int64_t local_ms)
{
	struct lookup lookup = {.first_not_before = INSTANT_NONE};

	for (instant when = local_ms - WINDOW; when <= local_ms + WINDOW; when += INSTANT_MINUTE) {
		int64_t shown = when + zone_offset(zone, when);
		if (shown >= local_ms && lookup.first_not_before == INSTANT_NONE)
			lookup.first_not_before = when;
		if (shown != local_ms)
			continue;
		*(lookup.matches++ == 0 ? &lookup.first_match : &lookup.second_match) = when;
	}
	return lookup;
}

/* Local times around changes of the clocks: usual ones, by half an hour, at midnight, by a day, without summer
 * time, and a negative summer time. */
static const struct {
	const char *zone, *from, *until;
} changes[] = {
	{"Europe/Berlin", "2020-03-28 22:00", "2020-03-29 06:00"},
	{"Europe/Berlin", "2020-10-24 22:00", "2020-10-25 06:00"},
	{"America/New_York", "2024-03-09 22:00", "2024-03-10 06:00"},
	{"America/New_York", "2024-11-02 22:00", "2024-11-03 06:00"},
	{"Australia/Lord_Howe", "2021-04-03 22:00", "2021-04-04 06:00"},
	{"Australia/Lord_Howe", "2021-10-02 22:00", "2021-10-03 06:00"},
	{"America/Havana", "2019-03-09 20:00", "2019-03-10 04:00"},
	{"America/Havana", "2019-11-02 20:00", "2019-11-03 04:00"},
	{"America/Sao_Paulo", "2018-11-03 20:00", "2018-11-04 04:00"},
	{"America/Sao_Paulo", "2018-02-17 20:00", "2018-02-18 04:00"},
	{"Pacific/Apia", "2011-12-29 18:00", "2011-12-31 06:00"},
	{"Pacific/Kwajalein", "1993-08-19 18:00", "1993-08-22 06:00"},
	{"America/Caracas", "2007-12-08 22:00", "2007-12-09 06:00"},
	{"Asia/Pyongyang", "2018-05-04 20:00", "2018-05-05 04:00"},
	{"Asia/Kolkata", "2020-03-28 22:00", "2020-03-29 06:00"},
	{"Africa/Casablanca", "2024-03-09 22:00", "2024-03-10 06:00"},
	{"Europe/Dublin", "2022-03-26 22:00", "2022-03-27 06:00"},
	{"America/Boa_Vista", "2000-10-07 20:00", "2000-10-15 04:00"},
};

static void local_times_are_as_defined(void)
{
	static const enum zone_fit fits[] = {ZONE_GAP, ZONE_UNIQUE, ZONE_OVERLAP};

	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		const struct zone *place = zone(changes[i].zone);
		int64_t until = local(changes[i].until);

		for (int64_t ms = local(changes[i].from); ms <= until; ms += 10 * INSTANT_MINUTE) {
			struct lookup expected = look_up(place, ms);
			instant first, second = 0;

			g_assert_cmpint(zone_from_local(place, ms, &first, &second), ==,
					fits[expected.matches]);
			g_assert_cmpint(first, ==, expected.first_not_before);
			g_assert_cmpint(second, ==, expected.second_match);
		}
	}
}

/* Daily times */

static void a_daily_time_comes_once_a_day(void)
{
	static const int minutes[] = {0, 1, 23 * 60 + 30, 30, 2 * 60 + 15, 2 * 60 + 30, 1439};

	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		const struct zone *place = zone(changes[i].zone);
		size_t which = i % G_N_ELEMENTS(minutes);
		int64_t day = local(changes[i].from) / INSTANT_DAY * INSTANT_DAY;
		instant after =
			look_up(place, day + minutes[which] * INSTANT_MINUTE).first_not_before;

		for (int days = 0; days < 4; days++) {
			instant expected;

			do { /* a skipped day's time is the first instant of the day after */
				day += INSTANT_DAY;
				expected = look_up(place, day + minutes[which] * INSTANT_MINUTE)
						   .first_not_before;
			} while (expected == after);
			g_assert_cmpint(zone_next_daily(place, minutes[which], after), ==,
					expected);
			g_assert_cmpint(zone_next_daily(place, minutes[which], expected - 1), ==,
					expected);
			after = expected;
		}
	}
}

static void a_daily_time_in_a_gap_or_overlap(void)
{
	const struct zone *berlin = zone("Europe/Berlin");

	assert_at(zone_next_daily(berlin, 150, at("2020-03-28T12:00:00Z")),
		  "2020-03-29T01:00:00.000Z");
	assert_at(zone_next_daily(berlin, 150, at("2020-03-29T01:00:00Z")),
		  "2020-03-30T00:30:00.000Z");
	assert_at(zone_next_daily(berlin, 150, at("2020-10-24T12:00:00Z")),
		  "2020-10-25T00:30:00.000Z");
	assert_at(zone_next_daily(berlin, 150, at("2020-10-25T00:30:00Z")),
		  "2020-10-26T01:30:00.000Z");
	assert_at(zone_next_daily(berlin, 240, at("2020-10-25T02:59:59.999Z")),
		  "2020-10-25T03:00:00.000Z");
}

static void a_daily_time_may_be_next_at_the_beginning_of_1970(void)
{
	assert_at(zone_next_daily(zone("America/New_York"), 20 * 60, INSTANT_FIRST),
		  "1970-01-01T01:00:00.000Z");
	assert_at(zone_next_daily(zone("UTC"), 0, INSTANT_FIRST), "1970-01-02T00:00:00.000Z");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/zone/" #name, name)
	TEST(names_of_the_system_are_found);
	TEST(what_is_no_name_is_refused);
	TEST(utc_is_known_without_the_systems_files);
	TEST(threads_get_the_same_zone);
	TEST(the_offset_changes_with_the_clocks);
	TEST(a_gap_ends_at_the_first_instant_after_it);
	TEST(an_overlap_has_two_instants);
	TEST(a_whole_day_may_be_a_gap);
	TEST(local_times_are_as_defined);
	TEST(a_daily_time_comes_once_a_day);
	TEST(a_daily_time_in_a_gap_or_overlap);
	TEST(a_daily_time_may_be_next_at_the_beginning_of_1970);
	return g_test_run();
}
