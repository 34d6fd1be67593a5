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
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "json.h"
#include "log.h"

#define PROGRAM "headcount-api"
#define KEEPALIVE_S 20
#define TICK_MS                                                                                    \
	1000 /* a turn at least this often: for the keepalive and for orders that are overdue */
#define CONNECT_ANSWER_S 10 /* a broker that doesn't let us in by then won't */
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 5000
#define COMPLAINT_S 60 /* how often trouble that lasts is logged */

/* Orders under way at once. Each belongs to a connection of HTTP, and holds EVENT_PAYLOAD_BYTES at most: 64 MiB. */
#define ORDERS 1024

/* A command that has not reached the gateway by then is dropped by the broker, so that none is carried out after its
 * sender was told that it failed. Earlier than BROKER_ANSWER_S, as both are counted in whole seconds. */
#define COMMAND_EXPIRY_S (BROKER_ANSWER_S - 2)

#define COMMANDS "registry/commands"
#define NAME_SIZE 64

struct order {
	char *topic;
	void *payload;
	size_t size;
	bool asks; /* it is a request: done when answered */
	uint64_t number;
	int packet; /* 0: not sent yet, or acknowledged */
	gint64 due; /* monotonic µs */
	broker_done *done;
	void *context;
};

enum state {
	STATE_CLOSED,
	STATE_OPENING, /* until all subscriptions are granted */
	STATE_READY,
};

struct broker;
struct subscription {
	const char *before, *after; /* parts of the filter, and between them: */
	size_t name;                /* the offset of a name within struct broker; 0: nothing */
	int qos;
	int options; /* MQTT 5 subscription options */
	void (*handler)(struct broker *broker, const struct mosquitto_message *message,
			const mosquitto_property *properties);
};

#define SUBSCRIPTIONS 4

struct broker {
	const struct config *config;
	struct broker_listener listener;
	struct credentials credentials;
	char name[NAME_SIZE]; /* MQTT client id; replies/<name> is where answers come */
	char gateway_name[NAME_SIZE + 1];
	GThread *thread;
	int wake; /* eventfd: there are orders, or it is to stop */

	GMutex mutex; /* of what other threads see: */
	bool stopping;
	GQueue waiting; /* of struct order: not seen by the thread yet */
	size_t orders;  /* all that have not ended */
	struct broker_view view;

	/* The thread's own: */
	struct mosquitto *client; /* one a connection; NULL when closed */
	enum state state;
	bool lost; /* the connection is to be ended as soon as libmosquitto has returned */
	char why[256];
	char *filters[SUBSCRIPTIONS];
	int subscribing[SUBSCRIPTIONS]; /* packet ids; 0 once granted */
	GQueue sent;                    /* of struct order, the oldest first */
	uint64_t last_number;
	gint64 opened; /* monotonic µs, as all that follow */
	gint64 connect_at;
	unsigned tries;
	gint64 complain_at;
	char complaint[256];
};

/* Orders */

static void wake(struct broker *broker)
{
	/* Fails only if it counts to 2^64 already, and so wakes anyway. */
	(void)!write(broker->wake, &(uint64_t){1}, sizeof(uint64_t));
}

static void end_order(struct broker *broker, struct order *order, enum result result,
		      const char *text, size_t size)
{
	g_mutex_lock(&broker->mutex);
	broker->orders--;
	g_mutex_unlock(&broker->mutex);
	order->done(order->context, result, text, size);
	g_free(order->topic);
	g_free(order->payload);
	g_free(order);
}

static void fail_order(struct broker *broker, struct order *order, enum result result,
		       const char *why)
{
	end_order(broker, order, result, why, strlen(why));
}

static void fail_orders(struct broker *broker, GQueue *orders, const char *why)
{
	struct order *order;

	while ((order = g_queue_pop_head(orders)) != NULL)
		fail_order(broker, order, RESULT_BUSY, why);
}

/* Why an order can't be taken now; NULL: it can. */
static const char *obstacle(const struct broker *broker, bool asks)
{
	if (!broker->view.ready)
		return "there is no connection to the broker";
	if (asks && !broker->view.gateway_online)
		return "the gateway is offline";
	if (broker->orders >= ORDERS)
		return "too much is under way to the broker";
	return NULL;
}

static void submit(struct broker *broker, const struct order *order)
{
	const char *why;

	g_mutex_lock(&broker->mutex);
	why = obstacle(broker, order->asks);
	if (why == NULL) {
		struct order *copy = g_memdup2(order, sizeof *order);

		copy->topic = g_strdup(order->topic);
		copy->payload = g_memdup2(order->payload, order->size);
		copy->due = g_get_monotonic_time() + BROKER_ANSWER_S * G_USEC_PER_SEC;
		g_queue_push_tail(&broker->waiting, copy);
		broker->orders++;
	}
	g_mutex_unlock(&broker->mutex);
	if (why == NULL)
		wake(broker);
	else
		order->done(order->context, RESULT_BUSY, why, strlen(why));
}

void broker_publish(struct broker *broker, const char *topic, const void *payload, size_t size,
		    broker_done *done, void *context)
{
	submit(broker, &(struct order){.topic = (char *)topic,
				       .payload = (void *)payload,
				       .size = size,
				       .done = done,
				       .context = context});
}

void broker_request(struct broker *broker, const char *command, size_t size, broker_done *done,
		    void *context)
{
	submit(broker, &(struct order){.topic = (char *)COMMANDS,
				       .payload = (void *)command,
				       .size = size,
				       .asks = true,
				       .done = done,
				       .context = context});
}

/* Takes what other threads left, or nothing if there is no connection. */
static void take_waiting(struct broker *broker, GQueue *ret_orders)
{
	g_mutex_lock(&broker->mutex);
	*ret_orders = broker->waiting;
	g_queue_init(&broker->waiting);
	g_mutex_unlock(&broker->mutex);
}

/* They mostly end in the order in which they began, so that the search is short. */
static GList *find_packet(struct broker *broker, int packet)
{
	GList *each = broker->sent.head;

	while (each != NULL && ((struct order *)each->data)->packet != packet)
		each = each->next;
	return each;
}

static GList *find_number(struct broker *broker, uint64_t number)
{
	GList *each = broker->sent.head;

	while (each != NULL && ((struct order *)each->data)->number != number)
		each = each->next;
	return each;
}

static struct order *take_sent(struct broker *broker, GList *link)
{
	struct order *order = link->data;

	g_queue_delete_link(&broker->sent, link);
	return order;
}

static void end_overdue(struct broker *broker)
{
	gint64 now = g_get_monotonic_time();
	struct order *oldest;

	while ((oldest = g_queue_peek_head(&broker->sent)) != NULL && oldest->due <= now) {
		g_queue_pop_head(&broker->sent);
		fail_order(broker, oldest, RESULT_BUSY,
			   oldest->asks ? "the gateway did not answer in time; it may do it yet"
					: "the broker did not answer in time");
	}
}

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

/* One trouble that lasts is one line a minute. */
static void complain(struct broker *broker)
{
	gint64 now = g_get_monotonic_time();

	if (strcmp(broker->why, broker->complaint) == 0 && now < broker->complain_at)
		return;
	log_warning("broker: %s; trying again", broker->why);
	g_strlcpy(broker->complaint, broker->why, sizeof broker->complaint);
	broker->complain_at = now + COMPLAINT_S * G_USEC_PER_SEC;
}

/* Ever longer, and never at the same time as others who lost the same broker. */
static void connect_later(struct broker *broker)
{
	int64_t delay_ms = MIN(RETRY_MOST_MS, RETRY_FIRST_MS << MIN(broker->tries, 10));

	broker->tries++;
	broker->connect_at = g_get_monotonic_time() +
			     (gint64)((double)delay_ms * 1000 * g_random_double_range(0.5, 1.0));
}

static void drop(struct broker *broker)
{
	GQueue waiting;

	mosquitto_destroy(broker->client);
	broker->client = NULL;
	broker->state = STATE_CLOSED;
	g_mutex_lock(&broker->mutex);
	broker->view.ready = false;
	broker->view.gateway_online = false;
	g_mutex_unlock(&broker->mutex);
	take_waiting(broker, &waiting);
	fail_orders(broker, &broker->sent, "the connection to the broker was lost meanwhile");
	fail_orders(broker, &waiting, "there is no connection to the broker");
}

/* After each call of libmosquitto that may have ended the connection. */
static bool settle(struct broker *broker, int code)
{
	if (code != MOSQ_ERR_SUCCESS)
		lose(broker, "%s", reason_of(code));
	if (mosquitto_socket(broker->client) < 0)
		lose(broker, "the broker closed the connection");
	if (!broker->lost)
		return true;
	complain(broker);
	drop(broker);
	connect_later(broker);
	return false;
}

/* What comes in */

static void changed(struct broker *broker, const struct mosquitto_message *message,
		    const mosquitto_property *properties)
{
	(void)message;
	(void)properties;
	broker->listener.spaces_changed(broker->listener.context);
}

static void take_answer(struct broker *broker, const struct mosquitto_message *message,
			const mosquitto_property *properties)
{
	g_autofree void *correlation = NULL;
	uint16_t size = 0;
	uint64_t number;
	GList *link;

	mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation, &size,
				       false);
	if (size != sizeof number)
		return;
	memcpy(&number, correlation, sizeof number);
	link = find_number(broker, number);
	if (link != NULL)
		end_order(broker, take_sent(broker, link), RESULT_OK,
			  message->payload != NULL ? message->payload : "",
			  (size_t)message->payloadlen);
}

static void note_status(struct broker *broker, const struct mosquitto_message *message,
			const mosquitto_property *properties)
{
	(void)properties;
	g_mutex_lock(&broker->mutex);
	broker->view.gateway_online =
		message->payloadlen == 6 && memcmp(message->payload, "online", 6) == 0;
	g_mutex_unlock(&broker->mutex);
}

static bool read_as_of(const struct json *health, instant *ret_as_of)
{
	const struct json *member = json_member(health, "as_of");
	size_t size;
	const char *text;

	if (member == NULL || json_kind(member) != JSON_TEXT)
		return false;
	text = json_text(member, &size);
	return instant_parse(text, size, ret_as_of);
}

static void note_drops(struct broker_view *view, const struct json *health)
{
	const struct json *member = json_member(health, "broker_drops");
	int64_t drops;

	if (member == NULL || json_kind(member) != JSON_INTEGER)
		return;
	drops = json_integer(member);
	if (view->broker_drops >= 0 && drops > view->broker_drops)
		view->broker_drops_risen = instant_now();
	view->broker_drops = drops;
}

static void note_health(struct broker *broker, const struct mosquitto_message *message,
			const mosquitto_property *properties)
{
	const char *why;
	g_autoptr(Json) health = json_read(message->payload, (size_t)message->payloadlen, &why);

	(void)properties;
	if (health == NULL || json_kind(health) != JSON_OBJECT)
		return;
	g_mutex_lock(&broker->mutex);
	if (read_as_of(health, &broker->view.gateway_health))
		note_drops(&broker->view, health);
	g_mutex_unlock(&broker->mutex);
}

/* Of spaces only the fact that they changed matters: what they hold now is read from the database, so that the
 * thousands that are retained need not come. */
static const struct subscription subscriptions[SUBSCRIPTIONS] = {
	/* clang-format off */
	{"space/+",  "/state",  0,                                     0, MQTT_SUB_OPT_SEND_RETAIN_NEVER, changed},
	{"replies/", "",        offsetof(struct broker, name),         1, 0, take_answer},
	{"gateway/", "/status", offsetof(struct broker, gateway_name), 1, 0, note_status},
	{"gateway/", "/health", offsetof(struct broker, gateway_name), 1, 0, note_health},
	/* clang-format on */
};

static char *filter_of(const struct broker *broker, const struct subscription *subscription)
{
	const char *name = subscription->name == 0 ? "" : (const char *)broker + subscription->name;

	return g_strconcat(subscription->before, name, subscription->after, NULL);
}

/* Callbacks of libmosquitto: the client is not to be destroyed here */

static void on_log(struct mosquitto *client, void *context, int level, const char *text)
{
	(void)client;
	if (level == MOSQ_LOG_ERR)
		lose(context, "%s", text);
}

static void on_connect(struct mosquitto *client, void *context, int reason, int flags,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;

	(void)flags;
	(void)properties;
	mosquitto_log_callback_set(client, NULL); /* it would format a line a packet */
	if (reason != 0) {
		lose(broker, "refused: %s", mosquitto_reason_string(reason));
		return;
	}
	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		int code = mosquitto_subscribe_v5(client, &broker->subscribing[i],
						  broker->filters[i], subscriptions[i].qos,
						  subscriptions[i].options, NULL);
		if (code != MOSQ_ERR_SUCCESS)
			lose(broker, "%s: %s", broker->filters[i], mosquitto_strerror(code));
	}
}

static void on_disconnect(struct mosquitto *client, void *context, int reason,
			  const mosquitto_property *properties)
{
	(void)client;
	(void)properties;
	if (reason >= MQTT_RC_UNSPECIFIED)
		lose(context, "the broker closed the connection: %s",
		     mosquitto_reason_string(reason));
}

static void become_ready(struct broker *broker)
{
	broker->state = STATE_READY;
	broker->tries = 0;
	g_mutex_lock(&broker->mutex);
	broker->view.ready = true;
	g_mutex_unlock(&broker->mutex);
	if (broker->complaint[0] != '\0')
		log_notice("broker: connected again");
	broker->complaint[0] = '\0';
	broker->listener.spaces_changed(broker->listener.context);
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted_qos, const mosquitto_property *properties)
{
	struct broker *broker = context;
	bool all = true;

	(void)client;
	(void)count;
	(void)properties;
	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		if (broker->subscribing[i] == id && granted_qos[0] != subscriptions[i].qos)
			lose(broker,
			     "%s: the subscription is not granted (%d): check the broker's "
			     "access control",
			     broker->filters[i], granted_qos[0]);
		if (broker->subscribing[i] == id)
			broker->subscribing[i] = 0;
		all = all && broker->subscribing[i] == 0;
	}
	if (all && !broker->lost && broker->state == STATE_OPENING)
		become_ready(broker);
}

/* A message that nobody has subscribed to is acknowledged and gone: that is no success for its sender. */
static void on_publish(struct mosquitto *client, void *context, int packet, int reason,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;
	GList *link = find_packet(broker, packet);
	struct order *order = link != NULL ? link->data : NULL;

	(void)client;
	(void)properties;
	if (order == NULL)
		return;
	order->packet = 0; /* the number is free again */
	if (reason >= MQTT_RC_UNSPECIFIED) {
		log_warning("%s: the broker refuses it: %s: check its access control", order->topic,
			    mosquitto_reason_string(reason));
		fail_order(broker, take_sent(broker, link), RESULT_FAILED,
			   "the broker's access control forbids it");
	} else if (reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS) {
		fail_order(broker, take_sent(broker, link), RESULT_BUSY,
			   "no gateway has ever listened to the broker");
	} else if (!order->asks) {
		end_order(broker, take_sent(broker, link), RESULT_OK, "", 0);
	}
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct broker *broker = context;
	bool matches = false;

	(void)client;
	for (size_t i = 0; i < SUBSCRIPTIONS && !matches; i++) {
		mosquitto_topic_matches_sub(broker->filters[i], message->topic, &matches);
		if (matches)
			subscriptions[i].handler(broker, message, properties);
	}
}

/* Begins */

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
	const struct credentials *credentials = &broker->credentials;
	int code =
		mosquitto_int_option(broker->client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);

	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_int_option(broker->client, MOSQ_OPT_TCP_NODELAY, true);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_int_option(broker->client, MOSQ_OPT_SEND_MAXIMUM, ORDERS);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_username_pw_set(broker->client, credentials->username,
						 credentials->password);
	if (code == MOSQ_ERR_SUCCESS && credentials->ca_file != NULL)
		code = mosquitto_tls_set(broker->client, credentials->ca_file, NULL,
					 credentials->certificate_file, credentials->key_file,
					 NULL);
	return code;
}

static void connect_if_due(struct broker *broker)
{
	const struct config *config = broker->config;
	int code;

	if (broker->client != NULL || g_get_monotonic_time() < broker->connect_at)
		return;
	broker->lost = false;
	broker->opened = g_get_monotonic_time();
	broker->state = STATE_OPENING;
	broker->client = mosquitto_new(broker->name, true, broker);
	set_callbacks(broker->client);
	code = set_options(broker);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_connect(broker->client, config->broker_host,
					 (int)config->broker_port, KEEPALIVE_S);
	settle(broker, code);
}

/* The thread */

static int add_request_properties(const struct broker *broker, const struct order *order,
				  mosquitto_property **properties)
{
	g_autofree char *topic = g_strconcat("replies/", broker->name, NULL);
	int code = mosquitto_property_add_string(properties, MQTT_PROP_RESPONSE_TOPIC, topic);

	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_property_add_binary(properties, MQTT_PROP_CORRELATION_DATA,
						     &order->number, sizeof order->number);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_property_add_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
						    COMMAND_EXPIRY_S);
	return code;
}

static void send_order(struct broker *broker, struct order *order)
{
	mosquitto_property *properties = NULL;
	int code = MOSQ_ERR_SUCCESS;

	order->number = ++broker->last_number;
	if (order->asks)
		code = add_request_properties(broker, order, &properties);
	if (code == MOSQ_ERR_SUCCESS)
		code = mosquitto_publish_v5(broker->client, &order->packet, order->topic,
					    (int)order->size, order->payload, 1, false, properties);
	mosquitto_property_free_all(&properties);
	if (code == MOSQ_ERR_SUCCESS)
		g_queue_push_tail(&broker->sent, order);
	else
		fail_order(broker, order, RESULT_BUSY, mosquitto_strerror(code));
}

static void send_orders(struct broker *broker)
{
	GQueue waiting;
	struct order *order;

	take_waiting(broker, &waiting);
	while ((order = g_queue_pop_head(&waiting)) != NULL)
		send_order(broker, order);
}

static bool is_stopping(struct broker *broker)
{
	bool stopping;

	g_mutex_lock(&broker->mutex);
	stopping = broker->stopping;
	g_mutex_unlock(&broker->mutex);
	return stopping;
}

static void wait_for_work(struct broker *broker, short *ret_events)
{
	struct pollfd polled[2] = {
		{.fd = broker->wake, .events = POLLIN},
		{.fd = broker->client != NULL ? mosquitto_socket(broker->client) : -1},
	};
	gint64 until_connect = (broker->connect_at - g_get_monotonic_time()) / 1000 + 1;
	gint64 wait_ms = broker->client == NULL ? CLAMP(until_connect, 0, TICK_MS) : TICK_MS;
	uint64_t count;

	polled[1].events = POLLIN;
	if (broker->client != NULL && mosquitto_want_write(broker->client))
		polled[1].events |= POLLOUT;
	if (poll(polled, G_N_ELEMENTS(polled), (int)wait_ms) < 0)
		polled[0].revents = polled[1].revents = 0;
	if (polled[0].revents != 0)
		(void)!read(broker->wake, &count, sizeof count);
	*ret_events = polled[1].revents;
}

static void tend(struct broker *broker, short events)
{
	bool open = true;

	if (events & ~POLLOUT)
		open = settle(broker, mosquitto_loop_read(broker->client, 1));
	if (open && mosquitto_want_write(broker->client))
		open = settle(broker, mosquitto_loop_write(broker->client, 1));
	if (open && broker->state == STATE_OPENING &&
	    g_get_monotonic_time() - broker->opened > CONNECT_ANSWER_S * G_USEC_PER_SEC)
		lose(broker, "no answer within %d s", CONNECT_ANSWER_S);
	if (open)
		settle(broker, mosquitto_loop_misc(broker->client));
}

static void *run(void *data)
{
	struct broker *broker = data;
	short events;

	while (!is_stopping(broker)) {
		connect_if_due(broker);
		wait_for_work(broker, &events);
		if (broker->client == NULL)
			continue;
		if (broker->state == STATE_READY)
			send_orders(broker);
		tend(broker, events);
		end_overdue(broker);
	}
	if (broker->state == STATE_READY)
		mosquitto_disconnect(broker->client);
	drop(broker);
	return NULL;
}

/* A name that nobody else has or guesses: who knows it could read the answers. */
static bool choose_name(char name[NAME_SIZE])
{
	uint64_t random[2];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return false;
	snprintf(name, NAME_SIZE, "headcount-api-%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	return true;
}

static enum result begin(struct broker *broker, struct problem *reterr_problem)
{
	enum result result =
		config_login(broker->config, PROGRAM, &broker->credentials, reterr_problem);

	if (result != RESULT_OK)
		return result;
	broker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (broker->wake < 0 || !choose_name(broker->name))
		return problem_set(reterr_problem, RESULT_FAILED, "", "broker: %s",
				   g_strerror(errno));
	g_strlcpy(broker->gateway_name, broker->config->client_id, sizeof broker->gateway_name);
	for (size_t i = 0; i < SUBSCRIPTIONS; i++)
		broker->filters[i] = filter_of(broker, &subscriptions[i]);
	broker->thread = g_thread_new("broker", run, broker);
	return RESULT_OK;
}

struct broker *broker_start(const struct config *config, const struct broker_listener *listener,
			    struct problem *reterr_problem)
{
	struct broker *broker = g_new0(struct broker, 1);

	mosquitto_lib_init();
	broker->config = config;
	broker->listener = *listener;
	broker->wake = -1;
	broker->view = (struct broker_view){.gateway_health = INSTANT_NONE,
					    .broker_drops = -1,
					    .broker_drops_risen = INSTANT_NONE};
	g_mutex_init(&broker->mutex);
	g_queue_init(&broker->waiting);
	g_queue_init(&broker->sent);
	if (begin(broker, reterr_problem) == RESULT_OK)
		return broker;
	broker_stop(broker);
	return NULL;
}

void broker_stop(struct broker *broker)
{
	if (broker == NULL)
		return;
	if (broker->thread != NULL) {
		g_mutex_lock(&broker->mutex);
		broker->stopping = true;
		g_mutex_unlock(&broker->mutex);
		wake(broker);
		g_thread_join(broker->thread);
	}
	if (broker->wake >= 0)
		close(broker->wake);
	for (size_t i = 0; i < SUBSCRIPTIONS; i++)
		g_free(broker->filters[i]);
	g_mutex_clear(&broker->mutex);
	credentials_clear(&broker->credentials);
	g_free(broker);
	mosquitto_lib_cleanup();
}

struct broker_view broker_look(struct broker *broker)
{
	struct broker_view view;

	g_mutex_lock(&broker->mutex);
	view = broker->view;
	g_mutex_unlock(&broker->mutex);
	return view;
}
