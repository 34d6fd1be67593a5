/* A file in the making, under a name of its own until it is whole: nobody else can read it, nor have it lead elsewhere. */
#ifndef HEADCOUNT_PARTIAL_H
#define HEADCOUNT_PARTIAL_H

#include "result.h"

/* Makes the file, mode 0600, or empties one that was left by a killed program. It is locked until the descriptor is closed, so
 * that a left one is told from one that is under way: RESULT_BUSY. Rename it before. RESULT_FAILED: it can't be made, or what is
 * there is a link or a file of somebody else. */
MUST_USE enum result partial_open(const char *path, int *ret_descriptor,
				  struct problem *reterr_problem);

#endif
