#include "commits.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *database)
{
	return g_strconcat(database, ".writer", NULL);
}

enum result commits_lock(const char *database, int *ret_file, struct problem *reterr_problem)
{
	g_autofree char *path = path_of(database);
	int file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	enum result result = RESULT_OK;

	if (file < 0)
		return problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", path,
				   g_strerror(errno));
	if (flock(file, LOCK_EX | LOCK_NB) < 0)
		result = problem_set(reterr_problem, RESULT_BUSY, "database",
				     "%s is in use by another headcount-gateway (it holds %s)",
				     database, path);
	else if (!commits_begin(file))
		result = problem_set(reterr_problem, RESULT_FAILED, "database", "%s: %s", path,
				     g_strerror(errno));
	if (result == RESULT_OK)
		*ret_file = file;
	else
		close(file);
	return result;
}

int commits_open(const char *database)
{
	g_autofree char *path = path_of(database);

	return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

bool commits_is_replaced(int file, const char *database)
{
	g_autofree char *path = path_of(database);
	struct stat opened, there;

	if (fstat(file, &opened) < 0)
		return false;
	return stat(path, &there) < 0 || opened.st_ino != there.st_ino ||
	       opened.st_dev != there.st_dev;
}

static uint64_t number_in(int file)
{
	uint64_t number = 0;

	/* Eight bytes at the beginning of a page: the kernel copies them at once. */
	if (pread(file, &number, sizeof number, 0) != sizeof number)
		return 0;
	return number;
}

static bool put(int file, uint64_t number)
{
	return pwrite(file, &number, sizeof number, 0) == sizeof number;
}

bool commits_begin(int file)
{
	return put(file, number_in(file) | 1);
}

bool commits_end(int file)
{
	return put(file, (number_in(file) | 1) + 1);
}

uint64_t commits_read(int file)
{
	uint64_t number = number_in(file);

	return number % 2 == 0 ? number : 0;
}
