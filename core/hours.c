#include "hours.h"

#include <glib.h>

#define CHANGES_MOST                                                                               \
	2000000 /* in all: 16 MB; 550 a second, all in one space, fill an hour with as many */
#define BLOCK_CHANGES 512 /* a late change costs as many steps */
#define KIND_BITS 2

/* Half of a struct change: the order of `when` is the order in which changes take effect. */
struct packed {
	uint32_t when; /* ms since the hour began, and the kind */
	int32_t value;
};

struct block {
	GArray *changes; /* struct packed, in order */
	bool stale;      /* the summary is not that of the changes */
	struct summary summary;
};

struct entry {
	int64_t space, hour;
	GPtrArray *blocks; /* in order; none is empty */
	int64_t changes;
	GList link; /* in hours.recent */
};

struct hours {
	GHashTable *entries; /* a set of struct entry, by space and hour */
	GQueue recent;       /* used last comes first */
	int64_t changes;
};

static guint hash_entry(gconstpointer key)
{
	const struct entry *entry = key;

	return g_int64_hash(&entry->space) * 31 + g_int64_hash(&entry->hour);
}

static gboolean equal_entries(gconstpointer a, gconstpointer b)
{
	const struct entry *first = a, *second = b;

	return first->space == second->space && first->hour == second->hour;
}

static void free_block(gpointer data)
{
	struct block *block = data;

	g_array_unref(block->changes);
	g_free(block);
}

static void free_entry(gpointer data)
{
	struct entry *entry = data;

	g_ptr_array_unref(entry->blocks);
	g_free(entry);
}

struct hours *hours_new(void)
{
	struct hours *hours = g_new0(struct hours, 1);

	hours->entries = g_hash_table_new_full(hash_entry, equal_entries, NULL, free_entry);
	g_queue_init(&hours->recent);
	return hours;
}

void hours_free(struct hours *hours)
{
	if (hours == NULL)
		return;
	g_hash_table_unref(hours->entries);
	g_free(hours);
}

void hours_forget(struct hours *hours)
{
	g_queue_init(&hours->recent);
	g_hash_table_remove_all(hours->entries);
	hours->changes = 0;
}

static struct entry *find(const struct hours *hours, int64_t space, int64_t hour)
{
	const struct entry key = {.space = space, .hour = hour};

	return g_hash_table_lookup(hours->entries, &key);
}

bool hours_has(const struct hours *hours, int64_t space, int64_t hour)
{
	return find(hours, space, hour) != NULL;
}

static struct block *block_new(void)
{
	struct block *block = g_new0(struct block, 1);

	block->changes = g_array_new(FALSE, FALSE, sizeof(struct packed));
	block->stale = true;
	return block;
}

void hours_begin(struct hours *hours, int64_t space, int64_t hour)
{
	struct entry *entry = g_new0(struct entry, 1);

	entry->space = space;
	entry->hour = hour;
	entry->blocks = g_ptr_array_new_with_free_func(free_block);
	entry->link.data = entry;
	g_queue_push_head_link(&hours->recent, &entry->link);
	g_hash_table_add(hours->entries, entry);
}

static struct packed pack(const struct change *change, int64_t hour)
{
	return (struct packed){
		.when = (uint32_t)((change->time - hour * INSTANT_HOUR) << KIND_BITS) |
			change->kind,
		.value = (int32_t)change->value,
	};
}

static struct change unpack(const struct packed *packed, int64_t hour)
{
	return (struct change){
		.time = hour * INSTANT_HOUR + (packed->when >> KIND_BITS),
		.kind = (enum change_kind)(packed->when & ((1U << KIND_BITS) - 1)),
		.value = packed->value,
	};
}

static uint32_t when_at(const GArray *changes, guint index)
{
	return g_array_index(changes, struct packed, index).when;
}

/* The first block that ends at `when` or later, or the last one. */
static guint find_block(const struct entry *entry, uint32_t when)
{
	guint low = 0, high = entry->blocks->len - 1;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const struct block *block = g_ptr_array_index(entry->blocks, middle);

		if (when_at(block->changes, block->changes->len - 1) < when)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Behind all changes of that moment; mostly that is the end. */
static void insert(struct block *block, const struct packed *packed)
{
	guint at = block->changes->len;

	while (at > 0 && when_at(block->changes, at - 1) > packed->when)
		at--;
	g_array_insert_val(block->changes, at, *packed);
	block->stale = true;
}

static void split_if_full(struct entry *entry, guint index)
{
	struct block *block = g_ptr_array_index(entry->blocks, index), *second;
	guint half = block->changes->len / 2;

	if (block->changes->len < BLOCK_CHANGES)
		return;
	second = block_new();
	g_array_append_vals(second->changes, &g_array_index(block->changes, struct packed, half),
			    block->changes->len - half);
	g_array_set_size(block->changes, half);
	g_ptr_array_insert(entry->blocks, (gint)index + 1, second);
}

void hours_add(struct hours *hours, int64_t space, int64_t hour, const struct change *change)
{
	struct entry *entry = find(hours, space, hour);
	struct packed packed = pack(change, hour);
	guint index;

	if (entry->blocks->len == 0)
		g_ptr_array_add(entry->blocks, block_new());
	index = entry->changes == 0 ? 0 : find_block(entry, packed.when);
	insert(g_ptr_array_index(entry->blocks, index), &packed);
	entry->changes++;
	hours->changes++;
	split_if_full(entry, index);
}

static void append_changes(struct summary *summary, const struct block *block, int64_t hour)
{
	for (guint i = 0; i < block->changes->len; i++) {
		struct change change =
			unpack(&g_array_index(block->changes, struct packed, i), hour);

		summary_append(summary, &change, hour);
	}
}

static void refresh(struct block *block, int64_t hour)
{
	if (!block->stale)
		return;
	block->summary = (struct summary){.span = SPAN_EMPTY};
	append_changes(&block->summary, block, hour);
	block->stale = false;
}

static struct summary summarize(const struct entry *entry)
{
	struct summary summary = {.span = SPAN_EMPTY};

	for (guint i = 0; i < entry->blocks->len; i++) {
		struct block *block = g_ptr_array_index(entry->blocks, i);

		refresh(block, entry->hour);
		if (summary.span.reset_time == INSTANT_NONE &&
		    block->summary.span.reset_time == INSTANT_NONE) {
			span_join(&summary.span, &block->summary.span);
			summary.area += block->summary.area;
		} else {
			/* Behind a reset the area depends on the count, which a block alone doesn't know. */
			append_changes(&summary, block, entry->hour);
		}
	}
	return summary;
}

static void drop_oldest(struct hours *hours)
{
	struct entry *entry = g_queue_peek_tail(&hours->recent);

	g_queue_unlink(&hours->recent, &entry->link);
	hours->changes -= entry->changes;
	g_hash_table_remove(hours->entries, entry);
}

struct summary hours_summary(struct hours *hours, int64_t space, int64_t hour)
{
	struct entry *entry = find(hours, space, hour);
	struct summary summary = summarize(entry);

	g_queue_unlink(&hours->recent, &entry->link);
	g_queue_push_head_link(&hours->recent, &entry->link);
	while (hours->changes > CHANGES_MOST)
		drop_oldest(hours);
	return summary;
}
