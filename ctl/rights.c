#include "rights.h"

#include <glib.h>
#include <string.h>

#include "private_file.h"

#define MODEL "user display\n"
#define ADDED "\n# Made by headcount display add.\nuser "

struct rights {
	char *path, *text;
	struct readers readers;
};

enum result rights_open(const char *path, struct rights **ret_rights,
			struct problem *reterr_problem)
{
	g_autoptr(GError) error = NULL;
	struct readers readers;
	enum result result = private_file_readers(path, &readers, reterr_problem);
	char *text;

	if (result != RESULT_OK)
		return result;
	if (!g_file_get_contents(path, &text, NULL, &error))
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	*ret_rights = g_new0(struct rights, 1);
	**ret_rights = (struct rights){g_strdup(path), text, readers};
	return RESULT_OK;
}

void rights_close(struct rights *rights)
{
	if (rights == NULL)
		return;
	g_free(rights->path);
	g_free(rights->text);
	g_free(rights);
}

bool rights_names(const struct rights *rights, const char *user)
{
	g_auto(GStrv) lines = g_strsplit(rights->text, "\n", -1);
	g_autofree char *wanted = g_strconcat("user ", user, NULL);

	for (char **line = lines; *line != NULL; line++) {
		if (strcmp(g_strchomp(*line), wanted) == 0)
			return true;
	}
	return false;
}

/* What stands from a line on up to the next empty one; the caller's. */
static char *block_of(const char *begin)
{
	const char *end = strstr(begin, "\n\n");

	return end != NULL ? g_strndup(begin, (gsize)(end + 1 - begin)) : g_strdup(begin);
}

void rights_add_display(struct rights *rights, const char *user)
{
	const char *model = strstr(rights->text, "\n" MODEL);
	g_autofree char *block =
		model != NULL ? block_of(model + strlen("\n" MODEL)) : g_strdup("");
	char *text = g_strconcat(rights->text, ADDED, user, "\n", block, NULL);

	g_free(rights->text);
	rights->text = text;
}

void rights_remove_display(struct rights *rights, const char *user)
{
	g_autofree char *head = g_strconcat(ADDED, user, "\n", NULL);
	char *begin = strstr(rights->text, head);
	g_autofree char *block = begin != NULL ? block_of(begin + 1) : NULL;

	if (begin != NULL) /* with the empty line in front */
		memmove(begin, begin + 1 + strlen(block), strlen(begin + 1 + strlen(block)) + 1);
}

void rights_renew(struct rights *rights, const char *text)
{
	char *before = rights->text;
	char *next = before;

	rights->text = g_strdup(text);
	while ((next = strstr(next, ADDED)) != NULL) {
		g_autofree char *user = NULL;

		next += strlen(ADDED);
		user = g_strndup(next, strcspn(next, "\n"));
		rights_add_display(rights, user);
	}
	g_free(before);
}

enum result rights_save(const struct rights *rights, struct problem *reterr_problem)
{
	return private_file_write(rights->path, rights->text, strlen(rights->text),
				  &rights->readers, reterr_problem);
}
