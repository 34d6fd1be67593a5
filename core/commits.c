#include "commits.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>
#include <sys/mman.h>
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

static uint64_t number_in(int file)
{
	uint64_t number = 0;

	if (pread(file, &number, sizeof number, 0) != sizeof number)
		return 0;
	return number;
}

/* Eight bytes at the beginning of a page: the kernel copies them at once. */
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

/* Reading */

struct commits {
	void *page; /* mapped: it begins with the number as the writer writes it */
	dev_t device;
	ino_t inode; /* no other file has it as long as this one is mapped */
};

static struct commits *map(int file)
{
	struct commits *commits;
	struct stat status;
	void *page;

	if (fstat(file, &status) < 0 || status.st_size < (off_t)sizeof(uint64_t))
		return NULL;
	page = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		return NULL;
	commits = g_new(struct commits, 1);
	*commits = (struct commits){page, status.st_dev, status.st_ino};
	return commits;
}

struct commits *commits_open(const char *database)
{
	g_autofree char *path = path_of(database);
	int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct commits *commits;

	if (file < 0)
		return NULL;
	commits = map(file);
	close(file);
	return commits;
}

void commits_close(struct commits *commits)
{
	if (commits == NULL)
		return;
	munmap(commits->page, sizeof(uint64_t));
	g_free(commits);
}

uint64_t commits_read(const struct commits *commits)
{
	const _Atomic uint64_t *place = commits != NULL ? commits->page : NULL;
	uint64_t number = place != NULL ? *place : 0;

	return number % 2 == 0 ? number : 0;
}

static bool is_there(const char *database)
{
	struct commits *commits = commits_open(database);
	bool there = commits != NULL;

	commits_close(commits);
	return there;
}

bool commits_is_replaced(const struct commits *commits, const char *database)
{
	g_autofree char *path = path_of(database);
	struct stat there;

	if (commits == NULL)
		return is_there(database);
	return stat(path, &there) < 0 || commits->inode != there.st_ino ||
	       commits->device != there.st_dev;
}
