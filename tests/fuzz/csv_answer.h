/* CSV as the api answers it. In a file of its own, because ctl and api both have a struct csv. */
#ifndef HEADCOUNT_TESTS_CSV_ANSWER_H
#define HEADCOUNT_TESTS_CSV_ANSWER_H

#include <glib.h>

/* The names of two columns, and the line of an object with two members of text (caller frees it). */
GString *csv_answer(const char *first, const char *second);

#endif
