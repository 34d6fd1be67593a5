/* The file of tokens: what is written is read again, what is wrong is refused, and no token stands in it. */
#include "token.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static char *folder;

static char *path_of(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static struct token *make(const char *name, unsigned scopes, char ret_text[TOKEN_TEXT_SIZE])
{
	struct token *token = g_new0(struct token, 1);

	g_strlcpy(token->name, name, sizeof token->name);
	token->scopes = scopes;
	token->created = INT64_C(1592943682005);
	token->expires = INSTANT_NONE;
	g_assert_true(token_make(ret_text, token->digest));
	return token;
}

static GPtrArray *read_back(const char *path)
{
	GPtrArray *tokens;
	struct problem problem;

	g_assert_cmpint(token_read_file(path, &tokens, &problem), ==, RESULT_OK);
	return tokens;
}

static void what_is_written_is_read_again(void)
{
	static const char *const spaces[] = {"A", "floor:1.2", NULL};
	g_autofree char *path = path_of("tokens");
	g_autoptr(GPtrArray) tokens = g_ptr_array_new_with_free_func((GDestroyNotify)token_free);
	g_autoptr(GPtrArray) again = NULL;
	char texts[2][TOKEN_TEXT_SIZE];
	uint8_t digest[TOKEN_DIGEST_BYTES];
	const struct token *found;
	struct problem problem;

	g_ptr_array_add(tokens, make("first", TOKEN_READ | TOKEN_INGEST, texts[0]));
	g_ptr_array_add(tokens, make("second", TOKEN_ADMIN, texts[1]));
	((struct token *)tokens->pdata[1])->spaces = g_strdupv((char **)(uintptr_t)spaces);
	((struct token *)tokens->pdata[1])->expires = INT64_C(1893456000000);
	g_assert_cmpint(token_write_file(path, tokens, &problem), ==, RESULT_OK);
	again = read_back(path);
	g_assert_cmpuint(again->len, ==, 2);

	token_digest(texts[0], digest);
	found = token_find(again, digest);
	g_assert_cmpstr(found->name, ==, "first");
	g_assert_cmpuint(found->scopes, ==, TOKEN_READ | TOKEN_INGEST);
	g_assert_null(found->spaces);
	g_assert_cmpint(found->created, ==, INT64_C(1592943682005));
	g_assert_cmpint(found->expires, ==, INSTANT_NONE);

	token_digest(texts[1], digest);
	found = token_find(again, digest);
	g_assert_cmpstr(found->name, ==, "second");
	g_assert_true(g_strv_equal((const char *const *)found->spaces, spaces));
	g_assert_cmpint(found->expires, ==, INT64_C(1893456000000));
}

static void no_token_stands_in_the_file(void)
{
	g_autofree char *path = path_of("tokens"), *text = NULL;
	g_autoptr(GPtrArray) tokens = g_ptr_array_new_with_free_func((GDestroyNotify)token_free);
	char token[TOKEN_TEXT_SIZE];
	struct problem problem;
	struct stat status;

	g_ptr_array_add(tokens, make("one", TOKEN_READ, token));
	g_assert_cmpint(token_write_file(path, tokens, &problem), ==, RESULT_OK);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_null(strstr(text, token));
	g_assert_null(strstr(text, token + strlen("hc_")));
	g_assert_cmpint(stat(path, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 0777, ==, 0640);
}

static void tokens_differ_and_are_found_by_their_own_text_alone(void)
{
	g_autoptr(GPtrArray) tokens = g_ptr_array_new_with_free_func((GDestroyNotify)token_free);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	uint8_t digest[TOKEN_DIGEST_BYTES];
	char text[TOKEN_TEXT_SIZE];

	for (int i = 0; i < 1000; i++) {
		g_ptr_array_add(tokens, make("some", TOKEN_READ, text));
		g_assert_cmpuint(strlen(text), ==, TOKEN_TEXT_SIZE - 1);
		g_assert_true(g_hash_table_add(seen, g_strdup(text)));
	}
	token_digest(text, digest);
	g_assert_true(token_find(tokens, digest) == tokens->pdata[999]);
	text[TOKEN_TEXT_SIZE - 2] = '\0';
	token_digest(text, digest);
	g_assert_null(token_find(tokens, digest));
}

static void a_file_that_is_not_there_holds_none(void)
{
	g_autofree char *path = path_of("nowhere");
	g_autoptr(GPtrArray) tokens = read_back(path);

	g_assert_cmpuint(tokens->len, ==, 0);
}

static void a_file_that_is_wrong_is_refused(void)
{
#define DIGEST "sha256=5679d9ee1a8832c19d709a07d1fba2ff359e0e6e5914d1dea243f4de5adc2334\n"
	static const char *const texts[] = {
		"no group",
		"[a]\n",
		"[a]\nscopes=read\n",
		"[a]\n" DIGEST,
		"[a]\nscopes=\n" DIGEST,
		"[a]\nscopes=read;write\n" DIGEST,
		"[a b]\nscopes=read\n" DIGEST,
		"[a]\nscopes=read\nexpires=never\n" DIGEST,
		"[a]\nscopes=read\nexpires=2020-01-01T00:00:00\\q\n" DIGEST, /* no such escape */
		"[a]\nscopes=read\nexpires=2020-01-01\xff\n" DIGEST,
		"[a]\nscopes=read\ncreated=\xff\n" DIGEST,
		"[a]\nscopes=read\nsha256=5679d9ee\n",
		"[a]\nscopes=read\nsha256="
		"x679d9ee1a8832c19d709a07d1fba2ff359e0e6e5914d1dea243f4de5adc2334\n",
	};
	g_autofree char *path = path_of("wrong");

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		GPtrArray *tokens = NULL;
		struct problem problem;

		g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
		g_assert_cmpint(token_read_file(path, &tokens, &problem), ==, RESULT_INVALID);
		g_assert_nonnull(strstr(problem.detail, path));
	}
}

static void a_limit_to_no_space_at_all_is_a_limit(void)
{
	g_autofree char *path = path_of("limited");
	g_autoptr(GPtrArray) tokens = NULL;

	g_assert_true(g_file_set_contents(path, "[a]\nscopes=read\nspaces=\n" DIGEST, -1, NULL));
	tokens = read_back(path);
	g_assert_nonnull(((struct token *)tokens->pdata[0])->spaces);
	g_assert_cmpuint(g_strv_length(((struct token *)tokens->pdata[0])->spaces), ==, 0);
}

#define TEST(name) g_test_add_func("/token/" #name, name)

int main(int argc, char **argv)
{
	int code;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("token_test_XXXXXX", NULL);
	TEST(what_is_written_is_read_again);
	TEST(no_token_stands_in_the_file);
	TEST(tokens_differ_and_are_found_by_their_own_text_alone);
	TEST(a_file_that_is_not_there_holds_none);
	TEST(a_file_that_is_wrong_is_refused);
	TEST(a_limit_to_no_space_at_all_is_a_limit);
	code = g_test_run();
	for (const char *const *name = (const char *const[]){"tokens", "wrong", "limited", NULL};
	     *name != NULL; name++) {
		g_autofree char *path = path_of(*name);
		g_remove(path);
	}
	g_rmdir(folder);
	g_free(folder);
	return code;
}
