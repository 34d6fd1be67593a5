/* The file of tokens. What is accepted says what the file says: each group is a token with the digest, the scopes and the
 * end that stand there, nothing of it is left out, and written again it is the same. */
#include "token.h"

#include <string.h>

#include "fuzz.h"

static void check_digest(GKeyFile *file, const struct token *token)
{
	g_autofree char *text = g_key_file_get_string(file, token->name, "sha256", NULL);
	g_autoptr(GString) hex = g_string_new(NULL);

	for (size_t i = 0; i < TOKEN_DIGEST_BYTES; i++)
		g_string_append_printf(hex, "%02x", token->digest[i]);
	g_assert(g_ascii_strcasecmp(text, hex->str) == 0);
}

/* Who is limited, or ends, does not lose that by a slip in the file. */
static void check_limits(GKeyFile *file, const struct token *token)
{
	bool ends = g_key_file_has_key(file, token->name, "expires", NULL);
	bool limited = g_key_file_has_key(file, token->name, "spaces", NULL);

	g_assert(ends == (token->expires != INSTANT_NONE));
	g_assert(limited == (token->spaces != NULL));
}

static void check_tokens(const char *path, const GPtrArray *tokens)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_auto(GStrv) groups = NULL;

	g_assert(g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL));
	groups = g_key_file_get_groups(file, NULL);
	g_assert(g_strv_length(groups) == tokens->len);
	for (guint i = 0; i < tokens->len; i++) {
		const struct token *token = g_ptr_array_index(tokens, i);

		g_assert(strcmp(token->name, groups[i]) == 0);
		g_assert(json_is_id(token->name, strlen(token->name)));
		g_assert(token->scopes != 0 && token->scopes < 2 * TOKEN_ADMIN);
		check_digest(file, token);
		check_limits(file, token);
		g_assert(token_find(tokens, token->digest) != NULL);
	}
}

static bool is_same(const struct token *a, const struct token *b)
{
	bool spaces = (a->spaces == NULL) == (b->spaces == NULL);

	if (spaces && a->spaces != NULL)
		spaces = g_strv_equal((const char *const *)a->spaces,
				      (const char *const *)b->spaces);
	return spaces && strcmp(a->name, b->name) == 0 && a->scopes == b->scopes &&
	       a->created == b->created && a->expires == b->expires &&
	       memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void check_again(const GPtrArray *tokens)
{
	const char *path = fuzz_path("again");
	g_autoptr(GPtrArray) again = NULL;
	struct problem problem;

	g_assert(token_write_file(path, tokens, &problem) == RESULT_OK);
	g_assert(token_read_file(path, &again, &problem) == RESULT_OK);
	g_assert(again->len == tokens->len);
	for (guint i = 0; i < again->len; i++)
		g_assert(is_same(g_ptr_array_index(again, i), g_ptr_array_index(tokens, i)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("tokens", data, size);
	g_autoptr(GPtrArray) tokens = NULL;
	struct problem problem = {.detail = ""};
	enum result result = token_read_file(path, &tokens, &problem);

	if (result == RESULT_OK) {
		check_tokens(path, tokens);
		check_again(tokens);
	} else {
		g_assert(result == RESULT_INVALID && *problem.detail != '\0');
	}
	return 0;
}
