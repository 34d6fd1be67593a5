/* Crossings are stored once each, however many of them come at once and whichever of them are there already. */
#include "crossing.h"

#include <glib.h>

#include "history.h"
#include "own_store.h"

#define CROSSINGS 230 /* not a multiple of what is inserted at once */
#define SPACES 120    /* nor this */

struct fixture {
	struct own_store own;
	struct crossing crossings[CROSSINGS];
};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	own_store_open(&fixture->own);
	own_store_command(&fixture->own, "{\"action\":\"create\",\"object\":\"space\",\"values\":"
					 "{\"id\":\"A\",\"timezone\":\"UTC\"}}");
	own_store_command(&fixture->own, "{\"action\":\"create\",\"object\":\"doorway\",\"values\":"
					 "{\"id\":\"X\",\"space\":\"A\"}}");
	own_store_command(&fixture->own, "{\"action\":\"create\",\"object\":\"dpu\",\"values\":"
					 "{\"id\":\"1\"}}");
	own_store_command(&fixture->own,
			  "{\"action\":\"create\",\"object\":\"installation\",\"values\":"
			  "{\"dpu\":\"1\",\"doorway\":\"X\",\"started_at\":\"2001-01-01 00:00\"}}");
	for (int i = 0; i < CROSSINGS; i++)
		fixture->crossings[i] = (struct crossing){
			.dpu_id = "1",
			.event = {.time = INT64_C(1000000000000) + i, .count = 1},
			.latest = INSTANT_LAST,
		};
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	own_store_close(&fixture->own);
}

struct part {
	struct crossing *crossings;
	size_t count;
};

static enum result work(struct store *store, void *context)
{
	struct part *part = context;

	crossing_store(store, part->crossings, part->count);
	return RESULT_OK;
}

static void store_from(struct fixture *fixture, size_t first, size_t count)
{
	struct part part = {fixture->crossings + first, count};

	g_assert_cmpint(store_transaction(fixture->own.store, work, &part), ==, RESULT_OK);
}

static enum result read_net(struct store *store, void *context)
{
	*(int64_t *)context = history_now(store, 1).occupancy.net;
	return RESULT_OK;
}

static int64_t net_of(struct fixture *fixture)
{
	int64_t net = -1;

	g_assert_cmpint(store_transaction(fixture->own.store, read_net, &net), ==, RESULT_OK);
	return net;
}

static int count_outcomes(const struct fixture *fixture, enum crossing_outcome outcome)
{
	int count = 0;

	for (int i = 0; i < CROSSINGS; i++)
		count += fixture->crossings[i].outcome == outcome;
	return count;
}

static void many_new_ones_are_stored(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	store_from(fixture, 0, CROSSINGS);
	g_assert_cmpint(count_outcomes(fixture, CROSSING_STORED), ==, CROSSINGS);
	g_assert_cmpint(net_of(fixture), ==, CROSSINGS);
}

static void those_among_many_that_are_there_already_count_once(struct fixture *fixture,
							       gconstpointer data)
{
	const size_t known[] = {0, 49, 75, 199, CROSSINGS - 1};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		store_from(fixture, known[i], 1);
	store_from(fixture, 0, CROSSINGS);
	g_assert_cmpint(count_outcomes(fixture, CROSSING_DUPLICATE), ==, G_N_ELEMENTS(known));
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		g_assert_cmpint(fixture->crossings[known[i]].outcome, ==, CROSSING_DUPLICATE);
	g_assert_cmpint(net_of(fixture), ==, CROSSINGS);
}

static void one_that_comes_twice_at_once_counts_once(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	fixture->crossings[20] = fixture->crossings[10];
	store_from(fixture, 0, CROSSINGS);
	g_assert_cmpint(count_outcomes(fixture, CROSSING_DUPLICATE), ==, 1);
	g_assert_cmpint(net_of(fixture), ==, CROSSINGS - 1);
}

static void all_of_them_again_change_nothing(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	store_from(fixture, 0, CROSSINGS);
	store_from(fixture, 0, CROSSINGS);
	g_assert_cmpint(count_outcomes(fixture, CROSSING_DUPLICATE), ==, CROSSINGS);
	g_assert_cmpint(net_of(fixture), ==, CROSSINGS);
}

/* Space k is number 2 + k in the database, behind A. */
static void create_space(struct own_store *own, int k)
{
	own_store_command(own,
			  "{\"action\":\"create\",\"object\":\"space\",\"values\":"
			  "{\"id\":\"S%d\",\"timezone\":\"UTC\"}}",
			  k);
	own_store_command(own,
			  "{\"action\":\"create\",\"object\":\"doorway\",\"values\":"
			  "{\"id\":\"X%d\",\"space\":\"S%d\"}}",
			  k, k);
	own_store_command(
		own, "{\"action\":\"create\",\"object\":\"dpu\",\"values\":{\"id\":\"S%d\"}}", k);
	own_store_command(
		own,
		"{\"action\":\"create\",\"object\":\"installation\",\"values\":"
		"{\"dpu\":\"S%d\",\"doorway\":\"X%d\",\"started_at\":\"2001-01-01 00:00\"}}",
		k, k);
}

static enum result read_points(struct store *store, void *context)
{
	struct history_point *points = context;

	for (int k = 0; k < SPACES; k++)
		points[k] = history_now(store, 2 + k);
	return RESULT_OK;
}

/* What the crossings so far come to, counted one by one. */
static void check_spaces(struct fixture *fixture, int stored)
{
	struct history_point points[SPACES];

	g_assert_cmpint(store_transaction(fixture->own.store, read_points, points), ==, RESULT_OK);
	for (int k = 0; k < SPACES; k++) {
		int64_t count = 0, net = 0, last = INSTANT_NONE;

		for (int i = k; i < stored; i += SPACES) {
			count = MAX(count + fixture->crossings[i].event.count, 0);
			net += fixture->crossings[i].event.count;
			last = fixture->crossings[i].event.time;
		}
		g_assert_cmpint(points[k].occupancy.count, ==, count);
		g_assert_cmpint(points[k].occupancy.net, ==, net);
		g_assert_cmpint(points[k].last_event_time, ==, last);
		g_assert_cmpint(points[k].last_change_time, ==, last);
		for (int other = 0; other < k; other++)
			g_assert_cmpint(points[other].revision, !=, points[k].revision);
	}
}

static void each_of_many_spaces_keeps_its_own_count(struct fixture *fixture, gconstpointer data)
{
	char ids[SPACES][8];

	(void)data;
	for (int k = 0; k < SPACES; k++) {
		g_snprintf(ids[k], sizeof ids[k], "S%d", k);
		create_space(&fixture->own, k);
	}
	for (int i = 0; i < CROSSINGS; i++) {
		fixture->crossings[i].dpu_id = ids[i % SPACES];
		fixture->crossings[i].event.count = i % 3 == 0 ? -1 - i % 2 : 1 + i % 5;
	}
	check_spaces(fixture, 0);
	store_from(fixture, 0, SPACES);
	check_spaces(fixture, SPACES);
	store_from(fixture, SPACES, CROSSINGS - SPACES);
	check_spaces(fixture, CROSSINGS);
}

#define ADD(name) g_test_add("/crossing/" #name, struct fixture, NULL, set_up, name, tear_down)

int main(int count, char **arguments)
{
	g_test_init(&count, &arguments, NULL);
	ADD(many_new_ones_are_stored);
	ADD(those_among_many_that_are_there_already_count_once);
	ADD(one_that_comes_twice_at_once_counts_once);
	ADD(all_of_them_again_change_nothing);
	ADD(each_of_many_spaces_keeps_its_own_count);
	return g_test_run();
}
