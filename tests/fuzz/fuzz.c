#include "fuzz.h"

#include <glib/gstdio.h>
#include <stdlib.h>

static char *folder;
static GHashTable *paths; /* name -> path */

char *fuzz_text(const uint8_t *data, size_t size)
{
	return g_strndup((const char *)data, size);
}

static void remove_folder(void)
{
	g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
	const char *name;

	while (files != NULL && (name = g_dir_read_name(files)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		g_remove(path);
	}
	g_rmdir(folder);
}

static void make_folder(void)
{
	folder = g_dir_make_tmp("headcount-fuzz-XXXXXX", NULL);
	g_assert(folder != NULL);
	paths = g_hash_table_new(g_str_hash, g_str_equal);
	atexit(remove_folder);
}

const char *fuzz_path(const char *name)
{
	char *path;

	if (folder == NULL)
		make_folder();
	path = g_hash_table_lookup(paths, name);
	if (path == NULL) {
		path = g_build_filename(folder, name, NULL);
		g_hash_table_insert(paths, g_strdup(name), path);
	}
	return path;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
	const char *path = fuzz_path(name);
	FILE *file = fopen(path, "w");

	g_assert(file != NULL);
	g_assert(fwrite(data, 1, size, file) == size);
	g_assert(fclose(file) == 0);
	return path;
}
