/* Certificates (X.509) for the broker and its clients, signed by an authority of one's own: what a laboratory or a house needs. They
 * are made by openssl(1). A certificate NAME is two files in a folder, NAME.crt and NAME.key. */
#ifndef HEADCOUNT_CERTIFICATE_H
#define HEADCOUNT_CERTIFICATE_H

#include "private_file.h"
#include "result.h"

#define CERTIFICATE_AUTHORITY "ca"

enum certificate_use { CERTIFICATE_OF_AUTHORITY, CERTIFICATE_OF_SERVER, CERTIFICATE_OF_CLIENT };

struct certificate {
	enum certificate_use use;
	const char *authority_dir; /* where ca.crt and ca.key are */
	const char *dir, *name;    /* of the files to be made; they replace any before */
	const char *subject;       /* its common name: 1-64 letters, digits and . _ : - or spaces */
	const char *const *hosts;  /* of a server: names and addresses, the last one NULL */
	struct readers key_readers; /* of the key, mode 0600; everybody may read the certificate */
};

/* RESULT_FAILED and a problem, with openssl's own words, if it can't be made. */
MUST_USE enum result certificate_make(const struct certificate *certificate,
				      struct problem *reterr_problem);

#endif
