#include "registry.h"

#include <string.h>

#include "audit.h"
#include "registry_command.h"

/* What HTTP would say to each result. */
static const struct {
	int status;
	const char *title;
} statuses[] = {
	[RESULT_OK] = {200, "OK"},
	[RESULT_DUPLICATE] = {200, "OK"},
	[RESULT_INVALID] = {400, "Bad Request"},
	[RESULT_NOT_FOUND] = {404, "Not Found"},
	[RESULT_CONFLICT] = {409, "Conflict"},
	[RESULT_BUSY] = {503, "Service Unavailable"},
	[RESULT_FAILED] = {500, "Internal Server Error"},
};

/* clang-format off */
static const struct action {
	const char *object, *action;
	command_handler *carry_out;
	int status;            /* when it is done */
	bool changes_registry; /* spaces, doorways, DPUs or installations */
} actions[] = {
	{"space",          "create",  space_create,          201, true},
	{"space",          "update",  space_update,          200, true},
	{"space",          "delete",  space_remove,          204, true},
	{"space",          "rebuild", space_rebuild,         200, true},
	{"doorway",        "create",  doorway_create,        201, true},
	{"doorway",        "update",  doorway_update,        200, true},
	{"doorway",        "delete",  doorway_remove,        204, true},
	{"dpu",            "create",  dpu_create,            201, true},
	{"dpu",            "update",  dpu_update,            200, true},
	{"dpu",            "delete",  dpu_remove,            204, true},
	{"dpu",            "move",    dpu_move,              200, true},
	{"installation",   "create",  installation_create,   201, true},
	{"installation",   "update",  installation_update,   200, true},
	{"installation",   "delete",  installation_remove,   204, true},
	{"reset",          "create",  reset_create,          201, false},
	{"reset",          "delete",  reset_remove,          204, false},
	{"rejected-event", "replay",  rejected_event_replay, 200, false},
	{"rejected-event", "delete",  rejected_event_remove, 200, false},
	{"history",        "prune",   history_prune,         202, false},
};
/* clang-format on */

static const struct registry_object *const objects[] = {
	&registry_space,
	&registry_doorway,
	&registry_dpu,
	&registry_installation,
};

int64_t registry_key(struct store *store, enum sql name, const char *id)
{
	struct query *query = store_query(store, name);
	int64_t key = 0;

	query_bind_text(query, 1, id);
	if (query_next(query))
		key = query_integer(query, 0);
	query_end(query);
	return key;
}

enum result command_refer(struct command *command, enum sql name, const char *member,
			  const char *id, int64_t *ret_key)
{
	*ret_key = id[0] == '\0' ? 0 : registry_key(command->store, name, id);
	if (id[0] != '\0' && *ret_key == 0)
		return problem_set(command->problem, RESULT_INVALID, member, "there is no '%s'",
				   id);
	return RESULT_OK;
}

enum result command_load(struct command *command, const struct registry_object *object, void *row)
{
	if (object->load(command->store, command->id, row) != RESULT_OK)
		return problem_set(command->problem, RESULT_NOT_FOUND, "id", "there is no %s '%s'",
				   object->name, command->id);
	return RESULT_OK;
}

enum result command_read(struct command *command, const struct registry_object *object,
			 bool creating, void *row)
{
	if (command->values == NULL)
		return problem_set(command->problem, RESULT_INVALID, "values", "it is missing");
	return json_read_members(command->values, object->members, object->member_count, creating,
				 row, command->problem);
}

enum result registry_show(struct store *store, const char *name, const char *id, GString *out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(objects); i++) {
		const struct registry_object *object = objects[i];
		g_autofree void *row = g_malloc0(object->row_size);

		if (strcmp(object->name, name) != 0)
			continue;
		if (object->load(store, id, row) != RESULT_OK)
			return RESULT_NOT_FOUND;
		json_begin_object(out, NULL);
		json_add_members(out, object->members, object->member_count, row);
		json_end_object(out);
		return RESULT_OK;
	}
	return RESULT_NOT_FOUND;
}

enum result command_answer(struct command *command, const struct registry_object *object,
			   const char *id)
{
	return registry_show(command->store, object->name, id, command->body);
}

/* Reading the command */

static const char *text_member(const struct json *command, const char *name)
{
	const struct json *member = json_member(command, name);
	size_t size;
	const char *text;

	if (member == NULL || json_kind(member) != JSON_TEXT)
		return "";
	text = json_text(member, &size);
	return strlen(text) == size ? text : "";
}

/* Ids of installations and rejected events are numbers; as text they do as well. */
static char *id_member(const struct json *command)
{
	const struct json *member = json_member(command, "id");

	if (member != NULL && json_kind(member) == JSON_INTEGER)
		return g_strdup_printf("%" G_GINT64_FORMAT, json_integer(member));
	return g_strdup(text_member(command, "id"));
}

static enum result find_action(const struct json *command, const struct action **ret_action,
			       struct problem *problem)
{
	const char *object = text_member(command, "object");
	const char *action = text_member(command, "action");
	bool known = false;

	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
		if (strcmp(actions[i].object, object) != 0)
			continue;
		known = true;
		if (strcmp(actions[i].action, action) == 0) {
			*ret_action = &actions[i];
			return RESULT_OK;
		}
	}
	if (!known)
		return problem_set(problem, RESULT_INVALID, "object",
				   "expected space, doorway, dpu, installation, reset, "
				   "rejected-event or history");
	return problem_set(problem, RESULT_INVALID, "action", "a %s has no action '%s'", object,
			   action);
}

static void add_problem(GString *answer, enum result result, const struct problem *problem)
{
	json_begin_object(answer, "body");
	json_add_integer(answer, "status", statuses[result].status);
	json_add_text(answer, "title", statuses[result].title);
	json_add_text(answer, "detail", problem->detail);
	json_add_text(answer, "member", problem->member);
	json_end_object(answer);
}

static void add_answer(GString *answer, enum result result, int status, const GString *body,
		       const struct problem *problem)
{
	json_begin_object(answer, NULL);
	json_add_integer(answer, "status", status);
	if (result == RESULT_DUPLICATE || (result == RESULT_OK && body->len > 0))
		g_string_append_printf(answer, ",\"body\":%s", body->str);
	else if (result == RESULT_OK)
		json_add_null(answer, "body");
	else
		add_problem(answer, result, problem);
	json_end_object(answer);
}

struct under_way {
	struct command command;
	const struct action *action;
};

static enum result carry_out(struct store *store, void *context)
{
	struct under_way *under_way = context;

	(void)store;
	return under_way->action->carry_out(&under_way->command);
}

/* The command's parts that every action has. */
static enum result understand(const struct json *json, const char *why, struct under_way *under_way)
{
	struct command *command = &under_way->command;

	if (json == NULL)
		return problem_set(command->problem, RESULT_INVALID, "",
				   "the command is no JSON: %s", why);
	if (json_kind(json) != JSON_OBJECT)
		return problem_set(command->problem, RESULT_INVALID, "",
				   "the command is no JSON object");
	command->values = json_member(json, "values");
	if (command->values != NULL && json_kind(command->values) != JSON_OBJECT)
		return problem_set(command->problem, RESULT_INVALID, "values",
				   "expected an object");
	return find_action(json, &under_way->action, command->problem);
}

/* The audit */

/* What the command is about: what it names, or what it has made, or the space of a reset. */
static char *subject_of(const struct under_way *under_way)
{
	const struct command *command = &under_way->command;
	const char *why;
	g_autoptr(Json) made = json_read(command->body->str, command->body->len, &why);
	const struct json *const named[] = {command->values, made};

	if (command->id != NULL && *command->id != '\0')
		return g_strdup(command->id);
	for (size_t i = 0; i < G_N_ELEMENTS(named); i++) {
		g_autofree char *id = named[i] != NULL && json_kind(named[i]) == JSON_OBJECT
					      ? id_member(named[i])
					      : g_strdup("");
		if (*id != '\0')
			return g_steal_pointer(&id);
	}
	return g_strdup(command->values != NULL ? text_member(command->values, "space") : "");
}

/* Outside the part that the command was carried out in, so that of a refused one this remains. */
static void keep_record(const struct json *json, const struct under_way *under_way, int status)
{
	const struct command *command = &under_way->command;
	bool is_object = json != NULL && json_kind(json) == JSON_OBJECT;
	g_autofree char *subject = subject_of(under_way);
	const struct audit_row row = {
		.time = command->limits->now,
		.who = is_object ? text_member(json, "who") : "",
		.from = is_object ? text_member(json, "from") : "",
		.object = is_object ? text_member(json, "object") : "",
		.action = is_object ? text_member(json, "action") : "",
		.id = subject,
		.details = command->values != NULL ? json_as_written(command->values) : "",
		.status = status,
	};

	audit_keep(command->store, &row);
}

bool registry_command(struct store *store, const char *text, size_t size,
		      const struct registry_limits *limits, GString *answer)
{
	struct problem problem = {0};
	g_autoptr(GString) body = g_string_new(NULL);
	g_autofree char *id = NULL;
	const char *why = "longer than " G_STRINGIFY(REGISTRY_COMMAND_BYTES) " bytes";
	g_autoptr(Json) json = size <= REGISTRY_COMMAND_BYTES ? json_read(text, size, &why) : NULL;
	struct under_way under_way = {
		.command = {.store = store, .limits = limits, .body = body, .problem = &problem},
	};
	enum result result = understand(json, why, &under_way);
	int status;

	if (result == RESULT_OK) {
		under_way.command.id = id = id_member(json);
		result = store_part(store, carry_out, &under_way, &problem);
	}
	status = result == RESULT_OK ? under_way.action->status : statuses[result].status;
	add_answer(answer, result, status, body, &problem);
	keep_record(json, &under_way, status);
	return result == RESULT_OK && under_way.action->changes_registry;
}
