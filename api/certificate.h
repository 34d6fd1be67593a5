/* The certificate that the server shows, and its key: read from files, and again when they change, without an end to any
 * connection. New ones that are no good leave the old ones in force. Only certificate.c knows GnuTLS. */
#ifndef HEADCOUNT_CERTIFICATE_H
#define HEADCOUNT_CERTIFICATE_H

#include "instant.h"
#include "result.h"

/* For GnuTLS: TLS 1.2 and 1.3, keys of the moment only, no block ciphers. */
#define CERTIFICATE_PRIORITIES                                                                     \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-DHE-DSS:-AES-128-CBC:"       \
	"-AES-256-CBC:-SHA1:%SERVER_PRECEDENCE"

struct certificate;

/* Reads both files (PEM; the certificate, then those that lead to its root). A problem says which file is at fault: the key
 * must belong to the certificate, and be nothing that others on this machine can read. There is one at a time. Borrows
 * the paths. */
MUST_USE enum result certificate_open(const char *certificate_file, const char *key_file,
				      struct certificate **ret_certificate,
				      struct problem *reterr_problem);
void certificate_close(struct certificate *certificate);

/* Reads the files again, and logs what came of it. */
void certificate_reload(struct certificate *certificate);
/* The same if they have changed and are not being changed right now; to be called about once a second. */
void certificate_tend(struct certificate *certificate);

struct certificate_view {
	instant expires;
	char problem
		[128]; /* which file is not used as it is now, for anybody to read; "": both are */
};
struct certificate_view certificate_look(struct certificate *certificate);

/* A gnutls_certificate_retrieve_function3 for MHD_OPTION_HTTPS_CERT_CALLBACK2: it gives the one that is in force. */
typedef void certificate_function(void);
certificate_function *certificate_retriever(void);

#endif
