/* Sorting of what comes in runs: arrays of a DPU that was offline, each in the order of time. */
#ifndef HEADCOUNT_RUNS_H
#define HEADCOUNT_RUNS_H

#include <stddef.h>

typedef int runs_compare(const void *a, const void *b);

/* As qsort, of items that begin with the int64_t that they are compared by first; the count may be 0. A run is what follows
 * each other in order and has the same number there. Where runs do not overlap it costs about two comparisons an item; where
 * there are none, what qsort costs and one comparison an item. */
void runs_sort(void *items, size_t count, size_t size, runs_compare *compare);

#endif
