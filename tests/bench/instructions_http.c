/* A fixed piece of work for callgrind to count the instructions of (tests/instructions_test.py): answers over HTTP.
 *
 *     instructions_http DATABASE      as instructions_store has left it
 *
 * What counts is the work of the one thread that serves, libmicrohttpd's part included. Prints how many answers it has
 * given: half of them the counts now, half of them counts at an instant. */
#include <glib.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth.h"
#include "http.h"
#include "live.h"
#include "memory.h"
#include "metrics.h"
#include "routes.h"
#include "services.h"

#define REQUESTS 500
#define ROOMS 50
#define HOURS 48 /* that the database's past is long, at least */

struct client {
	int socket;
	GRand *dice;
};

static void fail(const char *what)
{
	fprintf(stderr, "instructions_http: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int probe = socket(AF_INET, SOCK_STREAM, 0);

	if (probe < 0 || bind(probe, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(probe, (struct sockaddr *)&address, &size) < 0)
		fail("no free port");
	close(probe);
	return ntohs(address.sin_port);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM, 0);

	if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	return client;
}

static bool is_whole(const char *answer, size_t size)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *length = strcasestr(answer, "\r\nContent-Length:");

	if (end == NULL || length == NULL)
		return false;
	return size == (size_t)(end + 4 - answer) +
			       strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static void ask(struct client *client, const char *target)
{
	char request[256], answer[16384];
	size_t size = 0;
	int length = g_snprintf(request, sizeof request,
				"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);

	if (send(client->socket, request, (size_t)length, 0) != length)
		fail("send");
	do {
		ssize_t got = recv(client->socket, answer + size, sizeof answer - 1 - size, 0);

		if (got <= 0)
			fail("the connection has ended");
		size += (size_t)got;
		answer[size] = '\0';
	} while (!is_whole(answer, size));
	if (!g_str_has_prefix(answer, "HTTP/1.1 200 "))
		fail(answer);
}

static void ask_now(struct client *client)
{
	for (int i = 0; i < REQUESTS; i++) {
		g_autofree char *target =
			g_strdup_printf("/spaces/r%d", g_rand_int_range(client->dice, 0, ROOMS));

		ask(client, target);
	}
}

static void ask_then(struct client *client)
{
	for (int i = 0; i < REQUESTS; i++) {
		int second = g_rand_int_range(client->dice, 0, HOURS * 3600);
		g_autofree char *target = g_strdup_printf(
			"/spaces/r%d?time=2026-01-%02dT%02d:%02d:%02dZ",
			g_rand_int_range(client->dice, 0, ROOMS), 1 + second / 86400,
			second / 3600 % 24, second / 60 % 60, second % 60);

		ask(client, target);
	}
}

int main(int argc, char **argv)
{
	struct services services = {0};
	struct http_options options = {
		.routes = routes,
		.route_count = route_count,
		.context = &services,
		.observer = metrics_observe,
		.address = "127.0.0.1",
		.port = free_port(),
		.threads = 1,
		.connections = 16,
		.connections_per_address = 16,
		.timeout_s = 600,
	};
	struct client client = {.dice = g_rand_new_with_seed(1)};
	struct problem problem;
	struct http_server *server;

	if (argc != 2)
		fail("a database is expected");
	options.database = argv[1];
	options.auth = auth_new("", true);
	services.memory = memory_new(MEMORY_BYTES);
	services.metrics = metrics_new(routes, route_count);
	services.live = live_start(argv[1]);
	server = http_start(&options, &problem);
	if (server == NULL)
		fail(problem.detail);
	client.socket = connect_to(options.port);
	ask_now(&client);
	ask_then(&client);
	close(client.socket);
	printf("answer %d\n", 2 * REQUESTS);
	http_quiesce(server);
	live_stop(services.live);
	http_stop(server);
	live_free(services.live);
	metrics_free(services.metrics);
	memory_free(services.memory);
	auth_free(options.auth);
	g_rand_free(client.dice);
	return EXIT_SUCCESS;
}
