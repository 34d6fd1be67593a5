#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "zone.h"

bool json_is_id(const char *text, size_t size)
{
	if (size == 0 || size >= JSON_ID_SIZE)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!g_ascii_isalnum(text[i]) && text[i] != '.' && text[i] != '_' &&
		    text[i] != ':' && text[i] != '-')
			return false;
	}
	return true;
}

static bool is_printable(const char *text, size_t size)
{
	for (const char *at = text; at < text + size; at = g_utf8_next_char(at)) {
		if (g_unichar_iscntrl(g_utf8_get_char(at)))
			return false;
	}
	return true;
}

static bool is_zone(const char *text, size_t size)
{
	return strlen(text) == size && zone_find(text) != NULL;
}

static bool copy_text(const struct json *json, size_t most,
		      bool (*is_valid)(const char *text, size_t size), void *field)
{
	size_t size;
	const char *text = json_text(json, &size);

	if (size > most || !is_valid(text, size))
		return false;
	memcpy(field, text, size + 1);
	return true;
}

static bool read_id(const struct json *json, const struct member *member, void *field)
{
	(void)member;
	return copy_text(json, JSON_ID_SIZE - 1, json_is_id, field);
}

static bool read_text(const struct json *json, const struct member *member, void *field)
{
	return copy_text(json, (size_t)member->max, is_printable, field);
}

static bool read_zone(const struct json *json, const struct member *member, void *field)
{
	(void)member;
	return copy_text(json, JSON_ID_SIZE - 1, is_zone, field);
}

static bool read_integer(const struct json *json, const struct member *member, void *field)
{
	int64_t value = json_integer(json);

	if (value < member->min || value > member->max)
		return false;
	*(int64_t *)field = value;
	return true;
}

static bool read_instant(const struct json *json, const struct member *member, void *field)
{
	size_t size;
	const char *text = json_text(json, &size);

	(void)member;
	return instant_parse(text, size, field);
}

/* Exactly HH:MM. */
static bool read_clock(const struct json *json, const struct member *member, void *field)
{
	size_t size;
	const char *text = json_text(json, &size);
	int hour, minute;

	(void)member;
	if (size != 5 || text[2] != ':' || !g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]) ||
	    !g_ascii_isdigit(text[3]) || !g_ascii_isdigit(text[4]))
		return false;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	if (hour > 23 || minute > 59)
		return false;
	*(int64_t *)field = hour * 60 + minute;
	return true;
}

static void add_text(GString *out, const char *name, const void *field)
{
	json_add_text(out, name, field);
}

static void add_text_or_null(GString *out, const char *name, const void *field)
{
	const char *text = field;

	json_add_text(out, name, *text != '\0' ? text : NULL);
}

static void add_integer(GString *out, const char *name, const void *field)
{
	const int64_t *value = field;

	if (*value == INT64_MIN)
		json_add_null(out, name);
	else
		json_add_integer(out, name, *value);
}

static void add_instant(GString *out, const char *name, const void *field)
{
	json_add_instant(out, name, *(const instant *)field);
}

static void add_clock(GString *out, const char *name, const void *field)
{
	int64_t minutes = *(const int64_t *)field;
	char text[sizeof "HH:MM"];

	if (minutes == INT64_MIN) {
		json_add_null(out, name);
		return;
	}
	g_snprintf(text, sizeof text, "%02d:%02d", (int)(minutes / 60), (int)(minutes % 60));
	json_add_text(out, name, text);
}

struct member_kind {
	enum json_kind kind;
	bool is_text; /* "" is null; else the field is an int64_t, and INT64_MIN is */
	bool (*read)(const struct json *json, const struct member *member, void *field);
	void (*add)(GString *out, const char *name, const void *field);
	const char *expected;
};

/* clang-format off */
static const struct member_kind kinds[] = {
	[MEMBER_ID] = {JSON_TEXT, true, read_id, add_text_or_null,
		"1-64 characters of A-Z a-z 0-9 . _ : -"},
	[MEMBER_TEXT] = {JSON_TEXT, true, read_text, add_text,
		"a text without control characters"},
	[MEMBER_ZONE] = {JSON_TEXT, true, read_zone, add_text_or_null,
		"the name of a timezone, such as Europe/Berlin"},
	[MEMBER_INTEGER] = {JSON_INTEGER, false, read_integer, add_integer,
		"an integer"},
	[MEMBER_INSTANT] = {JSON_TEXT, false, read_instant, add_instant,
		"a time, such as 2026-11-23T08:15:30Z"},
	[MEMBER_CLOCK] = {JSON_TEXT, false, read_clock, add_clock,
		"a time of day, such as 04:00"},
};
/* clang-format on */

static void clear(const struct member *member, void *field)
{
	if (kinds[member->type].is_text)
		*(char *)field = '\0';
	else
		*(int64_t *)field = INT64_MIN;
}

static bool is_null(const struct member *member, const void *field)
{
	if (kinds[member->type].is_text)
		return *(const char *)field == '\0';
	return *(const int64_t *)field == INT64_MIN;
}

static enum result refuse(const struct member *member, struct problem *reterr_problem)
{
	const char *expected = kinds[member->type].expected;

	if (member->type == MEMBER_INTEGER)
		return problem_set(reterr_problem, RESULT_INVALID, member->name,
				   "expected %s from %" PRId64 " to %" PRId64, expected,
				   member->min, member->max);
	if (member->type == MEMBER_TEXT)
		return problem_set(reterr_problem, RESULT_INVALID, member->name,
				   "expected %s, at most %" PRId64 " bytes", expected, member->max);
	return problem_set(reterr_problem, RESULT_INVALID, member->name, "expected %s", expected);
}

static enum result read_member(const struct json *json, const struct member *member, void *into,
			       struct problem *reterr_problem)
{
	const struct member_kind *kind = &kinds[member->type];
	void *field = (char *)into + member->offset;

	if (member->flags & MEMBER_FIXED)
		return problem_set(reterr_problem, RESULT_INVALID, member->name, "it can't be set");
	if (json_kind(json) == JSON_NULL && !(member->flags & MEMBER_REQUIRED)) {
		clear(member, field);
		return RESULT_OK;
	}
	if (json_kind(json) != kind->kind || !kind->read(json, member, field))
		return refuse(member, reterr_problem);
	return RESULT_OK;
}

static const struct member *find_member(const char *name, const struct member *members,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	}
	return NULL;
}

struct reading {
	const struct member *members;
	size_t count;
	void *into;
	struct problem *problem;
	enum result result;
};

static void take_member(void *context, const char *name, const struct json *value)
{
	struct reading *reading = context;
	const struct member *member = find_member(name, reading->members, reading->count);

	if (reading->result != RESULT_OK)
		return;
	if (member == NULL)
		reading->result = problem_set(reading->problem, RESULT_INVALID, name,
					      "there is no such member");
	else
		reading->result = read_member(value, member, reading->into, reading->problem);
}

static enum result check_required(const struct member *members, size_t count, const void *from,
				  struct problem *problem)
{
	for (size_t i = 0; i < count; i++) {
		const void *field = (const char *)from + members[i].offset;
		if ((members[i].flags & MEMBER_REQUIRED) && is_null(&members[i], field))
			return problem_set(problem, RESULT_INVALID, members[i].name,
					   "it is missing; expected %s",
					   kinds[members[i].type].expected);
	}
	return RESULT_OK;
}

enum result json_read_members(const struct json *object, const struct member *members, size_t count,
			      bool creating, void *into, struct problem *reterr_problem)
{
	struct reading reading = {members, count, into, reterr_problem, RESULT_OK};

	json_each_member(object, take_member, &reading);
	if (reading.result == RESULT_OK && creating)
		return check_required(members, count, into, reterr_problem);
	return reading.result;
}

void json_add_members(GString *out, const struct member *members, size_t count, const void *from)
{
	for (size_t i = 0; i < count; i++)
		kinds[members[i].type].add(out, members[i].name,
					   (const char *)from + members[i].offset);
}
