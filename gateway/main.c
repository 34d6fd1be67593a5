/* headcount-gateway: the subscriber daemon, and the only writer of the database. */
#include <glib.h>
#include <inttypes.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "gateway.h"
#include "log.h"
#include "program.h"
#include "store.h"

#define PATIENCE_US INT64_C(10000000)

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

/* Opening the database may mean to lead it from an earlier schema to ours, which takes the longer the more it holds. As
 * long as it goes on, systemd is asked for more time. */
struct patience {
	GMutex mutex;
	GCond cond;
	bool over;
};

static void *ask_for_patience(void *data)
{
	struct patience *patience = data;

	g_mutex_lock(&patience->mutex);
	while (!patience->over) {
		sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64, 2 * PATIENCE_US);
		g_cond_wait_until(&patience->cond, &patience->mutex,
				  g_get_monotonic_time() + PATIENCE_US);
	}
	g_mutex_unlock(&patience->mutex);
	return NULL;
}

static enum result open_patiently(const struct config *config, struct store **ret_store,
				  struct problem *reterr_problem)
{
	struct patience patience = {.over = false};
	GThread *thread = g_thread_new("patience", ask_for_patience, &patience);
	enum result result = store_open(config->database, STORE_WRITER, ret_store, reterr_problem);

	g_mutex_lock(&patience.mutex);
	patience.over = true;
	g_cond_signal(&patience.cond);
	g_mutex_unlock(&patience.mutex);
	g_thread_join(thread);
	return result;
}

static int run(const struct config *config, const char *config_path)
{
	struct store *store = NULL;
	struct gateway *gateway = NULL;
	struct problem problem;
	enum result result;

	sd_notify(0, "STATUS=opening the database");
	result = open_patiently(config, &store, &problem);
	if (result == RESULT_OK && store_old_copy(store) != NULL)
		log_notice("%s was brought up to date; a copy of it as it was: %s",
			   config->database, store_old_copy(store));
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
