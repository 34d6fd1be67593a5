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

static GArray *read_effects(struct store *store, int64_t doorway, int64_t orientation)
{
	GArray *effects = g_array_new(FALSE, FALSE, sizeof(struct effect));
	struct query *query = store_query(store, SQL_DOORWAY_EFFECTS);

	query_bind_integer(query, 1, doorway);
	while (query_next(query)) {
		struct effect effect = {.space = query_integer(query, 0),
					.sign = query_integer(query, 1) * orientation};
		g_array_append_val(effects, effect);
	}
	return effects;
}

/* The row of INSTALLATION_AT with its effects. */
static struct attribution *read_row(struct store *store, struct query *row)
{
	g_autoptr(GArray) effects =
		read_effects(store, query_integer(row, 1), query_integer(row, 2));
	struct attribution *attribution =
		g_malloc(sizeof *attribution + effects->len * sizeof(struct effect));

	*attribution = (struct attribution){
		.installation = query_integer(row, 0),
		.started_at = query_integer(row, 3),
		.ended_at = query_optional(row, 4),
		.effect_count = effects->len,
	};
	if (attribution->ended_at == INSTANT_NONE)
		attribution->ended_at = INT64_MAX;
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
	attribution = read_row(store, query);
	query_end(query);
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
