#include "config.h"

#include <assert.h>
#include <glib.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "json.h"
#include "secret.h"

#define DEFAULT_PATH "/etc/headcount/headcount.conf"
#define DROP_INS "conf.d"     /* beside the file */
#define VARIABLE "HEADCOUNT_" /* what the variables of keys begin with */
#define PATH_VARIABLE VARIABLE "CONFIG"
#define RELOADABLE "log"      /* the group that is read again on SIGHUP */
#define NAME_LONGEST 64       /* of a group, key or variable */
#define SUGGESTION_DISTANCE 4 /* more letters apart is no misspelling */
#define ABBREVIATION_LEAST 4  /* so many letters of a name's beginning suggest it */

enum type {
	TYPE_TEXT,    /* char *, may be empty */
	TYPE_NAME,    /* char *, not empty */
	TYPE_ID,      /* char *, 1-64 characters of A-Z a-z 0-9 . _ : - */
	TYPE_INTEGER, /* int64_t within min…max */
	TYPE_BOOLEAN, /* bool */
	TYPE_LEVEL,   /* enum log_level */
	TYPE_FORMAT,  /* enum log_format */
};

struct key {
	const char *group, *name;
	enum type type;
	size_t offset;     /* within struct config */
	const char *value; /* the default, as a file would have it */
	int64_t min, max;
	const char *comment;
};

/* clang-format off */
static const struct key keys[] = {
	{"broker", "host", TYPE_NAME, offsetof(struct config, broker_host), "localhost", 0, 0,
		"Name or address of the MQTT broker."},
	{"broker", "port", TYPE_INTEGER, offsetof(struct config, broker_port), "1883", 1, 65535,
		"Its port: by custom 1883, or 8883 with TLS."},
	{"broker", "username", TYPE_TEXT, offsetof(struct config, broker_username), "", 0, 0,
		"Whom to log in as; empty: each program by its own name, headcount-gateway, headcount-api or\n"
		"headcount-ctl (the command line)."},
	{"broker", "password_file", TYPE_TEXT, offsetof(struct config, broker_password_file), "", 0, 0,
		"File whose first line is the password; empty: none. %u in it stands for the username. It must not be\n"
		"open to everybody (chmod o-rwx)."},
	{"broker", "ca_file", TYPE_TEXT, offsetof(struct config, broker_ca_file), "", 0, 0,
		"Certificates (PEM) that the broker's own must go back to; empty: no TLS."},
	{"broker", "certificate_file", TYPE_TEXT, offsetof(struct config, broker_certificate_file), "", 0, 0,
		"Certificate (PEM) to show to a broker that asks for one; empty: none. %u as above."},
	{"broker", "key_file", TYPE_TEXT, offsetof(struct config, broker_key_file), "", 0, 0,
		"Its key. %u as above."},
	{"broker", "access_dir", TYPE_NAME, offsetof(struct config, broker_access_dir),
		"/etc/mosquitto/headcount", 0, 0,
		"Folder where `headcount broker-setup` keeps who may do what, for `headcount dpu add --password`."},
	{"store", "database", TYPE_NAME, offsetof(struct config, database),
		"/var/lib/headcount/headcount.db", 0, 0,
		"The SQLite database. Its folder must be on a local disk, not on a network share."},
	{"store", "rejected_max", TYPE_INTEGER, offsetof(struct config, rejected_max), "1000000",
		0, 1000000000,
		"How many rejected events are kept; the oldest go first."},
	{"store", "audit_max", TYPE_INTEGER, offsetof(struct config, audit_max), "1000000",
		1, 1000000000,
		"How many commands the audit remembers (who, what, when, from where); the oldest go first."},
	{"gateway", "client_id", TYPE_ID, offsetof(struct config, client_id), "headcount-gateway", 0, 0,
		"The gateway's MQTT client id. The broker keeps what is undelivered under this name:\n"
		"two gateways of one broker must differ, and one gateway must not change it."},
	{"gateway", "batch_items", TYPE_INTEGER, offsetof(struct config, batch_items), "20000", 1, 30000,
		"How many messages or events are stored in one transaction at most."},
	{"gateway", "publish_interval_ms", TYPE_INTEGER, offsetof(struct config, publish_interval_ms),
		"200", 0, 3600000,
		"A space's count is published at once, but not again before this many milliseconds."},
	{"gateway", "max_clock_skew_ms", TYPE_INTEGER, offsetof(struct config, max_clock_skew_ms),
		"300000", 0, 86400000,
		"How far a DPU's clock may be ahead (milliseconds) before its events are rejected."},
	{"gateway", "confirm_stored", TYPE_BOOLEAN, offsetof(struct config, confirm_stored), "false", 0, 0,
		"Whether to publish dpu/<id>/stored, for DPUs that keep events until they are on disk."},
	{"gateway", "metrics_port", TYPE_INTEGER, offsetof(struct config, metrics_port), "0", 0, 65535,
		"Port on 127.0.0.1 where Prometheus finds the gateway's metrics, such as 9464; 0: none."},
	{"gateway", "home_assistant", TYPE_BOOLEAN, offsetof(struct config, home_assistant), "false", 0, 0,
		"Whether Home Assistant finds the spaces by itself (MQTT discovery). Switched off again, what it was told\n"
		"is taken back."},
	{"gateway", "home_assistant_prefix", TYPE_ID, offsetof(struct config, home_assistant_prefix),
		"homeassistant", 0, 0,
		"Its discovery prefix, if it was given another one there; mosquitto.acl names it, too. Switch off first before\n"
		"this is changed: what was told stays where it was told."},
	{"api", "address", TYPE_NAME, offsetof(struct config, api_address), "127.0.0.1", 0, 0,
		"Address that the HTTP side listens on."},
	{"api", "port", TYPE_INTEGER, offsetof(struct config, api_port), "8080", 1, 65535,
		"Port that it listens on."},
	{"api", "anonymous_read", TYPE_BOOLEAN, offsetof(struct config, anonymous_read), "false", 0, 0,
		"Whether everybody who reaches it may read counts without a token."},
	{"api", "token_file", TYPE_NAME, offsetof(struct config, token_file),
		"/etc/headcount/tokens", 0, 0,
		"Who else may do what: the file that `headcount token` makes. Read again when it changes."},
	{"api", "web_dir", TYPE_TEXT, offsetof(struct config, web_dir), "", 0, 0,
		"Folder of the pages for browsers; empty: the one that came with the program. Its files are\n"
		"read at the start, and again on SIGHUP."},
	{"api", "behind_tls", TYPE_BOOLEAN, offsetof(struct config, behind_tls), "false", 0, 0,
		"Whether people reach it through a proxy that speaks TLS: then browsers are told never to send\n"
		"the cookie of a login without TLS. See config/nginx.conf."},
	{"api", "trusted_proxies", TYPE_TEXT, offsetof(struct config, trusted_proxies), "127.0.0.1 ::1", 0, 0,
		"Addresses of such proxies, with spaces between: who asks is what they say in X-Forwarded-For. Only with\n"
		"behind_tls."},
	{"api", "certificate_file", TYPE_TEXT, offsetof(struct config, certificate_file), "", 0, 0,
		"Certificate (PEM, with those that lead to its root) for TLS without a proxy; empty: no TLS. Read again when\n"
		"it changes, and on SIGHUP."},
	{"api", "key_file", TYPE_TEXT, offsetof(struct config, key_file), "", 0, 0,
		"Its key (PEM), which others on this machine may not read; also read again."},
	{"api", "hsts_s", TYPE_INTEGER, offsetof(struct config, hsts_s), "31536000", 0, 63072000,
		"How many seconds browsers shall remember that this host, on every port, is reached by TLS only. Said with TLS\n"
		"alone, this program's or a proxy's; 0: not said."},
	{"api", "threads", TYPE_INTEGER, offsetof(struct config, threads), "4", 1, 64,
		"How many requests are answered at once; those that wait for the gateway don't count."},
	{"api", "connections", TYPE_INTEGER, offsetof(struct config, connections), "4096", 16, 100000,
		"How many connections there may be at once, live streams included."},
	{"api", "connections_per_address", TYPE_INTEGER,
		offsetof(struct config, connections_per_address), "2048", 1, 100000,
		"How many of them from one address; with behind_tls the proxy's business."},
	{"api", "failed_tokens_per_minute", TYPE_INTEGER,
		offsetof(struct config, failed_tokens_per_minute), "30", 1, 1000000,
		"How many tokens that are not known an address may send before it is told to wait."},
	{"api", "timeout_s", TYPE_INTEGER, offsetof(struct config, timeout_s), "30", 1, 3600,
		"How many seconds a request may take to arrive, and an answer may make no progress."},
	{"log", "level", TYPE_LEVEL, offsetof(struct config, log_level), "notice", 0, 0,
		"What is logged: error, warning, notice, info or debug."},
	{"log", "format", TYPE_FORMAT, offsetof(struct config, log_format), "text", 0, 0,
		"How: text, or json with time, level, program, subject and message, a line an event."},
};
/* clang-format on */

static void *member(struct config *config, const struct key *key)
{
	return (char *)config + key->offset;
}

static bool is_string(const struct key *key)
{
	return key->type == TYPE_TEXT || key->type == TYPE_NAME || key->type == TYPE_ID;
}

/* Names */

/* Levenshtein's distance of a name to a known one: how many letters to add, drop or change. */
static size_t distance(const char *a, const char *b)
{
	size_t length = strlen(b);
	size_t row[NAME_LONGEST + 1];

	assert(length <= NAME_LONGEST);
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0]++;
		for (size_t j = 0; j < length; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[length];
}

/* How far a name is from a known one. The beginning of one counts as near: "password" is "password_file". */
static size_t unlikeness(const char *name, const char *known)
{
	if (strlen(name) >= ABBREVIATION_LEAST && g_str_has_prefix(known, name))
		return 1;
	return distance(name, known);
}

/* The known key that is most like an unknown one, perhaps of another group; with a NULL name, a key of the group that
 * is most like an unknown one. */
static const struct key *most_like(const char *group, const char *name)
{
	const struct key *best = NULL;
	size_t least = SUGGESTION_DISTANCE + 1;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		size_t away = name == NULL ? distance(group, keys[i].group)
					   : unlikeness(name, keys[i].name) +
						     (strcmp(group, keys[i].group) != 0);
		if (away < least) {
			least = away;
			best = &keys[i];
		}
	}
	return best;
}

static enum result unknown_group(const char *path, const char *group,
				 struct problem *reterr_problem)
{
	const struct key *like = most_like(group, NULL);

	if (like == NULL)
		return problem_set(reterr_problem, RESULT_INVALID, group,
				   "%s: [%s]: no such group; --print-config prints all", path,
				   group);
	return problem_set(reterr_problem, RESULT_INVALID, group,
			   "%s: [%s]: no such group; did you mean [%s]?", path, group, like->group);
}

static enum result unknown_key(const char *path, const char *group, const char *name,
			       struct problem *reterr_problem)
{
	const struct key *like = most_like(group, name);

	if (like == NULL)
		return problem_set(reterr_problem, RESULT_INVALID, name,
				   "%s: [%s] %s: no such key; --print-config prints all", path,
				   group, name);
	return problem_set(reterr_problem, RESULT_INVALID, name,
			   "%s: [%s] %s: no such key; did you mean %s in [%s]?", path, group, name,
			   like->name, like->group);
}

static bool is_known(const char *group, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(keys[i].group, group) == 0 &&
		    (name == NULL || strcmp(keys[i].name, name) == 0))
			return true;
	}
	return false;
}

static enum result check_names(const char *path, GKeyFile *file, struct problem *reterr_problem)
{
	g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

	for (char **group = groups; *group != NULL; group++) {
		g_auto(GStrv) names = g_key_file_get_keys(file, *group, NULL, NULL);
		if (!is_known(*group, NULL))
			return unknown_group(path, *group, reterr_problem);
		for (char **name = names; *name != NULL; name++) {
			if (!is_known(*group, *name))
				return unknown_key(path, *group, *name, reterr_problem);
		}
	}
	return RESULT_OK;
}

/* Values */

/* UTF-8 without control characters: what can be shown, and written to a file, on one line. */
static bool is_line(const char *text)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	for (; *text != '\0'; text = g_utf8_next_char(text)) {
		if (g_unichar_iscntrl(g_utf8_get_char(text)))
			return false;
	}
	return true;
}

static bool parse_string(const struct key *key, const char *text, char **ret_string)
{
	if (!is_line(text))
		return false;
	if (key->type == TYPE_NAME && *text == '\0')
		return false;
	if (key->type == TYPE_ID && !json_is_id(text, strlen(text)))
		return false;
	g_free(*ret_string);
	*ret_string = g_strdup(text);
	return true;
}

static bool parse_boolean(const char *text, bool *ret_value)
{
	*ret_value = strcmp(text, "true") == 0;
	return *ret_value || strcmp(text, "false") == 0;
}

static bool parse(const struct key *key, const char *text, void *ret_value)
{
	switch (key->type) {
	case TYPE_INTEGER:
		return g_ascii_string_to_signed(text, 10, key->min, key->max, ret_value, NULL);
	case TYPE_BOOLEAN:
		return parse_boolean(text, ret_value);
	case TYPE_LEVEL:
		return log_level_find(text, ret_value);
	case TYPE_FORMAT:
		return log_format_find(text, ret_value);
	default:
		return parse_string(key, text, ret_value);
	}
}

static char *expected(const struct key *key)
{
	static const char *const words[] = {
		[TYPE_TEXT] = "a text without control characters",
		[TYPE_NAME] = "a text that is not empty, without control characters",
		[TYPE_ID] = "1-64 characters of A-Z a-z 0-9 . _ : -",
		[TYPE_BOOLEAN] = "true or false",
		[TYPE_LEVEL] = "error, warning, notice, info or debug",
		[TYPE_FORMAT] = "text or json",
	};

	if (key->type != TYPE_INTEGER)
		return g_strdup(words[key->type]);
	return g_strdup_printf("a number from %" PRId64 " to %" PRId64, key->min, key->max);
}

static bool same_value(const struct key *key, const void *a, const void *b)
{
	static const size_t sizes[] = {
		[TYPE_INTEGER] = sizeof(int64_t),
		[TYPE_BOOLEAN] = sizeof(bool),
		[TYPE_LEVEL] = sizeof(enum log_level),
		[TYPE_FORMAT] = sizeof(enum log_format),
	};

	if (is_string(key))
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	return memcmp(a, b, sizes[key->type]) == 0;
}

/* Layers: the defaults, files, variables; what comes later wins */

struct setting {
	char *text;
	char *source;
};

struct reading {
	struct config config;
	struct setting settings[G_N_ELEMENTS(keys)];
};

static void clear_reading(struct reading *reading)
{
	config_clear(&reading->config);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_clear_pointer(&reading->settings[i].text, g_free);
		g_clear_pointer(&reading->settings[i].source, g_free);
	}
}

/* `place` is where the text stands, for who has to mend it; a NULL text is no text at all. */
static enum result take(struct reading *reading, size_t index, const char *text, const char *source,
			const char *place, struct problem *reterr_problem)
{
	const struct key *key = &keys[index];
	struct setting *setting = &reading->settings[index];
	g_autofree char *stripped = text != NULL ? g_strstrip(g_strdup(text)) : NULL;
	g_autofree char *wanted = NULL;

	if (stripped != NULL && parse(key, stripped, member(&reading->config, key))) {
		g_free(setting->text);
		g_free(setting->source);
		*setting = (struct setting){g_steal_pointer(&stripped), g_strdup(source)};
		return RESULT_OK;
	}
	wanted = expected(key);
	return problem_set(reterr_problem, RESULT_INVALID, key->name, "%s: must be %s, not '%s'",
			   place, wanted, stripped != NULL ? stripped : "");
}

static enum result take_defaults(struct reading *reading, struct problem *reterr_problem)
{
	enum result result = RESULT_OK;

	for (size_t i = 0; result == RESULT_OK && i < G_N_ELEMENTS(keys); i++)
		result = take(reading, i, keys[i].value, "default", "default", reterr_problem);
	return result;
}

/* Files */

/* Loads the file to be read into an empty GKeyFile, which stays empty if there is no file to be read. */
static enum result load(const char *path, bool must_exist, GKeyFile *file,
			struct problem *reterr_problem)
{
	g_autoptr(GError) error = NULL;

	if (g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error))
		return RESULT_OK;
	if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return problem_set(reterr_problem, RESULT_INVALID, "", "%s: %s", path,
				   error->message);
	if (must_exist)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "", "%s: no such file", path);
	return RESULT_OK;
}

static enum result take_from_file(struct reading *reading, size_t index, GKeyFile *file,
				  const char *path, struct problem *reterr_problem)
{
	const struct key *key = &keys[index];
	g_autofree char *text = NULL;
	g_autofree char *place = NULL;

	if (!g_key_file_has_key(file, key->group, key->name, NULL))
		return RESULT_OK;
	text = g_key_file_get_string(file, key->group, key->name, NULL);
	place = g_strdup_printf("%s: [%s] %s", path, key->group, key->name);
	return take(reading, index, text, path, place, reterr_problem);
}

static enum result take_file(struct reading *reading, const char *path, bool must_exist,
			     struct problem *reterr_problem)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	enum result result = load(path, must_exist, file, reterr_problem);

	if (result == RESULT_OK)
		result = check_names(path, file, reterr_problem);
	for (size_t i = 0; result == RESULT_OK && i < G_N_ELEMENTS(keys); i++)
		result = take_from_file(reading, i, file, path, reterr_problem);
	return result;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What editors and package tools leave beside a file begins with a dot, or ends otherwise. */
static bool is_drop_in(const char *name)
{
	return *name != '.' && g_str_has_suffix(name, ".conf");
}

static GPtrArray *list_drop_ins(const char *folder, GDir *directory)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while ((name = g_dir_read_name(directory)) != NULL) {
		if (is_drop_in(name))
			g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
	}
	g_ptr_array_sort(paths, by_name);
	return paths;
}

static enum result take_drop_ins(struct reading *reading, const char *beside,
				 struct problem *reterr_problem)
{
	g_autofree char *parent = g_path_get_dirname(beside);
	g_autofree char *folder = g_build_filename(parent, DROP_INS, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) directory = g_dir_open(folder, 0, &error);
	g_autoptr(GPtrArray) paths = NULL;
	enum result result = RESULT_OK;

	if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return RESULT_OK;
	if (directory == NULL)
		return problem_set(reterr_problem, RESULT_INVALID, "", "%s", error->message);
	paths = list_drop_ins(folder, directory);
	for (guint i = 0; result == RESULT_OK && i < paths->len; i++)
		result = take_file(reading, g_ptr_array_index(paths, i), true, reterr_problem);
	return result;
}

/* Variables */

static char *variable_of(const struct key *key)
{
	g_autofree char *name = g_strdup_printf(VARIABLE "%s_%s", key->group, key->name);

	return g_ascii_strup(name, -1);
}

/* What the unknown name was probably to be; NULL if nothing is alike. */
static char *variable_like(const char *name)
{
	char *best = NULL;
	size_t least = SUGGESTION_DISTANCE + 1;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *known = variable_of(&keys[i]);
		size_t away = unlikeness(name + strlen(VARIABLE), known + strlen(VARIABLE));

		if (away < least) {
			least = away;
			g_free(best);
			best = g_steal_pointer(&known);
		}
	}
	return best;
}

static bool names_group(const char *variable)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *start = g_strdup_printf(VARIABLE "%s_", keys[i].group);

		if (g_ascii_strncasecmp(variable, start, strlen(start)) == 0)
			return true;
	}
	return false;
}

/* What is neither of a group nor like a key is somebody else's: tests have such variables, and a container has
 * HEADCOUNT_SERVICE_HOST if a service is called headcount. */
static enum result check_unknown(const char *variable, struct problem *reterr_problem)
{
	g_autofree char *like = variable_like(variable);

	if (like != NULL)
		return problem_set(reterr_problem, RESULT_INVALID, variable,
				   "%s: no key has such a variable; did you mean %s?", variable,
				   like);
	if (names_group(variable))
		return problem_set(reterr_problem, RESULT_INVALID, variable,
				   "%s: no key has such a variable; --print-config prints all keys",
				   variable);
	return RESULT_OK;
}

static enum result take_variable(struct reading *reading, const char *variable,
				 struct problem *reterr_problem)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *known = variable_of(&keys[i]);

		if (strcmp(variable, known) == 0)
			return take(reading, i, g_getenv(variable), variable, variable,
				    reterr_problem);
	}
	return check_unknown(variable, reterr_problem);
}

static enum result take_variables(struct reading *reading, struct problem *reterr_problem)
{
	g_auto(GStrv) names = g_listenv();
	enum result result = RESULT_OK;

	for (char **name = names; result == RESULT_OK && *name != NULL; name++) {
		if (g_str_has_prefix(*name, VARIABLE) && strcmp(*name, PATH_VARIABLE) != 0)
			result = take_variable(reading, *name, reterr_problem);
	}
	return result;
}

/* All of it */

static enum result read_layers(const char *path, struct reading *ret_reading,
			       struct problem *reterr_problem)
{
	struct reading reading = {0};
	const char *given = path != NULL ? path : g_getenv(PATH_VARIABLE);
	const char *used = given != NULL ? given : DEFAULT_PATH;
	enum result result = take_defaults(&reading, reterr_problem);

	if (result == RESULT_OK)
		result = take_file(&reading, used, given != NULL, reterr_problem);
	if (result == RESULT_OK)
		result = take_drop_ins(&reading, used, reterr_problem);
	if (result == RESULT_OK)
		result = take_variables(&reading, reterr_problem);
	if (result != RESULT_OK)
		clear_reading(&reading);
	else
		*ret_reading = reading;
	return result;
}

enum result config_read(const char *path, struct config *ret_config, struct problem *reterr_problem)
{
	struct reading reading;
	enum result result = read_layers(path, &reading, reterr_problem);

	if (result != RESULT_OK)
		return result;
	*ret_config = reading.config;
	reading.config = (struct config){0};
	clear_reading(&reading);
	return RESULT_OK;
}

enum result config_explain(const char *path, config_visit *visit, void *context,
			   struct problem *reterr_problem)
{
	struct reading reading;
	enum result result = read_layers(path, &reading, reterr_problem);

	if (result != RESULT_OK)
		return result;
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		visit(context, keys[i].group, keys[i].name, reading.settings[i].text,
		      reading.settings[i].source);
	clear_reading(&reading);
	return RESULT_OK;
}

static bool is_reloadable(const struct key *key)
{
	return strcmp(key->group, RELOADABLE) == 0;
}

char *config_awaiting_restart(const struct config *in_force, const struct config *fresh)
{
	GString *names = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		size_t offset = keys[i].offset;

		if (is_reloadable(&keys[i]) || same_value(&keys[i], (const char *)in_force + offset,
							  (const char *)fresh + offset))
			continue;
		g_string_append_printf(names, "%s[%s] %s", names->len > 0 ? ", " : "",
				       keys[i].group, keys[i].name);
	}
	return g_string_free(names, names->len == 0);
}

void config_clear(struct config *config)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (is_string(&keys[i]))
			g_clear_pointer((char **)member(config, &keys[i]), g_free);
	}
}

static void print_comment(FILE *out, const struct key *key)
{
	g_autofree char *comment =
		g_strconcat(key->comment, is_reloadable(key) ? " Read again on SIGHUP." : "", NULL);
	g_auto(GStrv) lines = g_strsplit(comment, "\n", -1);

	for (char **line = lines; *line != NULL; line++)
		fprintf(out, "# %s\n", *line);
}

void config_print(FILE *out)
{
	const char *group = "";

	fprintf(out, "# The configuration of headcount, with every key at its default.\n");
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(group, keys[i].group) != 0)
			fprintf(out, "\n[%s]\n", keys[i].group);
		group = keys[i].group;
		print_comment(out, &keys[i]);
		fprintf(out, "%s=%s\n", keys[i].name, keys[i].value);
	}
}

/* Logging in to the broker */

/* A file's name with the username for each %u; NULL if it is empty. */
static char *file_of(const char *pattern, const char *username)
{
	g_auto(GStrv) parts = g_strsplit(pattern, "%u", -1);

	return *pattern != '\0' ? g_strjoinv(username, parts) : NULL;
}

/* What only TLS carries makes no sense without it: better said than sent in the clear to somebody else. */
static enum result check_certificate(const struct config *config, struct problem *reterr_problem)
{
	bool cert = *config->broker_certificate_file != '\0',
	     key = *config->broker_key_file != '\0';

	if (cert != key)
		return problem_set(reterr_problem, RESULT_INVALID, "certificate_file",
				   "[broker] certificate_file and key_file: one needs the other");
	if (cert && *config->broker_ca_file == '\0')
		return problem_set(reterr_problem, RESULT_INVALID, "ca_file",
				   "[broker] certificate_file needs ca_file, too");
	return RESULT_OK;
}

enum result config_login(const struct config *config, const char *program,
			 struct credentials *ret_credentials, struct problem *reterr_problem)
{
	const char *username = *config->broker_username != '\0' ? config->broker_username : program;
	g_autofree char *password_file = file_of(config->broker_password_file, username);
	g_autofree char *password = NULL;
	enum result result = check_certificate(config, reterr_problem);

	if (result == RESULT_OK && password_file != NULL)
		result = secret_read(password_file, "password_file", &password, reterr_problem);
	if (result != RESULT_OK)
		return result;
	*ret_credentials = (struct credentials){
		.username = g_strdup(username),
		.password = g_steal_pointer(&password),
		.ca_file = file_of(config->broker_ca_file, username),
		.certificate_file = file_of(config->broker_certificate_file, username),
		.key_file = file_of(config->broker_key_file, username),
	};
	return RESULT_OK;
}

void credentials_clear(struct credentials *credentials)
{
	if (credentials->password != NULL)
		explicit_bzero(credentials->password, strlen(credentials->password));
	g_free(credentials->username);
	g_free(credentials->password);
	g_free(credentials->ca_file);
	g_free(credentials->certificate_file);
	g_free(credentials->key_file);
	*credentials = (struct credentials){0};
}
