/* Whether a database has changed, told without asking it: a number in the file that its writer locks, odd from before a
 * commit to after it, and never the same again. Who reads an even number, then the database, and later the same number, knows
 * that it would read the same again. A writer that was killed within a commit leaves an odd one until the next begins. */
#ifndef HEADCOUNT_COMMITS_H
#define HEADCOUNT_COMMITS_H

#include <stdbool.h>
#include <stdint.h>

/* The writer's: the number that is in the file, made odd; false: it can't be written (errno), and nothing may be committed. */
bool commits_begin(int file);

/* Makes it even, and another one than it was before. */
bool commits_end(int file);

/* 0: none is known, or a commit is under way. */
uint64_t commits_read(int file);

#endif
