#include "spaces.h"

#include <inttypes.h>

#include "memory.h"
#include "parameters.h"
#include "services.h"

#define BODY_BYTES 512 /* usually enough */

bool spaces_find(struct http_request *request, struct store *store, struct space_state *ret_state)
{
	const struct services *services = http_context(request);
	const char *id = http_path_part(request, 0);

	if (http_sees_space(request, id) &&
	    memory_find_space(services->memory, store, id, http_received(request), ret_state) ==
		    RESULT_OK)
		return true;
	http_refuse(request, 404, "there is no space '%s'", id);
	return false;
}

static bool read_time(struct http_request *request, const struct space_state *state,
		      instant *ret_time)
{
	struct parameter_zone zone;

	return parameter_zone(request, state->timezone, &zone) &&
	       parameter_time(request, "time", &zone, ret_time);
}

static enum result show(struct store *store, void *context)
{
	struct http_request *request = context;
	const struct services *services = http_context(request);
	struct space_state state;
	char version[48];
	instant when;
	GString *body;

	if (!spaces_find(request, store, &state) || !read_time(request, &state, &when))
		return RESULT_OK;
	if (when != INSTANT_NONE && !memory_look_back(services->memory, store, &state, when))
		return RESULT_BUSY;
	/* Health changes without a revision when an installation begins or ends as planned. */
	g_snprintf(version, sizeof version, "%" PRId64 "-%s", state.point.revision,
		   space_health_name(state.health));
	if (http_unchanged(request, version,
			   when != INSTANT_NONE ? SPACES_PAST_KEPT : HTTP_ASK_AGAIN))
		return RESULT_OK;
	body = g_string_sized_new(BODY_BYTES);
	memory_write_space(body, services->memory, store, &state, http_spaces(request));
	http_answer_json(request, 200, body);
	return RESULT_OK;
}

void spaces_show(struct http_request *request)
{
	http_recall(request, show);
}
