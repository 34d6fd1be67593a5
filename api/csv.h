/* Objects in JSON as lines of CSV (RFC 4180). */
#ifndef HEADCOUNT_CSV_H
#define HEADCOUNT_CSV_H

#include <glib.h>

#include "http.h"

/* Appends a line with the names of the columns and a line for each object of the text, which we wrote ourselves. */
void csv_write(GString *out, const struct csv *csv, const char *json, size_t size);

#endif
