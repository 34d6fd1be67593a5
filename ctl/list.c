#include "list.h"

#include <stdio.h>

#include "commands.h"

#define PAGE_ROWS 1000

/* clang-format off */
static const struct column space_columns[] = {
	{"id", "SPACE"}, {"name", "NAME"}, {"count", "COUNT"}, {"capacity", "CAPACITY"},
	{"parent", "PARENT"}, {"timezone", "TIMEZONE"}, {"daily_reset", "DAILY RESET"},
};
static const struct column doorway_columns[] = {
	{"id", "DOORWAY"}, {"name", "NAME"}, {"space", "SPACE"}, {"adjacent_space", "ADJACENT SPACE"},
};
static const struct column dpu_columns[] = {
	{"id", "DPU"}, {"name", "NAME"}, {"doorway", "DOORWAY"}, {"online", "ONLINE"},
};
static const struct column installation_columns[] = {
	{"id", "INSTALLATION"}, {"dpu", "DPU"}, {"doorway", "DOORWAY"}, {"started_at", "FROM"},
	{"ended_at", "UNTIL"}, {"orientation", "ORIENTATION"},
};
/* clang-format on */

const struct list list_spaces = {LISTING_SPACE_STATES, space_columns, G_N_ELEMENTS(space_columns)};
const struct list list_doorways = {LISTING_DOORWAYS, doorway_columns,
				   G_N_ELEMENTS(doorway_columns)};
const struct list list_dpus = {LISTING_DPU_STATES, dpu_columns, G_N_ELEMENTS(dpu_columns)};
const struct list list_installations = {LISTING_INSTALLATIONS, installation_columns,
					G_N_ELEMENTS(installation_columns)};

/* Reading */

struct page {
	enum listing listing;
	struct listing_page page;
	GString *rows; /* a JSON array */
	int64_t count;
	char next[JSON_ID_SIZE];
};

static enum result read_page(struct store *store, void *context)
{
	struct page *page = context;

	g_string_truncate(page->rows, 0);
	json_begin_array(page->rows, NULL);
	page->count = listing_read(store, page->listing, &page->page, page->rows, page->next);
	json_end_array(page->rows);
	return RESULT_OK;
}

static void hand_over(const struct page *page, list_found *found, void *context)
{
	const char *why;
	g_autoptr(Json) rows = json_read(page->rows->str, page->rows->len, &why);

	for (size_t i = 0; i < json_length(rows); i++)
		found(context, json_item(rows, i));
}

bool list_each(struct session *session, enum listing listing, const struct listing_page *first,
	       list_found *found, void *context, char ret_next[JSON_ID_SIZE])
{
	g_autoptr(GString) rows = g_string_new(NULL);
	struct page page = {.listing = listing, .page = *first, .rows = rows};
	int64_t left = first->limit > 0 ? first->limit : INT64_MAX;
	struct store *store = session_store(session);

	if (store == NULL)
		return false;
	g_strlcpy(page.next, first->after, sizeof page.next);
	do {
		g_strlcpy(ret_next, page.next, JSON_ID_SIZE);
		page.page.after = ret_next;
		page.page.limit = MIN(left, PAGE_ROWS);
		if (store_transaction(store, read_page, &page) != RESULT_OK) {
			session_complain(session, "%s: %s", session->config.database,
					 store_error(store));
			return false;
		}
		hand_over(&page, found, context);
		left -= page.count;
	} while (left > 0 && *page.next != '\0');
	g_strlcpy(ret_next, page.next, JSON_ID_SIZE);
	return true;
}

/* Printing */

static void print_json(void *context, const struct json *object)
{
	bool *any = context;

	printf("%s%s", *any ? ",\n" : "", json_as_written(object));
	*any = true;
}

static bool print_array(struct session *session, const struct list *list,
			const struct listing_page *first, char ret_next[JSON_ID_SIZE])
{
	bool any = false, complete;

	putchar('[');
	complete = list_each(session, list->listing, first, print_json, &any, ret_next);
	puts("]");
	return complete;
}

static void add_row(void *context, const struct json *object)
{
	table_add(context, object);
}

bool list_print(struct session *session, const struct list *list, const struct listing_page *first,
		char ret_next[JSON_ID_SIZE])
{
	struct table *table;
	bool complete;

	if (session->json)
		return print_array(session, list, first, ret_next);
	table = table_new(list->columns, list->column_count);
	complete = list_each(session, list->listing, first, add_row, table, ret_next);
	if (complete)
		table_print(table);
	table_free(table);
	return complete;
}

enum exit_code list_run(struct session *session)
{
	const struct listing_page all = {.after = "", .as_of = instant_now()};
	char next[JSON_ID_SIZE];

	if (!session_begin(session, NULL))
		return EXIT_USAGE;
	return list_print(session, session->command->details, &all, next) ? EXIT_DONE
									  : EXIT_REFUSED;
}
