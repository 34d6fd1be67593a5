#include "passwords.h"

#include <glib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PASSWORD_BYTES 24
#define SALT_BYTES 12
#define KEY_BYTES 64

/* Iterations slow down who guesses passwords that people chose. Nobody guesses 192 random bits, but mosquitto derives the
 * keys of all who are connected anew at each reload, and serves nobody meanwhile. */
#define FORMAT "$7$1$"

struct passwords {
	char *path;
	int lock;
	struct readers readers;
	GPtrArray *names;    /* in the order of the file, with those that were removed */
	GHashTable *by_name; /* what stands behind the colon; owns the names, too */
};

/* Reading */

static void put(struct passwords *passwords, const char *name, char *rest)
{
	char *own = g_strdup(name);

	if (!g_hash_table_contains(passwords->by_name, name))
		g_ptr_array_add(passwords->names, g_strdup(name));
	g_hash_table_replace(passwords->by_name, own, rest);
}

static void read_lines(struct passwords *passwords, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		char *colon = strchr(line, ':');

		if (*line == '#' || colon == NULL)
			continue;
		*colon = '\0';
		put(passwords, line, g_strdup(colon + 1));
	}
}

static enum result read_file(struct passwords *passwords, struct problem *reterr_problem)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	enum result result =
		private_file_readers(passwords->path, &passwords->readers, reterr_problem);

	if (result != RESULT_OK)
		return result;
	if (!g_file_get_contents(passwords->path, &text, NULL, &error))
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	read_lines(passwords, text);
	return RESULT_OK;
}

enum result passwords_open(const char *path, struct passwords **ret_passwords,
			   struct problem *reterr_problem)
{
	struct passwords *passwords = g_new0(struct passwords, 1);
	enum result result;

	passwords->path = g_strdup(path);
	passwords->lock = -1;
	passwords->names = g_ptr_array_new_with_free_func(g_free);
	passwords->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	result = private_file_lock(path, &passwords->lock, reterr_problem);
	if (result == RESULT_OK)
		result = read_file(passwords, reterr_problem);
	if (result == RESULT_OK)
		*ret_passwords = passwords;
	else
		passwords_close(passwords);
	return result;
}

void passwords_close(struct passwords *passwords)
{
	if (passwords == NULL)
		return;
	if (passwords->lock >= 0)
		close(passwords->lock);
	g_hash_table_unref(passwords->by_name);
	g_ptr_array_unref(passwords->names);
	g_free(passwords->path);
	g_free(passwords);
}

bool passwords_has(const struct passwords *passwords, const char *name)
{
	return g_hash_table_contains(passwords->by_name, name);
}

bool passwords_fits(const char *name)
{
	return strchr(name, ':') == NULL;
}

/* Changing */

/* PBKDF2 (RFC 8018, 5.2) with one iteration, for a key of one block: HMAC(password, salt || 00000001). */
static void derive(const char *password, const guint8 salt[SALT_BYTES], guint8 ret_key[KEY_BYTES])
{
	static const guint8 first_block[] = {0, 0, 0, 1};
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA512, (const guchar *)password, strlen(password));
	gsize size = KEY_BYTES;

	g_hmac_update(hmac, salt, SALT_BYTES);
	g_hmac_update(hmac, first_block, sizeof first_block);
	g_hmac_get_digest(hmac, ret_key, &size);
	g_hmac_unref(hmac);
}

/* base64url: passwords go through shells and configuration files. */
bool password_make(char ret_password[PASSWORD_SIZE])
{
	guint8 bytes[PASSWORD_BYTES];
	char *text;

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return false;
	text = g_base64_encode(bytes, sizeof bytes);
	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	g_strlcpy(ret_password, text, PASSWORD_SIZE);
	explicit_bzero(text, strlen(text));
	explicit_bzero(bytes, sizeof bytes);
	g_free(text);
	return true;
}

bool passwords_set(struct passwords *passwords, const char *name, const char *password)
{
	guint8 salt[SALT_BYTES], key[KEY_BYTES];
	g_autofree char *salt_text = NULL, *key_text = NULL;

	if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		return false;
	derive(password, salt, key);
	salt_text = g_base64_encode(salt, sizeof salt);
	key_text = g_base64_encode(key, sizeof key);
	put(passwords, name, g_strconcat(FORMAT, salt_text, "$", key_text, NULL));
	return true;
}

bool passwords_remove(struct passwords *passwords, const char *name)
{
	return g_hash_table_remove(passwords->by_name, name);
}

/* A name that was removed and came back stands in the order twice: it is written once. */
enum result passwords_save(const struct passwords *passwords, struct problem *reterr_problem)
{
	g_autoptr(GHashTable) written = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < passwords->names->len; i++) {
		char *name = g_ptr_array_index(passwords->names, i);
		const char *rest = g_hash_table_lookup(passwords->by_name, name);

		if (rest != NULL && g_hash_table_add(written, name))
			g_string_append_printf(text, "%s:%s\n", name, rest);
	}
	return private_file_write(passwords->path, text->str, text->len, &passwords->readers,
				  reterr_problem);
}
