#include "json_slice.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* A value by itself. */
static void take_slice(void *context, const struct json_slice *item)
{
	*(struct json_slice *)context = *item;
}

static void ignore_member(void *context, const struct json_slice *name,
			  const struct json_slice *value)
{
	(void)context, (void)name, (void)value;
}

static struct json_slice slice_of(const char *value)
{
	g_autofree char *array = g_strconcat("[", value, "]", NULL);
	const char *text = g_intern_string(array), *why = "";
	struct json_slice item = {0};
	const struct json_visitor visitor = {ignore_member, take_slice, &item};

	if (!json_slice_check(text, strlen(text), &visitor, &why))
		g_error("%s: %s", text, why);
	return item;
}

static void assert_bytes(const char *bytes, size_t size, const char *expected, size_t expected_size)
{
	g_assert_cmpuint(size, ==, expected_size);
	g_assert_cmpint(memcmp(bytes, expected, size), ==, 0);
}

static const char *refusal(const char *text)
{
	const char *why = NULL;

	g_assert_false(json_slice_check(text, strlen(text), NULL, &why));
	return why;
}

static void tell_member(void *context, const struct json_slice *name,
			const struct json_slice *value)
{
	g_string_append_printf(context, "%.*s=%.*s,", (int)name->size, name->at, (int)value->size,
			       value->at);
}

static void tell_item(void *context, const struct json_slice *item)
{
	g_string_append_printf(context, "%.*s|", (int)item->size, item->at);
}

static void assert_told(const char *text, const char *expected)
{
	g_autoptr(GString) told = g_string_new(NULL);
	const struct json_visitor visitor = {tell_member, tell_item, told};
	const char *why = NULL;

	g_assert_true(json_slice_check(text, strlen(text), &visitor, &why));
	g_assert_cmpstr(why, ==, NULL);
	g_assert_cmpstr(told->str, ==, expected);
}

static void items_are_told_as_they_stand(void)
{
	assert_told("[1,-2.5e3,\"a\"]", "1|-2.5e3|\"a\"|");
	assert_told(" [ [3 ,4]\t,\nnull , {} ] ", "[3 ,4]|null|{}|");
	assert_told("[\"],[\",\"\\\"],\",\"\\\\\"]", "\"],[\"|\"\\\"],\"|\"\\\\\"|");
	assert_told("[[[1],[{\"a\":2}]]]", "[[1],[{\"a\":2}]]|");
	assert_told("[]", "");
	assert_told(" [ ] ", "");
}

static void an_object_is_one_item_and_a_scalar_none(void)
{
	assert_told(" \t{}\r\n", "{}|");
	assert_told(" 17\n", "");
	assert_told("\"[{\"", "");
}

static void members_of_items_are_told_before_them(void)
{
	assert_told("{ \"a\" : 1 ,\"b:,\":{\"c\":2},\"\":[{\"d\":3}]}",
		    "\"a\"=1,\"b:,\"={\"c\":2},\"\"=[{\"d\":3}],"
		    "{ \"a\" : 1 ,\"b:,\":{\"c\":2},\"\":[{\"d\":3}]}|");
	assert_told("[{\"a\":1},2,{\"b\":{\"c\":3}}]",
		    "\"a\"=1,{\"a\":1}|2|\"b\"={\"c\":3},{\"b\":{\"c\":3}}|");
}

static void assert_text(const char *written, const char *expected, size_t expected_size)
{
	g_autofree char *unescaped = NULL;
	struct json_slice slice = slice_of(written);
	size_t size;
	const char *text = json_slice_text(&slice, &size, &unescaped);

	g_assert_cmpint(json_slice_kind(&slice), ==, JSON_TEXT);
	assert_bytes(text, size, expected, expected_size);
	g_assert_true((unescaped != NULL) == (strchr(written, '\\') != NULL));
}

static void texts_are_unescaped(void)
{
	assert_text("\"\"", "", 0);
	assert_text("\"d\xc3\xa9j\xc3\xa0\"", "d\xc3\xa9j\xc3\xa0", 6);
	assert_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	assert_text("\"\\u0000a\\u00e9\\u20AC\"", "\0a\xc3\xa9\xe2\x82\xac", 7);
	assert_text("\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!", 5);
	assert_text("\"\\ud83d\"", "\xef\xbf\xbd", 3);
	assert_text("\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd", 6);
	assert_text("\"\\ud83d\\u0041\"", "\xef\xbf\xbd\x41", 4);
	assert_text("\"\\ud83dA\"", "\xef\xbf\xbd\x41", 4);
}

static void names_are_compared_as_they_mean(void)
{
	struct json_slice plain = slice_of("\"count\""), escaped = slice_of("\"c\\u006Funt\"");

	g_assert_true(json_slice_is_text(&plain, "count"));
	g_assert_true(json_slice_is_text(&escaped, "count"));
	g_assert_false(json_slice_is_text(&plain, "coun"));
	g_assert_false(json_slice_is_text(&plain, "counts"));
}

static void integers_have_a_range(void)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		int64_t value;
	} cases[] = {
		{"0", JSON_INTEGER, 0},
		{"-0", JSON_INTEGER, 0},
		{"-17", JSON_INTEGER, -17},
		{"9223372036854775807", JSON_INTEGER, INT64_MAX},
		{"-9223372036854775807", JSON_INTEGER, -INT64_MAX},
		{"9223372036854775808", JSON_NUMBER, 0},
		{"-9223372036854775808", JSON_NUMBER, 0},
		{"99999999999999999999", JSON_NUMBER, 0},
		{"1.0", JSON_NUMBER, 0},
		{"1e0", JSON_NUMBER, 0},
		{"1E+2", JSON_NUMBER, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct json_slice slice = slice_of(cases[i].text);
		int64_t value = 0;

		g_assert_cmpint(json_slice_kind(&slice), ==, cases[i].kind);
		g_assert_true(json_slice_integer(&slice, &value) ==
			      (cases[i].kind == JSON_INTEGER));
		g_assert_cmpint(value, ==, cases[i].value);
	}
}

/* An object of so many members, the last of them named like the one at `twin`; -1: like none. */
static char *object_of(int members, int twin, bool escaped)
{
	GString *text = g_string_new("{");

	for (int i = 0; i < members; i++)
		g_string_append_printf(text, "\"n%d\":%d,", i, i);
	if (escaped)
		g_string_append_printf(text, "\"\\u006e%d\":0}", twin);
	else
		g_string_append_printf(text, "\"n%d\":0}", twin);
	return g_string_free(text, FALSE);
}

static void a_name_stands_once_in_objects_of_all_sizes(void)
{
	for (int members = 1; members < 40; members++) {
		for (int escaped = 0; escaped < 2; escaped++) {
			g_autofree char *good = object_of(members, -1, escaped);

			slice_of(good);
			for (int twin = 0; twin < members; twin++) {
				g_autofree char *bad = object_of(members, twin, escaped);

				g_assert_cmpstr(refusal(bad), ==, "a member name stands twice");
			}
		}
	}
}

/* A text of many names, each of one of the two parts of equal hash or not: what a hash table without a secret would be
 * made slow by ("Ez" and "FY" hash alike in g_str_hash). */
static char *object_of_names(const char *one, const char *other, int bits)
{
	GString *text = g_string_new("{");

	for (int i = 0; i < 1 << bits; i++) {
		g_string_append_c(text, '"');
		for (int bit = 0; bit < bits; bit++)
			g_string_append(text, (i >> bit) & 1 ? one : other);
		g_string_append(text, i + 1 < 1 << bits ? "\":0," : "\":0}");
	}
	return g_string_free(text, FALSE);
}

static gint64 cpu_us_of(const char *text)
{
	gint64 begin = clock();

	for (int i = 0; i < 20; i++)
		slice_of(text);
	return (clock() - begin) * G_USEC_PER_SEC / CLOCKS_PER_SEC;
}

static void names_that_collide_cost_no_more_than_others(void)
{
	g_autofree char *colliding = object_of_names("Ez", "FY", 11);
	g_autofree char *plain = object_of_names("Ez", "Fx", 11);

	g_assert_cmpuint(g_str_hash("EzFY"), ==, g_str_hash("FYEz"));
	g_assert_cmpint(cpu_us_of(colliding), <, 5 * cpu_us_of(plain));
}

static void objects_beside_and_inside_may_use_a_name_again(void)
{
	slice_of("[{\"a\":1},{\"a\":1}]");
	slice_of("{\"a\":{\"a\":{\"\\u0061\":1}},\"b\":{\"a\":1}}");
	g_assert_cmpstr(refusal("{\"b\":{\"a\":1,\"a\":2}}"), ==, "a member name stands twice");
}

/* What json.h makes a tree of, and what is told here, is the same: of random texts, and of those that a broken byte makes of
 * them. */

static void append_random(GString *out, GRand *dice, int depth)
{
	static const char *const scalars[] = {
		"null", "true", "-0", "12", "1.5e-3", "\"\"", "\"a\\n\\u00e9\\ud800\"", "[]", "{}",
	};
	int items = g_rand_int_range(dice, 0, 12);
	bool is_object = g_rand_boolean(dice);

	if (depth == 0 || g_rand_int_range(dice, 0, 3) == 0) {
		g_string_append(out, scalars[g_rand_int_range(dice, 0, G_N_ELEMENTS(scalars))]);
		return;
	}
	g_string_append_c(out, is_object ? '{' : '[');
	for (int i = 0; i < items; i++) {
		g_string_append(out, i > 0 ? " ,\n" : "");
		if (is_object)
			g_string_append_printf(out, "\"%s%d\" : ", i % 3 ? "k" : "\\u006b", i);
		append_random(out, dice, depth - 1);
	}
	g_string_append_c(out, is_object ? '}' : ']');
}

struct comparison {
	const struct json *tree;
	size_t items, members; /* told so far; the members of the item under way */
};

static void compare_text(const struct json *tree, const struct json_slice *slice)
{
	g_autofree char *unescaped = NULL;
	size_t size, expected_size;
	const char *text = json_slice_text(slice, &size, &unescaped);
	const char *expected = json_text(tree, &expected_size);

	assert_bytes(text, size, expected, expected_size);
}

static void compare_value(const struct json *tree, const struct json_slice *slice);

static const struct json *item_under_way(const struct comparison *comparison)
{
	return json_kind(comparison->tree) == JSON_ARRAY
		       ? json_item(comparison->tree, comparison->items)
		       : comparison->tree;
}

static void compare_member(void *context, const struct json_slice *name,
			   const struct json_slice *value)
{
	struct comparison *comparison = context;
	g_autofree char *unescaped = NULL;
	size_t size;
	const char *text = json_slice_text(name, &size, &unescaped);
	g_autofree char *plain = g_strndup(text, size);
	const struct json *member = json_member(item_under_way(comparison), plain);

	g_assert_nonnull(member);
	compare_value(member, value);
	comparison->members++;
}

static void count_member(void *context, const char *name, const struct json *value)
{
	(void)name, (void)value;
	(*(size_t *)context)++;
}

static void compare_item(void *context, const struct json_slice *item)
{
	struct comparison *comparison = context;
	const struct json *tree = item_under_way(comparison);
	size_t members = 0;

	if (json_kind(tree) == JSON_OBJECT)
		json_each_member(tree, count_member, &members);
	g_assert_cmpuint(comparison->members, ==, members);
	if (json_kind(tree) == JSON_OBJECT)
		g_assert_cmpint(json_slice_kind(item), ==, JSON_OBJECT);
	else
		compare_value(tree, item);
	comparison->items++;
	comparison->members = 0;
}

/* Is the text told to be what the tree is? */
static void compare_told(const struct json *tree, const char *text, size_t size)
{
	struct comparison comparison = {.tree = tree};
	const struct json_visitor visitor = {compare_member, compare_item, &comparison};
	const char *why;

	g_assert_true(json_slice_check(text, size, &visitor, &why));
	if (json_kind(tree) == JSON_ARRAY)
		g_assert_cmpuint(comparison.items, ==, json_length(tree));
	else
		g_assert_cmpuint(comparison.items, ==, json_kind(tree) == JSON_OBJECT);
}

static void compare_value(const struct json *tree, const struct json_slice *slice)
{
	int64_t integer;

	g_assert_cmpint(json_slice_kind(slice), ==, json_kind(tree));
	switch (json_kind(tree)) {
	case JSON_INTEGER:
		g_assert_true(json_slice_integer(slice, &integer));
		g_assert_cmpint(integer, ==, json_integer(tree));
		break;
	case JSON_TEXT:
		compare_text(tree, slice);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		compare_told(tree, slice->at, slice->size);
		break;
	default:
		break;
	}
}

static void compare_if_json(const GString *text)
{
	const char *why;
	g_autoptr(Json) tree = json_read(text->str, text->len, &why);

	if (tree != NULL)
		compare_told(tree, text->str, text->len);
	else
		g_assert_false(json_slice_check(text->str, text->len, NULL, &why));
}

static void what_is_told_is_what_is_read(void)
{
	guint32 seed = (guint32)g_test_rand_int();
	g_autoptr(GRand) dice = g_rand_new_with_seed(seed);

	g_test_message("seed %" G_GUINT32_FORMAT, seed);
	for (int i = 0; i < 2000; i++) {
		g_autoptr(GString) text = g_string_new(NULL);

		append_random(text, dice, 4);
		compare_if_json(text);
		text->str[g_rand_int_range(dice, 0, (gint32)text->len)] =
			"\",:{}[]\\0aeu- "[g_rand_int_range(dice, 0, 15)];
		compare_if_json(text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/json_slice/" #name, name)
	TEST(items_are_told_as_they_stand);
	TEST(an_object_is_one_item_and_a_scalar_none);
	TEST(members_of_items_are_told_before_them);
	TEST(texts_are_unescaped);
	TEST(names_are_compared_as_they_mean);
	TEST(integers_have_a_range);
	TEST(a_name_stands_once_in_objects_of_all_sizes);
	TEST(objects_beside_and_inside_may_use_a_name_again);
	TEST(names_that_collide_cost_no_more_than_others);
	TEST(what_is_told_is_what_is_read);
	return g_test_run();
}
