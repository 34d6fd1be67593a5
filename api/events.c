#include "events.h"

#include <inttypes.h>
#include <stdio.h>

#include "crossing_page.h"
#include "json.h"
#include "parameters.h"
#include "retention.h"
#include "spaces.h"

struct page {
	struct crossing_place from;
	instant until;
	int64_t limit, found;
	GString *body;
	char next[96]; /* four numbers */
};

static bool read_place(const char *text, struct crossing_place *ret_place)
{
	int64_t *const numbers[] = {&ret_place->time, &ret_place->installation, &ret_place->seq,
				    &ret_place->count};
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	if (g_strv_length(parts) != G_N_ELEMENTS(numbers))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		if (!g_ascii_string_to_signed(parts[i], 10, -INT64_MAX, INT64_MAX, numbers[i],
					      NULL))
			return false;
	}
	return ret_place->time >= INSTANT_FIRST && ret_place->time <= INSTANT_LAST;
}

static void write_place(const struct crossing_place *place, char *text, size_t size)
{
	snprintf(text, size, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, place->time,
		 place->installation, place->seq, place->count);
}

static bool read_cursor(struct http_request *request, struct page *page)
{
	g_autofree char *text = NULL;

	if (!parameter_cursor(request, &text))
		return false;
	if (text == NULL || read_place(text, &page->from))
		return true;
	parameter_refuse_cursor(request);
	return false;
}

static bool read_page(struct http_request *request, const char *of_space, struct page *page)
{
	struct parameter_zone zone;
	instant start, end;

	if (!parameter_zone(request, of_space, &zone) ||
	    !parameter_time(request, "start", &zone, &start) ||
	    !parameter_time(request, "end", &zone, &end) || !parameter_limit(request, &page->limit))
		return false;
	if (start != INSTANT_NONE && end != INSTANT_NONE && start >= end) {
		http_refuse_parameter(request, "end", "end must be after start");
		return false;
	}
	page->from = (struct crossing_place){
		.time = start != INSTANT_NONE ? start : INSTANT_FIRST,
	};
	page->until = end != INSTANT_NONE ? end - 1 : INSTANT_LAST;
	return read_cursor(request, page);
}

static void add_crossing(void *context, const struct crossing_row *row)
{
	struct page *page = context;
	GString *body = page->body;

	if (page->found++ == page->limit) {
		write_place(&row->place, page->next, sizeof page->next);
		return;
	}
	json_begin_object(body, NULL);
	json_add_instant(body, "dpu_event_time", row->place.time);
	json_add_instant(body, "event_received_time", row->received);
	json_add_text(body, "dpu", row->dpu_id);
	json_add_text(body, "doorway", row->doorway_id);
	json_add_integer(body, "installation", row->place.installation);
	json_add_integer(body, "seq", row->place.seq);
	json_add_integer(body, "count", row->place.count);
	json_add_integer(body, "change", row->change);
	json_end_object(body);
}

/* Those before the horizon are gone: who asks for them is told, and who asks for all gets what there is. */
static bool are_kept(struct http_request *request, struct store *store, struct page *page)
{
	instant horizon = retention_horizon(store);
	char text[INSTANT_TEXT_SIZE];

	if (page->from.time >= horizon)
		return true;
	if (page->from.time == INSTANT_FIRST && page->until >= horizon) {
		page->from.time = horizon;
		return true;
	}
	instant_format(horizon, text);
	http_refuse(request, 410, "the crossings before %s are gone: only hours are kept", text);
	return false;
}

static enum result show(struct store *store, void *context)
{
	struct http_request *request = context;
	struct space_state state;
	struct page page = {0};

	if (!spaces_find(request, store, &state) || !read_page(request, state.timezone, &page) ||
	    !are_kept(request, store, &page))
		return RESULT_OK;
	page.body = g_string_new(NULL);
	json_begin_object(page.body, NULL);
	json_begin_array(page.body, "items");
	/* One more tells whether anything follows, and where. */
	crossing_page_read(store, state.key, &page.from, page.until, (size_t)page.limit + 1,
			   add_crossing, &page);
	json_end_array(page.body);
	parameter_answer_page(request, page.body, page.next);
	return RESULT_OK;
}

void events_show(struct http_request *request)
{
	http_read(request, show);
}
