/* headcount-gateway: the subscriber daemon, and the only writer of the database. */
#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "gateway.h"
#include "log.h"
#include "store.h"

#define PROGRAM "headcount-gateway"

/* How the program ends when it can't begin (sysexits.h). */
static const int exit_codes[] = {
	[RESULT_OK] = EX_OK,
	[RESULT_INVALID] = EX_DATAERR, /* the database is not ours, or made by a newer program */
	[RESULT_BUSY] = EX_TEMPFAIL,   /* another gateway writes it */
	[RESULT_FAILED] = EX_IOERR,
};

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
		context, "Stores what DPUs count, exactly once, and publishes how many people are "
			 "in each space.");
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
	g_autofree char *folder = g_path_get_dirname(config->database);

	if (config_password(config, &password, reterr_problem) != RESULT_OK)
		return RESULT_INVALID;
	if (*config->broker_ca_file != '\0' && access(config->broker_ca_file, R_OK) < 0)
		return problem_set(reterr_problem, RESULT_INVALID, "ca_file",
				   "[broker] ca_file: %s can't be read", config->broker_ca_file);
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
