#include "derived.h"

#include <inttypes.h>

#include "attribution.h"
#include "commands.h"
#include "list.h"
#include "occupancy.h"
#include "progress.h"
#include "space.h"

/* A space may have a hundred million events. */
#define REBUILD_PATIENCE_S 3600

static void add_id(void *ids, const struct json *object)
{
	g_ptr_array_add(ids, g_strdup(json_member_text(object, "id", "")));
}

/* The ids of the spaces named, or of all if none is; NULL if they can't be read, which is said then. */
static GPtrArray *choose_spaces(struct session *session)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	const struct listing_page all = {.after = ""};
	char next[JSON_ID_SIZE];

	for (int i = 0; i < session->argc; i++)
		g_ptr_array_add(ids, g_strdup(session->argv[i]));
	if (session->argc == 0 && !list_each(session, LISTING_SPACES, &all, add_id, ids, next))
		return NULL;
	return g_steal_pointer(&ids);
}

/* Comparing */

struct comparison {
	const char *space;
	void (*differs)(void *context, const char *sentence);
	void *context;
};

static enum result compare(struct store *store, void *context)
{
	const struct comparison *comparison = context;
	struct space_state state;
	enum result result = space_find(store, comparison->space, instant_now(), &state);

	if (result == RESULT_OK)
		occupancy_check(store, state.key, comparison->differs, comparison->context);
	return result;
}

enum result derived_compare(struct store *store, const char *space,
			    void (*differs)(void *context, const char *sentence), void *context)
{
	struct comparison comparison = {space, differs, context};

	return store_transaction(store, compare, &comparison);
}

struct check {
	struct session *session;
	const char *space;
	int64_t checked, difference_count;
	GString *differences; /* a JSON array */
};

static void add_difference(void *context, const char *sentence)
{
	struct check *check = context;

	check->difference_count++;
	json_begin_object(check->differences, NULL);
	json_add_text(check->differences, "space", check->space);
	json_add_text(check->differences, "difference", sentence);
	json_end_object(check->differences);
	if (!check->session->json)
		session_say(check->session, "", "%s: %s", check->space, sentence);
}

static void check_space(struct check *check, struct store *store)
{
	enum result result = derived_compare(store, check->space, add_difference, check);

	if (result == RESULT_OK)
		check->checked++;
	else if (result == RESULT_NOT_FOUND)
		session_complain(check->session, "there is no space '%s'", check->space);
	else
		session_complain(check->session, "%s: %s", check->space, store_error(store));
}

static void say_checked(const struct check *check)
{
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_integer(json, "spaces", check->checked);
	g_string_append_printf(json, ",\"differences\":%s", check->differences->str);
	json_end_object(json);
	if (check->difference_count == 0)
		session_say(check->session, json->str, "%" PRId64 " spaces checked: all in step",
			    check->checked);
	else
		session_say(check->session, json->str,
			    "%" PRId64 " spaces checked: %" PRId64 " differences (" PROGRAM
			    " rebuild derives what is wrong again)",
			    check->checked, check->difference_count);
}

static enum exit_code check_spaces(struct session *session, struct store *store,
				   const GPtrArray *spaces)
{
	g_autoptr(GString) differences = g_string_new(NULL);
	struct check check = {.session = session, .differences = differences};
	struct progress progress = progress_begin("spaces");

	json_begin_array(differences, NULL);
	for (guint i = 0; i < spaces->len; i++) {
		check.space = spaces->pdata[i];
		check_space(&check, store);
		progress_show(&progress, check.checked, i, spaces->len);
	}
	json_end_array(differences);
	progress_end(&progress);
	say_checked(&check);
	return check.difference_count == 0 && check.checked == spaces->len ? EXIT_DONE
									   : EXIT_REFUSED;
}

static enum result find_references(struct store *store, void *hold)
{
	*(bool *)hold = attribution_holds(store);
	return RESULT_OK;
}

static enum exit_code check_references(struct session *session, struct store *store)
{
	bool hold = false;

	if (store_transaction(store, find_references, &hold) != RESULT_OK)
		session_complain(session, "%s", store_error(store));
	else if (!hold)
		session_complain(session, "the database is damaged: rows refer to others that are "
					  "missing; restore a backup");
	return hold ? EXIT_DONE : EXIT_REFUSED;
}

enum exit_code check_run(struct session *session)
{
	g_autoptr(GPtrArray) spaces = NULL;
	enum exit_code references = EXIT_DONE, counts;
	struct store *store;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	store = session_store(session);
	if (store == NULL)
		return EXIT_REFUSED;
	if (session->argc == 0)
		references = check_references(session, store);
	spaces = choose_spaces(session);
	counts = spaces != NULL ? check_spaces(session, store, spaces) : EXIT_REFUSED;
	return MAX(references, counts);
}

/* Deriving again */

static void count_done(void *done, const char *subject, const struct answer *answer)
{
	(void)subject;
	(void)answer;
	++*(int64_t *)done;
}

static enum exit_code rebuild_space(struct session *session, const char *space, int64_t *done)
{
	g_autofree char *subject = g_strdup_printf("space %s", space);
	g_autoptr(GString) command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", "rebuild");
	json_add_text(command, "object", "space");
	json_add_text(command, "id", space);
	json_end_object(command);
	return session_ask(session, command, subject, count_done, done);
}

/* One after the other: many in one batch would keep the gateway from its events. */
static enum exit_code rebuild_spaces(struct session *session, const GPtrArray *spaces)
{
	struct progress progress = progress_begin("spaces");
	enum exit_code worst = EXIT_DONE;
	int64_t done = 0;
	g_autofree char *json = NULL;

	for (guint i = 0; i < spaces->len && worst != EXIT_NO_ANSWER; i++) {
		enum exit_code code = rebuild_space(session, spaces->pdata[i], &done);

		worst = MAX(worst, code);
		progress_show(&progress, done, i, spaces->len);
	}
	progress_end(&progress);
	json = g_strdup_printf("{\"rebuilt\":%" PRId64 "}", done);
	session_say(session, json, "%" PRId64 " of %u spaces rebuilt", done, spaces->len);
	return worst;
}

enum exit_code rebuild_run(struct session *session)
{
	g_autoptr(GPtrArray) spaces = NULL;
	struct broker *broker;

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	broker = session_broker(session);
	if (broker == NULL)
		return EXIT_NO_ANSWER;
	broker_set_patience(broker, REBUILD_PATIENCE_S);
	spaces = choose_spaces(session);
	return spaces != NULL ? rebuild_spaces(session, spaces) : EXIT_REFUSED;
}
