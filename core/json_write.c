#include "json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void add_escape(GString *out, char character)
{
	static const char shorts[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',  ['\f'] = 'f',
		['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\',
	};

	if (shorts[(unsigned char)character] != '\0')
		g_string_append_printf(out, "\\%c", shorts[(unsigned char)character]);
	else
		g_string_append_printf(out, "\\u%04x", (unsigned)character);
}

/* Text that is UTF-8. */
static void add_valid(GString *out, const char *text, const char *end)
{
	const char *start = text;

	for (; text < end; text++) {
		if ((unsigned char)*text >= ' ' && *text != '"' && *text != '\\')
			continue;
		g_string_append_len(out, start, text - start);
		add_escape(out, *text);
		start = text + 1;
	}
	g_string_append_len(out, start, end - start);
}

static void add_quoted(GString *out, const char *text, size_t size)
{
	const char *end = text + size;

	g_string_append_c(out, '"');
	while (text < end) {
		const char *bad;

		g_utf8_validate_len(text, (size_t)(end - text), &bad);
		add_valid(out, text, bad);
		if (bad < end && *bad == '\0')
			g_string_append(out, "\\u0000");
		else if (bad < end)
			g_string_append_unichar(out, 0xFFFD);
		text = bad + 1;
	}
	g_string_append_c(out, '"');
}

/* What goes before a value: a comma unless it is the first, and its name. */
static void begin_value(GString *out, const char *name)
{
	if (out->len > 0 && out->str[out->len - 1] != '{' && out->str[out->len - 1] != '[')
		g_string_append_c(out, ',');
	if (name != NULL) {
		add_quoted(out, name, strlen(name));
		g_string_append_c(out, ':');
	}
}

void json_begin_object(GString *out, const char *name)
{
	begin_value(out, name);
	g_string_append_c(out, '{');
}

void json_end_object(GString *out)
{
	g_string_append_c(out, '}');
}

void json_begin_array(GString *out, const char *name)
{
	begin_value(out, name);
	g_string_append_c(out, '[');
}

void json_end_array(GString *out)
{
	g_string_append_c(out, ']');
}

void json_add_text(GString *out, const char *name, const char *text)
{
	if (text == NULL)
		json_add_null(out, name);
	else
		json_add_text_sized(out, name, text, strlen(text));
}

void json_add_text_sized(GString *out, const char *name, const char *text, size_t size)
{
	begin_value(out, name);
	add_quoted(out, text, size);
}

void json_add_integer(GString *out, const char *name, int64_t value)
{
	char text[32];

	begin_value(out, name);
	g_string_append_len(out, text, g_snprintf(text, sizeof text, "%" PRId64, value));
}

void json_add_number(GString *out, const char *name, double value, int decimals)
{
	char text[DBL_MAX_10_EXP + 64];
	char format[16];

	if (!isfinite(value)) {
		json_add_null(out, name);
		return;
	}
	begin_value(out, name);
	g_snprintf(format, sizeof format, "%%.%df", decimals);
	g_string_append(out, g_ascii_formatd(text, sizeof text, format, value));
	while (decimals > 0 && g_str_has_suffix(out->str, "0")) {
		g_string_truncate(out, out->len - 1);
		decimals--;
	}
	if (g_str_has_suffix(out->str, "."))
		g_string_truncate(out, out->len - 1);
}

void json_add_boolean(GString *out, const char *name, bool value)
{
	begin_value(out, name);
	g_string_append(out, value ? "true" : "false");
}

void json_add_null(GString *out, const char *name)
{
	begin_value(out, name);
	g_string_append(out, "null");
}

void json_add_instant(GString *out, const char *name, instant when)
{
	char text[INSTANT_TEXT_SIZE];

	if (when == INSTANT_NONE) {
		json_add_null(out, name);
		return;
	}
	instant_format(when, text);
	json_add_text(out, name, text);
}
