/* A crowd of DPUs: publishes crossings over many connections as fast as the broker takes them, or at a rate.
 *
 * Raw MQTT 3.1.1 over epoll, one thread: a client library would be what is measured. Each connection keeps a window
 * of messages that the broker has not acknowledged yet. Prints one JSON object when all are acknowledged: `begin` is when
 * all connections were open (seconds, CLOCK_MONOTONIC), for a broker's queue of new ones is short. */
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES 65536
#define DAY_MS (24 * 60 * 60 * 1000)

enum packet {
	PACKET_CONNECT = 0x10,
	PACKET_CONNACK = 0x20,
	PACKET_PUBLISH_QOS_1 = 0x32,
	PACKET_PUBACK = 0x40,
	PACKET_DISCONNECT = 0xe0,
};

static struct {
	int port, connections, dpus, window, batch, late_percent, duplicate_percent, seed;
	int64_t events, rate;
} options = {.port = 1883,
	     .connections = 100,
	     .dpus = 1000,
	     .window = 100,
	     .batch = 1,
	     .seed = 1,
	     .events = 100000};

struct connection {
	int socket;
	guint16 next_id;
	int outstanding;
	GByteArray *out; /* not written yet */
	guint written;
	guint8 in[INPUT_BYTES];
	size_t in_size;
};

static struct {
	struct connection *connections;
	int connected; /* how many CONNACKs have come */
	int poll;
	GRand *dice;
	int64_t sent, acknowledged_messages, sent_messages; /* sent: events */
	int64_t begin_us; /* 0: not all connections are open yet */
	int64_t time_ms;
	GString *payload;
} load;

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, g_strerror(errno));
	exit(EXIT_FAILURE);
}

/* Packets */

static void append_length(GByteArray *out, size_t length)
{
	do {
		guint8 byte = length % 128;

		length /= 128;
		if (length > 0)
			byte |= 128;
		g_byte_array_append(out, &byte, 1);
	} while (length > 0);
}

static void append_number(GByteArray *out, size_t number)
{
	const guint8 bytes[] = {(guint8)(number >> 8), (guint8)number};

	g_byte_array_append(out, bytes, sizeof bytes);
}

static void append_text(GByteArray *out, const char *text)
{
	append_number(out, strlen(text));
	g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
}

static void append_connect(GByteArray *out, int number)
{
	static const guint8 header[] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2 /* clean session */,
					0, 0 /* no keepalive */};
	const guint8 type = PACKET_CONNECT;
	g_autofree char *id = g_strdup_printf("load-%d-%d", (int)getpid(), number);

	g_byte_array_append(out, &type, 1);
	append_length(out, sizeof header + 2 + strlen(id));
	g_byte_array_append(out, header, sizeof header);
	append_text(out, id);
}

static void append_publish(struct connection *connection, const char *topic, const GString *payload)
{
	const guint8 type = PACKET_PUBLISH_QOS_1;

	connection->next_id = connection->next_id == G_MAXUINT16 ? 1 : connection->next_id + 1;
	g_byte_array_append(connection->out, &type, 1);
	append_length(connection->out, 2 + strlen(topic) + 2 + payload->len);
	append_text(connection->out, topic);
	append_number(connection->out, connection->next_id);
	g_byte_array_append(connection->out, (const guint8 *)payload->str, (guint)payload->len);
	connection->outstanding++;
	load.sent_messages++;
}

/* Crossings */

/* Times go on by a millisecond an event, so that each is another event, unless it is late: then it is one of a day. */
static void append_event(GString *payload)
{
	int64_t time = load.time_ms++;

	if (g_rand_int_range(load.dice, 0, 100) < options.late_percent)
		time -= g_rand_int_range(load.dice, 1, DAY_MS);
	g_string_append_printf(
		payload, "{\"dpu_event_time\": %" PRId64 ", \"count\": %d, \"seq\": %" PRId64 "}",
		time, g_rand_boolean(load.dice) ? 1 : -1, load.sent);
	load.sent++;
}

/* A DPU keeps to its connection. */
static int any_dpu(const struct connection *connection)
{
	int first = (int)(connection - load.connections) % options.dpus;
	int others = (options.dpus - 1 - first) / options.connections;

	return first + options.connections * g_rand_int_range(load.dice, 0, others + 1);
}

static void send_message(struct connection *connection)
{
	char topic[64];
	int64_t left = options.events - load.sent;

	g_snprintf(topic, sizeof topic, "dpu/%d/events", any_dpu(connection));
	g_string_truncate(load.payload, 0);
	if (options.batch == 1) {
		append_event(load.payload);
	} else {
		for (int64_t i = 0; i < MIN(options.batch, left); i++) {
			g_string_append_c(load.payload, i == 0 ? '[' : ',');
			append_event(load.payload);
		}
		g_string_append_c(load.payload, ']');
	}
	append_publish(connection, topic, load.payload);
	if (g_rand_int_range(load.dice, 0, 100) < options.duplicate_percent)
		append_publish(connection, topic, load.payload);
}

/* How many events may have been sent by now. */
static int64_t allowed(void)
{
	int64_t elapsed_us = g_get_monotonic_time() - load.begin_us;

	if (load.begin_us == 0)
		return 0;
	if (options.rate == 0)
		return options.events;
	return MIN(options.events, elapsed_us * options.rate / G_USEC_PER_SEC);
}

/* Connections */

static void watch(struct connection *connection)
{
	bool writing = connection->written < connection->out->len;
	struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0U),
				    .data.ptr = connection};

	if (epoll_ctl(load.poll, EPOLL_CTL_MOD, connection->socket, &event) < 0)
		fail("epoll_ctl");
}

static void write_out(struct connection *connection)
{
	while (connection->written < connection->out->len) {
		ssize_t size = send(connection->socket, connection->out->data + connection->written,
				    connection->out->len - connection->written,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (size < 0 && errno == EAGAIN)
			break;
		if (size < 0)
			fail("write");
		connection->written += (guint)size;
	}
	if (connection->written == connection->out->len) {
		g_byte_array_set_size(connection->out, 0);
		connection->written = 0;
	}
	watch(connection);
}

static void fill_window(struct connection *connection)
{
	int before = connection->outstanding;

	while (connection->outstanding < options.window && load.sent < allowed())
		send_message(connection);
	if (connection->outstanding > before)
		write_out(connection);
}

static void take_packet(struct connection *connection, guint8 type)
{
	if (type == PACKET_CONNACK) {
		load.connected++;
	} else if (type == PACKET_PUBACK) {
		connection->outstanding--;
		load.acknowledged_messages++;
	}
}

/* All that a broker sends to a publisher is four bytes long. */
static void read_in(struct connection *connection)
{
	size_t taken = 0;
	ssize_t size = recv(connection->socket, connection->in + connection->in_size,
			    INPUT_BYTES - connection->in_size, MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0)
		fail("the broker has ended the connection");
	connection->in_size += (size_t)size;
	for (; connection->in_size - taken >= 4; taken += 4)
		take_packet(connection, connection->in[taken]);
	connection->in_size -= taken;
	memmove(connection->in, connection->in + taken, connection->in_size);
	fill_window(connection);
}

static void open_connection(struct connection *connection, int number)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((guint16)options.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int on = 1;

	connection->out = g_byte_array_new();
	connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->socket < 0 ||
	    connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (epoll_ctl(load.poll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
		fail("epoll_ctl");
	append_connect(connection->out, number);
	write_out(connection);
}

static void close_connection(struct connection *connection)
{
	const guint8 disconnect[] = {PACKET_DISCONNECT, 0};

	g_byte_array_append(connection->out, disconnect, sizeof disconnect);
	write_out(connection);
	close(connection->socket);
	g_byte_array_unref(connection->out);
}

static bool is_done(void)
{
	return load.sent == options.events && load.acknowledged_messages == load.sent_messages;
}

static void turn(void)
{
	struct epoll_event events[256];
	int count = epoll_wait(load.poll, events, G_N_ELEMENTS(events), options.rate > 0 ? 1 : -1);

	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		if (events[i].events & EPOLLOUT)
			write_out(connection);
		if (events[i].events & ~(uint32_t)EPOLLOUT)
			read_in(connection);
	}
	for (int i = 0; options.rate > 0 && load.sent < allowed(); i++)
		fill_window(&load.connections[g_rand_int_range(load.dice, 0, options.connections)]);
}

static void begin(void)
{
	load.begin_us = g_get_monotonic_time();
	/* So far back that even the last event is not ahead of the clock. */
	load.time_ms = g_get_real_time() / 1000 - options.events;
	for (int i = 0; i < options.connections; i++)
		fill_window(&load.connections[i]);
}

static bool read_options(int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"port", 0, 0, G_OPTION_ARG_INT, &options.port, "The broker's port on 127.0.0.1",
		 "N"},
		{"connections", 0, 0, G_OPTION_ARG_INT, &options.connections, "How many", "N"},
		{"dpus", 0, 0, G_OPTION_ARG_INT, &options.dpus, "Ids 0…N-1", "N"},
		{"window", 0, 0, G_OPTION_ARG_INT, &options.window,
		 "Unacknowledged messages a connection", "N"},
		{"batch", 0, 0, G_OPTION_ARG_INT, &options.batch, "Events a message", "N"},
		{"late", 0, 0, G_OPTION_ARG_INT, &options.late_percent,
		 "Share of events up to a day late", "%"},
		{"duplicate", 0, 0, G_OPTION_ARG_INT, &options.duplicate_percent,
		 "Share of messages sent twice", "%"},
		{"seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "Of all chances", "N"},
		{"events", 0, 0, G_OPTION_ARG_INT64, &options.events, "How many in all", "N"},
		{"rate", 0, 0, G_OPTION_ARG_INT64, &options.rate,
		 "Events a second; 0: as many as go", "N"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "load: %s\n", error->message);
		return false;
	}
	return options.connections > 0 && options.window > 0 && options.dpus > 0 &&
	       options.batch > 0;
}

int main(int argc, char **argv)
{
	if (!read_options(argc, argv))
		return EXIT_FAILURE;
	load.poll = epoll_create1(EPOLL_CLOEXEC);
	load.dice = g_rand_new_with_seed((guint32)options.seed);
	load.payload = g_string_new(NULL);
	load.connections = g_new0(struct connection, (gsize)options.connections);
	for (int i = 0; i < options.connections; i++)
		open_connection(&load.connections[i], i);
	while (load.connected < options.connections)
		turn();
	begin();
	while (!is_done())
		turn();
	printf("{\"events\": %" PRId64 ", \"messages\": %" PRId64 ", \"begin\": %.6f}\n", load.sent,
	       load.sent_messages, (double)load.begin_us / G_USEC_PER_SEC);
	for (int i = 0; i < options.connections; i++)
		close_connection(&load.connections[i]);
	g_free(load.connections);
	g_string_free(load.payload, TRUE);
	g_rand_free(load.dice);
	close(load.poll);
	return EXIT_SUCCESS;
}
