/* JSON: what is read and what is refused (RFC 8259), what is written, and structs by way of tables. */
#include "json.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>

static struct json *reads(const char *text)
{
	const char *why = NULL;
	struct json *json = json_read(text, strlen(text), &why);

	if (json == NULL)
		g_error("%s: refused: %s", text, why);
	return json;
}

static void assert_accepts(const char *text)
{
	g_autoptr(Json) json = reads(text);

	g_assert_nonnull(json);
}

static const char *refusal(const char *text, size_t size)
{
	const char *why = NULL;
	g_autofree char *bytes =
		g_memdup2(text, size); /* just as many, for the address sanitizer */
	g_autoptr(Json) json = json_read(bytes, size, &why);

	if (json != NULL)
		g_error("'%s' is read", text);
	g_assert_nonnull(why);
	return why;
}

static void assert_text(const struct json *json, const char *expected, size_t expected_size)
{
	size_t size;
	const char *text = json_text(json, &size);

	g_assert_cmpuint(size, ==, expected_size);
	g_assert_true(memcmp(text, expected, size) == 0);
}

/* Reading */

/* In the manner of the public JSONTestSuite: y_… must be read. */
static void json_is_read(void)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"-1",
		"1234567890",
		"1.5",
		"-0.0",
		"1e5",
		"1E5",
		"1e+5",
		"1e-5",
		"0e1",
		"0E+1",
		"1.5e-300",
		"1E400",
		"-1e-400",
		"123456789012345678901234567890",
		"-123456789012345678901234567890",
		"0.1234567890123456789012345678901234567890",
		"true",
		"false",
		"null",
		"\"\"",
		"\"a\"",
		"\" \"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0000\"",
		"\"\\u00e9\\u00E9\"",
		"\"\\ud83d\\ude00\"",
		"\"\\ud800\"",
		"\"\\udc00\\ud800\"",
		"\"\\u0022\"",
		"\"\x7f\"",
		"\"\xc2\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf\"",
		"\"'\"",
		"\"/* no comment */\"",
		"[]",
		"[ ]",
		"[[]]",
		"[1]",
		"[1,2]",
		"[ 1 , 2 ]",
		"[null,true,false,1,\"\",[],{}]",
		"[\"]\",\"[\"]",
		"{}",
		"{ }",
		"{\"\":0}",
		"{\"a\":1}",
		"{ \"a\" : 1 , \"b\" : 2 }",
		"{\"a\":{\"a\":{\"a\":1}}}",
		"[{\"a\":1},{\"a\":2}]",
		"{\"a\":1,\"A\":2,\"a \":3,\"\\u0001\":4,\"\\u00e9\":5,\"e\\u0301\":6}",
		"{\"\\\\u0000\":1}",
		"{\"x\":\"\\u0000\",\"y\":1}",
		" \t\r\n1 \t\r\n",
		"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
		"{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		assert_accepts(texts[i]);
}

/* …and n_… must not; much of it is taken by json-c. */
static void what_is_no_json_is_refused(void)
{
	static const char *const texts[] = {
		" ",
		"\n",
		/* numbers */
		"-",
		"+1",
		"--1",
		"- 1",
		"01",
		"-01",
		"00",
		"-00",
		"1.",
		".5",
		"-.5",
		"0.e1",
		"1.e1",
		"1e",
		"1e+",
		"1eE2",
		"1e1.5",
		"1.2.3",
		"1_000",
		"1 000",
		"0x1F",
		"1L",
		"1-2",
		"NaN",
		"nan",
		"Infinity",
		"-Infinity",
		"inf",
		"\xef\xbc\x91",
		/* words */
		"tru",
		"truE",
		"True",
		"TRUE",
		"nul",
		"Null",
		"NULL",
		"fals",
		"nulll",
		"truefalse",
		"undefined",
		"a",
		/* texts */
		"\"",
		"\"a",
		"a\"",
		"'a'",
		"\"a\nb\"",
		"\"a\tb\"",
		"\"\x1f\"",
		"\"\x01\"",
		"\"\\a\"",
		"\"\\x41\"",
		"\"\\'\"",
		"\"\\0\"",
		"\"\\U0041\"",
		"\"\\u\"",
		"\"\\u12\"",
		"\"\\u123",
		"\"\\u123g\"",
		"\"\\u 123\"",
		"\"\\u-123\"",
		"\"\\",
		"\"\\\"",
		"\"\\u00A\"",
		"\"\"\"",
		"\"a\" \"b\"",
		/* UTF-8 */
		"\xef\xbb\xbf[]",
		"\"\xff\"",
		"\"\xc0\xaf\"",
		"\"\xe2\x82\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\x80\"",
		"\xc2\xa0[]",
		"1\xe2\x80\xa8",
		/* arrays */
		"[",
		"]",
		"[1",
		"[1,",
		"[,",
		"[,1]",
		"[1,]",
		"[1,,2]",
		"[1 2]",
		"[1;2]",
		"[1}",
		"[1]]",
		"[[1]",
		"[1:2]",
		"[a]",
		"[\"a\":1]",
		"[1],",
		"[] []",
		/* objects */
		"{",
		"}",
		"{]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{,\"a\":1}",
		"{\"a\":1,,\"b\":2}",
		"{\"a\" 1}",
		"{\"a\"::1}",
		"{\"a\"=1}",
		"{\"a\",1}",
		"{\"a\":1 \"b\":2}",
		"{a:1}",
		"{'a':1}",
		"{\"a\":'b'}",
		"{1:1}",
		"{null:1}",
		"{[]:1}",
		"{\"a\":1}}",
		"{\"a\":1}x",
		"{\"a\":1}#",
		"{} {}",
		"{}\n{}",
		/* white space and comments */
		"\f1",
		"1\v",
		"[1\f]",
		"// one\n1",
		"/* one */1",
		"1/**/",
		"[1/**/]",
		"1 // one",
		"#\n1",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		refusal(texts[i], strlen(texts[i]));
	refusal("1\0", 2);
	refusal("\0", 1);
	refusal("[1,\0]", 5);
	refusal("\"a\0b\"", 5);
	refusal("{\"a\":1}\0", 8);
	refusal("\xff\xfe{\0}\0", 6);
}

static void a_member_name_stands_once(void)
{
	static const char *const texts[] = {
		"{\"a\":1,\"a\":1}",          "{\"a\":1,\"b\":2,\"a\":3}",
		"{\"a\":1,\"\\u0061\":1}",    "{\"\":1,\"\":1}",
		"[1,{\"a\":1,\"a\":1}]",      "{\"x\":{\"a\":1,\"a\":1}}",
		"{\"a\":{\"a\":1},\"a\":{}}", "{\"a\":null,\"a\":null}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_assert_cmpstr(refusal(texts[i], strlen(texts[i])), ==,
				"a member name stands twice");
	g_assert_cmpstr(refusal("{\"a\\u0000b\":1}", 14), ==, "a member name holds \\u0000");
}

static void nesting_has_a_bound(void)
{
	for (int depth = 1; depth < 100; depth++) {
		g_autoptr(GString) arrays = g_string_new(NULL);
		g_autoptr(GString) objects = g_string_new(NULL);

		for (int i = 0; i < depth; i++) {
			g_string_prepend(arrays, "[");
			g_string_append(arrays, "]");
			g_string_append(objects, "{\"a\":");
		}
		g_string_append_c(objects, '1');
		for (int i = 0; i < depth; i++)
			g_string_append_c(objects, '}');
		if (depth <= JSON_DEPTH) {
			assert_accepts(arrays->str);
			assert_accepts(objects->str);
		} else {
			g_assert_cmpstr(refusal(arrays->str, arrays->len), ==,
					"nested deeper than 16 levels");
			refusal(objects->str, objects->len);
		}
	}
}

static void a_refusal_says_why(void)
{
	g_assert_cmpstr(refusal("", 0), ==, "it is empty");
	g_assert_cmpstr(refusal("\"\xff\"", 3), ==, "it is not UTF-8");
	g_assert_cmpstr(refusal("{\"a\":", 5), ==, "it ends too early");
	g_assert_cmpstr(refusal("{a:1}", 5), ==, "a character is out of place");
	g_assert_cmpstr(refusal("[1]x", 4), ==, "a character is out of place");
}

static void values_are_told_apart(void)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} values[] = {
		{"null", JSON_NULL},
		{"true", JSON_BOOLEAN},
		{"1", JSON_INTEGER},
		{"-0", JSON_INTEGER},
		{"9223372036854775807", JSON_INTEGER},
		{"-9223372036854775807", JSON_INTEGER},
		{"9223372036854775808", JSON_NUMBER},
		{"18446744073709551615", JSON_NUMBER},
		{"18446744073709551617", JSON_NUMBER},
		{"-9223372036854775808", JSON_NUMBER},
		{"-9223372036854775809", JSON_NUMBER},
		{"-18446744073709551617", JSON_NUMBER},
		{"1.0", JSON_NUMBER},
		{"1e0", JSON_NUMBER},
		{"1E400", JSON_NUMBER},
		{"\"1\"", JSON_TEXT},
		{"\"\"", JSON_TEXT},
		{"[]", JSON_ARRAY},
		{"{}", JSON_OBJECT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autoptr(Json) json = reads(values[i].text);
		g_assert_cmpint(json_kind(json), ==, values[i].kind);
	}
}

static void values_are_what_was_written(void)
{
	g_autoptr(Json) json =
		reads("{\"i\":-9223372036854775807,\"t\":true,\"f\":false,\"n\":null,"
		      "\"s\":\"a\\u0000\\u00e9\\ud83d\\ude00\",\"a\":[10,20,30]}");

	g_assert_cmpint(json_integer(json_member(json, "i")), ==, -INT64_MAX);
	g_assert_true(json_boolean(json_member(json, "t")));
	g_assert_false(json_boolean(json_member(json, "f")));
	g_assert_cmpint(json_kind(json_member(json, "n")), ==, JSON_NULL);
	g_assert_null(json_member(json, "absent"));
	assert_text(json_member(json, "s"), "a\0\xc3\xa9\xf0\x9f\x98\x80", 8);
	g_assert_cmpuint(json_length(json_member(json, "a")), ==, 3);
	g_assert_cmpint(json_integer(json_item(json_member(json, "a"), 2)), ==, 30);
}

static void values_are_written_again(void)
{
	static const char text[] = "{\"a\":[1,-2.50,\"/\\n\",null,true,{}],\"n\":null}";
	g_autoptr(Json) json = reads(text);

	g_assert_cmpstr(json_as_written(json), ==, text);
	g_assert_cmpstr(json_as_written(json_member(json, "n")), ==, "null");
}

static void append_name(void *context, const char *name, const struct json *value)
{
	g_string_append_printf(context, "%s %d;", name, (int)json_kind(value));
}

static void members_come_in_their_order(void)
{
	g_autoptr(Json) json = reads("{\"z\":1,\"a\":null,\"m\":[]}");
	g_autoptr(GString) names = g_string_new(NULL);

	json_each_member(json, append_name, names);
	g_assert_cmpstr(names->str, ==, "z 2;a 0;m 5;");
}

static void *read_from_a_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		g_autofree char *text = g_strdup_printf("{\"a\":[%d,\"%d\"]}", i, i);
		g_autoptr(Json) json = reads(text);
		const struct json *array = json_member(json, "a");
		g_assert_cmpint(json_integer(json_item(array, 0)), ==, i);
		refusal("{\"a\":[1", 7);
	}
	return NULL;
}

static void threads_read_side_by_side(void)
{
	GThread *threads[4];

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("read", read_from_a_thread, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
}

/* Writing */

static void commas_come_by_themselves(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	json_begin_object(out, NULL);
	json_begin_object(out, "empty");
	json_end_object(out);
	json_add_integer(out, "a", -1);
	json_begin_array(out, "list");
	json_add_text(out, NULL, "[");
	json_add_text(out, NULL, "{");
	json_begin_array(out, NULL);
	json_end_array(out);
	json_begin_object(out, NULL);
	json_add_boolean(out, "t", true);
	json_add_boolean(out, "f", false);
	json_end_object(out);
	json_end_array(out);
	json_add_null(out, "n");
	json_add_text(out, "absent", NULL);
	json_end_object(out);
	g_assert_cmpstr(out->str, ==,
			"{\"empty\":{},\"a\":-1,\"list\":[\"[\",\"{\",[],{\"t\":true,\"f\":false}],"
			"\"n\":null,\"absent\":null}");
	assert_accepts(out->str);
}

static void assert_writes_text(const char *text, size_t size, const char *expected)
{
	g_autoptr(GString) out = g_string_new(NULL);

	json_add_text_sized(out, NULL, text, size);
	g_assert_cmpstr(out->str, ==, expected);
}

static void text_is_escaped(void)
{
	assert_writes_text("", 0, "\"\"");
	assert_writes_text("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
	assert_writes_text("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
	assert_writes_text("\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\"");
	assert_writes_text("a\0b", 3, "\"a\\u0000b\"");
	assert_writes_text("T\xc3\xbcr \xf0\x9f\x98\x80", 9, "\"T\xc3\xbcr \xf0\x9f\x98\x80\"");
}

static void bytes_that_are_no_utf8_become_replacement_characters(void)
{
	assert_writes_text("a\xff"
			   "b",
			   3,
			   "\"a\xef\xbf\xbd"
			   "b\"");
	assert_writes_text("\xc3", 1, "\"\xef\xbf\xbd\"");
	assert_writes_text("\xc3\xbc", 1, "\"\xef\xbf\xbd\"");
	assert_writes_text("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_writes_text("\x80\0\x80", 3, "\"\xef\xbf\xbd\\u0000\xef\xbf\xbd\"");
}

static void random_bytes_are_written_as_json(void)
{
	for (int round = 0; round < 5000; round++) {
		char bytes[24];
		size_t size = (size_t)g_test_rand_int_range(0, sizeof bytes + 1);
		int last = round % 2 == 0 ? 0x7f : 0xff;
		g_autoptr(GString) out = g_string_new(NULL);
		g_autofree char *expected = NULL;
		g_autoptr(Json) json = NULL;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)g_test_rand_int_range(1, last + 1);
		expected = g_utf8_make_valid(bytes, (gssize)size);
		json_add_text_sized(out, NULL, bytes, size);
		json = reads(out->str);
		assert_text(json, expected, strlen(expected));
	}
}

static void numbers_have_at_most_the_decimals_asked_for(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	json_begin_array(out, NULL);
	json_add_number(out, NULL, 0.12345, 3);
	json_add_number(out, NULL, -2, 0);
	json_add_number(out, NULL, 1e300, 1);
	json_add_number(out, NULL, 0.25, 4);
	json_add_number(out, NULL, 0.0 / 0.0, 1);
	json_add_number(out, NULL, 1.0 / 0.0, 1);
	json_add_integer(out, NULL, INT64_MIN);
	json_add_integer(out, NULL, INT64_MAX);
	json_end_array(out);
	g_assert_true(
		g_str_has_prefix(out->str, "[0.123,-2,1000000000000000052504760255204420248"));
	g_assert_true(g_str_has_suffix(
		out->str, ",0.25,null,null,-9223372036854775808,9223372036854775807]"));
	assert_accepts(out->str);
}

/* What the C library writes, without zeros at the end. */
static void assert_written_as_by_printf(double value, int decimals)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *expected = g_strdup_printf("%.*f", decimals, value);

	if (decimals > 0) {
		while (g_str_has_suffix(expected, "0"))
			expected[strlen(expected) - 1] = '\0';
		if (g_str_has_suffix(expected, "."))
			expected[strlen(expected) - 1] = '\0';
	}
	json_add_number(out, NULL, value, decimals);
	g_assert_cmpstr(out->str, ==, expected);
}

static void numbers_are_rounded_as_by_the_c_library(void)
{
	for (int decimals = 0; decimals <= 8; decimals++) {
		for (int i = 0; i < 20000; i++) {
			int part = g_test_rand_int_range(-100000, 100000);

			assert_written_as_by_printf(part / 32.0, decimals);
			assert_written_as_by_printf(part / 20000.0, decimals);
			assert_written_as_by_printf(part / (1.0 + i), decimals);
			assert_written_as_by_printf(g_test_rand_double_range(-2e9, 2e9), decimals);
		}
	}
	assert_written_as_by_printf(0.00005,
				    4); /* just above the middle, though 0.5 when multiplied */
	assert_written_as_by_printf(-0.00001, 4);
	assert_written_as_by_printf(0.99996, 4);
}

static void instants_are_written_in_utc(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	json_begin_object(out, NULL);
	json_add_instant(out, "at", INT64_C(1592943682005));
	json_add_instant(out, "none", INSTANT_NONE);
	json_end_object(out);
	g_assert_cmpstr(out->str, ==, "{\"at\":\"2020-06-23T20:21:22.005Z\",\"none\":null}");
}

/* Members of a struct */

struct room {
	char id[65], name[11], timezone[65];
	int64_t capacity, daily_reset, revision;
	instant opened;
};

/* clang-format off */
static const struct member members[] = {
	{"id",          MEMBER_ID,      offsetof(struct room, id),          MEMBER_REQUIRED, 0, 0},
	{"name",        MEMBER_TEXT,    offsetof(struct room, name),        0, 0, 10},
	{"timezone",    MEMBER_ZONE,    offsetof(struct room, timezone),    MEMBER_REQUIRED, 0, 0},
	{"capacity",    MEMBER_INTEGER, offsetof(struct room, capacity),    0, 1, 500},
	{"daily_reset", MEMBER_CLOCK,   offsetof(struct room, daily_reset), 0, 0, 0},
	{"opened",      MEMBER_INSTANT, offsetof(struct room, opened),      0, 0, 0},
	{"revision",    MEMBER_INTEGER, offsetof(struct room, revision),    MEMBER_FIXED, 0, 0},
};
/* clang-format on */

static enum result read_room(const char *text, bool creating, struct room *room,
			     struct problem *problem)
{
	g_autoptr(Json) json = reads(text);

	return json_read_members(json, members, G_N_ELEMENTS(members), creating, room, problem);
}

static void a_struct_is_read_and_written_by_its_table(void)
{
	static const char text[] =
		"{\"id\":\"A-1.x_y:z\",\"name\":\"T\xc3\xbcr\",\"timezone\":\"Europe/Berlin\","
		"\"capacity\":500,\"daily_reset\":\"04:05\",\"opened\":\"2020-06-23T20:21:22."
		"005Z\"";
	g_autofree char *given = g_strdup_printf("%s}", text);
	g_autofree char *expected = g_strdup_printf("{%s,\"revision\":9}", text + 1);
	g_autoptr(GString) out = g_string_new(NULL);
	struct room room = {.revision = 9};
	struct problem problem = {0};

	g_assert_cmpint(read_room(given, true, &room, &problem), ==, RESULT_OK);
	g_assert_cmpint(room.daily_reset, ==, 4 * 60 + 5);
	json_begin_object(out, NULL);
	json_add_members(out, members, G_N_ELEMENTS(members), &room);
	json_end_object(out);
	g_assert_cmpstr(out->str, ==, expected);
}

static void absent_members_stay_and_null_clears(void)
{
	struct room room = {.id = "A", .name = "old", .capacity = 7, .daily_reset = 8, .opened = 9};
	struct problem problem = {0};
	g_autoptr(GString) out = g_string_new(NULL);

	g_assert_cmpint(read_room("{}", false, &room, &problem), ==, RESULT_OK);
	g_assert_cmpint(room.capacity, ==, 7);
	g_assert_cmpstr(room.name, ==, "old");
	g_assert_cmpint(read_room("{\"name\":null,\"capacity\":null,\"daily_reset\":null,"
				  "\"opened\":null}",
				  false, &room, &problem),
			==, RESULT_OK);
	g_assert_cmpstr(room.name, ==, "");
	g_assert_cmpint(room.capacity, ==, INT64_MIN);
	g_assert_cmpint(room.daily_reset, ==, INT64_MIN);
	g_assert_cmpint(room.opened, ==, INSTANT_NONE);
	json_begin_object(out, NULL);
	json_add_members(out, members, G_N_ELEMENTS(members), &room);
	json_end_object(out);
	g_assert_cmpstr(out->str, ==,
			"{\"id\":\"A\",\"name\":\"\",\"timezone\":null,\"capacity\":null,"
			"\"daily_reset\":null,\"opened\":null,\"revision\":0}");
}

static void a_refused_member_is_named(void)
{
	static const struct {
		const char *text, *member;
	} refusals[] = {
		{"{\"id\":\"\"}", "id"},
		{"{\"id\":\"a b\"}", "id"},
		{"{\"id\":\"a/b\"}", "id"},
		{"{\"id\":\"\xc3\xa4\"}", "id"},
		{"{\"id\":\"a\\u0000\"}", "id"},
		{"{\"id\":null}", "id"},
		{"{\"id\":1}", "id"},
		{"{\"id\":[\"a\"]}", "id"},
		{"{\"id\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
		 "id"},
		{"{\"name\":\"12345678901\"}", "name"},
		{"{\"name\":\"a\\nb\"}", "name"},
		{"{\"name\":\"a\\u0085\"}", "name"},
		{"{\"name\":\"a\\u0000\"}", "name"},
		{"{\"name\":true}", "name"},
		{"{\"timezone\":\"Europe/Nowhere\"}", "timezone"},
		{"{\"timezone\":\"+02:00\"}", "timezone"},
		{"{\"timezone\":\"UTC\\u0000\"}", "timezone"},
		{"{\"timezone\":null}", "timezone"},
		{"{\"capacity\":0}", "capacity"},
		{"{\"capacity\":501}", "capacity"},
		{"{\"capacity\":1.0}", "capacity"},
		{"{\"capacity\":\"1\"}", "capacity"},
		{"{\"capacity\":-9223372036854775808}", "capacity"},
		{"{\"capacity\":18446744073709551617}", "capacity"},
		{"{\"daily_reset\":\"24:00\"}", "daily_reset"},
		{"{\"daily_reset\":\"04:60\"}", "daily_reset"},
		{"{\"daily_reset\":\"4:00\"}", "daily_reset"},
		{"{\"daily_reset\":\"04:00:00\"}", "daily_reset"},
		{"{\"daily_reset\":\"04-00\"}", "daily_reset"},
		{"{\"daily_reset\":240}", "daily_reset"},
		{"{\"opened\":\"2020-06-23\"}", "opened"},
		{"{\"opened\":1592943682005}", "opened"},
		{"{\"revision\":1}", "revision"},
		{"{\"revision\":null}", "revision"},
		{"{\"colour\":\"red\"}", "colour"},
		{"{\"ID\":\"a\"}", "ID"},
		{"{\"a member of quite a long name that is cut\":1}",
		 "a member of quite a long name t"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		struct room room = {0};
		struct problem problem = {0};

		g_assert_cmpint(read_room(refusals[i].text, false, &room, &problem), ==,
				RESULT_INVALID);
		g_assert_cmpstr(problem.member, ==, refusals[i].member);
		g_assert_cmpstr(problem.detail, !=, "");
	}
}

static void a_refusal_says_what_was_expected(void)
{
	struct room room = {0};
	struct problem problem = {0};

	g_assert_cmpint(read_room("{\"capacity\":0}", false, &room, &problem), ==, RESULT_INVALID);
	g_assert_cmpstr(problem.detail, ==, "expected an integer from 1 to 500");
	g_assert_cmpint(read_room("{\"name\":0}", false, &room, &problem), ==, RESULT_INVALID);
	g_assert_cmpstr(problem.detail, ==,
			"expected a text without control characters, at most 10 bytes");
}

static void creating_needs_the_required_members(void)
{
	struct room room = {0};
	struct problem problem = {0};

	g_assert_cmpint(read_room("{\"timezone\":\"UTC\"}", true, &room, &problem), ==,
			RESULT_INVALID);
	g_assert_cmpstr(problem.member, ==, "id");
	room = (struct room){0};
	g_assert_cmpint(read_room("{\"id\":\"a\"}", true, &room, &problem), ==, RESULT_INVALID);
	g_assert_cmpstr(problem.member, ==, "timezone");
	room = (struct room){0};
	g_assert_cmpint(read_room("{\"id\":\"a\",\"timezone\":\"UTC\"}", true, &room, &problem), ==,
			RESULT_OK);
}

static void a_required_member_may_have_a_default(void)
{
	struct room room = {.timezone = "Asia/Tokyo"};
	struct problem problem = {0};

	g_assert_cmpint(read_room("{\"id\":\"a\"}", true, &room, &problem), ==, RESULT_OK);
	g_assert_cmpstr(room.timezone, ==, "Asia/Tokyo");
	g_assert_cmpint(read_room("{\"id\":\"a\",\"timezone\":null}", true, &room, &problem), ==,
			RESULT_INVALID);
	g_assert_cmpstr(problem.member, ==, "timezone");
}

static void ids_have_1_to_64_plain_characters(void)
{
	char text[66];

	memset(text, 'x', sizeof text);
	g_assert_false(json_is_id(text, 0));
	g_assert_true(json_is_id(text, 1));
	g_assert_true(json_is_id(text, 64));
	g_assert_false(json_is_id(text, 65));
	for (int character = 0; character < 256; character++) {
		char one = (char)character;
		bool plain = character != 0 &&
			     strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._:-",
				    character) != NULL;
		g_assert_cmpint(json_is_id(&one, 1), ==, plain);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/json/" #name, name)
	TEST(json_is_read);
	TEST(what_is_no_json_is_refused);
	TEST(a_member_name_stands_once);
	TEST(nesting_has_a_bound);
	TEST(a_refusal_says_why);
	TEST(values_are_told_apart);
	TEST(values_are_what_was_written);
	TEST(values_are_written_again);
	TEST(members_come_in_their_order);
	TEST(threads_read_side_by_side);
	TEST(commas_come_by_themselves);
	TEST(text_is_escaped);
	TEST(bytes_that_are_no_utf8_become_replacement_characters);
	TEST(random_bytes_are_written_as_json);
	TEST(numbers_have_at_most_the_decimals_asked_for);
	TEST(numbers_are_rounded_as_by_the_c_library);
	TEST(instants_are_written_in_utc);
	TEST(a_struct_is_read_and_written_by_its_table);
	TEST(absent_members_stay_and_null_clears);
	TEST(a_refused_member_is_named);
	TEST(a_refusal_says_what_was_expected);
	TEST(creating_needs_the_required_members);
	TEST(a_required_member_may_have_a_default);
	TEST(ids_have_1_to_64_plain_characters);
	return g_test_run();
}
