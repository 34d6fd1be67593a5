/* A configuration file. What is accepted explains itself: each key has one value that the same table accepts again as the
 * same configuration; what is refused is named. */
#include "config.h"

#include <string.h>

#include "fuzz.h"

static void add_value(void *context, const char *group, const char *name, const char *value,
		      const char *source)
{
	g_assert(*source != '\0');
	g_key_file_set_string(context, group, name, value);
}

/* The whole configuration as a file (caller frees it), with where it came from left out. */
static char *explained(const char *path)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	struct problem problem;

	g_assert(config_explain(path, add_value, file, &problem) == RESULT_OK);
	return g_key_file_to_data(file, NULL, NULL);
}

static void check_numbers(const struct config *config)
{
	g_assert(config->broker_port >= 1 && config->broker_port <= 65535);
	g_assert(config->api_port >= 1 && config->api_port <= 65535);
	g_assert(config->metrics_port >= 0 && config->metrics_port <= 65535);
	g_assert(config->batch_items >= 1 && config->rejected_max >= 0);
	g_assert(config->publish_interval_ms >= 0 && config->max_clock_skew_ms >= 0);
	g_assert(config->threads >= 1 && config->connections >= 1 && config->timeout_s >= 1);
}

static void check_accepted(const char *path, const struct config *config)
{
	g_autofree char *first = explained(path), *second = NULL, *differs = NULL;
	struct config again;
	struct problem problem;

	check_numbers(config);
	path = fuzz_file("again.conf", first, strlen(first));
	g_assert(config_read(path, &again, &problem) == RESULT_OK);
	second = explained(path);
	g_assert(strcmp(first, second) == 0);
	differs = config_awaiting_restart(config, &again);
	g_assert(differs == NULL);
	g_assert(again.log_level == config->log_level && again.log_format == config->log_format);
	config_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("headcount.conf", data, size);
	struct problem problem = {.detail = ""};
	struct config config;
	enum result result = config_read(path, &config, &problem);

	if (result == RESULT_OK) {
		check_accepted(path, &config);
		config_clear(&config);
	} else {
		g_assert(result == RESULT_INVALID &&
			 strstr(problem.detail, "headcount.conf") != NULL);
	}
	return 0;
}
