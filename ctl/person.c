#include "person.h"

#include <glib.h>
#include <unistd.h>

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
