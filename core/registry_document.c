#include "registry_document.h"

#include <string.h>

#include "json.h"
#include "json_slice.h"
#include "registry_command.h"

#define FORMAT "headcount registry"
#define VERSION 1

/* clang-format off */
static const struct {
	const char *name;
	const struct registry_object *object;
	enum sql rows; /* their ids, in the order of the document */
	bool paged;    /* the rows take a page's parameters, too */
} parts[REGISTRY_PARTS] = {
	[REGISTRY_SPACES]        = {"spaces",        &registry_space,        SQL_LISTING_SPACES,         true},
	[REGISTRY_DOORWAYS]      = {"doorways",      &registry_doorway,      SQL_LISTING_DOORWAYS,       true},
	[REGISTRY_DPUS]          = {"dpus",          &registry_dpu,          SQL_LISTING_DPUS,           true},
	[REGISTRY_INSTALLATIONS] = {"installations", &registry_installation, SQL_DOCUMENT_INSTALLATIONS, false},
	[REGISTRY_RESETS]        = {"resets",        &registry_reset,        SQL_DOCUMENT_RESETS,        false},
};
/* clang-format on */

static void write_object(GString *out, const struct registry_object *object, const void *row)
{
	json_begin_object(out, NULL);
	for (size_t i = 0; i < object->member_count; i++) {
		if (!(object->members[i].flags & MEMBER_FIXED))
			json_add_members(out, &object->members[i], 1, row);
	}
	json_end_object(out);
}

/* What the database has */

static struct query *begin(struct store *store, enum registry_part part,
			   enum registry_resets resets)
{
	struct query *query = store_query(store, parts[part].rows);

	if (parts[part].paged) {
		query_bind_text(query, 1, "");
		query_bind_integer(query, 2, -1);
	}
	if (part == REGISTRY_RESETS)
		query_bind_integer(query, 1, resets == REGISTRY_RESETS_ALL);
	return query;
}

static void each_of_part(struct store *store, enum registry_part part, enum registry_resets resets,
			 registry_entry_found *found, void *context)
{
	const struct registry_object *object = parts[part].object;
	struct query *query = begin(store, part, resets);
	g_autofree void *row = g_malloc(object->row_size);
	g_autoptr(GString) text = g_string_new(NULL);

	while (query_next(query)) {
		struct registry_entry entry = {.part = part};

		memcpy(row, object->blank, object->row_size);
		if (object->load(store, query_text(query, 0), row) != RESULT_OK)
			return; /* only when a query has failed, and with it the transaction */
		if (part == REGISTRY_INSTALLATIONS)
			entry.number = query_integer(query, 0);
		g_string_truncate(text, 0);
		write_object(text, object, row);
		entry.text = text->str;
		found(context, &entry);
	}
}

void registry_document_each(struct store *store, enum registry_resets resets,
			    registry_entry_found *found, void *context)
{
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		if (part != REGISTRY_RESETS || resets != REGISTRY_RESETS_NONE)
			each_of_part(store, part, resets, found, context);
	}
}

struct writing {
	GString *out;
	enum registry_part next; /* the part that has not begun yet */
	bool any;                /* the part under way has an object */
};

static void begin_parts(struct writing *writing, enum registry_part last)
{
	while (writing->next <= last && writing->next < REGISTRY_PARTS) {
		if (writing->next > 0)
			g_string_append(writing->out, "\n]");
		g_string_append_printf(writing->out, ",\n\"%s\":[", parts[writing->next].name);
		writing->next++;
		writing->any = false;
	}
}

static void write_entry(void *context, const struct registry_entry *entry)
{
	struct writing *writing = context;

	begin_parts(writing, entry->part);
	g_string_append(writing->out, writing->any ? ",\n" : "\n");
	g_string_append(writing->out, entry->text);
	writing->any = true;
}

void registry_document_write(struct store *store, enum registry_resets resets, GString *out)
{
	struct writing writing = {.out = out};

	json_begin_object(out, NULL);
	json_add_text(out, "format", FORMAT);
	json_add_integer(out, "version", VERSION);
	registry_document_each(store, resets, write_entry, &writing);
	begin_parts(&writing, REGISTRY_PARTS - 1);
	g_string_append(out, "\n]}\n");
}

/* Reading */

struct reading {
	registry_entry_found *found;
	void *context;
	struct problem *problem;
	enum result result; /* of what was seen so far */

	/* The outermost object */
	bool format, version;
	struct json_slice arrays[REGISTRY_PARTS]; /* size 0: it has no such member */

	/* The part under way */
	enum registry_part part;
	int64_t index;
	void *row;
	GString *text;
};

static void refuse(struct reading *reading, const char *detail)
{
	if (reading->result == RESULT_OK)
		reading->result = problem_set(reading->problem, RESULT_INVALID, "", "%s", detail);
}

static bool is_version(const struct json_slice *value)
{
	int64_t version;

	return json_slice_integer(value, &version) && version == VERSION;
}

static void see_member(void *context, const struct json_slice *name, const struct json_slice *value)
{
	struct reading *reading = context;

	if (json_slice_is_text(name, "format")) {
		reading->format = json_slice_is_text(value, FORMAT);
		return;
	}
	if (json_slice_is_text(name, "version")) {
		reading->version = is_version(value);
		return;
	}
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		if (json_slice_is_text(name, parts[part].name)) {
			reading->arrays[part] = *value;
			return;
		}
	}
	if (reading->result == RESULT_OK)
		reading->result = problem_set(reading->problem, RESULT_INVALID, "",
					      "a registry has no member %.*s",
					      (int)MIN(name->size, 64), name->at);
}

static void read_object(struct reading *reading, const struct json *json)
{
	const struct registry_object *object = parts[reading->part].object;
	struct problem problem = {0};
	struct registry_entry entry = {.part = reading->part};

	memcpy(reading->row, object->blank, object->row_size);
	if (json_kind(json) != JSON_OBJECT)
		problem_set(&problem, RESULT_INVALID, "", "expected an object");
	else if (json_read_members(json, object->members, object->member_count, true, reading->row,
				   &problem) == RESULT_OK) {
		g_string_truncate(reading->text, 0);
		write_object(reading->text, object, reading->row);
		entry.text = reading->text->str;
		reading->found(reading->context, &entry);
		return;
	}
	reading->result = problem_set(reading->problem, RESULT_INVALID, problem.member,
				      "%s[%" G_GINT64_FORMAT "]%s%s: %s", parts[reading->part].name,
				      reading->index, problem.member[0] != '\0' ? "." : "",
				      problem.member, problem.detail);
}

/* A visitor is told of both: here of what is read as a whole. */
static void pass_member(void *context, const struct json_slice *name,
			const struct json_slice *value)
{
	(void)context;
	(void)name;
	(void)value;
}

static void pass_item(void *context, const struct json_slice *item)
{
	(void)context;
	(void)item;
}

static void see_item(void *context, const struct json_slice *item)
{
	struct reading *reading = context;
	const char *why;
	g_autoptr(Json) json = NULL;

	if (reading->result != RESULT_OK)
		return;
	json = json_read(item->at, item->size, &why);
	if (json != NULL)
		read_object(reading, json);
	else
		refuse(reading, why);
	reading->index++;
}

static void read_part(struct reading *reading, enum registry_part part)
{
	const struct json_slice *array = &reading->arrays[part];
	const struct json_visitor visitor = {pass_member, see_item, reading};
	const struct registry_object *object = parts[part].object;
	g_autofree void *row = g_malloc(object->row_size);
	const char *why;

	if (array->size == 0 || reading->result != RESULT_OK)
		return;
	reading->part = part;
	reading->index = 0;
	reading->row = row;
	if (json_slice_kind(array) != JSON_ARRAY)
		reading->result = problem_set(reading->problem, RESULT_INVALID, parts[part].name,
					      "%s: expected an array", parts[part].name);
	else if (!json_slice_check(array->at, array->size, &visitor, &why))
		refuse(reading, why);
}

enum result registry_document_read(const char *text, size_t size, registry_entry_found *found,
				   void *context, struct problem *reterr_problem)
{
	g_autoptr(GString) canonical = g_string_new(NULL);
	struct reading reading = {
		.found = found, .context = context, .problem = reterr_problem, .text = canonical};
	const struct json_visitor visitor = {see_member, pass_item, &reading};
	const char *why;

	if (!json_slice_check(text, size, &visitor, &why))
		return problem_set(reterr_problem, RESULT_INVALID, "", "it is no JSON: %s", why);
	if (!reading.format)
		return problem_set(reterr_problem, RESULT_INVALID, "format",
				   "it is no registry: expected \"format\":\"" FORMAT "\"");
	if (!reading.version)
		return problem_set(reterr_problem, RESULT_INVALID, "version",
				   "version: this program knows version %d only", VERSION);
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++)
		read_part(&reading, part);
	return reading.result;
}
