#include "token.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "commands.h"
#include "person.h"
#include "private_file.h"
#include "table.h"

/* clang-format off */
static const struct column columns[] = {
	{"name", "TOKEN"}, {"scopes", "SCOPES"}, {"spaces", "SPACES"}, {"created", "CREATED"},
	{"expires", "EXPIRES"},
};
/* clang-format on */

static bool read_file(const struct session *session, GPtrArray **ret_tokens)
{
	struct problem problem;

	if (token_read_file(session->config.token_file, ret_tokens, &problem) == RESULT_OK)
		return true;
	session_complain(session, "%s", problem.detail);
	return false;
}

/* Locks it first, so that what two change at a time is not lost; the caller closes the lock. */
static bool read_file_to_change(const struct session *session, int *ret_lock,
				GPtrArray **ret_tokens)
{
	struct problem problem;

	*ret_lock = -1;
	if (private_file_lock(session->config.token_file, ret_lock, &problem) == RESULT_OK)
		return read_file(session, ret_tokens);
	session_complain(session, "%s", problem.detail);
	return false;
}

static void unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

static bool write_file(const struct session *session, const GPtrArray *tokens)
{
	struct problem problem;

	if (token_write_file(session->config.token_file, tokens, &problem) == RESULT_OK)
		return true;
	session_complain(session, "%s", problem.detail);
	return false;
}

/* Where the token of a name stands; tokens->len if there is none. */
static guint find(const GPtrArray *tokens, const char *name)
{
	guint i = 0;

	while (i < tokens->len &&
	       strcmp(((const struct token *)g_ptr_array_index(tokens, i))->name, name) != 0)
		i++;
	return i;
}

/* A list, for people as one text. */
static void add_list(GString *out, const char *name, const char *const *texts, bool for_people)
{
	g_autofree char *joined = g_strjoinv(", ", (char **)(uintptr_t)texts);

	if (for_people) {
		json_add_text(out, name, joined);
		return;
	}
	json_begin_array(out, name);
	for (; *texts != NULL; texts++)
		json_add_text(out, NULL, *texts);
	json_end_array(out);
}

/* Leaves the object open. */
static void write_token(GString *out, const struct token *token, bool for_people)
{
	g_autofree const char **scopes = token_scope_names(token->scopes);

	json_begin_object(out, NULL);
	json_add_text(out, "name", token->name);
	add_list(out, "scopes", scopes, for_people);
	if (token->spaces == NULL)
		json_add_null(out, "spaces");
	else
		add_list(out, "spaces", (const char *const *)token->spaces, for_people);
	json_add_instant(out, "created", token->created);
	json_add_instant(out, "expires", token->expires);
}

/* The audit is the gateway's, and the gateway has nothing to do with tokens: the system's log has them. */
static void note(const char *name, const char *what)
{
	g_autofree char *person = person_name();

	syslog(LOG_AUTHPRIV | LOG_NOTICE, "token %s: %s by %s", name, what, person);
}

/* token add */

struct options {
	char **scopes, **spaces, *expires;
};

static bool read_scopes(const struct session *session, char **names, struct token *token)
{
	for (char **name = names; name != NULL && *name != NULL; name++) {
		enum token_scope scope;

		if (!token_scope_find(*name, &scope)) {
			session_complain(session,
					 "--scope: expected read, ingest or admin, not '%s'",
					 *name);
			return false;
		}
		token->scopes |= scope;
	}
	if (token->scopes == 0)
		session_complain(session, "--scope is needed: read, ingest or admin");
	return token->scopes != 0;
}

static bool read_spaces(const struct session *session, char **ids, struct token *token)
{
	for (char **id = ids; id != NULL && *id != NULL; id++) {
		if (!json_is_id(*id, strlen(*id))) {
			session_complain(session, "--space: '%s' can be no space's id", *id);
			return false;
		}
	}
	token->spaces = g_strdupv(ids);
	return true;
}

static bool read_expiry(const struct session *session, const char *text, struct token *token)
{
	token->expires = INSTANT_NONE;
	if (text == NULL)
		return true;
	if (!session_read_time(session, "--expires", text, &token->expires))
		return false;
	if (token->expires > token->created)
		return true;
	session_complain(session, "--expires: '%s' is over already", text);
	return false;
}

static struct token *read_token(const struct session *session, const struct options *options)
{
	struct token *token = g_new0(struct token, 1);
	const char *name = session->argv[0];

	token->created = instant_now();
	g_strlcpy(token->name, name, sizeof token->name);
	if (!json_is_id(name, strlen(name)))
		session_complain(session, "a name has 1-64 characters of A-Z a-z 0-9 . _ : -");
	else if (read_scopes(session, options->scopes, token) &&
		 read_spaces(session, options->spaces, token) &&
		 read_expiry(session, options->expires, token))
		return token;
	token_free(token);
	return NULL;
}

static void say_added(const struct session *session, const struct token *token, const char *text)
{
	g_autoptr(GString) json = g_string_new(NULL);

	write_token(json, token, false);
	json_add_text(json, "token", text);
	json_end_object(json);
	session_say(session, json->str, "%s", text);
	if (!session->json)
		fprintf(stderr,
			"It is shown this once. Requests carry it: Authorization: Bearer …\n");
}

/* Takes the token over. */
static enum exit_code add_to(const struct session *session, GPtrArray *tokens, struct token *token)
{
	char text[TOKEN_TEXT_SIZE];

	if (find(tokens, token->name) < tokens->len) {
		session_complain(session, "there is a token '%s' already", token->name);
		token_free(token);
		return EXIT_REFUSED;
	}
	g_ptr_array_add(tokens, token);
	if (!token_make(text, token->digest)) {
		session_complain(session, "the system has no random numbers");
		return EXIT_REFUSED;
	}
	if (!write_file(session, tokens))
		return EXIT_REFUSED;
	note(token->name, "added");
	say_added(session, token, text);
	explicit_bzero(text, sizeof text);
	return EXIT_DONE;
}

/* Takes the token over. */
static enum exit_code add(const struct session *session, struct token *token)
{
	g_autoptr(GPtrArray) tokens = NULL;
	enum exit_code code = EXIT_REFUSED;
	int lock;

	if (read_file_to_change(session, &lock, &tokens))
		code = add_to(session, tokens, token);
	else
		token_free(token);
	unlock(lock);
	return code;
}

enum exit_code token_add_run(struct session *session)
{
	g_auto(GStrv) scopes = NULL, spaces = NULL;
	g_autofree char *expires = NULL;
	const GOptionEntry entries[] = {
		{"scope", 0, 0, G_OPTION_ARG_STRING_ARRAY, &scopes,
		 "What it may do: read, ingest (events) or admin (everything); may be repeated",
		 "SCOPE"},
		{"space", 0, 0, G_OPTION_ARG_STRING_ARRAY, &spaces,
		 "Only this space, and what belongs to it; may be repeated", "SPACE"},
		{"expires", 0, 0, G_OPTION_ARG_STRING, &expires, "Until then (default: for ever)",
		 "TIME"},
		G_OPTION_ENTRY_NULL,
	};
	struct token *token;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	token = read_token(session, &(struct options){scopes, spaces, expires});
	return token != NULL ? add(session, token) : EXIT_USAGE;
}

/* token list */

static void print_table(const GString *rows)
{
	struct table *table = table_new(columns, G_N_ELEMENTS(columns));
	const char *why;
	g_autoptr(Json) json = json_read(rows->str, rows->len, &why);

	for (size_t i = 0; i < json_length(json); i++)
		table_add(table, json_item(json, i));
	table_print(table);
	table_free(table);
}

enum exit_code token_list_run(struct session *session)
{
	g_autoptr(GPtrArray) tokens = NULL;
	g_autoptr(GString) rows = NULL;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	if (!read_file(session, &tokens))
		return EXIT_REFUSED;
	rows = g_string_new(NULL);
	json_begin_array(rows, NULL);
	for (guint i = 0; i < tokens->len; i++) {
		write_token(rows, g_ptr_array_index(tokens, i), !session->json);
		json_end_object(rows);
	}
	json_end_array(rows);
	if (session->json)
		puts(rows->str);
	else
		print_table(rows);
	return EXIT_DONE;
}

/* token remove */

static enum exit_code remove_from(const struct session *session, GPtrArray *tokens)
{
	guint index = find(tokens, session->argv[0]);

	if (index == tokens->len) {
		session_complain(session, "there is no token '%s'", session->argv[0]);
		return EXIT_REFUSED;
	}
	g_ptr_array_remove_index(tokens, index);
	if (!write_file(session, tokens))
		return EXIT_REFUSED;
	note(session->argv[0], "removed");
	session_say(session, "{}", "%s is removed", session->argv[0]);
	return EXIT_DONE;
}

enum exit_code token_remove_run(struct session *session)
{
	g_autoptr(GPtrArray) tokens = NULL;
	enum exit_code code = EXIT_REFUSED;
	int lock;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	if (read_file_to_change(session, &lock, &tokens))
		code = remove_from(session, tokens);
	unlock(lock);
	return code;
}
