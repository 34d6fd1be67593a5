#include "topics.h"

#include <glib.h>
#include <string.h>

#include "health.h"

static void each_topic_has_its_kind_and_dpu(void)
{
	static const struct {
		const char *topic;
		enum topic_kind kind;
		const char *dpu_id;
	} cases[] = {
		{"dpu/423/events", TOPIC_EVENTS, "423"},
		{"dpu/423/status", TOPIC_STATUS, "423"},
		{"dpu/a.B_c:d-9/events", TOPIC_EVENTS, "a.B_c:d-9"},
		{"registry/commands", TOPIC_COMMANDS, ""},
		{"$SYS/broker/publish/messages/dropped", TOPIC_BROKER_DROPS, ""},
		{"dpu/423/stored", TOPIC_OTHER, ""},
		{"dpu/423/events/more", TOPIC_OTHER, ""},
		{"dpu/4/23/events", TOPIC_OTHER, ""},
		{"dpu/423", TOPIC_OTHER, ""},
		{"dpu/", TOPIC_OTHER, ""},
		{"registry/commands/x", TOPIC_OTHER, ""},
		{"registry/command", TOPIC_OTHER, ""},
		{"space/A/count", TOPIC_OTHER, ""},
		{"/dpu/423/events", TOPIC_OTHER, ""},
		{"", TOPIC_OTHER, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char dpu_id[JSON_ID_SIZE] = "unset";
		g_test_message("%s", cases[i].topic);
		g_assert_cmpint(topic_kind(cases[i].topic, dpu_id), ==, cases[i].kind);
		g_assert_cmpstr(dpu_id, ==, cases[i].dpu_id);
	}
}

static void a_level_that_is_no_id_names_no_dpu(void)
{
	g_autofree char *longest = g_strnfill(64, 'x');
	g_autofree char *longer = g_strnfill(65, 'x');
	const char *const bad[] = {"", " ", "a b", "ä", "a+b", "#", "423\n", longer};
	char dpu_id[JSON_ID_SIZE];

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *topic = g_strdup_printf("dpu/%s/events", bad[i]);
		g_assert_cmpint(topic_kind(topic, dpu_id), ==, TOPIC_EVENTS);
		g_assert_cmpstr(dpu_id, ==, "");
	}
	g_autofree char *topic = g_strdup_printf("dpu/%s/status", longest);
	g_assert_cmpint(topic_kind(topic, dpu_id), ==, TOPIC_STATUS);
	g_assert_cmpstr(dpu_id, ==, longest);
}

static void every_subscription_is_told_from_the_others(void)
{
	char dpu_id[JSON_ID_SIZE];

	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		g_auto(GStrv) levels = g_strsplit(subscriptions[i].filter, "+", -1);
		g_autofree char *topic = g_strjoinv("7", levels);
		g_assert_cmpint(topic_kind(topic, dpu_id), ==, subscriptions[i].kind);
		g_assert_nonnull(subscriptions[i].handler);
	}
}

static void the_brokers_own_count_of_drops_is_remembered(void)
{
	struct health health;
	const struct receivers receivers = {.health = &health, .discovery_prefix = "ha"};
	const struct message message = {.topic = "$SYS/broker/publish/messages/dropped",
					.payload = "12 messages",
					.size = 2};
	const struct message nonsense = {.topic = message.topic, .payload = "many", .size = 4};

	health_begin(&health);
	g_assert_cmpint(health.broker_drops, ==, -1);
	topics_deliver(&receivers, &nonsense);
	g_assert_cmpint(health.broker_drops, ==, -1);
	topics_deliver(&receivers, &message);
	g_assert_cmpint(health.broker_drops, ==, 12);
}

static void a_message_that_none_asked_for_is_ignored(void)
{
	const struct receivers nobody = {.discovery_prefix = "ha"};
	const char *const topics[] = {"building/7/events", "homeassistant/status", "ha/stat",
				      "/status"};

	for (size_t i = 0; i < G_N_ELEMENTS(topics); i++)
		topics_deliver(&nobody, &(struct message){.topic = topics[i], .payload = ""});
}

static void home_assistants_topics_stand_below_its_prefix(void)
{
	const char *const expected[] = {"dpu/+/events",      "dpu/+/status",
					"registry/commands", "$SYS/broker/publish/messages/dropped",
					"ha/status",         "ha/device/+/config"};

	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		g_autofree char *filter = topics_filter(&subscriptions[i], "ha");
		g_assert_cmpstr(filter, ==, expected[i]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/topics/each_topic_has_its_kind_and_dpu", each_topic_has_its_kind_and_dpu);
	g_test_add_func("/topics/a_level_that_is_no_id_names_no_dpu",
			a_level_that_is_no_id_names_no_dpu);
	g_test_add_func("/topics/every_subscription_is_told_from_the_others",
			every_subscription_is_told_from_the_others);
	g_test_add_func("/topics/the_brokers_own_count_of_drops_is_remembered",
			the_brokers_own_count_of_drops_is_remembered);
	g_test_add_func("/topics/a_message_that_none_asked_for_is_ignored",
			a_message_that_none_asked_for_is_ignored);
	g_test_add_func("/topics/home_assistants_topics_stand_below_its_prefix",
			home_assistants_topics_stand_below_its_prefix);
	return g_test_run();
}
