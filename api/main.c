/* headcount-api: the HTTP side. It reads the database and sends through the broker what is to be written. */
#include <errno.h>
#include <glib.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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
#include "metrics.h"
#include "routes.h"
#include "services.h"

#define PROGRAM "headcount-api"
#define TICK_S 1

struct options {
	char *config_path;
	gboolean check_config, print_config, version;
};

static bool read_options(int argc, char **argv, struct options *ret_options)
{
	const GOptionEntry entries[] = {
		{"config", 'c', 0, G_OPTION_ARG_FILENAME, &ret_options->config_path,
		 "Read this configuration (default: $HEADCOUNT_CONFIG, then "
		 "/etc/headcount/headcount.conf)",
		 "FILE"},
		{"check-config", 0, 0, G_OPTION_ARG_NONE, &ret_options->check_config,
		 "Say whether the configuration is right, and end", NULL},
		{"print-config", 0, 0, G_OPTION_ARG_NONE, &ret_options->print_config,
		 "Print the default configuration, every key explained, and end", NULL},
		{"version", 0, 0, G_OPTION_ARG_NONE, &ret_options->version,
		 "Print the version, and end", NULL},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_set_summary(
		context, "Answers over HTTP how many people are, or were, in each space.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, &argc, &argv, &error) && argc == 1)
		return true;
	fprintf(stderr, PROGRAM ": %s (see --help)\n",
		error != NULL ? error->message : "no arguments are expected");
	return false;
}

/* What --check-config checks: the file, and the files it names. */
static enum result check_config(const struct config *config, struct problem *reterr_problem)
{
	g_autofree char *password = NULL;

	if (config_password(config, &password, reterr_problem) != RESULT_OK)
		return RESULT_INVALID;
	if (*config->broker_ca_file != '\0' && access(config->broker_ca_file, R_OK) < 0)
		return problem_set(reterr_problem, RESULT_INVALID, "ca_file",
				   "[broker] ca_file: %s can't be read", config->broker_ca_file);
	if (access(config->token_file, R_OK) < 0 && errno != ENOENT)
		return problem_set(reterr_problem, RESULT_INVALID, "token_file",
				   "[api] token_file: %s can't be read", config->token_file);
	return RESULT_OK;
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

static void reload(const char *config_path)
{
	struct config config = {0};
	struct problem problem;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
	if (config_read(config_path, &config, &problem) == RESULT_OK)
		log_start(PROGRAM, config.log_level);
	else
		log_error("configuration: %s; nothing is changed", problem.detail);
	config_clear(&config);
	sd_notify(0, "READY=1");
}

static void wait_for_end(struct http_server *server, const sigset_t *signals,
			 const char *config_path)
{
	const struct timespec tick = {.tv_sec = TICK_S};

	for (;;) {
		int signal = sigtimedwait(signals, NULL, &tick);

		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGHUP)
			reload(config_path);
		http_tend(server);
		sd_notify(0, "WATCHDOG=1");
	}
}

/* The program */

static struct http_server *start_server(struct services *services, struct auth *auth,
					struct http_options *ret_options,
					struct problem *reterr_problem)
{
	const struct config *config = services->config;

	*ret_options = (struct http_options){
		.routes = routes,
		.route_count = route_count,
		.context = services,
		.observer = metrics_observe,
		.auth = auth,
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
	struct auth *auth = auth_new(config->token_file, config->anonymous_read);
	struct broker_listener listener = {.spaces_changed = live_changed};
	struct http_server *server = NULL;
	struct http_options options;
	struct problem problem;

	raise_file_limit();
	services.metrics = metrics_new(routes, route_count);
	services.live = live_start(config->database);
	listener.context = services.live;
	services.broker = broker_start(config, &listener, &problem);
	if (services.broker != NULL)
		server = start_server(&services, auth, &options, &problem);
	if (server != NULL) {
		sd_notify(0, "READY=1\nSTATUS=working");
		log_info("listening on %s port %d", config->api_address, (int)config->api_port);
		wait_for_end(server, &signals, config_path);
	} else {
		log_error("%s", problem.detail);
	}
	stop(&services, server);
	live_free(services.live);
	metrics_free(services.metrics);
	auth_free(auth);
	return server != NULL ? EX_OK : EX_UNAVAILABLE;
}

static int start(const struct options *options)
{
	struct config config = {0};
	struct problem problem;
	enum result result = config_read(options->config_path, &config, &problem);
	int code = EX_CONFIG;

	if (result == RESULT_OK) {
		log_start(PROGRAM, config.log_level);
		result = check_config(&config, &problem);
	}
	if (result != RESULT_OK)
		log_error("configuration: %s", problem.detail);
	else if (options->check_config)
		code = puts("configuration: ok") < 0 ? EX_IOERR : EX_OK;
	else
		code = run(&config, options->config_path);
	config_clear(&config);
	return code;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int code = EX_OK;

	setlocale(LC_ALL, "");
	log_start(PROGRAM, LOG_LEVEL_NOTICE);
	if (!read_options(argc, argv, &options))
		code = EX_USAGE;
	else if (options.version)
		puts(PROGRAM " " HEADCOUNT_VERSION);
	else if (options.print_config)
		config_print(stdout);
	else
		code = start(&options);
	g_free(options.config_path);
	return code;
}
