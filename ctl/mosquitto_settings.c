#include "mosquitto_settings.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "person.h"

#define PORT_DEFAULT 1883
#define FILE_BYTES 1000000 /* at most */

static void free_listener(gpointer data)
{
	struct mosquitto_listener *listener = data;

	g_free(listener->address);
	g_free(listener->key_file);
	g_free(listener);
}

void mosquitto_settings_free(struct mosquitto_settings *settings)
{
	if (settings == NULL)
		return;
	g_free(settings->path);
	g_hash_table_unref(settings->options);
	g_ptr_array_unref(settings->listeners);
	g_free(settings);
}

const char *mosquitto_option(const struct mosquitto_settings *settings, const char *name,
			     const char *otherwise)
{
	const char *value = g_hash_table_lookup(settings->options, name);

	return value != NULL ? value : otherwise;
}

/* mosquitto 2.0 forgets the address of a websockets listener without socket_domain. */
bool mosquitto_listener_is_open(const struct mosquitto_listener *listener)
{
	const char *address = listener->address;

	if (listener->port == 0)
		return false; /* a socket in the file system */
	if (address == NULL || (listener->websockets && !listener->ipv4_or_ipv6))
		return true;
	return strcmp(address, "localhost") != 0 && strcmp(address, "::1") != 0 &&
	       !g_str_has_prefix(address, "127.");
}

/* Reading */

static struct mosquitto_listener *add_listener(struct mosquitto_settings *settings, int64_t port,
					       const char *address)
{
	struct mosquitto_listener *listener = g_new0(struct mosquitto_listener, 1);

	listener->port = port;
	listener->address = g_strdup(address);
	g_ptr_array_add(settings->listeners, listener);
	return listener;
}

static struct mosquitto_listener *last_listener(struct mosquitto_settings *settings)
{
	guint count = settings->listeners->len;

	return count > 0 ? settings->listeners->pdata[count - 1]
			 : add_listener(settings, PORT_DEFAULT, NULL);
}

static void read_listener(struct mosquitto_settings *settings, const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, " \t", 2);

	if (words[0] != NULL)
		add_listener(settings, g_ascii_strtoll(words[0], NULL, 10),
			     words[1] != NULL ? g_strstrip(words[1]) : NULL);
}

static void read_protocol(struct mosquitto_settings *settings, const char *value)
{
	last_listener(settings)->websockets = strcmp(value, "websockets") == 0;
}

static void read_socket_domain(struct mosquitto_settings *settings, const char *value)
{
	(void)value;
	last_listener(settings)->ipv4_or_ipv6 = true;
}

static void read_key_file(struct mosquitto_settings *settings, const char *value)
{
	struct mosquitto_listener *listener = last_listener(settings);

	g_free(listener->key_file);
	listener->key_file = g_strdup(value);
}

/* Of a listener; `port` is the old way to have one. */
static const struct {
	const char *name;
	void (*read)(struct mosquitto_settings *settings, const char *value);
} of_listeners[] = {
	{"listener", read_listener}, {"port", read_listener},
	{"protocol", read_protocol}, {"socket_domain", read_socket_domain},
	{"keyfile", read_key_file},
};

static void read_line(struct mosquitto_settings *settings, char *line)
{
	g_auto(GStrv) words = g_strsplit_set(g_strstrip(line), " \t", 2);
	const char *value;

	if (words[0] == NULL || words[0][0] == '#')
		return;
	value = words[1] != NULL ? g_strstrip(words[1]) : "";
	for (size_t i = 0; i < G_N_ELEMENTS(of_listeners); i++) {
		if (strcmp(words[0], of_listeners[i].name) == 0) {
			of_listeners[i].read(settings, value);
			return;
		}
	}
	g_hash_table_replace(settings->options, g_strdup(words[0]), g_strdup(value));
}

/* NULL if it is no ordinary file of ordinary size: its name comes from a process that may be anybody's. The caller's. */
static char *read_text(int file)
{
	struct stat status;
	char *text;
	ssize_t size;

	if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_BYTES)
		return NULL;
	text = g_malloc(FILE_BYTES + 1);
	size = read(file, text, FILE_BYTES);
	text[MAX(size, 0)] = '\0';
	return text;
}

static bool read_file(struct mosquitto_settings *settings, const char *path)
{
	int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* waits for no pipe */
	g_autofree char *text = file >= 0 ? read_text(file) : NULL;
	g_auto(GStrv) lines = NULL;

	if (file >= 0)
		close(file);
	if (text == NULL)
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++)
		read_line(settings, *line);
	return true;
}

static gint compare_names(gconstpointer left, gconstpointer right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The files of include_dir, in the order of their names, as mosquitto has it. */
static void read_folder(struct mosquitto_settings *settings, const char *path)
{
	g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (folder != NULL && (name = g_dir_read_name(folder)) != NULL) {
		if (g_str_has_suffix(name, ".conf"))
			g_ptr_array_add(names, g_build_filename(path, name, NULL));
	}
	g_ptr_array_sort(names, compare_names);
	for (guint i = 0; i < names->len; i++)
		read_file(settings, names->pdata[i]);
}

/* Takes the path over; NULL if it can't be read. */
static struct mosquitto_settings *read_settings(pid_t process, char *path)
{
	struct mosquitto_settings *settings = g_new0(struct mosquitto_settings, 1);
	const char *folder;

	settings->process = process;
	settings->path = path;
	settings->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	settings->listeners = g_ptr_array_new_with_free_func(free_listener);
	if (!read_file(settings, path)) {
		mosquitto_settings_free(settings);
		return NULL;
	}
	folder = mosquitto_option(settings, "include_dir", NULL);
	if (folder != NULL)
		read_folder(settings, folder);
	return settings;
}

/* Finding */

static bool has_port(const struct mosquitto_settings *settings, int64_t port)
{
	for (guint i = 0; i < settings->listeners->len; i++) {
		const struct mosquitto_listener *listener = settings->listeners->pdata[i];

		if (listener->port == port)
			return true;
	}
	return settings->listeners->len == 0 && port == PORT_DEFAULT;
}

/* What follows -c on a process's command line, as a path that we can use; the caller's. */
static char *config_of(const char *process)
{
	g_autofree char *path = g_strdup_printf("/proc/%s/cmdline", process);
	g_autofree char *line = NULL;
	gsize size = 0;
	const char *word, *end;

	if (!g_file_get_contents(path, &line, &size, NULL))
		return NULL;
	end = line + size;
	for (word = line; word < end; word += strlen(word) + 1) {
		const char *value = word + strlen(word) + 1;

		if ((strcmp(word, "-c") == 0 || strcmp(word, "--config-file") == 0) && value < end)
			return *value == '/' ? g_strdup(value)
					     : g_strdup_printf("/proc/%s/cwd/%s", process, value);
	}
	return NULL;
}

/* Anybody can give a process that name; root is not to read files for him. */
static bool is_trusted(const char *process)
{
	g_autofree char *path = g_strdup_printf("/proc/%s", process);
	struct stat status;
	uid_t user = 0;
	gid_t group;

	if (geteuid() != 0)
		return true;
	(void)person_find("mosquitto", &user, &group);
	return stat(path, &status) == 0 && (status.st_uid == 0 || status.st_uid == user);
}

static bool is_mosquitto(const char *process)
{
	g_autofree char *path = g_strdup_printf("/proc/%s/comm", process);
	g_autofree char *name = NULL;

	return g_ascii_isdigit(*process) && g_file_get_contents(path, &name, NULL, NULL) &&
	       strcmp(name, "mosquitto\n") == 0 && is_trusted(process);
}

struct mosquitto_settings *mosquitto_settings_find(int64_t port)
{
	g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
	const char *process;

	while (processes != NULL && (process = g_dir_read_name(processes)) != NULL) {
		char *path = is_mosquitto(process) ? config_of(process) : NULL;
		struct mosquitto_settings *settings =
			path != NULL
				? read_settings((pid_t)g_ascii_strtoll(process, NULL, 10), path)
				: NULL;

		if (settings != NULL && has_port(settings, port))
			return settings;
		mosquitto_settings_free(settings);
	}
	return NULL;
}
