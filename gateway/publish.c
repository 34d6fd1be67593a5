#include "publish.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "space.h"

#define TOPIC_SIZE (sizeof "space//count" + JSON_ID_SIZE)
#define TOPICS_PER_SPACE 2

/* Said in one go, some 0.1 ms: the broker can pass these on while the next ones are being written. */
#define SLICE_SPACES 8

/* A space that was published less than an interval ago. */
struct recent {
	char id[JSON_ID_SIZE];
	int64_t until_ms; /* monotonic */
	bool changed;     /* it is to be published again at the end */
};

/* Revisions that are to be said: those after `said`, up to `last`. */
struct course {
	int64_t said, last;
};

struct publish {
	struct store *store;
	struct broker *broker;
	int64_t interval_ms;
	int64_t now_ms; /* of the call under way */
	size_t slice;   /* how many spaces it may still say */

	struct course live;  /* changes as they come */
	struct course again; /* what a new connection may have missed */
	bool live_done;      /* nothing was committed since the last look */
	GQueue recent;       /* of struct recent, the oldest first */
	GHashTable *recent_by_id;
	size_t recent_changed;
	GString *text;
	int64_t spaces;
};

struct publish *publish_new(struct store *store, struct broker *broker, int64_t interval_ms)
{
	struct publish *publish = g_new0(struct publish, 1);
	int64_t revision = space_last_revision(store);

	publish->store = store;
	publish->broker = broker;
	publish->interval_ms = interval_ms;
	publish->live = (struct course){.said = revision, .last = INT64_MAX};
	publish->again = (struct course){.said = 0, .last = revision};
	g_queue_init(&publish->recent);
	publish->recent_by_id = g_hash_table_new(g_str_hash, g_str_equal);
	publish->text = g_string_new(NULL);
	return publish;
}

void publish_free(struct publish *publish)
{
	if (publish == NULL)
		return;
	g_hash_table_destroy(publish->recent_by_id);
	g_queue_clear_full(&publish->recent, g_free);
	g_string_free(publish->text, TRUE);
	g_free(publish);
}

void publish_changed(struct publish *publish)
{
	publish->live_done = false;
}

void publish_all(struct publish *publish)
{
	publish->again = (struct course){.said = 0, .last = publish->live.said};
}

static bool broker_is_full(const struct publish *publish)
{
	return broker_room(publish->broker) < TOPICS_PER_SPACE;
}

static size_t room(const struct publish *publish)
{
	return MIN(broker_room(publish->broker) / TOPICS_PER_SPACE, publish->slice);
}

/* One space */

static void say(struct publish *publish, const char *id, const char *what, const char *text,
		size_t size)
{
	char topic[TOPIC_SIZE];

	snprintf(topic, sizeof topic, "space/%s/%s", id, what);
	broker_publish(publish->broker,
		       &(struct publication){
			       .topic = topic, .payload = text, .size = size, .retain = true});
}

/* An empty payload removes a retained message from the broker. */
static void say_space(struct publish *publish, const struct space_state *state)
{
	GString *text = publish->text;

	g_string_truncate(text, 0);
	if (!state->removed)
		g_string_printf(text, "%" PRId64, state->point.occupancy.count);
	say(publish, state->id, "count", text->str, text->len);
	g_string_truncate(text, 0);
	if (!state->removed)
		space_write_whole(text, publish->store, state, NULL);
	say(publish, state->id, "state", text->str, text->len);
	publish->spaces++;
	publish->slice--;
}

static void begin_interval(struct publish *publish, struct recent *recent)
{
	recent->until_ms = publish->now_ms + publish->interval_ms;
	recent->changed = false;
	g_queue_push_tail(&publish->recent, recent);
}

static void say_or_note(struct publish *publish, const struct space_state *state)
{
	struct recent *recent = g_hash_table_lookup(publish->recent_by_id, state->id);

	if (recent != NULL) {
		publish->recent_changed += !recent->changed;
		recent->changed = true;
		return;
	}
	say_space(publish, state);
	if (publish->interval_ms == 0)
		return;
	recent = g_new0(struct recent, 1);
	g_strlcpy(recent->id, state->id, sizeof recent->id);
	g_hash_table_insert(publish->recent_by_id, recent->id, recent);
	begin_interval(publish, recent);
}

/* Intervals that have ended */

static void forget(struct publish *publish, struct recent *recent)
{
	g_hash_table_remove(publish->recent_by_id, recent->id);
	g_free(recent);
}

/* Says the space as it is now. False if the database could not be read. */
static bool say_later(struct publish *publish, struct recent *recent)
{
	struct space_state state = {0};
	enum result result = space_find(publish->store, recent->id, instant_now(), &state);

	if (store_failed(publish->store))
		return false;
	if (result != RESULT_OK) {
		g_strlcpy(state.id, recent->id, sizeof state.id);
		state.removed = true;
	}
	say_space(publish, &state);
	publish->recent_changed--;
	return true;
}

static void end_intervals(struct publish *publish)
{
	for (;;) {
		struct recent *oldest = g_queue_peek_head(&publish->recent);
		if (oldest == NULL || oldest->until_ms > publish->now_ms)
			return;
		if (oldest->changed && (room(publish) == 0 || !say_later(publish, oldest)))
			return;
		g_queue_pop_head(&publish->recent);
		if (oldest->changed)
			begin_interval(publish, oldest);
		else
			forget(publish, oldest);
	}
}

/* Revisions */

struct walk {
	struct publish *publish;
	struct course *course;
	size_t found;
};

static void walk_found(void *context, const struct space_state *state)
{
	struct walk *walk = context;

	walk->found++;
	walk->course->said = state->point.revision;
	if (state->point.revision <= walk->course->last)
		say_or_note(walk->publish, state);
}

static bool is_done(const struct course *course)
{
	return course->said >= course->last;
}

/* Says what stands on a course, as far as there is room. True if that was all. */
static bool go(struct publish *publish, struct course *course)
{
	while (!is_done(course)) {
		struct walk walk = {.publish = publish, .course = course};
		size_t most = room(publish);
		if (most == 0)
			return false;
		space_changed_since(publish->store, course->said, (int64_t)most, instant_now(),
				    walk_found, &walk);
		if (walk.found < most)
			return true;
	}
	return true;
}

static enum result work(struct store *store, void *context)
{
	struct publish *publish = context;

	(void)store;
	end_intervals(publish);
	if (!publish->live_done)
		publish->live_done = go(publish, &publish->live);
	if (!is_done(&publish->again) && go(publish, &publish->again))
		publish->again.said = publish->again.last;
	return RESULT_OK;
}

enum result publish_due(struct publish *publish, int64_t now_ms)
{
	publish->now_ms = now_ms;
	publish->slice = SLICE_SPACES;
	if (publish_next_ms(publish) > now_ms)
		return RESULT_OK;
	return store_transaction(publish->store, work, publish);
}

/* When there is more to say than the broker has room for, its next acknowledgement brings us here again. */
int64_t publish_next_ms(const struct publish *publish)
{
	const struct recent *oldest;

	if (broker_is_full(publish))
		return PUBLISH_IDLE;
	if (!publish->live_done || !is_done(&publish->again))
		return 0;
	if (publish->recent_changed == 0)
		return PUBLISH_IDLE;
	oldest = publish->recent.head->data;
	return oldest->until_ms;
}

enum result publish_hurry(struct publish *publish)
{
	const int64_t end_ms = PUBLISH_IDLE - 1 - publish->interval_ms;
	enum result result = RESULT_OK;

	while (result == RESULT_OK && publish_next_ms(publish) <= end_ms)
		result = publish_due(publish, end_ms);
	return result;
}

int64_t publish_spaces(const struct publish *publish)
{
	return publish->spaces;
}
