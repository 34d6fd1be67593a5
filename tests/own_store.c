#include "own_store.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "registry.h"

void own_store_open(struct own_store *own)
{
	g_autofree char *path = NULL;
	struct problem problem;

	own->folder = g_dir_make_tmp("headcount-test-XXXXXX", NULL);
	path = g_build_filename(own->folder, "headcount.db", NULL);
	g_assert_cmpint(store_open(path, STORE_WRITER, &own->store, &problem), ==, RESULT_OK);
}

void own_store_close(struct own_store *own)
{
	g_autoptr(GDir) folder = g_dir_open(own->folder, 0, NULL);
	const char *name;

	store_close(own->store);
	while ((name = g_dir_read_name(folder)) != NULL) {
		g_autofree char *file = g_build_filename(own->folder, name, NULL);
		g_remove(file);
	}
	g_rmdir(own->folder);
	g_free(own->folder);
}

static enum result carry_out(struct store *store, void *context)
{
	const char *command = context;
	const struct registry_limits limits = {.now = instant_now(), .max_clock_skew_ms = 60000};
	g_autoptr(GString) answer = g_string_new(NULL);

	registry_command(store, command, strlen(command), &limits, answer);
	g_test_message("%s: %s", command, answer->str);
	g_assert_nonnull(strstr(answer->str, "\"status\":20"));
	return RESULT_OK;
}

void own_store_command(struct own_store *own, const char *format, ...)
{
	g_autofree char *command = NULL;
	va_list arguments;

	va_start(arguments, format);
	command = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_assert_cmpint(store_transaction(own->store, carry_out, command), ==, RESULT_OK);
}
