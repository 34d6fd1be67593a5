#include "rehearsal.h"

#include <glib/gstdio.h>

#include "registry.h"

struct rehearsal {
	struct store *store;
	struct registry_limits limits;
	GString *answer;
	rehearsal_work *work;
	void *context;
};

struct json *rehearsal_try(struct rehearsal *rehearsal, const GString *command)
{
	const char *why;

	g_string_truncate(rehearsal->answer, 0);
	registry_command(rehearsal->store, command->str, command->len, &rehearsal->limits,
			 rehearsal->answer);
	return json_read(rehearsal->answer->str, rehearsal->answer->len, &why);
}

/* In one transaction that is never committed: nothing waits for a disk. */
static enum result work_and_undo(struct store *store, void *context)
{
	struct rehearsal *rehearsal = context;

	rehearsal->store = store;
	rehearsal->work(rehearsal, rehearsal->context);
	return RESULT_DUPLICATE;
}

static void remove_files(const char *folder, const char *database)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".writer"};

	for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *path = g_strconcat(database, endings[i], NULL);

		g_unlink(path);
	}
	g_rmdir(folder);
}

/* The files lose their names as soon as they are open, so that nothing stays, however this ends. */
static enum result run_in(const char *folder, struct rehearsal *rehearsal,
			  struct problem *reterr_problem)
{
	g_autofree char *database = g_build_filename(folder, "rehearsal.db", NULL);
	struct store *store = NULL;
	enum result result = store_open(database, STORE_WRITER, &store, reterr_problem);

	remove_files(folder, database);
	if (result != RESULT_OK)
		return RESULT_FAILED;
	result = store_transaction(store, work_and_undo, rehearsal);
	if (result == RESULT_DUPLICATE)
		result = RESULT_OK;
	else
		result = problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", database,
				     store_error(store));
	store_close(store);
	return result;
}

enum result rehearsal_run(const struct config *config, rehearsal_work *work, void *context,
			  struct problem *reterr_problem)
{
	g_autoptr(GString) answer = g_string_new(NULL);
	struct rehearsal rehearsal = {
		.limits = {instant_now(), config->max_clock_skew_ms},
		.answer = answer,
		.work = work,
		.context = context,
	};
	g_autoptr(GError) error = NULL;
	g_autofree char *folder = g_dir_make_tmp("headcount-XXXXXX", &error);

	if (folder == NULL)
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	return run_in(folder, &rehearsal, reterr_problem);
}
