#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "commands.h"
#include "csv.h"
#include "progress.h"

#define COMPLAINTS_MOST 20 /* the rest is counted */
#define STATUS_CONFLICT 409

/* The columns of the file. */
enum part { PART_ID, PART_NAME, PART_DOORWAY, PART_ORIENTATION, PARTS };
static const char *const parts[PARTS] = {
	[PART_ID] = "dpu_id",
	[PART_NAME] = "name",
	[PART_DOORWAY] = "doorway",
	[PART_ORIENTATION] = "orientation",
};

struct provision {
	struct session *session;
	const char *path;
	FILE *file, *out;
	struct csv *csv;
	struct access access;
	struct progress progress;
	size_t columns[PARTS]; /* SIZE_MAX: there is none */
	instant from;          /* when what hangs at a doorway was hung there */
	GHashTable *seen;      /* ids of rows so far */
	GPtrArray *rows;       /* of struct row, as in the file */
	int64_t added, existing, hung, refused, passwords;
};

struct row {
	struct provision *provision;
	char *id;
	int64_t line;
	bool registered; /* the gateway knows the DPU */
	bool is_new;     /* since now */
};

static void free_row(void *data)
{
	struct row *row = data;

	g_free(row->id);
	g_free(row);
}

static void complain_line(struct provision *provision, int64_t line, const char *what,
			  const char *why)
{
	provision->refused++;
	progress_end(&provision->progress);
	if (provision->refused <= COMPLAINTS_MOST)
		session_complain(provision->session, "%s:%" PRId64 ": %s: %s", provision->path,
				 line, what, why);
	if (provision->refused == COMPLAINTS_MOST)
		session_complain(provision->session, "%s: further rows like that are only counted",
				 provision->path);
}

/* Answers of the gateway */

static void note_dpu(void *context, const char *subject, const struct answer *answer)
{
	struct row *row = context;

	row->is_new = answer->status < 400;
	row->registered = row->is_new || answer->status == STATUS_CONFLICT;
	if (row->is_new)
		row->provision->added++;
	else if (row->registered)
		row->provision->existing++;
	else
		complain_line(row->provision, row->line, subject,
			      json_member_text(answer->body, "detail", "it is refused"));
}

/* A DPU that was there before may hang already, there or elsewhere: it stays where it is. */
static void note_installation(void *context, const char *subject, const struct answer *answer)
{
	struct row *row = context;

	if (answer->status < 400)
		row->provision->hung++;
	else if (row->is_new || answer->status != STATUS_CONFLICT)
		complain_line(row->provision, row->line, subject,
			      json_member_text(answer->body, "detail", "it is refused"));
}

/* Rows */

static const char *part_of(const struct provision *provision, enum part part)
{
	return provision->columns[part] == SIZE_MAX
		       ? ""
		       : csv_field(provision->csv, provision->columns[part]);
}

static GString *begin_command(const char *object)
{
	GString *command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", "create");
	json_add_text(command, "object", object);
	json_begin_object(command, "values");
	return command;
}

static enum result send_command(struct row *row, GString *command, broker_answered *handler)
{
	g_autofree char *subject = g_strconcat("DPU ", row->id, NULL);

	json_end_object(command);
	json_end_object(command);
	return broker_request(row->provision->session->broker,
			      &(struct request){.topic = BROKER_COMMANDS,
						.payload = command->str,
						.size = command->len,
						.expires = true,
						.subject = subject,
						.handler = handler,
						.context = row});
}

static enum result send_row(struct row *row)
{
	const struct provision *provision = row->provision;
	g_autoptr(GString) dpu = begin_command("dpu");
	g_autoptr(GString) installation = begin_command("installation");
	enum result result;

	json_add_text(dpu, "id", row->id);
	if (*part_of(provision, PART_NAME) != '\0')
		json_add_text(dpu, "name", part_of(provision, PART_NAME));
	result = send_command(row, dpu, note_dpu);
	if (result != RESULT_OK || *part_of(provision, PART_DOORWAY) == '\0')
		return result;
	json_add_text(installation, "dpu", row->id);
	json_add_text(installation, "doorway", part_of(provision, PART_DOORWAY));
	json_add_instant(installation, "started_at", provision->from);
	json_add_integer(installation, "orientation",
			 *part_of(provision, PART_ORIENTATION) == '-' ? -1 : 1);
	return send_command(row, installation, note_installation);
}

/* NULL, or what was expected. */
static const char *check_row(const struct provision *provision)
{
	static const char *const orientations[] = {"", "1", "-1", NULL};
	const char *id = part_of(provision, PART_ID);
	const char *why = access_refusal(&provision->access, id);

	if (!json_is_id(id, strlen(id)))
		return "dpu_id: expected 1 to 64 characters of A-Z a-z 0-9 . _ : -";
	if (why != NULL)
		return why;
	if (g_hash_table_contains(provision->seen, id))
		return "dpu_id: it was in an earlier row";
	if (!g_utf8_validate(part_of(provision, PART_NAME), -1, NULL))
		return "name: it is not UTF-8";
	if (!json_is_id(part_of(provision, PART_DOORWAY),
			strlen(part_of(provision, PART_DOORWAY))) &&
	    *part_of(provision, PART_DOORWAY) != '\0')
		return "doorway: expected 1 to 64 characters of A-Z a-z 0-9 . _ : -";
	if (!g_strv_contains(orientations, part_of(provision, PART_ORIENTATION)))
		return "orientation: expected 1 or -1";
	return NULL;
}

static enum result take_row(struct provision *provision, enum csv_row kind)
{
	const char *why = kind == CSV_ROW ? check_row(provision) : csv_why(provision->csv);
	struct row *row;

	if (why != NULL) {
		complain_line(provision, csv_line(provision->csv), part_of(provision, PART_ID),
			      why);
		return RESULT_OK;
	}
	row = g_new0(struct row, 1);
	row->provision = provision;
	row->id = g_strdup(part_of(provision, PART_ID));
	row->line = csv_line(provision->csv);
	g_ptr_array_add(provision->rows, row);
	g_hash_table_add(provision->seen, row->id);
	return send_row(row);
}

static enum result send_rows(struct provision *provision)
{
	struct stat status;
	int64_t size = fstat(fileno(provision->file), &status) == 0 ? (int64_t)status.st_size : 0;
	enum result result = RESULT_OK;
	enum csv_row kind;

	while (result == RESULT_OK && (kind = csv_next(provision->csv)) != CSV_END) {
		result = take_row(provision, kind);
		progress_show(&provision->progress, provision->rows->len, csv_bytes(provision->csv),
			      size);
	}
	if (result == RESULT_OK)
		result = broker_finish(provision->session->broker);
	progress_end(&provision->progress);
	return result;
}

/* The header */

static bool read_header(struct provision *provision)
{
	struct csv *csv = provision->csv;

	for (size_t i = 0; i < PARTS; i++)
		provision->columns[i] = SIZE_MAX;
	if (csv_next(csv) == CSV_ROW) {
		for (size_t i = 0; i < csv_fields(csv); i++) {
			g_autofree char *field = g_strstrip(g_strdup(csv_field(csv, i)));

			for (size_t j = 0; j < PARTS; j++) {
				if (g_ascii_strcasecmp(field, parts[j]) == 0)
					provision->columns[j] = i;
			}
		}
	}
	if (provision->columns[PART_ID] != SIZE_MAX)
		return true;
	session_complain(provision->session, "%s: expected a header with a column 'dpu_id'",
			 provision->path);
	return false;
}

/* Passwords */

static bool give_password(struct provision *provision, const char *id)
{
	char password[PASSWORD_SIZE];
	bool given =
		password_make(password) && passwords_set(provision->access.passwords, id, password);

	if (given)
		fprintf(provision->out, "%s,%s\n", id, password);
	explicit_bzero(password, sizeof password);
	provision->passwords++;
	return given;
}

static bool give_passwords(struct provision *provision)
{
	fputs("dpu_id,password\n", provision->out);
	for (guint i = 0; i < provision->rows->len; i++) {
		const struct row *row = g_ptr_array_index(provision->rows, i);

		if (!row->registered || passwords_has(provision->access.passwords, row->id))
			continue;
		if (!give_password(provision, row->id)) {
			session_complain(provision->session, "the system has no random numbers");
			return false;
		}
	}
	return true;
}

/* They are told before they hold: what was told and does not hold can be made anew, the other way round nobody knew
 * them. */
static bool save_passwords(const struct provision *provision)
{
	struct problem problem;

	if (fflush(provision->out) != 0 || ferror(provision->out) ||
	    (fsync(fileno(provision->out)) != 0 && errno != EINVAL && errno != EROFS)) {
		session_complain(provision->session, "the passwords can't be written: %s",
				 g_strerror(errno));
		return false;
	}
	if (passwords_save(provision->access.passwords, &problem) == RESULT_OK)
		return true;
	session_complain(provision->session, "the passwords that were written do not hold: %s",
			 problem.detail);
	return false;
}

static enum exit_code conclude(struct provision *provision, enum result result)
{
	bool saved = give_passwords(provision) && save_passwords(provision);

	fprintf(stderr,
		"%" PRId64 " DPUs added, %" PRId64 " there already, %" PRId64 " hung at a doorway, "
		"%" PRId64 " passwords made, %" PRId64 " refused\n",
		provision->added, provision->existing, provision->hung, provision->passwords,
		provision->refused);
	if (provision->passwords > 0 && saved)
		access_say_reload();
	if (result != RESULT_OK)
		return session_no_answer(provision->session);
	return saved && provision->refused == 0 && !ferror(provision->file) ? EXIT_DONE
									    : EXIT_REFUSED;
}

static enum exit_code provide(struct session *session, FILE *file, FILE *out)
{
	struct provision provision = {
		.session = session,
		.path = session->argv[0],
		.file = file,
		.out = out,
		.csv = csv_new(file),
		.progress = progress_begin("DPUs"),
		.from = instant_now(),
		.seen = g_hash_table_new(g_str_hash, g_str_equal),
		.rows = g_ptr_array_new_with_free_func(free_row),
	};
	enum exit_code code = EXIT_REFUSED;

	if (read_header(&provision) && access_open(session, &provision.access)) {
		code = EXIT_NO_ANSWER;
		if (session_broker(session) != NULL)
			code = conclude(&provision, send_rows(&provision));
		access_close(&provision.access);
	}
	g_hash_table_unref(provision.seen);
	g_ptr_array_unref(provision.rows);
	csv_free(provision.csv);
	return code;
}

/* Readable by its owner alone, and never one that is there: it may hold passwords that nobody else knows. */
static FILE *open_out(const struct session *session, const char *path)
{
	mode_t before = umask(0077);
	FILE *out = path == NULL ? stdout : fopen(path, "wxe");

	umask(before);
	if (out == NULL)
		session_complain(session, "--out: %s: %s", path, g_strerror(errno));
	return out;
}

enum exit_code provision_run(struct session *session)
{
	g_autofree char *out_path = NULL;
	const GOptionEntry entries[] = {
		{"out", 0, 0, G_OPTION_ARG_FILENAME, &out_path,
		 "Write the passwords to this new file, which only its owner reads (default: "
		 "standard "
		 "output)",
		 "FILE"},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code = EXIT_REFUSED;
	FILE *file, *out;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	file = strcmp(session->argv[0], "-") == 0 ? stdin : fopen(session->argv[0], "re");
	if (file == NULL) {
		session_complain(session, "%s: %s", session->argv[0], g_strerror(errno));
		return EXIT_REFUSED;
	}
	out = open_out(session, out_path);
	if (out != NULL)
		code = provide(session, file, out);
	if (out != NULL && out != stdout)
		fclose(out);
	fclose(file);
	return code;
}
