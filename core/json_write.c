#include "json.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define NUMBER_QUICK 1e9 /* below, its decimals are exact in 64 bits */

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

/* Most texts are ids, names and times: nothing to escape and nothing to check. */
static bool is_plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\')
			return false;
	}
	return true;
}

static void add_any(GString *out, const char *text, size_t size)
{
	const char *end = text + size;

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
}

/* Room for so many more bytes at the end, for the caller to fill. */
static char *extend(GString *out, size_t size)
{
	size_t before = out->len;

	if (before + size < out->allocated_len) {
		out->len = before + size;
		out->str[out->len] = '\0';
	} else {
		g_string_set_size(out, before + size);
	}
	return out->str + before;
}

static bool is_first(const GString *out)
{
	return out->len == 0 || out->str[out->len - 1] == '{' || out->str[out->len - 1] == '[';
}

/* What goes before a value: a comma unless it is the first, and its name. */
static void begin_value(GString *out, const char *name)
{
	bool comma = !is_first(out);
	char *text;

	if (name == NULL) {
		if (comma)
			*extend(out, 1) = ',';
		return;
	}
	text = extend(out, strlen(name) + (comma ? strlen(",\"\":") : strlen("\"\":")));
	if (comma)
		*text++ = ',';
	*text++ = '"';
	text = stpcpy(text, name);
	*text++ = '"';
	*text = ':';
}

/* A value that is written as it is. */
static void add_value(GString *out, const char *name, const char *text, size_t size)
{
	begin_value(out, name);
	memcpy(extend(out, size), text, size);
}

static void add_quoted(GString *out, const char *name, const char *text, size_t size)
{
	char *quoted;

	begin_value(out, name);
	quoted = extend(out, size + 2);
	quoted[0] = quoted[size + 1] = '"';
	memcpy(quoted + 1, text, size);
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
	if (is_plain(text, size)) {
		add_quoted(out, name, text, size);
		return;
	}
	begin_value(out, name);
	g_string_append_c(out, '"');
	add_any(out, text, size);
	g_string_append_c(out, '"');
}

/* Writes the digits so that they end before `end`; where they begin. */
static char *put_digits(char *end, uint64_t number)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return end;
}

void json_add_integer(GString *out, const char *name, int64_t value)
{
	char text[32];
	char *end = text + sizeof text;
	char *begin = put_digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value);

	if (value < 0)
		*--begin = '-';
	add_value(out, name, begin, (size_t)(end - begin));
}

/* The closest whole number, and of two that are equally close the even one, as printf has it. What the
 * multiplication has cut off decides where its result lies in the middle. */
static uint64_t round_scaled(double value, uint64_t scale)
{
	double product = value * (double)scale;
	double rest = fma(value, (double)scale, -product);
	uint64_t whole = (uint64_t)product;
	double above = product - (double)whole - 0.5;

	if (above == 0)
		above = rest;
	return whole + (above > 0 || (above == 0 && whole % 2 == 1));
}

/* Without zeros at the end, nor a point there. */
static size_t cut_zeros(const char *text, size_t size)
{
	if (memchr(text, '.', size) == NULL)
		return size;
	while (text[size - 1] == '0')
		size--;
	return text[size - 1] == '.' ? size - 1 : size;
}

static void add_long_number(GString *out, const char *name, double value, int decimals)
{
	char text[DBL_MAX_10_EXP + 64];
	char format[16];

	g_snprintf(format, sizeof format, "%%.%df", decimals);
	g_ascii_formatd(text, sizeof text, format, value);
	add_value(out, name, text, cut_zeros(text, strlen(text)));
}

void json_add_number(GString *out, const char *name, double value, int decimals)
{
	static const uint64_t scales[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
	char text[48] = "";
	char *end = text + sizeof text, *begin = end;
	uint64_t scaled, scale;

	if (!isfinite(value)) {
		json_add_null(out, name);
		return;
	}
	if (decimals >= (int)G_N_ELEMENTS(scales) || fabs(value) >= NUMBER_QUICK) {
		add_long_number(out, name, value, decimals);
		return;
	}
	scale = scales[decimals];
	scaled = round_scaled(fabs(value), scale);
	if (decimals > 0) {
		begin = put_digits(end, scaled % scale + scale);
		*begin = '.'; /* in place of the digit that has kept the zeros after it */
	}
	begin = put_digits(begin, scaled / scale);
	if (signbit(value))
		*--begin = '-';
	add_value(out, name, begin, cut_zeros(begin, (size_t)(end - begin)));
}

void json_add_boolean(GString *out, const char *name, bool value)
{
	begin_value(out, name);
	g_string_append(out, value ? "true" : "false");
}

void json_add_null(GString *out, const char *name)
{
	add_value(out, name, "null", strlen("null"));
}

void json_add_instant(GString *out, const char *name, instant when)
{
	char text[INSTANT_TEXT_SIZE];

	if (when == INSTANT_NONE) {
		json_add_null(out, name);
		return;
	}
	instant_format(when, text);
	add_quoted(out, name, text, strlen(text));
}
