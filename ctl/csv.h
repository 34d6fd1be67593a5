/* Rows of a CSV file (RFC 4180), one after the other: fields may be quoted, lines end with CRLF or LF, the last one
 * perhaps with neither; a byte order mark and empty lines are skipped. */
#ifndef HEADCOUNT_CSV_H
#define HEADCOUNT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CSV_ROW_BYTES 65536 /* a longer row is malformed */

struct csv;

struct csv *csv_new(FILE *file); /* borrowed */
void csv_free(struct csv *csv);

enum csv_row {
	CSV_ROW,
	CSV_MALFORMED, /* csv_why tells; the next row begins at the next line */
	CSV_END,       /* of the file, or it can't be read: ferror(3) */
};
enum csv_row csv_next(struct csv *csv);

/* Of the row read last. */
size_t csv_fields(const struct csv *csv);
const char *csv_field(const struct csv *csv,
		      size_t index); /* until csv_next; "" if there are fewer */
const char *csv_why(const struct csv *csv);
int64_t csv_line(const struct csv *csv);  /* where it begins; the first line of the file is 1 */
int64_t csv_bytes(const struct csv *csv); /* read so far, of the file */

#endif
