/* What is asked of every request before its handler sees it, out of the route table. */
#include <string.h>

#include "accept.h"
#include "attempts.h"
#include "http_request.h"

#define STATUS_NO_CONTENT 204
#define BODY_DEFAULT "application/json"

/* Does the path match the pattern? What stands for {…} goes to `parts`. */
static bool matches(const char *pattern, const struct uri *uri, const char *parts[2])
{
	size_t part = 0;

	parts[0] = parts[1] = "";
	for (size_t i = 0; i < uri->segment_count; i++) {
		size_t length;

		if (*pattern++ != '/')
			return false;
		length = strcspn(pattern, "/");
		if (*pattern == '{')
			parts[part++] = uri->segments[i];
		else if (strlen(uri->segments[i]) != length ||
			 memcmp(pattern, uri->segments[i], length) != 0)
			return false;
		pattern += length;
	}
	return *pattern == '\0';
}

/* The path of the route table that the request's path matches; NULL if there is none. The first decides: one without
 * {…} stands before one with. */
static const char *find_path(struct http_request *request)
{
	const struct http_options *options = request->options;

	for (size_t i = 0; i < options->route_count; i++) {
		if (matches(options->routes[i].path, &request->uri, request->parts))
			return options->routes[i].path;
	}
	return NULL;
}

static const struct route *find_route(const struct http_options *options, const char *path,
				      const char *method)
{
	for (size_t i = 0; i < options->route_count; i++) {
		const struct route *route = &options->routes[i];

		if (strcmp(route->path, path) == 0 && strcmp(route->method, method) == 0)
			return route;
	}
	return NULL;
}

/* The methods of a path, as Allow has them. */
static char *methods_of(const struct http_options *options, const char *path)
{
	GString *methods = g_string_new(NULL);

	for (size_t i = 0; i < options->route_count; i++) {
		const struct route *route = &options->routes[i];

		if (strcmp(route->path, path) != 0)
			continue;
		g_string_append_printf(methods, "%s, ", route->method);
		if (strcmp(route->method, "GET") == 0)
			g_string_append(methods, "HEAD, ");
	}
	g_string_append(methods, "OPTIONS");
	return g_string_free(methods, FALSE);
}

static bool judge_route(struct http_request *request)
{
	const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	const char *path = find_path(request);
	g_autofree char *allowed = NULL;

	if (path == NULL) {
		http_refuse(request, 404, "there is nothing at this path; see /openapi.json");
		return false;
	}
	request->route = find_route(request->options, path, method);
	if (request->route != NULL)
		return true;
	allowed = methods_of(request->options, path);
	http_add_header(request, "Allow", "%s", allowed);
	if (strcmp(request->method, "OPTIONS") == 0)
		http_answer_empty(request, STATUS_NO_CONTENT);
	else
		http_refuse(request, 405, "this path has %s", allowed);
	return false;
}

static bool judge_size(struct http_request *request)
{
	if (strlen(request->target) > HTTP_URI_BYTES)
		http_refuse(request, 414, "a URL has at most %d bytes", HTTP_URI_BYTES);
	else if (request->header_bytes > HTTP_HEADER_BYTES)
		http_refuse(request, 431, "the headers have at most %d bytes together",
			    HTTP_HEADER_BYTES);
	return !request->answered;
}

static bool judge_target(struct http_request *request)
{
	const char *why;

	if (!uri_parse(request->target, &request->uri, &why))
		http_refuse(request, 400, "%s", why);
	return !request->answered;
}

bool http_token_failed(struct http_request *request)
{
	char client[CLIENT_SIZE];
	int64_t wait_s;

	http_client(request, client);
	wait_s = attempts_fail(request->options->attempts, client, g_get_monotonic_time());
	if (wait_s == 0)
		return false;
	http_add_header(request, "Retry-After", "%" G_GINT64_FORMAT, wait_s);
	http_add_header(request, "Connection", "close"); /* the next one costs a connection */
	http_refuse(request, 429,
		    "too many tokens that are not known came from %s: a good one is still let in",
		    client);
	return true;
}

void http_refuse_token(struct http_request *request)
{
	if (http_token_failed(request))
		return;
	http_add_header(request, "WWW-Authenticate",
			"Bearer realm=\"headcount\", error=\"invalid_token\"");
	http_refuse(request, 401, "the token is not known, or no longer");
}

static bool judge_token(struct http_request *request)
{
	static const struct {
		int status;
		const char *challenge, *detail; /* RFC 6750, 3 */
	} refusals[] = {
		[AUTH_MISSING] =
			{401, "Bearer realm=\"headcount\"",
			 "a token is needed: Authorization: Bearer …, or a login at /login"},
		[AUTH_LACKING] = {403, "Bearer realm=\"headcount\", error=\"insufficient_scope\"",
				  "the token does not have the scope for this"},
	};
	enum auth_verdict verdict =
		auth_check(request->options->auth, http_header(request, "Authorization"),
			   http_cookie(request, AUTH_COOKIE), request->route->scope,
			   request->received, &request->rights);

	if (verdict == AUTH_GRANTED)
		return true;
	if (verdict == AUTH_UNKNOWN) {
		http_refuse_token(request);
		return false;
	}
	http_add_header(request, "WWW-Authenticate", "%s", refusals[verdict].challenge);
	http_refuse(request, refusals[verdict].status, "%s", refusals[verdict].detail);
	return false;
}

/* A browser sends the cookie with whatever any site makes it send, so a change needs a proof that a page of ours has asked
 * for it. A form of another site can't send a header of its own, and a script there only after a preflight (CORS),
 * which OPTIONS never grants here. Browsers that say where a request comes from are taken at their word, too. Beginning
 * and ending a session is such a change even without a cookie: nobody is to be logged in as somebody else. Who has sent
 * Authorization can't have been a browser that was made to. */
static bool judge_origin(struct http_request *request)
{
	bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	const char *proof, *site;

	if (reads || (!request->rights.by_cookie && request->route->scope != SCOPE_SESSION))
		return true;
	proof = http_header(request, "Headcount-Request");
	site = http_header(request, "Sec-Fetch-Site");
	if (proof == NULL || strcmp(proof, "1") != 0)
		http_refuse(request, 403,
			    "with a cookie, or to log in or out, the header Headcount-Request: 1 "
			    "is needed");
	else if (site != NULL && strcmp(site, "same-origin") != 0)
		http_refuse(request, 403,
			    "only this server's own pages may ask for this: Sec-Fetch-Site must be "
			    "same-origin");
	return !request->answered;
}

static bool has_text(const char *const *texts, const char *text)
{
	return texts != NULL && g_strv_contains(texts, text);
}

static bool judge_parameters(struct http_request *request)
{
	const struct route *route = request->route;

	for (size_t i = 0; !route->is_file && i < request->uri.parameter_count; i++) {
		const struct uri_parameter *parameter = &request->uri.parameters[i];
		bool known = has_text(route->parameters, parameter->name) ||
			     (route->csv != NULL && strcmp(parameter->name, "format") == 0);

		if (!known)
			http_refuse_parameter(request, parameter->name,
					      "there is no such parameter here");
		else if (uri_parameter(&request->uri, parameter->name) != parameter->value)
			http_refuse_parameter(request, parameter->name,
					      "a parameter may be given once");
		if (request->answered)
			return false;
	}
	return true;
}

static bool judge_format(struct http_request *request)
{
	const struct route *route = request->route;
	const char *named = http_parameter(request, "format");
	const char *accept = http_header(request, "Accept");
	const char *own = route->type != NULL ? route->type : BODY_DEFAULT;
	int own_quality = accept_quality(accept, own);
	int csv_quality = route->csv != NULL ? accept_quality(accept, "text/csv") : 0;

	if (route->is_file)
		return true;
	if (named != NULL && strcmp(named, "json") != 0 && strcmp(named, "csv") != 0) {
		http_refuse_parameter(request, "format", "expected json or csv");
		return false;
	}
	if (named == NULL && own_quality == 0 && csv_quality == 0) {
		http_refuse(request, 406, "there is %s%s here; Accept admits neither", own,
			    route->csv != NULL ? " and text/csv" : " only");
		return false;
	}
	if (named != NULL ? strcmp(named, "csv") == 0 : csv_quality > own_quality)
		request->format = FORMAT_CSV;
	return true;
}

bool admission_has_body(const struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");

	return http_header(request, "Transfer-Encoding") != NULL ||
	       (length != NULL && strcmp(length, "0") != 0);
}

static bool is_taken(const struct route *route, const char *type)
{
	for (size_t i = 0; route->bodies[i] != NULL; i++) {
		if (accept_is_type(type, route->bodies[i]))
			return true;
	}
	return false;
}

static bool judge_body_head(struct http_request *request)
{
	const char *type = http_header(request, "Content-Type");
	const char *length = http_header(request, "Content-Length");
	const struct route *route = request->route;

	if (length != NULL && g_ascii_strtoull(length, NULL, 10) > HTTP_BODY_BYTES) {
		http_refuse(request, 413, "a body has at most %d bytes", HTTP_BODY_BYTES);
	} else if (route->bodies != NULL && admission_has_body(request) &&
		   (type == NULL || !is_taken(route, type))) {
		http_add_header(request, "Accept", "%s", route->bodies[0]);
		http_refuse(request, 415, "the body must have Content-Type: %s", route->bodies[0]);
	} else if (admission_has_body(request) &&
		   http_header(request, "Content-Encoding") != NULL) {
		http_add_header(request, "Accept-Encoding", "identity");
		http_refuse(request, 415, "the body may not be compressed");
	}
	return !request->answered;
}

bool admission_judge(struct http_request *request)
{
	static bool (*const judges[])(struct http_request * request) = {
		judge_size,   judge_target,     judge_route,  judge_token,
		judge_origin, judge_parameters, judge_format, judge_body_head,
	};

	request->judged = true;
	for (size_t i = 0; i < G_N_ELEMENTS(judges); i++) {
		if (!judges[i](request))
			return false;
	}
	return true;
}

bool admission_judge_body(struct http_request *request)
{
	if (!request->body_too_large)
		return true;
	http_refuse(request, 413, "a body has at most %d bytes", HTTP_BODY_BYTES);
	return false;
}
