#include "rejected.h"

#include <glib.h>

#include "crossing.h"

#define REPLAY_ROWS 1000 /* judged at a time */

#define DIGEST_BYTES 32

static void digest_of(const char *bytes, size_t size, guint8 ret_digest[DIGEST_BYTES])
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize digest_size = DIGEST_BYTES;

	g_checksum_update(checksum, (const guchar *)bytes, (gssize)size);
	g_checksum_get_digest(checksum, ret_digest, &digest_size);
}

void rejected_keep(struct store *store, enum reason reason, const char *topic, const char *dpu_id,
		   const char *item, size_t size, instant received)
{
	struct query *query = store_query(store, SQL_REJECTED_KEEP);
	guint8 digest[DIGEST_BYTES];

	digest_of(item, size, digest);
	query_bind_text(query, 1, reason_name(reason));
	query_bind_text(query, 2, topic);
	query_bind_text(query, 3, dpu_id);
	query_bind_blob(query, 4, item, MIN(size, EVENT_PAYLOAD_BYTES));
	query_bind_blob(query, 5, digest, sizeof digest);
	query_bind_integer(query, 6, (int64_t)size);
	query_bind_integer(query, 7, received);
	query_run(query);
}

int64_t rejected_trim(struct store *store, int64_t most)
{
	struct query *query = store_query(store, SQL_REJECTED_TRIM);
	int64_t dropped;

	query_bind_integer(query, 1, most);
	dropped = query_run(query);
	if (dropped > 0) {
		query = store_query(store, SQL_META_ADD_REJECTED_DROPPED);
		query_bind_integer(query, 1, dropped);
		query_run(query);
	}
	return dropped;
}

static void bind_filter(struct query *query, const struct rejected_filter *filter)
{
	query_bind_integer(query, 1, filter->id);
	query_bind_text(query, 2, filter->reason);
	query_bind_text(query, 3, filter->dpu_id);
}

int64_t rejected_remove(struct store *store, const struct rejected_filter *filter)
{
	struct query *query = store_query(store, SQL_REJECTED_REMOVE);

	bind_filter(query, filter);
	return query_run(query);
}

/* A page of rows under judgement: crossings, and the row that each stands in. */
struct page {
	instant latest;    /* time an event may have */
	GArray *crossings; /* struct crossing */
	GArray *rows;      /* int64_t */
	GStringChunk *ids;
	int64_t last_row;
	guint read;
};

struct reading {
	struct event event;
	guint events;
};

static void take_event(void *context, const struct event *event, enum reason reason,
		       const char *item, size_t size)
{
	struct reading *reading = context;

	(void)reason, (void)item, (void)size;
	if (event != NULL) {
		reading->event = *event;
		reading->events++;
	}
}

static void read_page(struct store *store, enum sql pages, const struct rejected_filter *filter,
		      struct page *page)
{
	struct query *query = store_query(store, pages);

	bind_filter(query, filter);
	query_bind_integer(query, 4, page->last_row);
	query_bind_integer(query, 5, REPLAY_ROWS);
	for (page->read = 0; query_next(query); page->read++) {
		size_t size;
		const char *item = query_blob(query, 2, &size);
		struct crossing crossing = {.received = query_integer(query, 3),
					    .latest = page->latest};
		struct reading reading = {0};

		page->last_row = query_integer(query, 0);
		event_read(item, size, take_event, &reading);
		if (reading.events != 1)
			continue; /* not an event on its own: rejected as before */
		crossing.event = reading.event;
		crossing.dpu_id = g_string_chunk_insert_const(page->ids, query_text(query, 1));
		g_array_append_val(page->crossings, crossing);
		g_array_append_val(page->rows, page->last_row);
	}
}

static void settle_row(struct store *store, int64_t row, const struct crossing *crossing)
{
	bool rejected = crossing->outcome == CROSSING_REJECTED;
	struct query *query =
		store_query(store, rejected ? SQL_REJECTED_SET_REASON : SQL_REJECTED_REMOVE_ROW);

	query_bind_integer(query, 1, row);
	if (rejected)
		query_bind_text(query, 2, reason_name(crossing->reason));
	query_run(query);
}

static void settle_page(struct store *store, const struct page *page, struct rejected_tally *tally)
{
	for (guint i = 0; i < page->crossings->len; i++) {
		const struct crossing *crossing =
			&g_array_index(page->crossings, struct crossing, i);

		settle_row(store, g_array_index(page->rows, int64_t, i), crossing);
		tally->stored += crossing->outcome == CROSSING_STORED;
		tally->duplicates += crossing->outcome == CROSSING_DUPLICATE;
		tally->rejected += crossing->outcome == CROSSING_REJECTED;
	}
	tally->rejected += page->read - page->crossings->len;
}

static struct rejected_tally replay(struct store *store, enum sql pages,
				    const struct rejected_filter *filter, instant now,
				    int64_t max_clock_skew_ms)
{
	struct rejected_tally tally = {0};
	struct page page = {
		.latest = now + max_clock_skew_ms,
		.crossings = g_array_new(FALSE, FALSE, sizeof(struct crossing)),
		.rows = g_array_new(FALSE, FALSE, sizeof(int64_t)),
		.ids = g_string_chunk_new(1024),
	};

	do {
		g_array_set_size(page.crossings, 0);
		g_array_set_size(page.rows, 0);
		g_string_chunk_clear(page.ids);
		read_page(store, pages, filter, &page);
		crossing_store(store, (struct crossing *)(void *)page.crossings->data,
			       page.crossings->len);
		settle_page(store, &page, &tally);
	} while (page.read == REPLAY_ROWS);
	g_array_unref(page.crossings);
	g_array_unref(page.rows);
	g_string_chunk_free(page.ids);
	return tally;
}

struct rejected_tally rejected_replay(struct store *store, const struct rejected_filter *filter,
				      instant now, int64_t max_clock_skew_ms)
{
	return replay(store, SQL_REJECTED_PAGE, filter, now, max_clock_skew_ms);
}

struct rejected_tally rejected_replay_dpu(struct store *store, const char *dpu_id, instant now,
					  int64_t max_clock_skew_ms)
{
	struct rejected_filter filter = {.reason = "", .dpu_id = dpu_id};

	return replay(store, SQL_REJECTED_OF_DPU_PAGE, &filter, now, max_clock_skew_ms);
}
