#include "json_slice.h"

#include <glib.h>
#include <string.h>

/* Judging */

#define FEW_NAMES 8 /* of an object: so many are compared one by one */
#define NO_ITEMS (-1)
#define TWICE "a member name stands twice"

/* A name as it means. */
struct name {
	const char *text;
	size_t size;
	char *unescaped; /* what `text` points to, or NULL */
};

/* The names that an object has had so far. */
struct names {
	size_t count;
	struct json_slice few[FEW_NAMES];
	GArray *many; /* of struct name; NULL as long as they are few, and written plainly */
};

struct scan {
	const char *at, *end;
	const char *why; /* NULL: a character that is not expected there, or the text's end */
	int depth;       /* of arrays and objects that are open */
	int item_depth;  /* where the items stand: 0, 1 in an outermost array, or NO_ITEMS */
	bool escaped;    /* the text scanned last holds an escape */
	const struct json_visitor *visitor;
};

static bool take(struct scan *scan, char wanted)
{
	if (scan->at == scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

static bool is_space(char character)
{
	return character == ' ' || character == '\n' || character == '\t' || character == '\r';
}

static void skip_space(struct scan *scan)
{
	while (scan->at < scan->end && is_space(*scan->at))
		scan->at++;
}

static bool scan_word(struct scan *scan, const char *word)
{
	while (*word != '\0') {
		if (!take(scan, *word++))
			return false;
	}
	return true;
}

/* As g_ascii_isdigit, without its table. */
static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static bool scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && is_digit(*scan->at))
		scan->at++;
	return scan->at > start;
}

static bool scan_number(struct scan *scan)
{
	take(scan, '-');
	if (!take(scan, '0') && !scan_digits(scan))
		return false;
	if (take(scan, '.') && !scan_digits(scan))
		return false;
	if (take(scan, 'e') || take(scan, 'E')) {
		if (!take(scan, '+'))
			take(scan, '-');
		return scan_digits(scan);
	}
	return true;
}

static bool scan_escape(struct scan *scan)
{
	if (scan->at == scan->end)
		return false;
	if (*scan->at != 'u')
		return *scan->at != '\0' && strchr("\"\\/bfnrt", *scan->at++) != NULL;
	scan->at++;
	for (int i = 0; i < 4; i++) {
		if (scan->at == scan->end || !g_ascii_isxdigit(*scan->at))
			return false;
		scan->at++;
	}
	return true;
}

/* Characters of a text that stand for themselves. */
static const char *skip_plain(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
		at++;
	return at;
}

static bool scan_text(struct scan *scan)
{
	if (!take(scan, '"'))
		return false;
	scan->escaped = false;
	for (;;) {
		scan->at = skip_plain(scan->at, scan->end);
		if (take(scan, '"'))
			return true;
		if (!take(scan, '\\') || !scan_escape(scan))
			return false;
		scan->escaped = true;
	}
}

static bool is_same(const struct json_slice *a, const struct json_slice *b)
{
	return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

static bool is_escaped(const struct json_slice *slice)
{
	return memchr(slice->at, '\\', slice->size) != NULL;
}

static void clear_name(void *data)
{
	g_free(((struct name *)data)->unescaped);
}

static void add_to_many(struct names *names, const struct json_slice *slice)
{
	struct name name;

	name.text = json_slice_text(slice, &name.size, &name.unescaped);
	g_array_append_val(names->many, name);
}

/* False if it is one of the few already. Many are looked at when all are there: has_twins. */
static bool add_name(struct names *names, const struct json_slice *name, bool escaped)
{
	if (names->many == NULL && (names->count == FEW_NAMES || escaped)) {
		names->many = g_array_new(FALSE, FALSE, sizeof(struct name));
		g_array_set_clear_func(names->many, clear_name);
		for (size_t i = 0; i < names->count; i++)
			add_to_many(names, &names->few[i]);
	}
	if (names->many != NULL) {
		add_to_many(names, name);
		return true;
	}
	for (size_t i = 0; i < names->count; i++) {
		if (is_same(&names->few[i], name))
			return false;
	}
	names->few[names->count++] = *name;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const struct name *first = a, *second = b;
	int order = memcmp(first->text, second->text, MIN(first->size, second->size));

	if (order != 0)
		return order;
	return first->size < second->size ? -1 : first->size > second->size;
}

/* By sorting: names that are made to collide would make a hash table slow. */
static bool has_twins(const struct names *names)
{
	GArray *many = names->many;

	if (many == NULL)
		return false;
	g_array_sort(many, compare_names);
	for (guint i = 1; i < many->len; i++) {
		if (compare_names(&g_array_index(many, struct name, i - 1),
				  &g_array_index(many, struct name, i)) == 0)
			return true;
	}
	return false;
}

/* Where others, json-c among them, would end the name. */
static bool holds_null(const struct json_slice *name)
{
	char *unescaped;
	size_t size;
	const char *text = json_slice_text(name, &size, &unescaped);
	bool holds = memchr(text, '\0', size) != NULL;

	g_free(unescaped);
	return holds;
}

static bool scan_value(struct scan *scan);

static bool scan_name(struct scan *scan, struct names *names)
{
	struct json_slice name = {.at = scan->at};

	if (!scan_text(scan))
		return false;
	name.size = (size_t)(scan->at - name.at);
	if (scan->escaped && holds_null(&name))
		scan->why = "a member name holds \\u0000";
	else if (!add_name(names, &name, scan->escaped))
		scan->why = TWICE;
	return scan->why == NULL;
}

static bool scan_member(struct scan *scan, struct names *names)
{
	struct json_slice name = {.at = scan->at}, value;

	if (!scan_name(scan, names))
		return false;
	name.size = (size_t)(scan->at - name.at);
	skip_space(scan);
	if (!take(scan, ':'))
		return false;
	skip_space(scan);
	value.at = scan->at;
	if (!scan_value(scan))
		return false;
	value.size = (size_t)(scan->at - value.at);
	if (scan->depth == scan->item_depth + 1 && scan->visitor != NULL)
		scan->visitor->member(scan->visitor->context, &name, &value);
	return true;
}

static bool scan_item(struct scan *scan, struct names *names)
{
	struct json_slice item = {.at = scan->at};

	(void)names;
	if (!scan_value(scan))
		return false;
	item.size = (size_t)(scan->at - item.at);
	if (scan->depth == scan->item_depth && scan->visitor != NULL)
		scan->visitor->item(scan->visitor->context, &item);
	return true;
}

/* After the bracket. */
static bool scan_elements(struct scan *scan, struct names *names,
			  bool (*scan_element)(struct scan *scan, struct names *names),
			  char bracket)
{
	skip_space(scan);
	if (take(scan, bracket))
		return true;
	do {
		skip_space(scan);
		if (!scan_element(scan, names))
			return false;
		skip_space(scan);
	} while (take(scan, ','));
	return take(scan, bracket);
}

static bool scan_object(struct scan *scan)
{
	struct names names = {0};
	bool is_object = scan_elements(scan, &names, scan_member, '}');

	if (is_object && has_twins(&names)) {
		scan->why = TWICE;
		is_object = false;
	}
	if (names.many != NULL)
		g_array_unref(names.many);
	return is_object;
}

static bool scan_nested(struct scan *scan, bool is_object)
{
	bool passed;

	if (++scan->depth > JSON_DEPTH) {
		scan->why = "nested deeper than " G_STRINGIFY(JSON_DEPTH) " levels";
		return false;
	}
	passed = is_object ? scan_object(scan) : scan_elements(scan, NULL, scan_item, ']');
	scan->depth--;
	return passed;
}

static bool scan_value(struct scan *scan)
{
	switch (scan->at < scan->end ? *scan->at : '\0') {
	case '{':
	case '[':
		return scan_nested(scan, *scan->at++ == '{');
	case '"':
		return scan_text(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

static int where_items_are(const struct scan *scan)
{
	switch (scan->at < scan->end ? *scan->at : '\0') {
	case '[':
		return 1;
	case '{':
		return 0;
	default:
		return NO_ITEMS;
	}
}

/* To the end of the text. */
static bool scan_whole(struct scan *scan)
{
	skip_space(scan);
	scan->item_depth = where_items_are(scan);
	if (!scan_item(scan, NULL))
		return false;
	skip_space(scan);
	return scan->at == scan->end;
}

/* Eight bytes at a time: what DPUs send is seldom anything else. */
static bool is_ascii(const char *text, size_t size)
{
	uint64_t word, bits = 0;
	size_t i = 0;

	for (; i + sizeof word <= size; i += sizeof word) {
		memcpy(&word, text + i, sizeof word);
		bits |= word;
	}
	for (; i < size; i++)
		bits |= (unsigned char)text[i];
	return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* The text is not empty. */
static bool check(const char *text, size_t size, const struct json_visitor *visitor,
		  const char **reterr_why)
{
	struct scan scan = {.at = text, .end = text + size, .visitor = visitor};

	if (!is_ascii(text, size) && !g_utf8_validate_len(text, size, NULL))
		*reterr_why = "it is not UTF-8";
	else if (scan_whole(&scan))
		return true;
	else if (scan.why != NULL)
		*reterr_why = scan.why;
	else
		*reterr_why =
			scan.at == scan.end ? "it ends too early" : "a character is out of place";
	return false;
}

bool json_slice_check(const char *text, size_t size, const struct json_visitor *visitor,
		      const char **reterr_why)
{
	if (size > 0)
		return check(text, size, visitor, reterr_why);
	*reterr_why = "it is empty";
	return false;
}

/* Values */

/* Without fraction and exponent, and not outside of what an int64_t and its opposite hold. */
bool json_slice_integer(const struct json_slice *slice, int64_t *ret_integer)
{
	bool negative = slice->at[0] == '-';
	int64_t value = 0;

	for (size_t i = negative ? 1 : 0; i < slice->size; i++) {
		if (!is_digit(slice->at[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, slice->at[i] - '0', &value))
			return false;
	}
	*ret_integer = negative ? -value : value;
	return true;
}

enum json_kind json_slice_kind(const struct json_slice *slice)
{
	int64_t integer;

	switch (slice->at[0]) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_TEXT;
	case 't':
	case 'f':
		return JSON_BOOLEAN;
	case 'n':
		return JSON_NULL;
	default:
		return json_slice_integer(slice, &integer) ? JSON_INTEGER : JSON_NUMBER;
	}
}

/* Four hexadecimal digits. */
static gunichar read_code(const char *at)
{
	gunichar code = 0;

	for (int i = 0; i < 4; i++)
		code = code * 16 + (gunichar)g_ascii_xdigit_value(at[i]);
	return code;
}

/* What follows \u; a surrogate without its other half becomes U+FFFD. Returns where it ends. */
static const char *unescape_code(const char *at, const char *end, GString *out)
{
	gunichar code = read_code(at), low = 0;

	at += 4;
	if (code >= 0xD800 && code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u')
		low = read_code(at + 2);
	if (low >= 0xDC00 && low < 0xE000) {
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		at += 6;
	} else if (code >= 0xD800 && code < 0xE000) {
		code = 0xFFFD;
	}
	g_string_append_unichar(out, code);
	return at;
}

static char *unescape(const char *at, const char *end, size_t *ret_size)
{
	static const char meanings[] = {
		['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
	};
	GString *out = g_string_sized_new((size_t)(end - at));

	while (at < end) {
		if (*at != '\\') {
			g_string_append_c(out, *at++);
		} else if (at[1] == 'u') {
			at = unescape_code(at + 2, end, out);
		} else {
			g_string_append_c(out, meanings[(unsigned char)at[1]]);
			at += 2;
		}
	}
	*ret_size = out->len;
	return g_string_free(out, FALSE);
}

const char *json_slice_text(const struct json_slice *slice, size_t *ret_size, char **ret_unescaped)
{
	const char *at = slice->at + 1, *end = slice->at + slice->size - 1;

	*ret_unescaped = NULL;
	if (is_escaped(slice))
		return *ret_unescaped = unescape(at, end, ret_size);
	*ret_size = (size_t)(end - at);
	return at;
}

bool json_slice_is_text_unescaped(const struct json_slice *slice, const char *expected)
{
	g_autofree char *unescaped = NULL;
	size_t size;
	const char *text = json_slice_text(slice, &size, &unescaped);

	return size == strlen(expected) && memcmp(text, expected, size) == 0;
}
