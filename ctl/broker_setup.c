#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "broker_files.h"
#include "certificate.h"
#include "commands.h"
#include "person.h"

#define BROKER_CONF "/etc/mosquitto/conf.d/headcount.conf"
#define PROGRAMS_CONF "/etc/headcount/conf.d/broker.conf"
#define HTTPS_CONF "/etc/headcount/conf.d/https.conf"

#define BROKER_USER "mosquitto"
#define PORT 1883
#define TLS_PORT 8883

struct options {
	char *dir, **names, **addresses, **renew;
	gint64 port, tls_port, websockets_port, certificates_port; /* 0: no such listener */
};

struct setup {
	struct session *session;
	struct options options;
	char *dir;
	GPtrArray *hosts;     /* whom the servers' certificates name; the last one NULL */
	GPtrArray *addresses; /* where it listens with TLS */
	GString *json;        /* what was made and what was there, so far */
	bool failed;
};

/* What is set up, each with the file that shows that it is. */
struct item {
	const char *file;   /* in the folder, or where it belongs */
	const char *reader; /* the user that reads it; NULL: everybody */
	const char *renew[2];
	enum result (*make)(struct setup *setup, const struct item *item, const char *path,
			    struct problem *reterr_problem);
};

/* Without root there is nobody but oneself; a user that isn't there yet is said at the end. */
static struct readers readers_of(const char *user, mode_t mode)
{
	struct readers readers = {geteuid(), getegid(), mode};

	if (user != NULL && geteuid() == 0)
		person_find(user, &readers.user, &readers.group);
	return readers;
}

static enum result write_text(const struct item *item, const char *path, const char *text,
			      struct problem *reterr_problem)
{
	struct readers readers = readers_of(item->reader, item->reader != NULL ? 0600 : 0644);
	g_autofree char *folder = g_path_get_dirname(path);

	if (g_mkdir_with_parents(folder, 0755) < 0)
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", folder,
				   g_strerror(errno));
	return private_file_write(path, text, strlen(text), &readers, reterr_problem);
}

/* Rights */

static enum result make_rights(struct setup *setup, const struct item *item, const char *path,
			       struct problem *reterr_problem)
{
	struct rights *rights;
	enum result result = rights_open(path, &rights, reterr_problem);

	(void)setup;
	if (result == RESULT_NOT_FOUND)
		return write_text(item, path, broker_acl, reterr_problem);
	if (result != RESULT_OK)
		return result;
	rights_renew(rights, broker_acl);
	result = rights_save(rights, reterr_problem);
	rights_close(rights);
	return result;
}

/* Certificates */

static enum result make_authority(struct setup *setup, const struct item *item, const char *path,
				  struct problem *reterr_problem)
{
	(void)path;
	return certificate_make(
		&(struct certificate){.use = CERTIFICATE_OF_AUTHORITY,
				      .dir = setup->dir,
				      .name = CERTIFICATE_AUTHORITY,
				      .subject = "Headcount broker authority",
				      .key_readers = readers_of(item->reader, 0600)},
		reterr_problem);
}

static enum result make_server_certificate(struct setup *setup, const struct item *item,
					   const char *path, struct problem *reterr_problem)
{
	g_autofree char *name = g_strndup(item->file, strlen(item->file) - strlen(".crt"));

	(void)path;
	return certificate_make(
		&(struct certificate){.use = CERTIFICATE_OF_SERVER,
				      .authority_dir = setup->dir,
				      .dir = setup->dir,
				      .name = name,
				      .subject = "Headcount server",
				      .hosts = (const char *const *)setup->hosts->pdata,
				      .key_readers = readers_of(item->reader, 0600)},
		reterr_problem);
}

/* Passwords */

static enum result make_password(struct setup *setup, const struct item *item, const char *path,
				 struct problem *reterr_problem)
{
	char password[PASSWORD_SIZE + 1];
	enum result result;

	(void)setup;
	if (!password_make(password))
		return problem_set(reterr_problem, RESULT_FAILED, "",
				   "the system has no random numbers");
	g_strlcat(password, "\n", sizeof password);
	result = write_text(item, path, password, reterr_problem);
	explicit_bzero(password, sizeof password);
	return result;
}

static enum result make_empty(struct setup *setup, const struct item *item, const char *path,
			      struct problem *reterr_problem)
{
	(void)setup;
	return write_text(item, path, "", reterr_problem);
}

/* The configuration files */

static void add_listener(GString *text, const char *dir, const char *address, gint64 port)
{
	g_string_append_printf(text, "\nlistener %" G_GINT64_FORMAT " %s\n", port, address);
	g_string_append_printf(text, "allow_anonymous false\nacl_file %s/" ACCESS_RIGHTS "\n", dir);
}

/* A client's id is its username, whatever it says: or it could take over the gateway's session, by the gateway's id, and
 * what is queued for it. */
static void add_tls_listener(GString *text, const char *dir, const char *address, gint64 port)
{
	add_listener(text, dir, address, port);
	g_string_append_printf(text,
			       "certfile %s/server.crt\nkeyfile %s/server.key\n"
			       "use_username_as_clientid true\n",
			       dir, dir);
}

static void add_password_listener(GString *text, const char *dir, const char *address, gint64 port)
{
	add_tls_listener(text, dir, address, port);
	g_string_append_printf(text, "password_file %s/" ACCESS_PASSWORDS "\n", dir);
}

/* mosquitto 2.0 listens everywhere with websockets, unless it is told the kind of address. */
static void add_websockets_listener(GString *text, const char *dir, const char *address,
				    gint64 port)
{
	add_password_listener(text, dir, address, port);
	g_string_append_printf(text, "protocol websockets\nsocket_domain %s\n",
			       strchr(address, ':') != NULL ? "ipv6" : "ipv4");
}

static void add_certificates_listener(GString *text, const char *dir, const char *address,
				      gint64 port)
{
	add_tls_listener(text, dir, address, port);
	g_string_append_printf(text,
			       "cafile %s/ca.crt\nrequire_certificate true\n"
			       "use_identity_as_username true\n",
			       dir);
}

static void add_listeners(GString *text, const struct setup *setup)
{
	const struct {
		gint64 port;
		void (*add)(GString *text, const char *dir, const char *address, gint64 port);
		const char *comment;
	} kinds[] = {
		{setup->options.tls_port, add_password_listener,
		 "Everybody else, with TLS and a password. A client's id is its username."},
		{setup->options.websockets_port, add_websockets_listener,
		 "The same by websockets, for displays in browsers."},
		{setup->options.certificates_port, add_certificates_listener,
		 "With a certificate instead of a password: its common name is the username."},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (kinds[i].port == 0)
			continue;
		g_string_append_printf(text, "\n# %s", kinds[i].comment);
		for (guint j = 0; j < setup->addresses->len; j++)
			kinds[i].add(text, setup->dir, g_ptr_array_index(setup->addresses, j),
				     kinds[i].port);
	}
}

static enum result make_broker_conf(struct setup *setup, const struct item *item, const char *path,
				    struct problem *reterr_problem)
{
	g_autoptr(GString) text = g_string_new(
		"# Written by headcount broker-setup, which replaces it when told to: put what you "
		"add elsewhere.\n\n"
		"per_listener_settings true\n\n"
		"# Headcount's own programs, on this machine.");

	add_listener(text, setup->dir, "127.0.0.1", setup->options.port);
	g_string_append_printf(text, "password_file %s/" ACCESS_PROGRAMS "\n", setup->dir);
	add_listeners(text, setup);
	g_string_append_printf(text, "\n%s", broker_limits);
	return write_text(item, path, text->str, reterr_problem);
}

static enum result make_programs_conf(struct setup *setup, const struct item *item,
				      const char *path, struct problem *reterr_problem)
{
	g_autofree char *text = g_strdup_printf(
		"# Written by headcount broker-setup: how headcount's programs log in to the "
		"broker.\n"
		"[broker]\n"
		"host=127.0.0.1\n"
		"port=%" G_GINT64_FORMAT "\n"
		"password_file=%s/%%u.password\n"
		"access_dir=%s\n"
		"# From another machine: its name as host, port=%" G_GINT64_FORMAT
		", and a copy of this file:\n"
		"#ca_file=%s/ca.crt\n",
		setup->options.port, setup->dir, setup->dir, setup->options.tls_port, setup->dir);

	return write_text(item, path, text, reterr_problem);
}

static enum result make_https_conf(struct setup *setup, const struct item *item, const char *path,
				   struct problem *reterr_problem)
{
	g_autofree char *text = g_strdup_printf(
		"# Written by headcount broker-setup: a file here with a later name wins over it.\n"
		"[api]\n"
		"certificate_file=%s/https.crt\n"
		"key_file=%s/https.key\n"
		"# Of an authority of one's own, browsers shall not remember it: with a new one "
		"they would be locked out.\n"
		"hsts_s=0\n",
		setup->dir, setup->dir);

	return write_text(item, path, text, reterr_problem);
}

/* In the order in which one needs the other. */
/* clang-format off */
static const struct item items[] = {
	{ACCESS_RIGHTS, BROKER_USER, {"config", NULL}, make_rights},
	{"ca.crt", "root", {"authority", NULL}, make_authority},
	{"server.crt", BROKER_USER, {"certificate", "authority"}, make_server_certificate},
	{"https.crt", "headcount-api", {"certificate", "authority"}, make_server_certificate},
	{"headcount-gateway.password", "headcount", {"passwords", NULL}, make_password},
	{"headcount-api.password", "headcount-api", {"passwords", NULL}, make_password},
	{"headcount-ctl.password", "root", {"passwords", NULL}, make_password},
	{ACCESS_PROGRAMS, BROKER_USER, {NULL, NULL}, make_empty},
	{ACCESS_PASSWORDS, BROKER_USER, {NULL, NULL}, make_empty},
	{BROKER_CONF, NULL, {"config", NULL}, make_broker_conf},
	{PROGRAMS_CONF, NULL, {"config", NULL}, make_programs_conf},
	{HTTPS_CONF, NULL, {"config", NULL}, make_https_conf},
};
static const char *const programs[] = {"headcount-gateway", "headcount-api", "headcount-ctl"};
static const char *const renewable[] = {"config", "certificate", "authority", "passwords"};
/* clang-format on */

/* With --dir all is there, and nothing where it takes effect by itself. */
static char *path_of(const struct setup *setup, const struct item *item)
{
	g_autofree char *name = g_path_get_basename(item->file);

	if (*item->file != '/')
		return g_build_filename(setup->dir, item->file, NULL);
	if (setup->options.dir == NULL)
		return g_strdup(item->file);
	return g_build_filename(setup->dir,
				item->make == make_broker_conf ? "mosquitto.conf" : name, NULL);
}

static bool given(char *const *words, const char *word)
{
	return word != NULL && words != NULL &&
	       g_strv_contains((const char *const *)(uintptr_t)words, word);
}

static bool is_renewed(const struct setup *setup, const struct item *item)
{
	return given(setup->options.renew, item->renew[0]) ||
	       given(setup->options.renew, item->renew[1]);
}

/* Options */

static bool check_hosts(const struct setup *setup)
{
	static const char allowed[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS ".-:*";

	for (guint i = 0; i + 1 < setup->hosts->len; i++) {
		const char *host = g_ptr_array_index(setup->hosts, i);

		if (*host == '\0' || host[strspn(host, allowed)] != '\0') {
			session_complain(setup->session,
					 "--name: expected a host's name or address, not '%s'",
					 host);
			return false;
		}
	}
	return true;
}

static bool check_addresses(const struct setup *setup)
{
	for (guint i = 0; i < setup->addresses->len; i++) {
		const char *address = g_ptr_array_index(setup->addresses, i);

		if (!g_hostname_is_ip_address(address)) {
			session_complain(
				setup->session,
				"--listen: expected an address such as 192.0.2.1, or 0.0.0.0 for "
				"all, not '%s'",
				address);
			return false;
		}
	}
	return true;
}

static bool check_renew(const struct setup *setup)
{
	for (char **word = setup->options.renew; word != NULL && *word != NULL; word++) {
		bool known = false;

		for (size_t i = 0; i < G_N_ELEMENTS(renewable); i++)
			known = known || strcmp(renewable[i], *word) == 0;
		if (!known) {
			session_complain(setup->session,
					 "--renew: expected config, certificate, authority or "
					 "passwords, not '%s'",
					 *word);
			return false;
		}
	}
	return true;
}

static bool check_ports(const struct setup *setup)
{
	const struct options *options = &setup->options;
	const gint64 ports[] = {options->port, options->tls_port, options->websockets_port,
				options->certificates_port};

	for (size_t i = 0; i < G_N_ELEMENTS(ports); i++) {
		if (ports[i] < (i < 2 ? 1 : 0) || ports[i] > 65535) {
			session_complain(
				setup->session,
				"a port is a number from 1 to 65535, not %" G_GINT64_FORMAT,
				ports[i]);
			return false;
		}
	}
	return true;
}

/* An option that changes nothing, because what it concerns is there already, is a misunderstanding. */
static bool check_effect(const struct setup *setup, const char *file, bool asked,
			 const char *option)
{
	for (size_t i = 0; asked && i < G_N_ELEMENTS(items); i++) {
		g_autofree char *path = path_of(setup, &items[i]);

		if (strcmp(items[i].file, file) == 0 && !is_renewed(setup, &items[i]) &&
		    g_file_test(path, G_FILE_TEST_EXISTS)) {
			session_complain(setup->session,
					 "%s: %s is there already; --renew %s makes it anew, with "
					 "the options given then",
					 option, path, items[i].renew[0]);
			return false;
		}
	}
	return true;
}

static bool check_options(const struct setup *setup)
{
	const struct options *options = &setup->options;
	bool listeners = options->addresses != NULL || options->port != PORT ||
			 options->tls_port != TLS_PORT || options->websockets_port != 0 ||
			 options->certificates_port != 0;

	return check_hosts(setup) && check_addresses(setup) && check_renew(setup) &&
	       check_ports(setup) &&
	       check_effect(setup, BROKER_CONF, listeners, "listeners and their ports") &&
	       check_effect(setup, "server.crt", options->names != NULL, "--name");
}

static bool is_wildcard(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* Loopback always, unless it is among all; whoever is called by an address finds it in the certificate. */
static void read_addresses(struct setup *setup)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
	bool everywhere = given(setup->options.addresses, "0.0.0.0");

	if (!everywhere)
		g_ptr_array_add(setup->addresses, g_strdup("127.0.0.1"));
	g_ptr_array_add(setup->hosts, g_strdup(g_get_host_name()));
	for (size_t i = 0; i < G_N_ELEMENTS(local); i++)
		g_ptr_array_add(setup->hosts, g_strdup(local[i]));
	for (char **each = setup->options.addresses; each != NULL && *each != NULL; each++) {
		if (strcmp(*each, "127.0.0.1") != 0)
			g_ptr_array_add(setup->addresses, g_strdup(*each));
		if (g_hostname_is_ip_address(*each) && !is_wildcard(*each))
			g_ptr_array_add(setup->hosts, g_strdup(*each));
	}
	for (char **each = setup->options.names; each != NULL && *each != NULL; each++)
		g_ptr_array_add(setup->hosts, g_strdup(*each));
	g_ptr_array_add(setup->hosts, NULL);
}

/* The work */

static void say(struct setup *setup, const char *path, const char *what)
{
	json_begin_object(setup->json, NULL);
	json_add_text(setup->json, "file", path);
	json_add_text(setup->json, "state", what);
	json_end_object(setup->json);
	if (!setup->session->json)
		printf("%s: %s\n", path, what);
}

static void set_up_item(struct setup *setup, const struct item *item)
{
	g_autofree char *path = path_of(setup, item);
	bool exists = g_file_test(path, G_FILE_TEST_EXISTS);
	struct problem problem;

	if (exists && !is_renewed(setup, item)) {
		say(setup, path, "kept");
	} else if (item->make(setup, item, path, &problem) == RESULT_OK) {
		say(setup, path, exists ? "renewed" : "made");
	} else {
		session_complain(setup->session, "%s", problem.detail);
		setup->failed = true;
	}
}

static enum result enter_program(const struct setup *setup, struct passwords *passwords,
				 const char *program, struct problem *reterr_problem)
{
	g_autofree char *path = g_strdup_printf("%s/%s.password", setup->dir, program);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	if (!g_file_get_contents(path, &text, NULL, &error))
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	if (!passwords_set(passwords, program, g_strchomp(text)))
		return problem_set(reterr_problem, RESULT_FAILED, "",
				   "the system has no random numbers");
	return RESULT_OK;
}

/* The programs' passwords among those that the broker knows. */
static enum result enter_programs(const struct setup *setup, const char *file,
				  struct problem *reterr_problem)
{
	g_autofree char *path = g_build_filename(setup->dir, file, NULL);
	struct passwords *passwords;
	enum result result = passwords_open(path, &passwords, reterr_problem);

	if (result != RESULT_OK)
		return result;
	for (size_t i = 0; result == RESULT_OK && i < G_N_ELEMENTS(programs); i++)
		result = enter_program(setup, passwords, programs[i], reterr_problem);
	if (result == RESULT_OK)
		result = passwords_save(passwords, reterr_problem);
	passwords_close(passwords);
	return result;
}

/* Of a certificate, everybody may read the certificate. */
static char *secret_of(const struct item *item)
{
	return g_str_has_suffix(item->file, ".crt")
		       ? g_strdup_printf("%.*s.key", (int)(strlen(item->file) - strlen(".crt")),
					 item->file)
		       : g_strdup(item->file);
}

static void say_next(const struct setup *setup)
{
	for (size_t i = 0; i < G_N_ELEMENTS(items); i++) {
		const char *reader = items[i].reader;
		g_autofree char *secret = secret_of(&items[i]);
		uid_t user;
		gid_t group;

		if (reader != NULL && geteuid() == 0 && !person_find(reader, &user, &group))
			fprintf(stderr, "There is no user %s yet: chown %s %s/%s once there is.\n",
				reader, reader, setup->dir, secret);
	}
	if (setup->options.dir != NULL)
		fprintf(stderr,
			"Next: mosquitto's configuration includes %s/mosquitto.conf, and "
			"headcount's %s/broker.conf and %s/https.conf.\n",
			setup->dir, setup->dir, setup->dir);
	fprintf(stderr,
		"Next: systemctl restart mosquitto headcount-gateway headcount-api\n"
		"Devices get %s/ca.crt and a password each: " PROGRAM " dpu add ID --password\n",
		setup->dir);
}

static enum exit_code set_up(struct setup *setup)
{
	struct problem problem;

	if (g_mkdir_with_parents(setup->dir, 0755) < 0) {
		session_complain(setup->session, "%s: %s", setup->dir, g_strerror(errno));
		return EXIT_REFUSED;
	}
	json_begin_array(setup->json, NULL);
	for (size_t i = 0; !setup->failed && i < G_N_ELEMENTS(items); i++)
		set_up_item(setup, &items[i]);
	json_end_array(setup->json);
	if (!setup->failed && (enter_programs(setup, ACCESS_PROGRAMS, &problem) != RESULT_OK ||
			       enter_programs(setup, ACCESS_PASSWORDS, &problem) != RESULT_OK)) {
		session_complain(setup->session, "%s", problem.detail);
		setup->failed = true;
	}
	if (setup->failed)
		return EXIT_REFUSED;
	if (setup->session->json)
		puts(setup->json->str);
	say_next(setup);
	return EXIT_DONE;
}

static void clear_options(struct options *options)
{
	g_free(options->dir);
	g_strfreev(options->names);
	g_strfreev(options->addresses);
	g_strfreev(options->renew);
}

static enum exit_code begin(struct setup *setup)
{
	const char *dir = setup->options.dir;

	setup->dir = g_canonicalize_filename(
		dir != NULL ? dir : setup->session->config.broker_access_dir, NULL);
	setup->hosts = g_ptr_array_new_with_free_func(g_free);
	setup->addresses = g_ptr_array_new_with_free_func(g_free);
	setup->json = g_string_new(NULL);
	read_addresses(setup);
	return check_options(setup) ? set_up(setup) : EXIT_USAGE;
}

enum exit_code broker_setup_run(struct session *session)
{
	struct setup setup = {.session = session, .options = {.port = PORT, .tls_port = TLS_PORT}};
	struct options *options = &setup.options;
	const GOptionEntry entries[] = {
		{"dir", 0, 0, G_OPTION_ARG_FILENAME, &options->dir,
		 "Write all there, and touch nothing else", "DIR"},
		{"name", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->names,
		 "A name or address that devices call this machine by; may be repeated", "HOST"},
		{"listen", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->addresses,
		 "Listen at this address, too (0.0.0.0: at all); may be repeated", "ADDRESS"},
		{"port", 0, 0, G_OPTION_ARG_INT64, &options->port,
		 "For the programs of this machine (default: " G_STRINGIFY(PORT) ")", "N"},
		{"tls-port", 0, 0, G_OPTION_ARG_INT64, &options->tls_port,
		 "For everybody else, with TLS (default: " G_STRINGIFY(TLS_PORT) ")", "N"},
		{"websockets-port", 0, 0, G_OPTION_ARG_INT64, &options->websockets_port,
		 "For displays in browsers, with TLS (default: none)", "N"},
		{"certificates-port", 0, 0, G_OPTION_ARG_INT64, &options->certificates_port,
		 "For clients with certificates instead of passwords (default: none)", "N"},
		{"renew", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->renew,
		 "Make anew what is there: config, certificate, authority or passwords (of "
		 "headcount's programs); may be repeated",
		 "WHAT"},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code = EXIT_USAGE;

	if (session_begin(session, entries)) {
		code = begin(&setup);
		g_free(setup.dir);
		g_ptr_array_unref(setup.hosts);
		g_ptr_array_unref(setup.addresses);
		g_string_free(setup.json, TRUE);
	}
	clear_options(options);
	return code;
}

/* broker-certificate */

static enum exit_code make_client_certificate(const struct session *session, const char *dir)
{
	const char *name = session->argv[0];
	struct problem problem;
	g_autofree char *path = g_strdup_printf("%s/%s.crt", dir, name);

	if (!json_is_id(name, strlen(name))) {
		session_complain(session, "a name has 1-64 characters of A-Z a-z 0-9 . _ : -");
		return EXIT_USAGE;
	}
	if (g_file_test(path, G_FILE_TEST_EXISTS)) {
		session_complain(session, "%s is there already", path);
		return EXIT_REFUSED;
	}
	if (certificate_make(
		    &(struct certificate){.use = CERTIFICATE_OF_CLIENT,
					  .authority_dir = session->config.broker_access_dir,
					  .dir = dir,
					  .name = name,
					  .subject = name,
					  .key_readers = readers_of(NULL, 0600)},
		    &problem) != RESULT_OK) {
		session_complain(session, "%s", problem.detail);
		return EXIT_REFUSED;
	}
	session_say(session, "{}", "%s/%s.crt and %s.key", dir, name, name);
	return EXIT_DONE;
}

enum exit_code broker_certificate_run(struct session *session)
{
	g_autofree char *dir = NULL;
	const GOptionEntry entries[] = {
		{"out", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Write them there (default: here)",
		 "DIR"},
		G_OPTION_ENTRY_NULL,
	};

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	return make_client_certificate(session, dir != NULL ? dir : ".");
}
