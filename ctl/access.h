/* Who may use the broker: the folder that `headcount broker-setup` makes ([broker] access_dir). */
#ifndef HEADCOUNT_ACCESS_H
#define HEADCOUNT_ACCESS_H

#include "command.h"
#include "passwords.h"
#include "rights.h"

#define ACCESS_PASSWORDS "passwords" /* of all */
#define ACCESS_PROGRAMS                                                                            \
	"programs" /* those of headcount's programs once more, for the listener without TLS */
#define ACCESS_RIGHTS "acl"

struct access {
	struct passwords *passwords;
	struct rights *rights;
	const char *client_id; /* of the gateway; the session's */
};

/* Has it been made? Without it, passwords are somebody else's business. */
bool access_exists(const struct session *session);

/* Reads the files of the session's configuration; false if they can't be had, which is said then: EXIT_REFUSED. */
bool access_open(const struct session *session, struct access *ret_access);
void access_close(struct access *access);

/* Would a user of this name take the gateway's session over? Its client id will be its name. */
bool access_is_gateway(const struct access *access, const char *name);
#define ACCESS_GATEWAY                                                                             \
	"the gateway has a session of that name with the broker: a user needs another name"

/* Why a DPU of this name can't have a password; NULL: it can. */
const char *access_refusal(const struct access *access, const char *id);

#define ACCESS_NO_COLON                                                                            \
	"a name with a colon can't have a password, but a certificate: " PROGRAM                   \
	" broker-certificate"

/* Makes a password for a name, saves it and shows it. */
enum exit_code access_give_password(const struct session *session, const struct access *access,
				    const char *name);

/* Takes a name's password away, if it has one. */
enum exit_code access_take_password(const struct session *session, const struct access *access,
				    const char *name);

/* What is left to do after a change, on standard error. */
void access_say_reload(void);

#endif
