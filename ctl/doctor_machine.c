/* The machine: who may read secrets, the disk, the clock, and what the kernel allows. */
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>

#include "doctor.h"
#include "mosquitto_settings.h"
#include "secret.h"

#define DISK_LITTLE (INT64_C(1) << 30)
#define DISK_NOTHING (INT64_C(64) << 20)
#define DAYS_LITTLE 14
#define EVENT_BYTES 55 /* of the database, with its share of the summaries: README.md */
#define UPTIME_LEAST 3600
#define FILES_BESIDE 100 /* that a daemon opens besides its connections */

/* Secrets */

static bool is_secret(struct doctor *doctor, const char *key, const char *path)
{
	g_autofree char *remedy = g_strdup_printf("chmod o= %s", path);
	struct stat status;

	if (*path == '\0' || stat(path, &status) < 0 || !secret_is_open(status.st_mode))
		return true;
	doctor_say(doctor, DOCTOR_ERROR, remedy, "everybody may read or write %s (%s)", path, key);
	return false;
}

static bool can_log_in(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	struct credentials credentials = {0};
	struct problem problem;
	bool has_password;

	if (config_login(config, BROKER_LOGIN, &credentials, &problem) != RESULT_OK) {
		doctor_say(doctor, DOCTOR_ERROR,
			   "let it hold the password, and nobody else read it (chmod o=)", "%s",
			   problem.detail);
		return false;
	}
	has_password = credentials.password != NULL;
	credentials_clear(&credentials);
	if (has_password || *config->broker_username == '\0' ||
	    *config->broker_certificate_file != '\0')
		return true;
	doctor_say(doctor, DOCTOR_WARNING, "set [broker] password_file",
		   "[broker] username is set, but no password_file");
	return false;
}

void doctor_secrets(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	bool good = is_secret(doctor, "token_file", config->token_file);

	good = can_log_in(doctor) && good;
	if (good)
		doctor_say(doctor, DOCTOR_OK, NULL, "no file with one is open to everybody");
}

/* The disk */

/* Of the file system of the database; false, and that is said, if it can't be asked. */
static bool ask_file_system(struct doctor *doctor, struct statfs *ret_found)
{
	g_autofree char *folder = g_path_get_dirname(doctor->session->config.database);

	if (statfs(folder, ret_found) == 0)
		return true;
	doctor_say(doctor, DOCTOR_ERROR, "make it, for the gateway to write in",
		   "there is no folder %s", folder);
	return false;
}

/* How many days the space lasts, by what came since the gateway began; -1: not known. */
static int64_t days_left(const struct doctor *doctor, int64_t bytes)
{
	int64_t uptime = json_member_integer(doctor->gateway_health, "uptime_s", 0);
	int64_t stored = json_member_integer(doctor->gateway_health, "events_stored", 0);

	if (uptime < UPTIME_LEAST || stored == 0)
		return -1;
	return (int64_t)((double)bytes / ((double)stored * EVENT_BYTES / (double)uptime) / 86400);
}

void doctor_disk(struct doctor *doctor)
{
	static const char remedy[] =
		"make room, or move the database to a larger disk; when it is "
		"full, the gateway stores nothing and the broker has to keep it";
	g_autofree char *lasts = NULL;
	struct statfs found;
	int64_t bytes, days;
	enum doctor_level level;

	if (!ask_file_system(doctor, &found))
		return;
	bytes = (int64_t)found.f_bavail * (int64_t)found.f_bsize;
	days = days_left(doctor, bytes);
	lasts = days < 0 ? g_strdup("")
			 : g_strdup_printf(", enough for %" PRId64 " days like today", days);
	level = bytes < DISK_NOTHING                                       ? DOCTOR_ERROR
		: bytes < DISK_LITTLE || (days >= 0 && days < DAYS_LITTLE) ? DOCTOR_WARNING
									   : DOCTOR_OK;
	doctor_say(doctor, level, level != DOCTOR_OK ? remedy : NULL, "%" PRId64 " MiB are free%s",
		   bytes >> 20, lasts);
}

/* On these, locks and shared memory do not hold between machines, or not at all. */
static const struct {
	long type;
	const char *name;
} remote[] = {
	{NFS_SUPER_MAGIC, "NFS"},   {SMB_SUPER_MAGIC, "SMB"},   {CIFS_SUPER_MAGIC, "CIFS"},
	{SMB2_SUPER_MAGIC, "SMB"},  {V9FS_MAGIC, "9p"},         {CODA_SUPER_MAGIC, "Coda"},
	{AFS_SUPER_MAGIC, "AFS"},   {CEPH_SUPER_MAGIC, "Ceph"}, {OCFS2_SUPER_MAGIC, "OCFS2"},
	{FUSE_SUPER_MAGIC, "FUSE"},
};

void doctor_file_system(struct doctor *doctor)
{
	struct statfs found;

	if (!ask_file_system(doctor, &found))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(remote); i++) {
		if (found.f_type != remote[i].type)
			continue;
		doctor_say(doctor, DOCTOR_ERROR,
			   "move the database to a disk of this machine ([store] database)",
			   "the database is on %s, where SQLite can be damaged", remote[i].name);
		return;
	}
	if (found.f_type == TMPFS_MAGIC)
		doctor_say(doctor, DOCTOR_WARNING, "move the database to a disk ([store] database)",
			   "the database is in memory (tmpfs): it is gone when the machine is");
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "the database is on a disk of this machine");
}

void doctor_clock(struct doctor *doctor)
{
	struct timex clock = {0};
	int state = adjtimex(&clock);

	if (state < 0)
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL,
			   "the kernel does not say how its clock is");
	else if (state == TIME_ERROR || (clock.status & STA_UNSYNC))
		doctor_say(
			doctor, DOCTOR_WARNING,
			"install chrony or systemd-timesyncd; what the DPUs say is judged by this "
			"clock",
			"nothing keeps the clock of this machine right");
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "the clock of this machine is synchronised");
}

/* Open files: every connection is one. */

/* A process's limit; INT64_MAX if there is none or it can't be read. */
static int64_t files_limit(pid_t process)
{
	static const char name[] = "Max open files";
	g_autofree char *path = g_strdup_printf("/proc/%d/limits", process);
	g_autofree char *text = NULL;
	const char *line;
	int64_t limit = INT64_MAX;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return limit;
	line = strstr(text, name);
	if (line == NULL)
		return limit;
	line += strlen(name);
	line += strspn(line, " ");
	if (g_ascii_isdigit(*line)) /* else it is "unlimited" */
		limit = g_ascii_strtoll(line, NULL, 10);
	return limit;
}

static enum result count_dpus(struct store *store, void *ret_count)
{
	struct query *query = store_query(store, SQL_DPU_COUNT);

	if (query_next(query))
		*(int64_t *)ret_count = query_integer(query, 0);
	query_end(query);
	return RESULT_OK;
}

static int64_t read_dpu_count(struct store *store)
{
	int64_t count = 0;

	return store != NULL && store_transaction(store, count_dpus, &count) == RESULT_OK ? count
											  : 0;
}

void doctor_open_files(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	struct mosquitto_settings *settings = doctor_is_here(config->broker_host)
						      ? mosquitto_settings_find(config->broker_port)
						      : NULL;
	int64_t dpus = read_dpu_count(doctor->session->store);
	int64_t limit = settings != NULL ? files_limit(settings->process) : INT64_MAX;

	if (settings == NULL)
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL,
			   "not looked at: the broker's process can't be found from here");
	else if (limit < dpus + FILES_BESIDE)
		doctor_say(doctor, DOCTOR_ERROR,
			   "LimitNOFILE= in its unit (systemd/mosquitto.service.d has one), and "
			   "restart "
			   "it",
			   "the broker may have %" PRId64 " connections, and there are %" PRId64
			   " DPUs",
			   limit, dpus);
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "the broker may have as many as it needs");
	mosquitto_settings_free(settings);
}
