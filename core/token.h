/* Tokens that let a program use the HTTP side: a file that keeps who has one, and of the token itself only its SHA-256.
 *
 * The file is a GKeyFile with a group for each name: sha256 (hexadecimal), scopes and spaces (lists with ';'), created and
 * expires (RFC 3339). */
#ifndef HEADCOUNT_TOKEN_H
#define HEADCOUNT_TOKEN_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "instant.h"
#include "json.h"
#include "result.h"

#define TOKEN_TEXT_SIZE 47    /* "hc_", 256 bits in base64url, and a NUL */
#define TOKEN_DIGEST_BYTES 32 /* SHA-256 */

enum token_scope {
	TOKEN_READ = 1,
	TOKEN_INGEST = 2, /* events of DPUs */
	TOKEN_ADMIN = 4,  /* everything */
};

struct token {
	char name[JSON_ID_SIZE];
	unsigned scopes; /* of enum token_scope */
	char **spaces;   /* ids that it is limited to, the last one NULL; NULL: no limit */
	instant created;
	instant expires; /* INSTANT_NONE: never */
	uint8_t digest[TOKEN_DIGEST_BYTES];
};

void token_free(struct token *token);

/* Reads the file into an array of struct token *, which frees them. A file that does not exist holds none; one that
 * can't be understood is a RESULT_INVALID that says where. */
MUST_USE enum result token_read_file(const char *path, GPtrArray **ret_tokens,
				     struct problem *reterr_problem);
/* Replaces the file at once, or not at all. Its owner and group stay; a new one has the group of its folder. */
MUST_USE enum result token_write_file(const char *path, const GPtrArray *tokens,
				      struct problem *reterr_problem);

/* A new token's text, out of the system's random numbers, and its digest; false if there are none to be had. */
bool token_make(char ret_text[TOKEN_TEXT_SIZE], uint8_t ret_digest[TOKEN_DIGEST_BYTES]);

void token_digest(const char *text, uint8_t ret_digest[TOKEN_DIGEST_BYTES]);

/* The token of a digest; NULL if there is none. Takes the same time whichever it is, and if it is none. */
const struct token *token_find(const GPtrArray *tokens, const uint8_t digest[TOKEN_DIGEST_BYTES]);

/* "read", "ingest", "admin"; and back. */
bool token_scope_find(const char *name, enum token_scope *ret_scope);
/* The names of a set of scopes, the last one NULL; free with g_free. */
const char **token_scope_names(unsigned set);

#endif
