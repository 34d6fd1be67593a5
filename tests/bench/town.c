#include "town.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"

#define DPUS_PER_FLOOR 40
#define DPUS_PER_BUILDING 1000
#define DPUS_PER_WAY_OUT 100

static void fail(const char *what)
{
	fprintf(stderr, "town: %s\n", what);
	exit(EXIT_FAILURE);
}

/* Creates an object, its values given as JSON with ' for ". */
static void create(struct store *store, const char *object, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void create(struct store *store, const char *object, const char *format, ...)
{
	struct registry_limits limits = {.now = instant_now()};
	g_autoptr(GString) answer = g_string_new(NULL);
	g_autofree char *values = NULL, *command = NULL;
	va_list arguments;

	va_start(arguments, format);
	values = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	command =
		g_strdup_printf("{'action':'create','object':'%s','values':{%s}}", object, values);
	g_strdelimit(command, "'", '"');
	registry_command(store, command, strlen(command), &limits, answer);
	if (!g_str_has_prefix(answer->str, "{\"status\":201"))
		fail(answer->str);
}

static void make_spaces(struct store *store, int dpu)
{
	int building = dpu / DPUS_PER_BUILDING, floor = dpu / DPUS_PER_FLOOR,
	    room = dpu / TOWN_DPUS_PER_ROOM;

	if (dpu % DPUS_PER_BUILDING == 0)
		create(store, "space", "'id':'b%d','timezone':'Europe/Vienna'", building);
	if (dpu % DPUS_PER_FLOOR == 0)
		create(store, "space", "'id':'f%d','parent':'b%d','timezone':'Europe/Vienna'",
		       floor, building);
	if (dpu % TOWN_DPUS_PER_ROOM == 0)
		create(store, "space",
		       "'id':'r%d','parent':'f%d','timezone':'Europe/Vienna','name':'Room %d',"
		       "'capacity':50",
		       room, floor, room);
}

static void make_doorway(struct store *store, int dpu)
{
	int room = dpu / TOWN_DPUS_PER_ROOM, floor = dpu / DPUS_PER_FLOOR;

	if (dpu % DPUS_PER_WAY_OUT == 0)
		create(store, "doorway", "'id':'d%d','space':'r%d'", dpu, room);
	else
		create(store, "doorway", "'id':'d%d','space':'r%d','adjacent_space':'f%d'", dpu,
		       room, floor);
	create(store, "dpu", "'id':'%d'", dpu);
	create(store, "installation", "'dpu':'%d','doorway':'d%d','started_at':'2018-01-01 00:00'",
	       dpu, dpu);
}

static enum result make(struct store *store, void *context)
{
	const int *dpus = context;
	g_autoptr(GString) found = g_string_new(NULL);

	if (registry_show(store, "dpu", "0", found) == RESULT_OK)
		return RESULT_OK;
	for (int dpu = 0; dpu < *dpus; dpu++) {
		make_spaces(store, dpu);
		make_doorway(store, dpu);
	}
	return RESULT_OK;
}

void town_make(struct store *store, int dpus)
{
	if (store_transaction(store, make, &dpus) != RESULT_OK)
		fail(store_error(store));
}

char *town_dpu_ids(int dpus)
{
	char *ids = g_malloc0((gsize)dpus * TOWN_ID_SIZE);

	for (int dpu = 0; dpu < dpus; dpu++)
		g_snprintf(ids + (gsize)dpu * TOWN_ID_SIZE, TOWN_ID_SIZE, "%d", dpu);
	return ids;
}
