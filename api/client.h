/* Where a request comes from: the address of the client, or, if that is a proxy of ours, the one that it names. */
#ifndef HEADCOUNT_CLIENT_H
#define HEADCOUNT_CLIENT_H

#include <stdbool.h>
#include <sys/socket.h>

#define CLIENT_SIZE 46 /* INET6_ADDRSTRLEN */

/* Writes the address as people do: "192.0.2.7", "2001:db8::7"; "" if it is of no kind that we listen to. `proxies` are
 * addresses with spaces between: of a peer among them, the last address of X-Forwarded-For is meant, as it is the one
 * that the proxy itself has seen (NULL: there is none). */
void client_address(const struct sockaddr *peer, const char *proxies, const char *forwarded,
		    char ret_text[CLIENT_SIZE]);

/* The first word that is no address, or NULL; the caller frees it. */
char *client_first_wrong(const char *proxies);

#endif
