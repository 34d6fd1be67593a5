#include "world.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "occupancy.h"

#define OUTSIDE 0

/* clang-format off */
static const char *const building[] = {
	"{'action':'create','object':'space','values':{'id':'site'}}",
	"{'action':'create','object':'space','values':{'id':'A','parent':'site','capacity':10,'timezone':'Europe/Berlin','daily_reset':'04:00'}}",
	"{'action':'create','object':'space','values':{'id':'B','parent':'site'}}",
	"{'action':'create','object':'doorway','values':{'id':'X','space':'A'}}",
	"{'action':'create','object':'doorway','values':{'id':'Z','space':'A','adjacent_space':'B'}}",
	"{'action':'create','object':'dpu','values':{'id':'1'}}",
	"{'action':'create','object':'dpu','values':{'id':'2'}}",
	"{'action':'create','object':'installation','values':{'dpu':'1','doorway':'X','started_at':'1970-01-01T00:00:00.000Z'}}",
	"{'action':'create','object':'installation','values':{'dpu':'2','doorway':'Z','started_at':'1970-01-01T00:00:00.000Z','ended_at':'2020-09-01T22:40:00.000Z','orientation':-1}}",
};
/* clang-format on */

static sqlite3 *pristine; /* in memory */
static sqlite3 *view;     /* of the world */

/* Making it */

static enum result build(struct store *store, void *context)
{
	const struct registry_limits limits = {.now = WORLD_NOW, .max_clock_skew_ms = 60000};

	(void)context;
	for (size_t i = 0; i < G_N_ELEMENTS(building); i++) {
		g_autofree char *command = g_strdelimit(g_strdup(building[i]), "'", '"');
		g_autoptr(GString) answer = g_string_new(NULL);

		registry_command(store, command, strlen(command), &limits, answer);
		g_assert(strstr(answer->str, "\"status\":201") != NULL);
	}
	return RESULT_OK;
}

static sqlite3 *open_database(const char *path)
{
	sqlite3 *database;

	g_assert(sqlite3_open(path, &database) == SQLITE_OK);
	return database;
}

static void copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");

	g_assert(backup != NULL && sqlite3_backup_step(backup, -1) == SQLITE_DONE);
	g_assert(sqlite3_backup_finish(backup) == SQLITE_OK);
}

static void make_pristine(void)
{
	const char *path = fuzz_path("pristine.db");
	struct problem problem;
	struct store *store;
	sqlite3 *file;

	g_assert(store_open(path, STORE_WRITER, &store, &problem) == RESULT_OK);
	g_assert(store_transaction(store, build, NULL) == RESULT_OK);
	store_close(store);
	file = open_database(path);
	pristine = open_database(":memory:");
	copy(file, pristine);
	sqlite3_close(file);
}

const char *world_reset(void)
{
	static const char *const files[] = {"world.db", "world.db-wal", "world.db-shm"};

	if (pristine == NULL)
		make_pristine();
	sqlite3_close(view);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		g_unlink(fuzz_path(files[i]));
	view = open_database(fuzz_path(files[0]));
	copy(pristine, view);
	return fuzz_path(files[0]);
}

/* Looking at it */

typedef void row_found(void *context, sqlite3_stmt *row);

static void each_row(const char *sql, row_found *found, void *context)
{
	sqlite3_stmt *statement;
	int code;

	g_assert(sqlite3_prepare_v2(view, sql, -1, &statement, NULL) == SQLITE_OK);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		found(context, statement);
	g_assert(code == SQLITE_DONE);
	sqlite3_finalize(statement);
}

/* The recount */

struct counted {
	sqlite3_int64 time;
	int kind; /* of one instant: entries, exits, resets of the schedule, of people */
	sqlite3_int64 value;
};

struct recount {
	GHashTable *parents; /* of spaces; OUTSIDE if they have none */
	sqlite3_int64 space; /* which is counted */
	GArray *changes;
};

static gint64 *key_of(sqlite3_int64 id)
{
	return g_memdup2(&id, sizeof id);
}

static void take_parent(void *context, sqlite3_stmt *row)
{
	g_hash_table_insert(context, key_of(sqlite3_column_int64(row, 0)),
			    key_of(sqlite3_column_int64(row, 1)));
}

static bool is_inside(const struct recount *recount, sqlite3_int64 place)
{
	while (place != OUTSIDE && place != recount->space) {
		const gint64 *parent = g_hash_table_lookup(recount->parents, &place);

		place = parent != NULL ? *parent : OUTSIDE;
	}
	return place != OUTSIDE;
}

static void take_crossing(void *context, sqlite3_stmt *row)
{
	struct recount *recount = context;
	int sign = is_inside(recount, sqlite3_column_int64(row, 2)) -
		   is_inside(recount, sqlite3_column_int64(row, 3));
	struct counted change = {.time = sqlite3_column_int64(row, 0),
				 .value = sign * sqlite3_column_int64(row, 1)};

	change.kind = change.value > 0 ? 0 : 1;
	if (sign != 0)
		g_array_append_val(recount->changes, change);
}

static void take_reset(void *context, sqlite3_stmt *row)
{
	struct recount *recount = context;
	struct counted change = {.time = sqlite3_column_int64(row, 1),
				 .kind = 2 + sqlite3_column_int(row, 2),
				 .value = sqlite3_column_int64(row, 3)};

	if (sqlite3_column_int64(row, 0) == recount->space)
		g_array_append_val(recount->changes, change);
}

static int compare(const void *a, const void *b)
{
	const struct counted *first = a, *second = b;

	if (first->time != second->time)
		return first->time < second->time ? -1 : 1;
	return first->kind - second->kind;
}

struct check {
	struct store *store;
	GHashTable *parents;
};

static void check_space(void *context, sqlite3_stmt *row)
{
	struct check *check = context;
	struct recount recount = {.parents = check->parents,
				  .space = sqlite3_column_int64(row, 0),
				  .changes = g_array_new(FALSE, FALSE, sizeof(struct counted))};
	sqlite3_int64 count = 0, net = 0;

	each_row("SELECT dpu_event_time, count * orientation, space, coalesce(adjacent_space, 0)"
		 " FROM installation_count JOIN installation ON installation.id = installation"
		 " JOIN doorway ON doorway.id = doorway",
		 take_crossing, &recount);
	each_row("SELECT space, reset_time, by_person, count FROM space_reset", take_reset,
		 &recount);
	g_array_sort(recount.changes, compare);
	for (guint i = 0; i < recount.changes->len; i++) {
		const struct counted *change = &g_array_index(recount.changes, struct counted, i);

		count = change->kind < 2 ? MAX(count + change->value, 0) : change->value;
		net = change->kind < 2 ? net + change->value : change->value;
	}
	g_array_unref(recount.changes);
	g_assert(sqlite3_column_int64(row, 1) == count && sqlite3_column_int64(row, 2) == net);
}

/* What the project itself finds */

static void differs(void *context, const char *sentence)
{
	(void)context;
	g_error("%s", sentence);
}

static void check_occupancy(void *context, sqlite3_stmt *row)
{
	struct check *check = context;

	g_assert(occupancy_check(check->store, sqlite3_column_int64(row, 0), differs, NULL));
}

static enum result check_derived(struct store *store, void *context)
{
	struct check *check = context;

	check->store = store;
	each_row("SELECT id FROM space", check_occupancy, check);
	return RESULT_OK;
}

static void broken(void *context, sqlite3_stmt *row)
{
	(void)context;
	g_error("%s refers to nothing", sqlite3_column_text(row, 0));
}

static void check_number(void *context, sqlite3_stmt *row)
{
	(void)context;
	g_assert(sqlite3_column_int64(row, 0) == sqlite3_column_int64(row, 1));
}

void world_check(struct store *store)
{
	struct check check = {
		.parents = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free)};

	each_row("PRAGMA foreign_key_check", broken, NULL);
	each_row("SELECT (SELECT count(*) FROM rejected_event), rejected_rows FROM meta",
		 check_number, NULL);
	each_row("SELECT id, coalesce(parent, 0) FROM space", take_parent, check.parents);
	each_row("SELECT id, coalesce(count, 0), coalesce(net, 0)"
		 " FROM space LEFT JOIN occupancy_now ON occupancy_now.space = space.id",
		 check_space, &check);
	g_assert(store_transaction(store, check_derived, &check) == RESULT_OK);
	g_hash_table_unref(check.parents);
}

static void add_row(void *context, sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const unsigned char *text = sqlite3_column_text(row, i);

		g_string_append_printf(context, "%s|", text != NULL ? (const char *)text : "NULL");
	}
	g_string_append_c(context, '\n');
}

char *world_facts(void)
{
	static const char *const tables[] = {
		"SELECT * FROM space ORDER BY id",
		"SELECT * FROM doorway ORDER BY id",
		"SELECT * FROM dpu ORDER BY id",
		"SELECT * FROM installation ORDER BY id",
		"SELECT * FROM installation_count ORDER BY 1, 2, 3, 4",
		"SELECT * FROM space_reset ORDER BY 1, 2, 3",
		"SELECT space, count, net, last_event_time, last_change_time"
		" FROM occupancy_now ORDER BY 1",
		"SELECT * FROM summary ORDER BY 1, 2, 3",
		"SELECT reason, topic, dpu_id, hex(item), event_received_time, last_received_time,"
		" times FROM rejected_event ORDER BY topic, item_digest",
	};
	GString *facts = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		each_row(tables[i], add_row, facts);
	return g_string_free(facts, FALSE);
}

void world_check_answer(const char *answer, size_t size)
{
	const char *why = "";
	g_autoptr(Json) json = json_read(answer, size, &why);
	int64_t status;

	g_assert(json != NULL && json_kind(json) == JSON_OBJECT);
	status = json_member_integer(json, "status", 0);
	g_assert(status >= 200 && status < 500 && json_member(json, "body") != NULL);
}
