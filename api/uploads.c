#include "uploads.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "broker.h"
#include "event.h"
#include "http.h"
#include "json.h"
#include "services.h"
#include "visibility.h"

/* What is wrong with an item. Whether the DPU is known, hung anywhere and has its clock right is for the gateway to
 * judge. */
static const struct {
	const char *member, *detail;
} faults[REASON_COUNT] = {
	/* clang-format off */
	[REASON_MALFORMED]     = {"", "expected an object"},
	[REASON_INVALID_TIME]  = {"dpu_event_time", "expected a time such as 2020-06-23T20:21:00Z, or milliseconds since 1970"},
	[REASON_INVALID_COUNT] = {"count", "expected an integer from -100 to 100, and not 0"},
	/* clang-format on */
};

struct reading {
	int64_t items;
	int64_t wrong; /* the first item that is; -1: none */
	enum reason reason;
	bool is_object; /* the wrong item */
};

static void take_item(void *context, const struct event *event, enum reason reason,
		      const char *item, size_t size)
{
	struct reading *reading = context;

	if (event == NULL && reading->wrong < 0) {
		reading->wrong = reading->items;
		reading->reason = reason;
		reading->is_object = size > 0 && *item == '{';
	}
	reading->items++;
}

/* Is the body one that is judged item by item? */
static bool check_whole(struct http_request *request, const struct json *body, const char *why)
{
	if (body == NULL) {
		http_refuse_member(request, 400, -1, "", "the body is no JSON: %s", why);
		return false;
	}
	if (json_kind(body) == JSON_OBJECT)
		return true;
	if (json_kind(body) == JSON_ARRAY && json_length(body) > 0 &&
	    json_length(body) <= EVENT_ITEMS)
		return true;
	http_refuse_member(request, 400, -1, "",
			   "expected an event, or an array of 1 to %d of them", EVENT_ITEMS);
	return false;
}

/* Says what is wrong with a body; the reading has found something. */
static void refuse_body(struct http_request *request, const char *bytes, size_t size,
			const struct reading *reading)
{
	const char *why;
	g_autoptr(Json) body = json_read(bytes, size, &why);
	int64_t item;

	if (!check_whole(request, body, why))
		return;
	item = json_kind(body) == JSON_ARRAY ? reading->wrong : -1;
	if (reading->reason == REASON_MALFORMED && reading->is_object)
		http_refuse_member(request, 400, item, "seq",
				   "expected an integer from 0 to %" PRId64, EVENT_SEQ_LAST);
	else
		http_refuse_member(request, 400, item, faults[reading->reason].member, "%s",
				   faults[reading->reason].detail);
}

/* How many events the body has; 0 if it has been refused. */
static int64_t check_body(struct http_request *request)
{
	struct reading reading = {.wrong = -1};
	size_t size;
	const char *bytes = http_body(request, &size);

	event_read(bytes, size, take_item, &reading);
	if (reading.wrong < 0)
		return reading.items;
	refuse_body(request, bytes, size, &reading);
	return 0;
}

struct upload {
	struct http_request *request;
	int64_t items;
};

static void published(void *context, enum result result, const char *text, size_t size)
{
	struct upload *upload = context;
	struct http_request *request = upload->request;

	if (result == RESULT_OK) {
		GString *body = g_string_new(NULL);

		json_begin_object(body, NULL);
		json_add_integer(body, "accepted", upload->items);
		json_end_object(body);
		http_answer_json(request, 202, body);
	} else {
		http_refuse(request, 503, "%.*s", (int)size, text);
	}
	g_free(upload);
	http_resume(request);
}

static void publish(struct http_request *request)
{
	const struct services *services = http_context(request);
	g_autofree char *topic = g_strdup_printf("dpu/%s/events", http_path_part(request, 0));
	int64_t items = check_body(request);
	struct upload *upload;
	const char *bytes;
	size_t size;

	if (items == 0)
		return;
	upload = g_new0(struct upload, 1);
	*upload = (struct upload){.request = request, .items = items};
	bytes = http_body(request, &size);
	http_wait(request);
	broker_publish(services->broker, topic, bytes, size, published, upload);
}

/* A token that is limited to spaces is for the DPUs that count there, or did. */
static enum result publish_if_seen(struct store *store, void *context)
{
	struct http_request *request = context;

	if (!visibility_of(store, "dpu", http_path_part(request, 0), http_spaces(request)))
		return RESULT_NOT_FOUND;
	publish(request);
	return RESULT_OK;
}

void uploads_take(struct http_request *request)
{
	const char *id = http_path_part(request, 0);

	if (!json_is_id(id, strlen(id)))
		http_refuse(request, 404, "there can be no DPU '%s'", id);
	else if (http_spaces(request) != NULL)
		http_read(request, publish_if_seen);
	else
		publish(request);
}
