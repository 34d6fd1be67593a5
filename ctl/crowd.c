#include "crowd.h"

#include <string.h>

#include "list.h"

/* At half of it as many go as come. */
#define PEOPLE_MOST INT64_C(24)

#define TRIES_MOST 1000 /* to find a doorway that somebody can go through */

#define OUTSIDE 0 /* always somebody there */

struct room {
	int64_t count;  /* when we began, with those in the spaces inside it */
	int64_t people; /* now, without them */
};

/* A DPU's doorway. */
struct gate {
	char *dpu_id;
	guint space, adjacent; /* numbers of spaces */
	int orientation;
};

/* A doorway of the registry. */
struct doorway {
	guint space, adjacent;
};

struct crowd {
	GHashTable *numbers;  /* space id -> its number, from 1 */
	GArray *rooms;        /* struct room; that of OUTSIDE means nothing */
	GHashTable *doorways; /* doorway id -> struct doorway */
	GArray *gates;
	crowd_choice *chosen;
	int64_t most;
	instant now;
};

static void clear_gate(gpointer gate)
{
	g_free(((struct gate *)gate)->dpu_id);
}

static instant time_of(const struct json *object, const char *name, instant otherwise)
{
	const char *value = json_member_text(object, name, NULL);
	instant when = otherwise;

	if (value != NULL)
		(void)!instant_parse(value, strlen(value), &when);
	return when;
}

/* 0, the outside, for no space at all. */
static guint space_number(const struct crowd *crowd, const char *id)
{
	return id != NULL ? GPOINTER_TO_UINT(g_hash_table_lookup(crowd->numbers, id)) : OUTSIDE;
}

static struct room *room(const struct crowd *crowd, guint space)
{
	return &g_array_index(crowd->rooms, struct room, space);
}

static void add_space(void *context, const struct json *state)
{
	struct crowd *crowd = context;
	int64_t count = json_member_integer(state, "count", 0);
	struct room added = {count, count};

	g_hash_table_insert(crowd->numbers, g_strdup(json_member_text(state, "id", NULL)),
			    GUINT_TO_POINTER(crowd->rooms->len));
	g_array_append_val(crowd->rooms, added);
}

/* Who is in a space is in its parent too, but can't leave that from there. */
static void take_from_parent(void *context, const struct json *space)
{
	struct crowd *crowd = context;
	guint parent = space_number(crowd, json_member_text(space, "parent", NULL));

	room(crowd, parent)->people -=
		room(crowd, space_number(crowd, json_member_text(space, "id", NULL)))->count;
}

static void add_doorway(void *context, const struct json *json)
{
	struct crowd *crowd = context;
	struct doorway *doorway = g_new0(struct doorway, 1);

	doorway->space = space_number(crowd, json_member_text(json, "space", NULL));
	doorway->adjacent = space_number(crowd, json_member_text(json, "adjacent_space", NULL));
	g_hash_table_insert(crowd->doorways, g_strdup(json_member_text(json, "id", NULL)), doorway);
}

static void add_installation(void *context, const struct json *installation)
{
	struct crowd *crowd = context;
	const char *dpu_id = json_member_text(installation, "dpu", NULL);
	const struct doorway *doorway = g_hash_table_lookup(
		crowd->doorways, json_member_text(installation, "doorway", NULL));
	struct gate gate;

	if (doorway == NULL || !crowd->chosen(dpu_id, crowd->most) ||
	    time_of(installation, "started_at", INSTANT_LAST) > crowd->now ||
	    time_of(installation, "ended_at", INSTANT_LAST) <= crowd->now)
		return;
	gate = (struct gate){
		.dpu_id = g_strdup(dpu_id),
		.space = doorway->space,
		.adjacent = doorway->adjacent,
		.orientation = (int)json_member_integer(installation, "orientation", 0),
	};
	g_array_append_val(crowd->gates, gate);
}

struct crowd *crowd_new(struct session *session, crowd_choice *chosen, int64_t most)
{
	struct crowd *crowd = g_new0(struct crowd, 1);
	struct room outside = {0};
	const struct listing_page all = {.after = "", .as_of = instant_now()};
	char next[JSON_ID_SIZE];

	crowd->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	crowd->rooms = g_array_new(FALSE, FALSE, sizeof(struct room));
	g_array_append_val(crowd->rooms, outside);
	crowd->doorways = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	crowd->gates = g_array_new(FALSE, FALSE, sizeof(struct gate));
	g_array_set_clear_func(crowd->gates, clear_gate);
	crowd->chosen = chosen;
	crowd->most = most;
	crowd->now = all.as_of;
	if (list_each(session, LISTING_SPACE_STATES, &all, add_space, crowd, next) &&
	    list_each(session, LISTING_SPACES, &all, take_from_parent, crowd, next) &&
	    list_each(session, LISTING_DOORWAYS, &all, add_doorway, crowd, next) &&
	    list_each(session, LISTING_INSTALLATIONS, &all, add_installation, crowd, next))
		return crowd;
	crowd_free(crowd);
	return NULL;
}

void crowd_free(struct crowd *crowd)
{
	if (crowd == NULL)
		return;
	g_hash_table_unref(crowd->numbers);
	g_array_unref(crowd->rooms);
	g_hash_table_unref(crowd->doorways);
	g_array_unref(crowd->gates);
	g_free(crowd);
}

size_t crowd_dpus(const struct crowd *crowd)
{
	return crowd->gates->len;
}

static bool can_leave(const struct crowd *crowd, guint space)
{
	return space == OUTSIDE || room(crowd, space)->people > 0;
}

/* Into the space rather than out of it, the emptier it is. */
static bool choose_inward(const struct crowd *crowd, const struct gate *gate, GRand *dice)
{
	int64_t people = MAX(room(crowd, gate->space)->people, 0);
	bool inward = g_rand_int_range(dice, 0, PEOPLE_MOST) >= MIN(people, PEOPLE_MOST);

	return can_leave(crowd, inward ? gate->adjacent : gate->space) ? inward : !inward;
}

static const struct gate *choose_gate(const struct crowd *crowd, GRand *dice)
{
	return &g_array_index(crowd->gates, struct gate,
			      g_rand_int_range(dice, 0, (gint32)crowd->gates->len));
}

struct crowd_crossing crowd_step(struct crowd *crowd, GRand *dice)
{
	const struct gate *gate = choose_gate(crowd, dice);
	bool inward = choose_inward(crowd, gate, dice);

	/* With inner doors only, and nobody inside, the last try stands: somebody was missed before. */
	for (int tries = 0; tries < TRIES_MOST; tries++) {
		if (can_leave(crowd, inward ? gate->adjacent : gate->space))
			break;
		gate = choose_gate(crowd, dice);
		inward = choose_inward(crowd, gate, dice);
	}
	room(crowd, inward ? gate->adjacent : gate->space)->people--;
	room(crowd, inward ? gate->space : gate->adjacent)->people++;
	return (struct crowd_crossing){gate->dpu_id,
				       inward ? gate->orientation : -gate->orientation};
}
