#include "partial.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0600 /* who has been where is nobody else's business */

static enum result failed(const char *path, struct problem *reterr_problem)
{
	return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path, g_strerror(errno));
}

/* Whose it is could read what is written into it; and a second name is that of a file which is to stay as it is. */
static bool is_ours_alone(int descriptor)
{
	struct stat status;

	return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_uid == geteuid() && status.st_nlink == 1 && fchmod(descriptor, MODE) == 0;
}

/* What a killed one has left. */
static enum result open_left(const char *path, int *ret_descriptor, struct problem *reterr_problem)
{
	int descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (descriptor < 0 && errno != ELOOP)
		return failed(path, reterr_problem);
	if (descriptor >= 0 && is_ours_alone(descriptor)) {
		*ret_descriptor = descriptor;
		return RESULT_OK;
	}
	if (descriptor >= 0)
		close(descriptor);
	return problem_set(reterr_problem, RESULT_FAILED, "",
			   "%s is a link or a file of somebody else: remove it", path);
}

static enum result make(const char *path, int *ret_descriptor, struct problem *reterr_problem)
{
	*ret_descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (*ret_descriptor >= 0)
		return RESULT_OK;
	return errno == EEXIST ? open_left(path, ret_descriptor, reterr_problem)
			       : failed(path, reterr_problem);
}

/* Whoever held the lock until now may have given the file its name. */
static bool is_still(int descriptor, const char *path)
{
	struct stat opened, named;

	return fstat(descriptor, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static enum result empty(int descriptor, const char *path, struct problem *reterr_problem)
{
	if (flock(descriptor, LOCK_EX | LOCK_NB) < 0 || !is_still(descriptor, path))
		return problem_set(reterr_problem, RESULT_BUSY, "",
				   "%s is being written by another one", path);
	return ftruncate(descriptor, 0) == 0 ? RESULT_OK : failed(path, reterr_problem);
}

enum result partial_open(const char *path, int *ret_descriptor, struct problem *reterr_problem)
{
	int descriptor = -1;
	enum result result = make(path, &descriptor, reterr_problem);

	if (result != RESULT_OK)
		return result;
	result = empty(descriptor, path, reterr_problem);
	if (result == RESULT_OK)
		*ret_descriptor = descriptor;
	else
		close(descriptor);
	return result;
}
