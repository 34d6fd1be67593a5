#include "keeper.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "upload.h"

#define STORED_FILTER "dpu/+/stored"

/* After 5 s, a batch taking well below one, then after 10, 20, … up to 320: a gateway that is away for hours shall not find
 * each event a thousand times. */
#define AGAIN_US (INT64_C(5) * G_USEC_PER_SEC)
#define AGAIN_DOUBLED 6
#define RECONNECT_US G_USEC_PER_SEC
#define LOOK_MS INT64_C(100) /* how often to look for what is overdue */

/* Events under way at once; the broker holds 1000 messages for a client, so it drops no confirmation. */
#define WINDOW 512

/* An event, in its place in one of the queues. */
struct kept {
	GList link;
	char *key;
	char *dpu_id;
	struct event event;
	unsigned times; /* sent */
	bool under_way;
	gint64 due_us; /* when it is to be sent again, if it is under way */
};

struct keeper {
	struct session *session;
	GHashTable *kept;          /* key -> struct kept, its owner */
	GQueue waiting, under_way; /* in the order in which they came */
	gint64 reconnect_us;
	bool listens; /* this connection hears what is confirmed */
	struct keeper_tally tally;
};

static gint64 now_us(void)
{
	return g_get_monotonic_time();
}

static void free_kept(gpointer data)
{
	struct kept *kept = data;

	g_free(kept->key);
	g_free(kept->dpu_id);
	g_free(kept);
}

struct keeper *keeper_new(struct session *session)
{
	struct keeper *keeper = g_new0(struct keeper, 1);

	keeper->session = session;
	keeper->kept = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_kept);
	g_queue_init(&keeper->waiting);
	g_queue_init(&keeper->under_way);
	return keeper;
}

void keeper_free(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	g_hash_table_unref(keeper->kept);
	g_free(keeper);
}

/* What identifies an event (DESIGN.md, section 3). */
static char *key_of(const char *dpu_id, const struct event *event)
{
	return g_strdup_printf("%s %" PRId64 " %" PRId64 " %d", dpu_id, event->time, event->seq,
			       event->count);
}

void keeper_add(struct keeper *keeper, const char *dpu_id, const struct event *event)
{
	g_autofree char *key = key_of(dpu_id, event);
	struct kept *kept;

	if (g_hash_table_contains(keeper->kept, key))
		return;
	kept = g_new0(struct kept, 1);
	kept->link.data = kept;
	kept->key = g_steal_pointer(&key);
	kept->dpu_id = g_strdup(dpu_id);
	kept->event = *event;
	g_hash_table_insert(keeper->kept, kept->key, kept);
	g_queue_push_tail_link(&keeper->waiting, &kept->link);
}

/* Confirmations */

static void forget(struct keeper *keeper, struct kept *kept, bool rejected)
{
	g_queue_unlink(kept->under_way ? &keeper->under_way : &keeper->waiting, &kept->link);
	g_hash_table_remove(keeper->kept, kept->key);
	keeper->tally.confirmed++;
	keeper->tally.rejected += rejected;
}

static void take_confirmation(struct keeper *keeper, const char *dpu_id, const struct json *item)
{
	const char *time = json_member_text(item, "dpu_event_time", "");
	struct event event = {
		.seq = json_member_integer(item, "seq", 0),
		.count = (int)json_member_integer(item, "count", 0),
	};
	g_autofree char *key = NULL;
	struct kept *kept;

	if (!instant_parse(time, strlen(time), &event.time))
		return;
	key = key_of(dpu_id, &event);
	kept = g_hash_table_lookup(keeper->kept, key);
	if (kept != NULL)
		forget(keeper, kept, json_member(item, "rejected") != NULL);
}

static void take_stored(void *context, const char *topic, const char *payload, size_t size)
{
	const char *why;
	g_autoptr(Json) items = json_read(payload, size, &why);
	g_auto(GStrv) levels = g_strsplit(topic, "/", 3);

	if (items == NULL || json_kind(items) != JSON_ARRAY || g_strv_length(levels) != 3)
		return;
	for (size_t i = 0; i < json_length(items); i++)
		take_confirmation(context, levels[1], json_item(items, i));
}

/* The connection */

static void put_back(struct keeper *keeper, struct kept *kept)
{
	kept->under_way = false;
	g_queue_push_head_link(&keeper->waiting, &kept->link);
}

/* Who knows what has become of it: all is sent again, in its order. */
static void disconnect(struct keeper *keeper)
{
	GList *link;

	session_disconnect(keeper->session);
	keeper->listens = false;
	keeper->reconnect_us = now_us() + RECONNECT_US;
	while ((link = g_queue_pop_tail_link(&keeper->under_way)) != NULL)
		put_back(keeper, link->data);
}

static bool is_connected(struct keeper *keeper)
{
	struct broker *broker = keeper->session->broker;

	if (broker == NULL && now_us() >= keeper->reconnect_us) {
		broker = session_reconnect(keeper->session);
		keeper->reconnect_us = now_us() + RECONNECT_US;
	}
	if (broker != NULL && !keeper->listens) {
		keeper->listens =
			broker_listen(broker, STORED_FILTER, take_stored, keeper) == RESULT_OK;
		if (!keeper->listens)
			disconnect(keeper);
	}
	return keeper->listens;
}

/* Sending */

static enum result send(struct keeper *keeper, const struct kept *kept)
{
	g_autofree char *topic = g_strdup_printf("dpu/%s/events", kept->dpu_id);
	g_autoptr(GString) payload = g_string_new(NULL);

	upload_write_event(payload, &kept->event);
	return broker_publish(keeper->session->broker, topic, payload->str, payload->len);
}

static void take_back_overdue(struct keeper *keeper)
{
	gint64 now = now_us();
	GList *next;

	for (GList *link = keeper->under_way.head; link != NULL; link = next) {
		struct kept *kept = link->data;

		next = link->next;
		if (kept->due_us > now)
			continue;
		g_queue_unlink(&keeper->under_way, link);
		put_back(keeper, kept);
	}
}

static void note_sent(struct keeper *keeper, struct kept *kept)
{
	kept->due_us = now_us() + (AGAIN_US << MIN(kept->times, AGAIN_DOUBLED));
	kept->under_way = true;
	g_queue_push_tail_link(&keeper->under_way, &kept->link);
	keeper->tally.sent++;
	keeper->tally.again += kept->times > 0;
	kept->times++;
}

static bool send_waiting(struct keeper *keeper)
{
	GList *link;

	take_back_overdue(keeper);
	while (keeper->under_way.length < WINDOW &&
	       (link = g_queue_pop_head_link(&keeper->waiting)) != NULL) {
		note_sent(keeper, link->data);
		if (send(keeper, link->data) != RESULT_OK)
			return false;
	}
	return true;
}

static void rest(int64_t ms, int descriptor)
{
	struct pollfd polled = {.fd = descriptor, .events = POLLIN};

	poll(&polled, 1, (int)ms);
}

void keeper_attend(struct keeper *keeper, int64_t ms, int descriptor)
{
	int64_t look_ms = keeper_kept(keeper) > 0 ? MIN(ms, LOOK_MS) : ms;

	if (!is_connected(keeper))
		rest(look_ms, descriptor);
	else if (!send_waiting(keeper) ||
		 broker_attend(keeper->session->broker, look_ms, descriptor) != RESULT_OK)
		disconnect(keeper);
}

enum result keeper_finish(struct keeper *keeper)
{
	gint64 since_us = now_us();

	while (keeper_kept(keeper) > 0) {
		int64_t before = keeper->tally.confirmed;

		keeper_attend(keeper, LOOK_MS, -1);
		if (keeper->tally.confirmed > before)
			since_us = now_us();
		if (now_us() - since_us > KEEPER_PATIENCE_S * G_USEC_PER_SEC)
			return RESULT_FAILED;
	}
	return RESULT_OK;
}

size_t keeper_kept(const struct keeper *keeper)
{
	return g_hash_table_size(keeper->kept);
}

const struct keeper_tally *keeper_tally(const struct keeper *keeper)
{
	return &keeper->tally;
}
