#include "session.h"

#include <glib.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "auth.h"
#include "json.h"
#include "services.h"
#include "token.h"

#define TEXT_LONGEST 512
#define COOKIE_S (400 * INT64_C(86400)) /* browsers keep none for longer: RFC 6265bis, 5.5 */

struct login {
	char token[TEXT_LONGEST + 1];
};

static const struct member login_members[] = {
	{"token", MEMBER_TEXT, offsetof(struct login, token), MEMBER_REQUIRED, 0, TEXT_LONGEST},
};

/* What a token is good for, in one word: the first that it has. */
static const struct {
	enum token_scope scope;
	const char *name;
} ranks[] = {
	{TOKEN_ADMIN, "admin"},
	{TOKEN_READ, "read"},
	{TOKEN_INGEST, "ingest"},
};

static const char *scope_of(const struct token *token, bool anonymous_read)
{
	for (size_t i = 0; token != NULL && i < G_N_ELEMENTS(ranks); i++) {
		if (token->scopes & ranks[i].scope)
			return ranks[i].name;
	}
	return anonymous_read ? "read" : NULL;
}

/* Who it is: nobody without a token. */
static void answer_who(struct http_request *request, const struct token *token)
{
	const struct services *services = http_context(request);
	GString *body = g_string_new(NULL);

	json_begin_object(body, NULL);
	json_add_text(body, "name", token != NULL ? token->name : NULL);
	json_add_text(body, "scope", scope_of(token, services->config->anonymous_read));
	if (token != NULL && token->spaces != NULL) {
		json_begin_array(body, "spaces");
		for (char **id = token->spaces; *id != NULL; id++)
			json_add_text(body, NULL, *id);
		json_end_array(body);
	} else {
		json_add_null(body, "spaces");
	}
	json_end_object(body);
	http_answer_json(request, 200, body);
}

/* HttpOnly: no script reads it, not even one that should not be there. Strict: requests that another site causes come
 * without it (and where a browser lets one through, admission.c has a look). */
static void set_cookie(struct http_request *request, const char *text, int64_t seconds)
{
	const struct services *services = http_context(request);

	http_add_header(request, "Set-Cookie",
			AUTH_COOKIE "=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%" PRId64 "%s",
			text, seconds, services->secure ? "; Secure" : "");
}

/* RFC 6265, 4.1.1: cookie-octet. Every token that `headcount token` makes is of these. */
static bool fits_cookie(const char *text)
{
	for (; *text != '\0'; text++) {
		if (!g_ascii_isgraph(*text) || strchr("\",;\\", *text) != NULL)
			return false;
	}
	return true;
}

static bool read_login(struct http_request *request, struct login *ret_login)
{
	size_t size;
	const char *bytes = http_body(request, &size);
	const char *why;
	g_autoptr(Json) body = json_read(bytes, size, &why);
	struct problem problem;

	*ret_login = (struct login){0};
	if (body == NULL)
		http_refuse_member(request, 400, -1, "", "the body is no JSON: %s", why);
	else if (json_kind(body) != JSON_OBJECT)
		http_refuse_member(request, 400, -1, "", "expected an object in the body");
	else if (json_read_members(body, login_members, G_N_ELEMENTS(login_members), true,
				   ret_login, &problem) != RESULT_OK)
		http_refuse_member(request, 400, -1, problem.member, "%s", problem.detail);
	else if (!fits_cookie(ret_login->token))
		http_refuse_member(request, 400, -1, "token",
				   "expected a token as `headcount token add` prints it");
	else
		return true;
	return false;
}

static int64_t cookie_s(const struct token *token, instant now)
{
	if (token->expires == INSTANT_NONE)
		return COOKIE_S;
	return MIN(COOKIE_S, (token->expires - now) / INSTANT_SECOND);
}

/* A wrong token takes as long as a right one, and there are 2^256 to try. */
void session_begin(struct http_request *request)
{
	const struct services *services = http_context(request);
	struct auth_rights rights;
	struct login login;

	if (!read_login(request, &login))
		return;
	if (auth_find(services->auth, login.token, http_received(request), &rights) ==
	    AUTH_GRANTED) {
		set_cookie(request, login.token, cookie_s(rights.token, http_received(request)));
		answer_who(request, rights.token);
	} else {
		http_refuse_token(request);
	}
	auth_release(&rights);
}

/* A cookie that is no good any more goes, so that its owner is what anybody else is. */
void session_show(struct http_request *request)
{
	const struct auth_rights *rights = http_rights(request);

	if (!rights->anonymous && rights->token == NULL && http_token_failed(request))
		return;
	if (rights->by_cookie && rights->token == NULL)
		set_cookie(request, "", 0);
	answer_who(request, rights->token);
}

void session_end(struct http_request *request)
{
	set_cookie(request, "", 0);
	http_answer_empty(request, 204);
}
