#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attribution.h"
#include "commits.h"
#include "occupancy.h"
#include "partial.h"
#include "space.h"

#define EXAMINE_MS INSTANT_DAY /* as long as it takes */

static enum result file_failed(const char *path, struct problem *reterr_problem)
{
	return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path, g_strerror(errno));
}

/* A name is on the disk when its folder is. */
static enum result synchronize_folder(const char *path, struct problem *reterr_problem)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = descriptor >= 0 && fsync(descriptor) == 0;

	if (!done)
		file_failed(folder, reterr_problem);
	if (descriptor >= 0)
		close(descriptor);
	return done ? RESULT_OK : RESULT_FAILED;
}

/* Examining a copy */

struct known_space {
	int64_t key;
	char id[JSON_ID_SIZE];
};

static GArray *read_spaces(struct store *store)
{
	GArray *spaces = g_array_new(FALSE, FALSE, sizeof(struct known_space));
	struct query *query = store_query(store, SQL_SPACE_ALL);

	while (query_next(query)) {
		struct known_space space = {.key = query_integer(query, 0)};

		g_strlcpy(space.id, query_text(query, 1), sizeof space.id);
		g_array_append_val(spaces, space);
	}
	return spaces;
}

struct examination {
	const struct backup_watch *watch;
	struct problem *problem;
	const char *space; /* under examination */
	int64_t differences;
};

static void note_difference(void *context, const char *sentence)
{
	struct examination *examination = context;

	examination->differences++;
	examination->watch->differs(examination->watch->context, examination->space, sentence);
}

static enum result examine_spaces(struct store *store, struct examination *examination)
{
	const struct backup_watch *watch = examination->watch;
	g_autoptr(GArray) spaces = read_spaces(store);

	for (guint i = 0; i < spaces->len; i++) {
		const struct known_space *space = &g_array_index(spaces, struct known_space, i);

		if (!watch->checking(watch->context, i, spaces->len))
			return problem_set(examination->problem, RESULT_BUSY, "", "stopped");
		examination->space = space->id;
		occupancy_check(store, space->key, note_difference, examination);
	}
	if (examination->differences == 0)
		return RESULT_OK;
	return problem_set(examination->problem, RESULT_FAILED, "",
			   "what is derived is not in step with the facts: headcount rebuild");
}

static enum result examine_contents(struct store *store, void *context)
{
	struct examination *examination = context;

	if (!attribution_holds(store))
		return problem_set(examination->problem, RESULT_FAILED, "",
				   "the copy is damaged: rows refer to others that are missing");
	return examine_spaces(store, examination);
}

static void note_damage(void *context, const char *sentence)
{
	struct examination *examination = context;

	examination->differences++;
	problem_set(examination->problem, RESULT_FAILED, "", "the copy is damaged: %s", sentence);
}

static enum result examine_copy(struct store *store, const struct backup_watch *watch,
				struct problem *reterr_problem)
{
	struct examination examination = {.watch = watch, .problem = reterr_problem};
	enum result result =
		store_examine(store, !watch->quick, EXAMINE_MS, note_damage, &examination);

	if (result == RESULT_OK && examination.differences > 0)
		return RESULT_FAILED;
	if (result == RESULT_OK && !watch->quick)
		result = store_transaction(store, examine_contents, &examination);
	if (store_failed(store))
		problem_set(reterr_problem, result, "", "the copy can't be read: %s",
			    store_error(store));
	return result;
}

/* Making one */

static enum result copy_and_examine(const char *database, const char *partial,
				    const struct backup_watch *watch,
				    struct problem *reterr_problem)
{
	struct store *copy = NULL;
	enum result result =
		store_copy(database, partial, watch->copying, watch->context, reterr_problem);

	if (result == RESULT_OK)
		result = store_open(partial, STORE_READER, &copy, reterr_problem);
	if (result == RESULT_OK)
		result = examine_copy(copy, watch, reterr_problem);
	store_close(copy);
	return result;
}

static enum result exists_already(const char *file, struct problem *reterr_problem)
{
	return problem_set(reterr_problem, RESULT_CONFLICT, "",
			   "%s is there already: expected a new name, or --force to replace it",
			   file);
}

/* Not every file system can refuse to replace: there, whoever looked a moment ago must do. */
static enum result give_name(const char *partial, const char *file, bool replace,
			     struct problem *reterr_problem)
{
	int moved = renameat2(AT_FDCWD, partial, AT_FDCWD, file, replace ? 0 : RENAME_NOREPLACE);

	if (moved < 0 && errno == EEXIST)
		return exists_already(file, reterr_problem);
	if (moved < 0 && errno == EINVAL)
		moved = rename(partial, file);
	if (moved < 0)
		return file_failed(file, reterr_problem);
	return synchronize_folder(file, reterr_problem);
}

enum result backup_make(const char *database, const char *file, bool replace,
			const struct backup_watch *watch, struct problem *reterr_problem)
{
	g_autofree char *partial = g_strconcat(file, ".partial", NULL);
	enum result result;
	int descriptor = -1;

	if (!replace && access(file, F_OK) == 0)
		return exists_already(file, reterr_problem);
	result = partial_open(partial, &descriptor, reterr_problem);
	if (result != RESULT_OK)
		return result;
	result = copy_and_examine(database, partial, watch, reterr_problem);
	if (result == RESULT_OK)
		result = give_name(partial, file, replace, reterr_problem);
	if (result != RESULT_OK)
		unlink(partial);
	close(descriptor);
	return result;
}

/* Restoring: a life of its own for what comes back */

/* Ids of spaces that the old database has or knows to be removed; what the broker retains of them is to go, unless they
 * are back. */
static enum result read_ids(struct store *store, void *context)
{
	struct query *query = store_query(store, SQL_SPACE_IDS_EVER);

	while (query_next(query))
		g_ptr_array_add(context, g_strdup(query_text(query, 0)));
	return RESULT_OK;
}

/* Those of a database that can't be read are not known. */
static GPtrArray *ids_of(const char *database)
{
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
	struct store *store = NULL;
	struct problem problem;

	if (store_open(database, STORE_SOURCE, &store, &problem) != RESULT_OK ||
	    store_transaction(store, read_ids, ids) != RESULT_OK)
		g_ptr_array_set_size(ids, 0);
	store_close(store);
	return ids;
}

static bool is_space(struct store *store, const char *id)
{
	struct query *query = store_query(store, SQL_SPACE_KEY);
	bool found;

	query_bind_text(query, 1, id);
	found = query_next(query);
	query_end(query);
	return found;
}

static void remember_removed(struct store *store, const GPtrArray *ids)
{
	for (guint i = 0; i < ids->len; i++) {
		const char *id = g_ptr_array_index(ids, i);
		struct query *query;

		if (is_space(store, id))
			continue;
		query = store_query(store, SQL_SPACE_REMOVED_REMEMBER);
		query_bind_text(query, 1, id);
		query_bind_integer(query, 2, occupancy_take_revisions(store, 1));
		query_run(query);
	}
}

struct renewal {
	const GPtrArray *old_ids;
	instant last_event_time;
};

/* How far revisions had come is not known: the old database may be lost, and the broker, a display or a browser has seen
 * it all the same. Microseconds since 1970 are ahead of them, whatever happened: no gateway gives a million a second.
 * They stay below 2^53, which a JSON number can hold, until 2255. */
static enum result renew(struct store *store, void *context)
{
	struct renewal *renewal = context;
	g_autoptr(GArray) spaces = read_spaces(store);
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	struct query *query = store_query(store, SQL_META_RAISE_REVISION);

	query_bind_integer(query, 1, g_get_real_time());
	query_run(query);
	renewal->last_event_time = INSTANT_NONE;
	for (guint i = 0; i < spaces->len; i++) {
		int64_t key = g_array_index(spaces, struct known_space, i).key;

		renewal->last_event_time =
			MAX(renewal->last_event_time, history_now(store, key).last_event_time);
		occupancy_touch(store, key);
	}
	(void)read_ids(store, ids);
	remember_removed(store, ids);
	remember_removed(store, renewal->old_ids);
	return RESULT_OK;
}

static enum result prepare(const char *partial, const struct backup_watch *watch,
			   struct renewal *renewal, struct problem *reterr_problem)
{
	struct store *copy = NULL;
	enum result result = store_open(partial, STORE_COPY, &copy, reterr_problem);

	if (result == RESULT_OK)
		result = examine_copy(copy, watch, reterr_problem);
	if (result == RESULT_OK) {
		result = store_transaction(copy, renew, renewal);
		if (result != RESULT_OK)
			problem_set(reterr_problem, result, "", "%s: %s", partial,
				    store_error(copy));
	}
	store_close(copy);
	return result;
}

/* Restoring: the files */

/* The readers' right to the file, and the gateway's. By its descriptor: root does this in a folder of another user, who
 * could have put a link in its place. */
static enum result take_owner(int descriptor, const char *database, struct problem *reterr_problem)
{
	g_autofree char *folder = g_path_get_dirname(database);
	struct stat of;
	mode_t mode;

	if (stat(database, &of) == 0)
		mode = of.st_mode & 0777;
	else if (stat(folder, &of) == 0)
		mode = 0640;
	else
		return file_failed(folder, reterr_problem);
	if (fchmod(descriptor, mode) < 0 || fchown(descriptor, of.st_uid, of.st_gid) < 0)
		return file_failed(database, reterr_problem);
	return RESULT_OK;
}

static bool give_second_name(const char *path, const char *name)
{
	return link(path, name) == 0 || errno == ENOENT;
}

/* A WAL belongs to its database alone: beside another one it would be copied into that. Emptied, it carries nothing, and
 * at each moment there is a whole database under the name. Where the old one can't even be opened, its WAL is kept beside
 * it, and a crash before the next step leaves it without. */
static enum result keep_old(const char *database, const char *kept, struct problem *reterr_problem)
{
	g_autofree char *wal = g_strconcat(database, "-wal", NULL);
	g_autofree char *shm = g_strconcat(database, "-shm", NULL);
	g_autofree char *kept_wal = g_strconcat(kept, "-wal", NULL);
	bool emptied = store_empty_wal(database);

	if (!give_second_name(database, kept) || (!emptied && !give_second_name(wal, kept_wal)))
		return file_failed(kept, reterr_problem);
	unlink(wal);
	unlink(shm);
	return synchronize_folder(kept, reterr_problem);
}

static char *name_kept(const char *database)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%S.%fZ");

	return g_strconcat(database, ".before-", time, NULL);
}

static enum result put_in_place(const char *partial, int descriptor, const char *database,
				char **ret_kept, struct problem *reterr_problem)
{
	g_autofree char *kept = access(database, F_OK) == 0 ? name_kept(database) : NULL;
	enum result result = take_owner(descriptor, database, reterr_problem);

	if (result == RESULT_OK && kept != NULL)
		result = keep_old(database, kept, reterr_problem);
	if (result == RESULT_OK)
		result = give_name(partial, database, true, reterr_problem);
	if (result == RESULT_OK)
		*ret_kept = g_steal_pointer(&kept);
	return result;
}

static enum result restore(const char *file, const char *database, const struct backup_watch *watch,
			   struct backup_restored *ret_restored, struct problem *reterr_problem)
{
	g_autofree char *partial = g_strconcat(database, ".restoring", NULL);
	g_autoptr(GPtrArray) old_ids = ids_of(database);
	struct renewal renewal = {.old_ids = old_ids};
	enum result result;
	int descriptor = -1;

	*ret_restored = (struct backup_restored){0};
	unlink(partial); /* of one that was killed; or what somebody laid there */
	result = partial_open(partial, &descriptor, reterr_problem);
	if (result != RESULT_OK)
		return result;
	result = store_copy(file, partial, watch->copying, watch->context, reterr_problem);
	if (result == RESULT_OK)
		result = prepare(partial, watch, &renewal, reterr_problem);
	if (result == RESULT_OK)
		result = put_in_place(partial, descriptor, database, &ret_restored->kept,
				      reterr_problem);
	if (result != RESULT_OK)
		unlink(partial);
	close(descriptor);
	ret_restored->last_event_time = renewal.last_event_time;
	return result;
}

enum result backup_restore(const char *file, const char *database, const struct backup_watch *watch,
			   struct backup_restored *ret_restored, struct problem *reterr_problem)
{
	int lock = -1;
	enum result result = commits_lock(database, &lock, reterr_problem);

	if (result != RESULT_OK)
		return result;
	/* The gateway is to be able to lock it, whoever has made the file. */
	result = take_owner(lock, database, reterr_problem);
	if (result == RESULT_OK)
		result = restore(file, database, watch, ret_restored, reterr_problem);
	close(lock);
	return result;
}
