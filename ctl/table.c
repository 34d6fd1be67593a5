#include "table.h"

#include <stdio.h>
#include <string.h>

#define GAP 2        /* spaces between columns */
#define CELL_MOST 60 /* characters of a text; a terminal is no place for more */
#define NOTHING "-"

struct cell {
	char *text;
	int width; /* columns of the terminal */
	bool number;
};

struct table {
	const struct column *columns;
	size_t count;
	int *widths;
	GArray *cells; /* struct cell, row after row; the first row are the headings */
};

static void clear_cell(gpointer cell)
{
	g_free(((struct cell *)cell)->text);
}

static int width_of(gunichar character)
{
	if (g_unichar_iszerowidth(character))
		return 0;
	return g_unichar_iswide(character) ? 2 : 1;
}

/* What DPUs send is shown too: no character of it may reach the terminal as a command. */
static struct cell text_cell(const char *text, size_t size)
{
	GString *shown = g_string_new(NULL);
	struct cell cell = {0};

	for (const char *at = text; at < text + size; at = g_utf8_next_char(at)) {
		gunichar character = g_utf8_get_char(at);

		if (cell.width >= CELL_MOST) {
			g_string_append(shown, "…");
			cell.width++;
			break;
		}
		if (!g_unichar_isprint(character))
			character = 0xFFFD;
		g_string_append_unichar(shown, character);
		cell.width += width_of(character);
	}
	cell.text = g_string_free(shown, FALSE);
	return cell;
}

static struct cell cell_of(const struct json *value)
{
	enum json_kind kind = value != NULL ? json_kind(value) : JSON_NULL;
	struct cell cell;
	size_t size;
	const char *text;

	if (kind == JSON_TEXT) {
		text = json_text(value, &size);
		return text_cell(text, size);
	}
	text = kind == JSON_NULL ? NOTHING : json_as_written(value);
	cell = text_cell(text, strlen(text));
	cell.number = kind == JSON_INTEGER || kind == JSON_NUMBER;
	return cell;
}

static void add_cell(struct table *table, size_t column, struct cell cell)
{
	table->widths[column] = MAX(table->widths[column], cell.width);
	g_array_append_val(table->cells, cell);
}

struct table *table_new(const struct column *columns, size_t count)
{
	struct table *table = g_new0(struct table, 1);

	table->columns = columns;
	table->count = count;
	table->widths = g_new0(int, count);
	table->cells = g_array_new(FALSE, FALSE, sizeof(struct cell));
	g_array_set_clear_func(table->cells, clear_cell);
	for (size_t i = 0; i < count; i++)
		add_cell(table, i, text_cell(columns[i].heading, strlen(columns[i].heading)));
	return table;
}

void table_add(struct table *table, const struct json *object)
{
	for (size_t i = 0; i < table->count; i++)
		add_cell(table, i, cell_of(json_member(object, table->columns[i].member)));
}

static void print_cell(const struct cell *cell, int width, bool last)
{
	int space = width - cell->width;

	printf("%*s%s%*s", cell->number ? space : 0, "", cell->text,
	       cell->number || last ? 0 : space, "");
	if (last)
		putchar('\n');
	else
		printf("%*s", GAP, "");
}

void table_print(const struct table *table)
{
	for (guint i = 0; i < table->cells->len; i++) {
		size_t column = i % table->count;

		print_cell(&g_array_index(table->cells, struct cell, i), table->widths[column],
			   column == table->count - 1);
	}
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	g_array_unref(table->cells);
	g_free(table->widths);
	g_free(table);
}
