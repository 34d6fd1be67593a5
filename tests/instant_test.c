/* Instants against the C library's calendar, and the forms of time that people and devices write. */
#include "instant.h"

#include <glib.h>
#include <string.h>
#include <time.h>

#define RANDOM_INSTANTS 200000

static void assert_reads(const char *text, const char *expected)
{
	instant when = INSTANT_NONE;
	char formatted[INSTANT_TEXT_SIZE];

	if (!instant_parse(text, strlen(text), &when))
		g_error("'%s' is not read", text);
	instant_format(when, formatted);
	g_assert_cmpstr(formatted, ==, expected);
}

static void assert_refuses(const char *text)
{
	instant when = INSTANT_NONE;

	if (instant_parse(text, strlen(text), &when))
		g_error("'%s' is read as %" G_GINT64_FORMAT, text, when);
	g_assert_cmpint(when, ==, INSTANT_NONE);
}

static void rfc3339_is_read_with_any_offset(void)
{
	assert_reads("2019-03-31T08:15:30Z", "2019-03-31T08:15:30.000Z");
	assert_reads("2019-03-31T08:15:30.125Z", "2019-03-31T08:15:30.125Z");
	assert_reads("2019-03-31t08:15:30z", "2019-03-31T08:15:30.000Z");
	assert_reads("2019-03-31 08:15:30Z", "2019-03-31T08:15:30.000Z");
	assert_reads("2019-03-31T08:15:30+02:00", "2019-03-31T06:15:30.000Z");
	assert_reads("2019-03-31T08:15:30-05:30", "2019-03-31T13:45:30.000Z");
	assert_reads("2019-03-31T08:15:30-00:00", "2019-03-31T08:15:30.000Z");
	assert_reads("2019-12-31T23:59:59.999-23:59", "2020-01-01T23:58:59.999Z");
	assert_reads("2020-01-01T00:00:00+23:59", "2019-12-31T00:01:00.000Z");
	assert_reads("2020-02-29T00:00:00Z", "2020-02-29T00:00:00.000Z");
	assert_reads("2000-02-29T12:00:00Z", "2000-02-29T12:00:00.000Z");
}

static void the_form_without_an_offset_is_utc(void)
{
	assert_reads("2020-06-23 20:21", "2020-06-23T20:21:00.000Z");
	assert_reads("2020-06-23 20:21:22", "2020-06-23T20:21:22.000Z");
	assert_reads("2020-06-23 20:21:22.345678", "2020-06-23T20:21:22.345Z");
}

static void digits_finer_than_a_millisecond_are_cut(void)
{
	assert_reads("2019-03-31T08:15:30.1Z", "2019-03-31T08:15:30.100Z");
	assert_reads("2019-03-31T08:15:30.12Z", "2019-03-31T08:15:30.120Z");
	assert_reads("2019-03-31T08:15:30.9999999999999999999999999Z", "2019-03-31T08:15:30.999Z");
	assert_reads("2019-03-31T08:15:30.0009+01:00", "2019-03-31T07:15:30.000Z");
}

static void a_leap_second_is_the_first_of_the_next_month(void)
{
	assert_reads("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z");
	assert_reads("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250Z");
	assert_reads("2016-12-31 23:59:60", "2017-01-01T00:00:00.000Z");
	assert_reads("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00.000Z");
	assert_reads("2012-06-30T15:59:60-08:00", "2012-07-01T00:00:00.000Z");
	assert_refuses("2016-12-30T23:59:60Z");
	assert_refuses("2016-12-31T22:59:60Z");
	assert_refuses("2016-12-31T23:58:60Z");
	assert_refuses("2016-12-31T23:59:60+01:00");
	assert_refuses("2016-12-31T23:59:61Z");
}

static void instants_lie_within_1970_and_9999(void)
{
	assert_reads("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
	assert_reads("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z");
	assert_reads("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
	assert_refuses("1969-12-31T23:59:59.999Z");
	assert_refuses("1970-01-01T00:59:59+01:00");
	assert_refuses("9999-12-31T23:59:59-00:01");
	assert_refuses("9999-12-31T23:59:60Z");
	assert_refuses("10000-01-01T00:00:00Z");
	assert_refuses("0000-01-01T00:00:00Z");
}

static void what_is_no_time_is_refused(void)
{
	static const char *const texts[] = {
		"",
		" ",
		"2019",
		"2019-03-31",
		"2019-03-31T",
		"2019-03-31T08",
		"2019-03-31T08:15Z",   /* RFC 3339 has seconds */
		"2019-03-31T08:15:30", /* and an offset */
		"2019-03-31T08:15",
		"2019-03-31 08:15Z",
		"2019-03-31 08:15+02:00",
		"2019-03-31T08:15:30.Z",
		"2019-03-31 08:15:30.",
		"2019-03-31T08:15:30,5Z",
		"2019-03-31T08:15:30+0200",
		"2019-03-31T08:15:30+02",
		"2019-03-31T08:15:30+24:00",
		"2019-03-31T08:15:30+02:60",
		"2019-03-31T08:15:30 +02:00",
		"2019-03-31T08:15:30ZZ",
		"2019-03-31T08:15:30Z ",
		" 2019-03-31T08:15:30Z",
		"2019-03-31_08:15:30Z",
		"2019-03-31  08:15:30Z",
		"2019-3-31T08:15:30Z",
		"2019-03-31T8:15:30Z",
		"20190331T081530Z",
		"2019/03/31 08:15:30",
		"2019-00-10T08:15:30Z",
		"2019-13-10T08:15:30Z",
		"2019-04-31T08:15:30Z",
		"2019-02-29T08:15:30Z",
		"1900-02-29T08:15:30Z",
		"2100-02-29T08:15:30Z",
		"2019-03-00T08:15:30Z",
		"2019-03-31T24:00:00Z",
		"2019-03-31T08:60:00Z",
		"+2019-03-31T08:15:30Z",
		"-2019-03-31T08:15:30Z",
		"2019-03-31T08:15:-1Z",
		"1554020130000",
		"now",
		"\xd9\xa2\xd9\xa0\xd9\xa1\xd9\xa9-03-31T08:15:30Z", /* digits, but not ASCII's */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		assert_refuses(texts[i]);
}

static void the_size_says_where_a_text_ends(void)
{
	static const char text[] = "2020-06-23 20:21:22.5";
	instant when = 0;

	g_assert_true(instant_parse(text, strlen("2020-06-23 20:21"), &when));
	g_assert_cmpint(when, ==, INT64_C(1592943660000));
	g_assert_true(instant_parse(text, strlen("2020-06-23 20:21:22"), &when));
	g_assert_cmpint(when, ==, INT64_C(1592943682000));
	g_assert_false(instant_parse(text, strlen("2020-06-23 20:21:2"), &when));
	g_assert_false(instant_parse("2020-06-23 20:21:22\0", sizeof "2020-06-23 20:21:22", &when));
}

static void every_beginning_of_a_time_is_read_within_its_bytes(void)
{
	static const char text[] = "2019-03-31T08:15:30.125+02:00";

	for (size_t size = 0; size < sizeof text; size++) {
		g_autofree char *bytes = g_memdup2(text, size); /* for the address sanitizer */
		instant when;
		g_assert_cmpint(instant_parse(bytes, size, &when), ==, size == strlen(text));
	}
}

static void a_date_alone_is_its_first_instant_for_people_only(void)
{
	instant when = INSTANT_NONE;

	g_assert_false(instant_parse("2018-01-01", 10, &when));
	g_assert_true(instant_parse_date("2018-01-01", 10, &when));
	g_assert_cmpint(when, ==, INT64_C(1514764800000));
	g_assert_true(instant_parse_date("2018-01-01 00:01", 16, &when));
	g_assert_cmpint(when, ==, INT64_C(1514764860000));
	g_assert_false(instant_parse_date("2018-02-30", 10, &when));
	g_assert_false(instant_parse_date("1969-12-31", 10, &when));
	g_assert_false(instant_parse_date("2018-01-01 ", 11, &when));
	g_assert_cmpint(when, ==, INT64_C(1514764860000));
}

static bool reads_civil(const char *text, struct civil *ret_civil)
{
	return civil_parse(text, strlen(text), ret_civil);
}

static void a_civil_time_has_no_offset(void)
{
	struct civil civil;

	g_assert_true(reads_civil("2020-03-29 02:30:15.1239", &civil));
	g_assert_cmpint(civil.year, ==, 2020);
	g_assert_cmpint(civil.month, ==, 3);
	g_assert_cmpint(civil.day, ==, 29);
	g_assert_cmpint(civil.hour, ==, 2);
	g_assert_cmpint(civil.minute, ==, 30);
	g_assert_cmpint(civil.second, ==, 15);
	g_assert_cmpint(civil.millisecond, ==, 123);
	g_assert_true(reads_civil("2020-03-29T02:30", &civil));
	g_assert_cmpint(civil.second, ==, 0);
	g_assert_true(reads_civil("2020-03-29", &civil));
	g_assert_cmpint(civil.hour, ==, 0);
	g_assert_false(reads_civil("2020-03-29T02:30:00Z", &civil));
	g_assert_false(reads_civil("2020-03-29 02:30+01:00", &civil));
	g_assert_false(reads_civil("2016-12-31 23:59:60", &civil));
	g_assert_false(reads_civil("2020-03-29 ", &civil));
	g_assert_false(reads_civil("02:30", &civil));
}

/* From the year 0000 to the year 9999. */
static int64_t random_ms(void)
{
	int64_t second = ((int64_t)g_test_rand_int_range(-31083600, 126701150)) * 2000 +
			 g_test_rand_int_range(0, 2000);

	return second * INSTANT_SECOND + g_test_rand_int_range(0, 1000);
}

static void the_calendar_is_the_c_librarys(void)
{
	for (int i = 0; i < RANDOM_INSTANTS; i++) {
		int64_t ms = random_ms();
		struct civil civil = instant_to_civil(ms);
		time_t second = (time_t)((ms - civil.millisecond) / INSTANT_SECOND);
		struct tm tm;

		g_assert_nonnull(gmtime_r(&second, &tm));
		g_assert_cmpint(civil.year, ==, tm.tm_year + 1900);
		g_assert_cmpint(civil.month, ==, tm.tm_mon + 1);
		g_assert_cmpint(civil.day, ==, tm.tm_mday);
		g_assert_cmpint(civil.hour, ==, tm.tm_hour);
		g_assert_cmpint(civil.minute, ==, tm.tm_min);
		g_assert_cmpint(civil.second, ==, tm.tm_sec);
		g_assert_cmpint(instant_from_civil(civil), ==, ms);
	}
}

static void every_day_comes_back(void)
{
	for (int64_t ms = INSTANT_FIRST - INSTANT_DAY; ms <= INSTANT_LAST; ms += INSTANT_DAY)
		g_assert_cmpint(instant_from_civil(instant_to_civil(ms)), ==, ms);
}

static void what_is_written_is_read_again(void)
{
	for (int i = 0; i < RANDOM_INSTANTS; i++) {
		instant when = random_ms(), again;
		char text[INSTANT_TEXT_SIZE];

		if (when < INSTANT_FIRST)
			continue;
		instant_format(when, text);
		g_assert_cmpuint(strlen(text), ==, INSTANT_TEXT_SIZE - 1);
		g_assert_true(instant_parse(text, strlen(text), &again));
		g_assert_cmpint(again, ==, when);
	}
}

static void now_is_the_systems_clock(void)
{
	instant before = (instant)time(NULL) * INSTANT_SECOND, now = instant_now();

	/* time(2) may be a tick behind the clock that the other one reads */
	g_assert_cmpint(now, >=, before - INSTANT_SECOND);
	g_assert_cmpint(now, <=, ((instant)time(NULL) + 2) * INSTANT_SECOND);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/instant/" #name, name)
	TEST(rfc3339_is_read_with_any_offset);
	TEST(the_form_without_an_offset_is_utc);
	TEST(digits_finer_than_a_millisecond_are_cut);
	TEST(a_leap_second_is_the_first_of_the_next_month);
	TEST(instants_lie_within_1970_and_9999);
	TEST(what_is_no_time_is_refused);
	TEST(the_size_says_where_a_text_ends);
	TEST(every_beginning_of_a_time_is_read_within_its_bytes);
	TEST(a_date_alone_is_its_first_instant_for_people_only);
	TEST(a_civil_time_has_no_offset);
	TEST(the_calendar_is_the_c_librarys);
	TEST(every_day_comes_back);
	TEST(what_is_written_is_read_again);
	TEST(now_is_the_systems_clock);
	return g_test_run();
}
