#include "uri.h"

#include <glib.h>
#include <string.h>

#define NO_TEXT "\xEF\xBF\xBD" /* U+FFFD: no parameter has such a name or takes such a value */

/* A target with a host in front, as proxies get it: RFC 9112, 3.2.2. */
static const char *skip_host(const char *text)
{
	const char *host;

	if (g_ascii_strncasecmp(text, "http://", strlen("http://")) != 0)
		return text;
	host = text + strlen("http://");
	return host + strcspn(host, "/?");
}

/* NULL if an escape is none, stands for a NUL, or if there are bytes that are no UTF-8. Takes the text over. */
static char *decode(char *text, size_t size)
{
	char *decoded = text;

	if (memchr(text, '%', size) != NULL) {
		decoded = g_uri_unescape_segment(text, text + size, NULL);
		g_free(text);
	}
	if (decoded != NULL && g_utf8_validate(decoded, -1, NULL))
		return decoded;
	g_free(decoded);
	return NULL;
}

static char *decode_form(const char *text, size_t size)
{
	char *spaced = g_strndup(text, size);
	char *decoded;

	for (char *plus = strchr(spaced, '+'); plus != NULL; plus = strchr(plus, '+'))
		*plus = ' ';
	decoded = decode(spaced, size);
	return decoded != NULL ? decoded : g_strdup(NO_TEXT);
}

static void clear_path(struct uri *uri)
{
	for (size_t i = 0; i < uri->segment_count; i++)
		g_clear_pointer(&uri->segments[i], g_free);
	uri->segment_count = 0;
}

static void parse_path(const char *path, size_t size, struct uri *uri)
{
	const char *end = path + size;

	while (path < end) {
		size_t length = strcspn(path + 1, "/?");
		char *segment = uri->segment_count < URI_SEGMENTS
					? decode(g_strndup(path + 1, length), length)
					: NULL;

		if (segment == NULL) {
			clear_path(uri);
			return;
		}
		uri->segments[uri->segment_count++] = segment;
		path += 1 + length;
	}
}

static void parse_parameter(const char *text, size_t size, struct uri_parameter *ret_parameter)
{
	const char *equals = memchr(text, '=', size);
	size_t name_size = equals != NULL ? (size_t)(equals - text) : size;

	ret_parameter->name = decode_form(text, name_size);
	ret_parameter->value =
		equals != NULL ? decode_form(equals + 1, size - name_size - 1) : g_strdup("");
}

static bool parse_query(const char *query, struct uri *uri)
{
	while (*query != '\0') {
		size_t size = strcspn(query, "&");

		if (size > 0 && uri->parameter_count == URI_PARAMETERS)
			return false;
		if (size > 0)
			parse_parameter(query, size, &uri->parameters[uri->parameter_count++]);
		query += size;
		query += *query == '&';
	}
	return true;
}

bool uri_parse(const char *text, struct uri *ret_uri, const char **reterr_why)
{
	const char *path = skip_host(text);
	size_t size = strcspn(path, "?");

	*ret_uri = (struct uri){0};
	*reterr_why = "the path must begin with /";
	if (*path != '/' && path == text)
		return false;
	if (size == 0)
		ret_uri->segments[ret_uri->segment_count++] = g_strdup("");
	else
		parse_path(path, size, ret_uri);
	*reterr_why = "the query has too many parameters";
	return path[size] == '\0' || parse_query(path + size + 1, ret_uri);
}

void uri_clear(struct uri *uri)
{
	clear_path(uri);
	for (size_t i = 0; i < uri->parameter_count; i++) {
		g_free(uri->parameters[i].name);
		g_free(uri->parameters[i].value);
	}
	*uri = (struct uri){0};
}

const char *uri_parameter(const struct uri *uri, const char *name)
{
	for (size_t i = 0; i < uri->parameter_count; i++) {
		if (strcmp(uri->parameters[i].name, name) == 0)
			return uri->parameters[i].value;
	}
	return NULL;
}

char *uri_replace(const char *text, const char *name, const char *value)
{
	const char *path = skip_host(text);
	size_t size = strcspn(path, "?");
	g_auto(GStrv) parts = g_strsplit(path[size] == '?' ? path + size + 1 : "", "&", -1);
	GString *replaced = g_string_new_len(path, (gssize)size);

	g_string_append_c(replaced, '?');
	for (char **part = parts; *part != NULL; part++) {
		bool is_it = g_str_has_prefix(*part, name) && (*part)[strlen(name)] == '=';

		if (**part != '\0' && !is_it)
			g_string_append_printf(replaced, "%s&", *part);
	}
	g_string_append_printf(replaced, "%s=%s", name, value);
	return g_string_free(replaced, FALSE);
}
