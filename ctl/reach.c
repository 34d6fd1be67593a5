#include "reach.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 5

/* A limit for sending is one for connecting, too: socket(7). */
static int try_address(const struct addrinfo *address)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int descriptor = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
	int error;

	if (descriptor < 0)
		return -1;
	setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(descriptor, address->ai_addr, address->ai_addrlen) == 0)
		return descriptor;
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(descriptor);
	errno = error;
	return -1;
}

int reach(const char *host, int64_t port, struct problem *reterr_problem)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	g_autofree char *service = g_strdup_printf("%" PRId64, port);
	struct addrinfo *addresses = NULL;
	int code = getaddrinfo(host, service, &hints, &addresses);
	int descriptor = -1;

	if (code != 0) {
		problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", host, gai_strerror(code));
		return -1;
	}
	for (const struct addrinfo *each = addresses; each != NULL && descriptor < 0;
	     each = each->ai_next)
		descriptor = try_address(each);
	if (descriptor < 0)
		problem_set(reterr_problem, RESULT_FAILED, "",
			    "nobody answers at %s:%" PRId64 ": %s", host, port, g_strerror(errno));
	freeaddrinfo(addresses);
	return descriptor;
}

bool reach_check(const char *host, int64_t port, struct problem *reterr_problem)
{
	int descriptor = reach(host, port, reterr_problem);

	if (descriptor >= 0)
		close(descriptor);
	return descriptor >= 0;
}
