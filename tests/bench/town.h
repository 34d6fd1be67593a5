/* The town that the benchmarks measure in: rooms in floors in buildings, a doorway with a DPU for each quarter of a room.
 *
 * DPUs are named by number from 0; DPU n hangs in room r(n/4) on floor f(n/40) of building b(n/1000), at a doorway that
 * leads to the floor, but for every hundredth one, which leads outside. */
#ifndef HEADCOUNT_BENCH_TOWN_H
#define HEADCOUNT_BENCH_TOWN_H

#include <stddef.h>

#include "instant.h"
#include "store.h"

#define TOWN_DPUS_PER_ROOM 4
#define TOWN_ID_SIZE 12

/* Makes a town of that many DPUs, or takes the one that is there already. Ends the program if that fails. */
void town_make(struct store *store, int dpus);

/* Names of the DPUs, TOWN_ID_SIZE each; the caller frees them with g_free. */
char *town_dpu_ids(int dpus);

#endif
