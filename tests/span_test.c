/* The algebra of core/span.h against a replay that takes one change after the other. */
#include "span.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 40

/* What a run of changes does, by its definition (DESIGN.md, section 4). */
struct course {
	int64_t count, net, lowest, highest;
	int64_t entries, exits;
	instant reset_time, last_event_time, last_change_time;
};

static void take(struct course *course, const struct change *change)
{
	course->last_change_time = change->time;
	if (change->kind == CHANGE_RESET || change->kind == CHANGE_DAILY_RESET) {
		course->count = course->net = change->value;
		if (course->reset_time == INSTANT_NONE)
			course->reset_time = change->time;
	} else {
		course->net += change->value;
		course->count += change->value;
		if (course->count < 0)
			course->count = 0;
		*(change->value > 0 ? &course->entries : &course->exits) += llabs(change->value);
		course->last_event_time = change->time;
	}
	course->lowest = MIN(course->lowest, course->count);
	course->highest = MAX(course->highest, course->count);
}

static struct course replay(const struct change *changes, int length, struct occupancy before)
{
	struct course course = {
		.count = before.count,
		.net = before.net,
		.lowest = before.count,
		.highest = before.count,
		.reset_time = INSTANT_NONE,
		.last_event_time = INSTANT_NONE,
		.last_change_time = INSTANT_NONE,
	};

	for (int i = 0; i < length; i++)
		take(&course, &changes[i]);
	return course;
}

static struct span span_of(const struct change *changes, int length)
{
	struct span span = SPAN_EMPTY;

	for (int i = 0; i < length; i++)
		span_append(&span, &changes[i]);
	return span;
}

static void assert_same_effect(const struct span *span, const struct course *course,
			       struct occupancy before)
{
	struct occupancy end = span_end(span, before);

	g_assert_cmpint(end.count, ==, course->count);
	g_assert_cmpint(end.net, ==, course->net);
	g_assert_cmpint(span_lowest(span, before.count), ==, course->lowest);
	g_assert_cmpint(span_highest(span, before.count), ==, course->highest);
	g_assert_cmpint(span->entries, ==, course->entries);
	g_assert_cmpint(span->exits, ==, course->exits);
	g_assert_cmpint(span->reset_time, ==, course->reset_time);
	g_assert_cmpint(span->last_event_time, ==, course->last_event_time);
	g_assert_cmpint(span->last_change_time, ==, course->last_change_time);
}

/* A span has no padding (all its members have eight bytes), so equal spans are equal bytes. */
static void assert_equal(const struct span *a, const struct span *b)
{
	g_assert_true(memcmp(a, b, sizeof *a) == 0);
}

static struct change random_change(instant time)
{
	static const struct {
		enum change_kind kind;
		int32_t least, most;
	} kinds[] = {
		{CHANGE_ENTRY, 1, 5},   {CHANGE_ENTRY, 1, 1},       {CHANGE_EXIT, -5, -1},
		{CHANGE_EXIT, -1, -1},  {CHANGE_ENTRY, 100, 100},   {CHANGE_EXIT, -100, -100},
		{CHANGE_RESET, 0, 200}, {CHANGE_DAILY_RESET, 0, 0},
	};
	/* Resets only half as often as the rest: much of a span is what precedes the first one. */
	int row = g_test_rand_int_range(0, g_test_rand_bit() ? 8 : 6);

	return (struct change){
		.time = time,
		.kind = kinds[row].kind,
		.value = g_test_rand_int_range(kinds[row].least, kinds[row].most + 1),
	};
}

static int by_time_and_kind(const void *a, const void *b)
{
	return change_compare(a, b);
}

/* Up to LONGEST changes, in order, several at one instant; without resets only people who walk. */
static int random_changes(struct change changes[LONGEST], bool with_resets)
{
	int length = g_test_rand_int_range(0, LONGEST + 1);
	instant time = g_test_rand_int_range(0, 1000);

	for (int i = 0; i < length; i++) {
		time += g_test_rand_int_range(0, 3);
		do {
			changes[i] = random_change(time);
		} while (!with_resets && change_is_reset(&changes[i]));
	}
	qsort(changes, (size_t)length, sizeof changes[0], by_time_and_kind);
	return length;
}

static struct occupancy random_occupancy(void)
{
	return (struct occupancy){
		.count = g_test_rand_int_range(0, g_test_rand_bit() ? 4 : 300),
		.net = g_test_rand_int_range(-300, 300),
	};
}

static void a_span_does_what_its_changes_do(void)
{
	struct change changes[LONGEST];

	for (int run = 0; run < 20000; run++) {
		int length = random_changes(changes, run % 2 == 0);
		struct occupancy before = random_occupancy();
		struct span span = span_of(changes, length);
		struct course course = replay(changes, length, before);

		assert_same_effect(&span, &course, before);
	}
}

/* Every run of up to five of these changes, from every count up to six. */
static void every_short_span_does_what_its_changes_do(void)
{
	static const struct change alphabet[] = {
		{.kind = CHANGE_ENTRY, .value = 1}, {.kind = CHANGE_ENTRY, .value = 2},
		{.kind = CHANGE_EXIT, .value = -1}, {.kind = CHANGE_EXIT, .value = -3},
		{.kind = CHANGE_RESET, .value = 0}, {.kind = CHANGE_DAILY_RESET, .value = 2},
	};
	const int letters = G_N_ELEMENTS(alphabet), longest = 5;
	struct change changes[5];

	for (int length = 0, words = 1; length <= longest; length++, words *= letters) {
		for (int word = 0; word < words; word++) {
			for (int i = 0, rest = word; i < length; i++, rest /= letters) {
				changes[i] = alphabet[rest % letters];
				changes[i].time = i;
			}
			struct span span = span_of(changes, length);
			for (int count = 0; count <= 6; count++) {
				struct occupancy before = {.count = count, .net = count - 3};
				struct course course = replay(changes, length, before);

				assert_same_effect(&span, &course, before);
			}
		}
	}
}

static void joined_spans_equal_the_span_of_all(void)
{
	struct change changes[LONGEST];

	for (int run = 0; run < 20000; run++) {
		int length = random_changes(changes, run % 2 == 0);
		int split = g_test_rand_int_range(0, length + 1);
		struct span all = span_of(changes, length);
		struct span first = span_of(changes, split);
		struct span second = span_of(changes + split, length - split);

		span_join(&first, &second);
		assert_equal(&first, &all);
	}
}

static void joining_is_associative(void)
{
	struct change changes[LONGEST];

	for (int run = 0; run < 20000; run++) {
		int length = random_changes(changes, run % 2 == 0);
		int one = g_test_rand_int_range(0, length + 1);
		int two = g_test_rand_int_range(one, length + 1);
		struct span left = span_of(changes, one);
		struct span middle = span_of(changes + one, two - one);
		struct span right = span_of(changes + two, length - two);
		struct span left_first = left;

		span_join(&left_first, &middle);
		span_join(&left_first, &right);
		span_join(&middle, &right);
		span_join(&left, &middle);
		assert_equal(&left, &left_first);
	}
}

static void an_empty_span_changes_nothing(void)
{
	struct change changes[LONGEST];

	for (int run = 0; run < 1000; run++) {
		int length = random_changes(changes, true);
		struct span span = span_of(changes, length), empty = SPAN_EMPTY, joined = span;

		span_join(&joined, &empty);
		assert_equal(&joined, &span);
		span_join(&empty, &span);
		assert_equal(&empty, &span);
	}
}

static void an_exit_from_an_empty_room_is_a_missed_entry(void)
{
	const struct change changes[] = {
		{.time = 1, .kind = CHANGE_EXIT, .value = -1},
		{.time = 2, .kind = CHANGE_ENTRY, .value = 1},
	};
	struct span span = span_of(changes, 2);
	struct occupancy end = span_end(&span, (struct occupancy){0});

	g_assert_cmpint(end.count, ==, 1);
	g_assert_cmpint(end.net, ==, 0);
	g_assert_cmpint(span_lowest(&span, 0), ==, 0);
	g_assert_cmpint(span_highest(&span, 0), ==, 1);
}

static void nothing_before_a_reset_shows_after_it(void)
{
	const struct change changes[] = {
		{.time = 1, .kind = CHANGE_ENTRY, .value = 40},
		{.time = 2, .kind = CHANGE_RESET, .value = 7},
		{.time = 3, .kind = CHANGE_EXIT, .value = -2},
	};
	struct span span = span_of(changes, 3);

	for (int64_t count = 0; count < 100; count += 33) {
		struct occupancy end =
			span_end(&span, (struct occupancy){.count = count, .net = -count});

		g_assert_cmpint(end.count, ==, 5);
		g_assert_cmpint(end.net, ==, 5);
		g_assert_cmpint(span_highest(&span, count), ==, count + 40);
	}
	g_assert_cmpint(span.entries, ==, 40);
	g_assert_cmpint(span.exits, ==, 2);
}

static void changes_of_one_instant_are_entries_exits_then_resets(void)
{
	const struct change ordered[] = {
		{.time = 4, .kind = CHANGE_RESET, .value = 9},
		{.time = 5, .kind = CHANGE_ENTRY, .value = 1},
		{.time = 5, .kind = CHANGE_EXIT, .value = -1},
		{.time = 5, .kind = CHANGE_DAILY_RESET, .value = 0},
		{.time = 5, .kind = CHANGE_RESET, .value = 3},
		{.time = 6, .kind = CHANGE_ENTRY, .value = 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(ordered); i++) {
		g_assert_cmpint(change_compare(&ordered[i], &ordered[i]), ==, 0);
		for (size_t j = i + 1; j < G_N_ELEMENTS(ordered); j++) {
			g_assert_cmpint(change_compare(&ordered[i], &ordered[j]), <, 0);
			g_assert_cmpint(change_compare(&ordered[j], &ordered[i]), >, 0);
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/span/a_span_does_what_its_changes_do", a_span_does_what_its_changes_do);
	g_test_add_func("/span/every_short_span_does_what_its_changes_do",
			every_short_span_does_what_its_changes_do);
	g_test_add_func("/span/joined_spans_equal_the_span_of_all",
			joined_spans_equal_the_span_of_all);
	g_test_add_func("/span/joining_is_associative", joining_is_associative);
	g_test_add_func("/span/an_empty_span_changes_nothing", an_empty_span_changes_nothing);
	g_test_add_func("/span/an_exit_from_an_empty_room_is_a_missed_entry",
			an_exit_from_an_empty_room_is_a_missed_entry);
	g_test_add_func("/span/nothing_before_a_reset_shows_after_it",
			nothing_before_a_reset_shows_after_it);
	g_test_add_func("/span/changes_of_one_instant_are_entries_exits_then_resets",
			changes_of_one_instant_are_entries_exits_then_resets);
	return g_test_run();
}
