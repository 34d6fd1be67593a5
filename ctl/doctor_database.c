/* The database: its files, what SQLite and the facts say of it, and what waits in it. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "derived.h"
#include "doctor.h"
#include "event.h"
#include "list.h"
#include "retention.h"

#define QUICK_MS 10000
#define DEEP_MS (INT64_C(24) * 3600 * 1000)
#define WAL_LARGE (INT64_C(192) << 20) /* three times what the gateway lets it grow to */
#define SHOWN_MOST 3

/* Files */

/* What hinders the gateway, or helps others who are not to read it; NULL: nothing. */
static const char *judge_modes(const struct stat *file, const struct stat *folder)
{
	if (file->st_mode & S_IWOTH)
		return "everybody may write it";
	if (file->st_mode & S_IROTH)
		return "everybody may read it";
	if (!(file->st_mode & S_IWUSR))
		return "its owner may not write it, so the gateway can't store anything";
	if (!(folder->st_mode & S_IWUSR))
		return "the owner of its folder may not write there, so the gateway can't store "
		       "anything";
	return NULL;
}

static bool is_others(const char *path, const struct stat *file)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_uid != file->st_uid;
}

/* A -wal that root has made, by a gateway started by hand, keeps the real one out. */
static bool check_owners(struct doctor *doctor, const char *path, const struct stat *file)
{
	static const char *const endings[] = {"-wal", "-shm", ".writer"};

	for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *beside = g_strconcat(path, endings[i], NULL);

		if (is_others(beside, file)) {
			g_autofree char *remedy =
				g_strdup_printf("chown --reference=%s %s", path, beside);

			doctor_say(doctor, DOCTOR_ERROR, remedy,
				   "%s has another owner than the database", beside);
			return false;
		}
	}
	return true;
}

static bool check_files(struct doctor *doctor, const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *remedy =
		g_strdup_printf("chmod 0640 %s; chmod u+rwx,o-w %s", path, folder);
	struct stat file, around;
	struct statvfs mounted;
	const char *wrong;

	if (stat(path, &file) < 0 || stat(folder, &around) < 0)
		return true; /* opening it says why */
	if (statvfs(path, &mounted) == 0 && (mounted.f_flag & ST_RDONLY)) {
		doctor_say(doctor, DOCTOR_ERROR,
			   "mount it writable again; dmesg may say why it is not",
			   "%s is on a file system that is mounted read-only", path);
		return false;
	}
	wrong = judge_modes(&file, &around);
	if (wrong != NULL)
		doctor_say(doctor, DOCTOR_ERROR, remedy, "%s: %s", path, wrong);
	return wrong == NULL && check_owners(doctor, path, &file);
}

void doctor_database(struct doctor *doctor)
{
	struct session *session = doctor->session;
	const char *path = session->config.database;
	bool good = check_files(doctor, path);
	struct problem problem;

	if (store_open(path, STORE_READER, &session->store, &problem) != RESULT_OK)
		doctor_say(doctor, DOCTOR_ERROR,
			   "start headcount-gateway, which makes it or brings it up to date; if it "
			   "is damaged, put a backup in its place",
			   "%s", problem.detail);
	else if (good)
		doctor_say(doctor, DOCTOR_OK, NULL,
			   "%s has this program's schema version, %d, and %" PRId64 " MiB", path,
			   SCHEMA_VERSION, store_file_bytes(session->store) >> 20);
}

/* Damage */

struct damage {
	struct doctor *doctor;
	int64_t count;
	GString *text;
};

static void add_damage(void *context, const char *sentence)
{
	struct damage *damage = context;

	if (damage->count++ < SHOWN_MOST)
		g_string_append_printf(damage->text, "%s%s", damage->text->len > 0 ? "; " : "",
				       sentence);
}

void doctor_integrity(struct doctor *doctor)
{
	struct store *store = doctor->session->store;
	g_autoptr(GString) text = g_string_new(NULL);
	struct damage damage = {doctor, 0, text};
	enum result result = store_examine(store, doctor->deep, doctor->deep ? DEEP_MS : QUICK_MS,
					   add_damage, &damage);

	if (result == RESULT_FAILED)
		add_damage(&damage, store_error(store));
	g_strdelimit(text->str, "\n", ' ');
	if (damage.count > 0)
		doctor_say(doctor, DOCTOR_ERROR,
			   "stop headcount-gateway, keep a copy of the files, check the disk, and "
			   "put a backup in their place",
			   "the database is damaged: %s", text->str);
	else if (result == RESULT_BUSY)
		doctor_say(
			doctor, DOCTOR_UNKNOWN, NULL,
			"no damage within %d s, which was not enough for all of it (--deep takes "
			"its time)",
			QUICK_MS / 1000);
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "SQLite finds no damage");
}

/* Counts */

struct comparison {
	struct damage *damage;
	const char *space;
};

static void add_difference(void *context, const char *sentence)
{
	const struct comparison *comparison = context;
	g_autofree char *text = g_strdup_printf("%s: %s", comparison->space, sentence);

	add_damage(comparison->damage, text);
}

static void compare_space(void *context, const struct json *space)
{
	struct damage *damage = context;
	struct comparison comparison = {damage, json_member_text(space, "id", "")};
	struct store *store = damage->doctor->session->store;

	if (derived_compare(store, comparison.space, add_difference, &comparison) == RESULT_FAILED)
		add_damage(damage, store_error(store));
}

void doctor_counts(struct doctor *doctor)
{
	const struct listing_page all = {.after = ""};
	g_autoptr(GString) text = g_string_new(NULL);
	struct damage damage = {doctor, 0, text};
	char next[JSON_ID_SIZE];

	if (!list_each(doctor->session, LISTING_SPACES, &all, compare_space, &damage, next))
		doctor_say(doctor, DOCTOR_ERROR, "see the finding about integrity",
			   "the spaces can't be read");
	else if (damage.count > 0)
		doctor_say(doctor, DOCTOR_ERROR,
			   PROGRAM " rebuild derives them again; it is a bug, please report it",
			   "%" PRId64 " counts are not what the crossings give: %s", damage.count,
			   text->str);
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "all are what the crossings give");
}

void doctor_wal(struct doctor *doctor)
{
	int64_t bytes = store_wal_bytes(doctor->session->store);

	if (bytes <= WAL_LARGE)
		doctor_say(doctor, DOCTOR_OK, NULL, "%" PRId64 " MiB", bytes >> 20);
	else
		doctor_say(
			doctor, DOCTOR_WARNING,
			"start headcount-gateway if it is down; else end what reads the database "
			"without a pause (lsof shows it)",
			"the file %s-wal has grown to %" PRId64 " MiB",
			doctor->session->config.database, bytes >> 20);
}

/* What waits */

struct rejected {
	GString *text;
	int64_t count, clock_ahead;
};

static enum result count_rejected(struct store *store, void *context)
{
	struct rejected *rejected = context;
	struct query *query = store_query(store, SQL_REJECTED_BY_REASON);

	while (query_next(query)) {
		const char *reason = query_text(query, 0);
		int64_t count = query_integer(query, 1);

		if (strcmp(reason, reason_name(REASON_CLOCK_AHEAD)) == 0) {
			rejected->clock_ahead = count;
			continue;
		}
		g_string_append_printf(rejected->text, "%s%" PRId64 " %s",
				       rejected->text->len > 0 ? ", " : "", count, reason);
		rejected->count += count;
	}
	return RESULT_OK;
}

static bool read_in(struct doctor *doctor, store_work *work, void *context)
{
	struct store *store = doctor->session->store;

	if (store_transaction(store, work, context) == RESULT_OK)
		return true;
	doctor_say(doctor, DOCTOR_ERROR, "see the finding about integrity", "%s",
		   store_error(store));
	return false;
}

void doctor_rejected(struct doctor *doctor)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct rejected rejected = {.text = text};

	if (!read_in(doctor, count_rejected, &rejected))
		return;
	if (rejected.count == 0)
		doctor_say(doctor, DOCTOR_OK, NULL, "no rejected event waits");
	else
		doctor_say(doctor, DOCTOR_WARNING,
			   PROGRAM
			   " rejected list shows them; unknown_dpu and no_installation mend "
			   "themselves once the DPU is where it belongs; " PROGRAM
			   " rejected remove deletes them",
			   "%" PRId64 " rejected events wait: %s", rejected.count, text->str);
}

void doctor_dpu_clocks(struct doctor *doctor)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct rejected rejected = {.text = text};

	if (!read_in(doctor, count_rejected, &rejected))
		return;
	if (rejected.clock_ahead == 0)
		doctor_say(doctor, DOCTOR_OK, NULL, "no event came from the future");
	else
		doctor_say(doctor, DOCTOR_WARNING,
			   "set the clocks of those DPUs (" PROGRAM
			   " rejected list --reason clock_ahead); then " PROGRAM
			   " rejected replay --reason clock_ahead",
			   "%" PRId64 " events came from the future: DPUs whose clocks are ahead",
			   rejected.clock_ahead);
}

static enum result read_horizon(struct store *store, void *ret_horizon)
{
	*(instant *)ret_horizon = retention_horizon(store);
	return RESULT_OK;
}

void doctor_retention(struct doctor *doctor)
{
	instant horizon = 0;
	char text[INSTANT_TEXT_SIZE];

	if (!read_in(doctor, read_horizon, &horizon))
		return;
	instant_format(CLAMP(horizon, INSTANT_FIRST, INSTANT_LAST), text);
	if (horizon <= INSTANT_FIRST)
		doctor_say(doctor, DOCTOR_OK, NULL, "crossings are kept for ever");
	else
		doctor_say(doctor, DOCTOR_OK, NULL, "crossings before %s are too old", text);
}
