/* The broker and, by way of it, the gateway. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "mosquitto_settings.h"
#include "secret.h"

#define GATEWAY_SILENT (90 * INSTANT_SECOND) /* it speaks every 30 s */
#define ERROR_RECENT INSTANT_HOUR

void doctor_tls(struct doctor *doctor)
{
	const struct session *session = doctor->session;
	const struct config *config = &session->config;
	int64_t days;

	if (*config->broker_ca_file == '\0') {
		if (doctor_is_here(config->broker_host))
			doctor_say(doctor, DOCTOR_OK, NULL,
				   "not needed: the broker is on this machine");
		else
			doctor_say(
				doctor, DOCTOR_WARNING,
				"give the broker a listener with a certificate, and set [broker] "
				"ca_file and port",
				"the connection to %s is not encrypted: passwords travel in the "
				"clear",
				config->broker_host);
		return;
	}
	days = session->broker != NULL ? broker_certificate_days(session->broker) : INT64_MIN;
	if (days == INT64_MIN)
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL,
			   "not looked at: there is no connection to the broker");
	else if (days < DOCTOR_CERTIFICATE_DAYS)
		doctor_say(doctor, DOCTOR_WARNING, "renew it, and restart the broker",
			   "the broker's certificate is valid for %" PRId64 " days only", days);
	else
		doctor_say(doctor, DOCTOR_OK, NULL,
			   "the broker's certificate is valid for %" PRId64 " days", days);
}

/* The gateway */

/* How long ago a member's time is: very long if there is none. */
static int64_t age_of(const struct json *object, const char *name)
{
	const char *text = json_member_text(object, name, "");
	instant when = INSTANT_FIRST;

	instant_parse(text, strlen(text), &when);
	return instant_now() - when;
}

/* Things that its last message of health may complain of; true if it does. */

static bool has_failed(struct doctor *doctor)
{
	const struct json *error = json_member(doctor->gateway_health, "last_error");
	bool object = error != NULL && json_kind(error) == JSON_OBJECT;

	if (!object || age_of(error, "time") > ERROR_RECENT)
		return false;
	doctor_say(doctor, DOCTOR_WARNING, "journalctl -u headcount-gateway tells more",
		   "it had an error within the last hour: %s",
		   json_member_text(error, "detail", ""));
	return true;
}

static bool has_drops(struct doctor *doctor)
{
	int64_t drops = json_member_integer(doctor->gateway_health, "broker_drops", 0);

	if (drops > 0)
		doctor_say(doctor, DOCTOR_WARNING,
			   "events may be lost: raise max_queued_messages and max_queued_bytes in "
			   "mosquitto.conf, or find the client that does not read",
			   "the broker has dropped %" PRId64 " messages since it began", drops);
	return drops > 0;
}

static bool has_lost_rejected(struct doctor *doctor)
{
	int64_t dropped = json_member_integer(doctor->gateway_health, "rejected_dropped", 0);

	if (dropped > 0)
		doctor_say(doctor, DOCTOR_WARNING,
			   "remove what is not needed (" PROGRAM
			   " rejected remove), or raise [store] rejected_max",
			   "%" PRId64 " rejected events went because there were too many", dropped);
	return dropped > 0;
}

static bool is_another_version(struct doctor *doctor)
{
	const char *version = json_member_text(doctor->gateway_health, "version", "");
	bool another = strcmp(version, HEADCOUNT_VERSION) != 0;

	if (another)
		doctor_say(doctor, DOCTOR_WARNING, "systemctl restart headcount-gateway",
			   "it is version %s, and this program is " HEADCOUNT_VERSION, version);
	return another;
}

static bool (*const complaints[])(struct doctor *doctor) = {
	has_failed,
	has_drops,
	has_lost_rejected,
	is_another_version,
};

static void judge_health(struct doctor *doctor)
{
	const struct json *health = doctor->gateway_health;
	bool any = false;

	for (size_t i = 0; i < G_N_ELEMENTS(complaints); i++)
		any = complaints[i](doctor) || any;
	if (!any)
		doctor_say(doctor, DOCTOR_OK, NULL,
			   "it is online and has stored %" PRId64
			   " events since its start; %" PRId64 " wait in its queue",
			   json_member_integer(health, "events_stored", 0),
			   json_member_integer(json_member(health, "queue"), "items", 0));
}

void doctor_gateway(struct doctor *doctor)
{
	const char *client = doctor->session->config.client_id;
	int64_t silence = age_of(doctor->gateway_health, "as_of");

	if (doctor->gateway_status == NULL)
		doctor_say(doctor, DOCTOR_ERROR,
			   "systemctl start headcount-gateway, with the same configuration; or let "
			   "this login read gateway/#",
			   "no gateway '%s' was ever connected", client);
	else if (strcmp(doctor->gateway_status, "online") != 0)
		doctor_say(
			doctor, DOCTOR_ERROR,
			"systemctl start headcount-gateway; journalctl -u headcount-gateway says "
			"why it ended",
			"it is %s", doctor->gateway_status);
	else if (doctor->gateway_health == NULL || silence > GATEWAY_SILENT)
		doctor_say(doctor, DOCTOR_ERROR,
			   "journalctl -u headcount-gateway; systemctl restart headcount-gateway",
			   "it is online, but says nothing for more than 90 s");
	else
		judge_health(doctor);
}

/* Rights: the daemons have logins of their own, so this one can only be tried for itself. */

static void keep_answer(void *context, const char *subject, const struct answer *answer)
{
	bool *answered = context;

	(void)subject;
	*answered = answer->status > 0;
}

void doctor_rights(struct doctor *doctor)
{
	/* A command that there is not: it is refused, and so nothing is changed. */
	static const char question[] = "{\"action\":\"look\",\"object\":\"doctor\"}";
	struct broker *broker = doctor->session->broker;
	bool answered = false;
	const struct request request = {
		.topic = BROKER_COMMANDS,
		.payload = question,
		.size = sizeof question - 1,
		.expires = true,
		.subject = "",
		.handler = keep_answer,
		.context = &answered,
	};

	if (broker_request(broker, &request) == RESULT_OK && broker_finish(broker) == RESULT_OK &&
	    answered)
		doctor_say(
			doctor, DOCTOR_OK, NULL,
			"this login may send commands and read the answers; those of gateway and "
			"api are not to be seen from here");
	else
		doctor_say(
			doctor, DOCTOR_ERROR,
			"see the finding about the gateway, and what config/mosquitto.acl gives to "
			"headcount-ctl",
			"a command was not answered: %s", broker_why(broker));
}

/* mosquitto.conf */

/* clang-format off */
static const struct {
	const char *option;
	int64_t otherwise; /* what mosquitto has without it */
	int64_t least, most;
	bool none; /* 0 is allowed, too */
	const char *why;
} rules[] = {
	{"max_queued_messages", 1000, 100000, INT64_MAX, false,
		"while the gateway is away it drops what exceeds them, and says nothing to who sent it"},
	{"max_queued_bytes", 0, INT64_C(64) << 20, INT64_MAX, true,
		"while the gateway is away it drops what exceeds them, and says nothing to who sent it"},
	{"max_inflight_messages", 20, 100, INT64_MAX, true, "the gateway gets them in small portions"},
	{"autosave_interval", 1800, 1, 60, false,
		"killed, it loses what waited in its queue since the last time it saved"},
	{"message_size_limit", 0, 0, 0, false, "it acknowledges larger messages, and drops them (max_packet_size does not)"},
	{"max_packet_size", 0, 70000, INT64_MAX, true, "it ends the connection of a DPU that uploads a batch of 64 KiB"},
};
/* clang-format on */

/* Each returns how much is wrong. */

static int check_rules(struct doctor *doctor, const struct mosquitto_settings *settings)
{
	g_autofree char *remedy = g_strdup_printf(
		"set it in %s as headcount's mosquitto.conf has it, and restart mosquitto",
		settings->path);
	int wrong = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
		const char *text = mosquitto_option(settings, rules[i].option, NULL);
		int64_t value = text != NULL ? g_ascii_strtoll(text, NULL, 10) : rules[i].otherwise;

		if ((value >= rules[i].least && value <= rules[i].most) ||
		    (value == 0 && rules[i].none))
			continue;
		doctor_say(doctor, DOCTOR_WARNING, remedy, "%s is %" PRId64 ": %s", rules[i].option,
			   value, rules[i].why);
		wrong++;
	}
	return wrong;
}

static int check_persistence(struct doctor *doctor, const struct mosquitto_settings *settings)
{
	g_autofree char *remedy = g_strdup_printf(
		"set persistence true in %s, and restart mosquitto", settings->path);

	if (strcmp(mosquitto_option(settings, "persistence", "false"), "true") == 0)
		return 0;
	doctor_say(doctor, DOCTOR_ERROR, remedy,
		   "the broker forgets what waits in it when it is restarted");
	return 1;
}

static int check_openness(struct doctor *doctor, const struct mosquitto_settings *settings)
{
	const char *anonymous = mosquitto_option(settings, "allow_anonymous", "false");

	for (guint i = 0; i < settings->listeners->len; i++) {
		const struct mosquitto_listener *listener = settings->listeners->pdata[i];

		if (!mosquitto_listener_is_open(listener) || strcmp(anonymous, "true") != 0)
			continue;
		doctor_say(
			doctor, DOCTOR_ERROR,
			"allow_anonymous false and a password_file; or let it listen on 127.0.0.1 "
			"only (websockets: with socket_domain, too)",
			"the listener %" PRId64
			" of %s can be reached from other machines, by anybody without a password",
			listener->port, settings->path);
		return 1;
	}
	return 0;
}

static int check_keys(struct doctor *doctor, const struct mosquitto_settings *settings)
{
	int wrong = 0;

	for (guint i = 0; i < settings->listeners->len; i++) {
		const struct mosquitto_listener *listener = settings->listeners->pdata[i];
		g_autofree char *remedy = NULL;
		struct stat status;

		if (listener->key_file == NULL || stat(listener->key_file, &status) < 0 ||
		    !secret_is_open(status.st_mode))
			continue;
		remedy = g_strdup_printf("chmod o= %s", listener->key_file);
		doctor_say(doctor, DOCTOR_ERROR, remedy, "everybody may read the broker's key %s",
			   listener->key_file);
		wrong++;
	}
	return wrong;
}

static int (*const looks[])(struct doctor *doctor, const struct mosquitto_settings *settings) = {
	check_persistence,
	check_rules,
	check_openness,
	check_keys,
};

void doctor_broker_settings(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	struct mosquitto_settings *settings = NULL;
	int wrong = 0;

	if (doctor_is_here(config->broker_host))
		settings = mosquitto_settings_find(config->broker_port);
	if (settings == NULL) {
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL,
			   "not looked at: the configuration of the broker at %s:%" PRId64
			   " can't be found or read from here",
			   config->broker_host, config->broker_port);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(looks); i++)
		wrong += looks[i](doctor, settings);
	if (wrong == 0)
		doctor_say(doctor, DOCTOR_OK, NULL, "%s is fit for this", settings->path);
	mosquitto_settings_free(settings);
}
