/* Who may do what: bearer tokens (RFC 6750) from the file that `headcount token` makes, which is read again when it has
 * changed. May be called from any thread. Tokens are never logged. */
#ifndef HEADCOUNT_AUTH_H
#define HEADCOUNT_AUTH_H

#include <stdbool.h>

#include "http.h"
#include "instant.h"

struct auth;

enum auth_verdict {
	AUTH_GRANTED,
	AUTH_MISSING, /* there is no token */
	AUTH_UNKNOWN, /* there is one, but it is not ours, or no longer */
	AUTH_LACKING, /* it has not the scope */
};

/* What a granted request may do. Ended by auth_release. */
struct auth_rights {
	bool anonymous;
	const char *const *spaces; /* the ids it is limited to, the last one NULL; NULL: no limit */
	struct auth_tokens *tokens;
};

/* Borrows the path. */
struct auth *auth_new(const char *token_file, bool anonymous_read);
void auth_free(struct auth *auth);

/* Judges a header Authorization (NULL: absent). */
enum auth_verdict auth_check(struct auth *auth, const char *authorization, enum scope scope,
			     instant now, struct auth_rights *ret_rights);
void auth_release(struct auth_rights *rights);

#endif
