#include "csv.h"

#include <glib.h>
#include <string.h>

/* Rows as text: fields in angle brackets, "!" and why for a malformed row, each with its line. */
static char *read_all(const char *bytes, size_t size)
{
	FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "r") : tmpfile();
	struct csv *csv = csv_new(file);
	GString *out = g_string_new(NULL);
	enum csv_row row;

	while ((row = csv_next(csv)) != CSV_END) {
		g_string_append_printf(out, "%" G_GINT64_FORMAT ":", csv_line(csv));
		if (row == CSV_MALFORMED)
			g_string_append_printf(out, "!%s", csv_why(csv));
		for (size_t i = 0; row == CSV_ROW && i < csv_fields(csv); i++)
			g_string_append_printf(out, "<%s>", csv_field(csv, i));
		g_string_append_c(out, '\n');
	}
	g_assert_cmpint(csv_bytes(csv), ==, (int64_t)size);
	csv_free(csv);
	fclose(file);
	return g_string_free(out, FALSE);
}

struct reading {
	const char *name, *file, *rows;
};

/* clang-format off */
static const struct reading readings[] = {
	{"an_empty_file_has_no_rows", "", ""},
	{"lines_end_with_lf", "a,b\nc,d\n", "1:<a><b>\n2:<c><d>\n"},
	{"lines_end_with_crlf", "a,b\r\nc,d\r\n", "1:<a><b>\n2:<c><d>\n"},
	{"the_last_line_needs_no_end", "a,b\nc,d", "1:<a><b>\n2:<c><d>\n"},
	{"a_quoted_last_line_needs_no_end", "a\n\"b\"", "1:<a>\n2:<b>\n"},
	{"a_lone_cr_may_end_the_file", "a,b\r", "1:<a><b>\n"},
	{"fields_may_be_empty", ",\na,\n,b\n", "1:<><>\n2:<a><>\n3:<><b>\n"},
	{"fields_may_be_quoted", "\"a\",b,\"c\"\r\n", "1:<a><b><c>\n"},
	{"a_quoted_field_holds_anything", "\"a,b\nc\r\"\"d\"\"\",e\n", "1:<a,b\nc\r\"d\"><e>\n"},
	{"lines_are_counted_within_fields", "\"a\nb\"\nc\n", "1:<a\nb>\n3:<c>\n"},
	{"empty_lines_are_skipped", "\na\n\r\n\nb\n", "2:<a>\n5:<b>\n"},
	{"spaces_belong_to_fields", " a , b\n", "1:< a >< b>\n"},
	{"a_byte_order_mark_is_skipped", "\xEF\xBB\xBF\"a\",b\n", "1:<a><b>\n"},
	{"text_is_not_touched", "Caf\xC3\xA9,\xFF\n", "1:<Caf\xC3\xA9><\xFF>\n"},

	{"text_behind_a_quote_is_malformed", "\"a\"b,c\nd\n",
		"1:!there is text behind a closing quote\n2:<d>\n"},
	{"a_quote_within_text_is_malformed", "a\"b\",c\nd\n",
		"1:!there is a quote in a field that is not quoted\n2:<d>\n"},
	{"a_quote_at_the_end_of_text_is_malformed", "a\"\nd\n",
		"1:!there is a quote in a field that is not quoted\n2:<d>\n"},
	{"an_open_quote_is_malformed", "a\n\"b,c\nd", "1:<a>\n2:!a quoted field is not closed\n"},
	{"a_cr_within_a_line_is_malformed", "a\rb,c\nd\n",
		"1:!there is a CR in it without an LF\n2:<d>\n"},
};
/* clang-format on */

static void reads(gconstpointer data)
{
	const struct reading *reading = data;
	g_autofree char *rows = read_all(reading->file, strlen(reading->file));

	g_assert_cmpstr(rows, ==, reading->rows);
}

static void a_nul_is_malformed(void)
{
	static const char file[] = "a\0b,c\nd\n";
	g_autofree char *rows = read_all(file, sizeof file - 1);

	g_assert_cmpstr(rows, ==, "1:!there is a NUL byte in it\n2:<d>\n");
}

/* An opening quote that is never closed must not swallow the file. */
static void a_row_has_a_longest_length(void)
{
	g_autoptr(GString) file = g_string_new("\"");
	g_autofree char *rows = NULL;

	for (int i = 0; i < CSV_ROW_BYTES / 2; i++)
		g_string_append(file, "a\n");
	g_string_append(file, "xx\nb\n");
	rows = read_all(file->str, file->len);
	g_assert_true(g_str_has_prefix(rows, "1:!it is longer than 65536 bytes\n"));
	g_assert_true(g_str_has_suffix(rows, "\n32770:<b>\n"));
}

static void the_longest_row_is_read(void)
{
	g_autofree char *field = g_strnfill(CSV_ROW_BYTES - 1, 'a');
	g_autofree char *expected = g_strdup_printf("1:<%s>\n", field);
	g_autofree char *rows = read_all(field, strlen(field));

	g_assert_cmpstr(rows, ==, expected);
}

static void a_missing_field_is_empty(void)
{
	static const char bytes[] = "a,b\n";
	FILE *file = fmemopen((void *)(uintptr_t)bytes, sizeof bytes - 1, "r");
	struct csv *csv = csv_new(file);

	g_assert_cmpint(csv_next(csv), ==, CSV_ROW);
	g_assert_cmpuint(csv_fields(csv), ==, 2);
	g_assert_cmpstr(csv_field(csv, 1), ==, "b");
	g_assert_cmpstr(csv_field(csv, 2), ==, "");
	csv_free(csv);
	fclose(file);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(readings); i++) {
		g_autofree char *path = g_strconcat("/csv/", readings[i].name, NULL);

		g_test_add_data_func(path, &readings[i], reads);
	}
	g_test_add_func("/csv/a_nul_is_malformed", a_nul_is_malformed);
	g_test_add_func("/csv/a_row_has_a_longest_length", a_row_has_a_longest_length);
	g_test_add_func("/csv/the_longest_row_is_read", the_longest_row_is_read);
	g_test_add_func("/csv/a_missing_field_is_empty", a_missing_field_is_empty);
	return g_test_run();
}
