#include "broker.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define KEEPALIVE_S 20       /* a dead connection is noticed in twice that */
#define ANSWER_S INT64_C(30) /* a broker that doesn't let us in by then won't */
#define LEAVE_MS INT64_C(2000)

/* The session outlives any outage of ours: what it queues is bounded by the broker's own limits, not by time. */
#define SESSION_EXPIRY_NEVER UINT32_MAX

/* How many batches may be on their way unacknowledged: while one is committed the next one arrives. More would only
 * come again after a crash. */
#define BATCHES_UNDERWAY 2

/* A broker drops, unseen, what is larger than its subscriber takes: so this is well above the largest packet that it lets
 * in (mosquitto.conf: max_packet_size). Messages above EVENT_PAYLOAD_BYTES are rejected by us. */
#define PACKET_BYTES (2 * 1024 * 1024)

/* We log in by this name even where none is asked for. A restarted mosquitto 2.0 gives a session its access rights back by
 * its user's name, but one without a name only when it connects again: what arrives before that is acknowledged and lost. */
#define PROGRAM "headcount-gateway"

/* Enough to keep a broker busy for a round trip. libmosquitto walks through all of them for each acknowledgement. */
#define PUBLISH_WINDOW 256

enum state {
	STATE_CLOSED,
	STATE_OPENING,     /* until the broker has let us in */
	STATE_SUBSCRIBING, /* until it has granted the subscriptions */
	STATE_READY,
	STATE_LEAVING,
};

struct broker {
	const struct config *config;
	const struct receivers *receivers;
	struct credentials credentials;
	char *status_topic;

	struct mosquitto *client; /* one a connection; NULL when closed */
	int parting;              /* the socket of the last one, until the next; -1: none */
	enum state state;
	bool lost;     /* the connection is to be ended, as soon as libmosquitto has returned */
	bool blocked;  /* the socket did not take all that was to be written */
	char why[256]; /* of the last end */
	gint64 opened; /* monotonic µs */
	int subscribing[SUBSCRIPTIONS]; /* packet ids; 0 once granted */
	bool refused_publication;       /* and said so, once a connection */
	size_t outstanding;
	uint64_t packets;  /* that libmosquitto told us of */
	int64_t delivered; /* bytes */
};

/* Ends */

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

/* Says that nothing more will come. A socket closed with something unread in it is reset: then the broker can't write to it any
 * more, and ends the connection before it has read what we said last, such as what our trouble is. So it stays, half closed. */
static void part(struct broker *broker)
{
	int socket = mosquitto_socket(broker->client);

	if (broker->parting >= 0)
		close(broker->parting);
	broker->parting = socket < 0 ? -1 : fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (broker->parting >= 0)
		shutdown(broker->parting, SHUT_WR);
}

void broker_drop(struct broker *broker)
{
	part(broker);
	mosquitto_destroy(broker->client); /* frees what is queued */
	broker->client = NULL;
	broker->state = STATE_CLOSED;
	broker->blocked = false;
	broker->outstanding = 0;
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
static bool settle(struct broker *broker, int code)
{
	if (code != MOSQ_ERR_SUCCESS)
		lose(broker, "%s", reason_of(code));
	if (mosquitto_socket(broker->client) < 0)
		lose(broker, "the broker closed the connection");
	if (broker->lost)
		broker_drop(broker);
	return !broker->lost;
}

/* Callbacks of libmosquitto: the client is not to be destroyed here */

static void on_log(struct mosquitto *client, void *context, int level, const char *text)
{
	(void)client;
	if (level == MOSQ_LOG_ERR)
		lose(context, "%s", text);
}

static char *filter_of(const struct broker *broker, size_t index)
{
	return topics_filter(&subscriptions[index], broker->receivers->discovery_prefix);
}

/* Without what we say ourselves below such a filter; it is not to come back. */
static void subscribe(struct broker *broker)
{
	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		g_autofree char *filter = filter_of(broker, i);
		int options = MQTT_SUB_OPT_NO_LOCAL |
			      (subscriptions[i].retained ? MQTT_SUB_OPT_SEND_RETAIN_ALWAYS
							 : MQTT_SUB_OPT_SEND_RETAIN_NEVER);
		int code = mosquitto_subscribe_v5(broker->client, &broker->subscribing[i], filter,
						  subscriptions[i].qos, options, NULL);
		if (code != MOSQ_ERR_SUCCESS)
			lose(broker, "%s: %s", filter, mosquitto_strerror(code));
	}
}

static void on_connect(struct mosquitto *client, void *context, int reason, int flags,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)flags;
	(void)properties;
	mosquitto_log_callback_set(client, NULL); /* it would format a line a packet */
	broker->packets++;
	if (reason != 0) {
		lose(broker, "refused: %s", mosquitto_reason_string(reason));
		return;
	}
	broker->state = STATE_SUBSCRIBING;
	subscribe(broker);
}

static void on_disconnect(struct mosquitto *client, void *context, int reason,
			  const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)properties;
	if (broker->state != STATE_LEAVING && reason >= MQTT_RC_UNSPECIFIED)
		lose(broker, "the broker closed the connection: %s",
		     mosquitto_reason_string(reason));
}

static void say_status(struct broker *broker, const char *status)
{
	broker_publish(broker, &(struct publication){.topic = broker->status_topic,
						     .payload = status,
						     .size = strlen(status),
						     .retain = true});
}

static void granted(struct broker *broker, size_t index, int qos)
{
	const struct subscription *subscription = &subscriptions[index];
	g_autofree char *filter = filter_of(broker, index);

	broker->subscribing[index] = 0;
	if (qos == subscription->qos)
		return;
	if (subscription->required)
		lose(broker,
		     "%s: the subscription is not granted (%d): check the broker's "
		     "access control",
		     filter, qos);
	else
		log_info("broker: %s: not granted (%d)", filter, qos);
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted_qos, const mosquitto_property *properties)
{
	struct broker *broker = context;
	bool all = true;

	(void)client;
	(void)count;
	(void)properties;
	broker->packets++;
	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		if (broker->subscribing[i] == id)
			granted(broker, i, granted_qos[0]);
		all = all && broker->subscribing[i] == 0;
	}
	if (!all || broker->lost || broker->state != STATE_SUBSCRIBING)
		return;
	broker->state = STATE_READY;
	say_status(broker, "online");
}

static void on_publish(struct mosquitto *client, void *context, int id, int reason,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	(void)id;
	(void)properties;
	broker->packets++;
	broker->outstanding--;
	if (reason < MQTT_RC_UNSPECIFIED || broker->refused_publication)
		return;
	broker->refused_publication = true;
	log_warning("broker: refuses to take a message: %s: check its access control",
		    mosquitto_reason_string(reason));
}

static void deliver(struct broker *broker, const struct mosquitto_message *from,
		    const mosquitto_property *properties)
{
	g_autofree char *response_topic = NULL;
	g_autofree void *correlation = NULL;
	uint16_t correlation_size = 0;

	mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, &response_topic,
				       false);
	mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation,
				       &correlation_size, false);
	topics_deliver(broker->receivers,
		       &(struct message){.topic = from->topic,
					 .payload = from->payload != NULL ? from->payload : "",
					 .size = (size_t)from->payloadlen,
					 .response_topic = response_topic,
					 .correlation = correlation,
					 .correlation_size = correlation_size,
					 .received = instant_now()});
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)client;
	broker->packets++;
	broker->delivered += message->payloadlen;
	deliver(broker, message, properties);
}

/* Begins */

struct broker *broker_new(const struct config *config, const struct receivers *receivers,
			  struct problem *reterr_problem)
{
	struct broker *broker;
	struct credentials credentials;

	if (config_login(config, PROGRAM, &credentials, reterr_problem) != RESULT_OK)
		return NULL;
	mosquitto_lib_init();
	broker = g_new0(struct broker, 1);
	broker->config = config;
	broker->receivers = receivers;
	broker->parting = -1;
	broker->credentials = credentials;
	broker->status_topic = g_strdup_printf("gateway/%s/status", config->client_id);
	return broker;
}

void broker_free(struct broker *broker)
{
	if (broker == NULL)
		return;
	broker_drop(broker);
	part(broker);
	credentials_clear(&broker->credentials);
	g_free(broker->status_topic);
	g_free(broker);
	mosquitto_lib_cleanup();
}

static void set_callbacks(struct mosquitto *client)
{
	mosquitto_log_callback_set(client, on_log);
	mosquitto_connect_v5_callback_set(client, on_connect);
	mosquitto_disconnect_v5_callback_set(client, on_disconnect);
	mosquitto_subscribe_v5_callback_set(client, on_subscribe);
	mosquitto_publish_v5_callback_set(client, on_publish);
	mosquitto_message_v5_callback_set(client, on_message);
}

static int set_options(const struct broker *broker)
{
	const struct {
		enum mosq_opt_t option;
		int value;
	} options[] = {
		{MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5},
		{MOSQ_OPT_RECEIVE_MAXIMUM, (int)broker->config->batch_items * BATCHES_UNDERWAY},
		{MOSQ_OPT_SEND_MAXIMUM, PUBLISH_WINDOW},
		{MOSQ_OPT_TCP_NODELAY, true},
	};
	int code = mosquitto_threaded_set(broker->client, true); /* queue packets, never write */

	for (size_t i = 0; code == MOSQ_ERR_SUCCESS && i < G_N_ELEMENTS(options); i++)
		code = mosquitto_int_option(broker->client, options[i].option, options[i].value);
	return code;
}

static int set_identity(const struct broker *broker)
{
	const struct credentials *credentials = &broker->credentials;
	int code = mosquitto_will_set(broker->client, broker->status_topic, strlen("offline"),
				      "offline", 1, true);

	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_username_pw_set(broker->client, credentials->username,
						 credentials->password);
	if (code == MOSQ_ERR_SUCCESS && credentials->ca_file != NULL)
		code = mosquitto_tls_set(broker->client, credentials->ca_file, NULL,
					 credentials->certificate_file, credentials->key_file,
					 NULL);
	return code;
}

static int connect_client(const struct broker *broker)
{
	const struct config *config = broker->config;
	mosquitto_property *properties = NULL;
	int code = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
						SESSION_EXPIRY_NEVER);

	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
						    PACKET_BYTES);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_connect_bind_v5(broker->client, config->broker_host,
						 (int)config->broker_port, KEEPALIVE_S, NULL,
						 properties);
	mosquitto_property_free_all(&properties);
	return code;
}

static int begin_connection(struct broker *broker)
{
	int code = set_options(broker);

	if (code == MOSQ_ERR_SUCCESS)
		code = set_identity(broker);
	if (code == MOSQ_ERR_SUCCESS)
		code = connect_client(broker);
	return code;
}

bool broker_connect(struct broker *broker)
{
	broker_drop(broker);
	broker->lost = false;
	broker->refused_publication = false;
	broker->opened = g_get_monotonic_time();
	broker->client = mosquitto_new(broker->config->client_id, false, broker);
	if (broker->client == NULL) {
		lose(broker, "%s", g_strerror(errno));
		return false;
	}
	broker->state = STATE_OPENING;
	set_callbacks(broker->client);
	return settle(broker, begin_connection(broker));
}

bool broker_is_open(const struct broker *broker)
{
	return broker->state != STATE_CLOSED;
}

bool broker_is_let_in(const struct broker *broker)
{
	return broker->state == STATE_SUBSCRIBING || broker->state == STATE_READY;
}

bool broker_is_ready(const struct broker *broker)
{
	return broker->state == STATE_READY;
}

const char *broker_why(const struct broker *broker)
{
	return broker->why;
}

/* Reading and writing */

/* As long as the broker does not take our acknowledgements we read no further messages, so that what is queued stays
 * small. (While a connection opens it is TLS that may wait for either.) */
static bool may_read(const struct broker *broker)
{
	return broker->state == STATE_OPENING || (broker_is_let_in(broker) && !broker->blocked);
}

void broker_poll(const struct broker *broker, struct pollfd *ret_poll)
{
	ret_poll->fd = broker_is_open(broker) ? mosquitto_socket(broker->client) : -1;
	ret_poll->events =
		(short)((may_read(broker) ? POLLIN : 0) | (broker->blocked ? POLLOUT : 0));
	ret_poll->revents = 0;
}

bool broker_read(struct broker *broker)
{
	uint64_t before = broker->packets;

	if (!may_read(broker))
		return false;
	return settle(broker, mosquitto_loop_read(broker->client, 1)) && broker->packets > before;
}

int64_t broker_delivered(const struct broker *broker)
{
	return broker->delivered;
}

void broker_tend(struct broker *broker)
{
	if (!broker_is_open(broker))
		return;
	if (!broker_is_ready(broker) &&
	    g_get_monotonic_time() - broker->opened > ANSWER_S * G_USEC_PER_SEC)
		lose(broker, "no answer within %" PRId64 " s", ANSWER_S);
	settle(broker, mosquitto_loop_misc(broker->client));
}

/* What a broker sent before it died is still to be read. A write would fail, and libmosquitto then end the connection with
 * all that has arrived: so nothing is written any more, and reading ends it. */
static bool has_gone(const struct broker *broker)
{
	struct pollfd polled = {.fd = mosquitto_socket(broker->client), .events = POLLRDHUP};

	return poll(&polled, 1, 0) > 0;
}

/* Whole packets leave together, in full segments. */
static void set_cork(struct mosquitto *client, int on)
{
	int socket = mosquitto_socket(client);

	if (socket >= 0)
		setsockopt(socket, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

void broker_write(struct broker *broker)
{
	int code;

	if (!broker_is_open(broker) || !mosquitto_want_write(broker->client))
		return;
	if (broker->state != STATE_LEAVING && has_gone(broker)) {
		broker->blocked = false;
		return;
	}
	set_cork(broker->client, 1);
	code = mosquitto_loop_write(broker->client, 1); /* one call writes all that fits */
	set_cork(broker->client, 0);
	if (settle(broker, code))
		broker->blocked = mosquitto_want_write(broker->client);
}

void broker_leave(struct broker *broker)
{
	gint64 until = g_get_monotonic_time() + LEAVE_MS * 1000;
	struct pollfd writable;

	if (!broker_is_open(broker))
		return;
	if (broker_is_ready(broker))
		say_status(broker, "offline");
	broker->state = STATE_LEAVING;
	mosquitto_disconnect_v5(broker->client, 0, NULL);
	for (broker_write(broker); broker_is_open(broker); broker_write(broker)) {
		gint64 left = until - g_get_monotonic_time();
		broker_poll(broker, &writable);
		if (left <= 0 || poll(&writable, 1, (int)(left / 1000)) <= 0)
			break;
	}
	broker_drop(broker);
}

/* Publishing */

static int publish(struct broker *broker, const struct publication *publication)
{
	mosquitto_property *properties = NULL;
	int code = MOSQ_ERR_SUCCESS;

	if (publication->correlation != NULL)
		code = mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA,
						     publication->correlation,
						     (uint16_t)publication->correlation_size);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_publish_v5(broker->client, NULL, publication->topic,
					    (int)publication->size, publication->payload,
					    publication->fleeting ? 0 : 1, publication->retain,
					    properties);
	mosquitto_property_free_all(&properties);
	return code;
}

void broker_publish(struct broker *broker, const struct publication *publication)
{
	int code;

	if (!broker_is_let_in(broker))
		return;
	code = publish(broker, publication);
	if (code == MOSQ_ERR_SUCCESS)
		broker->outstanding++;
	else if (code == MOSQ_ERR_NOMEM)
		lose(broker, "%s",
		     mosquitto_strerror(code)); /* the next connection says all again */
	else
		log_warning("%s: not published: %s", publication->topic, mosquitto_strerror(code));
}

size_t broker_outstanding(const struct broker *broker)
{
	return broker->outstanding;
}

size_t broker_room(const struct broker *broker)
{
	if (!broker_is_ready(broker) || broker->outstanding >= PUBLISH_WINDOW)
		return 0;
	return PUBLISH_WINDOW - broker->outstanding;
}
