#include "discovery.h"

#include <string.h>

#define ID_BEGINS "headcount_"

/* Characters of our ids that an object id may not hold, and _ itself. */
static const struct {
	char plain, escaped;
} escapes[] = {{'_', '_'}, {'.', 'd'}, {':', 'c'}};

struct sensor {
	const char *key; /* within components, and the end of the unique id */
	const char *name;
	const char *topic;          /* below space/<id>/ */
	const char *value_template; /* NULL: the payload is the value */
	const char *unit;           /* NULL: it is no number */
	const char *icon;
	bool of_capacity; /* only where there is one */
	bool diagnostic;
};

/* The end of a space empties its state, which is no object: then a template must give none and not fail. */
/* clang-format off */
static const struct sensor sensors[] = {
	{"count", "Count", "count", NULL, "people", "mdi:account-group", false, false},
	{"utilization", "Utilization", "state",
		"{{ (value_json.utilization * 100) | round(1) "
		"if value_json is defined and value_json.utilization is number else none }}",
		"%", "mdi:gauge", true, false},
	{"health", "Health", "state",
		"{{ value_json.health if value_json is defined else none }}",
		NULL, "mdi:heart-pulse", false, true},
};
/* clang-format on */

/* Ids */

static char escape_of(char plain)
{
	for (size_t i = 0; i < G_N_ELEMENTS(escapes); i++) {
		if (escapes[i].plain == plain)
			return escapes[i].escaped;
	}
	return '\0';
}

static char plain_of(char escaped)
{
	for (size_t i = 0; i < G_N_ELEMENTS(escapes); i++) {
		if (escapes[i].escaped == escaped)
			return escapes[i].plain;
	}
	return '\0';
}

void discovery_id(const char *space_id, char ret_object_id[DISCOVERY_ID_SIZE])
{
	char *out = ret_object_id + g_strlcpy(ret_object_id, ID_BEGINS, DISCOVERY_ID_SIZE);

	for (; *space_id != '\0'; space_id++) {
		char escape = escape_of(*space_id);

		if (escape == '\0') {
			*out++ = *space_id;
			continue;
		}
		*out++ = '_';
		*out++ = escape;
	}
	*out = '\0';
}

bool discovery_space_id(const char *object_id, size_t size, char ret_space_id[JSON_ID_SIZE])
{
	size_t begin = strlen(ID_BEGINS), length = 0;
	char id[JSON_ID_SIZE];

	if (size < begin || memcmp(object_id, ID_BEGINS, begin) != 0)
		return false;
	for (size_t i = begin; i < size; i++) {
		bool escaped = object_id[i] == '_';

		if (length == JSON_ID_SIZE - 1 || (escaped && ++i == size))
			return false;
		if (!escaped && escape_of(object_id[i]) != '\0')
			return false;
		id[length] = object_id[i];
		if (escaped)
			id[length] = plain_of(object_id[i]);
		length++;
	}
	if (!json_is_id(id, length))
		return false;
	memcpy(ret_space_id, id, length);
	ret_space_id[length] = '\0';
	return true;
}

/* Topics */

char *discovery_topic(const char *prefix, const char *space_id)
{
	char object_id[DISCOVERY_ID_SIZE];

	discovery_id(space_id, object_id);
	return g_strdup_printf("%s/device/%s/config", prefix, object_id);
}

bool discovery_topic_space(const char *topic, const char *prefix, char ret_space_id[JSON_ID_SIZE])
{
	g_autofree char *begin = g_strdup_printf("%s/device/", prefix);
	const char *object_id;

	if (!g_str_has_prefix(topic, begin))
		return false;
	object_id = topic + strlen(begin);
	return discovery_space_id(object_id, strcspn(object_id, "/"), ret_space_id);
}

/* Payloads */

static void add_device(GString *out, const struct space_state *state, const char *object_id)
{
	json_begin_object(out, "device");
	json_begin_array(out, "identifiers");
	json_add_text(out, NULL, object_id);
	json_end_array(out);
	json_add_text(out, "name", *state->name != '\0' ? state->name : state->id);
	json_add_text(out, "manufacturer", "headcount");
	json_add_text(out, "model", "space");
	json_end_object(out);
}

static void add_origin(GString *out)
{
	json_begin_object(out, "origin");
	json_add_text(out, "name", "headcount");
	json_add_text(out, "sw_version", HEADCOUNT_VERSION);
	json_end_object(out);
}

/* A text that is one of a few; Home Assistant takes no unit and no state class with it. */
static void add_choice(GString *out)
{
	json_add_text(out, "device_class", "enum");
	json_begin_array(out, "options");
	for (int health = HEALTH_UNKNOWN; health <= HEALTH_OFFLINE; health++)
		json_add_text(out, NULL, space_health_name((enum space_health)health));
	json_end_array(out);
}

static void add_options(GString *out, const struct sensor *sensor, const char *space_id,
			const char *object_id)
{
	g_autofree char *unique_id = g_strdup_printf("%s_%s", object_id, sensor->key);
	g_autofree char *topic = g_strdup_printf("space/%s/%s", space_id, sensor->topic);

	json_add_text(out, "unique_id", unique_id);
	json_add_text(out, "name", sensor->name);
	json_add_text(out, "state_topic", topic);
	json_add_text(out, "icon", sensor->icon);
	if (sensor->value_template != NULL)
		json_add_text(out, "value_template", sensor->value_template);
	if (sensor->diagnostic)
		json_add_text(out, "entity_category", "diagnostic");
	if (sensor->unit == NULL) {
		add_choice(out);
		return;
	}
	json_add_text(out, "unit_of_measurement", sensor->unit);
	json_add_text(out, "state_class", "measurement");
}

static void add_sensor(GString *out, const struct sensor *sensor, const struct space_state *state,
		       const char *object_id, enum discovery_form form)
{
	bool absent = sensor->of_capacity && state->capacity == INT64_MIN;

	if (absent && form != DISCOVERY_REMOVING)
		return;
	json_begin_object(out, sensor->key);
	json_add_text(out, "platform", "sensor");
	if (!absent)
		add_options(out, sensor, state->id, object_id);
	json_end_object(out);
}

/* Home Assistant refuses the whole if there is a member at the root, in device or in origin that it doesn't know. */
void discovery_write(GString *out, const struct space_state *state, const char *status_topic,
		     enum discovery_form form)
{
	char object_id[DISCOVERY_ID_SIZE];

	discovery_id(state->id, object_id);
	json_begin_object(out, NULL);
	add_device(out, state, object_id);
	add_origin(out);
	json_add_text(out, "availability_topic", status_topic);
	json_add_text(out, "payload_available", "online");
	json_add_text(out, "payload_not_available", "offline");
	json_begin_object(out, "components");
	for (size_t i = 0; i < G_N_ELEMENTS(sensors); i++)
		add_sensor(out, &sensors[i], state, object_id, form);
	json_end_object(out);
	json_end_object(out);
}

bool discovery_is_of(const char *payload, size_t size, const char *status_topic)
{
	const char *why;
	g_autoptr(Json) json = json_read(payload, size, &why);

	return json != NULL && json_kind(json) == JSON_OBJECT &&
	       strcmp(json_member_text(json, "availability_topic", ""), status_topic) == 0;
}
