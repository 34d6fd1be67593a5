/* A database of a test's own, in a folder that goes with it, and commands to its registry. */
#ifndef HEADCOUNT_TESTS_OWN_STORE_H
#define HEADCOUNT_TESTS_OWN_STORE_H

#include <glib.h>

#include "store.h"

struct own_store {
	char *folder;
	struct store *store;
};

void own_store_open(struct own_store *own);
void own_store_close(struct own_store *own);

/* Carries out a registry command, given as JSON, in a transaction; anything but success fails the test. */
void own_store_command(struct own_store *own, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
