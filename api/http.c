#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "certificate.h"
#include "http_request.h"
#include "log.h"

#define MEMORY_BYTES 32768 /* of a connection: the head of a request, and what is being sent */
#define ABSURD_BODY_BYTES 1048576 /* who sends more than that after all limits is cut off */
#define STREAM_BLOCK_BYTES 1024
#define STACK_BYTES (1024 * 1024) /* a request with 10,000 buckets needs some */
#define ANSWER_TIMEOUTS 10        /* how many timeouts a client may take to fetch an answer */
#define STREAM_TIMEOUTS INT32_MAX /* as long as it likes */
#define TEND_LATE_S 10            /* nothing keeps http_tend from being called for that long */
#define COMPLAINT_S 60            /* how often trouble that lasts is logged */

struct connection {
	GList link; /* in server->connections */
	int socket;
	_Atomic int64_t due_us; /* when the client has to be done with what it is about */
};

struct http_server {
	const struct http_options *options;
	struct MHD_Daemon *daemon;
	gint handlers;            /* at work; atomic */
	_Atomic int64_t moved_us; /* when one of them last began or ended */
	gint stopping;            /* atomic */

	GMutex mutex;
	GQueue connections;
	gint64 complained_us; /* about the database */

	GMutex streams_mutex; /* locked before any of libmicrohttpd's own, unlike the other one */
	GQueue streams;
};

struct http_stream {
	GList link; /* in server->streams */
	struct http_server *server;
	struct MHD_Connection *connection;
	http_more *more;
	void (*ended)(void *context);
	void *context;

	GMutex mutex;
	bool suspended, woken;
};

/* Connections */

static struct connection *connection_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void give_time(struct http_request *request, int64_t now_us, int timeouts)
{
	connection_of(request->connection)->due_us =
		now_us + (int64_t)request->options->timeout_s * timeouts * G_USEC_PER_SEC;
}

static void note_connection(void *context, struct MHD_Connection *of, void **socket_context,
			    enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = context;
	struct connection *connection = *socket_context;

	g_mutex_lock(&server->mutex);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection = g_new0(struct connection, 1);
		connection->link.data = connection;
		connection->socket =
			MHD_get_connection_info(of, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		connection->due_us = g_get_monotonic_time() +
				     (int64_t)server->options->timeout_s * G_USEC_PER_SEC;
		g_queue_push_tail_link(&server->connections, &connection->link);
		*socket_context = connection;
	} else {
		g_queue_unlink(&server->connections, &connection->link);
		g_free(connection);
	}
	g_mutex_unlock(&server->mutex);
}

/* A byte now and then keeps libmicrohttpd's own timeout away, but not this one. The socket stays open, and so stays
 * ours, as long as the connection is in the list. */
void http_tend(struct http_server *server)
{
	int64_t now_us = g_get_monotonic_time();

	g_mutex_lock(&server->mutex);
	for (GList *link = server->connections.head; link != NULL; link = link->next) {
		struct connection *connection = link->data;

		if (now_us > connection->due_us)
			shutdown(connection->socket, SHUT_RDWR);
	}
	g_mutex_unlock(&server->mutex);
}

int64_t http_moved(struct http_server *server)
{
	return g_atomic_int_get(&server->handlers) > 0 ? server->moved_us : g_get_monotonic_time();
}

/* Requests */

static void *begin_request(void *context, const char *target, struct MHD_Connection *connection)
{
	struct http_server *server = context;
	struct http_request *request = g_new0(struct http_request, 1);

	request->server = server;
	request->options = server->options;
	request->connection = connection;
	request->began_us = g_get_monotonic_time();
	request->received = instant_now();
	request->target = g_strdup(target);
	return request;
}

static void end_stream(void *data)
{
	struct http_stream *stream = data;

	g_mutex_lock(&stream->server->streams_mutex);
	g_queue_unlink(&stream->server->streams, &stream->link);
	g_mutex_unlock(&stream->server->streams_mutex);
	stream->ended(stream->context);
	g_mutex_clear(&stream->mutex);
	g_free(stream);
}

static void forget_answer(struct http_request *request)
{
	if (request->stream != NULL)
		end_stream(request->stream);
	request->stream = NULL;
	request->answered = false;
	request->status = 0;
	request->type = NULL;
	answer_forget_headers(request);
	request->as_it_is = false;
	if (request->answer != NULL)
		g_string_free(request->answer, TRUE);
	request->answer = NULL;
}

static void free_request(struct http_request *request)
{
	forget_answer(request);
	if (request->body != NULL)
		g_byte_array_unref(request->body);
	auth_release(&request->rights);
	uri_clear(&request->uri);
	g_free(request->target);
	g_free(request);
}

static void end_request(void *context, struct MHD_Connection *connection, void **request_context,
			enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct http_request *request = *request_context;
	const struct http_options *options = server->options;
	int64_t now_us = g_get_monotonic_time();

	(void)connection;
	(void)code;
	if (request == NULL)
		return;
	if (request->status != 0 && options->observer != NULL)
		options->observer(options->context, request->route, request->status,
				  now_us - request->began_us);
	give_time(request, now_us, 1);
	free_request(request);
	*request_context = NULL;
}

/* Streams */

/* Suspends under the lock, so that no wake falls between "there is nothing" and going to sleep. False if one came. */
static bool sleep_until_woken(struct http_stream *stream)
{
	bool sleeps;

	g_mutex_lock(&stream->mutex);
	sleeps = !stream->woken && !g_atomic_int_get(&stream->server->stopping);
	if (sleeps)
		MHD_suspend_connection(stream->connection);
	stream->suspended = sleeps;
	stream->woken = false;
	g_mutex_unlock(&stream->mutex);
	return sleeps;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size)
{
	struct http_stream *stream = context;

	(void)position;
	for (;;) {
		ssize_t got = stream->more(stream->context, buffer, size);

		if (got > 0)
			return got;
		if (got < 0 || g_atomic_int_get(&stream->server->stopping))
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (sleep_until_woken(stream))
			return 0;
	}
}

void http_stream_wake(struct http_stream *stream)
{
	g_mutex_lock(&stream->mutex);
	stream->woken = !stream->suspended;
	if (stream->suspended)
		MHD_resume_connection(stream->connection);
	stream->suspended = false;
	g_mutex_unlock(&stream->mutex);
}

struct http_stream *http_answer_stream(struct http_request *request, const char *type,
				       http_more *more, void (*ended)(void *context), void *context)
{
	struct http_stream *stream = g_new0(struct http_stream, 1);

	http_answer(request, MHD_HTTP_OK, type, NULL);
	stream->link.data = stream;
	stream->server = request->server;
	stream->connection = request->connection;
	stream->more = more;
	stream->ended = ended;
	stream->context = context;
	g_mutex_init(&stream->mutex);
	g_mutex_lock(&stream->server->streams_mutex);
	g_queue_push_tail_link(&stream->server->streams, &stream->link);
	g_mutex_unlock(&stream->server->streams_mutex);
	request->stream = stream;
	return stream;
}

/* Sending */

/* Of libmicrohttpd's two makers of a response neither keeps what it was given when there is no memory for it. */

static struct MHD_Response *make_stream_response(struct http_request *request)
{
	struct http_stream *stream = request->stream;
	struct MHD_Response *response;

	give_time(request, g_get_monotonic_time(), STREAM_TIMEOUTS);
	request->stream = NULL;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
						     read_stream, stream, end_stream);
	if (response == NULL)
		end_stream(stream);
	return response;
}

static struct MHD_Response *make_response(struct http_request *request)
{
	GString *body = request->answer;
	size_t size = body != NULL ? body->len : 0;
	char *bytes = body != NULL ? g_string_free(body, FALSE) : NULL;
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback(size, bytes, g_free);

	request->answer = NULL;
	if (response == NULL)
		g_free(bytes);
	return response;
}

static void add_header(void *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

static enum MHD_Result send_answer(struct http_request *request)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	g_assert(request->answered);
	answer_compress(request);
	response = request->stream != NULL ? make_stream_response(request) : make_response(request);
	if (response == NULL)
		return MHD_NO; /* the connection ends */
	answer_each_header(request, add_header, response);
	result = MHD_queue_response(request->connection, (unsigned)request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Serving */

static enum MHD_Result add_header_bytes(void *context, enum MHD_ValueKind kind, const char *name,
					const char *value)
{
	struct http_request *request = context;

	(void)kind;
	request->header_bytes += strlen(name) + strlen(": \r\n");
	request->header_bytes += value != NULL ? strlen(value) : 0;
	if (g_ascii_strcasecmp(name, "X-Forwarded-For") == 0)
		request->forwarded = value;
	return MHD_YES;
}

static enum MHD_Result judge(struct http_request *request, const char *method)
{
	request->method = method;
	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header_bytes, request);
	/* libmicrohttpd closes the connection of an answer that comes before the end of its request. */
	if (!admission_judge(request) && admission_has_body(request))
		return send_answer(request);
	return MHD_YES;
}

/* What is too large is read all the same, because only then an answer can be given. */
static enum MHD_Result take_body(struct http_request *request, const char *bytes, size_t *size)
{
	if (request->body == NULL)
		request->body = g_byte_array_new();
	request->body_too_large |= request->body->len + *size > HTTP_BODY_BYTES;
	if (request->body->len + *size > ABSURD_BODY_BYTES)
		return MHD_NO;
	g_byte_array_append(request->body, (const guint8 *)bytes, (guint)*size);
	*size = 0;
	return MHD_YES;
}

static void handle(struct http_request *request)
{
	struct http_server *server = request->server;

	server->moved_us = g_get_monotonic_time();
	g_atomic_int_inc(&server->handlers);
	if (g_atomic_int_get(&server->stopping)) {
		http_add_header(request, "Connection", "close");
		http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping");
	} else if (admission_judge_body(request)) {
		request->route->handler(request);
	}
	server->moved_us = g_get_monotonic_time();
	g_atomic_int_add(&server->handlers, -1);
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url,
			     const char *method, const char *version, const char *body,
			     size_t *body_size, void **request_context)
{
	struct http_request *request = *request_context;

	(void)context;
	(void)connection;
	(void)url;
	(void)version;
	if (!request->judged)
		return judge(request, method);
	if (*body_size > 0)
		return take_body(request, body, body_size);
	if (!request->waiting && !request->answered) {
		give_time(request, g_get_monotonic_time(), ANSWER_TIMEOUTS);
		handle(request);
		if (request->waiting)
			return MHD_YES;
	}
	request->waiting = false;
	return send_answer(request);
}

void http_wait(struct http_request *request)
{
	request->waiting = true;
	MHD_suspend_connection(request->connection);
}

void http_resume(struct http_request *request)
{
	MHD_resume_connection(request->connection);
}

/* Asking a request */

void *http_context(const struct http_request *request)
{
	return request->options->context;
}

const struct route *http_route(const struct http_request *request)
{
	return request->route;
}

const char *http_method(const struct http_request *request)
{
	return request->method;
}

const char *http_path_part(const struct http_request *request, size_t index)
{
	return request->parts[index];
}

const char *http_parameter(const struct http_request *request, const char *name)
{
	return uri_parameter(&request->uri, name);
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_cookie(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, name);
}

void http_client(const struct http_request *request, char ret_text[CLIENT_SIZE])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	client_address(info->client_addr, request->options->proxies, request->forwarded, ret_text);
}

const char *http_body(const struct http_request *request, size_t *ret_size)
{
	*ret_size = request->body != NULL ? request->body->len : 0;
	return request->body != NULL ? (const char *)request->body->data : "";
}

instant http_received(const struct http_request *request)
{
	return request->received;
}

char *http_link(const struct http_request *request, const char *cursor)
{
	return uri_replace(request->target, "cursor", cursor);
}

const struct auth_rights *http_rights(const struct http_request *request)
{
	return &request->rights;
}

const char *const *http_spaces(const struct http_request *request)
{
	return request->rights.spaces;
}

bool http_sees_space(const struct http_request *request, const char *space_id)
{
	return request->rights.spaces == NULL || g_strv_contains(request->rights.spaces, space_id);
}

/* Reading: a store of its own for each thread that serves */

static void close_store(void *store)
{
	store_close(store);
}

static GPrivate thread_store = G_PRIVATE_INIT(close_store);

static void complain(struct http_server *server, const char *why)
{
	gint64 now_us = g_get_monotonic_time();
	bool due;

	g_mutex_lock(&server->mutex);
	due = server->complained_us == 0 ||
	      now_us - server->complained_us > COMPLAINT_S * G_USEC_PER_SEC;
	if (due)
		server->complained_us = now_us;
	g_mutex_unlock(&server->mutex);
	if (due)
		log_warning("database: %s", why);
}

static struct store *find_store(struct http_server *server)
{
	struct store *store = g_private_get(&thread_store);
	struct problem problem;

	if (store != NULL && !store_is_replaced(store))
		return store;
	g_private_replace(&thread_store, NULL);
	store = NULL;
	if (store_open(server->options->database, STORE_READER, &store, &problem) == RESULT_OK)
		g_private_set(&thread_store, store);
	else
		complain(server, problem.detail);
	return store;
}

void http_read(struct http_request *request, store_work *work)
{
	struct store *store = find_store(request->server);
	enum result result = RESULT_BUSY;

	if (store != NULL)
		result = store_transaction(store, work, request);
	if (result == RESULT_OK)
		return;
	forget_answer(request);
	if (result == RESULT_NOT_FOUND) {
		http_refuse(request, MHD_HTTP_NOT_FOUND, "there is no '%s'", request->parts[0]);
		return;
	}
	if (store != NULL)
		complain(request->server, store_error(store));
	if (result == RESULT_FAILED) /* perhaps another file is there by now */
		g_private_replace(&thread_store, NULL);
	http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the database can't be read now");
}

void http_recall(struct http_request *request, store_work *work)
{
	struct store *store = find_store(request->server);

	if (store != NULL && store_glance(store, work, request) == RESULT_OK)
		return;
	forget_answer(request);
	http_read(request, work);
}

/* The server */

__attribute__((format(printf, 2, 0))) static void log_trouble(void *context, const char *format,
							      va_list arguments)
{
	g_autofree char *line = g_strdup_vprintf(format, arguments);

	(void)context;
	log_debug("libmicrohttpd: %s", g_strchomp(line));
}

static struct addrinfo *find_address(const struct http_options *options,
				     struct problem *reterr_problem)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *addresses = NULL;
	char port[8];
	int code;

	snprintf(port, sizeof port, "%u", options->port);
	code = getaddrinfo(options->address, port, &hints, &addresses);
	if (code == 0)
		return addresses;
	(void)problem_set(reterr_problem, RESULT_INVALID, "address", "[api] address: %s: %s",
			  options->address, gai_strerror(code));
	return NULL;
}

/* libmicrohttpd 0.9.75 never lets go of a connection whose TLS handshake its own timeout has ended: it keeps the place, and
 * its thread turns around it for ever. So http_tend has to come first, even if it is late, and this is for answers alone. */
static unsigned library_timeout_s(const struct http_options *options)
{
	return options->certificate != NULL ? 2 * options->timeout_s + TEND_LATE_S
					    : options->timeout_s;
}

static struct MHD_Daemon *listen_on(struct http_server *server, const struct sockaddr *address)
{
	const struct http_options *options = server->options;
	unsigned flags = MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO;

	if (address->sa_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	/* With epoll, libmicrohttpd 0.9.75 turns around a handshake that waits for its client. */
	flags |= options->certificate != NULL ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD
					      : MHD_USE_EPOLL_INTERNAL_THREAD;
	return MHD_start_daemon(
		flags, options->port, NULL, NULL, serve, server, /* */
		MHD_OPTION_EXTERNAL_LOGGER, log_trouble, NULL,   /* */
		MHD_OPTION_SOCK_ADDR, address,                   /* */
		MHD_OPTION_THREAD_POOL_SIZE, options->threads,   /* */
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT,
		options->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		options->connections_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, library_timeout_s(options),
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, begin_request, server,
		MHD_OPTION_NOTIFY_COMPLETED, end_request, server, MHD_OPTION_NOTIFY_CONNECTION,
		note_connection, server,
		options->certificate != NULL ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END,
		certificate_retriever(), MHD_OPTION_HTTPS_PRIORITIES, CERTIFICATE_PRIORITIES,
		MHD_OPTION_END);
}

struct http_server *http_start(const struct http_options *options, struct problem *reterr_problem)
{
	struct http_server *server = g_new0(struct http_server, 1);
	struct addrinfo *addresses = find_address(options, reterr_problem);

	server->options = options;
	g_mutex_init(&server->mutex);
	g_mutex_init(&server->streams_mutex);
	g_queue_init(&server->connections);
	g_queue_init(&server->streams);
	if (addresses != NULL) {
		errno = 0;
		server->daemon = listen_on(server, addresses->ai_addr);
		if (server->daemon == NULL)
			(void)problem_set(reterr_problem, RESULT_FAILED, "port",
					  "can't listen on %s port %u: %s", options->address,
					  options->port,
					  errno != 0 ? g_strerror(errno) : "see log level debug");
		freeaddrinfo(addresses);
	}
	if (server->daemon != NULL)
		return server;
	http_stop(server);
	return NULL;
}

void http_quiesce(struct http_server *server)
{
	g_atomic_int_set(&server->stopping, 1);
	while (g_atomic_int_get(&server->handlers) > 0)
		g_usleep(1000);
}

static void wake_streams(struct http_server *server)
{
	g_mutex_lock(&server->streams_mutex);
	for (GList *link = server->streams.head; link != NULL; link = link->next)
		http_stream_wake(link->data);
	g_mutex_unlock(&server->streams_mutex);
}

void http_stop(struct http_server *server)
{
	if (server == NULL)
		return;
	if (server->daemon != NULL) {
		http_quiesce(server);
		wake_streams(server);
		MHD_stop_daemon(server->daemon);
	}
	g_mutex_clear(&server->mutex);
	g_mutex_clear(&server->streams_mutex);
	g_free(server);
}
