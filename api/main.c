/* headcount-api: the HTTP side. It reads the database and sends through the broker what is to be written. */
#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "attempts.h"
#include "auth.h"
#include "broker.h"
#include "certificate.h"
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

static bool has_certificate(const struct config *config)
{
	return *config->certificate_file != '\0';
}

static enum result check_certificate(const struct config *config, struct problem *reterr_problem)
{
	struct certificate *certificate;
	enum result result;

	if (has_certificate(config) != (*config->key_file != '\0'))
		return problem_set(reterr_problem, RESULT_INVALID, "key_file",
				   "[api] certificate_file, key_file: expected both or neither");
	if (!has_certificate(config))
		return RESULT_OK;
	result = certificate_open(config->certificate_file, config->key_file, &certificate,
				  reterr_problem);
	if (result == RESULT_OK)
		certificate_close(certificate);
	return result;
}

static enum result check(const struct config *config, struct problem *reterr_problem)
{
	g_autofree char *wrong = client_first_wrong(config->trusted_proxies);
	struct pages *pages;
	enum result result;

	if (wrong != NULL)
		return problem_set(reterr_problem, RESULT_INVALID, "trusted_proxies",
				   "[api] trusted_proxies: '%s' is no address", wrong);
	if (access(config->token_file, R_OK) < 0 && errno != ENOENT)
		return problem_set(reterr_problem, RESULT_INVALID, "token_file",
				   "[api] token_file: %s can't be read", config->token_file);
	result = pages_open(config->web_dir, &pages, reterr_problem);
	if (result != RESULT_OK)
		return result;
	pages_close(pages);
	return check_certificate(config, reterr_problem);
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
	if (services->certificate != NULL)
		certificate_reload(services->certificate);
	sd_notify(0, "READY=1");
}

/* What has not gone on since then; NULL: everything has. The connection to the broker is not among it: that may wait for a
 * host which is not there, and the past is told all the same. */
static const char *what_hangs(const struct services *services, struct http_server *server,
			      int64_t since_us)
{
	if (live_turned(services->live) < since_us)
		return "reading the database";
	if (http_moved(server) < since_us)
		return "answering requests";
	return NULL;
}

static void report_to_systemd(const struct services *services, struct http_server *server,
			      const char **hanging)
{
	const char *before = *hanging;
	uint64_t limit_us;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return;
	*hanging = what_hangs(services, server, g_get_monotonic_time() - (int64_t)limit_us);
	if (*hanging == NULL) {
		sd_notify(0, "WATCHDOG=1");
	} else if (before == NULL) {
		log_error("%s hangs", *hanging);
		sd_notifyf(0, "STATUS=%s hangs", *hanging);
	}
}

static void wait_for_end(const struct services *services, struct http_server *server,
			 const sigset_t *signals, const char *config_path)
{
	const struct timespec tick = {.tv_sec = TICK_S};
	const char *hanging = NULL;

	for (;;) {
		int signal = sigtimedwait(signals, NULL, &tick);

		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGHUP)
			reload(services, config_path);
		http_tend(server);
		log_tend();
		if (services->certificate != NULL)
			certificate_tend(services->certificate);
		report_to_systemd(services, server, &hanging);
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
		.attempts = services->attempts,
		.database = config->database,
		.address = config->api_address,
		.port = (uint16_t)config->api_port,
		.certificate = services->certificate,
		.hsts = services->hsts,
		.proxies = config->behind_tls ? config->trusted_proxies : "",
		.threads = (unsigned)config->threads,
		.connections = (unsigned)config->connections,
		/* 0 is no limit: all come from the proxy's address. */
		.connections_per_address =
			config->behind_tls ? 0 : (unsigned)config->connections_per_address,
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

/* What is read before anything is begun. */
static bool open_files(struct services *services, struct problem *reterr_problem)
{
	const struct config *config = services->config;

	if (pages_open(config->web_dir, &services->pages, reterr_problem) != RESULT_OK)
		return false;
	if (has_certificate(config) &&
	    certificate_open(config->certificate_file, config->key_file, &services->certificate,
			     reterr_problem) != RESULT_OK)
		return false;
	services->secure = config->behind_tls || services->certificate != NULL;
	if (services->secure && config->hsts_s > 0)
		services->hsts =
			g_strdup_printf("max-age=%" G_GINT64_FORMAT, (gint64)config->hsts_s);
	return true;
}

static void close_files(struct services *services)
{
	g_free(services->hsts);
	certificate_close(services->certificate);
	pages_close(services->pages);
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
	if (!open_files(&services, &problem)) {
		log_error("%s", problem.detail);
		close_files(&services);
		return EX_UNAVAILABLE;
	}
	services.memory = memory_new(MEMORY_BYTES);
	services.auth = auth_new(config->token_file, config->anonymous_read);
	services.attempts = attempts_new(config->failed_tokens_per_minute);
	services.metrics = metrics_new(routes, route_count);
	services.live = live_start(config->database);
	listener.context = services.live;
	services.broker = broker_start(config, &listener, &problem);
	if (services.broker != NULL)
		server = start_server(&services, &options, &problem);
	if (server != NULL) {
		sd_notify(0, "READY=1\nSTATUS=working");
		log_info("listening on %s port %d%s", config->api_address, (int)config->api_port,
			 services.certificate != NULL ? " with TLS" : "");
		wait_for_end(&services, server, &signals, config_path);
	} else {
		log_error("%s", problem.detail);
	}
	stop(&services, server);
	live_free(services.live);
	metrics_free(services.metrics);
	memory_free(services.memory);
	attempts_free(services.attempts);
	auth_free(services.auth);
	close_files(&services);
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
