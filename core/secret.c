#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES 4096 /* at most */

static enum result check_mode(const char *path, const char *member, int file,
			      struct problem *reterr_problem)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return problem_set(reterr_problem, RESULT_INVALID, member, "%s: %s", path,
				   g_strerror(errno));
	if ((status.st_mode & S_IRWXO) != 0)
		return problem_set(reterr_problem, RESULT_INVALID, member,
				   "%s: is open to everybody (mode %04o): chmod o-rwx it", path,
				   (unsigned)status.st_mode & 07777);
	return RESULT_OK;
}

static enum result read_line(const char *path, const char *member, int file, char **ret_secret,
			     struct problem *reterr_problem)
{
	char text[SECRET_BYTES + 1];
	ssize_t size = read(file, text, SECRET_BYTES);

	if (size < 0)
		return problem_set(reterr_problem, RESULT_INVALID, member, "%s: %s", path,
				   g_strerror(errno));
	text[size] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '\0')
		return problem_set(reterr_problem, RESULT_INVALID, member,
				   "%s: the first line must be the password; it is empty", path);
	*ret_secret = g_strdup(text);
	return RESULT_OK;
}

enum result secret_read(const char *path, const char *member, char **ret_secret,
			struct problem *reterr_problem)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	enum result result;

	if (file < 0)
		return problem_set(reterr_problem, RESULT_NOT_FOUND, member, "%s: %s", path,
				   g_strerror(errno));
	result = check_mode(path, member, file, reterr_problem);
	if (result == RESULT_OK)
		result = read_line(path, member, file, ret_secret, reterr_problem);
	close(file);
	return result;
}
