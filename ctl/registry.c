#include <assert.h>
#include <string.h>

#include "access.h"
#include "commands.h"
#include "json.h"

/* What a text on the command line means. */
enum form {
	FORM_TEXT,
	FORM_INTEGER,
	FORM_TIME,
	FORM_MOMENT, /* a time; now if it isn't given, and our now: a command that comes twice says the same twice */
};

/* An option that gives a member of the command's values. */
struct field {
	const char *option;
	const char *member;
	enum form form;
	const char *placeholder, *help;
	const char *otherwise; /* what it is if it isn't given, for help; NULL: nothing */
};

/* What it means for a DPU's password with the broker. */
enum password_part {
	PASSWORD_STAYS,
	PASSWORD_OFFERED, /* --password gives it a new one */
	PASSWORD_GOES,    /* it is taken away, if it has one */
};

#define FIELDS_MOST 5
#define ARGUMENTS_MOST 2

struct registry_change {
	const char *object, *action; /* as the gateway calls them */
	const char *noun, *done;     /* as people do: "space A: added" */
	struct {
		const char *member; /* NULL: it is the command's id, not among its values */
		enum form form;
	} arguments[ARGUMENTS_MOST];
	const struct field *fields;
	size_t field_count;
	enum password_part password;
};

/* clang-format off */
static const struct field space_fields[] = {
	{"name",        "name",        FORM_TEXT,    "TEXT",  "What people call it",                   NULL},
	{"timezone",    "timezone",    FORM_TEXT,    "ZONE",  "IANA name, such as Europe/Berlin",      "UTC"},
	{"parent",      "parent",      FORM_TEXT,    "SPACE", "The space that it lies inside",         NULL},
	{"capacity",    "capacity",    FORM_INTEGER, "N",     "How many people it is meant for",       NULL},
	{"daily-reset", "daily_reset", FORM_TEXT,    "HH:MM", "Local time of day when nobody is there", NULL},
};
static const struct field doorway_fields[] = {
	{"name",           "name",           FORM_TEXT, "TEXT",  "What people call it",         NULL},
	{"space",          "space",          FORM_TEXT, "SPACE", "The space that it leads into", NULL},
	{"adjacent-space", "adjacent_space", FORM_TEXT, "SPACE", "The space on its other side", "the outside"},
};
static const struct field dpu_fields[] = {
	{"name", "name", FORM_TEXT, "TEXT", "What people call it", NULL},
};
static const struct field installation_fields[] = {
	{"dpu",         "dpu",         FORM_TEXT,    "DPU",     "The DPU",                NULL},
	{"doorway",     "doorway",     FORM_TEXT,    "DOORWAY", "The doorway it hangs at", NULL},
	{"from",        "started_at",  FORM_TIME,    "TIME",    "Since when",             NULL},
	{"until",       "ended_at",    FORM_TIME,    "TIME",    "Until when",             "it still hangs there"},
	{"orientation", "orientation", FORM_INTEGER, "N",       "1: it faces the doorway's space, -1: away from it", "1"},
};
static const struct field move_fields[] = {
	{"at",          "at",          FORM_MOMENT,    "TIME", "When",                                         "now"},
	{"orientation", "orientation", FORM_INTEGER, "N",    "1: it faces the doorway's space, -1: away from it", "1"},
};
static const struct field reset_fields[] = {
	{"at", "at", FORM_MOMENT, "TIME", "When", "now"},
};

#define WITH_PASSWORD(fields, part) fields, G_N_ELEMENTS(fields), part
#define WITH(fields) WITH_PASSWORD(fields, PASSWORD_STAYS)

const struct registry_change change_space_add = {
	"space", "create", "space", "added", {{"id", FORM_TEXT}}, WITH(space_fields)};
const struct registry_change change_space_set = {
	"space", "update", "space", "changed", {{NULL, FORM_TEXT}}, WITH(space_fields)};
const struct registry_change change_space_remove = {
	"space", "delete", "space", "removed", {{NULL, FORM_TEXT}}, NULL, 0, PASSWORD_STAYS};

const struct registry_change change_doorway_add = {
	"doorway", "create", "doorway", "added", {{"id", FORM_TEXT}}, WITH(doorway_fields)};
const struct registry_change change_doorway_set = {
	"doorway", "update", "doorway", "changed", {{NULL, FORM_TEXT}}, WITH(doorway_fields)};
const struct registry_change change_doorway_remove = {
	"doorway", "delete", "doorway", "removed", {{NULL, FORM_TEXT}}, NULL, 0, PASSWORD_STAYS};

const struct registry_change change_dpu_add = {
	"dpu", "create", "DPU", "added", {{"id", FORM_TEXT}}, WITH_PASSWORD(dpu_fields, PASSWORD_OFFERED)};
const struct registry_change change_dpu_set = {
	"dpu", "update", "DPU", "changed", {{NULL, FORM_TEXT}}, WITH_PASSWORD(dpu_fields, PASSWORD_OFFERED)};
const struct registry_change change_dpu_remove = {
	"dpu", "delete", "DPU", "removed", {{NULL, FORM_TEXT}}, NULL, 0, PASSWORD_GOES};
const struct registry_change change_dpu_move = {
	"dpu", "move", "DPU", "moved", {{NULL, FORM_TEXT}, {"doorway", FORM_TEXT}}, WITH(move_fields)};

const struct registry_change change_installation_add = {
	"installation", "create", "installation", "added", {{0}}, WITH(installation_fields)};
const struct registry_change change_installation_set = {
	"installation", "update", "installation", "changed", {{NULL, FORM_TEXT}}, WITH(installation_fields)};
const struct registry_change change_installation_remove = {
	"installation", "delete", "installation", "removed", {{NULL, FORM_TEXT}}, NULL, 0, PASSWORD_STAYS};

const struct registry_change change_reset_add = {
	"reset", "create", "space", "reset", {{"space", FORM_TEXT}, {"count", FORM_INTEGER}}, WITH(reset_fields)};
const struct registry_change change_reset_remove = {
	"reset", "delete", "space", "reset removed", {{"space", FORM_TEXT}, {"at", FORM_TIME}}, NULL, 0, PASSWORD_STAYS};
/* clang-format on */

static bool add_text(const struct session *session, GString *out, const char *member,
		     const char *label, const char *text)
{
	if (!g_utf8_validate(text, -1, NULL)) {
		session_complain(session, "%s: it is not UTF-8", label);
		return false;
	}
	json_add_text(out, member, text);
	return true;
}

static bool add_integer(const struct session *session, GString *out, const char *member,
			const char *label, const char *text)
{
	int64_t value;

	if (!session_read_integer(session, label, text, INT64_MIN, INT64_MAX, &value))
		return false;
	json_add_integer(out, member, value);
	return true;
}

static bool add_time(const struct session *session, GString *out, const char *member,
		     const char *label, const char *text)
{
	instant when;

	if (!session_read_time(session, label, text, &when))
		return false;
	json_add_instant(out, member, when);
	return true;
}

typedef bool add_form(const struct session *session, GString *out, const char *member,
		      const char *label, const char *text);
static add_form *const forms[] = {
	[FORM_TEXT] = add_text,
	[FORM_INTEGER] = add_integer,
	[FORM_TIME] = add_time,
	[FORM_MOMENT] = add_time,
};

/* An empty text clears what can be cleared. */
static bool add_field(const struct session *session, GString *out, const struct field *field,
		      const char *text)
{
	g_autofree char *label = g_strconcat("--", field->option, NULL);

	if (*text != '\0')
		return forms[field->form](session, out, field->member, label, text);
	json_add_null(out, field->member);
	return true;
}

static bool add_values(const struct session *session, const struct registry_change *change,
		       char *const *texts, GString *out)
{
	for (int i = 0; i < session->argc; i++) {
		const char *member = change->arguments[i].member;

		if (member != NULL && !forms[change->arguments[i].form](session, out, member,
									member, session->argv[i]))
			return false;
	}
	for (size_t i = 0; i < change->field_count; i++) {
		const struct field *field = &change->fields[i];

		if (texts[i] == NULL && field->form == FORM_MOMENT)
			json_add_instant(out, field->member, instant_now());
		if (texts[i] != NULL && !add_field(session, out, field, texts[i]))
			return false;
	}
	return true;
}

/* The command as JSON; NULL if something on the command line is wrong, which is said then. */
static GString *write_command(const struct session *session, const struct registry_change *change,
			      char *const *texts)
{
	g_autoptr(GString) out = g_string_new(NULL);

	json_begin_object(out, NULL);
	json_add_text(out, "action", change->action);
	json_add_text(out, "object", change->object);
	for (int i = 0; i < session->argc; i++) {
		if (change->arguments[i].member == NULL &&
		    !add_text(session, out, "id", "id", session->argv[i]))
			return NULL;
	}
	json_begin_object(out, "values");
	if (!add_values(session, change, texts, out))
		return NULL;
	json_end_object(out);
	json_end_object(out);
	return g_steal_pointer(&out);
}

struct carried_out {
	const struct session *session;
	const struct registry_change *change;
};

static void say_done(void *context, const char *subject, const struct answer *answer)
{
	const struct carried_out *carried_out = context;
	const struct session *session = carried_out->session;
	const struct registry_change *change = carried_out->change;
	const struct json *id =
		session->argc == 0 ? json_member(answer->body, "id") : NULL; /* it got a number */

	if (id != NULL)
		session_say(session, json_as_written(answer->body), "%s %" G_GINT64_FORMAT ": %s",
			    change->noun, json_integer(id), change->done);
	else
		session_say(session, json_as_written(answer->body), "%s: %s", subject,
			    change->done);
}

static bool anything_given(const struct registry_change *change, char *const *texts)
{
	for (size_t i = 0; i < change->field_count; i++) {
		if (texts[i] != NULL)
			return true;
	}
	return false;
}

static enum exit_code carry_out(struct session *session, const struct registry_change *change,
				char *const *texts, broker_answered *done)
{
	struct carried_out carried_out = {session, change};
	g_autofree char *subject = NULL;
	g_autoptr(GString) command = write_command(session, change, texts);

	if (command == NULL)
		return EXIT_USAGE;
	subject = session->argc > 0 ? g_strdup_printf("%s %s", change->noun, session->argv[0])
				    : g_strdup(change->noun);
	return session_ask(session, command, subject, done, &carried_out);
}

/* Passwords of DPUs. The registry is first: it says whether there is such a DPU. And the gateway has answered then, so it
 * is connected: a mosquitto 2.0 that is reloaded before the gateway has come back to it denies the gateway its messages. */

static void say_nothing(void *context, const char *subject, const struct answer *answer)
{
	(void)context;
	(void)subject;
	(void)answer;
}

static enum exit_code give_password(struct session *session, const struct registry_change *change,
				    char *const *texts)
{
	struct access access;
	enum exit_code code = EXIT_REFUSED;
	const char *why;

	if (!access_open(session, &access))
		return EXIT_REFUSED;
	why = access_refusal(&access, session->argv[0]);
	if (why != NULL)
		session_complain(session, "%s: %s", session->argv[0], why);
	else
		code = carry_out(session, change, texts, say_nothing);
	if (code == EXIT_DONE)
		code = access_give_password(session, &access, session->argv[0]);
	access_close(&access);
	return code;
}

static enum exit_code remove_with_password(struct session *session,
					   const struct registry_change *change, char *const *texts)
{
	struct access access;
	enum exit_code code;

	if (!access_open(session, &access))
		return EXIT_REFUSED;
	code = carry_out(session, change, texts, say_done);
	if (code == EXIT_DONE)
		code = access_take_password(session, &access, session->argv[0]);
	access_close(&access);
	return code;
}

static enum exit_code change_registry(struct session *session, const struct registry_change *change,
				      char *const *texts, bool with_password)
{
	if (with_password)
		return give_password(session, change, texts);
	if (change->password == PASSWORD_GOES && access_exists(session))
		return remove_with_password(session, change, texts);
	if (strcmp(change->action, "update") == 0 && !anything_given(change, texts)) {
		session_complain(session, "nothing to change was given (see --help)");
		return EXIT_USAGE;
	}
	return carry_out(session, change, texts, say_done);
}

/* What --help says; the caller's. */
static char *describe(const struct registry_change *change, const struct field *field)
{
	if (field->otherwise == NULL || strcmp(change->action, "update") == 0)
		return g_strdup(field->help);
	return g_strdup_printf("%s (default: %s)", field->help, field->otherwise);
}

enum exit_code registry_run(struct session *session)
{
	const struct registry_change *change = session->command->details;
	char *texts[FIELDS_MOST] = {0}, *descriptions[FIELDS_MOST] = {0};
	GOptionEntry entries[FIELDS_MOST + 2] = {0};
	gboolean with_password = FALSE;
	enum exit_code code = EXIT_USAGE;

	assert(change->field_count <= FIELDS_MOST);
	for (size_t i = 0; i < change->field_count; i++) {
		const struct field *field = &change->fields[i];

		descriptions[i] = describe(change, field);
		/* A file name is what GOption hands over as it is, whatever the locale: JSON is UTF-8. */
		entries[i] = (GOptionEntry){.long_name = field->option,
					    .arg = G_OPTION_ARG_FILENAME,
					    .arg_data = &texts[i],
					    .description = descriptions[i],
					    .arg_description = field->placeholder};
	}
	if (change->password == PASSWORD_OFFERED)
		entries[change->field_count] =
			(GOptionEntry){.long_name = "password",
				       .arg_data = &with_password,
				       .description = "Give it a new password with the broker, "
						      "which is shown this once"};
	if (session_begin(session, entries))
		code = change_registry(session, change, texts, with_password);
	for (size_t i = 0; i < change->field_count; i++) {
		g_free(texts[i]);
		g_free(descriptions[i]);
	}
	return code;
}
