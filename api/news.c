#include "news.h"

#include <inttypes.h>

static void write_removed(GString *out, const struct space_state *state)
{
	json_begin_object(out, NULL);
	json_add_text(out, "id", state->id);
	json_add_integer(out, "revision", state->point.revision);
	json_end_object(out);
}

void news_write_event(GString *out, const struct space_state *state)
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

void news_append(struct news *news, struct news_item *item)
{
	struct news_item *place = &news->items[(news->first + news->count) % NEWS_KEPT];

	if (news->count == NEWS_KEPT) {
		news->floor = place->revision;
		news->first = (news->first + 1) % NEWS_KEPT;
		g_free(place->event);
	} else {
		news->count++;
	}
	*place = *item;
	item->event = NULL;
}

const struct news_item *news_at(const struct news *news, size_t index)
{
	return &news->items[(news->first + index) % NEWS_KEPT];
}

size_t news_find(const struct news *news, int64_t revision)
{
	size_t first = 0, end = news->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (news_at(news, middle)->revision > revision)
			end = middle;
		else
			first = middle + 1;
	}
	return first;
}

void news_begin_at(struct news *news, int64_t revision)
{
	for (size_t i = 0; i < news->count; i++)
		g_free(news_at(news, i)->event);
	news->first = news->count = 0;
	news->floor = news->last = revision;
}
