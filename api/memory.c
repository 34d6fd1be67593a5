#include "memory.h"

#include <string.h>

#define PARTS 64          /* each with a lock of its own, so that threads hardly ever meet */
#define PASTS_SHARE 8     /* one byte in so many is for counts at an instant */
#define OVERHEAD_BYTES 64 /* of an entry in the hash table, and of two blocks of memory */

struct known_space {
	GList link; /* in part->queue */
	bool used;  /* since it last came to the queue's head */
	uint64_t file;
	struct space_state state;
	int64_t checked; /* the number of the last change in the database, when this was still so */
	char *frame;     /* of space_write_frame; NULL: not asked for yet */
	size_t frame_size, frame_place;
};

struct known_past {
	uint64_t file;
	int64_t space; /* 0: nothing is known */
	instant when;
	struct history_point point;
};

struct part {
	GMutex mutex;
	GHashTable *spaces;       /* of struct known_space by state.id */
	GQueue queue;             /* the same; what is at the tail goes, unless it was used */
	size_t bytes, most_bytes; /* of spaces */
	/* What is looked for can stand at one place only, and whatever else belongs there takes it over. */
	struct known_past *pasts;
	size_t past_count;
};

struct memory {
	struct part parts[PARTS];
};

/* The last change in the database, as one reader knows it. */
struct view {
	int64_t version; /* of the store */
	int64_t revision;
};

static void *new_view(void)
{
	return g_new0(struct view, 1);
}

static void free_view(void *view)
{
	g_free(view);
}

static int64_t last_revision(struct store *store)
{
	struct view *view = store_cache(store, new_view, free_view);

	if (view->version != store_version(store)) {
		view->revision = space_last_revision(store);
		view->version = store_version(store);
	}
	return view->revision;
}

/* Spaces */

static void free_space(void *data)
{
	struct known_space *known = data;

	g_free(known->frame);
	g_free(known);
}

struct memory *memory_new(size_t bytes)
{
	struct memory *memory = g_new0(struct memory, 1);
	size_t part_bytes = (bytes - sizeof *memory) / PARTS;

	for (size_t i = 0; i < PARTS; i++) {
		struct part *part = &memory->parts[i];

		g_mutex_init(&part->mutex);
		part->spaces = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_space);
		part->past_count = part_bytes / PASTS_SHARE / sizeof(struct known_past);
		part->pasts = g_new0(struct known_past, part->past_count);
		part->most_bytes = part_bytes - part->past_count * sizeof(struct known_past);
	}
	return memory;
}

void memory_free(struct memory *memory)
{
	if (memory == NULL)
		return;
	for (size_t i = 0; i < PARTS; i++) {
		g_hash_table_destroy(memory->parts[i].spaces);
		g_free(memory->parts[i].pasts);
		g_mutex_clear(&memory->parts[i].mutex);
	}
	g_free(memory);
}

size_t memory_bytes(struct memory *memory)
{
	size_t bytes = sizeof *memory;

	for (size_t i = 0; i < PARTS; i++) {
		struct part *part = &memory->parts[i];

		g_mutex_lock(&part->mutex);
		bytes += part->bytes + part->past_count * sizeof(struct known_past);
		g_mutex_unlock(&part->mutex);
	}
	return bytes;
}

static struct part *part_of(struct memory *memory, const char *id)
{
	return &memory->parts[g_str_hash(id) % PARTS];
}

static size_t bytes_of(const struct known_space *known)
{
	return sizeof *known + known->frame_size + OVERHEAD_BYTES;
}

static void forget(struct part *part, struct known_space *known)
{
	part->bytes -= bytes_of(known);
	g_queue_unlink(&part->queue, &known->link);
	g_hash_table_remove(part->spaces, known->state.id);
}

/* A second chance for what was used: as good as the order of use, and a question moves nothing. */
static void make_room(struct part *part)
{
	while (part->bytes > part->most_bytes) {
		struct known_space *last = part->queue.tail->data;

		if (last->used) {
			g_queue_unlink(&part->queue, &last->link);
			g_queue_push_head_link(&part->queue, &last->link);
			last->used = false;
		} else {
			forget(part, last);
		}
	}
}

/* With this revision, any if it is 0; NULL if it is not known. */
static struct known_space *find(struct part *part, struct store *store, const char *id,
				int64_t revision)
{
	struct known_space *known = g_hash_table_lookup(part->spaces, id);

	if (known == NULL || known->file != store_file(store) ||
	    (revision != 0 && known->state.point.revision != revision))
		return NULL;
	return known;
}

/* By the clock, whatever the revision says. */
static bool is_outdated(const struct space_state *state, instant now)
{
	return now < state->as_of ||
	       (state->health_until != INSTANT_NONE && now >= state->health_until);
}

static bool recall(struct part *part, struct store *store, const char *id, instant now,
		   struct space_state *ret_state, int64_t *ret_checked)
{
	struct known_space *known;

	g_mutex_lock(&part->mutex);
	known = find(part, store, id, 0);
	if (known != NULL && is_outdated(&known->state, now))
		known = NULL;
	if (known != NULL) {
		*ret_state = known->state;
		*ret_checked = known->checked;
		known->used = true;
	}
	g_mutex_unlock(&part->mutex);
	return known != NULL;
}

/* Readers may see the database as it was before what others see already: the newest counts. */
static void keep_checked(struct part *part, struct store *store, const struct space_state *state,
			 int64_t checked)
{
	struct known_space *known;

	g_mutex_lock(&part->mutex);
	known = find(part, store, state->id, state->point.revision);
	if (known != NULL)
		known->checked = MAX(known->checked, checked);
	g_mutex_unlock(&part->mutex);
}

static void keep_space(struct part *part, struct store *store, const struct space_state *state,
		       int64_t checked)
{
	struct known_space *known;

	g_mutex_lock(&part->mutex);
	known = g_hash_table_lookup(part->spaces, state->id);
	if (known != NULL)
		forget(part, known);
	known = g_new0(struct known_space, 1);
	known->link.data = known;
	known->file = store_file(store);
	known->state = *state;
	known->checked = checked;
	g_hash_table_insert(part->spaces, known->state.id, known);
	g_queue_push_head_link(&part->queue, &known->link);
	part->bytes += bytes_of(known);
	make_room(part);
	g_mutex_unlock(&part->mutex);
}

enum result memory_find_space(struct memory *memory, struct store *store, const char *id,
			      instant now, struct space_state *ret_state)
{
	struct part *part = part_of(memory, id);
	int64_t revision = last_revision(store), checked;
	enum result result;

	if (recall(part, store, id, now, ret_state, &checked)) {
		ret_state->as_of = now;
		if (checked == revision)
			return RESULT_OK;
		if (space_revision(store, id) == ret_state->point.revision) {
			keep_checked(part, store, ret_state, revision);
			return RESULT_OK;
		}
	}
	result = space_find(store, id, now, ret_state);
	if (result == RESULT_OK && !store_failed(store))
		keep_space(part, store, ret_state, revision);
	return result;
}

/* What all see of them */

static bool write_known(GString *out, struct part *part, struct store *store,
			const struct space_state *state)
{
	struct known_space *known;

	g_mutex_lock(&part->mutex);
	known = find(part, store, state->id, state->point.revision);
	if (known != NULL && known->frame != NULL)
		space_write_framed(out, known->frame, known->frame_size, known->frame_place, state);
	else
		known = NULL;
	g_mutex_unlock(&part->mutex);
	return known != NULL;
}

/* Takes the frame over. */
static void keep_frame(struct part *part, struct store *store, const struct space_state *state,
		       GString *frame, size_t place)
{
	struct known_space *known;

	g_mutex_lock(&part->mutex);
	known = find(part, store, state->id, state->point.revision);
	if (known != NULL && known->frame == NULL && !store_failed(store)) {
		known->frame_size = frame->len;
		known->frame_place = place;
		known->frame = g_memdup2(frame->str, frame->len);
		part->bytes += frame->len;
		make_room(part);
	}
	g_mutex_unlock(&part->mutex);
}

void memory_write_space(GString *out, struct memory *memory, struct store *store,
			const struct space_state *state, const char *const *visible)
{
	struct part *part = part_of(memory, state->id);
	g_autoptr(GString) frame = NULL;
	size_t place;

	if (visible != NULL) {
		space_write_whole(out, store, state, visible);
		return;
	}
	if (write_known(out, part, store, state))
		return;
	frame = g_string_new(NULL);
	place = space_write_frame(frame, store, state);
	space_write_framed(out, frame->str, frame->len, place, state);
	keep_frame(part, store, state, frame, place);
}

/* Instants */

static struct known_past *place_of_past(struct part *part, int64_t space, instant when)
{
	uint64_t mixed = ((uint64_t)when ^ ((uint64_t)space << 40)) * UINT64_C(0x9E3779B97F4A7C15);

	return &part->pasts[(mixed >> 32) % part->past_count];
}

static bool recall_past(struct part *part, struct store *store, struct space_state *state,
			instant when)
{
	struct known_past *known = place_of_past(part, state->key, when);
	bool found;

	g_mutex_lock(&part->mutex);
	found = known->file == store_file(store) && known->space == state->key &&
		known->when == when && known->point.revision == state->point.revision;
	if (found)
		space_set_past(state, &known->point);
	g_mutex_unlock(&part->mutex);
	return found;
}

bool memory_look_back(struct memory *memory, struct store *store, struct space_state *state,
		      instant when)
{
	struct part *part = part_of(memory, state->id);
	struct known_past *known = place_of_past(part, state->key, when);

	if (recall_past(part, store, state, when))
		return true;
	if (store_is_glancing(store))
		return false;
	space_look_back(store, state, when);
	if (store_failed(store))
		return true;
	g_mutex_lock(&part->mutex);
	*known = (struct known_past){store_file(store), state->key, when, state->point};
	g_mutex_unlock(&part->mutex);
	return true;
}
