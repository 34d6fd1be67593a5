#include "csv.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"

static void add_text(GString *out, const char *text, size_t size)
{
	bool quoted = false;

	for (size_t i = 0; i < size && !quoted; i++)
		quoted = strchr("\",\r\n", text[i]) != NULL;
	if (!quoted) {
		g_string_append_len(out, text, (gssize)size);
		return;
	}
	g_string_append_c(out, '"');
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			g_string_append_c(out, '"');
		g_string_append_c(out, text[i]);
	}
	g_string_append_c(out, '"');
}

/* What is null or absent is empty. */
static void add_value(GString *out, const struct json *value)
{
	enum json_kind kind = value != NULL ? json_kind(value) : JSON_NULL;
	const char *text;
	size_t size;

	if (kind == JSON_INTEGER)
		g_string_append_printf(out, "%" PRId64, json_integer(value));
	if (kind == JSON_BOOLEAN)
		g_string_append(out, json_boolean(value) ? "true" : "false");
	if (kind == JSON_TEXT || kind == JSON_NUMBER) {
		text = json_text(value, &size);
		add_text(out, text, size);
	}
}

static void add_line(GString *out, const struct csv *csv, const struct json *object)
{
	for (size_t i = 0; csv->columns[i] != NULL; i++) {
		if (i > 0)
			g_string_append_c(out, ',');
		add_value(out, json_member(object, csv->columns[i]));
	}
	g_string_append(out, "\r\n");
}

void csv_write(GString *out, const struct csv *csv, const char *json, size_t size)
{
	const char *why;
	g_autoptr(Json) object = json_read(json, size, &why);
	const struct json *rows = NULL;
	g_autofree char *names = g_strjoinv(",", (char **)(uintptr_t)csv->columns);

	g_string_append_printf(out, "%s\r\n", names);
	if (csv->rows == NULL)
		add_line(out, csv, object);
	else
		rows = json_member(object, csv->rows);
	for (size_t i = 0; rows != NULL && i < json_length(rows); i++)
		add_line(out, csv, json_item(rows, i));
}
