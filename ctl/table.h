/* A table for people, of rows given as JSON objects: columns aligned, headings above. */
#ifndef HEADCOUNT_TABLE_H
#define HEADCOUNT_TABLE_H

#include <stddef.h>

#include "json.h"

struct column {
	const char *member; /* of the objects */
	const char *heading;
};

struct table *table_new(const struct column *columns, size_t count);
void table_add(struct table *table, const struct json *object);
void table_print(
	const struct table *table); /* to standard output; nothing but headings without rows */
void table_free(struct table *table);

#endif
