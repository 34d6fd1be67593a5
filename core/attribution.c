#include "attribution.h"

#include <glib.h>

#define REMEMBERED_MOST 120000 /* 100,000 DPUs and some that were moved; about 200 bytes each */

struct memory {
	GHashTable *newest; /* dpu_id -> struct attribution, the one found last */
	GStringChunk *dpu_ids;
	GPtrArray *all;
};

static void *make_memory(void)
{
	struct memory *memory = g_new(struct memory, 1);

	memory->newest = g_hash_table_new(g_str_hash, g_str_equal);
	memory->dpu_ids = g_string_chunk_new(4096);
	memory->all = g_ptr_array_new_with_free_func(g_free);
	return memory;
}

static void free_memory(void *data)
{
	struct memory *memory = data;

	g_hash_table_unref(memory->newest);
	g_string_chunk_free(memory->dpu_ids);
	g_ptr_array_unref(memory->all);
	g_free(memory);
}

static struct memory *remembered(struct store *store)
{
	return store_cache(store, make_memory, free_memory);
}

void attribution_forget(struct store *store)
{
	struct memory *memory = remembered(store);

	g_hash_table_remove_all(memory->newest);
	g_string_chunk_clear(memory->dpu_ids);
	g_ptr_array_set_size(memory->all, 0);
}

void attribution_tidy(struct store *store)
{
	if (remembered(store)->all->len > REMEMBERED_MOST)
		attribution_forget(store);
}

/* The rows of INSTALLATION_AT from the one in hand on, which all are of one installation. */
static struct attribution *read_rows(struct query *row)
{
	g_autoptr(GArray) effects = g_array_new(FALSE, FALSE, sizeof(struct effect));
	instant ended_at = query_optional(row, 2);
	struct attribution found = {
		.installation = query_integer(row, 0),
		.started_at = query_integer(row, 1),
		.ended_at = ended_at != INSTANT_NONE ? ended_at : INT64_MAX,
	};
	struct attribution *attribution;

	do {
		struct effect effect = {query_optional(row, 3), query_integer(row, 4)};

		if (effect.space != INT64_MIN)
			g_array_append_val(effects, effect);
	} while (query_next(row));
	found.effect_count = effects->len;
	attribution = g_malloc(sizeof found + effects->len * sizeof(struct effect));
	*attribution = found;
	for (guint i = 0; i < effects->len; i++)
		attribution->effects[i] = g_array_index(effects, struct effect, i);
	return attribution;
}

static const struct attribution *look_up(struct store *store, const char *dpu_id, instant when,
					 enum reason *reterr_reason)
{
	struct memory *memory = remembered(store);
	struct query *query = store_query(store, SQL_INSTALLATION_AT);
	struct attribution *attribution;

	query_bind_text(query, 1, dpu_id);
	query_bind_integer(query, 2, when);
	*reterr_reason = REASON_UNKNOWN_DPU;
	if (!query_next(query))
		return NULL;
	*reterr_reason = REASON_NO_INSTALLATION;
	if (query_optional(query, 0) == INT64_MIN) {
		query_end(query);
		return NULL;
	}
	attribution = read_rows(query);
	attribution->other = g_hash_table_lookup(memory->newest, dpu_id);
	g_hash_table_insert(memory->newest, g_string_chunk_insert_const(memory->dpu_ids, dpu_id),
			    attribution);
	g_ptr_array_add(memory->all, attribution);
	return attribution;
}

const struct attribution *attribution_find(struct store *store, const char *dpu_id, instant when,
					   enum reason *reterr_reason)
{
	const struct attribution *attribution =
		g_hash_table_lookup(remembered(store)->newest, dpu_id);

	for (; attribution != NULL; attribution = attribution->other) {
		if (attribution->started_at <= when && when < attribution->ended_at)
			return attribution;
	}
	return look_up(store, dpu_id, when, reterr_reason);
}

bool attribution_holds(struct store *store)
{
	struct query *query = store_query(store, SQL_INSTALLATION_COUNT_OF_NONE);
	bool missing = query_next(query);

	query_end(query);
	return !missing && !store_failed(store) && store_references_hold(store);
}
