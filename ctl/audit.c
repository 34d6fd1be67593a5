/* The audit: who has changed what. */
#include "commands.h"
#include "list.h"

#define LIMIT_DEFAULT 100

/* clang-format off */
static const struct column columns[] = {
	{"id", "ID"}, {"time", "TIME"}, {"who", "WHO"}, {"from", "FROM"}, {"object", "OBJECT"}, {"action", "ACTION"},
	{"object_id", "OBJECT ID"}, {"status", "STATUS"}, {"details", "DETAILS"},
};
/* clang-format on */
static const struct list list = {LISTING_AUDIT, columns, G_N_ELEMENTS(columns)};

struct choice {
	char *from, *until;
	gint64 limit, after;
};

static enum exit_code print(struct session *session, const struct choice *choice)
{
	g_autofree char *first = g_strdup_printf("%" G_GINT64_FORMAT, choice->after);
	struct listing_page page = {.after = first, .limit = choice->limit};
	char next[JSON_ID_SIZE];

	if (choice->limit < 0 || choice->after < 0) {
		session_complain(session, "--limit, --after: expected no negative number");
		return EXIT_USAGE;
	}
	if ((choice->from != NULL &&
	     !session_read_time(session, "--from", choice->from, &page.from)) ||
	    (choice->until != NULL &&
	     !session_read_time(session, "--until", choice->until, &page.until)))
		return EXIT_USAGE;
	if (!list_print(session, &list, &page, next))
		return EXIT_REFUSED;
	if (*next != '\0')
		session_complain(session, "there are more: go on with --after %s", next);
	return EXIT_DONE;
}

enum exit_code audit_run(struct session *session)
{
	struct choice choice = {.limit = LIMIT_DEFAULT};
	const GOptionEntry entries[] = {
		{"from", 0, 0, G_OPTION_ARG_FILENAME, &choice.from, "Only what came since then",
		 "TIME"},
		{"until", 0, 0, G_OPTION_ARG_FILENAME, &choice.until, "Only what came before then",
		 "TIME"},
		{"limit", 0, 0, G_OPTION_ARG_INT64, &choice.limit,
		 "How many (default: " G_STRINGIFY(LIMIT_DEFAULT) "; 0: all)", "N"},
		{"after", 0, 0, G_OPTION_ARG_INT64, &choice.after,
		 "Only what stands below this number in the whole list", "ID"},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code = EXIT_USAGE;

	if (session_begin(session, entries))
		code = print(session, &choice);
	g_free(choice.from);
	g_free(choice.until);
	return code;
}
