#include "runs.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RUN_ITEMS 4 /* shorter ones, on average, are not worth the trouble */

struct run {
	const char *begin, *end;
};

/* What is being put in order. */
struct sorting {
	size_t size; /* of an item */
	runs_compare *compare;
	char *end;     /* of what is copied */
	char *stretch; /* that begins the last runs which overlap */
	bool overlaps; /* there are two at least */
	const char *highest;
};

static int64_t key_of(const char *item)
{
	int64_t key;

	memcpy(&key, item, sizeof key);
	return key;
}

static GArray *find_runs(const char *items, size_t count, const struct sorting *sorting)
{
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	struct run run = {.begin = items, .end = items + sorting->size};
	const char *end = items + count * sorting->size;

	for (; run.end < end; run.end += sorting->size) {
		const char *before = run.end - sorting->size;

		if (key_of(before) == key_of(run.end) && sorting->compare(before, run.end) <= 0)
			continue;
		g_array_append_val(runs, run);
		run.begin = run.end;
	}
	g_array_append_val(runs, run);
	return runs;
}

static int compare_runs(const void *a, const void *b, void *context)
{
	const struct sorting *sorting = context;

	return sorting->compare(((const struct run *)a)->begin, ((const struct run *)b)->begin);
}

static void finish_stretch(struct sorting *sorting)
{
	if (sorting->overlaps)
		qsort(sorting->stretch, (size_t)(sorting->end - sorting->stretch) / sorting->size,
		      sorting->size, sorting->compare);
	sorting->stretch = sorting->end;
	sorting->overlaps = false;
}

/* Runs come by their first items. */
static void copy_run(struct sorting *sorting, const struct run *run)
{
	size_t bytes = (size_t)(run->end - run->begin);
	const char *last = run->end - sorting->size;

	if (sorting->highest != NULL && sorting->compare(run->begin, sorting->highest) < 0)
		sorting->overlaps = true;
	else
		finish_stretch(sorting);
	if (sorting->highest == NULL || sorting->compare(last, sorting->highest) > 0)
		sorting->highest = last;
	memcpy(sorting->end, run->begin, bytes);
	sorting->end += bytes;
}

void runs_sort(void *items, size_t count, size_t size, runs_compare *compare)
{
	struct sorting sorting = {.size = size, .compare = compare};
	g_autoptr(GArray) runs = NULL;
	g_autofree char *copy = NULL;

	if (count == 0)
		return;
	runs = find_runs(items, count, &sorting);
	if (runs->len == 1)
		return;
	if (count / runs->len < RUN_ITEMS) {
		qsort(items, count, size, compare);
		return;
	}
	copy = g_malloc(count * size);
	sorting.end = sorting.stretch = copy;
	g_array_sort_with_data(runs, compare_runs, &sorting);
	for (guint i = 0; i < runs->len; i++)
		copy_run(&sorting, &g_array_index(runs, struct run, i));
	finish_stretch(&sorting);
	memcpy(items, copy, count * size);
}
