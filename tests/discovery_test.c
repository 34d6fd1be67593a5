#include "discovery.h"

#include <glib.h>
#include <string.h>

#define STATUS_TOPIC "gateway/headcount-gateway/status"

static struct space_state space(const char *id, const char *name, int64_t capacity)
{
	struct space_state state = {.capacity = capacity};

	g_strlcpy(state.id, id, sizeof state.id);
	g_strlcpy(state.name, name, sizeof state.name);
	return state;
}

static Json *written(const struct space_state *state, enum discovery_form form)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const char *why = NULL;
	Json *json;

	discovery_write(text, state, STATUS_TOPIC, form);
	json = json_read(text->str, text->len, &why);
	g_assert_cmpstr(why, ==, NULL);
	g_assert_true(discovery_is_of(text->str, text->len, STATUS_TOPIC));
	g_assert_false(discovery_is_of(text->str, text->len, "gateway/other/status"));
	return json;
}

static const struct json *component(const struct json *config, const char *name)
{
	return json_member(json_member(config, "components"), name);
}

static void an_object_id_has_allowed_characters_only(void)
{
	static const struct {
		const char *space_id, *object_id;
	} cases[] = {
		{"A", "headcount_A"},        {"hall-2", "headcount_hall-2"},
		{"a_b", "headcount_a__b"},   {"a.b", "headcount_a_db"},
		{"a:b", "headcount_a_cb"},   {"_d", "headcount___d"},
		{"._:", "headcount__d___c"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char object_id[DISCOVERY_ID_SIZE];
		discovery_id(cases[i].space_id, object_id);
		g_assert_cmpstr(object_id, ==, cases[i].object_id);
	}
}

/* All ids of up to four of the characters that matter: each comes back, so no two are the same. */
static void every_object_id_leads_back_to_its_space(void)
{
	static const char characters[] = "_.:d-c";
	size_t base = sizeof characters; /* the NUL, too: an end */
	char back[JSON_ID_SIZE], object_id[DISCOVERY_ID_SIZE];

	for (size_t n = 0; n < base * base * base * base; n++) {
		char id[5] = "";
		for (size_t i = 0, rest = n; i < 4; i++, rest /= base)
			id[i] = characters[rest % base];
		if (*id == '\0')
			continue;
		discovery_id(id, object_id);
		g_assert_true(discovery_space_id(object_id, strlen(object_id), back));
		g_assert_cmpstr(back, ==, id);
		g_assert_cmpuint(strspn(object_id, "headcount_-"), ==, strlen(object_id));
	}
}

static void the_longest_id_fits(void)
{
	g_autofree char *id = g_strnfill(JSON_ID_SIZE - 1, '.');
	char back[JSON_ID_SIZE], object_id[DISCOVERY_ID_SIZE];

	discovery_id(id, object_id);
	g_assert_cmpuint(strlen(object_id), ==, DISCOVERY_ID_SIZE - 1);
	g_assert_true(discovery_space_id(object_id, strlen(object_id), back));
	g_assert_cmpstr(back, ==, id);
}

static void what_is_no_object_id_of_ours_is_refused(void)
{
	g_autofree char *longer = g_strdup_printf("headcount_%065d", 0);
	const char *const bad[] = {"",
				   "headcount",
				   "headcount_",
				   "headcount_a_",
				   "headcount_a_b",
				   "Headcount_A",
				   "0x00158d0001",
				   "headcount_a.b",
				   "headcount_a b",
				   longer};
	char id[JSON_ID_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_test_message("%s", bad[i]);
		g_assert_false(discovery_space_id(bad[i], strlen(bad[i]), id));
	}
}

static void a_topic_names_its_space(void)
{
	g_autofree char *topic = discovery_topic("ha", "a.b");
	char id[JSON_ID_SIZE];

	g_assert_cmpstr(topic, ==, "ha/device/headcount_a_db/config");
	g_assert_true(discovery_topic_space(topic, "ha", id));
	g_assert_cmpstr(id, ==, "a.b");
	g_assert_false(discovery_topic_space(topic, "homeassistant", id));
	g_assert_false(discovery_topic_space("ha/device/lamp/config", "ha", id));
}

/* Home Assistant refuses the whole at a member that it doesn't know. */
static void only_known_members_are_written(void)
{
	struct space_state state = space("A", "Hall", 80);
	g_autoptr(Json) config = written(&state, DISCOVERY_USUAL);
	const struct json *device = json_member(config, "device");
	const struct json *origin = json_member(config, "origin");

	g_assert_cmpuint(json_length(json_member(device, "identifiers")), ==, 1);
	g_assert_cmpstr(json_member_text(device, "name", ""), ==, "Hall");
	g_assert_cmpstr(json_member_text(origin, "name", ""), ==, "headcount");
	g_assert_cmpstr(json_member_text(origin, "sw_version", ""), ==, HEADCOUNT_VERSION);
	g_assert_cmpstr(json_member_text(config, "availability_topic", ""), ==, STATUS_TOPIC);
	g_assert_cmpstr(json_member_text(config, "payload_available", ""), ==, "online");
	g_assert_cmpstr(json_member_text(config, "payload_not_available", ""), ==, "offline");
	g_assert_nonnull(component(config, "count"));
	g_assert_nonnull(component(config, "utilization"));
	g_assert_nonnull(component(config, "health"));
}

static void each_sensor_reads_its_topic(void)
{
	struct space_state state = space("a.b", "", 80);
	g_autoptr(Json) config = written(&state, DISCOVERY_USUAL);
	const struct json *count = component(config, "count");
	const struct json *utilization = component(config, "utilization");
	const struct json *health = component(config, "health");

	g_assert_cmpstr(json_member_text(json_member(config, "device"), "name", ""), ==, "a.b");
	g_assert_cmpstr(json_member_text(count, "platform", ""), ==, "sensor");
	g_assert_cmpstr(json_member_text(count, "unique_id", ""), ==, "headcount_a_db_count");
	g_assert_cmpstr(json_member_text(count, "state_topic", ""), ==, "space/a.b/count");
	g_assert_cmpstr(json_member_text(count, "state_class", ""), ==, "measurement");
	g_assert_cmpstr(json_member_text(count, "unit_of_measurement", ""), ==, "people");
	g_assert_null(json_member(count, "value_template"));
	g_assert_cmpstr(json_member_text(utilization, "state_topic", ""), ==, "space/a.b/state");
	g_assert_cmpstr(json_member_text(utilization, "unit_of_measurement", ""), ==, "%");
	g_assert_nonnull(json_member(utilization, "value_template"));
	g_assert_cmpstr(json_member_text(health, "entity_category", ""), ==, "diagnostic");
	g_assert_cmpstr(json_member_text(health, "device_class", ""), ==, "enum");
	g_assert_cmpuint(json_length(json_member(health, "options")), ==, 4);
	g_assert_null(json_member(health, "state_class"));
	g_assert_null(json_member(health, "unit_of_measurement"));
}

static void without_a_capacity_there_is_no_utilization(void)
{
	struct space_state state = space("A", "", INT64_MIN);
	g_autoptr(Json) config = written(&state, DISCOVERY_USUAL);

	g_assert_null(component(config, "utilization"));
	g_assert_nonnull(component(config, "count"));
}

static void a_sensor_is_removed_by_its_platform_alone(void)
{
	struct space_state state = space("A", "", INT64_MIN);
	g_autoptr(Json) config = written(&state, DISCOVERY_REMOVING);

	g_assert_cmpstr(json_as_written(component(config, "utilization")), ==,
			"{\"platform\":\"sensor\"}");
}

static void what_others_say_is_not_ours(void)
{
	const char *const others[] = {"",
				      "{",
				      "[]",
				      "{}",
				      "{\"availability_topic\":7}",
				      "{\"availability_topic\":\"lamp/status\"}"};

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		g_assert_false(discovery_is_of(others[i], strlen(others[i]), STATUS_TOPIC));
}

#define ADD(test) g_test_add_func("/discovery/" #test, test)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(an_object_id_has_allowed_characters_only);
	ADD(every_object_id_leads_back_to_its_space);
	ADD(the_longest_id_fits);
	ADD(what_is_no_object_id_of_ours_is_refused);
	ADD(a_topic_names_its_space);
	ADD(only_known_members_are_written);
	ADD(each_sensor_reads_its_topic);
	ADD(without_a_capacity_there_is_no_utilization);
	ADD(a_sensor_is_removed_by_its_platform_alone);
	ADD(what_others_say_is_not_ours);
	return g_test_run();
}
