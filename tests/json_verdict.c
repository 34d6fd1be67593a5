/* What the readers of JSON say of files: for tests in another language.
 *
 *     json-verdict FILE…
 *
 * prints "accepted" or "refused WHY" for each, in order. json_read and json_slice_check must be of one opinion, and a payload
 * of dpu/<id>/events that is no JSON must be rejected whole as malformed. */
#include <stdio.h>
#include <stdlib.h>

#include "event.h"
#include "json.h"
#include "json_slice.h"

struct payload {
	size_t items;
	enum reason reason; /* of the last one */
};

static void take_item(void *context, const struct event *event, enum reason reason,
		      const char *item, size_t size)
{
	struct payload *payload = context;

	(void)event;
	(void)item;
	(void)size;
	payload->items++;
	payload->reason = reason;
}

static bool is_malformed(const char *text, size_t size)
{
	struct payload payload = {0};

	event_read(text, size, take_item, &payload);
	return payload.items == 1 && payload.reason == REASON_MALFORMED;
}

static void judge(const char *text, size_t size)
{
	const char *why = "", *read_why = "";
	bool passes = json_slice_check(text, size, NULL, &why);
	g_autoptr(Json) json = json_read(text, size, &read_why);

	g_assert((json != NULL) == passes);
	g_assert(passes || size > EVENT_PAYLOAD_BYTES || is_malformed(text, size));
	printf("%s%s\n", passes ? "accepted" : "refused ", passes ? "" : why);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		g_autofree char *text = NULL;
		gsize size;

		g_assert(g_file_get_contents(argv[i], &text, &size, NULL));
		judge(text, size);
	}
	return EXIT_SUCCESS;
}
