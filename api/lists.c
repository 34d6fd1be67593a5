#include "lists.h"

#include <string.h>

#include "event.h"
#include "listing.h"
#include "parameters.h"

struct list {
	const char *what; /* one of it is called */
	enum listing listing;
	bool numbered; /* ids are numbers */
};
/* clang-format off */
const struct list spaces_list =          {"space",          LISTING_SPACE_STATES,    false};
const struct list doorways_list =        {"doorway",        LISTING_DOORWAYS,        false};
const struct list dpus_list =            {"DPU",            LISTING_DPU_STATES,      false};
const struct list installations_list =   {"installation",   LISTING_INSTALLATIONS,   true};
const struct list audit_list =           {"row",            LISTING_AUDIT,           true};
const struct list rejected_events_list = {"rejected event", LISTING_REJECTED_EVENTS, true};
/* clang-format on */

static bool is_number(const char *text)
{
	gint64 number;

	return g_ascii_isdigit(*text) && *text != '0' &&
	       g_ascii_string_to_signed(text, 10, 1, G_MAXINT64, &number, NULL);
}

static bool read_reason(struct http_request *request, const char **ret_reason)
{
	const char *name = http_parameter(request, "reason");
	enum reason reason;

	*ret_reason = name;
	if (name == NULL || (reason_find(name, &reason) && reason != REASON_NONE))
		return true;
	http_refuse_parameter(request, "reason",
			      "expected a reason such as malformed, unknown_dpu or clock_ahead");
	return false;
}

/* Of the audit; other lists have no such parameters. */
static bool read_span(struct http_request *request, struct listing_page *page)
{
	struct parameter_zone zone;
	instant start, end;

	if (!parameter_zone(request, "UTC", &zone) ||
	    !parameter_time(request, "start", &zone, &start) ||
	    !parameter_time(request, "end", &zone, &end))
		return false;
	if (start != INSTANT_NONE && end != INSTANT_NONE && start >= end) {
		http_refuse_parameter(request, "end", "end must be after start");
		return false;
	}
	page->from = start != INSTANT_NONE ? start : 0;
	page->until = end != INSTANT_NONE ? end : 0;
	return true;
}

static bool read_filters(struct http_request *request, struct listing_page *page)
{
	return parameter_limit(request, &page->limit) &&
	       parameter_id(request, "parent", &page->parent) &&
	       parameter_id(request, "space", &page->space) &&
	       parameter_id(request, "dpu", &page->dpu_id) &&
	       parameter_id(request, "doorway", &page->doorway_id) &&
	       read_reason(request, &page->reason) && read_span(request, page);
}

static bool read_cursor(struct http_request *request, bool numbered, char **ret_after)
{
	if (!parameter_cursor(request, ret_after))
		return false;
	if (*ret_after == NULL ||
	    (numbered ? is_number(*ret_after) : json_is_id(*ret_after, strlen(*ret_after))))
		return true;
	parameter_refuse_cursor(request);
	return false;
}

static enum result show(struct store *store, void *context)
{
	struct http_request *request = context;
	const struct list *list = http_route(request)->details;
	struct listing_page page = {
		.as_of = http_received(request),
		.visible = http_spaces(request),
	};
	g_autofree char *after = NULL;
	char next[JSON_ID_SIZE];
	GString *body;

	if (!read_filters(request, &page) || !read_cursor(request, list->numbered, &after))
		return RESULT_OK;
	page.after = after != NULL ? after : "";
	body = g_string_new(NULL);
	json_begin_object(body, NULL);
	json_begin_array(body, "items");
	listing_read(store, list->listing, &page, body, next);
	json_end_array(body);
	parameter_answer_page(request, body, next);
	return RESULT_OK;
}

void lists_show(struct http_request *request)
{
	http_read(request, show);
}

static enum result show_one(struct store *store, void *context)
{
	struct http_request *request = context;
	const char *id = http_path_part(request, 0);
	const struct list *list = http_route(request)->details;
	g_autoptr(GString) body = g_string_new(NULL);

	if ((list->numbered && !is_number(id)) ||
	    listing_show(store, list->listing, id, http_received(request), http_spaces(request),
			 body) != RESULT_OK) {
		http_refuse(request, 404, "there is no %s '%s'", list->what, id);
		return RESULT_OK;
	}
	http_keep(request, HTTP_ASK_AGAIN);
	http_answer_json(request, 200, g_steal_pointer(&body));
	return RESULT_OK;
}

void lists_show_one(struct http_request *request)
{
	http_read(request, show_one);
}
