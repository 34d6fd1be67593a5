/* A CSV file as people upload it, read by ctl/csv. What was read, written by RFC 4180 and read again is the same; and so
 * is what the api writes of it. */
#include "csv.h"

#include <string.h>

#include "csv_answer.h"
#include "fuzz.h"

static char *quoted(const char *field)
{
	g_auto(GStrv) parts = g_strsplit(field, "\"", -1);
	g_autofree char *joined = g_strjoinv("\"\"", parts);

	return g_strdup_printf("\"%s\"", joined);
}

/* The last row of the text is the one that was read. */
static void check_row(const struct csv *read, char *text, size_t size, int rows)
{
	FILE *file = fmemopen(text, size, "r");
	struct csv *again = csv_new(file);

	for (int i = 0; i < rows; i++)
		g_assert(csv_next(again) == CSV_ROW);
	g_assert(csv_fields(again) == csv_fields(read));
	for (size_t i = 0; i < csv_fields(read); i++)
		g_assert(strcmp(csv_field(again, i), csv_field(read, i)) == 0);
	g_assert(csv_next(again) == CSV_END);
	csv_free(again);
	fclose(file);
}

static void check_again(const struct csv *csv)
{
	g_autoptr(GString) line = g_string_new(NULL);

	for (size_t i = 0; i < csv_fields(csv); i++) {
		g_autofree char *field = quoted(csv_field(csv, i));

		g_string_append_printf(line, "%s%s", i > 0 ? "," : "", field);
	}
	/* A lone field of nothing is an empty line unless it is quoted; one that quotes make too long is none. */
	if (line->len <= CSV_ROW_BYTES)
		check_row(csv, line->str, line->len, 1);
}

static void check_answer(const struct csv *csv)
{
	g_autoptr(GString) answer = NULL;

	if (!g_utf8_validate(csv_field(csv, 0), -1, NULL) ||
	    !g_utf8_validate(csv_field(csv, 1), -1, NULL))
		return;
	answer = csv_answer(csv_field(csv, 0), csv_field(csv, 1));
	if (csv_fields(csv) == 2 && answer->len <= CSV_ROW_BYTES)
		check_row(csv, answer->str, answer->len, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : tmpfile();
	struct csv *csv = csv_new(file);
	enum csv_row row;
	int64_t line = 0;

	while ((row = csv_next(csv)) != CSV_END) {
		g_assert(csv_line(csv) > line);
		line = csv_line(csv);
		g_assert((row == CSV_MALFORMED) == (csv_why(csv) != NULL));
		if (row != CSV_ROW)
			continue;
		check_again(csv);
		check_answer(csv);
	}
	g_assert(csv_bytes(csv) == (int64_t)size);
	csv_free(csv);
	fclose(file);
	return 0;
}
