#include "log.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"

#define MINUTE_US (INT64_C(60) * G_USEC_PER_SEC)
#define A_MINUTE 10 /* lines of one place; 1000 of debug */

/* Standard error is a file meanwhile. */
struct fixture {
	char *path;
	int kept; /* the real one */
};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	int file = g_file_open_tmp("headcount-log-XXXXXX", &fixture->path, NULL);

	(void)data;
	g_assert_cmpint(file, >=, 0);
	fixture->kept = dup(STDERR_FILENO);
	g_assert_cmpint(dup2(file, STDERR_FILENO), >=, 0);
	close(file);
	g_unsetenv("JOURNAL_STREAM");
	log_start("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	log_finish();
	dup2(fixture->kept, STDERR_FILENO);
	close(fixture->kept);
	g_remove(fixture->path);
	g_free(fixture->path);
}

/* What was logged since the last call, line by line. */
static GStrv lines_of(struct fixture *fixture)
{
	g_autofree char *text = NULL;
	gsize size;

	g_assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
	g_assert_cmpint(ftruncate(STDERR_FILENO, 0), ==, 0);
	lseek(STDERR_FILENO, 0, SEEK_SET);
	g_assert_cmpuint(strlen(text), ==, size);
	g_assert_true(size == 0 || text[size - 1] == '\n');
	if (size > 0)
		text[size - 1] = '\0';
	return g_strsplit(text, "\n", -1);
}

static void assert_line(struct fixture *fixture, const char *expected)
{
	g_auto(GStrv) lines = lines_of(fixture);

	g_assert_cmpuint(g_strv_length(lines), ==, 1);
	g_assert_cmpstr(lines[0], ==, expected);
}

static void an_event_is_a_line_with_program_and_level(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	log_warning("broker: %s; trying again", "refused");
	assert_line(fixture, "test: warning: broker: refused; trying again");
}

static void what_is_below_the_level_is_not_said(struct fixture *fixture, gconstpointer data)
{
	g_auto(GStrv) none = NULL;

	(void)data;
	log_debug("secretive");
	none = lines_of(fixture);
	g_assert_null(none[0]);
	log_start("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_debug("talkative");
	assert_line(fixture, "test: debug: talkative");
}

static void hostile_text_stays_on_its_line(struct fixture *fixture, gconstpointer data)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"a\nb\r\tc", "a\\x0ab\\x0d\\x09c"},
		{"\x1b[2Jgone", "\\x1b[2Jgone"},
		{"\x7f", "\\x7f"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"bad \xff\xc3 utf-8 \xe2\x82", "bad \\xff\\xc3 utf-8 \\xe2\\x82"},
		{"\xc2\x9b"
		 "1m",
		 "\\u009b1m"},                     /* a terminal's command, in 8 bits */
		{"\xe2\x80\x8btxt", "\\u200btxt"}, /* of no width */
		{"\xe2\x80\xa8"
		 "line",
		 "\\u2028line"}, /* a line's end elsewhere */
		{"\\x0a is typed", "\\\\x0a is typed"},
	};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *expected = g_strconcat("test: notice: ", cases[i].shown, NULL);

		log_notice("%s", cases[i].text);
		assert_line(fixture, expected);
	}
}

static void a_long_text_is_cut_at_a_character(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	for (size_t before = 0; before < 4; before++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_auto(GStrv) lines = NULL;

		for (size_t i = 0; i < before; i++)
			g_string_append_c(text, 'a');
		for (size_t i = 0; i < 1000; i++)
			g_string_append(text, "\xe2\x82\xac");
		log_notice("%s", text->str);
		lines = lines_of(fixture);
		g_assert_cmpuint(g_strv_length(lines), ==, 1);
		g_assert_cmpuint(strlen(lines[0]), <, 1100);
		g_assert_true(g_str_has_suffix(lines[0], "\xe2\x82\xac"
							 "…"));
		g_assert_null(strchr(lines[0], '\\'));
	}
}

static void the_journal_gets_priorities(struct fixture *fixture, gconstpointer data)
{
	struct stat status;
	g_autofree char *stream = NULL;

	(void)data;
	g_assert_cmpint(fstat(STDERR_FILENO, &status), ==, 0);
	stream = g_strdup_printf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	g_setenv("JOURNAL_STREAM", stream, TRUE);
	log_start("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_error("database: gone");
	assert_line(fixture, "<3>database: gone");
	log_debug("database: back");
	assert_line(fixture, "<7>database: back");
	g_setenv("JOURNAL_STREAM", "1:1", TRUE);
	log_start("test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_error("database: gone");
	assert_line(fixture, "test: error: database: gone");
	g_unsetenv("JOURNAL_STREAM");
}

/* JSON */

static Json *json_line(struct fixture *fixture)
{
	g_auto(GStrv) lines = lines_of(fixture);
	const char *why = NULL;
	Json *json;

	g_assert_cmpuint(g_strv_length(lines), ==, 1);
	g_test_message("%s", lines[0]);
	json = json_read(lines[0], strlen(lines[0]), &why);
	g_assert_nonnull(json);
	return json;
}

static void json_has_its_members(struct fixture *fixture, gconstpointer data)
{
	instant when;
	const char *time;
	g_autoptr(Json) json = NULL;

	(void)data;
	log_start("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_warning("dpu/423/events: refused: %s", "a\n\"b\"\xff");
	json = json_line(fixture);
	time = json_member_text(json, "time", "");
	g_assert_true(instant_parse(time, strlen(time), &when));
	g_assert_cmpint(ABS(instant_now() - when), <, INSTANT_HOUR);
	g_assert_cmpstr(json_member_text(json, "level", ""), ==, "warning");
	g_assert_cmpstr(json_member_text(json, "program", ""), ==, "test");
	g_assert_cmpstr(json_member_text(json, "subject", ""), ==, "dpu/423/events");
	g_assert_cmpstr(json_member_text(json, "message", ""), ==, "refused: a\n\"b\"\xef\xbf\xbd");
	g_assert_null(json_member(json, "more"));
}

static void hostile_text_is_escaped_in_json_too(struct fixture *fixture, gconstpointer data)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"\xe2\x80\xaetxt\xe2\x80\xac", "\\u202etxt\\u202c"}, /* from right to left */
		{"\xc2\x9b"
		 "1m",
		 "\\u009b1m"}, /* a terminal's command, in 8 bits */
		{"\x7f", "\\u007f"},
		{"\xe2\x80\xa8", "\\u2028"},
		{"\xf3\xa0\x80\x81",
		 "\\udb40\\udc01"}, /* a tag that nobody sees: two units of UTF-16 */
		{"caf\xc3\xa9\xf0\x9f\x9a\xaa", "caf\xc3\xa9\xf0\x9f\x9a\xaa"},
	};

	(void)data;
	log_start("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *ends =
			g_strconcat("\"subject\":\"", cases[i].shown, "\",\"message\":\"",
				    cases[i].shown, "\"}", NULL);
		g_auto(GStrv) lines = NULL;
		g_autoptr(Json) json = NULL;
		const char *why = NULL;

		log_notice("%s: %s", cases[i].text, cases[i].text);
		lines = lines_of(fixture);
		g_assert_cmpuint(g_strv_length(lines), ==, 1);
		g_test_message("%s", lines[0]);
		g_assert_true(g_str_has_suffix(lines[0], ends));
		json = json_read(lines[0], strlen(lines[0]), &why);
		g_assert_nonnull(json);
		g_assert_cmpstr(json_member_text(json, "message", ""), ==, cases[i].text);
	}
}

static void a_message_without_subject_has_none(struct fixture *fixture, gconstpointer data)
{
	g_autoptr(Json) json = NULL;

	(void)data;
	log_start("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_notice("the limit can't be raised: no");
	json = json_line(fixture);
	g_assert_null(json_member(json, "subject"));
	g_assert_cmpstr(json_member_text(json, "message", ""), ==, "the limit can't be raised: no");
}

/* Repeats: `place` is what the macros make one of for each place. */

static void storm(struct log_place *place, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		log_line(place, LOG_LEVEL_WARNING, "dpu/%u/events: refused", i);
}

static void repeats_are_counted_and_told_at_the_end(struct fixture *fixture, gconstpointer data)
{
	static struct log_place place;
	g_auto(GStrv) lines = NULL;

	(void)data;
	storm(&place, 4221);
	log_tend(); /* the minute is not over */
	lines = lines_of(fixture);
	g_assert_cmpuint(g_strv_length(lines), ==, A_MINUTE);
	g_assert_cmpstr(lines[9], ==, "test: warning: dpu/9/events: refused");
	log_finish();
	assert_line(fixture, "test: warning: dpu/9/events: refused … and 4211 more");
}

static void a_minute_later_it_is_told_and_begins_anew(struct fixture *fixture, gconstpointer data)
{
	static struct log_place place;
	g_auto(GStrv) before = NULL;
	g_auto(GStrv) after = NULL;

	(void)data;
	storm(&place, A_MINUTE + 3);
	before = lines_of(fixture);
	place.began -= MINUTE_US;
	storm(&place, 1);
	after = lines_of(fixture);
	g_assert_cmpuint(g_strv_length(after), ==, 2);
	g_assert_cmpstr(after[0], ==, "test: warning: dpu/9/events: refused … and 3 more");
	g_assert_cmpstr(after[1], ==, "test: warning: dpu/0/events: refused");
}

static void a_storm_that_is_over_is_told_without_another_event(struct fixture *fixture,
							       gconstpointer data)
{
	static struct log_place place;
	g_auto(GStrv) before = NULL;
	g_auto(GStrv) none = NULL;

	(void)data;
	storm(&place, A_MINUTE + 1);
	before = lines_of(fixture);
	place.began -= MINUTE_US;
	log_tend();
	assert_line(fixture, "test: warning: dpu/9/events: refused … and 1 more");
	log_tend();
	log_finish();
	none = lines_of(fixture);
	g_assert_null(none[0]);
}

static void another_place_is_not_silenced(struct fixture *fixture, gconstpointer data)
{
	static struct log_place place;
	g_auto(GStrv) before = NULL;

	(void)data;
	storm(&place, 1000);
	before = lines_of(fixture);
	log_warning("dpu/1/events: refused");
	assert_line(fixture, "test: warning: dpu/1/events: refused");
}

static void json_counts_repeats_too(struct fixture *fixture, gconstpointer data)
{
	static struct log_place place;
	g_auto(GStrv) before = NULL;
	g_autoptr(Json) json = NULL;

	(void)data;
	log_start("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	storm(&place, A_MINUTE + 7);
	before = lines_of(fixture);
	log_finish();
	json = json_line(fixture);
	g_assert_cmpint(json_member_integer(json, "more", 0), ==, 7);
	g_assert_cmpstr(json_member_text(json, "message", ""), ==, "refused … and 7 more");
}

static gpointer storm_in_thread(gpointer place)
{
	storm(place, 10000);
	return NULL;
}

static void threads_lose_nothing(struct fixture *fixture, gconstpointer data)
{
	static struct log_place place;
	GThread *threads[4];
	g_auto(GStrv) lines = NULL;
	g_auto(GStrv) last = NULL;

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("storm", storm_in_thread, &place);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	lines = lines_of(fixture);
	g_assert_cmpuint(g_strv_length(lines), ==, A_MINUTE);
	log_finish();
	last = lines_of(fixture);
	g_assert_true(g_str_has_suffix(last[0], "… and 39990 more"));
}

#define ADD(test) g_test_add("/log/" #test, struct fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(an_event_is_a_line_with_program_and_level);
	ADD(what_is_below_the_level_is_not_said);
	ADD(hostile_text_stays_on_its_line);
	ADD(a_long_text_is_cut_at_a_character);
	ADD(the_journal_gets_priorities);
	ADD(json_has_its_members);
	ADD(hostile_text_is_escaped_in_json_too);
	ADD(a_message_without_subject_has_none);
	ADD(repeats_are_counted_and_told_at_the_end);
	ADD(a_minute_later_it_is_told_and_begins_anew);
	ADD(a_storm_that_is_over_is_told_without_another_event);
	ADD(another_place_is_not_silenced);
	ADD(json_counts_repeats_too);
	ADD(threads_lose_nothing);
	return g_test_run();
}
