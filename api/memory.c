#include "memory.h"

#include <string.h>

#define SPACES 4096 /* each a few hundred bytes */
#define PASTS 8192  /* each less than a hundred */
#define SPACE_AGE_MOST INSTANT_SECOND

struct known_space {
	int64_t version; /* of the store; 0: nothing is known */
	instant read_at;
	struct space_state state;
	GString *surroundings; /* as all may see them; NULL: not asked for yet */
};

struct known_past {
	int64_t space; /* 0: nothing is known */
	instant when;
	struct history_point point;
};

/* What is looked for can stand at one place only, and whatever else belongs there takes it over. */
struct memory {
	struct known_space spaces[SPACES];
	struct known_past pasts[PASTS];
};

static void *new_memory(void)
{
	return g_new0(struct memory, 1);
}

static void free_memory(void *data)
{
	struct memory *memory = data;

	for (size_t i = 0; i < SPACES; i++) {
		if (memory->spaces[i].surroundings != NULL)
			g_string_free(memory->spaces[i].surroundings, TRUE);
	}
	g_free(memory);
}

static struct known_space *place_of_space(struct store *store, const char *id)
{
	struct memory *memory = store_cache(store, new_memory, free_memory);

	return &memory->spaces[g_str_hash(id) % SPACES];
}

enum result memory_find_space(struct store *store, const char *id, instant now,
			      struct space_state *ret_state)
{
	struct known_space *known = place_of_space(store, id);
	int64_t version = store_version(store);
	enum result result = RESULT_OK;

	if (known->version != version || now - known->read_at > SPACE_AGE_MOST ||
	    now < known->read_at || strcmp(known->state.id, id) != 0) {
		result = space_find(store, id, now, &known->state);
		known->version = result == RESULT_OK ? version : 0;
		known->read_at = now;
		if (known->surroundings != NULL)
			g_string_free(known->surroundings, TRUE);
		known->surroundings = NULL;
	}
	*ret_state = known->state;
	ret_state->as_of = now;
	return result;
}

void memory_write_space(GString *out, struct store *store, const struct space_state *state,
			const char *const *visible)
{
	struct known_space *known = place_of_space(store, state->id);
	bool is_known = known->version == store_version(store) && known->state.key == state->key;

	if (visible != NULL || !is_known) {
		space_write_whole(out, store, state, visible);
		return;
	}
	if (known->surroundings == NULL) {
		known->surroundings = g_string_new(NULL);
		space_write_surroundings(known->surroundings, store, state->key, NULL);
	}
	space_write(out, state);
	g_string_truncate(out, out->len - 1); /* its end, which comes after the surroundings */
	g_string_append_printf(out, ",%s}", known->surroundings->str);
}

static struct known_past *place_of_past(struct store *store, int64_t space, instant when)
{
	struct memory *memory = store_cache(store, new_memory, free_memory);
	uint64_t mixed = ((uint64_t)when ^ ((uint64_t)space << 40)) * UINT64_C(0x9E3779B97F4A7C15);

	return &memory->pasts[(mixed >> 32) % PASTS];
}

void memory_look_back(struct store *store, struct space_state *state, instant when)
{
	struct known_past *known = place_of_past(store, state->key, when);

	if (known->space == state->key && known->when == when &&
	    known->point.revision == state->point.revision) {
		space_set_past(state, &known->point, when);
		return;
	}
	space_look_back(store, state, when);
	*known = (struct known_past){state->key, when, state->point};
}
