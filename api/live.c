#include "live.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "json.h"
#include "log.h"
#include "services.h"
#include "space.h"
#include "store.h"

#define RING 4096        /* events, of 500 bytes or so */
#define PAGE 32          /* events: how far a stream is filled at a time */
#define STREAMS 4096     /* at once */
#define SPACES_NAMED 100 /* by one stream */
#define BEAT_S 15        /* a comment after so much silence */
#define LIFE_S 3600      /* then the client begins anew, and its token is looked at again */
#define TURN_MS 50       /* what changes more often is told at this pace */
#define TICK_MS 1000 /* a look at the database at least this often, in case the broker is away */
#define RETRY_MS "3000"

/* What all streams are told. */
struct news {
	int64_t revision;
	char id[JSON_ID_SIZE]; /* of the space */
	char *event;
};

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

	/* The ring holds all news with revisions after `floor`, up to `last`, in their order. */
	struct news ring[RING];
	size_t ring_first, ring_count;
	int64_t floor, last;

	GHashTable *streams; /* set of struct stream */
	GQueue hungry; /* those that lag behind the ring, in the order in which they said so */
};

struct stream {
	struct live *live;
	struct http_stream *http;
	GHashTable *filter;      /* set of ids of spaces; NULL: all spaces. Never changes */
	int64_t said;            /* everything up to this revision has been told, or is in `page` */
	GString *page;           /* what is to be sent */
	size_t sent;             /* bytes of it */
	bool idle;               /* there was nothing to send */
	bool hungry;             /* it is in live->hungry */
	bool reading;            /* the thread is reading for it, without the lock */
	bool ended;              /* meanwhile: the thread frees it */
	gint64 last_sent, until; /* monotonic µs */
};

/* Events */

static void write_removed(GString *out, const struct space_state *state)
{
	json_begin_object(out, NULL);
	json_add_text(out, "id", state->id);
	json_add_integer(out, "revision", state->point.revision);
	json_end_object(out);
}

static void write_event(GString *out, const struct space_state *state)
{
	g_autoptr(GString) data = g_string_new(NULL);

	if (state->removed)
		write_removed(data, state);
	else
		space_write(data, state);
	g_string_append_printf(out, "id: %" PRId64 "\nevent: %s\ndata: %s\n\n",
			       state->point.revision, state->removed ? "removed" : "state",
			       data->str);
}

/* The ring, under the lock */

static const struct news *ring_at(const struct live *live, size_t index)
{
	return &live->ring[(live->ring_first + index) % RING];
}

static void ring_append(struct live *live, struct news *news)
{
	struct news *place = &live->ring[(live->ring_first + live->ring_count) % RING];

	if (live->ring_count == RING) {
		live->floor = place->revision;
		live->ring_first = (live->ring_first + 1) % RING;
		g_free(place->event);
	} else {
		live->ring_count++;
	}
	*place = *news;
	news->event = NULL;
}

/* The first with a revision after the one given. */
static size_t ring_find(const struct live *live, int64_t revision)
{
	size_t first = 0, end = live->ring_count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (ring_at(live, middle)->revision > revision)
			end = middle;
		else
			first = middle + 1;
	}
	return first;
}

static void ring_clear(struct live *live)
{
	for (size_t i = 0; i < live->ring_count; i++)
		g_free(live->ring[(live->ring_first + i) % RING].event);
	live->ring_first = live->ring_count = 0;
}

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

static void take_from_ring(struct stream *stream)
{
	const struct live *live = stream->live;
	size_t index = ring_find(live, stream->said);

	for (int taken = 0; index < live->ring_count && taken < PAGE; index++) {
		const struct news *news = ring_at(live, index);

		if (wants(stream, news->id)) {
			g_string_append(stream->page, news->event);
			taken++;
		}
		stream->said = news->revision;
	}
	if (index == live->ring_count)
		stream->said = live->last;
}

/* Gets more to send, if there is more. */
static void refill(struct stream *stream)
{
	struct live *live = stream->live;

	g_string_truncate(stream->page, 0);
	stream->sent = 0;
	if (stream->hungry || stream->reading)
		return;
	if (stream->said > live->last)
		stream->said = 0; /* it followed another database, or one that is lost */
	if (stream->said >= live->floor) {
		take_from_ring(stream);
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
			stream->said = live->last;
		else
			http_stream_wake(stream->http);
	}
}

/* The thread */

/* What one look at the database finds. */
struct look {
	int64_t since, last; /* revisions */
	bool restarted;      /* `since` is not of this database */
	size_t found;
	GArray *news; /* of struct news */
};

static void clear_news(gpointer data)
{
	g_free(((struct news *)data)->event);
}

static void add_news(void *context, const struct space_state *state)
{
	struct look *look = context;
	g_autoptr(GString) event = g_string_new(NULL);
	struct news news = {.revision = state->point.revision};

	write_event(event, state);
	g_strlcpy(news.id, state->id, sizeof news.id);
	news.event = g_string_free(g_steal_pointer(&event), FALSE);
	g_array_append_val(look->news, news);
	look->last = news.revision;
	look->found++;
}

static enum result look_work(struct store *store, void *context)
{
	struct look *look = context;
	int64_t last = space_last_revision(store);

	look->restarted = last < look->since;
	look->last = look->since;
	if (look->restarted) {
		look->last = last;
		return RESULT_OK;
	}
	space_changed_since(store, look->since, RING, instant_now(), add_news, look);
	if (look->found < RING)
		look->last = last;
	return RESULT_OK;
}

static GHashTable *ids_of(const GArray *news)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < news->len; i++)
		g_hash_table_add(ids, g_array_index(news, struct news, i).id);
	return ids;
}

static void take_look(struct live *live, struct look *look)
{
	g_autoptr(GHashTable) ids = ids_of(look->news);

	g_mutex_lock(&live->mutex);
	if (look->restarted) {
		ring_clear(live);
		live->floor = look->last;
	}
	live->last = look->last;
	live->looked = instant_now();
	for (guint i = 0; i < look->news->len; i++)
		ring_append(live, &g_array_index(look->news, struct news, i));
	if (look->restarted || look->news->len > 0)
		wake_streams(live, look->restarted ? -1 : look->since, ids);
	g_mutex_unlock(&live->mutex);
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

	if (live->store != NULL)
		return true;
	return worked(live, store_open(live->database, STORE_READER, &live->store, &problem),
		      problem.detail);
}

/* Puts what has changed into the ring. False if the database can't be read. */
static bool look_for_changes(struct live *live)
{
	struct look look;

	do {
		enum result result;

		look = (struct look){.since = live->last,
				     .news = g_array_new(FALSE, FALSE, sizeof(struct news))};
		g_array_set_clear_func(look.news, clear_news);
		result = store_transaction(live->store, look_work, &look);
		if (worked(live, result, store_error(live->store)))
			take_look(live, &look);
		else
			look.found = 0;
		g_array_unref(look.news);
	} while (look.found == RING);
	return !live->failing;
}

/* A page for one stream */

struct page {
	const struct stream *stream;
	int64_t since, until; /* revisions: after the one, up to the other */
	int64_t said;         /* up to that the page says everything */
	size_t found;
	GString *text;
};

static void add_to_page(struct page *page, const struct space_state *state)
{
	write_event(page->text, state);
	page->said = state->point.revision;
}

static void add_found(void *context, const struct space_state *state)
{
	struct page *page = context;

	page->found++;
	if (state->point.revision <= page->until)
		add_to_page(page, state);
}

static gint compare_states(gconstpointer left, gconstpointer right)
{
	const struct space_state *a = left, *b = right;

	return (a->point.revision > b->point.revision) - (a->point.revision < b->point.revision);
}

/* The spaces of the stream's filter that are due, in the order of their revisions. */
static GArray *find_filtered(struct store *store, const struct page *page)
{
	GArray *states = g_array_new(FALSE, FALSE, sizeof(struct space_state));
	GHashTableIter each;
	gpointer id;

	g_hash_table_iter_init(&each, page->stream->filter);
	while (g_hash_table_iter_next(&each, &id, NULL)) {
		struct space_state state;

		if (space_find_removed_too(store, id, instant_now(), &state) == RESULT_OK &&
		    state.point.revision > page->since && state.point.revision <= page->until)
			g_array_append_val(states, state);
	}
	g_array_sort(states, compare_states);
	return states;
}

static enum result page_work(struct store *store, void *context)
{
	struct page *page = context;
	g_autoptr(GArray) states = NULL;

	if (page->stream->filter == NULL) {
		space_changed_since(store, page->since, PAGE, instant_now(), add_found, page);
		if (page->found < PAGE)
			page->said = page->until;
		return RESULT_OK;
	}
	states = find_filtered(store, page);
	for (guint i = 0; i < MIN(states->len, PAGE); i++)
		add_to_page(page, &g_array_index(states, struct space_state, i));
	if (states->len <= PAGE)
		page->said = page->until;
	return RESULT_OK;
}

/* Takes the next stream that lags behind, for reading without the lock. */
static struct stream *next_hungry(struct live *live, struct page *page)
{
	struct stream *stream;

	g_mutex_lock(&live->mutex);
	stream = g_queue_pop_head(&live->hungry);
	if (stream != NULL) {
		stream->hungry = false;
		stream->reading = true;
		*page = (struct page){.stream = stream,
				      .since = stream->said,
				      .said = stream->said,
				      .until = live->last};
	}
	g_mutex_unlock(&live->mutex);
	return stream;
}

static void give_page(struct live *live, struct stream *stream, struct page *page)
{
	bool ended;

	g_mutex_lock(&live->mutex);
	ended = stream->ended;
	stream->reading = false;
	if (!ended) {
		stream->said = page->said;
		g_string_append_len(stream->page, page->text->str, (gssize)page->text->len);
		http_stream_wake(stream->http);
	}
	g_mutex_unlock(&live->mutex);
	if (ended)
		free_stream(stream);
}

static void feed_hungry(struct live *live)
{
	struct stream *stream;
	struct page page;

	while (!live->failing && (stream = next_hungry(live, &page)) != NULL) {
		enum result result;

		page.text = g_string_new(NULL);
		result = store_transaction(live->store, page_work, &page);
		if (!worked(live, result, store_error(live->store))) {
			g_string_truncate(page.text, 0);
			page.said = page.since; /* it will ask again */
		}
		give_page(live, stream, &page);
		g_string_free(page.text, TRUE);
	}
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

	do {
		gint64 now = g_get_monotonic_time();

		if (open_store(live) && look_for_changes(live))
			feed_hungry(live);
		send_beats(live);
		if (!wait_for_work(live, now))
			return NULL;
	} while (true);
}

struct live *live_start(const char *database)
{
	struct live *live = g_new0(struct live, 1);

	live->database = database;
	live->looked = INSTANT_NONE;
	live->floor = live->last =
		INT64_MAX; /* until the first look: no stream is past it, none is in reach */
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
	ring_clear(live);
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

/* The request */

/* The ids of the parameter `space`, or else those that the token is limited to; NULL: all. */
static bool read_filter(struct http_request *request, GHashTable **ret_filter)
{
	const char *named = http_parameter(request, "space");
	g_auto(GStrv) ids = named != NULL ? g_strsplit(named, ",", SPACES_NAMED + 1)
					  : g_strdupv((char **)http_spaces(request));
	g_autoptr(GHashTable) filter = NULL;

	*ret_filter = NULL;
	if (ids == NULL)
		return true;
	filter = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (named != NULL && g_strv_length(ids) > SPACES_NAMED) {
		http_refuse_parameter(request, "space", "expected at most %d ids", SPACES_NAMED);
		return false;
	}
	for (char **id = ids; *id != NULL; id++) {
		if (!json_is_id(*id, strlen(*id))) {
			http_refuse_parameter(request, "space",
					      "expected ids of spaces, with commas between");
			return false;
		}
		g_hash_table_add(filter, g_strdup(*id));
	}
	*ret_filter = g_steal_pointer(&filter);
	return true;
}

static bool read_last_id(struct http_request *request, int64_t *ret_revision)
{
	const char *text = http_header(request, "Last-Event-ID");

	*ret_revision = 0;
	if (text == NULL || *text == '\0' ||
	    g_ascii_string_to_signed(text, 10, 0, INT64_MAX - 1, ret_revision, NULL))
		return true;
	http_refuse_parameter(request, "Last-Event-ID",
			      "expected the id of an event of this stream");
	return false;
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
