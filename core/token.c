#include "token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "hc_" /* so that scanners for leaked secrets know one */
#define FILE_MODE 0640

static const struct {
	const char *name;
	enum token_scope scope;
} scopes[] = {
	{"read", TOKEN_READ},
	{"ingest", TOKEN_INGEST},
	{"admin", TOKEN_ADMIN},
};

bool token_scope_find(const char *name, enum token_scope *ret_scope)
{
	for (size_t i = 0; i < G_N_ELEMENTS(scopes); i++) {
		if (strcmp(scopes[i].name, name) == 0) {
			*ret_scope = scopes[i].scope;
			return true;
		}
	}
	return false;
}

const char **token_scope_names(unsigned set)
{
	const char **names = g_new0(const char *, G_N_ELEMENTS(scopes) + 1);
	size_t count = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(scopes); i++) {
		if (set & scopes[i].scope)
			names[count++] = scopes[i].name;
	}
	return names;
}

void token_free(struct token *token)
{
	if (token == NULL)
		return;
	g_strfreev(token->spaces);
	g_free(token);
}

/* Making and finding */

void token_digest(const char *text, uint8_t ret_digest[TOKEN_DIGEST_BYTES])
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize size = TOKEN_DIGEST_BYTES;

	g_checksum_update(checksum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(checksum, ret_digest, &size);
}

bool token_make(char ret_text[TOKEN_TEXT_SIZE], uint8_t ret_digest[TOKEN_DIGEST_BYTES])
{
	uint8_t random[TOKEN_DIGEST_BYTES];
	g_autofree char *text = NULL;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return false;
	text = g_base64_encode(random, sizeof random);
	text[strcspn(text, "=")] = '\0';
	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	g_snprintf(ret_text, TOKEN_TEXT_SIZE, PREFIX "%s", text);
	token_digest(ret_text, ret_digest);
	explicit_bzero(random, sizeof random);
	explicit_bzero(text, strlen(text));
	return true;
}

static bool is_same(const uint8_t *a, const uint8_t *b)
{
	uint8_t differences = 0;

	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++)
		differences |= a[i] ^ b[i];
	return differences == 0;
}

const struct token *token_find(const GPtrArray *tokens, const uint8_t digest[TOKEN_DIGEST_BYTES])
{
	const struct token *found = NULL;

	for (guint i = 0; i < tokens->len; i++) {
		const struct token *token = g_ptr_array_index(tokens, i);

		if (is_same(token->digest, digest))
			found = token;
	}
	return found;
}

/* Reading */

static bool read_digest(GKeyFile *file, const char *name, uint8_t *ret_digest)
{
	g_autofree char *text = g_key_file_get_string(file, name, "sha256", NULL);

	if (text == NULL || strlen(text) != 2 * TOKEN_DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++) {
		int high = g_ascii_xdigit_value(text[2 * i]);
		int low = g_ascii_xdigit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_digest[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_scopes(GKeyFile *file, const char *name, unsigned *ret_scopes)
{
	g_auto(GStrv) names = g_key_file_get_string_list(file, name, "scopes", NULL, NULL);

	*ret_scopes = 0;
	for (char **one = names; one != NULL && *one != NULL; one++) {
		enum token_scope scope;

		if (!token_scope_find(*one, &scope))
			return false;
		*ret_scopes |= scope;
	}
	return *ret_scopes != 0;
}

/* A list that is there but empty is no "no limit". */
static bool read_spaces(GKeyFile *file, const char *name, char ***ret_spaces)
{
	*ret_spaces = NULL;
	if (!g_key_file_has_key(file, name, "spaces", NULL))
		return true;
	*ret_spaces = g_key_file_get_string_list(file, name, "spaces", NULL, NULL);
	return *ret_spaces != NULL;
}

/* A value that is there but can't be read, because of its bytes or escapes, is no "never". */
static bool read_instant(GKeyFile *file, const char *name, const char *key, instant *ret_instant)
{
	g_autofree char *text = g_key_file_get_string(file, name, key, NULL);

	*ret_instant = INSTANT_NONE;
	if (!g_key_file_has_key(file, name, key, NULL))
		return true;
	return text != NULL && instant_parse(text, strlen(text), ret_instant);
}

static struct token *read_token(GKeyFile *file, const char *name)
{
	struct token *token = g_new0(struct token, 1);

	g_strlcpy(token->name, name, sizeof token->name);
	if (json_is_id(name, strlen(name)) && read_digest(file, name, token->digest) &&
	    read_scopes(file, name, &token->scopes) && read_spaces(file, name, &token->spaces) &&
	    read_instant(file, name, "created", &token->created) &&
	    read_instant(file, name, "expires", &token->expires))
		return token;
	token_free(token);
	return NULL;
}

static void free_token(void *token)
{
	token_free(token);
}

enum result token_read_file(const char *path, GPtrArray **ret_tokens,
			    struct problem *reterr_problem)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) names = NULL;
	GPtrArray *tokens;

	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error) &&
	    !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return problem_set(reterr_problem, RESULT_INVALID, "", "%s: %s", path,
				   error->message);
	tokens = g_ptr_array_new_with_free_func(free_token);
	names = g_key_file_get_groups(file, NULL);
	for (char **name = names; *name != NULL; name++) {
		struct token *token = read_token(file, *name);

		if (token == NULL) {
			g_ptr_array_unref(tokens);
			return problem_set(reterr_problem, RESULT_INVALID, "",
					   "%s: [%s] is no token", path, *name);
		}
		g_ptr_array_add(tokens, token);
	}
	*ret_tokens = tokens;
	return RESULT_OK;
}

/* Writing */

static void add_instant(GKeyFile *file, const char *name, const char *key, instant when)
{
	char text[INSTANT_TEXT_SIZE];

	if (when == INSTANT_NONE)
		return;
	instant_format(when, text);
	g_key_file_set_string(file, name, key, text);
}

static void add_token(GKeyFile *file, const struct token *token)
{
	char digest[2 * TOKEN_DIGEST_BYTES + 1];
	g_autofree const char **names = token_scope_names(token->scopes);

	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++)
		g_snprintf(digest + 2 * i, 3, "%02x", token->digest[i]);
	g_key_file_set_string(file, token->name, "sha256", digest);
	g_key_file_set_string_list(file, token->name, "scopes", names,
				   g_strv_length((char **)names));
	if (token->spaces != NULL)
		g_key_file_set_string_list(file, token->name, "spaces",
					   (const char *const *)token->spaces,
					   g_strv_length(token->spaces));
	add_instant(file, token->name, "created", token->created);
	add_instant(file, token->name, "expires", token->expires);
}

/* The daemon that reads it is often another user than who writes it: what it may read by its group stays so. */
static void keep_owner(const char *path, const struct stat *before)
{
	g_autofree char *folder = g_path_get_dirname(path);
	struct stat of_folder;

	if (before->st_nlink > 0 && chown(path, before->st_uid, before->st_gid) == 0)
		return;
	if (stat(folder, &of_folder) == 0 && chown(path, (uid_t)-1, of_folder.st_gid) < 0)
		errno = 0; /* not ours to give: then who reads it has to be the same user */
}

enum result token_write_file(const char *path, const GPtrArray *tokens,
			     struct problem *reterr_problem)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	struct stat before = {0};
	gsize size;

	for (guint i = 0; i < tokens->len; i++)
		add_token(file, g_ptr_array_index(tokens, i));
	text = g_key_file_to_data(file, &size, NULL);
	if (stat(path, &before) < 0)
		before.st_nlink = 0;
	if (!g_file_set_contents_full(path, text, (gssize)size,
				      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
				      FILE_MODE, &error))
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	keep_owner(path, &before);
	return RESULT_OK;
}
