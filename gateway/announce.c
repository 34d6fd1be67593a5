#include "announce.h"

#include <glib.h>
#include <string.h>

#include "discovery.h"
#include "space.h"

/* Rows looked at in one go, some 5 ms: most of them changed in nothing but their count. */
#define ROWS 200

#define CONFIGURATION_BYTES 8192 /* none of ours is longer */

/* A space as Home Assistant knows it. */
struct told {
	unsigned round; /* of saying all */
	int64_t capacity;
	char *name;
};

struct announce {
	const struct config *config;
	struct store *store;
	struct broker *broker;
	char *status_topic;
	GHashTable *told; /* space id -> struct told */
	GHashTable
		*stray; /* ids of spaces of which the broker has a configuration, wanted or not */
	unsigned round;
	int64_t said;   /* the revision up to which the spaces are told */
	bool done;      /* nothing was committed since the last look */
	int64_t due_ms; /* of the next look, if it isn't done */
	int64_t now_ms; /* of the call under way */
	size_t room;    /* messages that it may still publish */
	GString *text;
};

static void free_told(gpointer data)
{
	struct told *told = data;

	g_free(told->name);
	g_free(told);
}

struct announce *announce_new(const struct config *config, struct store *store,
			      struct broker *broker)
{
	struct announce *announce = g_new0(struct announce, 1);

	announce->config = config;
	announce->store = store;
	announce->broker = broker;
	announce->status_topic = g_strdup_printf("gateway/%s/status", config->client_id);
	announce->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_told);
	announce->stray = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	announce->text = g_string_new(NULL);
	announce->done = !config->home_assistant;
	return announce;
}

void announce_free(struct announce *announce)
{
	if (announce == NULL)
		return;
	g_free(announce->status_topic);
	g_hash_table_destroy(announce->told);
	g_hash_table_destroy(announce->stray);
	g_string_free(announce->text, TRUE);
	g_free(announce);
}

void announce_changed(struct announce *announce)
{
	announce->done = !announce->config->home_assistant;
}

static void begin_round(struct announce *announce, int64_t due_ms)
{
	if (!announce->config->home_assistant)
		return;
	announce->round++;
	announce->said = 0;
	announce->done = false;
	announce->due_ms = due_ms;
}

void announce_all(struct announce *announce, int64_t now_ms)
{
	begin_round(announce, now_ms);
}

void announce_birth(struct announce *announce, const char *payload, size_t size, int64_t now_ms)
{
	if (size == strlen("online") && memcmp(payload, "online", size) == 0)
		begin_round(announce, now_ms + g_random_int_range(ANNOUNCE_DELAY_MIN_MS,
								  ANNOUNCE_DELAY_MAX_MS + 1));
}

void announce_retained(struct announce *announce, const char *topic, const char *payload,
		       size_t size)
{
	char id[JSON_ID_SIZE];

	if (size <= CONFIGURATION_BYTES &&
	    discovery_topic_space(topic, announce->config->home_assistant_prefix, id) &&
	    discovery_is_of(payload, size, announce->status_topic))
		g_hash_table_add(announce->stray, g_strdup(id));
}

/* Saying */

static void say(struct announce *announce, const char *id)
{
	g_autofree char *topic = discovery_topic(announce->config->home_assistant_prefix, id);

	broker_publish(announce->broker, &(struct publication){.topic = topic,
							       .payload = announce->text->str,
							       .size = announce->text->len,
							       .retain = true});
	announce->room--;
	g_string_truncate(announce->text, 0);
}

static void say_form(struct announce *announce, const struct space_state *state,
		     enum discovery_form form)
{
	discovery_write(announce->text, state, announce->status_topic, form);
	say(announce, state->id);
}

/* Of a space that was told of before this program began, nobody knows whether it had a capacity. */
static bool may_have_had_capacity(const struct told *told)
{
	return told == NULL || told->capacity != INT64_MIN;
}

static void say_space(struct announce *announce, const struct space_state *state)
{
	struct told *told = g_hash_table_lookup(announce->told, state->id);

	if (state->capacity == INT64_MIN && may_have_had_capacity(told))
		say_form(announce, state, DISCOVERY_REMOVING);
	say_form(announce, state, DISCOVERY_USUAL);
	told = g_new0(struct told, 1);
	told->round = announce->round;
	told->capacity = state->capacity;
	told->name = g_strdup(state->name);
	g_hash_table_replace(announce->told, g_strdup(state->id), told);
}

static void take_back(struct announce *announce, const char *id)
{
	say(announce, id);
	g_hash_table_remove(announce->told, id);
}

static bool is_told(const struct announce *announce, const struct space_state *state)
{
	const struct told *told = g_hash_table_lookup(announce->told, state->id);

	if (state->removed)
		return told == NULL;
	return told != NULL && told->round == announce->round &&
	       told->capacity == state->capacity && strcmp(told->name, state->name) == 0;
}

/* Looking */

struct walk {
	struct announce *announce;
	size_t rows;
	bool full; /* the rest is for the next slice */
};

static void walk_found(void *context, const struct space_state *state)
{
	struct walk *walk = context;
	struct announce *announce = walk->announce;

	walk->rows++;
	if (!is_told(announce, state)) {
		walk->full = walk->full || announce->room < 2; /* a space takes up to two */
		if (walk->full)
			return;
		if (state->removed)
			take_back(announce, state->id);
		else
			say_space(announce, state);
	}
	if (!walk->full)
		announce->said = state->point.revision;
}

static void look_for_changes(struct announce *announce)
{
	struct walk walk = {.announce = announce};

	space_changed_since(announce->store, announce->said, ROWS, instant_now(), walk_found,
			    &walk);
	announce->done = !walk.full && walk.rows < ROWS;
	announce->due_ms =
		announce->now_ms + (announce->done ? ANNOUNCE_CHANGES_MS : ANNOUNCE_PAUSE_MS);
}

/* Does it go on having a configuration? */
static bool is_wanted(const struct announce *announce, const char *id)
{
	struct space_state state;

	return announce->config->home_assistant &&
	       space_find(announce->store, id, instant_now(), &state) == RESULT_OK;
}

static void judge_strays(struct announce *announce)
{
	GHashTableIter each;
	gpointer id;
	size_t rows = 0;

	g_hash_table_iter_init(&each, announce->stray);
	while (announce->room > 0 && rows++ < ROWS && g_hash_table_iter_next(&each, &id, NULL)) {
		bool wanted = is_wanted(announce, id);

		if (store_failed(announce->store))
			return;
		if (!wanted)
			take_back(announce, id);
		g_hash_table_iter_remove(&each);
	}
}

static enum result work(struct store *store, void *context)
{
	struct announce *announce = context;

	(void)store;
	judge_strays(announce);
	if (!announce->done && announce->due_ms <= announce->now_ms)
		look_for_changes(announce);
	return RESULT_OK;
}

enum result announce_due(struct announce *announce, int64_t now_ms)
{
	if (announce_next_ms(announce) > now_ms)
		return RESULT_OK;
	announce->now_ms = now_ms;
	announce->room = MIN(broker_room(announce->broker), ANNOUNCE_SLICE);
	return store_transaction(announce->store, work, announce);
}

int64_t announce_next_ms(const struct announce *announce)
{
	if (broker_room(announce->broker) < 2)
		return ANNOUNCE_IDLE;
	if (g_hash_table_size(announce->stray) > 0)
		return 0;
	return announce->done ? ANNOUNCE_IDLE : announce->due_ms;
}
