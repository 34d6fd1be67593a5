#include "span.h"

#include <assert.h>

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int change_compare(const struct change *a, const struct change *b)
{
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

bool change_is_reset(const struct change *change)
{
	return change->kind == CHANGE_DAILY_RESET || change->kind == CHANGE_RESET;
}

struct occupancy occupancy_after(struct occupancy before, const struct change *change)
{
	if (change_is_reset(change))
		return (struct occupancy){.count = change->value, .net = change->value};
	return (struct occupancy){
		.count = max(before.count + change->value, 0),
		.net = before.net + change->value,
	};
}

/* The span that one change makes. */
static struct span span_of(const struct change *change)
{
	struct span span = SPAN_EMPTY;

	span.last_change_time = change->time;
	if (change_is_reset(change)) {
		span.reset_time = change->time;
		span.reset_end = occupancy_after((struct occupancy){0}, change);
		span.reset_lowest = span.reset_highest = change->value;
		return span;
	}
	span.last_event_time = change->time;
	span.entries = max(change->value, 0);
	span.exits = max(-change->value, 0);
	span.sum = change->value;
	span.lowest = min(change->value, 0);
	span.highest = span.peak = max(change->value, 0);
	return span;
}

void span_append(struct span *span, const struct change *change)
{
	struct span last = span_of(change);

	span_join(span, &last);
}

/* S, L, H and R of both, while neither the first span nor (so far) the second has a reset. */
static void join_before_reset(struct span *first, const struct span *second)
{
	int64_t end_from_0 = first->sum - first->lowest;

	first->peak = max(first->peak, max(end_from_0 + second->highest, second->peak));
	first->lowest = min(first->lowest, first->sum + second->lowest);
	first->highest = max(first->highest, first->sum + second->highest);
	first->sum += second->sum;
	first->reset_time = second->reset_time;
	first->reset_end = second->reset_end;
	first->reset_lowest = second->reset_lowest;
	first->reset_highest = second->reset_highest;
}

static void join_after_reset(struct span *first, const struct span *second)
{
	int64_t count = first->reset_end.count;

	first->reset_lowest = min(first->reset_lowest, span_lowest(second, count));
	first->reset_highest = max(first->reset_highest, span_highest(second, count));
	first->reset_end = span_end(second, first->reset_end);
}

void span_join(struct span *first, const struct span *second)
{
	if (first->reset_time == INSTANT_NONE)
		join_before_reset(first, second);
	else
		join_after_reset(first, second);
	first->entries += second->entries;
	first->exits += second->exits;
	first->last_event_time = max(first->last_event_time, second->last_event_time);
	first->last_change_time = max(first->last_change_time, second->last_change_time);
}

struct occupancy span_end(const struct span *span, struct occupancy before)
{
	assert(before.count >= 0);
	if (span->reset_time != INSTANT_NONE)
		return span->reset_end;
	return (struct occupancy){
		.count = max(before.count + span->sum, span->sum - span->lowest),
		.net = before.net + span->sum,
	};
}

int64_t span_lowest(const struct span *span, int64_t count_before)
{
	int64_t lowest = max(count_before + span->lowest, 0);

	return span->reset_time == INSTANT_NONE ? lowest : min(lowest, span->reset_lowest);
}

int64_t span_highest(const struct span *span, int64_t count_before)
{
	int64_t highest = max(count_before + span->highest, span->peak);

	return span->reset_time == INSTANT_NONE ? highest : max(highest, span->reset_highest);
}
