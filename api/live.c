#include "live.h"

#include <glib.h>
#include <string.h>

#include "feed.h"
#include "http.h"
#include "json.h"
#include "log.h"
#include "news.h"
#include "services.h"
#include "space.h"
#include "store.h"

#define STREAMS 4096     /* at once */
#define SPACES_NAMED 100 /* by one stream */
#define BEAT_S 15        /* a comment after so much silence */
#define LIFE_S 3600      /* then the client begins anew, and its token is looked at again */
#define TURN_MS 50       /* what changes more often is told at this pace */
#define TICK_MS 1000 /* a look at the database at least this often, in case the broker is away */
#define RETRY_MS "3000"

struct live {
	const char *database;
	GThread *thread;
	struct store *store; /* the thread's; NULL until there is a database */
	bool failing;        /* and that was logged */

	GMutex mutex; /* of all that follows */
	GCond cond;
	bool stopping;
	bool changed; /* something may have */
	instant looked;
	int64_t turned_us;

	struct news news;
	GHashTable *streams; /* set of struct stream */
	GQueue hungry; /* those that lag behind the news, in the order in which they said so */
};

struct stream {
	struct live *live;
	struct http_stream *http;
	GHashTable *filter; /* set of ids of spaces; NULL: all spaces. Never changes */
	bool is_present; /* it has been told how its spaces are, and from now on how they change */
	int64_t said;    /* everything up to this revision has been told, or is in `page` */
	GString *page;   /* what is to be sent */
	size_t sent;     /* bytes of it */
	bool idle;       /* there was nothing to send */
	bool hungry;     /* it is in live->hungry */
	bool reading;    /* the thread is reading for it, without the lock */
	bool ended;      /* meanwhile: the thread frees it */
	gint64 last_sent, until; /* monotonic µs */
};

/* Streams, under the lock */

static bool wants(const struct stream *stream, const char *id)
{
	return stream->filter == NULL || g_hash_table_contains(stream->filter, id);
}

static void free_stream(struct stream *stream)
{
	g_string_free(stream->page, TRUE);
	g_clear_pointer(&stream->filter, g_hash_table_unref);
	g_free(stream);
}

static void stream_ended(void *context)
{
	struct stream *stream = context;
	struct live *live = stream->live;
	bool reading;

	g_mutex_lock(&live->mutex);
	g_hash_table_remove(live->streams, stream);
	if (stream->hungry)
		g_queue_remove(&live->hungry, stream);
	reading = stream->reading;
	stream->ended = true;
	g_mutex_unlock(&live->mutex);
	if (!reading)
		free_stream(stream);
}

static void take_news(struct stream *stream)
{
	const struct live *live = stream->live;
	size_t index = news_find(&live->news, stream->said);

	for (int taken = 0; index < live->news.count && taken < FEED_PAGE; index++) {
		const struct news_item *item = news_at(&live->news, index);

		if (wants(stream, item->id)) {
			g_string_append(stream->page, item->event);
			taken++;
		}
		stream->said = item->revision;
	}
	if (index == live->news.count)
		stream->said = live->news.last;
}

/* Gets more to send, if there is more. */
static void refill(struct stream *stream)
{
	struct live *live = stream->live;

	g_string_truncate(stream->page, 0);
	stream->sent = 0;
	if (stream->hungry || stream->reading)
		return;
	/* It followed another database, or one that is lost. */
	if (stream->said > live->news.last) {
		stream->said = 0;
		stream->is_present = false;
	}
	if (stream->is_present && stream->said >= live->news.floor) {
		take_news(stream);
		return;
	}
	stream->hungry = true;
	g_queue_push_tail(&live->hungry, stream);
	g_cond_signal(&live->cond);
}

static size_t send_page(struct stream *stream, char *buffer, size_t size)
{
	size_t ready = MIN(stream->page->len - stream->sent, size);

	memcpy(buffer, stream->page->str + stream->sent, ready);
	stream->sent += ready;
	return ready;
}

static ssize_t stream_more(void *context, char *buffer, size_t size)
{
	struct stream *stream = context;
	size_t sent;

	g_mutex_lock(&stream->live->mutex);
	if (stream->sent == stream->page->len)
		refill(stream);
	sent = send_page(stream, buffer, size);
	stream->idle = sent == 0;
	if (sent > 0)
		stream->last_sent = g_get_monotonic_time();
	g_mutex_unlock(&stream->live->mutex);
	return sent == 0 && g_get_monotonic_time() > stream->until ? -1 : (ssize_t)sent;
}

static bool wants_any(const struct stream *stream, GHashTable *ids)
{
	GHashTableIter each;
	gpointer id;

	if (stream->filter == NULL)
		return true;
	g_hash_table_iter_init(&each, stream->filter);
	while (g_hash_table_iter_next(&each, &id, NULL)) {
		if (g_hash_table_contains(ids, id))
			return true;
	}
	return false;
}

/* Wakes the streams that wait for one of these spaces; the others have heard all that concerns them. */
static void wake_streams(struct live *live, int64_t before, GHashTable *ids)
{
	GHashTableIter each;
	gpointer key;

	g_hash_table_iter_init(&each, live->streams);
	while (g_hash_table_iter_next(&each, &key, NULL)) {
		struct stream *stream = key;

		if (!stream->idle || stream->hungry || stream->reading)
			continue;
		if (stream->said == before && !wants_any(stream, ids))
			stream->said = live->news.last;
		else
			http_stream_wake(stream->http);
	}
}

/* The thread */

static GHashTable *ids_of(const GArray *items)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < items->len; i++)
		g_hash_table_add(ids, g_array_index(items, struct news_item, i).id);
	return ids;
}

static void take_items(struct live *live, struct feed *feed)
{
	g_autoptr(GHashTable) ids = ids_of(feed->items);

	g_mutex_lock(&live->mutex);
	if (feed->restarted)
		news_begin_at(&live->news, feed->last);
	live->news.last = feed->last;
	live->looked = instant_now();
	live->changed |= feed->more;
	for (guint i = 0; i < feed->items->len; i++)
		news_append(&live->news, &g_array_index(feed->items, struct news_item, i));
	if (feed->restarted || feed->items->len > 0)
		wake_streams(live, feed->restarted ? -1 : feed->known, ids);
	g_mutex_unlock(&live->mutex);
}

/* Takes the next stream that lags behind, for reading without the lock; NULL: there is none. */
static struct stream *next_hungry(struct live *live, struct feed *feed)
{
	struct stream *stream;

	g_mutex_lock(&live->mutex);
	stream = g_queue_pop_head(&live->hungry);
	if (stream != NULL) {
		stream->hungry = false;
		stream->reading = true;
		feed_want_page(feed, stream->filter, stream->said);
	}
	g_mutex_unlock(&live->mutex);
	return stream;
}

/* Without a page that was read, the stream looks for itself, and asks again if it must. */
static void give_page(struct live *live, struct stream *stream, const struct feed *feed, bool read)
{
	bool ended;

	g_mutex_lock(&live->mutex);
	ended = stream->ended;
	stream->reading = false;
	if (!ended && read) {
		stream->said = feed->page_last;
		stream->is_present = feed->page_last == feed->last;
		g_string_append_len(stream->page, feed->page->str, (gssize)feed->page->len);
	}
	if (!ended)
		http_stream_wake(stream->http);
	g_mutex_unlock(&live->mutex);
	if (ended)
		free_stream(stream);
}

/* Logs trouble with the database once. */
static bool worked(struct live *live, enum result result, const char *why)
{
	if (result != RESULT_OK && !live->failing)
		log_warning("live: %s; trying again", why);
	live->failing = result != RESULT_OK;
	return result == RESULT_OK;
}

static bool open_store(struct live *live)
{
	struct problem problem = {0};

	if (live->store != NULL && !store_is_replaced(live->store))
		return true;
	g_clear_pointer(&live->store, store_close);
	return worked(live, store_open(live->database, STORE_READER, &live->store, &problem),
		      problem.detail);
}

/* Reads what is new, and a page for a stream if one lags behind. */
static void read_on(struct live *live)
{
	struct feed feed;
	struct stream *stream;
	enum result result;

	feed_begin(&feed, live->news.last);
	stream = next_hungry(live, &feed);
	result = store_transaction(live->store, feed_read, &feed);
	if (worked(live, result, store_error(live->store)))
		take_items(live, &feed);
	if (stream != NULL)
		give_page(live, stream, &feed, result == RESULT_OK);
	feed_end(&feed);
	if (result == RESULT_FAILED) /* perhaps another file is there by now */
		g_clear_pointer(&live->store, store_close);
}

static void send_beats(struct live *live)
{
	gint64 now = g_get_monotonic_time();
	GHashTableIter each;
	gpointer key;

	g_mutex_lock(&live->mutex);
	g_hash_table_iter_init(&each, live->streams);
	while (g_hash_table_iter_next(&each, &key, NULL)) {
		struct stream *stream = key;

		if (!stream->idle || now - stream->last_sent < BEAT_S * G_USEC_PER_SEC)
			continue;
		g_string_append(stream->page, ":\n\n");
		stream->idle = false;
		http_stream_wake(stream->http);
	}
	g_mutex_unlock(&live->mutex);
}

/* Waits for something to do, but for TURN_MS at least if that is only a change. */
static bool wait_for_work(struct live *live, gint64 turned)
{
	gint64 tick = turned + TICK_MS * 1000;
	bool stopping;

	g_mutex_lock(&live->mutex);
	live->turned_us = turned;
	while (!live->stopping && (live->failing || g_queue_is_empty(&live->hungry))) {
		gint64 until = live->changed ? turned + TURN_MS * 1000 : tick;

		if (!g_cond_wait_until(&live->cond, &live->mutex, until))
			break;
	}
	live->changed = false;
	stopping = live->stopping;
	g_mutex_unlock(&live->mutex);
	return !stopping;
}

static void *run(void *data)
{
	struct live *live = data;
	gint64 turned;

	do {
		turned = g_get_monotonic_time();
		if (open_store(live))
			read_on(live);
		send_beats(live);
	} while (wait_for_work(live, turned));
	return NULL;
}

struct live *live_start(const char *database)
{
	struct live *live = g_new0(struct live, 1);

	live->database = database;
	live->looked = INSTANT_NONE;
	live->turned_us = g_get_monotonic_time();
	news_begin_at(&live->news,
		      INT64_MAX); /* until the first look: no stream is past it, none is in reach */
	g_mutex_init(&live->mutex);
	g_cond_init(&live->cond);
	g_queue_init(&live->hungry);
	live->streams = g_hash_table_new(NULL, NULL);
	live->thread = g_thread_new("live", run, live);
	return live;
}

void live_stop(struct live *live)
{
	g_mutex_lock(&live->mutex);
	live->stopping = true;
	g_cond_signal(&live->cond);
	g_mutex_unlock(&live->mutex);
	g_thread_join(live->thread);
}

void live_free(struct live *live)
{
	if (live == NULL)
		return;
	news_begin_at(&live->news, 0);
	g_hash_table_unref(live->streams);
	store_close(live->store);
	g_mutex_clear(&live->mutex);
	g_cond_clear(&live->cond);
	g_free(live);
}

void live_changed(void *context)
{
	struct live *live = context;

	g_mutex_lock(&live->mutex);
	if (!live->changed)
		g_cond_signal(&live->cond);
	live->changed = true;
	g_mutex_unlock(&live->mutex);
}

size_t live_streams(struct live *live)
{
	size_t count;

	g_mutex_lock(&live->mutex);
	count = g_hash_table_size(live->streams);
	g_mutex_unlock(&live->mutex);
	return count;
}

instant live_last_look(struct live *live)
{
	instant looked;

	g_mutex_lock(&live->mutex);
	looked = live->looked;
	g_mutex_unlock(&live->mutex);
	return looked;
}

int64_t live_turned(struct live *live)
{
	int64_t turned_us;

	g_mutex_lock(&live->mutex);
	turned_us = live->turned_us;
	g_mutex_unlock(&live->mutex);
	return turned_us;
}

/* The request */

static bool are_ids(char **ids)
{
	guint count = g_strv_length(ids);

	for (guint i = 0; i < count; i++) {
		if (!json_is_id(ids[i], strlen(ids[i])))
			return false;
	}
	return count >= 1 && count <= SPACES_NAMED;
}

/* The ids of the parameter `space`, or else those that the token is limited to; NULL: all. */
static bool read_filter(struct http_request *request, GHashTable **ret_filter)
{
	const char *named = http_parameter(request, "space");
	g_auto(GStrv) ids = named != NULL ? g_strsplit(named, ",", SPACES_NAMED + 1)
					  : g_strdupv((char **)http_spaces(request));

	if (named != NULL && !are_ids(ids)) {
		http_refuse_parameter(request, "space",
				      "expected 1 to %d ids of spaces, with commas between",
				      SPACES_NAMED);
		return false;
	}
	*ret_filter =
		ids != NULL ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) : NULL;
	for (guint i = 0; ids != NULL && ids[i] != NULL; i++)
		g_hash_table_add(*ret_filter, g_strdup(ids[i]));
	return true;
}

static bool read_last_id(struct http_request *request, int64_t *ret_revision)
{
	const char *text = http_header(request, "Last-Event-ID");
	guint64 revision = 0;

	if (text != NULL &&
	    !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64 - 1, &revision, NULL)) {
		http_refuse_parameter(request, "Last-Event-ID",
				      "expected the id of an event of this stream");
		return false;
	}
	*ret_revision = (int64_t)revision;
	return true;
}

/* Are all spaces that the client named there (or were they), and may it see them? */
static bool all_found(struct http_request *request, struct store *store, GHashTable *filter)
{
	GHashTableIter each;
	gpointer id;

	if (http_parameter(request, "space") == NULL)
		return true;
	g_hash_table_iter_init(&each, filter);
	while (g_hash_table_iter_next(&each, &id, NULL)) {
		struct space_state state;

		if (!http_sees_space(request, id) ||
		    space_find_removed_too(store, id, instant_now(), &state) != RESULT_OK) {
			http_refuse(request, 404, "there is no space '%s'", (const char *)id);
			return false;
		}
	}
	return true;
}

static void begin_stream(struct http_request *request, GHashTable *filter, int64_t said)
{
	const struct services *services = http_context(request);
	struct live *live = services->live;
	struct stream *stream = g_new0(struct stream, 1);
	gint64 now = g_get_monotonic_time();
	struct http_stream *http;

	stream->live = live;
	stream->filter = filter != NULL ? g_hash_table_ref(filter) : NULL;
	stream->said = said;
	stream->page = g_string_new("retry: " RETRY_MS "\n\n");
	stream->last_sent = now;
	stream->until = now + LIFE_S * (gint64)G_USEC_PER_SEC;
	http_add_header(request, "Cache-Control", "no-store");
	http = http_answer_stream(request, "text/event-stream", stream_more, stream_ended, stream);
	if (http == NULL)
		return;
	g_mutex_lock(&live->mutex);
	stream->http = http;
	g_hash_table_add(live->streams, stream);
	g_mutex_unlock(&live->mutex);
}

static enum result begin_work(struct store *store, void *context)
{
	struct http_request *request = context;
	g_autoptr(GHashTable) filter = NULL;
	int64_t said;

	if (!read_filter(request, &filter) || !read_last_id(request, &said) ||
	    !all_found(request, store, filter))
		return RESULT_OK;
	begin_stream(request, filter, said);
	return RESULT_OK;
}

void live_begin(struct http_request *request)
{
	const struct services *services = http_context(request);

	if (live_streams(services->live) < STREAMS) {
		http_read(request, begin_work);
		return;
	}
	http_add_header(request, "Retry-After", "5");
	http_refuse(request, 503, "there are %d streams already", STREAMS);
}
