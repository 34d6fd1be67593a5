#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum result failed(const char *path, struct problem *reterr_problem)
{
	return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", path, g_strerror(errno));
}

enum result private_file_readers(const char *path, struct readers *ret_readers,
				 struct problem *reterr_problem)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return problem_set(reterr_problem,
				   errno == ENOENT ? RESULT_NOT_FOUND : RESULT_FAILED, "", "%s: %s",
				   path, g_strerror(errno));
	*ret_readers = (struct readers){status.st_uid, status.st_gid, status.st_mode & 07777};
	return RESULT_OK;
}

enum result private_file_lock(const char *path, int *ret_lock, struct problem *reterr_problem)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum result result;

	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
		*ret_lock = lock;
		return RESULT_OK;
	}
	if (errno == EWOULDBLOCK)
		result = problem_set(reterr_problem, RESULT_BUSY, "",
				     "%s: it is being changed by somebody else just now", folder);
	else
		result = problem_set(reterr_problem,
				     errno == ENOENT ? RESULT_NOT_FOUND : RESULT_FAILED, "",
				     "%s: %s", folder, g_strerror(errno));
	if (lock >= 0)
		close(lock);
	return result;
}

/* Only root gives files away; who isn't is their reader, too. */
static bool give(int file, const struct readers *readers)
{
	if (geteuid() == 0 && fchown(file, readers->user, readers->group) < 0)
		return false;
	return fchmod(file, readers->mode) == 0 && fsync(file) == 0;
}

static bool write_all(int file, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(file, text, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		text += written;
		size -= (size_t)written;
	}
	return true;
}

/* Gives the file its name; on the disk that is once the folder is. A file system that can't do that for a folder has
 * nothing to be waited for. */
static bool put_in_place(const char *from, const char *path)
{
	g_autofree char *name = g_path_get_dirname(path);
	int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool placed =
		folder >= 0 && rename(from, path) == 0 && (fsync(folder) == 0 || errno == EINVAL);

	if (folder >= 0)
		close(folder);
	return placed;
}

enum result private_file_write(const char *path, const char *text, size_t size,
			       const struct readers *readers, struct problem *reterr_problem)
{
	g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
	int file = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0600);
	bool written;

	if (file < 0)
		return failed(path, reterr_problem);
	written = write_all(file, text, size) && give(file, readers);
	if (!written || !put_in_place(temporary, path)) {
		enum result result = failed(path, reterr_problem);

		close(file);
		unlink(temporary);
		return result;
	}
	close(file);
	return RESULT_OK;
}

enum result private_file_move(const char *from, const char *path, const struct readers *readers,
			      struct problem *reterr_problem)
{
	int file = open(from, O_RDONLY | O_CLOEXEC);
	bool given = file >= 0 && give(file, readers);

	if (!given || !put_in_place(from, path)) {
		enum result result = failed(path, reterr_problem);

		if (file >= 0)
			close(file);
		return result;
	}
	close(file);
	return RESULT_OK;
}
