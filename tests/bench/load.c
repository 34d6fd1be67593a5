/* A crowd of DPUs: publishes crossings over many connections as fast as the broker takes them, or at a rate.
 *
 * Raw MQTT 3.1.1 over epoll, one thread: a client library would be what is measured. Each connection keeps a window
 * of messages that the broker has not acknowledged yet. Prints one JSON object when all are acknowledged: `begin` is when
 * all connections were open (seconds, CLOCK_MONOTONIC), for a broker's queue of new ones is short.
 *
 * With --come-again a connection that ends is made again, and what was not acknowledged is sent again; a line "connected"
 * says each time that all are open. With --record each item is written to a file, separated by tabs: E, DPU, time, seq,
 * count of an event; R, DPU, reason, item of what can't be stored. */
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
#define CONNECT_US                                                                                 \
	(3 * G_USEC_PER_SEC)    /* after which a connection that has not come is tried again */
#define PAUSE_US G_USEC_PER_SEC /* at most, before that: a device waits for a time of its own */
#define LOOK_US 20000           /* how often it is looked who is to connect */

enum packet {
	PACKET_CONNECT = 0x10,
	PACKET_CONNACK = 0x20,
	PACKET_PUBLISH_QOS_1 = 0x32,
	PACKET_PUBLISH_RETAINED = 0x33,
	PACKET_PUBACK = 0x40,
	PACKET_DISCONNECT = 0xe0,
};

static struct {
	int port, connections, dpus, window, batch, late_percent, duplicate_percent, bad_percent,
		seed;
	int sources; /* addresses that connections come from: each has some 28,000 ports */
	gboolean retain, in_turn, come_again, status;
	int64_t events, rate, age_ms, span_ms;
	char *record;
} options = {.port = 1883,
	     .connections = 100,
	     .dpus = 1000,
	     .window = 100,
	     .batch = 1,
	     .seed = 1,
	     .sources = 1,
	     .events = 100000};

struct kept {
	guint16 id;
	GByteArray *bytes;
};

struct connection {
	int socket;     /* -1: none */
	bool open;      /* the broker has said so */
	int64_t due_us; /* if it is not open: when to try anew */
	guint16 next_id;
	int turn; /* of its DPUs */
	int outstanding;
	GQueue unacknowledged; /* struct kept; kept if it may have to come again */
	GByteArray *out;       /* not written yet */
	guint written;
	guint8 in[INPUT_BYTES];
	size_t in_size;
};

static struct {
	struct connection *connections;
	int connected; /* how many are open */
	int64_t looked_us;
	FILE *record;
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

static int number_of(const struct connection *connection)
{
	return (int)(connection - load.connections);
}

static char *status_topic(const struct connection *connection)
{
	return g_strdup_printf("dpu/%d/status", number_of(connection) % options.dpus);
}

static void append_connect(struct connection *connection)
{
	/* A clean session; a will at QoS 1 that is retained; no keepalive. */
	const guint8 flags = options.status ? 0x02 | 0x04 | 0x08 | 0x20 : 0x02;
	const guint8 header[] = {0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 0};
	const guint8 type = PACKET_CONNECT;
	g_autofree char *id = g_strdup_printf("load-%d-%d", (int)getpid(), number_of(connection));
	g_autofree char *topic = status_topic(connection);
	size_t will = options.status ? 2 + strlen(topic) + 2 + strlen("offline") : 0;
	GByteArray *out = connection->out;

	g_byte_array_append(out, &type, 1);
	append_length(out, sizeof header + 2 + strlen(id) + will);
	g_byte_array_append(out, header, sizeof header);
	append_text(out, id);
	if (options.status) {
		append_text(out, topic);
		append_text(out, "offline");
	}
}

static void append_packet(GByteArray *out, guint8 type, const char *topic, guint16 id,
			  const GString *payload)
{
	g_byte_array_append(out, &type, 1);
	append_length(out, 2 + strlen(topic) + 2 + payload->len);
	append_text(out, topic);
	append_number(out, id);
	g_byte_array_append(out, (const guint8 *)payload->str, (guint)payload->len);
}

static void keep(struct connection *connection, const guint8 *bytes, guint size)
{
	struct kept *packet = g_new(struct kept, 1);

	*packet = (struct kept){.id = connection->next_id, .bytes = g_byte_array_new()};
	g_byte_array_append(packet->bytes, bytes, size);
	g_queue_push_tail(&connection->unacknowledged, packet);
}

static void free_kept(struct kept *packet)
{
	g_byte_array_unref(packet->bytes);
	g_free(packet);
}

static void append_publish(struct connection *connection, const char *topic, const GString *payload,
			   bool retain)
{
	guint begin = connection->out->len;

	connection->next_id = connection->next_id == G_MAXUINT16 ? 1 : connection->next_id + 1;
	append_packet(connection->out, retain ? PACKET_PUBLISH_RETAINED : PACKET_PUBLISH_QOS_1,
		      topic, connection->next_id, payload);
	if (options.come_again)
		keep(connection, connection->out->data + begin, connection->out->len - begin);
	connection->outstanding++;
	load.sent_messages++;
}

/* Crossings */

/* Times go on by a millisecond an event, if no other span is asked for, so that each is another event, unless it is late:
 * then it is one of a day. */
static int64_t next_time(void)
{
	int64_t time = load.time_ms + load.sent * options.span_ms / options.events;

	if (g_rand_int_range(load.dice, 0, 100) < options.late_percent)
		time -= g_rand_int_range(load.dice, 1, DAY_MS);
	return time;
}

static void append_event(GString *payload, int dpu)
{
	int64_t time = next_time();
	int count = g_rand_boolean(load.dice) ? 1 : -1;

	g_string_append_printf(
		payload, "{\"dpu_event_time\": %" PRId64 ", \"count\": %d, \"seq\": %" PRId64 "}",
		time, count, load.sent);
	if (load.record != NULL)
		fprintf(load.record, "E\t%d\t%" PRId64 "\t%" PRId64 "\t%d\n", dpu, time, load.sent,
			count);
	load.sent++;
}

static void append_events(GString *payload, int dpu)
{
	int64_t left = options.events - load.sent;

	if (options.batch == 1) {
		append_event(payload, dpu);
		return;
	}
	for (int64_t i = 0; i < MIN(options.batch, left); i++) {
		g_string_append_c(payload, i == 0 ? '[' : ',');
		append_event(payload, dpu);
	}
	g_string_append_c(payload, ']');
}

/* A DPU keeps to its connection. */
static int any_dpu(struct connection *connection)
{
	int first = number_of(connection) % options.dpus;
	int others = (options.dpus - 1 - first) / options.connections;
	int which = options.in_turn ? connection->turn++ % (others + 1)
				    : g_rand_int_range(load.dice, 0, others + 1);

	return first + options.connections * which;
}

/* What can't be stored, one kind after the other: `before`, a number that is no other's, `after`. */
static const struct {
	const char *dpu; /* NULL: that of the message */
	const char *reason;
	const char *before, *after;
} bad_items[] = {
	{NULL, "malformed", "no JSON ", ""},
	{NULL, "invalid_count", "{\"dpu_event_time\": ", ", \"count\": 0}"},
	{NULL, "invalid_time", "{\"dpu_event_time\": \"in May ", "\", \"count\": 1}"},
	{"stranger", "unknown_dpu", "{\"dpu_event_time\": ", ", \"count\": 1}"},
};

static void send_bad_message(struct connection *connection, const char *dpu)
{
	size_t kind = (size_t)load.sent % G_N_ELEMENTS(bad_items);
	const char *sender = bad_items[kind].dpu != NULL ? bad_items[kind].dpu : dpu;
	g_autofree char *topic = g_strdup_printf("dpu/%s/events", sender);

	g_string_printf(load.payload, "%s%" PRId64 "%s", bad_items[kind].before, load.sent,
			bad_items[kind].after);
	if (load.record != NULL)
		fprintf(load.record, "R\t%s\t%s\t%s\n", sender, bad_items[kind].reason,
			load.payload->str);
	load.sent++;
	append_publish(connection, topic, load.payload, options.retain);
}

static void send_message(struct connection *connection)
{
	char topic[64], name[16];
	int dpu = any_dpu(connection);

	g_snprintf(name, sizeof name, "%d", dpu);
	if (g_rand_int_range(load.dice, 0, 100) < options.bad_percent) {
		send_bad_message(connection, name);
		return;
	}
	g_snprintf(topic, sizeof topic, "dpu/%d/events", dpu);
	g_string_truncate(load.payload, 0);
	append_events(load.payload, dpu);
	append_publish(connection, topic, load.payload, options.retain);
	if (g_rand_int_range(load.dice, 0, 100) < options.duplicate_percent)
		append_publish(connection, topic, load.payload, options.retain);
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

/* The broker has ended a connection, or not taken it. */
static void lose(struct connection *connection, const char *what)
{
	if (!options.come_again)
		fail(what);
	if (connection->open)
		load.connected--;
	close(connection->socket);
	connection->socket = -1;
	connection->open = false;
	connection->due_us = g_get_monotonic_time() + g_rand_int_range(load.dice, 0, PAUSE_US + 1);
}

static void write_out(struct connection *connection)
{
	while (connection->written < connection->out->len) {
		ssize_t size = send(connection->socket, connection->out->data + connection->written,
				    connection->out->len - connection->written,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (size < 0 && errno == EAGAIN)
			break;
		if (size < 0) {
			lose(connection, "write");
			return;
		}
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

	while (connection->open && connection->outstanding < options.window &&
	       load.sent < allowed())
		send_message(connection);
	if (connection->outstanding > before)
		write_out(connection);
}

/* What was not acknowledged before is sent again. */
static void take_open(struct connection *connection)
{
	connection->open = true;
	load.connected++;
	for (GList *item = connection->unacknowledged.head; item != NULL; item = item->next) {
		const struct kept *packet = item->data;

		g_byte_array_append(connection->out, packet->bytes->data, packet->bytes->len);
	}
	if (options.status) {
		g_autofree char *topic = status_topic(connection);
		g_autoptr(GString) online = g_string_new("online");

		append_publish(connection, topic, online, true);
	}
	write_out(connection);
	if (options.come_again && load.connected == options.connections) {
		puts("connected");
		fflush(stdout);
	}
}

static int compare_id(gconstpointer packet, gconstpointer id)
{
	return ((const struct kept *)packet)->id != *(const guint16 *)id;
}

static void take_acknowledgement(struct connection *connection, guint16 id)
{
	GList *item = g_queue_find_custom(&connection->unacknowledged, &id, compare_id);

	connection->outstanding--;
	load.acknowledged_messages++;
	if (item != NULL) {
		free_kept(item->data);
		g_queue_delete_link(&connection->unacknowledged, item);
	}
}

static void take_packet(struct connection *connection, const guint8 *packet)
{
	if (packet[0] == PACKET_CONNACK && packet[3] == 0)
		take_open(connection);
	else if (packet[0] == PACKET_PUBACK)
		take_acknowledgement(connection, (guint16)(packet[2] << 8 | packet[3]));
}

/* All that a broker sends to a publisher is four bytes long. */
static void read_in(struct connection *connection)
{
	size_t taken = 0;
	ssize_t size = recv(connection->socket, connection->in + connection->in_size,
			    INPUT_BYTES - connection->in_size, MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		lose(connection, "the broker has ended the connection");
		return;
	}
	connection->in_size += (size_t)size;
	for (; connection->in_size - taken >= 4; taken += 4)
		take_packet(connection, connection->in + taken);
	connection->in_size -= taken;
	memmove(connection->in, connection->in + taken, connection->in_size);
	fill_window(connection);
}

/* From an address of its own, if there are several; the port is chosen when it is known where to. */
static void choose_source(const struct connection *connection)
{
	struct sockaddr_in source = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK +
					 (guint32)(number_of(connection) % options.sources))};
	int on = 1;

	setsockopt(connection->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(connection->socket, (struct sockaddr *)&source, sizeof source) < 0)
		fail("bind");
}

static void open_connection(struct connection *connection)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((guint16)options.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
	int on = 1, waits = options.come_again ? SOCK_NONBLOCK : 0;

	connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | waits, 0);
	if (connection->socket < 0)
		fail("socket");
	if (options.sources > 1)
		choose_source(connection);
	connection->due_us = g_get_monotonic_time() + CONNECT_US;
	connection->in_size = connection->written = 0;
	g_byte_array_set_size(connection->out, 0);
	if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0 &&
	    errno != EINPROGRESS) {
		lose(connection, "connect");
		return;
	}
	setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (epoll_ctl(load.poll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
		fail("epoll_ctl");
	append_connect(connection);
}

static void open_those_due(void)
{
	int64_t now = g_get_monotonic_time();

	if (!options.come_again || now < load.looked_us + LOOK_US)
		return;
	load.looked_us = now;
	for (int i = 0; i < options.connections; i++) {
		struct connection *connection = &load.connections[i];

		if (connection->open || now < connection->due_us)
			continue;
		if (connection->socket >= 0)
			lose(connection, "connect");
		else
			open_connection(connection);
	}
}

static void close_connection(struct connection *connection)
{
	const guint8 disconnect[] = {PACKET_DISCONNECT, 0};

	if (connection->open) {
		g_byte_array_append(connection->out, disconnect, sizeof disconnect);
		write_out(connection);
		close(connection->socket);
	}
	g_queue_clear_full(&connection->unacknowledged, (GDestroyNotify)free_kept);
	g_byte_array_unref(connection->out);
}

static bool is_done(void)
{
	return load.sent == options.events && load.acknowledged_messages == load.sent_messages;
}

static void turn(void)
{
	struct epoll_event events[256];
	int wait_ms = options.rate > 0 ? 1 : options.come_again ? LOOK_US / 1000 : -1;
	int count = epoll_wait(load.poll, events, G_N_ELEMENTS(events), wait_ms);

	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		if (events[i].events & EPOLLOUT)
			write_out(connection);
		if (connection->socket >= 0 && events[i].events & ~(uint32_t)EPOLLOUT)
			read_in(connection);
	}
	open_those_due();
	for (int i = 0; options.rate > 0 && i < options.connections && load.sent < allowed(); i++)
		fill_window(&load.connections[g_rand_int_range(load.dice, 0, options.connections)]);
}

static void begin(void)
{
	load.begin_us = g_get_monotonic_time();
	load.time_ms = g_get_real_time() / 1000 - options.age_ms;
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
		{"bad", 0, 0, G_OPTION_ARG_INT, &options.bad_percent,
		 "Share of messages that can't be stored", "%"},
		{"retain", 0, 0, G_OPTION_ARG_NONE, &options.retain, "The broker is to keep them",
		 NULL},
		{"in-turn", 0, 0, G_OPTION_ARG_NONE, &options.in_turn,
		 "DPUs of a connection take turns, and not by chance", NULL},
		{"age", 0, 0, G_OPTION_ARG_INT64, &options.age_ms,
		 "How long ago the first event was (default: one for each)", "MS"},
		{"span", 0, 0, G_OPTION_ARG_INT64, &options.span_ms,
		 "Over how long events are spread (default: one for each)", "MS"},
		{"record", 0, 0, G_OPTION_ARG_FILENAME, &options.record,
		 "Write each item to a file", "FILE"},
		{"sources", 0, 0, G_OPTION_ARG_INT, &options.sources,
		 "Come from so many addresses, 127.0.0.1 and up", "N"},
		{"come-again", 0, 0, G_OPTION_ARG_NONE, &options.come_again,
		 "Make connections anew that end", NULL},
		{"status", 0, 0, G_OPTION_ARG_NONE, &options.status,
		 "Say dpu/N/status for each connection N: online, and offline by its will", NULL},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "load: %s\n", error->message);
		return false;
	}
	/* So far back that even the last event is not ahead of the clock. */
	if (options.age_ms == 0)
		options.age_ms = options.events;
	if (options.span_ms == 0)
		options.span_ms = options.events;
	return options.connections > 0 && options.window > 0 && options.dpus > 0 &&
	       options.batch > 0 && options.sources > 0 && options.sources < 255;
}

static void open_all(void)
{
	load.connections = g_new0(struct connection, (gsize)options.connections);
	for (int i = 0; i < options.connections; i++) {
		load.connections[i].out = g_byte_array_new();
		load.connections[i].socket = -1;
		if (!options.come_again)
			open_connection(&load.connections[i]);
	}
	while (load.connected < options.connections)
		turn();
}

int main(int argc, char **argv)
{
	if (!read_options(argc, argv))
		return EXIT_FAILURE;
	load.poll = epoll_create1(EPOLL_CLOEXEC);
	load.dice = g_rand_new_with_seed((guint32)options.seed);
	load.payload = g_string_new(NULL);
	if (options.record != NULL && (load.record = fopen(options.record, "w")) == NULL)
		fail(options.record);
	open_all();
	begin();
	while (!is_done())
		turn();
	if (load.record != NULL && fclose(load.record) != 0)
		fail(options.record);
	printf("{\"events\": %" PRId64 ", \"messages\": %" PRId64 ", \"begin\": %.6f}\n", load.sent,
	       load.sent_messages, (double)load.begin_us / G_USEC_PER_SEC);
	for (int i = 0; i < options.connections; i++)
		close_connection(&load.connections[i]);
	g_free(load.connections);
	g_string_free(load.payload, TRUE);
	g_rand_free(load.dice);
	g_free(options.record);
	close(load.poll);
	return EXIT_SUCCESS;
}
