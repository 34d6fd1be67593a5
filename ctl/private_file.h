/* Files that hold secrets: one user reads them, and they are replaced at once or not at all. */
#ifndef HEADCOUNT_PRIVATE_FILE_H
#define HEADCOUNT_PRIVATE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "result.h"

/* Who reads a file, and how. */
struct readers {
	uid_t user;
	gid_t group;
	mode_t mode;
};

/* A file's readers, to be kept. RESULT_NOT_FOUND if there is no such file. */
MUST_USE enum result private_file_readers(const char *path, struct readers *ret_readers,
					  struct problem *reterr_problem);

/* Locks the file's folder until the descriptor is closed, for who reads the file, changes it and writes it: the file itself is
 * another one after each change. RESULT_BUSY: somebody else has it; RESULT_NOT_FOUND: there is no such folder. */
MUST_USE enum result private_file_lock(const char *path, int *ret_lock,
				       struct problem *reterr_problem);

/* Replaces or makes the file; nobody else can read it at any time. */
MUST_USE enum result private_file_write(const char *path, const char *text, size_t size,
					const struct readers *readers,
					struct problem *reterr_problem);

/* The same for a file that another program has written, at `from`. */
MUST_USE enum result private_file_move(const char *from, const char *path,
				       const struct readers *readers,
				       struct problem *reterr_problem);

#endif
