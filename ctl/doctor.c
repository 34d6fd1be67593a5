#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "reach.h"

#define NAME_WIDTH 15
#define LEVEL_WIDTH 8
#define BROKER_PATIENCE_S 5

static const char *const levels[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_UNKNOWN] = "unknown",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_ERROR] = "error",
};

struct finding {
	const char *check;
	enum doctor_level level;
	char *found, *remedy;
};

static void clear_finding(gpointer data)
{
	struct finding *finding = data;

	g_free(finding->found);
	g_free(finding->remedy);
}

void doctor_say(struct doctor *doctor, enum doctor_level level, const char *remedy,
		const char *format, ...)
{
	struct finding finding = {doctor->check, level, NULL, g_strdup(remedy)};
	va_list arguments;

	va_start(arguments, format);
	finding.found = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_array_append_val(doctor->findings, finding);
}

bool doctor_is_here(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       g_str_has_prefix(host, "127.");
}

/* What the others need */

static void check_configuration(struct doctor *doctor)
{
	struct problem problem;

	if (session_configure(doctor->session, &problem) == RESULT_OK)
		doctor_say(doctor, DOCTOR_OK, NULL, "it is complete, and every value is possible");
	else
		doctor_say(doctor, DOCTOR_ERROR,
			   "mend that line; headcount-gateway --print-config explains every key",
			   "%s", problem.detail);
}

static void keep_retained(void *context, const char *topic, const char *payload, size_t size)
{
	struct doctor *doctor = context;
	const char *why;

	if (g_str_has_suffix(topic, "/status")) {
		g_free(doctor->gateway_status);
		doctor->gateway_status = g_strndup(payload, size);
	} else if (g_str_has_suffix(topic, "/health")) {
		json_free(doctor->gateway_health);
		doctor->gateway_health = json_read(payload, size, &why);
	}
}

static void check_broker(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	g_autofree char *filter = g_strdup_printf("gateway/%s/+", config->client_id);
	struct broker *broker = NULL;
	struct problem problem;

	if (!reach_check(config->broker_host, config->broker_port, &problem)) {
		doctor_say(doctor, DOCTOR_ERROR,
			   "start it (systemctl start mosquitto), or set [broker] host and port to "
			   "where it is",
			   "%s", problem.detail);
		return;
	}
	if (broker_open(config, &broker, &problem) != RESULT_OK) {
		doctor_say(doctor, DOCTOR_ERROR,
			   "check [broker] username, password_file and ca_file, and what the "
			   "broker's log says of this login",
			   "%s", problem.detail);
		return;
	}
	broker_set_patience(broker, BROKER_PATIENCE_S);
	if (broker_read_retained(broker, filter, keep_retained, doctor) != RESULT_OK) {
		doctor_say(doctor, DOCTOR_ERROR, "see the broker's log", "%s", broker_why(broker));
		broker_close(broker);
		return;
	}
	doctor->session->broker = broker;
	doctor_say(doctor, DOCTOR_OK, NULL, "%s:%" G_GINT64_FORMAT " lets '%s' in",
		   config->broker_host, config->broker_port,
		   *config->broker_username != '\0' ? config->broker_username : BROKER_LOGIN);
}

/* The table */

enum need { NEEDS_NOTHING, NEEDS_CONFIGURATION, NEEDS_BROKER, NEEDS_DATABASE };

/* clang-format off */
static const struct check {
	const char *name;
	enum need need;
	doctor_check *look;
	bool deep; /* only when asked for */
} checks[] = {
	{"configuration",   NEEDS_NOTHING,       check_configuration,    false},
	{"secrets",         NEEDS_CONFIGURATION, doctor_secrets,         false},
	{"broker",          NEEDS_CONFIGURATION, check_broker,           false},
	{"tls",             NEEDS_CONFIGURATION, doctor_tls,             false},
	{"gateway",         NEEDS_BROKER,        doctor_gateway,         false},
	{"rights",          NEEDS_BROKER,        doctor_rights,          false},
	{"broker-settings", NEEDS_CONFIGURATION, doctor_broker_settings, false},
	{"http",            NEEDS_CONFIGURATION, doctor_http,            false},
	{"database",        NEEDS_CONFIGURATION, doctor_database,        false},
	{"integrity",       NEEDS_DATABASE,      doctor_integrity,       false},
	{"counts",          NEEDS_DATABASE,      doctor_counts,          true},
	{"open-files",      NEEDS_CONFIGURATION, doctor_open_files,      false},
	{"wal",             NEEDS_DATABASE,      doctor_wal,             false},
	{"rejected",        NEEDS_DATABASE,      doctor_rejected,        false},
	{"retention",       NEEDS_DATABASE,      doctor_retention,       false},
	{"disk",            NEEDS_CONFIGURATION, doctor_disk,            false},
	{"file-system",     NEEDS_CONFIGURATION, doctor_file_system,     false},
	{"clock",           NEEDS_NOTHING,       doctor_clock,           false},
	{"dpu-clocks",      NEEDS_DATABASE,      doctor_dpu_clocks,      false},
};
/* clang-format on */

/* What is missing for it; NULL: nothing. */
static const char *lack(const struct doctor *doctor, enum need need)
{
	const struct session *session = doctor->session;

	if (need >= NEEDS_CONFIGURATION && session->config.database == NULL)
		return "the configuration can't be read";
	if (need == NEEDS_BROKER && session->broker == NULL)
		return "there is no connection to the broker";
	if (need == NEEDS_DATABASE && session->store == NULL)
		return "the database can't be read";
	return NULL;
}

static void look(struct doctor *doctor, const struct check *check)
{
	const char *missing = lack(doctor, check->need);

	doctor->check = check->name;
	if (check->deep && !doctor->deep)
		return;
	if (missing == NULL)
		check->look(doctor);
	else
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL, "not looked at: %s", missing);
}

/* Reporting */

static void print_finding(const struct finding *finding)
{
	printf("%-*s %-*s %s\n", LEVEL_WIDTH, levels[finding->level], NAME_WIDTH, finding->check,
	       finding->found);
	if (finding->remedy != NULL)
		printf("%*s -> %s\n", LEVEL_WIDTH + 1 + NAME_WIDTH, "", finding->remedy);
}

static void print_report(const struct doctor *doctor)
{
	guint counts[G_N_ELEMENTS(levels)] = {0};

	for (guint i = 0; i < doctor->findings->len; i++) {
		const struct finding *finding = &g_array_index(doctor->findings, struct finding, i);

		counts[finding->level]++;
		print_finding(finding);
	}
	printf("\n%u errors, %u warnings, %u in order, %u could not be looked at\n",
	       counts[DOCTOR_ERROR], counts[DOCTOR_WARNING], counts[DOCTOR_OK],
	       counts[DOCTOR_UNKNOWN]);
}

static void print_json(const struct doctor *doctor, bool healthy)
{
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_boolean(json, "healthy", healthy);
	json_begin_array(json, "findings");
	for (guint i = 0; i < doctor->findings->len; i++) {
		const struct finding *finding = &g_array_index(doctor->findings, struct finding, i);

		json_begin_object(json, NULL);
		json_add_text(json, "check", finding->check);
		json_add_text(json, "level", levels[finding->level]);
		json_add_text(json, "found", finding->found);
		json_add_text(json, "remedy", finding->remedy);
		json_end_object(json);
	}
	json_end_array(json);
	json_end_object(json);
	puts(json->str);
}

static bool is_healthy(const struct doctor *doctor)
{
	for (guint i = 0; i < doctor->findings->len; i++) {
		if (g_array_index(doctor->findings, struct finding, i).level >= DOCTOR_WARNING)
			return false;
	}
	return true;
}

enum exit_code doctor_run(struct session *session)
{
	struct doctor doctor = {.session = session};
	const GOptionEntry entries[] = {
		{"deep", 0, 0, G_OPTION_ARG_NONE, &doctor.deep,
		 "Read the whole database, however long it takes, and compare all counts with the "
		 "crossings",
		 NULL},
		G_OPTION_ENTRY_NULL,
	};
	bool healthy;

	if (!session_read_arguments(session, entries))
		return EXIT_USAGE;
	doctor.findings = g_array_new(FALSE, FALSE, sizeof(struct finding));
	g_array_set_clear_func(doctor.findings, clear_finding);
	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
		look(&doctor, &checks[i]);
	healthy = is_healthy(&doctor);
	if (session->json)
		print_json(&doctor, healthy);
	else
		print_report(&doctor);
	g_array_unref(doctor.findings);
	g_free(doctor.gateway_status);
	json_free(doctor.gateway_health);
	return healthy ? EXIT_DONE : EXIT_REFUSED;
}
