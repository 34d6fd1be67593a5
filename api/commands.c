#include "commands.h"

#include <glib.h>
#include <string.h>

#include "auth.h"
#include "broker.h"
#include "http.h"
#include "instant.h"
#include "json.h"
#include "services.h"
#include "token.h"

/* What the first {…} of the path is to the command. */
enum place {
	PLACE_NONE,
	PLACE_ID,       /* its id */
	PLACE_NUMBER,   /* its id, which is a number */
	PLACE_SPACE,    /* its id, a space's */
	PLACE_OF_SPACE, /* the value `space`; a second {…} is the value `at` */
};

/* Where the values come from. */
enum source {
	SOURCE_NONE,
	SOURCE_BODY,
	SOURCE_BODY_OR_NONE,
	SOURCE_QUERY,
};

struct command {
	const char *method, *path; /* of the route */
	const char *object, *action;
	enum place place;
	enum source source;
	const char *created; /* member of the answer that ends Location; NULL: no Location */
};

/* clang-format off */
static const struct command commands[] = {
	{"POST",   "/spaces",                  "space",          "create", PLACE_NONE,     SOURCE_BODY, "id"},
	{"PATCH",  "/spaces/{id}",             "space",          "update", PLACE_SPACE,    SOURCE_BODY, NULL},
	{"DELETE", "/spaces/{id}",             "space",          "delete", PLACE_SPACE,    SOURCE_NONE, NULL},
	{"POST",   "/spaces/{id}/resets",      "reset",          "create", PLACE_OF_SPACE, SOURCE_BODY, "at"},
	{"DELETE", "/spaces/{id}/resets/{at}", "reset",          "delete", PLACE_OF_SPACE, SOURCE_NONE, NULL},
	{"POST",   "/doorways",                "doorway",        "create", PLACE_NONE,     SOURCE_BODY, "id"},
	{"PATCH",  "/doorways/{id}",           "doorway",        "update", PLACE_ID,       SOURCE_BODY, NULL},
	{"DELETE", "/doorways/{id}",           "doorway",        "delete", PLACE_ID,       SOURCE_NONE, NULL},
	{"POST",   "/dpus",                    "dpu",            "create", PLACE_NONE,     SOURCE_BODY, "id"},
	{"PATCH",  "/dpus/{id}",               "dpu",            "update", PLACE_ID,       SOURCE_BODY, NULL},
	{"DELETE", "/dpus/{id}",               "dpu",            "delete", PLACE_ID,       SOURCE_NONE, NULL},
	{"POST",   "/dpus/{id}/move",          "dpu",            "move",   PLACE_ID,       SOURCE_BODY, NULL},
	{"POST",   "/installations",           "installation",   "create", PLACE_NONE,     SOURCE_BODY, "id"},
	{"PATCH",  "/installations/{id}",      "installation",   "update", PLACE_NUMBER,   SOURCE_BODY, NULL},
	{"DELETE", "/installations/{id}",      "installation",   "delete", PLACE_NUMBER,   SOURCE_NONE, NULL},
	{"DELETE", "/rejected-events",         "rejected-event", "delete", PLACE_NONE,     SOURCE_QUERY, NULL},
	{"DELETE", "/rejected-events/{id}",    "rejected-event", "delete", PLACE_NUMBER,   SOURCE_NONE, NULL},
	{"POST",   "/rejected-events/replay",  "rejected-event", "replay", PLACE_NONE,     SOURCE_BODY_OR_NONE, NULL},
};
/* clang-format on */

static const struct command *command_of(const struct http_request *request)
{
	const struct route *route = http_route(request);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(commands[i].method, route->method) == 0 &&
		    strcmp(commands[i].path, route->path) == 0)
			return &commands[i];
	}
	g_assert_not_reached();
}

/* The path */

static bool is_number(const char *text)
{
	guint64 number;

	return g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT64, &number, NULL);
}

/* Can there be what the path names, for this token? */
static bool check_place(struct http_request *request, const struct command *command)
{
	const char *id = http_path_part(request, 0);
	bool possible = command->place == PLACE_NUMBER ? is_number(id) : json_is_id(id, strlen(id));
	bool of_space = command->place == PLACE_SPACE || command->place == PLACE_OF_SPACE;

	if (http_spaces(request) != NULL && !of_space) {
		http_refuse(request, 403,
			    "a token that is limited to spaces may change those only");
		return false;
	}
	if (command->place == PLACE_NONE ||
	    (possible && (!of_space || http_sees_space(request, id))))
		return true;
	http_refuse(request, 404, "there is no %s '%s'", of_space ? "space" : command->object, id);
	return false;
}

static bool check_instant(struct http_request *request)
{
	const char *at = http_path_part(request, 1);
	instant when;

	if (*at == '\0' || instant_parse(at, strlen(at), &when))
		return true;
	http_refuse_parameter(request, "at", "expected a time such as 2020-06-23T20:21:00Z");
	return false;
}

/* The values */

static bool has_body(const struct http_request *request)
{
	size_t size;

	(void)http_body(request, &size);
	return size > 0;
}

/* A space must not be moved into one that the token does not see. */
static bool check_parent(struct http_request *request, const struct json *body)
{
	const struct json *parent = json_member(body, "parent");
	const char *id;
	size_t size;

	if (parent == NULL || json_kind(parent) != JSON_TEXT)
		return true;
	id = json_text(parent, &size);
	if (http_sees_space(request, id))
		return true;
	http_refuse_member(request, 400, -1, "parent", "there is no '%s'", id);
	return false;
}

static bool check_body(struct http_request *request, const struct command *command)
{
	size_t size;
	const char *bytes = http_body(request, &size);
	const char *why;
	g_autoptr(Json) body = json_read(bytes, size, &why);

	if (size > 0 && body == NULL) {
		http_refuse_member(request, 400, -1, "", "the body is no JSON: %s", why);
		return false;
	}
	if (body == NULL || json_kind(body) != JSON_OBJECT) {
		http_refuse_member(request, 400, -1, "", "expected an object in the body");
		return false;
	}
	if (command->place == PLACE_OF_SPACE && json_member(body, "space") != NULL) {
		http_refuse_member(request, 400, -1, "space", "the path says which");
		return false;
	}
	return check_parent(request, body);
}

static bool body_has(const struct http_request *request, const char *member)
{
	size_t size;
	const char *bytes = http_body(request, &size);
	const char *why;
	g_autoptr(Json) body = json_read(bytes, size, &why);

	return body != NULL && json_kind(body) == JSON_OBJECT && json_member(body, member) != NULL;
}

/* What happens now happens at our now, so that a command which comes twice says the same twice. */
static void add_moment(const struct http_request *request, const struct command *command,
		       GString *out)
{
	bool is_moment = strcmp(command->action, "move") == 0 ||
			 (strcmp(command->object, "reset") == 0 && command->source == SOURCE_BODY);

	if (is_moment && !body_has(request, "at"))
		json_add_instant(out, "at", instant_now());
}

/* An object with the values that the path gives and then those of the body: its bytes from behind the brace on. */
static void add_values_of_body(const struct http_request *request, const struct command *command,
			       GString *out)
{
	const char *at = http_path_part(request, 1);
	size_t size;
	const char *body = http_body(request, &size);
	const char *brace = memchr(body, '{', size);
	const char *rest = brace != NULL ? brace + 1 : body + size;
	size_t left = (size_t)(body + size - rest);

	json_begin_object(out, "values");
	if (command->place == PLACE_OF_SPACE)
		json_add_text(out, "space", http_path_part(request, 0));
	if (command->place == PLACE_OF_SPACE && *at != '\0')
		json_add_text(out, "at", at);
	add_moment(request, command, out);
	while (left > 0 && g_ascii_isspace(*rest)) {
		rest++;
		left--;
	}
	if (left > 0 && *rest != '}' && out->str[out->len - 1] != '{')
		g_string_append_c(out, ',');
	if (left > 0)
		g_string_append_len(out, rest, (gssize)left);
	else
		json_end_object(out);
}

static void add_values_of_query(struct http_request *request, GString *out)
{
	const char *const *names = http_route(request)->parameters;

	json_begin_object(out, "values");
	for (size_t i = 0; names[i] != NULL; i++) {
		if (http_parameter(request, names[i]) != NULL)
			json_add_text(out, names[i], http_parameter(request, names[i]));
	}
	json_end_object(out);
}

static void add_values(struct http_request *request, const struct command *command, GString *out)
{
	if (command->source == SOURCE_QUERY)
		add_values_of_query(request, out);
	else if (command->place == PLACE_OF_SPACE || has_body(request))
		add_values_of_body(request, command, out);
}

/* For the audit: the token's name, and the client's address. */
static void add_sender(const struct http_request *request, GString *out)
{
	char client[CLIENT_SIZE];

	http_client(request, client);
	json_add_text(out, "who", http_rights(request)->token->name);
	json_add_text(out, "from", client);
}

/* The command's JSON; NULL if the request has been refused. */
static GString *write_command(struct http_request *request, const struct command *command)
{
	bool checks_body = command->source == SOURCE_BODY ||
			   (command->source == SOURCE_BODY_OR_NONE && has_body(request));
	GString *out;

	if (!check_place(request, command) || !check_instant(request) ||
	    (checks_body && !check_body(request, command)))
		return NULL;
	out = g_string_new(NULL);
	json_begin_object(out, NULL);
	add_sender(request, out);
	json_add_text(out, "object", command->object);
	json_add_text(out, "action", command->action);
	if (command->place != PLACE_NONE && command->place != PLACE_OF_SPACE)
		json_add_text(out, "id", http_path_part(request, 0));
	add_values(request, command, out);
	json_end_object(out);
	return out;
}

/* The answer */

static char *text_member(const struct json *object, const char *name)
{
	const struct json *member = json_member(object, name);
	size_t size;

	if (member != NULL && json_kind(member) == JSON_INTEGER)
		return g_strdup_printf("%" G_GINT64_FORMAT, json_integer(member));
	return g_strdup(member != NULL && json_kind(member) == JSON_TEXT ? json_text(member, &size)
									 : "");
}

/* Ids and instants consist of characters that need no escaping in a URL. */
static void add_location(struct http_request *request, const char *path, const struct json *body,
			 const char *name)
{
	g_autoptr(GString) location = g_string_new(path);
	g_autofree char *value = text_member(body, name);

	g_string_replace(location, "{id}", http_path_part(request, 0), 1);
	http_add_header(request, "Location", "%s/%s", location->str, value);
}

/* The problem is about a member of the body, a parameter, or what the path names. */
static void refuse(struct http_request *request, const struct command *command, int status,
		   const struct json *problem)
{
	g_autofree char *member = text_member(problem, "member");
	g_autofree char *detail = text_member(problem, "detail");

	if (status == 400 && command->source == SOURCE_QUERY && *member != '\0')
		http_refuse_parameter(request, member, "%s", detail);
	else
		http_refuse_member(request, status, -1, status == 404 ? "" : member, "%s", detail);
}

/* The gateway's answer is {"status":…,"body":…}; a body that is good goes on as it is. */
static void pass_on(struct http_request *request, const char *text, size_t size)
{
	static const char begin[] = "\"body\":";
	const struct command *command = command_of(request);
	const char *why;
	g_autoptr(Json) answer = json_read(text, size, &why);
	const struct json *body = answer != NULL ? json_member(answer, "body") : NULL;
	const char *bytes = g_strstr_len(text, (gssize)size, begin);
	int status;

	if (body == NULL || bytes == NULL) {
		http_refuse(request, 503, "the gateway's answer is not understood");
		return;
	}
	status = (int)json_integer(json_member(answer, "status"));
	bytes += strlen(begin);
	if (status >= 400) {
		refuse(request, command, status, body);
		return;
	}
	if (command->created != NULL)
		add_location(request, command->path, body, command->created);
	if (json_kind(body) == JSON_NULL)
		http_answer_empty(request, status);
	else
		http_answer_json(
			request, status,
			g_string_new_len(bytes, (gssize)(text + size - strlen("}") - bytes)));
}

static void answered(void *context, enum result result, const char *text, size_t size)
{
	struct http_request *request = context;

	if (result == RESULT_OK)
		pass_on(request, text, size);
	else
		http_refuse(request, 503, "%.*s", (int)size, text);
	http_resume(request);
}

void commands_carry_out(struct http_request *request)
{
	const struct services *services = http_context(request);
	GString *command = write_command(request, command_of(request));

	if (command == NULL)
		return;
	http_wait(request);
	broker_request(services->broker, command->str, command->len, answered, request);
	g_string_free(command, TRUE);
}
