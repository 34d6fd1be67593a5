/* The configuration of a mosquitto on this machine, as far as it matters here: mosquitto.conf(5). */
#ifndef HEADCOUNT_MOSQUITTO_SETTINGS_H
#define HEADCOUNT_MOSQUITTO_SETTINGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mosquitto_listener {
	int64_t port;
	char *address;                 /* NULL: all of the machine */
	bool websockets, ipv4_or_ipv6; /* protocol, socket_domain */
	char *key_file;                /* NULL: none */
};

struct mosquitto_settings {
	pid_t process;
	char *path;
	GHashTable *options;  /* name -> the last value given, of those that are of no listener */
	GPtrArray *listeners; /* struct mosquitto_listener * */
};

/* The settings of the running mosquitto whose configuration has a listener on the port; NULL if none is found whose
 * files can be read. Root asks for one of root or of the user mosquitto. */
struct mosquitto_settings *mosquitto_settings_find(int64_t port);
void mosquitto_settings_free(struct mosquitto_settings *settings);

/* An option's value; `otherwise` if it is not there. */
const char *mosquitto_option(const struct mosquitto_settings *settings, const char *name,
			     const char *otherwise);

/* Can others than this machine reach it? */
bool mosquitto_listener_is_open(const struct mosquitto_listener *listener);

#endif
