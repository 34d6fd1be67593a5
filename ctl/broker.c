#include "broker.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "person.h"
#include "tls.h"

#define KEEPALIVE_S 30
#define PATIENCE_S 10
#define EXPIRY_AHEAD_S 2 /* a broker reckons in whole seconds, and may let one more pass */
#define LOOK_MS 1000     /* how often to look at the clock while nothing comes */
#define CLIENT_BYTES 16  /* a name that nobody guesses: whoever knows it could read the answers */

/* Requests that are not answered yet. Enough to fill a batch of the gateway; below the 1000 messages that a broker
 * holds for a client by default, so that it drops no answer. libmosquitto would have 20 on their way at once. */
#define WINDOW 512

struct pending {
	uint64_t number; /* 0: this place is free */
	char *subject;
	broker_answered *handler;
	void *context;
};

struct broker {
	struct mosquitto *client;
	char *address; /* host:port */
	char *reply_topic;
	const char *asked_for; /* the filter subscribed last, as access control has to grant it */
	bool ready;            /* it is granted */
	broker_heard *heard;   /* NULL: nothing but answers is listened to */
	void *heard_context;
	char *sender; /* who sends commands from where, as the first members of their JSON */
	bool lost;
	char why[256];
	int64_t patience_us;
	gint64 silent_since; /* monotonic: nothing was answered since, though requests wait */
	struct pending pending[WINDOW]; /* at number % WINDOW */
	size_t outstanding;
	uint64_t last_number;
	struct {
		broker_retained *found; /* NULL: none under way */
		void *context;
		bool subscribed, done;
	} reading;
};

static void lose(struct broker *broker, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void lose(struct broker *broker, const char *format, ...)
{
	va_list arguments;

	if (broker->lost)
		return;
	broker->lost = true;
	va_start(arguments, format);
	vsnprintf(broker->why, sizeof broker->why, format, arguments);
	va_end(arguments);
}

const char *broker_why(const struct broker *broker)
{
	return broker->why;
}

void broker_set_patience(struct broker *broker, int64_t seconds)
{
	broker->patience_us = seconds * G_USEC_PER_SEC;
}

static const char *reason_of(int code)
{
	switch (code) {
	case MOSQ_ERR_ERRNO:
		return g_strerror(errno);
	case MOSQ_ERR_EAI:
		return gai_strerror(errno);
	default:
		return mosquitto_strerror(code);
	}
}

/* After each call of libmosquitto that may have ended the connection. */
static void settle(struct broker *broker, int code)
{
	if (code != MOSQ_ERR_SUCCESS)
		lose(broker, "the broker at %s: %s", broker->address, reason_of(code));
}

/* Answers */

static void settle_answer(struct broker *broker, struct pending *pending, const char *payload,
			  size_t size)
{
	const char *why = "it has no status";
	g_autoptr(Json) json = json_read(payload, size, &why);
	struct pending done = *pending;
	struct answer answer;

	*pending = (struct pending){0};
	broker->outstanding--;
	broker->silent_since = g_get_monotonic_time();
	answer.status = json_member_integer(json, "status", 0);
	answer.body = json_member(json, "body");
	if (answer.status == 0)
		lose(broker, "the gateway's answer can't be understood: %s", why);
	else
		done.handler(done.context, done.subject, &answer);
	g_free(done.subject);
}

static void take_answer(struct broker *broker, const struct mosquitto_message *message,
			const mosquitto_property *properties)
{
	g_autofree void *correlation = NULL;
	uint16_t size = 0;
	uint64_t number;
	struct pending *pending;

	mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation, &size,
				       false);
	if (size != sizeof number)
		return;
	memcpy(&number, correlation, sizeof number);
	pending = &broker->pending[number % WINDOW];
	if (number == 0 || pending->number != number)
		return; /* answered before: QoS 1 may repeat */
	settle_answer(broker, pending, message->payload != NULL ? message->payload : "",
		      (size_t)message->payloadlen);
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;
	const char *payload = message->payload != NULL ? message->payload : "";
	size_t size = (size_t)message->payloadlen;

	(void)client;
	if (strcmp(message->topic, broker->reply_topic) == 0)
		take_answer(broker, message, properties);
	else if (broker->reading.found != NULL && message->retain)
		broker->reading.found(broker->reading.context, message->topic, payload, size);
	else if (broker->heard != NULL)
		broker->heard(broker->heard_context, message->topic, payload, size);
}

/* The connection */

static void on_connect(struct mosquitto *client, void *context, int reason, int flags,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)flags;
	(void)properties;
	if (reason != 0)
		lose(broker, "the broker at %s lets nobody in: %s", broker->address,
		     mosquitto_reason_string(reason));
	else
		settle(broker,
		       mosquitto_subscribe_v5(client, NULL, broker->reply_topic, 1, 0, NULL));
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted_qos, const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)id;
	(void)count;
	(void)properties;
	if (broker->reading.found != NULL) {
		broker->reading.subscribed = true;
		return;
	}
	if (granted_qos[0] != 1)
		lose(broker, "the broker at %s does not grant '%s': check its access control",
		     broker->address, broker->asked_for);
	broker->ready = true;
}

static void on_unsubscribe(struct mosquitto *client, void *context, int id,
			   const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)id;
	(void)properties;
	broker->reading.done = true;
}

static void on_publish(struct mosquitto *client, void *context, int id, int reason,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)id;
	(void)properties;
	if (reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS)
		lose(broker,
		     "no gateway was ever connected to the broker at %s: is headcount-gateway "
		     "running, with the same configuration?",
		     broker->address);
	else if (reason >= MQTT_RC_UNSPECIFIED)
		lose(broker, "the broker at %s refuses the request: %s: check its access control",
		     broker->address, mosquitto_reason_string(reason));
}

static void on_disconnect(struct mosquitto *client, void *context, int reason,
			  const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)properties;
	lose(broker, "the broker at %s closed the connection: %s", broker->address,
	     reason >= MQTT_RC_UNSPECIFIED ? mosquitto_reason_string(reason)
					   : reason_of(MOSQ_ERR_CONN_LOST));
}

static void check_patience(struct broker *broker)
{
	int64_t silence = g_get_monotonic_time() - broker->silent_since;

	if (broker->ready && broker->outstanding == 0)
		return;
	if (silence < broker->patience_us)
		return;
	lose(broker, "no answer from the %s at %s within %" PRId64 " s%s",
	     broker->ready ? "gateway behind the broker" : "broker", broker->address,
	     broker->patience_us / G_USEC_PER_SEC,
	     broker->ready ? ": is headcount-gateway running?" : "");
}

/* Waits for at most so many milliseconds for something to happen, and handles it. True if it is the descriptor. */
static bool pump(struct broker *broker, int64_t ms, int descriptor)
{
	struct pollfd polls[] = {
		{.fd = mosquitto_socket(broker->client), .events = POLLIN},
		{.fd = descriptor, .events = POLLIN},
	};

	if (mosquitto_want_write(broker->client))
		polls[0].events |= POLLOUT;
	if (poll(polls, G_N_ELEMENTS(polls), (int)CLAMP(ms, 0, LOOK_MS)) < 0 && errno != EINTR)
		lose(broker, "poll: %s", g_strerror(errno));
	if (polls[0].revents & (POLLIN | POLLHUP | POLLERR))
		settle(broker, mosquitto_loop_read(broker->client, 1));
	if (!broker->lost && mosquitto_want_write(broker->client))
		settle(broker, mosquitto_loop_write(broker->client, 1));
	if (!broker->lost)
		settle(broker, mosquitto_loop_misc(broker->client));
	check_patience(broker);
	return polls[1].revents != 0;
}

static enum result result_of(const struct broker *broker)
{
	return broker->lost ? RESULT_FAILED : RESULT_OK;
}

enum result broker_attend(struct broker *broker, int64_t ms, int descriptor)
{
	gint64 until = g_get_monotonic_time() + ms * 1000;
	int64_t left = ms;

	while (!broker->lost && !pump(broker, left, descriptor)) {
		left = (until - g_get_monotonic_time()) / 1000;
		if (left <= 0)
			break;
	}
	return result_of(broker);
}

enum result broker_finish(struct broker *broker)
{
	while (!broker->lost && broker->outstanding > 0)
		pump(broker, LOOK_MS, -1);
	return result_of(broker);
}

static int set_options(struct mosquitto *client, const struct credentials *credentials)
{
	int code = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);

	code = code ? code : mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, WINDOW);
	code = code ? code : mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, WINDOW);
	code = code ? code : mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, true);
	code = code ? code
		    : mosquitto_username_pw_set(client, credentials->username,
						credentials->password);
	if (code == 0 && credentials->ca_file != NULL)
		code = mosquitto_tls_set(client, credentials->ca_file, NULL,
					 credentials->certificate_file, credentials->key_file,
					 NULL);
	return code;
}

static void set_callbacks(struct mosquitto *client)
{
	mosquitto_connect_v5_callback_set(client, on_connect);
	mosquitto_disconnect_v5_callback_set(client, on_disconnect);
	mosquitto_subscribe_v5_callback_set(client, on_subscribe);
	mosquitto_unsubscribe_v5_callback_set(client, on_unsubscribe);
	mosquitto_publish_v5_callback_set(client, on_publish);
	mosquitto_message_v5_callback_set(client, on_message);
}

static char *random_name(void)
{
	unsigned char bytes[CLIENT_BYTES];
	GString *name = g_string_new("headcount-");

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		g_error("getrandom: %s", g_strerror(errno)); /* never for so few bytes */
	for (size_t i = 0; i < sizeof bytes; i++)
		g_string_append_printf(name, "%02x", bytes[i]);
	return g_string_free(name, FALSE);
}

static char *describe_sender(void)
{
	g_autofree char *who = person_name();
	g_autofree char *machine = person_machine();
	g_autofree char *from = g_strconcat("command line on ", machine, NULL);
	GString *members = g_string_new(NULL);

	json_begin_object(members, NULL);
	json_add_text(members, "who", who);
	json_add_text(members, "from", from);
	return g_string_free(members, FALSE);
}

static void connect_client(struct broker *broker, const struct config *config,
			   const struct credentials *credentials)
{
	int code = set_options(broker->client, credentials);

	set_callbacks(broker->client);
	broker->silent_since = g_get_monotonic_time();
	code = code ? code
		    : mosquitto_connect_bind_v5(broker->client, config->broker_host,
						(int)config->broker_port, KEEPALIVE_S, NULL, NULL);
	if (code != MOSQ_ERR_SUCCESS)
		lose(broker, "no connection to the broker at %s: %s", broker->address,
		     reason_of(code));
	while (!broker->lost && !broker->ready)
		pump(broker, LOOK_MS, -1);
}

enum result broker_open(const struct config *config, struct broker **ret_broker,
			struct problem *reterr_problem)
{
	struct credentials credentials;
	g_autofree char *name = random_name();
	struct broker *broker;

	if (config_login(config, BROKER_LOGIN, &credentials, reterr_problem) != RESULT_OK)
		return RESULT_FAILED;
	mosquitto_lib_init();
	broker = g_new0(struct broker, 1);
	broker->address = g_strdup_printf("%s:%" PRId64, config->broker_host, config->broker_port);
	broker->reply_topic = g_strconcat("replies/", name, NULL);
	broker->asked_for = "replies/#";
	broker->sender = describe_sender();
	broker_set_patience(broker, PATIENCE_S);
	broker->client = mosquitto_new(name, true, broker);
	if (broker->client == NULL)
		g_error("mosquitto_new: %s", g_strerror(errno)); /* out of memory, as for GLib */
	connect_client(broker, config, &credentials);
	credentials_clear(&credentials);
	if (broker->lost) {
		problem_set(reterr_problem, RESULT_FAILED, "", "%s", broker->why);
		broker_close(broker);
		return RESULT_FAILED;
	}
	*ret_broker = broker;
	return RESULT_OK;
}

void broker_close(struct broker *broker)
{
	if (broker == NULL)
		return;
	if (!broker->lost)
		mosquitto_disconnect_v5(broker->client, 0, NULL);
	mosquitto_destroy(broker->client);
	for (size_t i = 0; i < WINDOW; i++)
		g_free(broker->pending[i].subject);
	g_free(broker->address);
	g_free(broker->reply_topic);
	g_free(broker->sender);
	g_free(broker);
	mosquitto_lib_cleanup();
}

enum result broker_listen(struct broker *broker, const char *filter, broker_heard *heard,
			  void *context)
{
	if (broker->lost)
		return RESULT_FAILED;
	broker->heard = heard;
	broker->heard_context = context;
	broker->asked_for = filter;
	broker->ready = false;
	broker->silent_since = g_get_monotonic_time();
	settle(broker, mosquitto_subscribe_v5(broker->client, NULL, filter, 1, 0, NULL));
	while (!broker->lost && !broker->ready)
		pump(broker, LOOK_MS, -1);
	return result_of(broker);
}

enum result broker_publish(struct broker *broker, const char *topic, const char *payload,
			   size_t size)
{
	if (!broker->lost)
		settle(broker, mosquitto_publish_v5(broker->client, NULL, topic, (int)size, payload,
						    1, false, NULL));
	return result_of(broker);
}

/* Requests */

static int add_properties(const struct broker *broker, const struct request *request,
			  uint64_t number, mosquitto_property **properties)
{
	uint32_t expiry_s = (uint32_t)(broker->patience_us / G_USEC_PER_SEC) - EXPIRY_AHEAD_S;
	int code = mosquitto_property_add_string(properties, MQTT_PROP_RESPONSE_TOPIC,
						 broker->reply_topic);

	code = code ? code
		    : mosquitto_property_add_binary(properties, MQTT_PROP_CORRELATION_DATA, &number,
						    sizeof number);
	if (code == 0 && request->expires)
		code = mosquitto_property_add_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
						    expiry_s);
	return code;
}

/* A command says who sends it: the members go in front of its own. The caller frees it. */
static char *payload_of(const struct broker *broker, const struct request *request,
			size_t *ret_size)
{
	GString *payload = g_string_new(NULL);

	if (strcmp(request->topic, BROKER_COMMANDS) == 0) {
		g_string_printf(payload, "%s,", broker->sender);
		g_string_append_len(payload, request->payload + 1, (gssize)request->size - 1);
	} else {
		g_string_append_len(payload, request->payload, (gssize)request->size);
	}
	*ret_size = payload->len;
	return g_string_free(payload, FALSE);
}

static int publish(struct broker *broker, const struct request *request, uint64_t number)
{
	mosquitto_property *properties = NULL;
	int code = add_properties(broker, request, number, &properties);
	size_t size;
	g_autofree char *payload = payload_of(broker, request, &size);

	code = code ? code
		    : mosquitto_publish_v5(broker->client, NULL, request->topic, (int)size, payload,
					   1, false, properties);
	mosquitto_property_free_all(&properties);
	return code;
}

enum result broker_request(struct broker *broker, const struct request *request)
{
	uint64_t number = broker->last_number + 1;
	struct pending *pending = &broker->pending[number % WINDOW];

	while (!broker->lost && pending->number != 0)
		pump(broker, LOOK_MS, -1);
	if (broker->lost)
		return RESULT_FAILED;
	if (broker->outstanding == 0)
		broker->silent_since = g_get_monotonic_time();
	broker->last_number = number;
	broker->outstanding++;
	*pending = (struct pending){number, g_strdup(request->subject), request->handler,
				    request->context};
	settle(broker, publish(broker, request, number));
	return result_of(broker);
}

/* Reading what is retained */

static void wait_until(struct broker *broker, const bool *said)
{
	gint64 until = g_get_monotonic_time() + broker->patience_us;

	while (!broker->lost && !*said) {
		pump(broker, LOOK_MS, -1);
		if (!*said && g_get_monotonic_time() > until)
			lose(broker, "the broker at %s does not answer", broker->address);
	}
}

/* At QoS 0 the broker hands all of it out before it answers the end of the subscription. */
enum result broker_read_retained(struct broker *broker, const char *filter, broker_retained *found,
				 void *context)
{
	broker->reading.found = found;
	broker->reading.context = context;
	broker->reading.subscribed = broker->reading.done = false;
	if (!broker->lost)
		settle(broker, mosquitto_subscribe_v5(broker->client, NULL, filter, 0, 0, NULL));
	wait_until(broker, &broker->reading.subscribed);
	if (!broker->lost)
		settle(broker, mosquitto_unsubscribe_v5(broker->client, NULL, filter, NULL));
	wait_until(broker, &broker->reading.done);
	broker->reading.found = NULL;
	return result_of(broker);
}

int64_t broker_certificate_days(const struct broker *broker)
{
	return tls_certificate_days(broker->lost ? NULL : mosquitto_ssl_get(broker->client));
}
