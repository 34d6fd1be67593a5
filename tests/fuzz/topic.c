/* A topic. Events and states are of dpu/<id>/… and of nothing else, and the DPU named is a possible one. */
#include "topics.h"

#include <string.h>

#include "fuzz.h"

static const char *level_of(enum topic_kind kind)
{
	return kind == TOPIC_EVENTS ? "events" : kind == TOPIC_STATUS ? "status" : NULL;
}

static void check_dpu(char **levels, enum topic_kind kind, const char *dpu_id)
{
	g_assert(g_strv_length(levels) == 3);
	g_assert(strcmp(levels[0], "dpu") == 0 && strcmp(levels[2], level_of(kind)) == 0);
	if (*dpu_id == '\0')
		g_assert(!json_is_id(levels[1], strlen(levels[1])));
	else
		g_assert(strcmp(levels[1], dpu_id) == 0 && json_is_id(dpu_id, strlen(dpu_id)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *topic = fuzz_text(data, size);
	g_auto(GStrv) levels = g_strsplit(topic, "/", -1);
	char dpu_id[JSON_ID_SIZE];
	enum topic_kind kind = topic_kind(topic, dpu_id);
	bool is_dpu = g_strv_length(levels) == 3 && strcmp(levels[0], "dpu") == 0;

	if (level_of(kind) != NULL)
		check_dpu(levels, kind, dpu_id);
	else
		g_assert(!is_dpu ||
			 (strcmp(levels[2], "events") != 0 && strcmp(levels[2], "status") != 0));
	g_assert((kind == TOPIC_COMMANDS) == (strcmp(topic, "registry/commands") == 0));
	return 0;
}
