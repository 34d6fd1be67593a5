#include <string.h>

#include "access.h"
#include "commands.h"

static bool save_rights(const struct session *session, const struct access *access)
{
	struct problem problem;

	if (rights_save(access->rights, &problem) == RESULT_OK)
		return true;
	session_complain(session, "%s", problem.detail);
	return false;
}

/* The names that the rights come with are ready for a password: display and homeassistant. */
static enum exit_code add(const struct session *session, const struct access *access)
{
	const char *name = session->argv[0];

	if (passwords_has(access->passwords, name)) {
		session_complain(session, "there is a user '%s' with a password already", name);
		return EXIT_REFUSED;
	}
	if (!passwords_fits(name)) {
		session_complain(session, "%s: %s", name, ACCESS_NO_COLON);
		return EXIT_REFUSED;
	}
	if (access_is_gateway(access, name)) {
		session_complain(session, "%s: %s", name, ACCESS_GATEWAY);
		return EXIT_REFUSED;
	}
	if (!rights_names(access->rights, name)) {
		rights_add_display(access->rights, name);
		if (!save_rights(session, access))
			return EXIT_REFUSED;
	}
	return access_give_password(session, access, name);
}

enum exit_code display_add_run(struct session *session)
{
	struct access access;
	enum exit_code code = EXIT_USAGE;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	if (!access_open(session, &access))
		return EXIT_REFUSED;
	if (json_is_id(session->argv[0], strlen(session->argv[0])))
		code = add(session, &access);
	else
		session_complain(session, "a name has 1-64 characters of A-Z a-z 0-9 . _ : -");
	access_close(&access);
	return code;
}

static enum exit_code remove_display(const struct session *session, const struct access *access)
{
	const char *name = session->argv[0];

	enum exit_code code;

	/* DPUs have passwords only, headcount's programs rights of another kind. */
	if (!passwords_has(access->passwords, name) || !rights_names(access->rights, name) ||
	    g_str_has_prefix(name, "headcount-")) {
		session_complain(session, "there is no display '%s'", name);
		return EXIT_REFUSED;
	}
	code = access_take_password(session, access, name);
	rights_remove_display(access->rights, name);
	return code == EXIT_DONE && !save_rights(session, access) ? EXIT_REFUSED : code;
}

enum exit_code display_remove_run(struct session *session)
{
	struct access access;
	enum exit_code code;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	if (!access_open(session, &access))
		return EXIT_REFUSED;
	code = remove_display(session, &access);
	access_close(&access);
	return code;
}
