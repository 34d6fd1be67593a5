/* The configuration file (GKeyFile), read by one table that also prints the documented default. */
#ifndef HEADCOUNT_CONFIG_H
#define HEADCOUNT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "log.h"
#include "result.h"

struct config {
	/* [broker] */
	char *broker_host;
	int64_t broker_port;
	char *broker_username;         /* "": the program's own, see config_login */
	char *broker_password_file;    /* "": none; the first line is the password */
	char *broker_ca_file;          /* "": no TLS */
	char *broker_certificate_file; /* "": none */
	char *broker_key_file;
	char *broker_access_dir;
	/* [store] */
	char *database;
	int64_t rejected_max; /* rows */
	int64_t audit_max;    /* rows */
	/* [gateway] */
	char *client_id;
	int64_t batch_items;
	int64_t publish_interval_ms;
	int64_t max_clock_skew_ms;
	bool confirm_stored;  /* publish dpu/<id>/stored */
	int64_t metrics_port; /* 0: no metrics */
	bool home_assistant;  /* tell Home Assistant of the spaces */
	char *home_assistant_prefix;
	/* [api] */
	char *api_address;
	int64_t api_port;
	bool anonymous_read;
	char *token_file;
	char *web_dir; /* "": the one that came with the program */
	bool behind_tls;
	char *trusted_proxies;  /* addresses with spaces between */
	char *certificate_file; /* "": no TLS */
	char *key_file;
	int64_t hsts_s; /* 0: none */
	int64_t threads;
	int64_t connections;
	int64_t connections_per_address;
	int64_t failed_tokens_per_minute;
	int64_t timeout_s;
	/* [log] */
	enum log_level log_level;
	enum log_format log_format;
};

/* Reads the file; NULL means $HEADCOUNT_CONFIG, else /etc/headcount/headcount.conf, else, when that does not
 * exist either, the defaults. What conf.d beside it holds in *.conf wins over it, in the order of names, and over those
 * the environment: HEADCOUNT_BROKER_HOST is host in [broker]. RESULT_INVALID or RESULT_NOT_FOUND with a problem that
 * names the file, group and key, or the variable, and what was expected; an unknown one is an error that suggests the
 * nearest known one. */
MUST_USE enum result config_read(const char *path, struct config *ret_config,
				 struct problem *reterr_problem);
void config_clear(struct config *config);

/* Reads the same, and calls `visit` for each key: `source` is the file or variable that says so, or "default". */
typedef void config_visit(void *context, const char *group, const char *name, const char *value,
			  const char *source);
MUST_USE enum result config_explain(const char *path, config_visit *visit, void *context,
				    struct problem *reterr_problem);

/* What differs and is not taken over on SIGHUP, "[broker] host, [broker] port" (caller frees with g_free); NULL: nothing.
 * What is taken over are the keys of [log]. */
char *config_awaiting_restart(const struct config *in_force, const struct config *fresh);

/* Prints the default configuration file, a comment above each key. */
void config_print(FILE *out);

/* How a program proves to the broker who it is. NULL: it doesn't, or there is no TLS. */
struct credentials {
	char *username;
	char *password;
	char *ca_file, *certificate_file, *key_file;
};

/* The login of `program`, such as "headcount-api": that is its username, if the configuration has none, and stands for
 * each %u in the names of its files. The password is read. RESULT_NOT_FOUND or RESULT_INVALID with a problem. */
MUST_USE enum result config_login(const struct config *config, const char *program,
				  struct credentials *ret_credentials,
				  struct problem *reterr_problem);
void credentials_clear(struct credentials *credentials);

#endif
