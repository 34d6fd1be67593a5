/* headcount-gateway: the subscriber daemon, and the only writer of the database. */
#include <glib.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "program.h"
#include "store.h"

/* How the program ends when it can't begin (sysexits.h). */
static const int exit_codes[] = {
	[RESULT_OK] = EX_OK,
	[RESULT_INVALID] = EX_DATAERR, /* the database is not ours, or made by a newer program */
	[RESULT_BUSY] = EX_TEMPFAIL,   /* another gateway writes it */
	[RESULT_FAILED] = EX_IOERR,
};

static enum result check_folder(const struct config *config, struct problem *reterr_problem)
{
	g_autofree char *folder = g_path_get_dirname(config->database);

	if (access(folder, W_OK) < 0)
		return problem_set(reterr_problem, RESULT_INVALID, "database",
				   "[store] database: the folder %s can't be written", folder);
	return RESULT_OK;
}

static int run(const struct config *config, const char *config_path)
{
	struct store *store = NULL;
	struct gateway *gateway = NULL;
	struct problem problem;
	enum result result = store_open(config->database, STORE_WRITER, &store, &problem);

	if (result == RESULT_OK)
		result = gateway_new(config, config_path, store, &gateway, &problem);
	if (result == RESULT_OK)
		gateway_run(gateway);
	else
		log_error("%s", problem.detail);
	gateway_free(gateway);
	store_close(store);
	return exit_codes[result];
}

int main(int argc, char **argv)
{
	const struct program program = {
		.name = "headcount-gateway",
		.summary = "Stores what DPUs count, exactly once, and publishes how many people "
			   "are in "
			   "each space.",
		.check = check_folder,
		.run = run,
	};

	return program_main(&program, argc, argv);
}
