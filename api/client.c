#include "client.h"

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

/* An IPv4 address that came through a socket of IPv6 is one of IPv4. */
static void write_v6(const struct in6_addr *address, char ret_text[CLIENT_SIZE])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, &address->s6_addr[12], ret_text, CLIENT_SIZE);
	else
		inet_ntop(AF_INET6, address, ret_text, CLIENT_SIZE);
}

/* An address is written in one way only. */
static bool normalize(const char *word, char ret_text[CLIENT_SIZE])
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, word, &v4) == 1)
		return inet_ntop(AF_INET, &v4, ret_text, CLIENT_SIZE) != NULL;
	if (inet_pton(AF_INET6, word, &v6) != 1)
		return false;
	write_v6(&v6, ret_text);
	return true;
}

static void write_peer(const struct sockaddr *peer, char ret_text[CLIENT_SIZE])
{
	*ret_text = '\0';
	if (peer->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)peer)->sin_addr,
			  ret_text, CLIENT_SIZE);
	else if (peer->sa_family == AF_INET6)
		write_v6(&((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, ret_text);
}

static bool is_proxy(const char *address, const char *proxies)
{
	g_auto(GStrv) words = g_strsplit(proxies, " ", -1);
	char proxy[CLIENT_SIZE];

	for (char **word = words; *word != NULL; word++) {
		if (normalize(*word, proxy) && strcmp(proxy, address) == 0)
			return true;
	}
	return false;
}

void client_address(const struct sockaddr *peer, const char *proxies, const char *forwarded,
		    char ret_text[CLIENT_SIZE])
{
	char named[CLIENT_SIZE];
	const char *comma;

	write_peer(peer, ret_text);
	if (forwarded == NULL || !is_proxy(ret_text, proxies))
		return;
	comma = strrchr(forwarded, ',');
	g_autofree char *last = g_strdup(comma != NULL ? comma + 1 : forwarded);
	if (normalize(g_strstrip(last), named))
		memcpy(ret_text, named, sizeof named);
}

char *client_first_wrong(const char *proxies)
{
	g_auto(GStrv) words = g_strsplit(proxies, " ", -1);
	char proxy[CLIENT_SIZE];

	for (char **word = words; *word != NULL; word++) {
		if (**word != '\0' && !normalize(*word, proxy))
			return g_strdup(*word);
	}
	return NULL;
}
