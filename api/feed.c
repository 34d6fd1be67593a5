#include "feed.h"

#include "space.h"

static void clear_item(gpointer data)
{
	g_free(((struct news_item *)data)->event);
}

void feed_begin(struct feed *feed, int64_t known)
{
	*feed = (struct feed){.known = known, .last = known};
	feed->items = g_array_new(FALSE, FALSE, sizeof(struct news_item));
	g_array_set_clear_func(feed->items, clear_item);
}

void feed_want_page(struct feed *feed, const GHashTable *wanted, int64_t known)
{
	feed->page = g_string_new(NULL);
	feed->wanted = wanted;
	feed->page_known = feed->page_last = known;
}

void feed_end(struct feed *feed)
{
	g_array_unref(feed->items);
	if (feed->page != NULL)
		g_string_free(feed->page, TRUE);
}

/* What is new to everybody */

static void add_item(void *context, const struct space_state *state)
{
	struct feed *feed = context;
	g_autoptr(GString) event = g_string_new(NULL);
	struct news_item item = {.revision = state->point.revision};

	news_write_event(event, state);
	g_strlcpy(item.id, state->id, sizeof item.id);
	item.event = g_string_free(g_steal_pointer(&event), FALSE);
	g_array_append_val(feed->items, item);
	feed->last = item.revision;
}

static void read_news(struct store *store, struct feed *feed)
{
	int64_t last = space_last_revision(store);

	feed->restarted = last < feed->known;
	if (!feed->restarted)
		space_changed_since(store, feed->known, NEWS_KEPT, instant_now(), add_item, feed);
	feed->more = feed->items->len == NEWS_KEPT;
	if (!feed->more)
		feed->last = last;
}

/* The page */

struct found {
	struct feed *feed;
	guint count;
};

static void add_to_page(struct feed *feed, const struct space_state *state)
{
	news_write_event(feed->page, state);
	feed->page_last = state->point.revision;
}

static void add_found(void *context, const struct space_state *state)
{
	struct found *found = context;

	found->count++;
	if (state->point.revision <= found->feed->last)
		add_to_page(found->feed, state);
}

/* How many spaces are due: FEED_PAGE if there may be more. */
static guint read_all(struct store *store, struct feed *feed)
{
	struct found found = {.feed = feed};

	space_changed_since(store, feed->page_known, FEED_PAGE, instant_now(), add_found, &found);
	return found.count;
}

static gint compare_states(gconstpointer left, gconstpointer right)
{
	const struct space_state *a = left, *b = right;

	return (a->point.revision > b->point.revision) - (a->point.revision < b->point.revision);
}

/* The spaces wanted that are due, in the order of their revisions, FEED_PAGE of them at most. */
static GArray *find_wanted(struct store *store, const struct feed *feed)
{
	GArray *states = g_array_new(FALSE, FALSE, sizeof(struct space_state));
	GHashTableIter each;
	gpointer id;

	g_hash_table_iter_init(&each, (GHashTable *)feed->wanted);
	while (g_hash_table_iter_next(&each, &id, NULL)) {
		struct space_state state;

		if (space_find_removed_too(store, id, instant_now(), &state) == RESULT_OK &&
		    state.point.revision > feed->page_known && state.point.revision <= feed->last)
			g_array_append_val(states, state);
	}
	g_array_sort(states, compare_states);
	if (states->len > FEED_PAGE)
		g_array_set_size(states, FEED_PAGE);
	return states;
}

static guint read_wanted(struct store *store, struct feed *feed)
{
	g_autoptr(GArray) states = find_wanted(store, feed);

	for (guint i = 0; i < states->len; i++)
		add_to_page(feed, &g_array_index(states, struct space_state, i));
	return states->len;
}

enum result feed_read(struct store *store, void *context)
{
	struct feed *feed = context;
	guint count;

	read_news(store, feed);
	if (feed->page == NULL || feed->page_known > feed->last)
		return RESULT_OK;
	count = feed->wanted == NULL ? read_all(store, feed) : read_wanted(store, feed);
	if (count < FEED_PAGE)
		feed->page_last = feed->last;
	return RESULT_OK;
}
