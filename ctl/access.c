#include "access.h"

#include <stdio.h>
#include <string.h>

static enum result open_files(const struct session *session, struct access *access,
			      struct problem *reterr_problem)
{
	const char *dir = session->config.broker_access_dir;
	g_autofree char *passwords = g_build_filename(dir, ACCESS_PASSWORDS, NULL);
	g_autofree char *rights = g_build_filename(dir, ACCESS_RIGHTS, NULL);
	enum result result = passwords_open(passwords, &access->passwords, reterr_problem);

	return result == RESULT_OK ? rights_open(rights, &access->rights, reterr_problem) : result;
}

bool access_exists(const struct session *session)
{
	g_autofree char *passwords =
		g_build_filename(session->config.broker_access_dir, ACCESS_PASSWORDS, NULL);

	return g_file_test(passwords, G_FILE_TEST_EXISTS);
}

bool access_open(const struct session *session, struct access *ret_access)
{
	struct access access = {.client_id = session->config.client_id};
	struct problem problem;
	enum result result = open_files(session, &access, &problem);

	if (result == RESULT_OK) {
		*ret_access = access;
		return true;
	}
	session_complain(session, "%s%s", problem.detail,
			 result == RESULT_NOT_FOUND ? ": '" PROGRAM " broker-setup' makes it" : "");
	access_close(&access);
	return false;
}

void access_close(struct access *access)
{
	passwords_close(access->passwords);
	rights_close(access->rights);
}

bool access_is_gateway(const struct access *access, const char *name)
{
	return strcmp(name, access->client_id) == 0;
}

const char *access_refusal(const struct access *access, const char *id)
{
	if (!passwords_fits(id))
		return ACCESS_NO_COLON;
	if (rights_names(access->rights, id))
		return "it has rights of its own with the broker: a DPU needs another name";
	if (access_is_gateway(access, id))
		return ACCESS_GATEWAY;
	return NULL;
}

static void say_password(const struct session *session, const char *name, const char *password)
{
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_text(json, "id", name);
	json_add_text(json, "password", password);
	json_end_object(json);
	session_say(session, json->str, "%s", password);
	if (!session->json)
		fprintf(stderr, "It is shown this once, and is the password of the user '%s'.\n",
			name);
}

static enum exit_code save(const struct session *session, const struct access *access)
{
	struct problem problem;

	if (passwords_save(access->passwords, &problem) == RESULT_OK)
		return EXIT_DONE;
	session_complain(session, "%s", problem.detail);
	return EXIT_REFUSED;
}

enum exit_code access_give_password(const struct session *session, const struct access *access,
				    const char *name)
{
	char password[PASSWORD_SIZE];

	if (!password_make(password) || !passwords_set(access->passwords, name, password)) {
		session_complain(session, "the system has no random numbers");
		return EXIT_REFUSED;
	}
	if (save(session, access) != EXIT_DONE)
		return EXIT_REFUSED;
	say_password(session, name, password);
	access_say_reload();
	explicit_bzero(password, sizeof password);
	return EXIT_DONE;
}

enum exit_code access_take_password(const struct session *session, const struct access *access,
				    const char *name)
{
	enum exit_code code = EXIT_DONE;

	if (passwords_remove(access->passwords, name)) {
		code = save(session, access);
		access_say_reload();
	}
	return code;
}

void access_say_reload(void)
{
	fputs("The broker knows of it after: systemctl reload mosquitto\n", stderr);
}
