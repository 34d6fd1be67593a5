/* A registry out of a document into a system, by commands to its gateway. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "progress.h"
#include "registry_document.h"
#include "rehearsal.h"

#define COMPLAINTS_MOST 20 /* of a kind; the rest is counted */
#define TURNS 2
#define STATUS_REFUSED 400    /* and above */
#define MISSING "(never)"     /* no id and no time */
#define UPDATE_PATIENCE_S 600 /* a doorway that leads elsewhere has its history derived again */

/* How the commands name an object, what tells it apart, and how it becomes another one. */
enum change { CHANGE_BY_KEY, CHANGE_BY_NUMBER, CHANGE_BY_REPLACING };
static const struct {
	const char *object, *noun;
	const char *keys[2];
	enum change change;
} parts[REGISTRY_PARTS] = {
	[REGISTRY_SPACES] = {"space", "space", {"id", NULL}, CHANGE_BY_KEY},
	[REGISTRY_DOORWAYS] = {"doorway", "doorway", {"id", NULL}, CHANGE_BY_KEY},
	[REGISTRY_DPUS] = {"dpu", "DPU", {"id", NULL}, CHANGE_BY_KEY},
	[REGISTRY_INSTALLATIONS] = {"installation",
				    "installation of DPU",
				    {"dpu", "started_at"},
				    CHANGE_BY_NUMBER},
	[REGISTRY_RESETS] = {"reset", "reset of space", {"space", "at"}, CHANGE_BY_REPLACING},
};

struct entry {
	enum registry_part part;
	char *key, *text;
	char *parent; /* of a space: NULL: none */
	int64_t number, rehearsed_number;
	struct entry *existing; /* of one that is wanted: what there is of that key */
	bool wanted_so;         /* of one that exists: it is to become what is wanted */
	enum { UNPLACED, ON_THE_WAY, PLACED } place;
};

struct import {
	struct session *session;
	const char *path;
	GPtrArray *wanted
		[REGISTRY_PARTS]; /* of struct entry *: the document's, spaces parents first */
	GPtrArray *existing[REGISTRY_PARTS]; /* of struct entry *: the system's */
	GHashTable
		*by_key[REGISTRY_PARTS]; /* key -> struct entry *: of the existing ones, borrowed */
	gboolean update, dry_run;
	int64_t complaints, differing, to_do;
	int64_t created, updated, unchanged, refused;
	GString *differences; /* a JSON array */
};

static void free_entry(gpointer data)
{
	struct entry *entry = data;

	g_free(entry->key);
	g_free(entry->text);
	g_free(entry->parent);
	g_free(entry);
}

static char *subject_of(const struct entry *entry)
{
	return g_strconcat(parts[entry->part].noun, " ", entry->key, NULL);
}

static void complain(struct import *import, const struct entry *entry, const char *text)
{
	g_autofree char *subject = subject_of(entry);

	import->complaints++;
	if (import->complaints <= COMPLAINTS_MOST)
		session_complain(import->session, "%s: %s", subject, text);
	if (import->complaints == COMPLAINTS_MOST)
		session_complain(import->session,
				 "whatever else there is like that is only counted");
}

/* Reading */

static char *key_of(enum registry_part part, const struct json *json)
{
	const char *first = json_member_text(json, parts[part].keys[0], "");

	if (parts[part].keys[1] == NULL)
		return g_strdup(first);
	return g_strconcat(first, " ", json_member_text(json, parts[part].keys[1], MISSING), NULL);
}

static struct entry *new_entry(const struct registry_entry *found)
{
	struct entry *entry = g_new0(struct entry, 1);
	const char *why;
	g_autoptr(Json) json = json_read(found->text, strlen(found->text), &why);

	entry->part = found->part;
	entry->text = g_strdup(found->text);
	entry->number = found->number;
	entry->key = key_of(found->part, json);
	if (found->part == REGISTRY_SPACES)
		entry->parent = g_strdup(json_member_text(json, "parent", NULL));
	return entry;
}

static void add_wanted(void *context, const struct registry_entry *found)
{
	struct import *import = context;

	g_ptr_array_add(import->wanted[found->part], new_entry(found));
}

static void add_existing(void *context, const struct registry_entry *found)
{
	struct import *import = context;
	struct entry *entry = new_entry(found);

	g_ptr_array_add(import->existing[found->part], entry);
	g_hash_table_insert(import->by_key[found->part], entry->key, entry);
}

static bool read_document(struct import *import)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	struct problem problem;
	gsize size;

	if (!g_file_get_contents(import->path, &text, &size, &error)) {
		session_complain(import->session, "%s", error->message);
		return false;
	}
	if (registry_document_read(text, size, add_wanted, import, &problem) == RESULT_OK)
		return true;
	session_complain(import->session, "%s: %s", import->path, problem.detail);
	return false;
}

static enum result read_existing(struct store *store, void *context)
{
	struct import *import = context;
	bool any = import->wanted[REGISTRY_RESETS]->len > 0;

	registry_document_each(store, any ? REGISTRY_RESETS_ALL : REGISTRY_RESETS_NONE,
			       add_existing, import);
	return RESULT_OK;
}

static bool read_system(struct import *import)
{
	struct store *store = session_store(import->session);

	if (store == NULL)
		return false;
	if (store_transaction(store, read_existing, import) == RESULT_OK)
		return true;
	session_complain(import->session, "%s: %s", import->session->config.database,
			 store_error(store));
	return false;
}

/* Parents before what lies inside them */

/* Moves the space, and those above it that are not placed yet, topmost first; false if they go in a circle. */
static bool place(GHashTable *spaces, struct entry *space, GPtrArray *placed)
{
	g_autoptr(GPtrArray) way = g_ptr_array_new();

	while (space != NULL && space->place != PLACED) {
		if (space->place == ON_THE_WAY)
			return false;
		space->place = ON_THE_WAY;
		g_ptr_array_add(way, space);
		space = space->parent != NULL ? g_hash_table_lookup(spaces, space->parent) : NULL;
	}
	for (guint i = way->len; i > 0; i--) {
		struct entry *topmost = way->pdata[i - 1];

		topmost->place = PLACED;
		g_ptr_array_add(placed, topmost);
	}
	return true;
}

/* False if parents go in a circle, which is said then. */
static bool order_spaces(struct import *import, GPtrArray *spaces)
{
	g_autoptr(GHashTable) by_key = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) placed = g_ptr_array_new();

	for (guint i = 0; i < spaces->len; i++) {
		struct entry *space = spaces->pdata[i];

		g_hash_table_insert(by_key, space->key, space);
	}
	for (guint i = 0; i < spaces->len; i++) {
		if (!place(by_key, spaces->pdata[i], placed)) {
			complain(import, spaces->pdata[i],
				 "parent: by way of its parents it would lie inside itself");
			return false;
		}
	}
	for (guint i = 0; i < placed->len; i++)
		spaces->pdata[i] = placed->pdata[i];
	return true;
}

/* Comparing */

struct comparison {
	struct import *import;
	const struct entry *entry;
	const struct json *existing;
};

static void compare_member(void *context, const char *name, const struct json *value)
{
	const struct comparison *comparison = context;
	struct import *import = comparison->import;
	const struct json *existing = json_member(comparison->existing, name);
	g_autofree char *here = g_strdup(existing != NULL ? json_as_written(existing) : "null");
	const char *there = json_as_written(value);
	g_autofree char *text = NULL;
	g_autofree char *subject = subject_of(comparison->entry);

	if (strcmp(here, there) == 0)
		return;
	json_begin_object(import->differences, NULL);
	json_add_text(import->differences, "subject", subject);
	json_add_text(import->differences, "member", name);
	json_end_object(import->differences);
	text = g_strdup_printf("%s: %s here, %s in the document", name, here, there);
	if (!import->update)
		complain(import, comparison->entry, text);
}

static void list_differences(struct import *import, const struct entry *entry)
{
	const char *why;
	g_autoptr(Json) wanted = json_read(entry->text, strlen(entry->text), &why);
	g_autoptr(Json) existing =
		json_read(entry->existing->text, strlen(entry->existing->text), &why);
	struct comparison comparison = {import, entry, existing};

	import->differing++;
	json_each_member(wanted, compare_member, &comparison);
}

static void compare(struct import *import, struct entry *entry, GHashTable *seen)
{
	if (strstr(entry->key, MISSING) != NULL)
		complain(import, entry, "its time is missing");
	if (!g_hash_table_add(seen, entry->key)) {
		complain(import, entry, "it is in the document twice");
		return;
	}
	entry->existing = g_hash_table_lookup(import->by_key[entry->part], entry->key);
	if (entry->existing == NULL) {
		import->to_do++;
	} else if (strcmp(entry->existing->text, entry->text) == 0) {
		import->unchanged++;
	} else {
		entry->existing->wanted_so = true;
		import->to_do++;
		list_differences(import, entry);
	}
}

static void compare_all(struct import *import)
{
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

		for (guint i = 0; i < import->wanted[part]->len; i++)
			compare(import, import->wanted[part]->pdata[i], seen);
	}
}

static bool is_to_do(const struct entry *entry)
{
	return entry->existing == NULL || entry->existing->wanted_so;
}

/* Commands */

static GString *begin_command(const char *action, const struct entry *entry)
{
	GString *command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", action);
	json_add_text(command, "object", parts[entry->part].object);
	return command;
}

static GString *end_command(GString *command, const char *values)
{
	g_string_append_printf(command, ",\"values\":%s", values);
	json_end_object(command);
	return command;
}

static GString *write_creation(const struct entry *entry)
{
	return end_command(begin_command("create", entry), entry->text);
}

static GString *write_update(const struct entry *entry, int64_t number)
{
	GString *command = begin_command("update", entry);

	if (parts[entry->part].change == CHANGE_BY_NUMBER)
		json_add_integer(command, "id", number);
	else
		json_add_text(command, "id", entry->key);
	return end_command(command, entry->text);
}

/* Gives the commands that an entry wants, with what the gateway knows an installation by. */
typedef void give_command(void *context, struct entry *entry, const GString *command);
static void give_commands(struct entry *entry, int64_t number, give_command *give, void *context)
{
	bool replaces = parts[entry->part].change == CHANGE_BY_REPLACING;
	g_autoptr(GString) first = NULL;

	if (entry->existing != NULL && !replaces) {
		first = write_update(entry, number);
		give(context, entry, first);
		return;
	}
	if (entry->existing != NULL) {
		g_autoptr(GString) removal =
			end_command(begin_command("delete", entry), entry->existing->text);

		give(context, entry, removal);
	}
	first = write_creation(entry);
	give(context, entry, first);
}

/* An installation that makes room comes before one that takes it. */
static int turn_of(const struct entry *entry)
{
	if (entry->part != REGISTRY_INSTALLATIONS)
		return 0;
	return entry->existing != NULL ? 0 : 1;
}

typedef void act_on(void *context, struct entry *entry);
static void each_to_do(const struct import *import, act_on *act, void *context)
{
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		for (int turn = 0; turn < TURNS; turn++) {
			for (guint i = 0; i < import->wanted[part]->len; i++) {
				struct entry *entry = import->wanted[part]->pdata[i];

				if (is_to_do(entry) && turn_of(entry) == turn)
					act(context, entry);
			}
		}
	}
}

static char *refusal_of(const struct json *body)
{
	const char *member = json_member_text(body, "member", "");

	return g_strconcat(member, *member != '\0' ? ": " : "",
			   json_member_text(body, "detail", "it was refused"), NULL);
}

/* Trying it */

struct trial {
	struct import *import;
	struct rehearsal *rehearsal;
	struct progress progress;
	int64_t tried;
};

static void try_command(void *context, struct entry *entry, const GString *command)
{
	struct trial *trial = context;
	g_autoptr(Json) answer = rehearsal_try(trial->rehearsal, command);
	const struct json *body = json_member(answer, "body");
	g_autofree char *why = NULL;

	trial->tried++;
	progress_show(&trial->progress, trial->tried, trial->tried, 0);
	if (json_member_integer(answer, "status", 0) < STATUS_REFUSED) {
		entry->rehearsed_number = json_member_integer(body, "id", 0);
		return;
	}
	why = refusal_of(body);
	complain(trial->import, entry, why);
}

static void try_entry(void *context, struct entry *entry)
{
	int64_t number = entry->existing != NULL ? entry->existing->rehearsed_number : 0;

	give_commands(entry, number, try_command, context);
}

/* First what there is: of resets, which nothing refers to, only those that are to be replaced. */
static void try_all(struct rehearsal *rehearsal, void *context)
{
	struct trial *trial = context;
	const struct import *import = trial->import;

	trial->rehearsal = rehearsal;
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		for (guint i = 0; i < import->existing[part]->len; i++) {
			struct entry *entry = import->existing[part]->pdata[i];

			if (part != REGISTRY_RESETS || entry->wanted_so)
				try_entry(trial, entry);
		}
	}
	each_to_do(import, try_entry, trial);
}

static bool rehearse(struct import *import)
{
	struct trial trial = {.import = import, .progress = progress_begin("tried")};
	struct problem problem;
	enum result result = rehearsal_run(&import->session->config, try_all, &trial, &problem);

	progress_end(&trial.progress);
	if (result == RESULT_OK)
		return import->complaints == 0;
	session_complain(import->session, "it can't be tried beforehand: %s", problem.detail);
	return false;
}

/* Sending it */

struct sending {
	struct import *import;
	struct broker *broker;
	struct progress progress;
	enum result result;
};

static void settle(void *context, const char *subject, const struct answer *answer)
{
	struct import *import = context;

	if (answer->status < STATUS_REFUSED)
		return;
	import->refused++;
	if (import->refused <= COMPLAINTS_MOST)
		session_complain_refused(import->session, subject, answer);
}

static void send_command(void *context, struct entry *entry, const GString *command)
{
	struct sending *sending = context;
	g_autofree char *subject = subject_of(entry);

	if (sending->result == RESULT_OK)
		sending->result = broker_request(sending->broker,
						 &(struct request){.topic = BROKER_COMMANDS,
								   .payload = command->str,
								   .size = command->len,
								   .expires = true,
								   .subject = subject,
								   .handler = settle,
								   .context = sending->import});
}

static void send_entry(void *context, struct entry *entry)
{
	struct sending *sending = context;
	struct import *import = sending->import;

	give_commands(entry, entry->existing != NULL ? entry->existing->number : 0, send_command,
		      sending);
	if (sending->result != RESULT_OK)
		return;
	*(entry->existing != NULL ? &import->updated : &import->created) += 1;
	progress_show(&sending->progress, import->created + import->updated,
		      import->created + import->updated, import->to_do);
}

static enum exit_code send_all(struct import *import)
{
	struct sending sending = {
		.import = import,
		.broker = session_broker(import->session),
		.progress = progress_begin("sent"),
	};

	if (sending.broker == NULL)
		return EXIT_NO_ANSWER;
	if (import->differing > 0)
		broker_set_patience(sending.broker, UPDATE_PATIENCE_S);
	each_to_do(import, send_entry, &sending);
	if (sending.result == RESULT_OK)
		sending.result = broker_finish(sending.broker);
	progress_end(&sending.progress);
	if (sending.result != RESULT_OK)
		return session_no_answer(import->session);
	return import->refused == 0 ? EXIT_DONE : EXIT_REFUSED;
}

/* All of it */

static void say_summary(const struct import *import)
{
	const char *done = import->dry_run ? "to be " : "";
	g_autoptr(GString) json = g_string_new(NULL);

	json_end_array(import->differences);
	json_begin_object(json, NULL);
	json_add_integer(json, "added", import->created);
	json_add_integer(json, "changed", import->updated);
	json_add_integer(json, "unchanged", import->unchanged);
	json_add_integer(json, "refused", import->refused);
	g_string_append_printf(json, ",\"differences\":%s", import->differences->str);
	json_end_object(json);
	session_say(import->session, json->str,
		    "%" PRId64 " %sadded, %" PRId64 " %schanged, %" PRId64 " were there",
		    import->created, done, import->updated, done, import->unchanged);
}

static enum exit_code refuse(const struct import *import)
{
	session_complain(import->session,
			 "nothing was changed: %" PRId64 " things are wrong with it%s",
			 import->complaints,
			 import->differing > 0 && !import->update
				 ? " (--update makes what differs as the document has it)"
				 : "");
	return EXIT_REFUSED;
}

static void count_to_do(void *context, struct entry *entry)
{
	struct import *import = context;

	*(entry->existing != NULL ? &import->updated : &import->created) += 1;
}

static enum exit_code carry_out(struct import *import)
{
	enum exit_code code = EXIT_DONE;

	if (!read_document(import) || !order_spaces(import, import->wanted[REGISTRY_SPACES]))
		return EXIT_REFUSED;
	if (!read_system(import) || !order_spaces(import, import->existing[REGISTRY_SPACES]))
		return EXIT_REFUSED;
	compare_all(import);
	if (import->complaints > 0 || (import->to_do > 0 && !rehearse(import)))
		return refuse(import);
	if (import->dry_run)
		each_to_do(import, count_to_do, import);
	else if (import->to_do > 0)
		code = send_all(import);
	say_summary(import);
	return code;
}

static enum exit_code import_registry(struct session *session, gboolean update, gboolean dry_run)
{
	g_autoptr(GString) differences = g_string_new(NULL);
	struct import import = {
		.session = session,
		.path = session->argv[0],
		.update = update,
		.dry_run = dry_run,
		.differences = differences,
	};
	enum exit_code code;

	json_begin_array(differences, NULL);
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		import.wanted[part] = g_ptr_array_new_with_free_func(free_entry);
		import.existing[part] = g_ptr_array_new_with_free_func(free_entry);
		import.by_key[part] = g_hash_table_new(g_str_hash, g_str_equal);
	}
	code = carry_out(&import);
	for (enum registry_part part = 0; part < REGISTRY_PARTS; part++) {
		g_hash_table_unref(import.by_key[part]);
		g_ptr_array_unref(import.wanted[part]);
		g_ptr_array_unref(import.existing[part]);
	}
	return code;
}

enum exit_code import_registry_run(struct session *session)
{
	gboolean update = FALSE, dry_run = FALSE;
	const GOptionEntry entries[] = {
		{"update", 0, 0, G_OPTION_ARG_NONE, &update, "Change what exists and differs, too",
		 NULL},
		{"dry-run", 0, 0, G_OPTION_ARG_NONE, &dry_run,
		 "Say what would be done, and do nothing", NULL},
		G_OPTION_ENTRY_NULL,
	};

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	return import_registry(session, update, dry_run);
}
