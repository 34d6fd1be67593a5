#include "pruning.h"

#include <glib.h>

#include "history.h"
#include "retention.h"
#include "summary.h"

/* A step: */
#define SUMMARIES 256
#define CROSSINGS 1000
#define PAGES 64

struct pruning {
	struct store *store;
	int64_t slice_us;
	struct retention retention;
	/* How far the work has got; begun again if a slice fails, which does no harm. */
	int64_t space;              /* whose summaries are being settled; 0: none yet */
	int64_t hour;               /* the next of them */
	struct occupancy occupancy; /* when that begins */
	int64_t installation;       /* whose crossings are being removed */
};

/* Does some of a part of the work; false: nothing of that part is left. */
typedef bool step(struct pruning *pruning);

static void begin_again(struct pruning *pruning)
{
	*pruning = (struct pruning){.store = pruning->store, .retention = pruning->retention};
}

/* Settling */

/* Person-ms of the changes of an hour themselves, up to its first reset. */
struct course {
	instant at;
	struct occupancy occupancy;
	int64_t area;
	bool ended;
};

static void go_on(struct course *course, instant until)
{
	course->area += course->occupancy.count * (until - course->at);
	course->at = until;
}

static void follow(void *context, const struct change *change)
{
	struct course *course = context;

	if (course->ended)
		return;
	go_on(course, change->time);
	course->occupancy = occupancy_after(course->occupancy, change);
	course->ended = change_is_reset(change);
}

/* Of an hour in which somebody left when nobody was there, a summary alone doesn't tell the area; with the count at its
 * begin, it is made to. */
static void settle(struct pruning *pruning, int64_t hour, struct summary *summary)
{
	struct occupancy opening = pruning->occupancy;
	instant begin = hour * INSTANT_HOUR, end = begin + INSTANT_HOUR;
	struct course course = {.at = begin, .occupancy = opening};

	pruning->occupancy = span_end(&summary->span, opening);
	if (opening.count + summary->span.lowest >= 0)
		return;
	history_changes(pruning->store, pruning->space, begin, end - 1, follow, &course);
	if (!course.ended)
		go_on(&course, end);
	summary->area = course.area - opening.count * (course.at - begin);
	summary_put(pruning->store, pruning->space, hour, SUMMARY_HOUR, summary);
}

struct row {
	int64_t hour;
	struct summary summary;
};

static void take_row(void *context, int64_t hour, const struct summary *summary)
{
	struct row row = {hour, *summary};

	g_array_append_val((GArray *)context, row);
}

static bool next_space(struct pruning *pruning)
{
	struct query *query = store_query(pruning->store, SQL_SPACE_NEXT);
	bool found;

	query_bind_integer(query, 1, pruning->space);
	found = query_next(query);
	if (found)
		pruning->space = query_integer(query, 0);
	query_end(query);
	pruning->hour = summary_hour(pruning->retention.settled);
	if (found)
		pruning->occupancy =
			history_at(pruning->store, pruning->space, pruning->retention.settled - 1)
				.occupancy;
	return found;
}

static void mark(struct pruning *pruning)
{
	const struct retention *retention = &pruning->retention;
	struct query *query = store_query(pruning->store, SQL_META_SET_RETENTION_DONE);

	query_bind_integer(query, 1, retention->settled);
	query_bind_integer(query, 2, retention->pruned);
	query_run(query);
}

/* Says so in the same transaction; false. */
static bool settled_all(struct pruning *pruning)
{
	pruning->retention.settled = pruning->retention.horizon;
	mark(pruning);
	return false;
}

static bool settle_some(struct pruning *pruning)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct row));
	int64_t end = summary_hour(pruning->retention.horizon);

	if (pruning->retention.settled == pruning->retention.horizon)
		return false;
	if (pruning->space == 0 && !next_space(pruning))
		return settled_all(pruning);
	summary_hours(pruning->store, pruning->space, pruning->hour, end - 1, SUMMARIES, take_row,
		      rows);
	for (guint i = 0; i < rows->len; i++) {
		struct row *row = &g_array_index(rows, struct row, i);

		settle(pruning, row->hour, &row->summary);
		pruning->hour = row->hour + 1;
	}
	return rows->len == SUMMARIES || next_space(pruning) || settled_all(pruning);
}

/* Removing */

static bool next_installation(struct pruning *pruning)
{
	struct query *query = store_query(pruning->store, SQL_INSTALLATION_NEXT_BEFORE);
	bool found;

	query_bind_integer(query, 1, pruning->installation);
	query_bind_integer(query, 2, pruning->retention.horizon);
	found = query_next(query);
	if (found)
		pruning->installation = query_integer(query, 0);
	query_end(query);
	return found;
}

/* The time behind the next crossings that go. */
static instant bound_of(const struct pruning *pruning)
{
	struct query *query = store_query(pruning->store, SQL_CROSSING_NTH_BEFORE);
	instant bound = pruning->retention.horizon;

	query_bind_integer(query, 1, pruning->installation);
	query_bind_integer(query, 2, pruning->retention.horizon);
	query_bind_integer(query, 3, CROSSINGS);
	if (query_next(query))
		bound = query_integer(query, 0) + 1;
	query_end(query);
	return bound;
}

static bool remove_some(struct pruning *pruning)
{
	struct query *query;
	instant bound;

	if (pruning->installation == 0 && !next_installation(pruning))
		return false;
	bound = bound_of(pruning);
	query = store_query(pruning->store, SQL_CROSSING_REMOVE_BEFORE);
	query_bind_integer(query, 1, pruning->installation);
	query_bind_integer(query, 2, bound);
	query_run(query);
	return bound < pruning->retention.horizon || next_installation(pruning);
}

static bool shrink_some(struct pruning *pruning)
{
	if (store_shrink(pruning->store, PAGES))
		return true;
	pruning->retention.pruned = pruning->retention.horizon;
	mark(pruning);
	return false;
}

/* All of it */

static bool is_done(const struct pruning *pruning)
{
	return pruning->retention.pruned == pruning->retention.horizon;
}

static enum result work(struct store *store, void *context)
{
	static step *const steps[] = {settle_some, remove_some, shrink_some};
	struct pruning *pruning = context;
	gint64 until = g_get_monotonic_time() + pruning->slice_us;

	for (size_t i = 0; i < G_N_ELEMENTS(steps) && !store_failed(store); i++) {
		while (steps[i](pruning)) {
			if (store_failed(store) || g_get_monotonic_time() >= until)
				return RESULT_OK;
		}
	}
	return RESULT_OK;
}

enum result pruning_go_on(struct pruning *pruning, int64_t slice_us)
{
	struct retention before = pruning->retention;
	enum result result;

	pruning->slice_us = slice_us;
	result = store_transaction(pruning->store, work, pruning);

	if (result != RESULT_OK) {
		pruning->retention = before;
		begin_again(pruning);
	}
	return result;
}

static enum result look(struct store *store, void *context)
{
	struct pruning *pruning = context;

	pruning->retention = retention_read(store);
	return RESULT_OK;
}

void pruning_look(struct pruning *pruning)
{
	instant before = pruning->retention.horizon;

	if (store_transaction(pruning->store, look, pruning) == RESULT_OK &&
	    pruning->retention.horizon != before)
		begin_again(pruning);
}

struct pruning *pruning_new(struct store *store)
{
	struct pruning *pruning = g_new0(struct pruning, 1);

	pruning->store = store;
	pruning_look(pruning);
	return pruning;
}

void pruning_free(struct pruning *pruning)
{
	g_free(pruning);
}

bool pruning_is_due(const struct pruning *pruning)
{
	return !is_done(pruning);
}
