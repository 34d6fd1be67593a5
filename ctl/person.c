#include "person.h"

#include <glib.h>
#include <pwd.h>
#include <unistd.h>

#define USER_BYTES 16384 /* an entry of the system's users, as getpwnam_r(3) wants it */

char *person_name(void)
{
	const char *person = geteuid() == 0 ? g_getenv("SUDO_USER") : NULL;
	g_autofree char *name = person != NULL ? g_strconcat(person, " as root", NULL)
					       : g_strdup(g_get_user_name());

	return g_utf8_make_valid(name, -1);
}

char *person_machine(void)
{
	return g_utf8_make_valid(g_get_host_name(), -1);
}

bool person_find(const char *name, uid_t *ret_user, gid_t *ret_group)
{
	char text[USER_BYTES];
	struct passwd entry, *found;

	if (getpwnam_r(name, &entry, text, sizeof text, &found) != 0 || found == NULL)
		return false;
	*ret_user = entry.pw_uid;
	*ret_group = entry.pw_gid;
	return true;
}
