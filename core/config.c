#include "config.h"

#include <assert.h>
#include <glib.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "json.h"

#define DEFAULT_PATH "/etc/headcount/headcount.conf"
#define NAME_LONGEST 32       /* of a group or key */
#define SUGGESTION_DISTANCE 4 /* more letters apart is no misspelling */

enum type {
	TYPE_TEXT,    /* char *, may be empty */
	TYPE_NAME,    /* char *, not empty */
	TYPE_ID,      /* char *, 1-64 characters of A-Z a-z 0-9 . _ : - */
	TYPE_INTEGER, /* int64_t within min…max */
	TYPE_BOOLEAN, /* bool */
	TYPE_LEVEL,   /* enum log_level */
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
		"Whom to log in as; empty: nobody."},
	{"broker", "password_file", TYPE_TEXT, offsetof(struct config, broker_password_file), "", 0, 0,
		"File whose first line is the password; empty: none."},
	{"broker", "ca_file", TYPE_TEXT, offsetof(struct config, broker_ca_file), "", 0, 0,
		"Certificates (PEM) that the broker's own must go back to; empty: no TLS."},
	{"store", "database", TYPE_NAME, offsetof(struct config, database),
		"/var/lib/headcount/headcount.db", 0, 0,
		"The SQLite database. Its folder must be on a local disk, not on a network share."},
	{"store", "rejected_max", TYPE_INTEGER, offsetof(struct config, rejected_max), "1000000",
		0, 1000000000,
		"How many rejected events are kept; the oldest go first."},
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
		"the cookie of a login without TLS."},
	{"api", "threads", TYPE_INTEGER, offsetof(struct config, threads), "4", 1, 64,
		"How many requests are answered at once; those that wait for the gateway don't count."},
	{"api", "connections", TYPE_INTEGER, offsetof(struct config, connections), "4096", 16, 100000,
		"How many connections there may be at once, live streams included."},
	{"api", "connections_per_address", TYPE_INTEGER,
		offsetof(struct config, connections_per_address), "2048", 1, 100000,
		"How many of them from one address. Behind a proxy that is all of them."},
	{"api", "timeout_s", TYPE_INTEGER, offsetof(struct config, timeout_s), "30", 1, 3600,
		"How many seconds a request may take to arrive, and an answer may make no progress."},
	{"log", "level", TYPE_LEVEL, offsetof(struct config, log_level), "notice", 0, 0,
		"What is logged: error, warning, notice, info or debug. Read again on SIGHUP."},
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

/* The known key that is most like an unknown one, perhaps of another group; with a NULL name, a key of the group that
 * is most like an unknown one. */
static const struct key *most_like(const char *group, const char *name)
{
	const struct key *best = NULL;
	size_t least = SUGGESTION_DISTANCE + 1;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		size_t away = name == NULL ? distance(group, keys[i].group)
					   : distance(name, keys[i].name) +
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

static bool parse_string(const struct key *key, const char *text, char **ret_string)
{
	if (key->type == TYPE_NAME && *text == '\0')
		return false;
	if (key->type == TYPE_ID && !json_is_id(text, strlen(text)))
		return false;
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
	if (is_string(key))
		return parse_string(key, text, ret_value);
	if (key->type == TYPE_INTEGER)
		return g_ascii_string_to_signed(text, 10, key->min, key->max, ret_value, NULL);
	if (key->type == TYPE_BOOLEAN)
		return parse_boolean(text, ret_value);
	return log_level_find(text, ret_value);
}

static char *expected(const struct key *key)
{
	static const char *const words[] = {
		[TYPE_TEXT] = "a text",
		[TYPE_NAME] = "a text that is not empty",
		[TYPE_ID] = "1-64 characters of A-Z a-z 0-9 . _ : -",
		[TYPE_BOOLEAN] = "true or false",
		[TYPE_LEVEL] = "error, warning, notice, info or debug",
	};

	if (key->type != TYPE_INTEGER)
		return g_strdup(words[key->type]);
	return g_strdup_printf("a number from %" PRId64 " to %" PRId64, key->min, key->max);
}

static enum result read_value(const char *path, GKeyFile *file, const struct key *key,
			      struct config *config, struct problem *reterr_problem)
{
	g_autofree char *text = g_key_file_get_string(file, key->group, key->name, NULL);

	if (text == NULL && !g_key_file_has_key(file, key->group, key->name, NULL))
		text = g_strdup(key->value);
	if (text != NULL && parse(key, g_strstrip(text), member(config, key)))
		return RESULT_OK;

	g_autofree char *wanted = expected(key);
	return problem_set(reterr_problem, RESULT_INVALID, key->name,
			   "%s: [%s] %s: must be %s, not '%s'", path, key->group, key->name, wanted,
			   text != NULL ? text : "");
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

enum result config_read(const char *path, struct config *ret_config, struct problem *reterr_problem)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	struct config config = {0};
	enum result result;

	if (path == NULL)
		path = g_getenv("HEADCOUNT_CONFIG");
	result = load(path != NULL ? path : DEFAULT_PATH, path != NULL, file, reterr_problem);
	if (path == NULL)
		path = DEFAULT_PATH;
	if (result == RESULT_OK)
		result = check_names(path, file, reterr_problem);
	for (size_t i = 0; result == RESULT_OK && i < G_N_ELEMENTS(keys); i++)
		result = read_value(path, file, &keys[i], &config, reterr_problem);
	if (result != RESULT_OK) {
		config_clear(&config);
		return result;
	}
	*ret_config = config;
	return RESULT_OK;
}

void config_clear(struct config *config)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (is_string(&keys[i]))
			g_clear_pointer((char **)member(config, &keys[i]), g_free);
	}
}

static void print_comment(FILE *out, const char *comment)
{
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
		print_comment(out, keys[i].comment);
		fprintf(out, "%s=%s\n", keys[i].name, keys[i].value);
	}
}

enum result config_password(const struct config *config, char **ret_password,
			    struct problem *reterr_problem)
{
	const char *path = config->broker_password_file;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	*ret_password = NULL;
	if (*path == '\0')
		return RESULT_OK;
	if (!g_file_get_contents(path, &text, NULL, &error))
		return problem_set(reterr_problem, RESULT_NOT_FOUND, "password_file", "%s",
				   error->message);
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '\0')
		return problem_set(reterr_problem, RESULT_INVALID, "password_file",
				   "%s: the first line must be the password; it is empty", path);
	*ret_password = g_steal_pointer(&text);
	return RESULT_OK;
}
