/* A request to headcount-api: "METHOD TARGET", headers, an empty line, a body; sent over a real connection to the real server,
 * with a broker that does at once what it is asked. Every answer has a status that the contract knows; what is JSON is JSON,
 * what refuses says why; an accepted body is what the gateway takes as it is. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attempts.h"
#include "auth.h"
#include "broker.h"
#include "event.h"
#include "fuzz.h"
#include "http.h"
#include "json.h"
#include "live.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "pages.h"
#include "routes.h"
#include "services.h"
#include "token.h"
#include "world.h"

#define PORT_FIRST 20000
#define PORTS 20000
#define ANSWER_MOST (4 * 1024 * 1024)
#define PATIENCE_S 20
#define STREAMS_MOST 32
#define ATTEMPTS_A_MINUTE 1000000 /* what is refused for its tokens is not looked at */

/* The broker, in place of api/broker.c */

struct broker {
	struct store *store;
};

struct order {
	const char *command;
	size_t size;
	GString *answer;
};

static void must_be_stored(void *context, const struct event *event, enum reason reason,
			   const char *item, size_t size)
{
	(void)context;
	(void)reason;
	(void)item;
	(void)size;
	g_assert(event != NULL);
}

void broker_publish(struct broker *broker, const char *topic, const void *payload, size_t size,
		    broker_done *done, void *context)
{
	(void)broker;
	g_assert(g_str_has_prefix(topic, "dpu/") && g_str_has_suffix(topic, "/events"));
	event_read(payload, size, must_be_stored, NULL);
	done(context, RESULT_OK, "", 0);
}

/* Undone at once, so that each request finds the same building. */
static enum result carry_out(struct store *store, void *context)
{
	struct order *order = context;
	const struct registry_limits limits = {.now = instant_now(), .max_clock_skew_ms = 60000};

	registry_command(store, order->command, order->size, &limits, order->answer);
	return RESULT_CONFLICT;
}

void broker_request(struct broker *broker, const char *command, size_t size, broker_done *done,
		    void *context)
{
	struct order order = {command, size, g_string_new(NULL)};
	const char *why;
	g_autoptr(Json) json = json_read(command, size, &why);

	g_assert(json != NULL && json_kind(json) == JSON_OBJECT);
	g_assert(store_transaction(broker->store, carry_out, &order) == RESULT_CONFLICT);
	world_check_answer(order.answer->str, order.answer->len);
	done(context, RESULT_OK, order.answer->str, order.answer->len);
	g_string_free(order.answer, TRUE);
}

struct broker_view broker_look(struct broker *broker)
{
	(void)broker;
	return (struct broker_view){.ready = true,
				    .gateway_online = true,
				    .gateway_health = instant_now(),
				    .broker_drops_risen = INSTANT_NONE};
}

/* The server */

static struct {
	struct config config;
	struct services services;
	struct broker broker;
	struct http_options options;
	struct http_server *server;
	struct sockaddr_in address;
	unsigned
		streams; /* that nobody reads any more: the server sees it when it next has something to say */
} api;

static void listen_somewhere(void)
{
	struct problem problem = {.detail = ""};

	for (int i = 0; i < PORTS && api.server == NULL; i++) {
		api.options.port = (uint16_t)(PORT_FIRST + (getpid() + i) % PORTS);
		api.server = http_start(&api.options, &problem);
	}
	g_assert(api.server != NULL);
	api.address = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_port = htons(api.options.port),
					   .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* As `headcount token` makes them, but for their texts, which are known. */
static void write_tokens(const char *path)
{
	static const char *const limited[] = {"A", NULL};
	struct token tokens[] = {
		{.name = "all", .scopes = TOKEN_INGEST | TOKEN_ADMIN, .expires = INSTANT_NONE},
		{.name = "limited", .scopes = TOKEN_INGEST | TOKEN_ADMIN, .expires = INSTANT_NONE},
	};
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	struct problem problem;

	tokens[1].spaces = (char **)(uintptr_t)limited;
	token_digest("fuzz-ingest-admin", tokens[0].digest);
	token_digest("fuzz-limited-admin", tokens[1].digest);
	for (size_t i = 0; i < G_N_ELEMENTS(tokens); i++)
		g_ptr_array_add(all, &tokens[i]);
	g_assert(token_write_file(path, all, &problem) == RESULT_OK);
}

static void start(void)
{
	static char none[] = "", address[] = "127.0.0.1";
	struct problem problem;

	signal(SIGPIPE, SIG_IGN);
	log_start("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	api.config = (struct config){.database = (char *)(uintptr_t)world_reset(),
				     .token_file = (char *)(uintptr_t)fuzz_path("tokens"),
				     .web_dir = none,
				     .api_address = address};
	write_tokens(api.config.token_file);
	g_assert(store_open(api.config.database, STORE_WRITER, &api.broker.store, &problem) ==
		 RESULT_OK);
	api.services = (struct services){.config = &api.config,
					 .broker = &api.broker,
					 .memory = memory_new(MEMORY_BYTES),
					 .auth = auth_new(api.config.token_file, true),
					 .attempts = attempts_new(ATTEMPTS_A_MINUTE),
					 .metrics = metrics_new(routes, route_count),
					 .live = live_start(api.config.database)};
	g_assert(pages_open(none, &api.services.pages, &problem) == RESULT_OK);
	api.options = (struct http_options){.routes = routes,
					    .route_count = route_count,
					    .context = &api.services,
					    .observer = metrics_observe,
					    .auth = api.services.auth,
					    .attempts = api.services.attempts,
					    .proxies = none,
					    .database = api.config.database,
					    .address = address,
					    .threads = 1,
					    .connections = 64,
					    .connections_per_address = 64,
					    .timeout_s = PATIENCE_S};
	listen_somewhere();
}

static void end_streams(void)
{
	http_stop(api.server);
	api.server = NULL;
	api.streams = 0;
	listen_somewhere();
}

/* Asking */

/* The fuzzer's own clock interrupts calls, and for a moment there may be no port left: neither is the server's fault. */
static int try_to_connect(void)
{
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert(descriptor >= 0);
	if (connect(descriptor, (const struct sockaddr *)&api.address, sizeof api.address) == 0)
		return descriptor;
	g_assert(errno == EINTR || errno == EADDRNOTAVAIL);
	close(descriptor);
	return -1;
}

static int connect_to_server(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	const struct linger at_once = {.l_onoff = 1}; /* ports are not enough for so many */
	gint64 end = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	int descriptor;

	while ((descriptor = try_to_connect()) < 0) {
		g_assert(g_get_monotonic_time() < end);
		g_usleep(10000);
	}
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	return descriptor;
}

static bool is_head(const char *method)
{
	return strcmp(method, "HEAD") == 0;
}

/* What came before the server closed the connection; of a stream its head. */
static GString *receive(int descriptor)
{
	GString *answer = g_string_new(NULL);
	char block[65536];
	ssize_t got;

	while ((got = TEMP_FAILURE_RETRY(recv(descriptor, block, sizeof block, 0))) > 0) {
		g_string_append_len(answer, block, got);
		g_assert(answer->len < ANSWER_MOST);
		if (strstr(answer->str, "text/event-stream") != NULL) {
			api.streams++;
			return answer;
		}
	}
	g_assert(got == 0); /* not silence */
	return answer;
}

/* Request line and headers as they are given, but for what decides where the request ends. A first header that begins with
 * a blank goes on with the one before: that is not to be Connection. */
static GString *write_request(const char *head, const char *body, size_t size)
{
	g_auto(GStrv) lines = g_strsplit(head, "\n", -1);
	GString *request = g_string_new(lines[0]);

	g_string_append(request, " HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n");
	for (char **line = lines + 1; lines[0] != NULL && *line != NULL; line++) {
		if (g_ascii_strncasecmp(*line, "Transfer-Encoding", 17) != 0 &&
		    g_ascii_strncasecmp(*line, "Content-Length", 14) != 0 &&
		    g_ascii_strncasecmp(*line, "Expect", 6) != 0)
			g_string_append_printf(request, "%s\r\n", *line);
	}
	if (size > 0)
		g_string_append_printf(request, "Content-Length: %zu\r\n", size);
	g_string_append(request, "\r\n");
	g_string_append_len(request, body, (gssize)size);
	return request;
}

/* Judging */

static void check_problem(const Json *problem, int status)
{
	g_assert(json_kind(problem) == JSON_OBJECT);
	g_assert(json_member_integer(problem, "status", 0) == status);
	g_assert(*json_member_text(problem, "detail", "") != '\0');
}

static void check_body(const char *head, int status, const char *body, size_t size)
{
	bool is_problem = strstr(head, "application/problem+json") != NULL;
	const char *why = "";
	g_autoptr(Json) json = NULL;

	if (!is_problem && strstr(head, "Content-Type: application/json\r\n") == NULL)
		return;
	if (strstr(head, "Content-Encoding:") != NULL)
		return;
	json = json_read(body, size, &why);
	g_assert(json != NULL);
	g_assert(is_problem == (status >= 400));
	if (is_problem)
		check_problem(json, status);
}

static void check_answer(const GString *answer, bool without_body)
{
	static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404,
				       405, 406, 409, 413, 414, 415, 431, 503};
	const char *end = strstr(answer->str, "\r\n\r\n");
	g_autofree char *head = NULL;
	int status = 0;
	bool known = false;

	g_assert(end != NULL && sscanf(answer->str, "HTTP/1.1 %d", &status) == 1);
	head = g_strndup(answer->str, (size_t)(end + 4 - answer->str));
	if (strstr(head, "X-Content-Type-Options") == NULL)
		return; /* libmicrohttpd's own: the request was none */
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		known |= statuses[i] == status;
	g_assert(known);
	if (!without_body)
		check_body(head, status, end + 4, answer->len - (size_t)(end + 4 - answer->str));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	const char *blank = strstr(text, "\n\n");
	g_autofree char *head =
		g_strndup(text, blank != NULL ? (size_t)(blank - text) : strlen(text));
	g_autofree char *method = g_strndup(head, strcspn(head, " "));
	size_t before = blank != NULL ? (size_t)(blank + 2 - text) : size;
	g_autoptr(GString) request =
		write_request(head, (const char *)data + before, size - MIN(before, size));
	g_autoptr(GString) answer = NULL;
	int descriptor;

	if (api.server == NULL)
		start();
	if (api.streams == STREAMS_MOST)
		end_streams();
	descriptor = connect_to_server();
	g_assert(send(descriptor, request->str, request->len, MSG_NOSIGNAL) >= 0);
	shutdown(descriptor, SHUT_WR);
	answer = receive(descriptor);
	close(descriptor);
	if (answer->len > 0)
		check_answer(answer, is_head(method));
	return 0;
}
