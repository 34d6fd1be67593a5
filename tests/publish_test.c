/* What is published when, with a real database and a broker that only listens. */
#include "publish.h"

#include <glib.h>
#include <string.h>

#include "own_store.h"

#define INTERVAL_MS 200

struct broker {
	size_t room;          /* how many publications it still takes */
	GPtrArray *said;      /* "topic payload", in order */
	GHashTable *retained; /* topic -> payload */
};

size_t broker_room(const struct broker *broker)
{
	return broker->room;
}

void broker_publish(struct broker *broker, const struct publication *publication)
{
	g_autofree char *payload = g_strndup(publication->payload, publication->size);

	g_assert_true(publication->retain);
	g_assert_cmpuint(broker->room, >, 0);
	broker->room--;
	g_ptr_array_add(broker->said, g_strdup_printf("%s %s", publication->topic, payload));
	if (*payload == '\0')
		g_hash_table_remove(broker->retained, publication->topic);
	else
		g_hash_table_replace(broker->retained, g_strdup(publication->topic),
				     g_strdup(payload));
}

struct fixture {
	struct own_store own;
	struct broker broker;
	struct publish *publish;
};

/* A registry command, of which the publications hear. */
#define command(fixture, ...)                                                                      \
	do {                                                                                       \
		own_store_command(&(fixture)->own, __VA_ARGS__);                                   \
		if ((fixture)->publish != NULL)                                                    \
			publish_changed((fixture)->publish);                                       \
	} while (0)

static void make_space(struct fixture *fixture, const char *id)
{
	command(fixture,
		"{\"action\":\"create\",\"object\":\"space\",\"values\":"
		"{\"id\":\"%s\",\"timezone\":\"Europe/Berlin\"}}",
		id);
}

static void remove_space(struct fixture *fixture, const char *id)
{
	command(fixture, "{\"action\":\"delete\",\"object\":\"space\",\"id\":\"%s\"}", id);
}

/* Each reset has a time of its own, so that it is the last one. */
static void set_count(struct fixture *fixture, const char *id, int count)
{
	static instant at = INT64_C(1000000000000);
	char time[INSTANT_TEXT_SIZE];

	at += INSTANT_SECOND;
	instant_format(at, time);
	command(fixture,
		"{\"action\":\"create\",\"object\":\"reset\",\"values\":"
		"{\"space\":\"%s\",\"count\":%d,\"at\":\"%s\"}}",
		id, count, time);
}

static void set_up(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	*fixture = (struct fixture){0};
	own_store_open(&fixture->own);
	fixture->broker.room = 1000;
	fixture->broker.said = g_ptr_array_new_with_free_func(g_free);
	fixture->broker.retained = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	make_space(fixture, "A");
	make_space(fixture, "B");
	make_space(fixture, "C");
	fixture->publish = publish_new(fixture->own.store, &fixture->broker, INTERVAL_MS);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	publish_free(fixture->publish);
	g_ptr_array_unref(fixture->broker.said);
	g_hash_table_unref(fixture->broker.retained);
	own_store_close(&fixture->own);
}

/* What is said at a time: the ids, in order, of the spaces whose count was published. */
static char *said_at(struct fixture *fixture, int64_t now_ms)
{
	GString *ids = g_string_new(NULL);

	g_ptr_array_set_size(fixture->broker.said, 0);
	g_assert_cmpint(publish_due(fixture->publish, now_ms), ==, RESULT_OK);
	g_assert_cmpint(publish_next_ms(fixture->publish), >, now_ms);
	for (guint i = 0; i < fixture->broker.said->len; i++) {
		g_auto(GStrv) levels = g_strsplit_set(fixture->broker.said->pdata[i], "/ ", 4);
		if (strcmp(levels[2], "count") == 0)
			g_string_append(ids, levels[1]);
	}
	return g_string_free(ids, FALSE);
}

#define assert_said(fixture, now_ms, ids)                                                          \
	do {                                                                                       \
		g_autofree char *said = said_at(fixture, now_ms);                                  \
		g_assert_cmpstr(said, ==, ids);                                                    \
	} while (0)

static void assert_count(const struct fixture *fixture, const char *id, int count)
{
	g_autofree char *topic = g_strdup_printf("space/%s/count", id);
	g_autofree char *state_topic = g_strdup_printf("space/%s/state", id);
	g_autofree char *text = g_strdup_printf("%d", count);
	g_autofree char *member = g_strdup_printf("\"count\":%d,", count);
	const char *state = g_hash_table_lookup(fixture->broker.retained, state_topic);

	g_assert_cmpstr(g_hash_table_lookup(fixture->broker.retained, topic), ==, text);
	g_assert_nonnull(state);
	g_assert_nonnull(strstr(state, member));
}

static void all_is_said_to_begin_with(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	assert_count(fixture, "B", 0);
	assert_said(fixture, 5000, "");
	g_assert_cmpint(publish_spaces(fixture->publish), ==, 3);
	g_assert_cmpint(publish_next_ms(fixture->publish), ==, PUBLISH_IDLE);
}

static void a_change_is_said_at_once(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "B", 7);
	assert_said(fixture, 2000, "B");
	assert_count(fixture, "B", 7);
}

static void changes_within_an_interval_are_said_once_at_its_end(struct fixture *fixture,
								gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "B", 7);
	assert_said(fixture, 2000, "B");
	set_count(fixture, "B", 8);
	assert_said(fixture, 2050, "");
	set_count(fixture, "B", 9);
	set_count(fixture, "A", 1);
	assert_said(fixture, 2100, "A");
	g_assert_cmpint(publish_next_ms(fixture->publish), ==, 2000 + INTERVAL_MS);
	assert_said(fixture, 2199, "");
	assert_said(fixture, 2200, "B");
	assert_count(fixture, "B", 9);
	assert_said(fixture, 2400, "");
	g_assert_cmpint(publish_next_ms(fixture->publish), ==, PUBLISH_IDLE);
}

static void an_interval_begins_anew_at_its_end(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "A", 1);
	assert_said(fixture, 1100, "");
	assert_said(fixture, 1250, "A");
	set_count(fixture, "A", 2);
	assert_said(fixture, 1400, "");
	assert_said(fixture, 1450, "A");
	assert_count(fixture, "A", 2);
}

static void no_more_is_said_than_there_is_room_for(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	fixture->broker.room = 3;
	assert_said(fixture, 1000, "A");
	assert_said(fixture, 1001, "");
	fixture->broker.room = 2;
	assert_said(fixture, 1002, "B");
	fixture->broker.room = 2;
	assert_said(fixture, 1003, "C");
	fixture->broker.room = 2;
	assert_said(fixture, 1004, "");
}

static void a_change_goes_before_what_is_said_again(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	fixture->broker.room = 2;
	assert_said(fixture, 1000, "A");
	set_count(fixture, "C", 5);
	fixture->broker.room = 2;
	assert_said(fixture, 1001, "C");
	fixture->broker.room = 1000;
	assert_said(fixture, 1002, "B");
	assert_count(fixture, "C", 5);
}

static void the_end_of_an_interval_waits_for_room(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "A", 1);
	assert_said(fixture, 1100, "");
	fixture->broker.room = 1;
	assert_said(fixture, 1300, "");
	fixture->broker.room = 2;
	assert_said(fixture, 1301, "A");
	assert_count(fixture, "A", 1);
}

static void a_new_connection_hears_all(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "A", 1);
	assert_said(fixture, 2000, "A");
	publish_all(fixture->publish);
	assert_said(fixture, 2100, "BC");
	assert_said(fixture, 2200, "A");
	publish_all(fixture->publish);
	assert_said(fixture, 9000, "BCA");
}

static void a_removed_space_is_cleared(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	remove_space(fixture, "B");
	assert_said(fixture, 2000, "B");
	g_assert_false(g_hash_table_contains(fixture->broker.retained, "space/B/count"));
	g_assert_false(g_hash_table_contains(fixture->broker.retained, "space/B/state"));
	make_space(fixture, "B");
	assert_said(fixture, 3000, "B");
	assert_count(fixture, "B", 0);
}

static void a_space_removed_within_its_interval_is_cleared_at_its_end(struct fixture *fixture,
								      gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	remove_space(fixture, "B");
	assert_said(fixture, 1100, "");
	assert_said(fixture, 1200, "B");
	g_assert_cmpuint(g_hash_table_size(fixture->broker.retained), ==, 4);
}

static void hurry_waits_for_no_interval(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_said(fixture, 1000, "ABC");
	set_count(fixture, "A", 3);
	set_count(fixture, "B", 4);
	assert_said(fixture, 1100, "");
	g_assert_cmpint(publish_hurry(fixture->publish), ==, RESULT_OK);
	assert_count(fixture, "A", 3);
	assert_count(fixture, "B", 4);
}

static void many_spaces_leave_in_slices(struct fixture *fixture, gconstpointer data)
{
	const guint spaces = 40;
	guint slices = 0;

	(void)data;
	for (guint i = 3; i < spaces; i++) {
		g_autofree char *id = g_strdup_printf("many%u", i);
		make_space(fixture, id);
	}
	for (; publish_next_ms(fixture->publish) <= 1000; slices++) {
		guint said = fixture->broker.said->len;

		g_assert_cmpint(publish_due(fixture->publish, 1000), ==, RESULT_OK);
		g_assert_cmpuint(fixture->broker.said->len, >, said);
		g_assert_cmpuint(fixture->broker.said->len, <, said + spaces);
	}
	g_assert_cmpuint(slices, >, 2);
	g_assert_cmpuint(g_hash_table_size(fixture->broker.retained), ==, 2 * spaces);
}

static void hurry_says_all_slices(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	for (int i = 0; i < 40; i++) {
		g_autofree char *id = g_strdup_printf("many%d", i);
		make_space(fixture, id);
	}
	g_assert_cmpint(publish_hurry(fixture->publish), ==, RESULT_OK);
	g_assert_cmpuint(g_hash_table_size(fixture->broker.retained), ==, 2 * 43);
}

/* Whatever happens in which order: in the end every retained count is the last one. */
static void at_rest_every_retained_count_is_right(struct fixture *fixture, gconstpointer data)
{
	static const char *const ids[] = {"A", "B", "C"};
	int counts[3] = {0};
	int64_t now_ms = 1000;

	(void)data;
	for (int i = 0; i < 300; i++) {
		int which = g_test_rand_int_range(0, 3);
		counts[which] = g_test_rand_int_range(0, 100);
		set_count(fixture, ids[which], counts[which]);
		if (g_test_rand_int_range(0, 20) == 0)
			publish_all(fixture->publish);
		fixture->broker.room = (size_t)g_test_rand_int_range(0, 8);
		now_ms += g_test_rand_int_range(0, 90);
		g_assert_cmpint(publish_due(fixture->publish, now_ms), ==, RESULT_OK);
	}
	fixture->broker.room = 1000;
	for (int64_t next = now_ms; next != PUBLISH_IDLE; next = publish_next_ms(fixture->publish))
		g_assert_cmpint(publish_due(fixture->publish, next), ==, RESULT_OK);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		assert_count(fixture, ids[i], counts[i]);
}

#define ADD(test) g_test_add("/publish/" #test, struct fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(all_is_said_to_begin_with);
	ADD(a_change_is_said_at_once);
	ADD(changes_within_an_interval_are_said_once_at_its_end);
	ADD(an_interval_begins_anew_at_its_end);
	ADD(no_more_is_said_than_there_is_room_for);
	ADD(a_change_goes_before_what_is_said_again);
	ADD(the_end_of_an_interval_waits_for_room);
	ADD(a_new_connection_hears_all);
	ADD(a_removed_space_is_cleared);
	ADD(a_space_removed_within_its_interval_is_cleared_at_its_end);
	ADD(hurry_waits_for_no_interval);
	ADD(many_spaces_leave_in_slices);
	ADD(hurry_says_all_slices);
	ADD(at_rest_every_retained_count_is_right);
	return g_test_run();
}
