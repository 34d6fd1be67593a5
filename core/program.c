#include "program.h"

#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"

struct options {
	char *config_path;
	gboolean check_config, print_config, version;
};

static bool read_options(const struct program *program, int argc, char **argv,
			 struct options *ret_options)
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

	g_option_context_set_summary(context, program->summary);
	g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, &argc, &argv, &error) && argc == 1)
		return true;
	fprintf(stderr, "%s: %s (see --help)\n", program->name,
		error != NULL ? error->message : "no arguments are expected");
	return false;
}

static enum result check_file(const char *key, const char *path, struct problem *reterr_problem)
{
	if (path == NULL || access(path, R_OK) == 0)
		return RESULT_OK;
	return problem_set(reterr_problem, RESULT_INVALID, key, "[broker] %s: %s can't be read",
			   key, path);
}

/* What --check-config checks: the file, and the files it names. */
static enum result check_config(const struct program *program, const struct config *config,
				struct problem *reterr_problem)
{
	struct credentials credentials = {0};
	enum result result = config_login(config, program->name, &credentials, reterr_problem);

	if (result == RESULT_OK)
		result = check_file("ca_file", credentials.ca_file, reterr_problem);
	if (result == RESULT_OK)
		result = check_file("certificate_file", credentials.certificate_file,
				    reterr_problem);
	if (result == RESULT_OK)
		result = check_file("key_file", credentials.key_file, reterr_problem);
	credentials_clear(&credentials);
	return result == RESULT_OK ? program->check(config, reterr_problem) : RESULT_INVALID;
}

static int start(const struct program *program, const struct options *options)
{
	struct config config = {0};
	struct problem problem;
	enum result result = config_read(options->config_path, &config, &problem);
	int code = EX_CONFIG;

	if (result == RESULT_OK) {
		log_start(program->name, config.log_level, config.log_format);
		result = check_config(program, &config, &problem);
	}
	if (result != RESULT_OK)
		log_error("configuration: %s", problem.detail);
	else if (options->check_config)
		code = puts("configuration: ok") < 0 ? EX_IOERR : EX_OK;
	else
		code = program->run(&config, options->config_path);
	config_clear(&config);
	return code;
}

int program_main(const struct program *program, int argc, char **argv)
{
	struct options options = {0};
	int code = EX_OK;

	setlocale(LC_ALL, "");
	log_start(program->name, LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT);
	if (!read_options(program, argc, argv, &options))
		code = EX_USAGE;
	else if (options.version)
		printf("%s %s\n", program->name, HEADCOUNT_VERSION);
	else if (options.print_config)
		config_print(stdout);
	else
		code = start(program, &options);
	log_finish();
	g_free(options.config_path);
	return code;
}

void program_reload(const char *name, const struct config *in_force, const char *config_path)
{
	struct config config = {0};
	struct problem problem;
	g_autofree char *awaiting = NULL;

	if (config_read(config_path, &config, &problem) != RESULT_OK) {
		log_error("configuration: %s; nothing is changed", problem.detail);
		return;
	}
	log_notice("configuration: [log] is read again");
	awaiting = config_awaiting_restart(in_force, &config);
	if (awaiting != NULL)
		log_warning("configuration: changed, but not in force before a restart: %s",
			    awaiting);
	log_start(name, config.log_level, config.log_format);
	config_clear(&config);
}
