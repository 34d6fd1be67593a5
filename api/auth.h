/* Who may do what: tokens from the file that `headcount token` makes, which is read again when it has changed. A program
 * sends its token as bearer (RFC 6750), a browser as cookie. The cookie is the token itself, so nothing is kept here
 * of who has logged in, and whose token is removed is out at once. May be called from any thread. Tokens are never
 * logged. */
#ifndef HEADCOUNT_AUTH_H
#define HEADCOUNT_AUTH_H

#include <stdbool.h>

#include "http.h"
#include "instant.h"

#define AUTH_COOKIE "headcount_token"

struct auth;
struct token;

enum auth_verdict {
	AUTH_GRANTED,
	AUTH_MISSING, /* there is no token */
	AUTH_UNKNOWN, /* there is one, but it is not ours, or no longer */
	AUTH_LACKING, /* it has not the scope */
};

/* What a granted request may do. Ended by auth_release. */
struct auth_rights {
	bool anonymous;
	bool by_cookie;            /* the cookie was looked at */
	const struct token *token; /* NULL: anonymous, or one that is not known */
	const char *const *spaces; /* the ids it is limited to, the last one NULL; NULL: no limit */
	struct auth_tokens *tokens;
};

/* Borrows the path. */
struct auth *auth_new(const char *token_file, bool anonymous_read);
void auth_free(struct auth *auth);

/* Judges the header Authorization of a request or, if that has no bearer token, its cookie (NULL: absent). */
enum auth_verdict auth_check(struct auth *auth, const char *authorization, const char *cookie,
			     enum scope scope, instant now, struct auth_rights *ret_rights);
/* The same of the text of a token, whatever its scope. */
enum auth_verdict auth_find(struct auth *auth, const char *text, instant now,
			    struct auth_rights *ret_rights);
void auth_release(struct auth_rights *rights);

#endif
