#include "attempts.h"

#include <arpa/inet.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "log.h"

#define MINUTE_US (60 * INT64_C(1000000))
#define ROWS 1024 /* by hash; with the places, 96 KiB */
#define PLACES 4
#define PREFIX_BYTES 8 /* of IPv6, what one customer gets; the rest is for him to choose */

/* A bucket that a minute fills: all that it says is when it will be full again. */
struct place {
	uint8_t key[16];
	int64_t full_us; /* monotonic; in the past, it is as good as free */
};

struct attempts {
	int64_t per_minute;
	uint64_t seed; /* nobody outside knows which addresses share a row */

	GMutex mutex;
	struct place rows[ROWS][PLACES];
	int64_t total;
	int64_t complained_us;
};

struct attempts *attempts_new(int64_t per_minute)
{
	struct attempts *attempts = g_new0(struct attempts, 1);

	attempts->per_minute = per_minute;
	attempts->seed = ((uint64_t)g_random_int() << 32) | g_random_int() | 1;
	g_mutex_init(&attempts->mutex);
	return attempts;
}

void attempts_free(struct attempts *attempts)
{
	if (attempts == NULL)
		return;
	g_mutex_clear(&attempts->mutex);
	g_free(attempts);
}

static void make_key(const char *address, uint8_t ret_key[16])
{
	memset(ret_key, 0, 16);
	if (inet_pton(AF_INET, address, ret_key + PREFIX_BYTES) == 1)
		return;
	inet_pton(AF_INET6, address, ret_key);
	memset(ret_key + PREFIX_BYTES, 0, 16 - PREFIX_BYTES);
}

static struct place *row_of(struct attempts *attempts, const uint8_t key[16])
{
	uint64_t hash = attempts->seed;

	for (size_t i = 0; i < 16; i++)
		hash = (hash ^ key[i]) * UINT64_C(0x100000001B3); /* FNV-1a, seeded */
	return attempts->rows[(hash >> 32) % ROWS];
}

/* Its place, or that of whoever is nearest to being forgotten anyway. */
static struct place *find_place(struct attempts *attempts, const uint8_t key[16])
{
	struct place *row = row_of(attempts, key);
	struct place *best = row;

	for (size_t i = 0; i < PLACES; i++) {
		if (memcmp(row[i].key, key, 16) == 0)
			return &row[i];
		if (row[i].full_us < best->full_us)
			best = &row[i];
	}
	*best = (struct place){0};
	memcpy(best->key, key, 16);
	return best;
}

/* One line a minute, whoever and however many they are. */
static void complain(struct attempts *attempts, const char *address, int64_t now_us)
{
	if (attempts->complained_us != 0 && now_us - attempts->complained_us < MINUTE_US)
		return;
	attempts->complained_us = now_us;
	log_warning("tokens: %s sends more than %" PRId64
		    " a minute that are not known, and is told to wait",
		    address, attempts->per_minute);
}

int64_t attempts_fail(struct attempts *attempts, const char *address, int64_t now_us)
{
	int64_t each_us = MINUTE_US / attempts->per_minute;
	int64_t over_us;
	struct place *place;
	uint8_t key[16];

	make_key(address, key);
	g_mutex_lock(&attempts->mutex);
	attempts->total++;
	place = find_place(attempts, key);
	over_us = MAX(place->full_us, now_us) + each_us - now_us - MINUTE_US;
	if (over_us <= 0)
		place->full_us = MAX(place->full_us, now_us) + each_us;
	else
		complain(attempts, address, now_us);
	g_mutex_unlock(&attempts->mutex);
	return over_us <= 0 ? 0 : 1 + over_us / G_USEC_PER_SEC;
}

int64_t attempts_total(struct attempts *attempts)
{
	int64_t total;

	g_mutex_lock(&attempts->mutex);
	total = attempts->total;
	g_mutex_unlock(&attempts->mutex);
	return total;
}
