/* What the fuzzers share. Each is one file, tests/fuzz/NAME.c, and takes an input as libFuzzer and AFL++ give it; a property
 * that does not hold ends it by g_assert. */
#ifndef HEADCOUNT_TESTS_FUZZ_H
#define HEADCOUNT_TESTS_FUZZ_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a text with a NUL at its end (caller frees it). */
char *fuzz_text(const uint8_t *data, size_t size);

/* A path of this process's own, in a folder that goes when the process ends; the same for the same name. */
const char *fuzz_path(const char *name);

/* That file, with these bytes in it. */
const char *fuzz_file(const char *name, const void *data, size_t size);

#endif
