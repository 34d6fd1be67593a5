#include "occupancy.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hours.h"
#include "latest.h"
#include "openings.h"
#include "retention.h"
#include "runs.h"
#include "summary.h"

#define ROWS_AT_ONCE 50 /* of SQL_OCCUPANCY_PUT_50 */

int64_t occupancy_take_revisions(struct store *store, int64_t count)
{
	struct query *query = store_query(store, SQL_META_TAKE_REVISIONS);
	int64_t last = 0;

	query_bind_integer(query, 1, count);
	if (query_next(query))
		last = query_integer(query, 0);
	query_end(query);
	return last - count + 1;
}

/* A space's count as it is to be kept. */
struct now {
	int64_t space;
	struct history_point point;
};

/* The row's number within the statement counts from 0. */
static void bind_now(struct query *query, int row, const struct now *now)
{
	const struct history_point *point = &now->point;
	int before = row * 6;

	query_bind_integer(query, before + 1, now->space);
	query_bind_integer(query, before + 2, point->occupancy.count);
	query_bind_integer(query, before + 3, point->occupancy.net);
	query_bind_optional(query, before + 4, point->last_event_time);
	query_bind_optional(query, before + 5, point->last_change_time);
	query_bind_integer(query, before + 6, point->revision);
}

static void put_rows(struct store *store, enum sql statement, const struct now *nows, size_t count)
{
	struct query *query = store_query(store, statement);

	for (size_t i = 0; i < count; i++)
		bind_now(query, (int)i, &nows[i]);
	query_run(query);
}

static void put_nows(struct store *store, const struct now *nows, size_t count)
{
	for (; count >= ROWS_AT_ONCE; nows += ROWS_AT_ONCE, count -= ROWS_AT_ONCE)
		put_rows(store, SQL_OCCUPANCY_PUT_50, nows, ROWS_AT_ONCE);
	for (; count > 0; nows++, count--)
		put_rows(store, SQL_OCCUPANCY_PUT, nows, 1);
}

static void put_now(struct store *store, int64_t space, const struct history_point *point)
{
	const struct now now = {space, *point};

	put_nows(store, &now, 1);
}

void occupancy_touch(struct store *store, int64_t space)
{
	struct latest *latest = latest_of(store, space);

	latest->now.revision = occupancy_take_revisions(store, 1);
	put_now(store, space, &latest->now);
}

/* Hours: from the facts */

/* Summaries of hours, made from changes that come in order; each is handed over when the next hour begins. */
struct hour_by_hour {
	int64_t hour; /* -1: none begun */
	struct summary summary;
	summary_found *found;
	void *context;
};

static void finish_hour(struct hour_by_hour *hours)
{
	if (hours->hour >= 0)
		hours->found(hours->context, hours->hour, &hours->summary);
	hours->hour = -1;
}

static void add_to_hours(void *context, const struct change *change)
{
	struct hour_by_hour *hours = context;
	int64_t hour = summary_hour(change->time);

	if (hour != hours->hour) {
		finish_hour(hours);
		hours->hour = hour;
		hours->summary = (struct summary){.span = SPAN_EMPTY};
	}
	summary_append(&hours->summary, change, hour);
}

static void derive_hours(struct store *store, int64_t space, int64_t first, int64_t last,
			 summary_found *found, void *context)
{
	struct hour_by_hour hours = {.hour = -1, .found = found, .context = context};

	history_changes(store, space, first * INSTANT_HOUR, (last + 1) * INSTANT_HOUR - 1,
			add_to_hours, &hours);
	finish_hour(&hours);
}

struct target {
	struct store *store;
	int64_t space;
};

static void put_hour(void *context, int64_t hour, const struct summary *summary)
{
	struct target *target = context;

	summary_put(target->store, target->space, hour, SUMMARY_HOUR, summary);
}

/* The count now, from the summaries. */
static struct history_point point_from_summaries(struct store *store, int64_t space)
{
	struct span span;

	(void)openings_read_until(store, space, INSTANT_LAST, &span);
	return (struct history_point){
		.occupancy = span_end(&span, (struct occupancy){0}),
		.last_event_time = span.last_event_time,
		.last_change_time = span.last_change_time,
	};
}

/* New facts */

static int compare_space_changes(const void *a, const void *b)
{
	const struct space_change *first = a, *second = b;

	if (first->space != second->space)
		return first->space < second->space ? -1 : 1;
	return change_compare(&first->change, &second->change);
}

static void *make_hours(void)
{
	return hours_new();
}

static void free_hours(void *hours)
{
	hours_free(hours);
}

static struct hours *cached_hours(struct store *store)
{
	return store_cache(store, make_hours, free_hours);
}

struct loading {
	struct hours *hours;
	int64_t space, hour;
};

static void load_change(void *context, const struct change *change)
{
	struct loading *loading = context;

	hours_add(loading->hours, loading->space, loading->hour, change);
}

/* The hour with changes that are not behind all others in it. The facts hold them already. */
static struct summary insert_into_hour(struct store *store, int64_t space, int64_t hour,
				       const struct space_change *changes, size_t count)
{
	struct hours *hours = cached_hours(store);
	struct loading loading = {.hours = hours, .space = space, .hour = hour};

	if (hours_has(hours, space, hour)) {
		for (size_t i = 0; i < count; i++)
			hours_add(hours, space, hour, &changes[i].change);
	} else {
		hours_begin(hours, space, hour);
		history_changes(store, space, hour * INSTANT_HOUR, (hour + 1) * INSTANT_HOUR - 1,
				load_change, &loading);
	}
	return hours_summary(hours, space, hour);
}

/* Is the hour in memory, or do the changes come behind all that is in it? */
static bool is_late(struct store *store, int64_t space, int64_t hour, const struct summary *summary,
		    const struct space_change *first)
{
	return hours_has(cached_hours(store), space, hour) ||
	       first->change.time <= summary->span.last_change_time;
}

/* An hour that has a summary already gives it. */
static bool find_hour(struct store *store, const struct latest *latest, int64_t hour,
		      struct summary *ret_summary)
{
	if (hour > latest->hour)
		return false;
	if (hour < latest->hour)
		return summary_find(store, latest->space, hour, SUMMARY_HOUR, ret_summary);
	*ret_summary = latest->summary;
	return true;
}

static void bring_hour(struct store *store, struct latest *latest, int64_t hour,
		       const struct space_change *changes, size_t count)
{
	struct summary summary = {.span = SPAN_EMPTY};
	int64_t space = latest->space;

	if (find_hour(store, latest, hour, &summary) &&
	    is_late(store, space, hour, &summary, changes)) {
		summary = insert_into_hour(store, space, hour, changes, count);
	} else {
		for (size_t i = 0; i < count; i++)
			summary_append(&summary, &changes[i].change, hour);
	}
	summary_put(store, space, hour, SUMMARY_HOUR, &summary);
	latest_put_hour(latest, hour, &summary);
}

static int compare_hours(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

	return first < second ? -1 : first > second;
}

/* The number of changes from `from` on that lie in the same hour. */
static size_t run_of_hour(const struct space_change *changes, size_t count, size_t from)
{
	size_t end = from + 1;

	while (end < count &&
	       summary_hour(changes[end].change.time) == summary_hour(changes[from].change.time))
		end++;
	return end - from;
}

/* What was the last hour until now may have others behind it. */
static void bring_openings(struct store *store, int64_t space, int64_t last_hour_before,
			   const struct space_change *changes, size_t count)
{
	g_autoptr(GArray) hours = g_array_new(FALSE, FALSE, sizeof(int64_t));

	if (last_hour_before >= 0)
		g_array_append_val(hours, last_hour_before);
	for (size_t i = 0; i < count; i += run_of_hour(changes, count, i)) {
		int64_t hour = summary_hour(changes[i].change.time);

		g_array_append_val(hours, hour);
	}
	g_array_sort(hours, compare_hours);
	openings_bring(store, space, hours);
}

static void bring_summaries(struct store *store, struct latest *latest,
			    const struct space_change *changes, size_t count)
{
	int64_t last_hour_before = latest->hour, first = summary_hour(changes[0].change.time);

	for (size_t i = 0, run; i < count; i += run) {
		run = run_of_hour(changes, count, i);
		bring_hour(store, latest, summary_hour(changes[i].change.time), changes + i, run);
	}
	if (last_hour_before >= 0)
		first = MIN(first, last_hour_before);
	if (!openings_stay(first, latest->hour))
		bring_openings(store, latest->space, last_hour_before, changes, count);
}

static void add_to_now(struct history_point *now, const struct change *change)
{
	now->occupancy = occupancy_after(now->occupancy, change);
	now->last_change_time = change->time;
	if (!change_is_reset(change))
		now->last_event_time = change->time;
}

static struct now bring_space(struct store *store, int64_t space,
			      const struct space_change *changes, size_t count, int64_t revision)
{
	struct latest *latest = latest_of(store, space);
	bool in_order = changes[0].change.time > latest->now.last_change_time;

	bring_summaries(store, latest, changes, count);
	for (size_t i = 0; in_order && i < count; i++)
		add_to_now(&latest->now, &changes[i].change);
	if (!in_order)
		latest_count_again(store, latest);
	latest->now.revision = revision;
	return (struct now){space, latest->now};
}

static size_t run_of_space(const struct space_change *changes, size_t count, size_t from)
{
	size_t end = from + 1;

	while (end < count && changes[end].space == changes[from].space)
		end++;
	return end - from;
}

static size_t count_spaces(const struct space_change *changes, size_t count)
{
	size_t spaces = 0;

	for (size_t i = 0; i < count; i += run_of_space(changes, count, i))
		spaces++;
	return spaces;
}

void occupancy_apply(struct store *store, struct space_change *changes, size_t count)
{
	g_autofree struct now *nows = NULL;
	size_t spaces, done = 0;
	int64_t revision;

	if (count == 0)
		return;
	runs_sort(changes, count, sizeof *changes, compare_space_changes);
	spaces = count_spaces(changes, count);
	nows = g_new(struct now, spaces);
	revision = occupancy_take_revisions(store, (int64_t)spaces);
	for (size_t i = 0, run; i < count; i += run) {
		run = run_of_space(changes, count, i);
		nows[done++] = bring_space(store, changes[i].space, changes + i, run, revision++);
	}
	put_nows(store, nows, spaces);
}

/* Facts that went or moved */

void occupancy_derive(struct store *store, int64_t space, instant from, instant until)
{
	struct target target = {.store = store, .space = space};
	int64_t first = MAX(summary_hour(from), summary_hour(retention_horizon(store)));
	int64_t last = summary_hour(until);
	struct history_point point;

	hours_forget(cached_hours(store));
	latest_forget(store, space);
	summary_remove_hours(store, space, first, last);
	derive_hours(store, space, first, last, put_hour, &target);
	openings_make(store, space);
	point = point_from_summaries(store, space);
	point.revision = occupancy_take_revisions(store, 1);
	put_now(store, space, &point);
}

/* Checking */

struct check {
	struct store *store;
	int64_t space;
	int64_t rows[SUMMARY_HOUR + 1]; /* that there are to be, by level */
	bool clean;
	void (*differs)(void *context, const char *sentence);
	void *context;
};

static void report(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void report(struct check *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_autofree char *sentence = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	check->clean = false;
	check->differs(check->context, sentence);
}

static void compare(struct check *check, int64_t hour, enum summary_level level,
		    const struct summary *derived)
{
	static const char *const what[] = {
		[SUMMARY_BEFORE_ERA] = "what is before the era",
		[SUMMARY_BEFORE_STRETCH] = "what is before the stretch",
		[SUMMARY_HOUR] = "the summary",
	};
	struct summary kept;

	check->rows[level]++;
	if (!summary_find(check->store, check->space, hour, level, &kept))
		report(check, "hour %" PRId64 ": %s is missing", hour, what[level]);
	else if (memcmp(&kept, derived, sizeof kept) != 0) /* all members have eight bytes */
		report(check, "hour %" PRId64 ": %s differs from the facts", hour, what[level]);
}

static void compare_hour(void *context, int64_t hour, const struct summary *derived)
{
	compare(context, hour, SUMMARY_HOUR, derived);
}

static void compare_opening(void *context, int64_t hour, enum summary_level level,
			    const struct span *before)
{
	struct summary derived = {.span = *before};

	compare(context, hour, level, &derived);
}

static void check_sound(void *context, int64_t hour, const struct summary *summary)
{
	if (!summary_is_sound(summary, hour))
		report(context, "hour %" PRId64 ": no changes can have such a summary", hour);
}

static void check_rows(struct check *check, int64_t first, enum summary_level level)
{
	int64_t kept = summary_count(check->store, check->space, first, level);

	if (kept != check->rows[level])
		report(check,
		       "level %d: %" PRId64 " summaries are kept where the facts give %" PRId64,
		       (int)level, kept, check->rows[level]);
}

static void check_summaries(struct check *check)
{
	int64_t told = summary_hour(retention_horizon(check->store));

	summary_hours(check->store, check->space, 0, told - 1, INT64_MAX, check_sound, check);
	derive_hours(check->store, check->space, told, summary_hour(INSTANT_LAST), compare_hour,
		     check);
	openings_each(check->store, check->space, compare_opening, check);
	check_rows(check, told, SUMMARY_HOUR);
	check_rows(check, 0, SUMMARY_BEFORE_STRETCH);
	check_rows(check, 0, SUMMARY_BEFORE_ERA);
}

static void check_effects(struct check *check)
{
	struct query *query = store_query(check->store, SQL_SPACE_EFFECTS_DIFFER);

	query_bind_integer(query, 1, check->space);
	if (query_next(query))
		report(check, "the doorways that change its count are not those of the registry");
	query_end(query);
}

static void check_now(struct check *check, const struct history_point *derived)
{
	struct history_point kept = history_now(check->store, check->space);

	if (kept.occupancy.count != derived->occupancy.count ||
	    kept.occupancy.net != derived->occupancy.net)
		report(check,
		       "the count kept is %" PRId64 " (net %" PRId64 "), the facts give %" PRId64
		       " (net %" PRId64 ")",
		       kept.occupancy.count, kept.occupancy.net, derived->occupancy.count,
		       derived->occupancy.net);
	if (kept.last_event_time != derived->last_event_time ||
	    kept.last_change_time != derived->last_change_time)
		report(check, "the time of the last event or change differs from the facts");
}

bool occupancy_check(struct store *store, int64_t space,
		     void (*differs)(void *context, const char *sentence), void *context)
{
	struct check check = {.store = store,
			      .space = space,
			      .clean = true,
			      .differs = differs,
			      .context = context};
	struct history_point derived = point_from_summaries(store, space);

	check_effects(&check);
	check_summaries(&check);
	check_now(&check, &derived);
	return check.clean;
}
