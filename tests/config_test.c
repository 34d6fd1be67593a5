#include "config.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

struct fixture {
	char *folder, *path, *drop_ins;
	struct config config;
	struct problem problem;
};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	*fixture = (struct fixture){0};
	fixture->folder = g_dir_make_tmp("headcount-config-XXXXXX", NULL);
	fixture->path = g_build_filename(fixture->folder, "test.conf", NULL);
	fixture->drop_ins = g_build_filename(fixture->folder, "conf.d", NULL);
	g_assert_nonnull(fixture->folder);
	g_unsetenv("HEADCOUNT_CONFIG");
}

static void remove_drop_ins(const char *folder)
{
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	const char *name;

	while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_remove(path);
	}
	g_rmdir(folder);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	config_clear(&fixture->config);
	g_unsetenv("HEADCOUNT_CONFIG");
	g_remove(fixture->path);
	remove_drop_ins(fixture->drop_ins);
	g_rmdir(fixture->folder);
	g_free(fixture->path);
	g_free(fixture->drop_ins);
	g_free(fixture->folder);
}

static enum result read_text(struct fixture *fixture, const char *text)
{
	g_assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
	return config_read(fixture->path, &fixture->config, &fixture->problem);
}

static void write_drop_in(struct fixture *fixture, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(fixture->drop_ins, name, NULL);

	g_mkdir_with_parents(fixture->drop_ins, 0700);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_problem(const struct fixture *fixture, const char *part)
{
	g_test_message("%s", fixture->problem.detail);
	g_assert_nonnull(strstr(fixture->problem.detail, part));
}

static char *printed(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	config_print(out);
	fclose(out);
	return text;
}

static void assert_defaults(const struct config *config)
{
	g_assert_cmpstr(config->broker_host, ==, "localhost");
	g_assert_cmpint(config->broker_port, ==, 1883);
	g_assert_cmpstr(config->broker_username, ==, "");
	g_assert_cmpstr(config->broker_password_file, ==, "");
	g_assert_cmpstr(config->broker_ca_file, ==, "");
	g_assert_cmpstr(config->broker_certificate_file, ==, "");
	g_assert_cmpstr(config->broker_key_file, ==, "");
	g_assert_cmpstr(config->broker_access_dir, ==, "/etc/mosquitto/headcount");
	g_assert_cmpstr(config->database, ==, "/var/lib/headcount/headcount.db");
	g_assert_cmpint(config->rejected_max, ==, 1000000);
	g_assert_cmpstr(config->client_id, ==, "headcount-gateway");
	g_assert_cmpint(config->batch_items, ==, 20000);
	g_assert_cmpint(config->publish_interval_ms, ==, 200);
	g_assert_cmpint(config->max_clock_skew_ms, ==, 300000);
	g_assert_false(config->confirm_stored);
	g_assert_false(config->home_assistant);
	g_assert_cmpstr(config->home_assistant_prefix, ==, "homeassistant");
	g_assert_cmpstr(config->api_address, ==, "127.0.0.1");
	g_assert_cmpint(config->api_port, ==, 8080);
	g_assert_cmpstr(config->web_dir, ==, "");
	g_assert_false(config->behind_tls);
	g_assert_cmpint(config->log_level, ==, LOG_LEVEL_NOTICE);
	g_assert_cmpint(config->log_format, ==, LOG_FORMAT_TEXT);
}

static void an_empty_file_gives_the_defaults(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_OK);
	assert_defaults(&fixture->config);
}

static void the_printed_file_gives_the_defaults(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *text = printed();

	(void)data;
	g_assert_cmpint(read_text(fixture, text), ==, RESULT_OK);
	assert_defaults(&fixture->config);
}

static void the_installed_file_is_the_printed_one(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *text = printed();
	g_autofree char *installed = NULL;

	(void)fixture;
	(void)data;
	g_assert_true(g_file_get_contents(TEST_DATA_DIR "/../config/headcount.conf", &installed,
					  NULL, NULL));
	g_assert_cmpstr(installed, ==, text);
}

static void every_key_is_read(struct fixture *fixture, gconstpointer data)
{
	const struct config *config = &fixture->config;

	(void)data;
	g_assert_cmpint(read_text(fixture,
				  "[broker]\nhost = mq.example\nport=8883\nusername=gw\n"
				  "password_file=/p\nca_file=/c\ncertificate_file=/e\nkey_file=/k\n"
				  "access_dir=/a\n"
				  "[store]\ndatabase=/d/h.db\nrejected_max=0\naudit_max=1\n"
				  "[gateway]\nclient_id=north:1\nbatch_items=1\n"
				  "publish_interval_ms=0\nmax_clock_skew_ms=86400000\n"
				  "confirm_stored=true  \n"
				  "home_assistant=true\nhome_assistant_prefix=ha\n"
				  "[api]\naddress=::1\nport=65535\nweb_dir=/w\n"
				  "behind_tls=true\ntrusted_proxies=::2\n"
				  "certificate_file=/cert\nkey_file=/key\nhsts_s=0\n"
				  "failed_tokens_per_minute=1\n[log]\nlevel=debug\nformat=json\n"),
			==, RESULT_OK);
	g_assert_cmpstr(config->broker_host, ==, "mq.example");
	g_assert_cmpint(config->broker_port, ==, 8883);
	g_assert_cmpstr(config->broker_username, ==, "gw");
	g_assert_cmpstr(config->broker_password_file, ==, "/p");
	g_assert_cmpstr(config->broker_ca_file, ==, "/c");
	g_assert_cmpstr(config->broker_certificate_file, ==, "/e");
	g_assert_cmpstr(config->broker_key_file, ==, "/k");
	g_assert_cmpstr(config->broker_access_dir, ==, "/a");
	g_assert_cmpstr(config->database, ==, "/d/h.db");
	g_assert_cmpint(config->rejected_max, ==, 0);
	g_assert_cmpint(config->audit_max, ==, 1);
	g_assert_cmpstr(config->trusted_proxies, ==, "::2");
	g_assert_cmpstr(config->certificate_file, ==, "/cert");
	g_assert_cmpstr(config->key_file, ==, "/key");
	g_assert_cmpint(config->hsts_s, ==, 0);
	g_assert_cmpint(config->failed_tokens_per_minute, ==, 1);
	g_assert_cmpstr(config->client_id, ==, "north:1");
	g_assert_cmpint(config->batch_items, ==, 1);
	g_assert_cmpint(config->publish_interval_ms, ==, 0);
	g_assert_cmpint(config->max_clock_skew_ms, ==, 86400000);
	g_assert_true(config->confirm_stored);
	g_assert_true(config->home_assistant);
	g_assert_cmpstr(config->home_assistant_prefix, ==, "ha");
	g_assert_cmpstr(config->api_address, ==, "::1");
	g_assert_cmpint(config->api_port, ==, 65535);
	g_assert_cmpstr(config->web_dir, ==, "/w");
	g_assert_true(config->behind_tls);
	g_assert_cmpint(config->log_level, ==, LOG_LEVEL_DEBUG);
	g_assert_cmpint(config->log_format, ==, LOG_FORMAT_JSON);
}

static void what_is_wrong_is_named(struct fixture *fixture, gconstpointer data)
{
	static const struct {
		const char *text, *member, *detail;
	} cases[] = {
		{"[broker]\nprot=1\n", "prot", "[broker] prot: no such key; did you mean port"},
		{"[gateway]\npublish_interval=5\n", "publish_interval", "publish_interval_ms"},
		{"[gateway]\nlevel=debug\n", "level", "did you mean level in [log]"},
		{"[brokr]\nport=1\n", "brokr", "[brokr]: no such group; did you mean [broker]"},
		{"[weather]\n", "weather", "--print-config"},
		{"[log]\nsomething_quite_different=1\n", "something_quite_different",
		 "--print-config"},
		{"[broker]\nport=0\n", "port", "a number from 1 to 65535, not '0'"},
		{"[broker]\nport=65536\n", "port", "not '65536'"},
		{"[broker]\nport=18x\n", "port", "not '18x'"},
		{"[broker]\nport=\n", "port", "not ''"},
		{"[broker]\nport=1.5\n", "port", "not '1.5'"},
		{"[broker]\nhost=\n", "host", "not empty"},
		{"[broker]\nhost=a\\nb\n", "host", "without control characters"},
		{"[broker]\nusername=\x7f\n", "username", "without control characters"},
		{"[gateway]\nclient_id=a/b\n", "client_id", "A-Z"},
		{"[gateway]\nconfirm_stored=yes\n", "confirm_stored", "true or false, not 'yes'"},
		{"[broker]\npassword=x\n", "password", "did you mean password_file in [broker]"},
		{"[log]\nformat=xml\n", "format", "text or json, not 'xml'"},
		{"[log]\nlevel=loud\n", "level", "error, warning, notice, info or debug"},
		{"port=1\n", "", "test.conf"},
		{"[broker\n", "", "test.conf"},
	};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("%s", cases[i].text);
		g_assert_cmpint(read_text(fixture, cases[i].text), ==, RESULT_INVALID);
		g_assert_cmpstr(fixture->problem.member, ==, cases[i].member);
		g_test_message("%s", fixture->problem.detail);
		g_assert_nonnull(strstr(fixture->problem.detail, cases[i].detail));
		g_assert_nonnull(strstr(fixture->problem.detail, fixture->path));
		g_assert_null(fixture->config.broker_host);
	}
}

static void a_named_file_must_exist(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(config_read(fixture->path, &fixture->config, &fixture->problem), ==,
			RESULT_NOT_FOUND);
	g_setenv("HEADCOUNT_CONFIG", fixture->path, TRUE);
	g_assert_cmpint(config_read(NULL, &fixture->config, &fixture->problem), ==,
			RESULT_NOT_FOUND);
	g_assert_nonnull(strstr(fixture->problem.detail, fixture->path));
}

static void the_environment_names_the_file(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	g_assert_true(g_file_set_contents(fixture->path, "[broker]\nport=4711\n", -1, NULL));
	g_setenv("HEADCOUNT_CONFIG", fixture->path, TRUE);
	g_assert_cmpint(config_read(NULL, &fixture->config, &fixture->problem), ==, RESULT_OK);
	g_assert_cmpint(fixture->config.broker_port, ==, 4711);
}

static void drop_ins_win_in_the_order_of_names(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	write_drop_in(fixture, "20-port.conf", "[broker]\nport=20\n");
	write_drop_in(fixture, "10-both.conf", "[broker]\nport=10\nhost=ten\n[log]\nlevel=info\n");
	g_assert_cmpint(read_text(fixture, "[broker]\nport=1\nhost=one\nusername=u\n"), ==,
			RESULT_OK);
	g_assert_cmpint(fixture->config.broker_port, ==, 20);
	g_assert_cmpstr(fixture->config.broker_host, ==, "ten");
	g_assert_cmpstr(fixture->config.broker_username, ==, "u");
	g_assert_cmpint(fixture->config.log_level, ==, LOG_LEVEL_INFO);
}

static void other_files_are_no_drop_ins(struct fixture *fixture, gconstpointer data)
{
	static const char *const names[] = {"README", "a.conf.dpkg-old", "b.conf~", ".c.conf"};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		write_drop_in(fixture, names[i], "this is no configuration\n");
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_OK);
	assert_defaults(&fixture->config);
}

/* Even if a later file would win over it. */
static void what_is_wrong_in_a_drop_in_is_named(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	write_drop_in(fixture, "10.conf", "[broker]\nport=x\n");
	write_drop_in(fixture, "20.conf", "[broker]\nport=20\n");
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_INVALID);
	assert_problem(fixture, "conf.d/10.conf: [broker] port: must be a number");
	write_drop_in(fixture, "10.conf", "[brokr]\nport=1\n");
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_INVALID);
	assert_problem(fixture, "conf.d/10.conf: [brokr]: no such group; did you mean [broker]");
	write_drop_in(fixture, "10.conf", "");
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_OK);
}

static void a_variable_wins_over_all_files(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	write_drop_in(fixture, "10.conf", "[broker]\nport=10\nusername=u\n");
	g_setenv("HEADCOUNT_BROKER_PORT", " 4711 ", TRUE);
	g_setenv("HEADCOUNT_BROKER_USERNAME", "", TRUE);
	g_setenv("HEADCOUNT_GATEWAY_CLIENT_ID", "north", TRUE);
	g_assert_cmpint(read_text(fixture, "[broker]\nport=1\n"), ==, RESULT_OK);
	g_unsetenv("HEADCOUNT_BROKER_PORT");
	g_unsetenv("HEADCOUNT_BROKER_USERNAME");
	g_unsetenv("HEADCOUNT_GATEWAY_CLIENT_ID");
	g_assert_cmpint(fixture->config.broker_port, ==, 4711);
	g_assert_cmpstr(fixture->config.broker_username, ==, "");
	g_assert_cmpstr(fixture->config.client_id, ==, "north");
}

static void what_is_wrong_with_a_variable_is_named(struct fixture *fixture, gconstpointer data)
{
	static const struct {
		const char *name, *value, *detail;
	} cases[] = {
		{"HEADCOUNT_BROKER_PORT", "x", "PORT: must be a number from 1 to 65535, not 'x'"},
		{"HEADCOUNT_BROKER_HOST", "", "HOST: must be a text that is not empty"},
		{"HEADCOUNT_BROKER_HOST", "a\nb", "HOST: must be a text"},
		{"HEADCOUNT_BROKER_HOST", "\xff", "HOST: must be a text"},
		{"HEADCOUNT_BROKER_HOTS", "h", "did you mean HEADCOUNT_BROKER_HOST?"},
		{"HEADCOUNT_BROKR_PORT", "1", "did you mean HEADCOUNT_BROKER_PORT?"},
		{"HEADCOUNT_BROKER_PASSWORD", "p", "did you mean HEADCOUNT_BROKER_PASSWORD_FILE?"},
		{"HEADCOUNT_LOG_SOMETHING_ELSE", "1", "--print-config"},
	};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		enum result result;

		g_setenv(cases[i].name, cases[i].value, TRUE);
		result = read_text(fixture, "");
		g_unsetenv(cases[i].name);
		g_assert_cmpint(result, ==, RESULT_INVALID);
		assert_problem(fixture, cases[i].detail);
		assert_problem(fixture, cases[i].name);
	}
}

/* Those of the tests, and what a container gets beside a service of that name. */
static void variables_of_others_are_left_alone(struct fixture *fixture, gconstpointer data)
{
	static const char *const names[] = {
		"HEADCOUNT_BIN_DIR",      "HEADCOUNT_SOURCE_DIR",   "HEADCOUNT_SEED",
		"HEADCOUNT_ROUNDS",       "HEADCOUNT_LOAD_SECONDS", "HEADCOUNT_CRASH_EVENTS",
		"HEADCOUNT_CRASH_KILLS",  "HEADCOUNT_SAMPLE_CSV",   "HEADCOUNT_SERVICE_HOST",
		"HEADCOUNT_SERVICE_PORT", "headcount_broker_hots",
	};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_setenv(names[i], "x", TRUE);
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_OK);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_unsetenv(names[i]);
	assert_defaults(&fixture->config);
}

static void note_setting(void *context, const char *group, const char *name, const char *value,
			 const char *source)
{
	g_autofree char *base = g_path_get_basename(source);

	g_string_append_printf(context, "%s.%s=%s %s\n", group, name, value, base);
}

static void who_says_so_is_told(struct fixture *fixture, gconstpointer data)
{
	g_autoptr(GString) told = g_string_new("\n");

	(void)data;
	g_assert_true(
		g_file_set_contents(fixture->path, "[api]\nport=1\n[log]\nlevel=info", -1, NULL));
	write_drop_in(fixture, "10.conf", "[broker]\nport=10\n[log]\nlevel=error\n");
	g_setenv("HEADCOUNT_LOG_LEVEL", "debug", TRUE);
	g_assert_cmpint(config_explain(fixture->path, note_setting, told, &fixture->problem), ==,
			RESULT_OK);
	g_unsetenv("HEADCOUNT_LOG_LEVEL");
	g_assert_nonnull(strstr(told->str, "\nbroker.host=localhost default\n"));
	g_assert_nonnull(strstr(told->str, "\nbroker.port=10 10.conf\n"));
	g_assert_nonnull(strstr(told->str, "\napi.port=1 test.conf\n"));
	g_assert_nonnull(strstr(told->str, "\nlog.level=debug HEADCOUNT_LOG_LEVEL\n"));
}

static void what_awaits_a_restart_is_named(struct fixture *fixture, gconstpointer data)
{
	struct config fresh = {0};
	g_autofree char *names = NULL;

	(void)data;
	g_assert_cmpint(read_text(fixture, ""), ==, RESULT_OK);
	write_drop_in(fixture, "10.conf", "[log]\nlevel=debug\nformat=json\n");
	g_assert_cmpint(config_read(fixture->path, &fresh, &fixture->problem), ==, RESULT_OK);
	g_assert_null(config_awaiting_restart(&fixture->config, &fresh));
	config_clear(&fresh);
	write_drop_in(fixture, "20.conf", "[broker]\nhost=h\n[api]\nport=1\nbehind_tls=true\n");
	g_assert_cmpint(config_read(fixture->path, &fresh, &fixture->problem), ==, RESULT_OK);
	names = config_awaiting_restart(&fixture->config, &fresh);
	g_assert_cmpstr(names, ==, "[broker] host, [api] port, [api] behind_tls");
	config_clear(&fresh);
}

static void write_secret(const char *path, const char *text)
{
	g_assert_true(
		g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* A configuration that logs in as itself, without anything. */
static struct config plain(void)
{
	static char nothing[] = "";

	return (struct config){
		.broker_username = nothing,
		.broker_password_file = nothing,
		.broker_ca_file = nothing,
		.broker_certificate_file = nothing,
		.broker_key_file = nothing,
	};
}

static void the_password_is_the_first_line(struct fixture *fixture, gconstpointer data)
{
	struct config config = plain();
	struct credentials credentials = {0};
	struct problem *problem = &fixture->problem;

	(void)data;
	config.broker_password_file = fixture->path;
	g_assert_cmpint(config_login(&config, "x", &credentials, problem), ==, RESULT_NOT_FOUND);
	write_secret(fixture->path, "\n");
	g_assert_cmpint(config_login(&config, "x", &credentials, problem), ==, RESULT_INVALID);
	g_assert_null(credentials.password);
	write_secret(fixture->path, "s p\xc3\xa4 c \r\nmore\n");
	g_assert_cmpint(config_login(&config, "x", &credentials, problem), ==, RESULT_OK);
	g_assert_cmpstr(credentials.password, ==, "s p\xc3\xa4 c ");
	credentials_clear(&credentials);
}

static void a_program_logs_in_by_its_own_name(struct fixture *fixture, gconstpointer data)
{
	struct config config = plain();
	struct credentials credentials = {0};

	(void)data;
	g_assert_cmpint(config_login(&config, "headcount-api", &credentials, &fixture->problem), ==,
			RESULT_OK);
	g_assert_cmpstr(credentials.username, ==, "headcount-api");
	g_assert_null(credentials.password);
	g_assert_null(credentials.ca_file);
	g_assert_null(credentials.certificate_file);
	credentials_clear(&credentials);
}

static void the_username_stands_for_u_in_names_of_files(struct fixture *fixture, gconstpointer data)
{
	struct config config = plain();
	struct credentials credentials = {0};
	g_autofree char *pattern = g_build_filename(fixture->folder, "%u.conf", NULL);
	char username[] = "test", ca_file[] = "/ca", certificate_file[] = "/%u/%u.crt",
	     key_file[] = "/%u.key";

	(void)data;
	write_secret(fixture->path, "secret\n");
	config.broker_username = username;
	config.broker_password_file = pattern;
	config.broker_ca_file = ca_file;
	config.broker_certificate_file = certificate_file;
	config.broker_key_file = key_file;
	g_assert_cmpint(config_login(&config, "headcount-api", &credentials, &fixture->problem), ==,
			RESULT_OK);
	g_assert_cmpstr(credentials.username, ==, "test");
	g_assert_cmpstr(credentials.password, ==, "secret");
	g_assert_cmpstr(credentials.ca_file, ==, "/ca");
	g_assert_cmpstr(credentials.certificate_file, ==, "/test/test.crt");
	g_assert_cmpstr(credentials.key_file, ==, "/test.key");
	credentials_clear(&credentials);
}

static void a_certificate_needs_its_key_and_tls(struct fixture *fixture, gconstpointer data)
{
	struct config config = plain();
	struct credentials credentials = {0};
	char file[] = "/x";

	(void)data;
	config.broker_certificate_file = file;
	g_assert_cmpint(config_login(&config, "x", &credentials, &fixture->problem), ==,
			RESULT_INVALID);
	g_assert_cmpstr(fixture->problem.member, ==, "certificate_file");
	config.broker_key_file = file;
	g_assert_cmpint(config_login(&config, "x", &credentials, &fixture->problem), ==,
			RESULT_INVALID);
	g_assert_cmpstr(fixture->problem.member, ==, "ca_file");
}

static void a_password_that_everybody_may_read_is_refused(struct fixture *fixture,
							  gconstpointer data)
{
	struct config config = plain();
	struct credentials credentials = {0};
	static const mode_t open[] = {0644, 0604, 0602, 0601};
	static const mode_t closed[] = {0600, 0400, 0440, 0640};

	(void)data;
	config.broker_password_file = fixture->path;
	write_secret(fixture->path, "secret\n");
	for (size_t i = 0; i < G_N_ELEMENTS(open); i++) {
		g_assert_cmpint(g_chmod(fixture->path, open[i]), ==, 0);
		g_assert_cmpint(config_login(&config, "x", &credentials, &fixture->problem), ==,
				RESULT_INVALID);
		g_assert_null(credentials.password);
		assert_problem(fixture, "chmod o-rwx");
		g_assert_null(strstr(fixture->problem.detail, "secret"));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(closed); i++) {
		g_assert_cmpint(g_chmod(fixture->path, closed[i]), ==, 0);
		g_assert_cmpint(config_login(&config, "x", &credentials, &fixture->problem), ==,
				RESULT_OK);
		g_assert_cmpstr(credentials.password, ==, "secret");
		credentials_clear(&credentials);
	}
}

#define ADD(test) g_test_add("/config/" #test, struct fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD(an_empty_file_gives_the_defaults);
	ADD(the_printed_file_gives_the_defaults);
	ADD(the_installed_file_is_the_printed_one);
	ADD(every_key_is_read);
	ADD(what_is_wrong_is_named);
	ADD(a_named_file_must_exist);
	ADD(the_environment_names_the_file);
	ADD(drop_ins_win_in_the_order_of_names);
	ADD(other_files_are_no_drop_ins);
	ADD(what_is_wrong_in_a_drop_in_is_named);
	ADD(a_variable_wins_over_all_files);
	ADD(what_is_wrong_with_a_variable_is_named);
	ADD(variables_of_others_are_left_alone);
	ADD(who_says_so_is_told);
	ADD(what_awaits_a_restart_is_named);
	ADD(the_password_is_the_first_line);
	ADD(a_password_that_everybody_may_read_is_refused);
	ADD(a_program_logs_in_by_its_own_name);
	ADD(the_username_stands_for_u_in_names_of_files);
	ADD(a_certificate_needs_its_key_and_tls);
	return g_test_run();
}
