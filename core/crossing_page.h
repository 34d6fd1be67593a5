/* The crossings that changed a space's count, one by one, a page at a time. */
#ifndef HEADCOUNT_CROSSING_PAGE_H
#define HEADCOUNT_CROSSING_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "instant.h"
#include "json.h"
#include "store.h"

/* The order of crossings. Of one place there is one at most. */
struct crossing_place {
	instant time;
	int64_t installation;
	int64_t seq;
	int64_t count; /* as the DPU said it */
};

struct crossing_row {
	struct crossing_place place;
	instant received;
	int64_t change; /* of the space's count: people in, or out if negative */
	char dpu_id[JSON_ID_SIZE], doorway_id[JSON_ID_SIZE];
};

/* Calls `found` for the crossings from a place on, up to and with those of `until`, in order, `most` at most; how many.
 * Reads no more than that of each installation. Within store_transaction. */
typedef void crossing_found(void *context, const struct crossing_row *row);
size_t crossing_page_read(struct store *store, int64_t space, const struct crossing_place *from,
			  instant until, size_t most, crossing_found *found, void *context);

#endif
