#include "tls.h"

#include <glib.h>
#include <openssl/ssl.h>
#include <string.h>

int64_t tls_certificate_days(const void *connection)
{
	X509 *certificate = connection != NULL ? SSL_get1_peer_certificate(connection) : NULL;
	int64_t left = INT64_MIN;
	int days, seconds;

	if (certificate != NULL &&
	    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1)
		left = days;
	X509_free(certificate);
	return left;
}

static char *talk(SSL *connection, const char *question, size_t most)
{
	char *answer;
	size_t size = 0, got;

	if (SSL_connect(connection) != 1)
		return NULL;
	answer = g_malloc0(most + 1);
	SSL_write(connection, question, (int)strlen(question));
	while (size < most && SSL_read_ex(connection, answer + size, most - size, &got) == 1)
		size += got;
	return answer;
}

char *tls_ask(int descriptor, const char *question, size_t most, int64_t *ret_certificate_days)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *connection = context != NULL ? SSL_new(context) : NULL;
	char *answer = NULL;

	if (connection != NULL && SSL_set_fd(connection, descriptor) == 1)
		answer = talk(connection, question, most);
	*ret_certificate_days = tls_certificate_days(connection);
	SSL_free(connection);
	SSL_CTX_free(context);
	return answer;
}
