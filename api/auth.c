#include "auth.h"

#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "token.h"

#define SCHEME "Bearer "

/* What the file held at a time: a request that has been granted something keeps it. */
struct auth_tokens {
	GPtrArray *tokens;
};

struct auth {
	const char *path;
	bool anonymous_read;

	GMutex mutex;
	struct stat seen; /* the file that `tokens` was read from, all zero if there was none */
	struct auth_tokens *tokens;
};

static void clear_tokens(void *data)
{
	struct auth_tokens *tokens = data;

	g_ptr_array_unref(tokens->tokens);
}

static void release_tokens(struct auth_tokens *tokens)
{
	if (tokens != NULL)
		g_atomic_rc_box_release_full(tokens, clear_tokens);
}

static bool has_changed(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
	       a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* A file that can't be read or understood leaves the tokens as they were; one that is gone takes them away. */
static void read_again(struct auth *auth, const struct stat *now)
{
	struct problem problem;
	GPtrArray *tokens;

	auth->seen = *now;
	if (token_read_file(auth->path, &tokens, &problem) != RESULT_OK) {
		log_error("tokens: %s", problem.detail);
		return;
	}
	release_tokens(auth->tokens);
	auth->tokens = g_atomic_rc_box_new0(struct auth_tokens);
	auth->tokens->tokens = tokens;
	log_info("tokens: there are %u", tokens->len);
}

static struct auth_tokens *acquire_tokens(struct auth *auth)
{
	struct auth_tokens *tokens;
	struct stat now = {0};

	if (stat(auth->path, &now) < 0)
		now = (struct stat){0};
	g_mutex_lock(&auth->mutex);
	if (auth->tokens == NULL || has_changed(&now, &auth->seen))
		read_again(auth, &now);
	tokens = auth->tokens != NULL ? g_atomic_rc_box_acquire(auth->tokens) : NULL;
	g_mutex_unlock(&auth->mutex);
	return tokens;
}

struct auth *auth_new(const char *token_file, bool anonymous_read)
{
	struct auth *auth = g_new0(struct auth, 1);

	auth->path = token_file;
	auth->anonymous_read = anonymous_read;
	g_mutex_init(&auth->mutex);
	return auth;
}

void auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	release_tokens(auth->tokens);
	g_mutex_clear(&auth->mutex);
	g_free(auth);
}

/* NULL if the scheme is another one, or the token is empty. */
static const char *token_of(const char *authorization)
{
	const char *text;

	if (authorization == NULL ||
	    g_ascii_strncasecmp(authorization, SCHEME, strlen(SCHEME)) != 0)
		return NULL;
	text = authorization + strlen(SCHEME);
	text += strspn(text, " ");
	return *text != '\0' ? text : NULL;
}

static enum auth_verdict judge(const struct token *token, enum scope scope, instant now)
{
	static const unsigned granting[] = {
		[SCOPE_NONE] = TOKEN_READ | TOKEN_INGEST | TOKEN_ADMIN,
		[SCOPE_READ] = TOKEN_READ | TOKEN_ADMIN,
		[SCOPE_INGEST] = TOKEN_INGEST | TOKEN_ADMIN,
		[SCOPE_ADMIN] = TOKEN_ADMIN,
		[SCOPE_SESSION] = TOKEN_READ | TOKEN_INGEST | TOKEN_ADMIN,
	};

	if (token == NULL || (token->expires != INSTANT_NONE && token->expires <= now))
		return AUTH_UNKNOWN;
	return token->scopes & granting[scope] ? AUTH_GRANTED : AUTH_LACKING;
}

static enum auth_verdict find(struct auth *auth, const char *text, enum scope scope, instant now,
			      struct auth_rights *ret_rights)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];
	const struct token *token = NULL;
	enum auth_verdict verdict;

	*ret_rights = (struct auth_rights){.tokens = acquire_tokens(auth)};
	token_digest(text, digest);
	if (ret_rights->tokens != NULL)
		token = token_find(ret_rights->tokens->tokens, digest);
	verdict = judge(token, scope, now);
	if (verdict != AUTH_GRANTED)
		return verdict;
	ret_rights->token = token;
	ret_rights->spaces = (const char *const *)token->spaces;
	return AUTH_GRANTED;
}

enum auth_verdict auth_find(struct auth *auth, const char *text, instant now,
			    struct auth_rights *ret_rights)
{
	return find(auth, text, SCOPE_SESSION, now, ret_rights);
}

enum auth_verdict auth_check(struct auth *auth, const char *authorization, const char *cookie,
			     enum scope scope, instant now, struct auth_rights *ret_rights)
{
	const char *bearer = token_of(authorization);
	const char *text = bearer != NULL ? bearer : cookie;
	bool open = scope == SCOPE_SESSION || (scope == SCOPE_READ && auth->anonymous_read);
	enum auth_verdict verdict;

	*ret_rights = (struct auth_rights){.anonymous = true};
	if (text != NULL && *text == '\0')
		text = NULL;
	if (scope == SCOPE_NONE || (text == NULL && open))
		return AUTH_GRANTED;
	if (text == NULL)
		return AUTH_MISSING;
	verdict = find(auth, text, scope, now, ret_rights);
	ret_rights->by_cookie = bearer == NULL;
	return scope == SCOPE_SESSION ? AUTH_GRANTED : verdict;
}

void auth_release(struct auth_rights *rights)
{
	release_tokens(rights->tokens);
	*rights = (struct auth_rights){0};
}
