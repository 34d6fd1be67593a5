#include "csv_answer.h"

#include "csv.h"
#include "json.h"

GString *csv_answer(const char *first, const char *second)
{
	static const char *const columns[] = {"first", "second", NULL};
	static const struct csv csv = {.columns = columns};
	g_autoptr(GString) json = g_string_new(NULL);
	GString *out = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_text(json, "first", first);
	json_add_text(json, "second", second);
	json_end_object(json);
	csv_write(out, &csv, json->str, json->len);
	return out;
}
