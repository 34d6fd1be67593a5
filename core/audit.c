#include "audit.h"

#include <glib.h>
#include <string.h>

#define ELLIPSIS "…"
#define NAME_BYTES 64 /* of an object, an action or an id; those that exist are shorter */

/* The text, or as much of it as fits, without a character cut in two; the caller's. */
static char *cut(const char *text, size_t most)
{
	const char *end = text + most + 1;

	if (strlen(text) <= most)
		return g_strdup(text);
	while (end > text + most - strlen(ELLIPSIS))
		end = g_utf8_find_prev_char(text, end);
	return g_strdup_printf("%.*s" ELLIPSIS, (int)(end - text), text);
}

void audit_keep(struct store *store, const struct audit_row *row)
{
	const struct {
		const char *text;
		size_t most;
	} texts[] = {
		{row->who, AUDIT_SENDER_BYTES}, {row->from, AUDIT_SENDER_BYTES},
		{row->object, NAME_BYTES},      {row->action, NAME_BYTES},
		{row->id, NAME_BYTES},          {row->details, AUDIT_DETAILS_BYTES},
	};
	struct query *query = store_query(store, SQL_AUDIT_KEEP);
	char *kept[G_N_ELEMENTS(texts)];

	query_bind_integer(query, 1, row->time);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		kept[i] = cut(texts[i].text, texts[i].most);
		query_bind_text(query, (int)i + 2, kept[i]);
	}
	query_bind_integer(query, 8, row->status);
	query_run(query);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(kept[i]);
}

int64_t audit_trim(struct store *store, int64_t most)
{
	struct query *query = store_query(store, SQL_AUDIT_TRIM);

	query_bind_integer(query, 1, most);
	return query_run(query);
}
