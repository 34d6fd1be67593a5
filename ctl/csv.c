#include "csv.h"

#include <glib.h>

struct csv {
	FILE *file;
	GString *text;    /* the row's fields, each with a NUL */
	GArray *starts;   /* gsize: where they begin in the text */
	const char *why;  /* the row is malformed; NULL: it isn't */
	int64_t line;     /* of the byte that comes next */
	int64_t row_line; /* where the row began */
	int64_t bytes;
};

struct csv *csv_new(FILE *file)
{
	struct csv *csv = g_new0(struct csv, 1);

	csv->file = file;
	csv->text = g_string_new(NULL);
	csv->starts = g_array_new(FALSE, FALSE, sizeof(gsize));
	csv->line = 1;
	return csv;
}

void csv_free(struct csv *csv)
{
	if (csv == NULL)
		return;
	g_string_free(csv->text, TRUE);
	g_array_unref(csv->starts);
	g_free(csv);
}

static int take(struct csv *csv)
{
	int byte = getc_unlocked(csv->file);

	csv->bytes += byte != EOF;
	csv->line += byte == '\n';
	return byte;
}

static bool is_end(int byte)
{
	return byte == ',' || byte == '\n' || byte == EOF;
}

static void append(struct csv *csv, int byte)
{
	if (byte == '\0')
		csv->why = "there is a NUL byte in it";
	else if (csv->text->len >= CSV_ROW_BYTES)
		csv->why = "it is longer than " G_STRINGIFY(CSV_ROW_BYTES) " bytes";
	else
		g_string_append_c(csv->text, (char)byte);
}

/* After a CR: the LF that belongs to it, or what else came. */
static int take_line_feed(struct csv *csv)
{
	int byte = take(csv);

	if (byte != '\n' && byte != EOF)
		csv->why = "there is a CR in it without an LF";
	return byte;
}

/* After a closing quote. */
static int end_quoted(struct csv *csv, int byte)
{
	if (byte == '\r')
		return take_line_feed(csv);
	if (!is_end(byte))
		csv->why = "there is text behind a closing quote";
	return byte;
}

/* A field after its opening quote; returns the byte that ended it. */
static int read_quoted(struct csv *csv)
{
	int byte = take(csv);

	while (csv->why == NULL && byte != EOF) {
		if (byte == '"') {
			byte = take(csv);
			if (byte != '"')
				return end_quoted(csv, byte);
		}
		append(csv, byte);
		byte = take(csv);
	}
	if (csv->why == NULL)
		csv->why = "a quoted field is not closed";
	return byte;
}

/* A field from its first byte on; returns the byte that ended it. */
static int read_plain(struct csv *csv, int byte)
{
	while (csv->why == NULL && !is_end(byte)) {
		if (byte == '\r')
			return take_line_feed(csv);
		if (byte == '"')
			csv->why = "there is a quote in a field that is not quoted";
		append(csv, byte);
		byte = take(csv);
	}
	return byte;
}

/* The fields of a row from its first byte on, and what is left of its line if it is malformed. */
static void read_row(struct csv *csv, int byte)
{
	bool more;

	do {
		g_array_append_val(csv->starts, csv->text->len);
		byte = byte == '"' ? read_quoted(csv) : read_plain(csv, byte);
		g_string_append_c(csv->text, '\0');
		more = csv->why == NULL && byte == ',';
		if (more)
			byte = take(csv);
	} while (more);
	while (byte != '\n' && byte != EOF)
		byte = take(csv);
}

/* The first byte of a row, which at the file's beginning may stand behind a byte order mark. */
static int take_first(struct csv *csv)
{
	static const int rest[] = {0xBB, 0xBF};
	int byte = take(csv);

	if (csv->bytes != 1 || byte != 0xEF)
		return byte;
	for (size_t i = 0; i < G_N_ELEMENTS(rest); i++) {
		byte = take(csv);
		if (byte != rest[i])
			return byte;
	}
	return take(csv);
}

static bool is_blank(const struct csv *csv)
{
	return csv->why == NULL && csv->text->len == 1; /* one field, of nothing but its NUL */
}

enum csv_row csv_next(struct csv *csv)
{
	do {
		int byte;

		g_string_truncate(csv->text, 0);
		g_array_set_size(csv->starts, 0);
		csv->why = NULL;
		csv->row_line = csv->line;
		byte = take_first(csv);
		if (byte == EOF)
			return CSV_END;
		read_row(csv, byte);
	} while (is_blank(csv));
	return csv->why == NULL ? CSV_ROW : CSV_MALFORMED;
}

size_t csv_fields(const struct csv *csv)
{
	return csv->starts->len;
}

const char *csv_field(const struct csv *csv, size_t index)
{
	if (index >= csv->starts->len)
		return "";
	return csv->text->str + g_array_index(csv->starts, gsize, index);
}

const char *csv_why(const struct csv *csv)
{
	return csv->why;
}

int64_t csv_line(const struct csv *csv)
{
	return csv->row_line;
}

int64_t csv_bytes(const struct csv *csv)
{
	return csv->bytes;
}
