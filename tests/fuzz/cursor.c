/* A cursor, as a request brings it. One that is accepted is what we would have written, so that a place has one cursor;
 * and any place that we write is read again as it was. */
#include <string.h>

#include "fuzz.h"
#include "http_request.h"
#include "json.h"
#include "parameters.h"

static void begin(struct http_request *request, struct uri_parameter cursor)
{
	static char target[] = "/spaces/A/events?limit=1";

	*request = (struct http_request){.target = target};
	request->rights.anonymous = true;
	request->uri.parameters[0] = cursor;
	request->uri.parameter_count = cursor.value != NULL ? 1 : 0;
}

static void end(struct http_request *request)
{
	answer_forget_headers(request);
	g_string_free(request->answer, TRUE);
}

/* The text of a cursor (caller frees it); NULL if it is refused. */
static char *decoded(const char *cursor)
{
	static char name[] = "cursor";
	struct http_request request;
	char *text = NULL;

	begin(&request, (struct uri_parameter){.name = name, .value = (char *)(uintptr_t)cursor});
	if (parameter_cursor(&request, &text))
		return text;
	g_assert(request.answered && request.status == 400 && text == NULL);
	end(&request);
	return NULL;
}

/* The cursor of a text (caller frees it), which its page has as `next` and in its link. */
static char *encoded(const char *text)
{
	struct http_request request;
	GString *body = g_string_new(NULL);
	const char *why, *next;
	g_autoptr(Json) json = NULL;
	char *cursor;

	begin(&request, (struct uri_parameter){0});
	json_begin_object(body, NULL);
	parameter_answer_page(&request, body, text);
	json = json_read(request.answer->str, request.answer->len, &why);
	next = json_member_text(json, "next", "");
	cursor = g_strdup(next);
	g_assert(request.status == 200 && *next != '\0');
	g_assert(strstr(request.headers[0].value, next) != NULL);
	end(&request);
	return cursor;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *given = fuzz_text(data, size);
	g_autofree char *text = decoded(given);

	if (text != NULL) {
		g_autofree char *again = encoded(text);

		g_assert(*text != '\0' && strlen(text) < strlen(given));
		g_assert(strcmp(again, given) == 0);
	}
	if (*given != '\0') {
		g_autofree char *cursor = encoded(given), *back = decoded(cursor);

		g_assert(cursor[strspn(cursor, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_")] ==
			 '\0');
		g_assert(back != NULL && strcmp(back, given) == 0);
	}
	return 0;
}
