/* A password file of mosquitto's: who may log in to the broker. A line is NAME:$7$ITERATIONS$SALT$KEY, where KEY is PBKDF2
 * (RFC 8018) of the password with HMAC-SHA-512, 64 bytes, and SALT 12 bytes, both in base64. */
#ifndef HEADCOUNT_PASSWORDS_H
#define HEADCOUNT_PASSWORDS_H

#include <stdbool.h>

#include "private_file.h"
#include "result.h"

#define PASSWORD_SIZE 33 /* 192 bits in base64url, and a NUL */

struct passwords;

/* Reads the file and locks its folder until passwords_close, so that what two write at a time is not lost.
 * RESULT_NOT_FOUND, RESULT_FAILED or RESULT_BUSY (somebody else has it) with a problem. */
MUST_USE enum result passwords_open(const char *path, struct passwords **ret_passwords,
				    struct problem *reterr_problem);
void passwords_close(struct passwords *passwords);

bool passwords_has(const struct passwords *passwords, const char *name);

/* Can the name stand in such a file? It ends at the first colon there, so that the line of a:b would be one of a. */
bool passwords_fits(const char *name);

/* A password that nobody guesses; false: the system has no random numbers. */
MUST_USE bool password_make(char ret_password[PASSWORD_SIZE]);

/* Gives the name that password instead of any before; it holds once saved. Such passwords only: what people choose is not
 * safe with it. False: the system has no random numbers. */
MUST_USE bool passwords_set(struct passwords *passwords, const char *name, const char *password);
bool passwords_remove(struct passwords *passwords, const char *name); /* false: it has none */

/* Replaces the file; who reads it stays. */
MUST_USE enum result passwords_save(const struct passwords *passwords,
				    struct problem *reterr_problem);

#endif
