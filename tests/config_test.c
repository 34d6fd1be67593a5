#include "config.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

struct fixture {
	char *folder, *path;
	struct config config;
	struct problem problem;
};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	*fixture = (struct fixture){0};
	fixture->folder = g_dir_make_tmp("headcount-config-XXXXXX", NULL);
	fixture->path = g_build_filename(fixture->folder, "test.conf", NULL);
	g_assert_nonnull(fixture->folder);
	g_unsetenv("HEADCOUNT_CONFIG");
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	(void)data;
	config_clear(&fixture->config);
	g_unsetenv("HEADCOUNT_CONFIG");
	g_remove(fixture->path);
	g_rmdir(fixture->folder);
	g_free(fixture->path);
	g_free(fixture->folder);
}

static enum result read_text(struct fixture *fixture, const char *text)
{
	g_assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
	return config_read(fixture->path, &fixture->config, &fixture->problem);
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
	g_assert_cmpint(read_text(fixture, "[broker]\nhost = mq.example\nport=8883\nusername=gw\n"
					   "password_file=/p\nca_file=/c\n"
					   "[store]\ndatabase=/d/h.db\nrejected_max=0\n"
					   "[gateway]\nclient_id=north:1\nbatch_items=1\n"
					   "publish_interval_ms=0\nmax_clock_skew_ms=86400000\n"
					   "confirm_stored=true  \n"
					   "home_assistant=true\nhome_assistant_prefix=ha\n"
					   "[api]\naddress=::1\nport=65535\nweb_dir=/w\n"
					   "behind_tls=true\n[log]\nlevel=debug\n"),
			==, RESULT_OK);
	g_assert_cmpstr(config->broker_host, ==, "mq.example");
	g_assert_cmpint(config->broker_port, ==, 8883);
	g_assert_cmpstr(config->broker_username, ==, "gw");
	g_assert_cmpstr(config->broker_password_file, ==, "/p");
	g_assert_cmpstr(config->broker_ca_file, ==, "/c");
	g_assert_cmpstr(config->database, ==, "/d/h.db");
	g_assert_cmpint(config->rejected_max, ==, 0);
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
		{"[gateway]\nclient_id=a/b\n", "client_id", "A-Z"},
		{"[gateway]\nconfirm_stored=yes\n", "confirm_stored", "true or false, not 'yes'"},
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

static void the_password_is_the_first_line(struct fixture *fixture, gconstpointer data)
{
	struct config config = {.broker_password_file = fixture->path};
	g_autofree char *password = NULL;

	(void)data;
	g_assert_cmpint(config_password(&config, &password, &fixture->problem), ==,
			RESULT_NOT_FOUND);
	g_assert_true(g_file_set_contents(fixture->path, "\n", -1, NULL));
	g_assert_cmpint(config_password(&config, &password, &fixture->problem), ==, RESULT_INVALID);
	g_assert_null(password);
	g_assert_true(g_file_set_contents(fixture->path, "s p\xc3\xa4 c \r\nmore\n", -1, NULL));
	g_assert_cmpint(config_password(&config, &password, &fixture->problem), ==, RESULT_OK);
	g_assert_cmpstr(password, ==, "s p\xc3\xa4 c ");
}

static void no_password_file_is_no_password(struct fixture *fixture, gconstpointer data)
{
	struct config config = {.broker_password_file = (char[]){""}};
	char *password = fixture->path;

	(void)data;
	g_assert_cmpint(config_password(&config, &password, &fixture->problem), ==, RESULT_OK);
	g_assert_null(password);
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
	ADD(the_password_is_the_first_line);
	ADD(no_password_file_is_no_password);
	return g_test_run();
}
