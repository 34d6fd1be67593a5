#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES 65536 /* at most: a key of the longest, or a chain with it */

bool secret_is_open(mode_t mode)
{
	return (mode & S_IRWXO) != 0;
}

static enum result check_mode(const char *path, const char *member, int file,
			      struct problem *reterr_problem)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return problem_set(reterr_problem, RESULT_INVALID, member, "%s: %s", path,
				   g_strerror(errno));
	if (secret_is_open(status.st_mode))
		return problem_set(reterr_problem, RESULT_INVALID, member,
				   "%s: is open to everybody (mode %04o): chmod o-rwx it", path,
				   (unsigned)status.st_mode & 07777);
	return RESULT_OK;
}

/* A pipe gives it in pieces. What was read is in `text` in any case. */
static enum result read_all(const char *path, const char *member, int file,
			    char text[SECRET_BYTES + 1], size_t *ret_size,
			    struct problem *reterr_problem)
{
	ssize_t got = 1;

	for (*ret_size = 0; got > 0 && *ret_size <= SECRET_BYTES; *ret_size += (size_t)MAX(got, 0))
		got = read(file, text + *ret_size, SECRET_BYTES + 1 - *ret_size);
	if (got < 0)
		return problem_set(reterr_problem, RESULT_INVALID, member, "%s: %s", path,
				   g_strerror(errno));
	if (*ret_size > SECRET_BYTES)
		return problem_set(reterr_problem, RESULT_INVALID, member,
				   "%s: expected at most %d bytes", path, SECRET_BYTES);
	text[*ret_size] = '\0';
	return RESULT_OK;
}

static enum result load(const char *path, const char *member, int file, char **ret_text,
			size_t *ret_size, struct problem *reterr_problem)
{
	enum result result = check_mode(path, member, file, reterr_problem);
	char *text;

	if (result != RESULT_OK)
		return result;
	text = g_malloc(SECRET_BYTES + 1);
	result = read_all(path, member, file, text, ret_size, reterr_problem);
	if (result == RESULT_OK) {
		*ret_text = text;
		return RESULT_OK;
	}
	explicit_bzero(text, SECRET_BYTES + 1);
	g_free(text);
	return result;
}

enum result secret_load(const char *path, const char *member, char **ret_text, size_t *ret_size,
			struct problem *reterr_problem)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	enum result result;

	if (file < 0)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, member, "%s: %s", path,
				   g_strerror(errno));
	result = load(path, member, file, ret_text, ret_size, reterr_problem);
	close(file);
	return result;
}

enum result secret_read(const char *path, const char *member, char **ret_secret,
			struct problem *reterr_problem)
{
	g_autofree char *text = NULL;
	size_t size;
	enum result result = secret_load(path, member, &text, &size, reterr_problem);

	if (text == NULL)
		return result;
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '\0')
		result = problem_set(reterr_problem, RESULT_INVALID, member,
				     "%s: the first line must be the password; it is empty", path);
	else
		*ret_secret = g_strdup(text);
	explicit_bzero(text, size);
	return result;
}
