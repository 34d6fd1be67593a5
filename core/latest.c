#include "latest.h"

#include <glib.h>

#include "openings.h"

#define SPACES_MOST 50000 /* about 300 bytes each */

static void *make_all(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
}

static void free_all(void *all)
{
	g_hash_table_unref(all);
}

/* By space, which is the first member. */
static GHashTable *all_of(struct store *store)
{
	return store_cache(store, make_all, free_all);
}

static struct latest *read_latest(struct store *store, int64_t space)
{
	struct latest *latest = g_new0(struct latest, 1);

	latest->space = space;
	latest->now = history_now(store, space);
	latest->hour = latest->now.last_change_time == INSTANT_NONE
			       ? -1
			       : summary_hour(latest->now.last_change_time);
	latest->summary = (struct summary){.span = SPAN_EMPTY};
	if (latest->hour >= 0)
		summary_find(store, space, latest->hour, SUMMARY_HOUR, &latest->summary);
	return latest;
}

struct latest *latest_of(struct store *store, int64_t space)
{
	GHashTable *all = all_of(store);
	struct latest *latest = g_hash_table_lookup(all, &space);

	if (latest != NULL)
		return latest;
	if (g_hash_table_size(all) >= SPACES_MOST)
		g_hash_table_remove_all(all);
	latest = read_latest(store, space);
	g_hash_table_insert(all, &latest->space, latest);
	return latest;
}

static void find_begin(struct store *store, struct latest *latest)
{
	struct span span;

	(void)openings_read_until(store, latest->space, latest->hour * INSTANT_HOUR - 1, &span);
	latest->begin = span_end(&span, (struct occupancy){0});
	latest->begin_last_event_time = span.last_event_time;
	latest->begin_known = true;
}

/* The hour ends, and the next one begins with what it ends with. */
static void begin_next_hour(struct latest *latest)
{
	const struct span *span = &latest->summary.span;

	latest->begin = span_end(span, latest->begin);
	latest->begin_last_event_time = MAX(latest->begin_last_event_time, span->last_event_time);
}

void latest_put_hour(struct latest *latest, int64_t hour, const struct summary *summary)
{
	if (hour < latest->hour) {
		latest->begin_known = false;
		return;
	}
	if (hour > latest->hour && latest->begin_known)
		begin_next_hour(latest);
	latest->hour = hour;
	latest->summary = *summary;
}

void latest_count_again(struct store *store, struct latest *latest)
{
	const struct span *span = &latest->summary.span;

	if (!latest->begin_known)
		find_begin(store, latest);
	latest->now.occupancy = span_end(span, latest->begin);
	latest->now.last_event_time = MAX(latest->begin_last_event_time, span->last_event_time);
	latest->now.last_change_time = span->last_change_time;
}

void latest_forget(struct store *store, int64_t space)
{
	g_hash_table_remove(all_of(store), &space);
}
