/* TLS as far as libmosquitto does not speak it for us. Only tls.c knows OpenSSL. */
#ifndef HEADCOUNT_TLS_H
#define HEADCOUNT_TLS_H

#include <stddef.h>
#include <stdint.h>

/* For how many days the certificate is valid yet that the other side of a connection (an SSL of OpenSSL; NULL: none) has
 * shown; INT64_MIN if it has shown none. */
int64_t tls_certificate_days(const void *connection);

/* Sends a question over a connected socket to whoever is there, whatever the certificate says, so let there be no secret
 * in it. All that comes until he ends, but not more than `most` bytes, is the caller's; NULL if he doesn't speak TLS. */
char *tls_ask(int descriptor, const char *question, size_t most, int64_t *ret_certificate_days);

#endif
