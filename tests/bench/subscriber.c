/* The baseline of ingest: a libmosquitto subscriber that does nothing but count, with the options of the gateway's own
 * connection (gateway/broker.c).
 *
 * Prints "ready" once it is subscribed, and a JSON object once it has had `messages` of them; then waits for the end. */
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define RECEIVE_MAXIMUM 40000 /* two batches of 20000, as the gateway has by default */
#define KEEPALIVE_S 20
#define PACKET_BYTES (2 * 1024 * 1024)

struct tally {
	int64_t messages, wanted, bytes;
};

static void fail(const char *what, int code)
{
	fprintf(stderr, "subscriber: %s: %s\n", what, mosquitto_strerror(code));
	exit(EXIT_FAILURE);
}

static void check(const char *what, int code)
{
	if (code != MOSQ_ERR_SUCCESS)
		fail(what, code);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void on_connect(struct mosquitto *client, void *context, int reason, int flags,
		       const mosquitto_property *properties)
{
	(void)context, (void)flags, (void)properties;
	if (reason != 0)
		fail(mosquitto_reason_string(reason), MOSQ_ERR_CONN_REFUSED);
	check("subscribe", mosquitto_subscribe_v5(client, NULL, "dpu/+/events", 1, 0, NULL));
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted, const mosquitto_property *properties)
{
	(void)client, (void)context, (void)id, (void)count, (void)properties;
	if (granted[0] != 1)
		fail("subscribe", MOSQ_ERR_ACL_DENIED);
	puts("ready");
	fflush(stdout);
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message,
		       const mosquitto_property *properties)
{
	struct tally *tally = context;

	(void)client, (void)properties;
	tally->messages++;
	tally->bytes += message->payloadlen;
	if (tally->messages != tally->wanted)
		return;
	printf("{\"messages\": %" PRId64 ", \"bytes\": %" PRId64 ", \"cpu_seconds\": %.6f}\n",
	       tally->messages, tally->bytes, cpu_seconds());
	fflush(stdout);
}

static void connect_client(struct mosquitto *client, int port)
{
	mosquitto_property *properties = NULL;

	check("options", mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5));
	check("options", mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, RECEIVE_MAXIMUM));
	check("options", mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, true));
	check("options", mosquitto_property_add_int32(
				 &properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, UINT32_MAX));
	check("options", mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
						      PACKET_BYTES));
	check("connect",
	      mosquitto_connect_bind_v5(client, "127.0.0.1", port, KEEPALIVE_S, NULL, properties));
	mosquitto_property_free_all(&properties);
}

int main(int argc, char **argv)
{
	struct tally tally = {0};
	struct mosquitto *client;

	if (argc != 3) {
		fputs("usage: subscriber PORT MESSAGES\n", stderr);
		return EXIT_FAILURE;
	}
	tally.wanted = strtoll(argv[2], NULL, 10);
	mosquitto_lib_init();
	client = mosquitto_new("bench-subscriber", false, &tally);
	if (client == NULL)
		fail("new", MOSQ_ERR_NOMEM);
	mosquitto_connect_v5_callback_set(client, on_connect);
	mosquitto_subscribe_v5_callback_set(client, on_subscribe);
	mosquitto_message_v5_callback_set(client, on_message);
	connect_client(client, (int)strtol(argv[1], NULL, 10));
	check("loop", mosquitto_loop_forever(client, -1, 1));
	mosquitto_destroy(client);
	mosquitto_lib_cleanup();
	return EXIT_SUCCESS;
}
