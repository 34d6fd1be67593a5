/* The memory of the HTTP side: whatever it says is what the database says in the same transaction. */
#include "memory.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "crossing.h"
#include "registry.h"

#define BEGIN INT64_C(1767225600000) /* 2026-01-01 */
#define NAMES 6                      /* of spaces s0…, doorways d0… and DPUs p0… */
#define CHANGES 3000
#define SMALL_BYTES (1024 * 1024)
#define CROWD 3000 /* three times what fits in */
#define THREADS 4
#define ENTRIES 200

struct town {
	char *path, *database;
	struct store *writer, *readers[2]; /* as two threads have them */
	struct memory *memory;
	instant now;
	int done, refused; /* commands */
	int glances;       /* that found all they wanted */
};

static struct store *open_store(const struct town *town, enum store_mode mode)
{
	struct store *store = NULL;
	struct problem problem;

	g_assert_cmpint(store_open(town->database, mode, &store, &problem), ==, RESULT_OK);
	return store;
}

static void open_all(struct town *town)
{
	town->writer = open_store(town, STORE_WRITER);
	town->readers[0] = open_store(town, STORE_READER);
	town->readers[1] = open_store(town, STORE_READER);
}

static void close_all(struct town *town)
{
	store_close(town->readers[0]);
	store_close(town->readers[1]);
	store_close(town->writer);
}

static void remove_files(const struct town *town)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".writer"};

	for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *path = g_strconcat(town->database, endings[i], NULL);
		g_unlink(path);
	}
}

static void set_up(struct town *town, gconstpointer data)
{
	(void)data;
	town->path = g_dir_make_tmp("headcount-memory-XXXXXX", NULL);
	town->database = g_build_filename(town->path, "headcount.db", NULL);
	town->memory = memory_new(SMALL_BYTES);
	town->now = BEGIN;
	open_all(town);
}

static void tear_down(struct town *town, gconstpointer data)
{
	(void)data;
	close_all(town);
	memory_free(town->memory);
	remove_files(town);
	g_rmdir(town->path);
	g_free(town->path);
	g_free(town->database);
}

/* Changes */

struct change_order {
	struct town *town;
	const char *command;
};

static enum result carry_out(struct store *store, void *context)
{
	struct change_order *order = context;
	const struct registry_limits limits = {order->town->now, 5 * INSTANT_MINUTE};
	g_autoptr(GString) answer = g_string_new(NULL);

	registry_command(store, order->command, strlen(order->command), &limits, answer);
	if (g_str_has_prefix(answer->str, "{\"status\":2"))
		order->town->done++;
	else
		order->town->refused++;
	return RESULT_OK;
}

__attribute__((format(printf, 2, 3))) static void command(struct town *town, const char *format,
							  ...)
{
	g_autofree char *text = NULL;
	struct change_order order = {.town = town};
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	order.command = text;
	g_assert_cmpint(store_transaction(town->writer, carry_out, &order), ==, RESULT_OK);
}

static enum result walk_in(struct store *store, void *context)
{
	struct crossing *crossing = context;

	crossing_store(store, crossing, 1);
	return RESULT_OK;
}

static void cross(struct town *town, const char *dpu, instant when, int count)
{
	struct crossing crossing = {
		.dpu_id = dpu,
		.event = {.time = when, .count = count},
		.received = town->now,
		.latest = INSTANT_LAST,
	};

	g_assert_cmpint(store_transaction(town->writer, walk_in, &crossing), ==, RESULT_OK);
}

struct status {
	const char *dpu;
	bool online;
	instant when;
};

static enum result say_status(struct store *store, void *context)
{
	const struct status *status = context;

	registry_dpu_status(store, status->dpu, status->online, status->when);
	return RESULT_OK;
}

static void say(struct town *town, const char *dpu, bool online)
{
	struct status status = {dpu, online, town->now};

	g_assert_cmpint(store_transaction(town->writer, say_status, &status), ==, RESULT_OK);
}

/* Not a pure function: two texts live at once. */
static const char *text_of(instant when)
{
	static char texts[2][INSTANT_TEXT_SIZE];
	static int last;

	last = 1 - last;
	instant_format(when, texts[last]);
	return texts[last];
}

static int any(void)
{
	return g_test_rand_int_range(0, NAMES);
}

static instant around(instant when, instant most)
{
	return when + (instant)g_test_rand_double_range(-(double)most, (double)most);
}

static void change_space(struct town *town)
{
	switch (g_test_rand_int_range(0, 7)) {
	case 0:
		command(town,
			"{\"action\":\"create\",\"object\":\"space\",\"values\":{\"id\":\"s%d\"}}",
			any());
		break;
	case 1:
		command(town,
			"{\"action\":\"create\",\"object\":\"space\",\"values\":{\"id\":\"s%d\","
			"\"parent\":\"s%d\",\"capacity\":%d}}",
			any(), any(), 1 + any());
		break;
	case 2:
		command(town,
			"{\"action\":\"update\",\"object\":\"space\",\"id\":\"s%d\",\"values\":"
			"{\"name\":\"\\u00e4 \\\"%d\\\"\",\"daily_reset\":\"0%d:00\"}}",
			any(), any(), any());
		break;
	case 3:
		command(town,
			"{\"action\":\"update\",\"object\":\"space\",\"id\":\"s%d\",\"values\":"
			"{\"parent\":\"s%d\"}}",
			any(), any());
		break;
	case 4:
		command(town,
			"{\"action\":\"update\",\"object\":\"space\",\"id\":\"s%d\",\"values\":"
			"{\"parent\":null}}",
			any());
		break;
	default:
		command(town, "{\"action\":\"delete\",\"object\":\"space\",\"id\":\"s%d\"}", any());
	}
}

static void change_doorway(struct town *town)
{
	switch (g_test_rand_int_range(0, 4)) {
	case 0:
		command(town, "{\"action\":\"delete\",\"object\":\"doorway\",\"id\":\"d%d\"}",
			any());
		break;
	case 1:
		command(town,
			"{\"action\":\"update\",\"object\":\"doorway\",\"id\":\"d%d\",\"values\":"
			"{\"space\":\"s%d\"}}",
			any(), any());
		break;
	default:
		command(town,
			"{\"action\":\"create\",\"object\":\"doorway\",\"values\":{\"id\":\"d%d\","
			"\"space\":\"s%d\",\"adjacent_space\":%s}}",
			any(), any(), any() > 2 ? "\"s0\"" : "null");
	}
}

static void change_installation(struct town *town)
{
	instant begin = around(town->now, 2 * INSTANT_HOUR);
	instant end = begin + INSTANT_MINUTE * (1 + any() * 10);

	switch (g_test_rand_int_range(0, 5)) {
	case 0:
		command(town, "{\"action\":\"delete\",\"object\":\"installation\",\"id\":%d}",
			g_test_rand_int_range(1, 2 + town->done / 10));
		break;
	case 1:
		command(town,
			"{\"action\":\"update\",\"object\":\"installation\",\"id\":%d,\"values\":"
			"{\"ended_at\":\"%s\"}}",
			g_test_rand_int_range(1, 40), text_of(end));
		break;
	case 2:
		command(town,
			"{\"action\":\"move\",\"object\":\"dpu\",\"id\":\"p%d\",\"values\":"
			"{\"doorway\":\"d%d\",\"at\":\"%s\"}}",
			any(), any(), text_of(begin));
		break;
	case 3:
		command(town,
			"{\"action\":\"create\",\"object\":\"installation\",\"values\":{\"dpu\":"
			"\"p%d\","
			"\"doorway\":\"d%d\",\"started_at\":\"%s\",\"ended_at\":\"%s\"}}",
			any(), any(), text_of(begin), text_of(end));
		break;
	default:
		command(town,
			"{\"action\":\"create\",\"object\":\"installation\",\"values\":{\"dpu\":"
			"\"p%d\","
			"\"doorway\":\"d%d\",\"started_at\":\"%s\"}}",
			any(), any(), text_of(begin));
	}
}

static void change_dpu(struct town *town)
{
	g_autofree char *dpu = g_strdup_printf("p%d", any());

	switch (g_test_rand_int_range(0, 4)) {
	case 0:
		command(town,
			"{\"action\":\"create\",\"object\":\"dpu\",\"values\":{\"id\":\"%s\"}}",
			dpu);
		break;
	case 1:
		say(town, dpu, any() > 2);
		break;
	case 2:
		command(town,
			"{\"action\":\"create\",\"object\":\"reset\",\"values\":{\"space\":\"s%d\","
			"\"count\":%d,\"at\":\"%s\"}}",
			any(), any(), text_of(town->now - any() * INSTANT_MINUTE));
		break;
	default:
		cross(town, dpu, around(town->now, INSTANT_HOUR), any() > 1 ? 1 : -1);
	}
}

/* Questions */

struct question {
	struct town *town;
	const char *id;
	instant now, when; /* INSTANT_NONE: now */
	const char *const *visible;
	bool found;
	char *remembered; /* the answer */
	char *glanced;    /* the same, without a transaction; NULL: that did not do */
	int64_t count;
};

static enum result remember(struct store *store, void *context)
{
	struct question *question = context;
	struct memory *memory = question->town->memory;
	GString *text = g_string_new(NULL);
	struct space_state state;

	question->found =
		memory_find_space(memory, store, question->id, question->now, &state) == RESULT_OK;
	if (question->found) {
		if (question->when != INSTANT_NONE &&
		    !memory_look_back(memory, store, &state, question->when)) {
			question->remembered = g_string_free(text, FALSE);
			return RESULT_BUSY;
		}
		memory_write_space(text, memory, store, &state, question->visible);
		question->count = state.point.occupancy.count;
	}
	question->remembered = g_string_free(text, FALSE);
	return RESULT_OK;
}

static enum result compare(struct store *store, void *context)
{
	struct question *question = context;
	g_autoptr(GString) read = g_string_new(NULL);
	struct space_state state;
	enum result result = remember(store, question);
	bool found = space_find(store, question->id, question->now, &state) == RESULT_OK;

	g_assert_cmpint(question->found, ==, found);
	if (found) {
		if (question->when != INSTANT_NONE)
			space_look_back(store, &state, question->when);
		space_write_whole(read, store, &state, question->visible);
	}
	g_assert_cmpstr(question->remembered, ==, read->str);
	if (question->glanced != NULL)
		g_assert_cmpstr(question->glanced, ==, read->str);
	g_clear_pointer(&question->remembered, g_free);
	return result;
}

static bool glance(struct store *reader, struct question *question)
{
	if (store_glance(reader, remember, question) == RESULT_OK)
		return true;
	g_clear_pointer(&question->remembered, g_free);
	return false;
}

static void ask(struct town *town, int reader, const char *id, instant when,
		const char *const *visible)
{
	struct question question = {.town = town,
				    .id = id,
				    .now = around(town->now, INSTANT_SECOND),
				    .when = when,
				    .visible = visible};

	if (glance(town->readers[reader], &question)) {
		question.glanced = g_steal_pointer(&question.remembered);
		town->glances++;
	}
	g_assert_cmpint(store_transaction(town->readers[reader], compare, &question), ==,
			RESULT_OK);
	g_free(question.glanced);
}

static void ask_anything(struct town *town)
{
	static const char *const few[] = {"s1", "s2", NULL};

	for (int i = 0; i < NAMES; i++) {
		g_autofree char *id = g_strdup_printf("s%d", any());
		instant then = BEGIN + (instant)any() * 10 * INSTANT_HOUR;

		ask(town, g_test_rand_int_range(0, 2), id, any() < 4 ? INSTANT_NONE : then,
		    any() == 0 ? few : NULL);
	}
}

/* Tests */

static void whatever_changes_is_in_the_next_answer(struct town *town, gconstpointer data)
{
	static void (*const changes[])(struct town * town) = {
		change_space, change_doorway, change_installation, change_dpu, change_dpu,
	};

	(void)data;
	for (int i = 0; i < CHANGES; i++) {
		changes[g_test_rand_int_range(0, G_N_ELEMENTS(changes))](town);
		town->now += around(INSTANT_MINUTE, 2 * INSTANT_MINUTE); /* back, too */
		if (any() > 1)
			ask_anything(town);
	}
	g_test_message("%d commands were done, %d refused", town->done, town->refused);
	g_test_message("%d answers needed no transaction", town->glances);
	g_assert_cmpint(town->done, >, CHANGES / 10);
	g_assert_cmpint(town->glances, >, CHANGES / 10);
}

/* Space s0 with a device that will be there from 10 to 20 seconds after BEGIN. */
static void make_room(struct town *town)
{
	command(town, "{\"action\":\"create\",\"object\":\"space\",\"values\":{\"id\":\"s0\"}}");
	command(town, "{\"action\":\"create\",\"object\":\"doorway\",\"values\":{\"id\":\"d0\","
		      "\"space\":\"s0\"}}");
	command(town, "{\"action\":\"create\",\"object\":\"dpu\",\"values\":{\"id\":\"p0\"}}");
	command(town,
		"{\"action\":\"create\",\"object\":\"installation\",\"values\":{\"dpu\":\"p0\","
		"\"doorway\":\"d0\",\"started_at\":\"%s\",\"ended_at\":\"%s\"}}",
		text_of(BEGIN + 10 * INSTANT_SECOND), text_of(BEGIN + 20 * INSTANT_SECOND));
	g_assert_cmpint(town->done, ==, 4);
}

static void assert_health(struct town *town, int reader, int after_s, const char *expected)
{
	struct question question = {.town = town,
				    .id = "s0",
				    .now = BEGIN + after_s * INSTANT_SECOND,
				    .when = INSTANT_NONE};
	g_autofree char *health = g_strdup_printf("\"health\":\"%s\"", expected);

	g_assert_cmpint(store_transaction(town->readers[reader], remember, &question), ==,
			RESULT_OK);
	g_assert_nonnull(strstr(question.remembered, health));
	g_free(question.remembered);
}

static void an_installation_begins_and_ends_by_the_clock(struct town *town, gconstpointer data)
{
	(void)data;
	make_room(town);
	say(town, "p0", true);
	assert_health(town, 0, 0, "unknown");
	assert_health(town, 1, 9, "unknown");
	assert_health(town, 0, 10, "healthy");
	assert_health(town, 1, 19, "healthy");
	assert_health(town, 0, 20, "unknown");
	assert_health(town, 0, 15, "healthy");
}

/* Who stores the status has looked at the clock before those who ask, and is done after them. */
static void a_status_is_seen_that_came_as_the_installation_began(struct town *town,
								 gconstpointer data)
{
	(void)data;
	make_room(town);
	assert_health(town, 0, 10, "unknown");
	town->now = BEGIN + 10 * INSTANT_SECOND - 1;
	say(town, "p0", true);
	assert_health(town, 0, 10, "healthy");
	assert_health(town, 1, 10, "healthy");
}

static enum result make_crowd(struct store *store, void *context)
{
	struct change_order order = {.town = context};

	for (int i = 0; i < CROWD; i++) {
		g_autofree char *text =
			g_strdup_printf("{\"action\":\"create\",\"object\":\"space\",\"values\":"
					"{\"id\":\"c%d\",\"name\":\"%0200d\"}}",
					i, i);

		order.command = text;
		(void)carry_out(store, &order);
	}
	return RESULT_OK;
}

static void it_has_a_bound(struct town *town, gconstpointer data)
{
	size_t most = 0;

	(void)data;
	g_assert_cmpint(store_transaction(town->writer, make_crowd, town), ==, RESULT_OK);
	g_assert_cmpint(town->done, ==, CROWD);
	for (int i = 0; i < 2 * CROWD; i++) {
		g_autofree char *id = g_strdup_printf("c%d", i % CROWD);

		ask(town, i % 2, id, INSTANT_NONE, NULL);
		most = MAX(most, memory_bytes(town->memory));
	}
	g_assert_cmpuint(most, <=, SMALL_BYTES);
	g_assert_cmpuint(most, >, SMALL_BYTES / 2);
}

static void another_database_at_the_same_path_is_another(struct town *town, gconstpointer data)
{
	static const char *const names[] = {"one", "two"};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) { /* with the same revisions */
		command(town,
			"{\"action\":\"create\",\"object\":\"space\",\"values\":{\"id\":\"s0\","
			"\"name\":\"%s\"}}",
			names[i]);
		ask(town, 0, "s0", INSTANT_NONE, NULL);
		ask(town, 1, "s0", BEGIN, NULL);
		town->now += INSTANT_MINUTE;
		close_all(town);
		remove_files(town);
		open_all(town);
	}
}

/* Threads */

struct crowd {
	struct town *town;
	gint counted; /* as committed; atomic */
	gint glances; /* atomic */
	gint stop;    /* atomic */
};

static void *ask_on(void *context)
{
	struct crowd *crowd = context;
	struct store *reader = open_store(crowd->town, STORE_READER);
	gint asked = 0;

	while (!g_atomic_int_get(&crowd->stop) || asked == 0) {
		gint least = g_atomic_int_get(&crowd->counted);
		struct question question = {.town = crowd->town,
					    .id = "s0",
					    .now = BEGIN,
					    .when = asked % 3 == 0 ? BEGIN + INSTANT_HOUR
								   : INSTANT_NONE};

		if (glance(reader, &question))
			g_atomic_int_inc(&crowd->glances);
		else
			g_assert_cmpint(store_transaction(reader, remember, &question), ==,
					RESULT_OK);
		g_assert_true(question.found);
		g_assert_cmpint(question.count, >=, least);
		g_free(question.remembered);
		asked++;
	}
	store_close(reader);
	return NULL;
}

static void threads_share_it_and_see_every_change_at_once(struct town *town, gconstpointer data)
{
	const instant when = BEGIN + 20 * INSTANT_SECOND;
	struct crowd crowd = {.town = town};
	GThread *threads[THREADS];

	(void)data;
	make_room(town);
	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("asks", ask_on, &crowd);
	for (int i = 1; i <= ENTRIES; i++) {
		cross(town, "p0", when - i, 1);
		g_atomic_int_set(&crowd.counted, i);
		if (i % 3 == 0) /* a change elsewhere */
			command(town,
				"{\"action\":\"create\",\"object\":\"space\",\"values\":{\"id\":"
				"\"e%d\"}}",
				i);
	}
	g_atomic_int_set(&crowd.stop, 1);
	for (int i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(crowd.glances, >, 0);
}

#define ADD(name) g_test_add("/memory/" #name, struct town, NULL, set_up, name, tear_down)

int main(int count, char **arguments)
{
	g_test_init(&count, &arguments, NULL);
	ADD(whatever_changes_is_in_the_next_answer);
	ADD(an_installation_begins_and_ends_by_the_clock);
	ADD(a_status_is_seen_that_came_as_the_installation_began);
	ADD(it_has_a_bound);
	ADD(another_database_at_the_same_path_is_another);
	ADD(threads_share_it_and_see_every_change_at_once);
	return g_test_run();
}
