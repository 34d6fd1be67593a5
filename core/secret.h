/* A secret in a file of its own: no configuration and no command line holds one. */
#ifndef HEADCOUNT_SECRET_H
#define HEADCOUNT_SECRET_H

#include "result.h"

/* The file's first line (caller frees with g_free). A file that everybody may read or write is refused; who owns it doesn't
 * matter, so that systemd's LoadCredential= serves. RESULT_NOT_FOUND or RESULT_INVALID with a problem of `member`, the
 * key that names the file. */
MUST_USE enum result secret_read(const char *path, const char *member, char **ret_secret,
				 struct problem *reterr_problem);

#endif
