#include "parameters.h"

#include <string.h>

#include "json.h"

#define LIMIT_DEFAULT 100
#define TIME_EXPECTED                                                                              \
	"expected a time such as 2020-06-23 20:21 (UTC, unless timezone says otherwise) or "       \
	"2020-06-23T20:21:00+02:00"

bool parameter_zone(struct http_request *request, const char *of_space,
		    struct parameter_zone *ret_zone)
{
	const char *name = http_parameter(request, "timezone");

	if (name == NULL)
		name = "UTC";
	if (strcmp(name, "space") == 0)
		name = of_space;
	*ret_zone = (struct parameter_zone){.name = name, .zone = zone_find(name)};
	if (ret_zone->zone != NULL)
		return true;
	http_refuse_parameter(request, "timezone",
			      "expected an IANA name such as Europe/Berlin, or space");
	return false;
}

/* Times */

static bool refuse_gap(struct http_request *request, const char *name, const char *zone,
		       instant after)
{
	char text[INSTANT_TEXT_SIZE];

	instant_format(after, text);
	http_refuse_parameter(
		request, name,
		"there was no such local time in %s, where the clocks were put forward: "
		"the first instant after it is %s",
		zone, text);
	return false;
}

static bool refuse_overlap(struct http_request *request, const char *name, const char *zone,
			   instant first, instant second)
{
	char texts[2][INSTANT_TEXT_SIZE];

	instant_format(first, texts[0]);
	instant_format(second, texts[1]);
	http_refuse_parameter(
		request, name,
		"this local time came twice in %s, where the clocks were put back: give "
		"%s or %s",
		zone, texts[0], texts[1]);
	return false;
}

static bool is_within(instant when)
{
	return when >= INSTANT_FIRST && when <= INSTANT_LAST;
}

static bool read_local(struct http_request *request, const char *name,
		       const struct parameter_zone *zone, int64_t local, instant *ret_time)
{
	instant first = INSTANT_NONE, second = INSTANT_NONE;
	enum zone_fit fit = ZONE_UNIQUE;

	if (is_within(local - INSTANT_DAY) || is_within(local + INSTANT_DAY))
		fit = zone_from_local(zone->zone, local, &first, &second);
	if (!is_within(first)) {
		http_refuse_parameter(request, name, TIME_EXPECTED);
		return false;
	}
	if (fit == ZONE_GAP)
		return refuse_gap(request, name, zone->name, first);
	if (fit == ZONE_OVERLAP)
		return refuse_overlap(request, name, zone->name, first, second);
	*ret_time = first;
	return true;
}

bool parameter_time(struct http_request *request, const char *name,
		    const struct parameter_zone *zone, instant *ret_time)
{
	const char *text = http_parameter(request, name);
	size_t size = text != NULL ? strlen(text) : 0;
	struct civil civil;

	*ret_time = INSTANT_NONE;
	if (text == NULL)
		return true;
	if (civil_parse(text, size, &civil)) {
		if (!read_local(request, name, zone, instant_from_civil(civil), ret_time))
			return false;
	} else if (!instant_parse(text, size, ret_time)) {
		http_refuse_parameter(request, name, TIME_EXPECTED);
		return false;
	}
	if (*ret_time <= http_received(request))
		return true;
	http_refuse_parameter(request, name, "it lies in the future: nobody knows that yet");
	return false;
}

/* Pages */

bool parameter_limit(struct http_request *request, int64_t *ret_limit)
{
	const char *text = http_parameter(request, "limit");
	gint64 limit = LIMIT_DEFAULT;

	if (text == NULL ||
	    g_ascii_string_to_signed(text, 10, 1, PARAMETERS_LIMIT_MOST, &limit, NULL)) {
		*ret_limit = limit;
		return true;
	}
	http_refuse_parameter(request, "limit", "expected a number from 1 to %d",
			      PARAMETERS_LIMIT_MOST);
	return false;
}

bool parameter_id(struct http_request *request, const char *name, const char **ret_id)
{
	const char *id = http_parameter(request, name);

	*ret_id = id != NULL ? id : "";
	if (id == NULL || json_is_id(id, strlen(id)))
		return true;
	http_refuse_parameter(request, name, "expected 1-64 characters of A-Z a-z 0-9 . _ : -");
	return false;
}

void parameter_refuse_cursor(struct http_request *request)
{
	http_refuse_parameter(request, "cursor", "expected `next` of the page before, as it was");
}

/* Base64url (RFC 4648, 5) without padding: nothing in it needs encoding in a URL. */
static char *encode(const char *text)
{
	char *encoded = g_base64_encode((const guchar *)text, strlen(text));

	encoded[strcspn(encoded, "=")] = '\0';
	g_strdelimit(encoded, "+", '-');
	return g_strdelimit(encoded, "/", '_');
}

static char *decode(const char *encoded)
{
	GString *padded = g_string_new(encoded);
	g_autofree char *bytes = NULL;
	gsize size;

	g_strdelimit(padded->str, "-", '+');
	g_strdelimit(padded->str, "_", '/');
	while (padded->len % 4 != 0)
		g_string_append_c(padded, '=');
	bytes = (char *)g_base64_decode(padded->str, &size);
	g_string_free(padded, TRUE);
	return g_strndup(bytes != NULL ? bytes : "", size);
}

bool parameter_cursor(struct http_request *request, char **ret_text)
{
	const char *cursor = http_parameter(request, "cursor");
	g_autofree char *text = NULL, *again = NULL;

	*ret_text = NULL;
	if (cursor == NULL)
		return true;
	text = decode(cursor);
	again = encode(text);
	if (*text == '\0' || strcmp(again, cursor) != 0) {
		parameter_refuse_cursor(request);
		return false;
	}
	*ret_text = g_steal_pointer(&text);
	return true;
}

void parameter_answer_page(struct http_request *request, GString *body, const char *next)
{
	g_autofree char *cursor = encode(next);

	json_add_text(body, "next", *next != '\0' ? cursor : NULL);
	json_end_object(body);
	if (*next != '\0') {
		g_autofree char *link = http_link(request, cursor);
		http_add_header(request, "Link", "<%s>; rel=\"next\"", link);
	}
	http_keep(request, HTTP_ASK_AGAIN);
	http_answer_json(request, 200, body);
}
