/* headcount-api: the HTTP side. It reads the database and sends through the broker what is to be written. */
#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "auth.h"
#include "broker.h"
#include "config.h"
#include "http.h"
#include "live.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "pages.h"
#include "program.h"
#include "routes.h"
#include "services.h"

#define PROGRAM "headcount-api"
#define TICK_S 1

static enum result check(const struct config *config, struct problem *reterr_problem)
{
	struct pages *pages;
	enum result result;

	if (access(config->token_file, R_OK) < 0 && errno != ENOENT)
		return problem_set(reterr_problem, RESULT_INVALID, "token_file",
				   "[api] token_file: %s can't be read", config->token_file);
	result = pages_open(config->web_dir, &pages, reterr_problem);
	if (result == RESULT_OK)
		pages_close(pages);
	return result;
}

/* A connection is a file, and the usual limit of 1024 is below what is configured. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("the limit of open files can't be raised: %s", g_strerror(errno));
}

/* Signals */

static sigset_t block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	return signals;
}

static void reload(const struct services *services, const char *config_path)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
	program_reload(PROGRAM, services->config, config_path);
	pages_reload(services->pages);
	sd_notify(0, "READY=1");
}

static void wait_for_end(const struct services *services, struct http_server *server,
			 const sigset_t *signals, const char *config_path)
{
	const struct timespec tick = {.tv_sec = TICK_S};

	for (;;) {
		int signal = sigtimedwait(signals, NULL, &tick);

		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGHUP)
			reload(services, config_path);
		http_tend(server);
		log_tend();
		sd_notify(0, "WATCHDOG=1");
	}
}

/* The program */

static struct http_server *start_server(struct services *services, struct http_options *ret_options,
					struct problem *reterr_problem)
{
	const struct config *config = services->config;

	*ret_options = (struct http_options){
		.routes = routes,
		.route_count = route_count,
		.context = services,
		.observer = metrics_observe,
		.auth = services->auth,
		.database = config->database,
		.address = config->api_address,
		.port = (uint16_t)config->api_port,
		.threads = (unsigned)config->threads,
		.connections = (unsigned)config->connections,
		.connections_per_address = (unsigned)config->connections_per_address,
		.timeout_s = (unsigned)config->timeout_s,
	};
	return http_start(ret_options, reterr_problem);
}

/* Ends what waits for each other in turn: nobody asks the broker any more, then the broker tells all who wait that it is
 * over, then their answers go out. */
static void stop(struct services *services, struct http_server *server)
{
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
	if (server != NULL)
		http_quiesce(server);
	broker_stop(services->broker);
	live_stop(services->live);
	http_stop(server);
}

static int run(const struct config *config, const char *config_path)
{
	sigset_t signals = block_signals();
	struct services services = {.config = config};
	struct broker_listener listener = {.spaces_changed = live_changed};
	struct http_server *server = NULL;
	struct http_options options;
	struct problem problem;

	raise_file_limit();
	if (pages_open(config->web_dir, &services.pages, &problem) != RESULT_OK) {
		log_error("%s", problem.detail);
		return EX_UNAVAILABLE;
	}
	services.memory = memory_new(MEMORY_BYTES);
	services.auth = auth_new(config->token_file, config->anonymous_read);
	services.metrics = metrics_new(routes, route_count);
	services.live = live_start(config->database);
	listener.context = services.live;
	services.broker = broker_start(config, &listener, &problem);
	if (services.broker != NULL)
		server = start_server(&services, &options, &problem);
	if (server != NULL) {
		sd_notify(0, "READY=1\nSTATUS=working");
		log_info("listening on %s port %d", config->api_address, (int)config->api_port);
		wait_for_end(&services, server, &signals, config_path);
	} else {
		log_error("%s", problem.detail);
	}
	stop(&services, server);
	live_free(services.live);
	metrics_free(services.metrics);
	memory_free(services.memory);
	auth_free(services.auth);
	pages_close(services.pages);
	return server != NULL ? EX_OK : EX_UNAVAILABLE;
}

int main(int argc, char **argv)
{
	const struct program program = {
		.name = PROGRAM,
		.summary = "Answers over HTTP how many people are, or were, in each space.",
		.check = check,
		.run = run,
	};

	return program_main(&program, argc, argv);
}
