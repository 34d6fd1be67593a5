/* A secret in a file of its own: no configuration and no command line holds one. */
#ifndef HEADCOUNT_SECRET_H
#define HEADCOUNT_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "result.h"

/* May everybody do something with a file of that mode? Who owns it doesn't matter, so that systemd's LoadCredential=
 * serves. */
bool secret_is_open(mode_t mode);

/* The whole file, up to 64 KiB, and a NUL (caller frees with g_free). A file that is open is refused. RESULT_NOT_FOUND or
 * RESULT_INVALID with a problem of `member`, the key that names the file. */
MUST_USE enum result secret_load(const char *path, const char *member, char **ret_text,
				 size_t *ret_size, struct problem *reterr_problem);

/* The same for the file's first line, which must hold something. */
MUST_USE enum result secret_read(const char *path, const char *member, char **ret_secret,
				 struct problem *reterr_problem);

#endif
