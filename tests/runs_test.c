/* Sorting by runs against what qsort does, and that it takes the way it is for. */
#include "runs.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MOST 2000

struct item {
	int64_t key;
	int64_t value;
};

static int comparisons;

static int compare(const void *a, const void *b)
{
	const struct item *first = a, *second = b;

	comparisons++;
	if (first->key != second->key)
		return first->key < second->key ? -1 : 1;
	return first->value < second->value ? -1 : first->value > second->value;
}

static void check_sorting(struct item *items, size_t count)
{
	g_autofree struct item *expected = g_memdup2(items, count * sizeof *items);

	qsort(expected, count, sizeof *expected, compare);
	comparisons = 0;
	runs_sort(items, count, sizeof *items, compare);
	for (size_t i = 0; i < count; i++)
		g_assert_cmpint(compare(&items[i], &expected[i]), ==, 0);
}

/* Arrays of `length` items of one key each, values going up by `step` from somewhere below `values`. */
static size_t make_arrays(struct item *items, int arrays, int length, int keys, int values,
			  int step)
{
	size_t count = 0;

	for (int i = 0; i < arrays; i++) {
		int key = g_test_rand_int_range(0, keys);
		int64_t value = g_test_rand_int_range(0, values);

		for (int j = 0; j < length; j++, value += step)
			items[count++] = (struct item){.key = key, .value = value};
	}
	return count;
}

static void any_arrays_are_sorted(void)
{
	struct item items[ITEMS_MOST];

	for (int i = 0; i < 500; i++) {
		int length = g_test_rand_int_range(1, 50);
		int arrays = g_test_rand_int_range(1, ITEMS_MOST / length);
		size_t count =
			make_arrays(items, arrays, length, g_test_rand_int_range(1, 20),
				    g_test_rand_int_range(1, 5000), g_test_rand_int_range(-1, 3));

		check_sorting(items, count);
	}
}

static void none_and_one_are_sorted(void)
{
	struct item item = {.key = 1, .value = 2};

	runs_sort(NULL, 0, sizeof item, compare);
	check_sorting(&item, 1);
	g_assert_cmpint(item.value, ==, 2);
}

static void arrays_apart_take_few_comparisons(void)
{
	struct item items[ITEMS_MOST];
	const int arrays = 20, length = ITEMS_MOST / arrays;

	comparisons = 0;

	for (int i = 0; i < ITEMS_MOST; i++)
		items[i] = (struct item){.key = arrays - i / length, .value = i};
	runs_sort(items, ITEMS_MOST, sizeof *items, compare);
	g_assert_cmpint(comparisons, <, 2 * ITEMS_MOST);
	for (int i = 1; i < ITEMS_MOST; i++)
		g_assert_cmpint(compare(&items[i - 1], &items[i]), <, 0);
}

#define TEST(name) g_test_add_func("/runs/" #name, name)

int main(int count, char **arguments)
{
	g_test_init(&count, &arguments, NULL);
	TEST(any_arrays_are_sorted);
	TEST(none_and_one_are_sorted);
	TEST(arrays_apart_take_few_comparisons);
	return g_test_run();
}
