/* The baseline of HTTP: libmicrohttpd with the options of api/http.c, answering every request with the same few bytes.
 *
 * Prints the port once it listens, and works until its standard input ends. */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 4096u
#define CONNECTIONS_PER_ADDRESS 2048u
#define MEMORY_BYTES 32768
#define STACK_BYTES (1024 * 1024)
#define TIMEOUT_S 30u

/* As long as what GET /spaces/{id} answers. */
static char answer[] =
	"{\"id\":\"r12345\",\"name\":\"Room 12345\",\"timezone\":\"Europe/Vienna\",\"capacity\":50,"
	"\"count\":12,\"net\":11,\"utilization\":0.24,\"last_event_time\":"
	"\"2026-11-23T08:15:30.125Z\",\"as_of\":\"2026-11-23T08:15:31.000Z\",\"revision\":1234567,"
	"\"health\":\"unknown\",\"parent\":\"f1234\",\"children\":[],\"daily_reset\":null}";

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url,
			     const char *method, const char *version, const char *body,
			     size_t *body_size, void **request_context)
{
	static int seen;

	(void)url, (void)method, (void)version, (void)body, (void)body_size;
	if (*request_context == NULL) { /* the head alone: an answer now would end the connection */
		*request_context = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

static struct MHD_Daemon *start(struct MHD_Response *response, unsigned threads)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
					MHD_USE_ERROR_LOG | MHD_USE_TURBO,
				0, NULL, NULL, serve, response, MHD_OPTION_SOCK_ADDR, &address,
				MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_THREAD_STACK_SIZE,
				(size_t)STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
				MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_ADDRESS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
				MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(sizeof answer - 1, answer, MHD_RESPMEM_PERSISTENT);
	struct MHD_Daemon *daemon;
	char byte;

	if (argc != 2) {
		fputs("usage: constant THREADS\n", stderr);
		return EXIT_FAILURE;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	daemon = start(response, (unsigned)strtoul(argv[1], NULL, 10));
	if (daemon == NULL) {
		perror("constant");
		return EXIT_FAILURE;
	}
	printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return EXIT_SUCCESS;
}
