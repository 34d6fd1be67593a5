#include "visibility.h"

#include <glib.h>
#include <string.h>

static const struct {
	const char *object;
	enum sql spaces;
} objects[] = {
	{"doorway", SQL_DOORWAY_SPACES},
	{"dpu", SQL_DPU_SPACES},
	{"installation", SQL_INSTALLATION_SPACES},
};

static bool is_among(struct query *query, const char *const *spaces)
{
	bool found = false;

	while (!found && query_next(query))
		found = g_strv_contains(spaces, query_text(query, 0));
	query_end(query);
	return found;
}

bool visibility_of(struct store *store, const char *object, const char *id,
		   const char *const *spaces)
{
	if (spaces == NULL)
		return true;
	if (strcmp(object, "space") == 0)
		return g_strv_contains(spaces, id);
	for (size_t i = 0; i < G_N_ELEMENTS(objects); i++) {
		if (strcmp(objects[i].object, object) == 0) {
			struct query *query = store_query(store, objects[i].spaces);

			query_bind_text(query, 1, id);
			return is_among(query, spaces);
		}
	}
	return false;
}
