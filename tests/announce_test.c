/* When Home Assistant is told of what, with a real database and a broker that only listens. */
#include "announce.h"

#include <glib.h>
#include <string.h>

#include "discovery.h"
#include "own_store.h"

struct broker {
	size_t room;
	size_t said;          /* messages */
	GHashTable *retained; /* topic -> payload */
};

size_t broker_room(const struct broker *broker)
{
	return broker->room;
}

void broker_publish(struct broker *broker, const struct publication *publication)
{
	g_assert_true(publication->retain);
	g_assert_cmpuint(broker->room, >, 0);
	broker->room--;
	broker->said++;
	if (publication->size == 0)
		g_hash_table_remove(broker->retained, publication->topic);
	else
		g_hash_table_replace(broker->retained, g_strdup(publication->topic),
				     g_strndup(publication->payload, publication->size));
}

struct fixture {
	struct own_store own;
	struct config config;
	struct broker broker;
	struct announce *announce;
	int64_t now_ms;
};

/* A registry command, of which the announcements hear. */
#define command(fixture, ...)                                                                      \
	do {                                                                                       \
		own_store_command(&(fixture)->own, __VA_ARGS__);                                   \
		if ((fixture)->announce != NULL)                                                   \
			announce_changed((fixture)->announce);                                     \
	} while (0)

static void make_space(struct fixture *fixture, const char *id)
{
	command(fixture,
		"{\"action\":\"create\",\"object\":\"space\",\"values\":"
		"{\"id\":\"%s\",\"capacity\":80}}",
		id);
}

static void change_space(struct fixture *fixture, const char *id, const char *values)
{
	command(fixture,
		"{\"action\":\"update\",\"object\":\"space\",\"id\":\"%s\",\"values\":{%s}}", id,
		values);
}

static void set_up(struct fixture *fixture, gconstpointer data)
{
	*fixture = (struct fixture){.config = {.home_assistant = data == NULL,
					       .home_assistant_prefix = "ha",
					       .client_id = "g"},
				    .now_ms = 1000};
	own_store_open(&fixture->own);
	fixture->broker.retained = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	make_space(fixture, "A");
	make_space(fixture, "B");
	fixture->announce = announce_new(&fixture->config, fixture->own.store, &fixture->broker);
	announce_all(fixture->announce, fixture->now_ms);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	announce_free(fixture->announce);
	g_hash_table_unref(fixture->broker.retained);
	own_store_close(&fixture->own);
}

/* One call; how many messages it published. */
static size_t say_once(struct fixture *fixture)
{
	fixture->broker.said = 0;
	fixture->broker.room = 256;
	g_assert_cmpint(announce_due(fixture->announce, fixture->now_ms), ==, RESULT_OK);
	return fixture->broker.said;
}

/* Until nothing is left to say; how many messages that took. */
static size_t say_all(struct fixture *fixture)
{
	size_t said = 0;

	fixture->broker.room = 256;
	while (announce_next_ms(fixture->announce) != ANNOUNCE_IDLE) {
		fixture->now_ms = MAX(fixture->now_ms, announce_next_ms(fixture->announce));
		said += say_once(fixture);
	}
	return said;
}

static const char *told_of(const struct fixture *fixture, const char *id)
{
	g_autofree char *topic = discovery_topic("ha", id);

	return g_hash_table_lookup(fixture->broker.retained, topic);
}

static bool is_told(const struct fixture *fixture, const char *id, const char *text)
{
	return told_of(fixture, id) != NULL && strstr(told_of(fixture, id), text) != NULL;
}

/* What the broker has retained comes back at a new connection. */
static void connect_anew(struct fixture *fixture)
{
	GHashTableIter each;
	gpointer topic, payload;

	announce_all(fixture->announce, fixture->now_ms);
	g_hash_table_iter_init(&each, fixture->broker.retained);
	while (g_hash_table_iter_next(&each, &topic, &payload))
		announce_retained(fixture->announce, topic, payload, strlen(payload));
}

static void start_anew(struct fixture *fixture, bool home_assistant)
{
	announce_free(fixture->announce);
	fixture->config.home_assistant = home_assistant;
	fixture->announce = announce_new(&fixture->config, fixture->own.store, &fixture->broker);
	connect_anew(fixture);
}

static void each_space_is_said_once(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	g_assert_cmpuint(say_all(fixture), ==, 2);
	g_assert_nonnull(told_of(fixture, "A"));
	g_assert_nonnull(told_of(fixture, "B"));
	announce_changed(fixture->announce);
	g_assert_cmpuint(say_all(fixture), ==, 0);
}

static void switched_off_nothing_is_said(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	announce_changed(fixture->announce);
	announce_birth(fixture->announce, "online", 6, fixture->now_ms);
	fixture->broker.room = 256;
	g_assert_cmpint(announce_next_ms(fixture->announce), ==, ANNOUNCE_IDLE);
	fixture->now_ms += ANNOUNCE_DELAY_MAX_MS;
	g_assert_cmpuint(say_once(fixture), ==, 0);
}

static void a_count_alone_says_nothing(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	command(fixture, "{\"action\":\"create\",\"object\":\"reset\",\"values\":"
			 "{\"space\":\"A\",\"count\":7,\"at\":\"2020-01-01T00:00:00Z\"}}");
	g_assert_cmpuint(say_all(fixture), ==, 0);
}

static void a_new_name_is_said(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	change_space(fixture, "A", "\"name\":\"Great hall\"");
	g_assert_cmpuint(say_all(fixture), ==, 1);
	g_assert_true(is_told(fixture, "A", "\"name\":\"Great hall\""));
}

static void changes_are_gathered_for_a_while(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	change_space(fixture, "A", "\"name\":\"1\"");
	g_assert_cmpuint(say_once(fixture), ==, 0);
	change_space(fixture, "A", "\"name\":\"2\"");
	fixture->now_ms += ANNOUNCE_CHANGES_MS;
	g_assert_cmpuint(say_once(fixture), ==, 1);
	g_assert_true(is_told(fixture, "A", "\"name\":\"2\""));
}

static void a_capacity_that_went_removes_its_sensor(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	g_assert_true(is_told(fixture, "A", "\"utilization\""));
	change_space(fixture, "A", "\"capacity\":null");
	g_assert_cmpuint(say_all(fixture), ==, 2); /* that it goes, and then without it */
	g_assert_false(is_told(fixture, "A", "\"utilization\""));
	change_space(fixture, "A", "\"name\":\"Hall\"");
	g_assert_cmpuint(say_all(fixture), ==, 1);
	change_space(fixture, "A", "\"capacity\":5");
	g_assert_cmpuint(say_all(fixture), ==, 1);
	g_assert_true(is_told(fixture, "A", "\"utilization\""));
}

static void a_removed_space_is_emptied(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	command(fixture, "{\"action\":\"delete\",\"object\":\"space\",\"id\":\"A\"}");
	g_assert_cmpuint(say_all(fixture), ==, 1);
	g_assert_null(told_of(fixture, "A"));
	g_assert_nonnull(told_of(fixture, "B"));
	connect_anew(fixture);
	g_assert_cmpuint(say_all(fixture), ==,
			 1); /* B: Home Assistant warns of an empty one that it didn't know */
}

static void a_space_removed_just_before_the_end_is_emptied_by_the_next(struct fixture *fixture,
								       gconstpointer data)
{
	(void)data;
	say_all(fixture);
	command(fixture, "{\"action\":\"delete\",\"object\":\"space\",\"id\":\"A\"}");
	start_anew(fixture, true);
	say_all(fixture);
	g_assert_null(told_of(fixture, "A"));
	g_assert_nonnull(told_of(fixture, "B"));
}

static void switched_off_again_all_is_taken_back(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	say_all(fixture);
	g_hash_table_replace(fixture->broker.retained, g_strdup("ha/device/lamp/config"),
			     g_strdup("{}"));
	g_hash_table_replace(fixture->broker.retained, g_strdup("ha/device/headcount_A/config2"),
			     g_strdup("{}"));
	g_hash_table_replace(fixture->broker.retained, g_strdup("ha/device/headcount_C/config"),
			     g_strdup("{\"availability_topic\":\"gateway/another/status\"}"));
	start_anew(fixture, false);
	g_assert_cmpuint(say_all(fixture), ==, 2);
	g_assert_cmpuint(g_hash_table_size(fixture->broker.retained), ==, 3);
	g_assert_null(told_of(fixture, "A"));
	g_assert_null(told_of(fixture, "B"));
}

static void all_is_said_again_some_time_after_a_birth(struct fixture *fixture, gconstpointer data)
{
	int64_t least = INT64_MAX, most = 0;

	(void)data;
	for (int i = 0; i < 50; i++) {
		int64_t delay;
		say_all(fixture);
		announce_birth(fixture->announce, "offline", 7, fixture->now_ms);
		g_assert_cmpint(announce_next_ms(fixture->announce), ==, ANNOUNCE_IDLE);
		announce_birth(fixture->announce, "online", 6, fixture->now_ms);
		delay = announce_next_ms(fixture->announce) - fixture->now_ms;
		g_assert_cmpint(delay, >=, ANNOUNCE_DELAY_MIN_MS);
		g_assert_cmpint(delay, <=, ANNOUNCE_DELAY_MAX_MS);
		least = MIN(least, delay);
		most = MAX(most, delay);
		g_assert_cmpuint(say_once(fixture), ==, 0);
		g_assert_cmpuint(say_all(fixture), ==, 2);
	}
	g_assert_cmpint(least, <, most);
}

/* Also with counts that change all the time, which gives spaces new revisions while the round goes on. */
static void many_spaces_are_said_in_slices(struct fixture *fixture, gconstpointer data)
{
	size_t said = 0;

	(void)data;
	say_all(fixture);
	for (int i = 0; i < 500; i++) {
		g_autofree char *id = g_strdup_printf("s%d", i);
		make_space(fixture, id);
	}
	announce_all(fixture->announce, fixture->now_ms);
	for (int64_t turn = 0; announce_next_ms(fixture->announce) != ANNOUNCE_IDLE; turn++) {
		size_t slice = say_once(fixture);
		g_assert_cmpuint(slice, <=, ANNOUNCE_SLICE);
		g_assert_cmpuint(say_once(fixture), ==, 0); /* not before a pause */
		said += slice;
		if (turn < 8)
			command(fixture,
				"{\"action\":\"create\",\"object\":\"reset\",\"values\":"
				"{\"space\":\"s%d\",\"count\":1,\"at\":\"2020-01-01T00:00:00Z\"}}",
				(int)turn * 60);
		fixture->now_ms += ANNOUNCE_PAUSE_MS;
	}
	g_assert_cmpuint(said, ==, 502);
	g_assert_cmpuint(g_hash_table_size(fixture->broker.retained), ==, 502);
}

static void no_more_is_said_than_there_is_room_for(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	fixture->broker.room = 1;
	g_assert_cmpint(announce_next_ms(fixture->announce), ==, ANNOUNCE_IDLE);
	for (size_t i = 0; i < 2; i++) {
		fixture->broker.room = 2;
		g_assert_cmpint(announce_due(fixture->announce, fixture->now_ms), ==, RESULT_OK);
		g_assert_cmpuint(fixture->broker.said, ==, i + 1);
		fixture->now_ms += ANNOUNCE_PAUSE_MS;
	}
}

#define ADD(test, off)                                                                             \
	g_test_add("/announce/" #test, struct fixture, GINT_TO_POINTER(off), set_up, test,         \
		   tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(each_space_is_said_once, 0);
	ADD(switched_off_nothing_is_said, 1);
	ADD(a_count_alone_says_nothing, 0);
	ADD(a_new_name_is_said, 0);
	ADD(changes_are_gathered_for_a_while, 0);
	ADD(a_capacity_that_went_removes_its_sensor, 0);
	ADD(a_removed_space_is_emptied, 0);
	ADD(a_space_removed_just_before_the_end_is_emptied_by_the_next, 0);
	ADD(switched_off_again_all_is_taken_back, 0);
	ADD(all_is_said_again_some_time_after_a_birth, 0);
	ADD(many_spaces_are_said_in_slices, 0);
	ADD(no_more_is_said_than_there_is_room_for, 0);
	return g_test_run();
}
