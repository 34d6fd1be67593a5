/* Answers: problems, cache control, formats. Nothing is sent here. */
#include <stdarg.h>
#include <string.h>

#include "accept.h"
#include "csv.h"
#include "gzip.h"
#include "http_request.h"
#include "json.h"

#define GZIP_BYTES_LEAST 1024 /* below, a packet is a packet */

#define PROBLEM_TYPE "application/problem+json"
#define JSON_TYPE "application/json"

static const struct {
	int status;
	const char *title;
} titles[] = {
	/* clang-format off */
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{409, "Conflict"},
	{410, "Gone"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{503, "Service Unavailable"},
	/* clang-format on */
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < G_N_ELEMENTS(titles); i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Error";
}

/* Headers */

/* Names are our own constants, each in one spelling. */
static bool has_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (strcmp(request->headers[i].name, name) == 0)
			return true;
	}
	return false;
}

/* `owned` is taken over; if it is NULL, the value is a constant. */
static void add_header(struct http_request *request, const char *name, const char *value,
		       char *owned)
{
	g_assert(request->header_count < HEADERS_MOST);
	request->headers[request->header_count++] = (struct header){name, value, owned};
}

void http_add_header(struct http_request *request, const char *name, const char *format, ...)
{
	va_list arguments;
	char *value;

	va_start(arguments, format);
	value = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	add_header(request, name, value, value);
}

void answer_forget_headers(struct http_request *request)
{
	while (request->header_count > 0)
		g_free(request->headers[--request->header_count].owned);
}

/* Answers */

void http_answer(struct http_request *request, int status, const char *type, GString *body)
{
	g_assert(!request->answered);
	request->answered = true;
	request->status = status;
	request->type = type;
	request->answer = body;
}

void http_answer_json(struct http_request *request, int status, GString *body)
{
	GString *lines;

	if (request->format != FORMAT_CSV) {
		http_answer(request, status, JSON_TYPE, body);
		return;
	}
	lines = g_string_sized_new(body->len);
	csv_write(lines, request->route->csv, body->str, body->len);
	g_string_free(body, TRUE);
	http_answer(request, status, "text/csv; charset=utf-8; header=present", lines);
}

void http_answer_as_it_is(struct http_request *request, int status, const char *type,
			  const GString *body)
{
	http_answer(request, status, type, g_string_new_len(body->str, (gssize)body->len));
	request->as_it_is = true;
}

void http_answer_empty(struct http_request *request, int status)
{
	http_answer(request, status, NULL, NULL);
}

static bool is_shared(const struct http_request *request)
{
	return request->route == NULL || request->route->scope == SCOPE_NONE ||
	       request->rights.anonymous;
}

void http_keep(struct http_request *request, const char *how)
{
	char *owned = is_shared(request) ? NULL : g_strconcat("private, ", how, NULL);

	add_header(request, "Cache-Control", owned != NULL ? owned : how, owned);
}

static bool has_owned_tag(struct http_request *request, char *tag, const char *how)
{
	add_header(request, "ETag", tag, tag);
	http_keep(request, how);
	if (!accept_names_tag(http_header(request, "If-None-Match"), tag))
		return false;
	http_answer_empty(request, 304);
	return true;
}

bool http_unchanged(struct http_request *request, const char *revision, const char *how)
{
	/* Weak: compressed or not, the same tag; and as_of moves on while nothing changes. */
	const char *format = request->format == FORMAT_CSV ? "-csv\"" : "\"";

	return has_owned_tag(request, g_strconcat("W/\"", revision, format, NULL), how);
}

bool http_has_tag(struct http_request *request, const char *tag, const char *how)
{
	return has_owned_tag(request, g_strdup(tag), how);
}

/* Problems */

__attribute__((format(printf, 2, 0))) static GString *begin_problem(int status, const char *format,
								    va_list arguments)
{
	g_autofree char *detail = g_strdup_vprintf(format, arguments);
	GString *body = g_string_new(NULL);

	json_begin_object(body, NULL);
	json_add_text(body, "type", "about:blank");
	json_add_text(body, "title", title_of(status));
	json_add_integer(body, "status", status);
	json_add_text(body, "detail", detail);
	return body;
}

static void end_problem(struct http_request *request, int status, GString *body)
{
	json_end_object(body);
	if (status == 503 && !has_header(request, "Retry-After"))
		http_add_header(request, "Retry-After", "5");
	http_answer(request, status, PROBLEM_TYPE, body);
}

void http_refuse(struct http_request *request, int status, const char *format, ...)
{
	va_list arguments;
	GString *body;

	va_start(arguments, format);
	body = begin_problem(status, format, arguments);
	va_end(arguments);
	end_problem(request, status, body);
}

void http_refuse_parameter(struct http_request *request, const char *parameter, const char *format,
			   ...)
{
	va_list arguments;
	GString *body;

	va_start(arguments, format);
	body = begin_problem(400, format, arguments);
	va_end(arguments);
	json_add_text(body, "parameter", parameter);
	end_problem(request, 400, body);
}

void http_refuse_member(struct http_request *request, int status, int64_t item, const char *member,
			const char *format, ...)
{
	va_list arguments;
	GString *body;

	va_start(arguments, format);
	body = begin_problem(status, format, arguments);
	va_end(arguments);
	if (*member != '\0')
		json_add_text(body, "member", member);
	if (item >= 0)
		json_add_integer(body, "item", item);
	end_problem(request, status, body);
}

/* Sending */

void answer_compress(struct http_request *request)
{
	GString *packed;

	if (request->answer == NULL || request->as_it_is ||
	    request->answer->len < GZIP_BYTES_LEAST ||
	    accept_coding_quality(http_header(request, "Accept-Encoding"), "gzip") == 0)
		return;
	packed = gzip_pack(request->answer->str, request->answer->len, GZIP_EFFORT_LEAST);
	if (packed == NULL)
		return;
	g_string_free(request->answer, TRUE);
	request->answer = packed;
	http_add_header(request, "Content-Encoding", "gzip");
}

void answer_each_header(const struct http_request *request,
			void (*found)(void *context, const char *name, const char *value),
			void *context)
{
	/* Unless the handler has said otherwise. The policy allows nothing: these are no pages. */
	static const char *const defaults[][2] = {
		{"Cache-Control", "no-store"},
		{"Vary", "Accept, Accept-Encoding, Authorization, Cookie"},
		{"X-Content-Type-Options", "nosniff"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Referrer-Policy", "no-referrer"}, /* what is in a URL is nobody else's business */
		{"Cross-Origin-Resource-Policy", "same-origin"},
	};

	for (size_t i = 0; i < request->header_count; i++)
		found(context, request->headers[i].name, request->headers[i].value);
	for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
		if (!has_header(request, defaults[i][0]))
			found(context, defaults[i][0], defaults[i][1]);
	}
	if (request->options->hsts != NULL)
		found(context, "Strict-Transport-Security", request->options->hsts);
	if (request->type != NULL)
		found(context, "Content-Type", request->type);
}
