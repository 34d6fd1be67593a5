/* A crowd that asks over HTTP: connections that stay open, each with one request under way, in turn through a list of
 * targets. Raw HTTP/1.1 over epoll, one thread. Prints one JSON object when all are answered. */
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

#define ANSWER_BYTES (8 * 1024 * 1024)
#define FIRST_BYTES 16384

static struct {
	int port, connections;
	int64_t requests;
	char *targets;
} options = {.connections = 32, .requests = 10000};

struct connection {
	int socket;
	gint64 sent_us;
	GByteArray *in;
	size_t in_size;
	size_t answer_size; /* of head and body; 0 until the head is there */
};

static struct {
	GPtrArray *requests; /* GString: as they are sent */
	int64_t sent, answered, refused, bytes;
	GArray *latencies_us; /* gint64 */
	int poll;
} ask;

static void fail(const char *what)
{
	fprintf(stderr, "ask: %s: %s\n", what, errno != 0 ? g_strerror(errno) : "unexpected");
	exit(EXIT_FAILURE);
}

static void send_next(struct connection *connection)
{
	const GString *request;

	if (ask.sent == options.requests)
		return;
	request = g_ptr_array_index(ask.requests, (guint)(ask.sent % ask.requests->len));
	ask.sent++;
	connection->sent_us = g_get_monotonic_time();
	connection->in_size = connection->answer_size = 0;
	if (send(connection->socket, request->str, request->len, MSG_NOSIGNAL) !=
	    (ssize_t)request->len)
		fail("send");
}

/* An answer has a Content-Length: streams are not asked for. */
static void read_head(struct connection *connection)
{
	const char *text = (const char *)connection->in->data;
	const char *end, *length;

	connection->in->data[connection->in_size] = '\0';
	end = strstr(text, "\r\n\r\n");
	if (end == NULL)
		return;
	length = strcasestr(text, "\r\nContent-Length:");
	if (length == NULL || length > end)
		fail("an answer without Content-Length");
	connection->answer_size = (size_t)(end + 4 - text) +
				  strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (connection->answer_size > ANSWER_BYTES)
		fail("an answer that is too long");
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0)
		ask.refused++;
}

static void take_answer(struct connection *connection)
{
	gint64 latency_us = g_get_monotonic_time() - connection->sent_us;

	g_array_append_val(ask.latencies_us, latency_us);
	ask.answered++;
	ask.bytes += (int64_t)connection->answer_size;
	send_next(connection);
}

static void read_in(struct connection *connection)
{
	size_t room = MAX(connection->answer_size, FIRST_BYTES) - connection->in_size;
	ssize_t size;

	if (connection->in->len <= connection->in_size + room)
		g_byte_array_set_size(connection->in, (guint)(connection->in_size + room + 1));
	size = recv(connection->socket, connection->in->data + connection->in_size, room,
		    MSG_DONTWAIT);
	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0)
		fail("the connection has ended");
	connection->in_size += (size_t)size;
	if (connection->answer_size == 0)
		read_head(connection);
	if (connection->answer_size != 0 && connection->in_size == connection->answer_size)
		take_answer(connection);
}

static void open_connection(struct connection *connection)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((guint16)options.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int on = 1;

	connection->in = g_byte_array_new();
	connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->socket < 0 ||
	    connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (epoll_ctl(ask.poll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
		fail("epoll_ctl");
}

/* One target a line. */
static void read_targets(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(options.targets, &text, NULL, NULL))
		fail(options.targets);
	lines = g_strsplit(text, "\n", -1);
	ask.requests = g_ptr_array_new();
	for (char **line = lines; *line != NULL && **line != '\0'; line++) {
		GString *request = g_string_new(NULL);

		g_string_printf(request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", *line);
		g_ptr_array_add(ask.requests, request);
	}
	if (ask.requests->len == 0)
		fail("no targets");
}

static int compare(const void *a, const void *b)
{
	gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

	return first < second ? -1 : first > second;
}

static gint64 percentile(double part)
{
	guint index = (guint)(part * (double)(ask.latencies_us->len - 1));

	return g_array_index(ask.latencies_us, gint64, index);
}

static void ask_all(struct connection *connections)
{
	struct epoll_event events[256];

	for (int i = 0; i < options.connections; i++)
		send_next(&connections[i]);
	while (ask.answered < options.requests) {
		int count = epoll_wait(ask.poll, events, G_N_ELEMENTS(events), -1);

		for (int i = 0; i < count; i++)
			read_in(events[i].data.ptr);
	}
}

static bool read_options(int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"port", 0, 0, G_OPTION_ARG_INT, &options.port, "The server's, on 127.0.0.1", "N"},
		{"connections", 0, 0, G_OPTION_ARG_INT, &options.connections, "How many", "N"},
		{"requests", 0, 0, G_OPTION_ARG_INT64, &options.requests, "How many in all", "N"},
		{"targets", 0, 0, G_OPTION_ARG_FILENAME, &options.targets,
		 "Paths with queries, one a line", "FILE"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "ask: %s\n", error->message);
		return false;
	}
	return options.port > 0 && options.connections > 0 && options.requests > 0 &&
	       options.targets != NULL;
}

int main(int argc, char **argv)
{
	struct connection *connections;
	gint64 begin;
	double seconds;

	if (!read_options(argc, argv))
		return EXIT_FAILURE;
	read_targets();
	ask.poll = epoll_create1(EPOLL_CLOEXEC);
	ask.latencies_us = g_array_new(FALSE, FALSE, sizeof(gint64));
	connections = g_new0(struct connection, (gsize)options.connections);
	for (int i = 0; i < options.connections; i++)
		open_connection(&connections[i]);
	begin = g_get_monotonic_time();
	ask_all(connections);
	seconds = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
	qsort(ask.latencies_us->data, ask.latencies_us->len, sizeof(gint64), compare);
	printf("{\"requests\": %" PRId64 ", \"refused\": %" PRId64 ", \"bytes\": %" PRId64
	       ", \"seconds\": %.6f, \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 "}\n",
	       ask.answered, ask.refused, ask.bytes, seconds, percentile(0.5), percentile(0.99));
	return EXIT_SUCCESS;
}
