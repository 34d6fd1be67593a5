/* headcount config: what is in force, and who says so. */
#include <stdio.h>

#include "commands.h"
#include "table.h"

static const struct column columns[] = {
	{"group", "GROUP"},
	{"key", "KEY"},
	{"value", "VALUE"},
	{"source", "FROM"},
};

static void add_setting(void *context, const char *group, const char *name, const char *value,
			const char *source)
{
	GString *rows = context;

	json_begin_object(rows, NULL);
	json_add_text(rows, "group", group);
	json_add_text(rows, "key", name);
	json_add_text(rows, "value", value);
	json_add_text(rows, "source", source);
	json_end_object(rows);
}

static void print_table(const GString *rows)
{
	const char *why;
	g_autoptr(Json) array = json_read(rows->str, rows->len, &why);
	struct table *table = table_new(columns, G_N_ELEMENTS(columns));

	for (size_t i = 0; i < json_length(array); i++)
		table_add(table, json_item(array, i));
	table_print(table);
	table_free(table);
}

enum exit_code settings_run(struct session *session)
{
	g_autoptr(GString) rows = g_string_new(NULL);
	struct problem problem;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	json_begin_array(rows, NULL);
	if (config_explain(session->config_path, add_setting, rows, &problem) != RESULT_OK) {
		session_complain(session, "configuration: %s", problem.detail);
		return EXIT_USAGE;
	}
	json_end_array(rows);
	if (session->json)
		puts(rows->str);
	else
		print_table(rows);
	return EXIT_DONE;
}
