#include "result.h"

#include <stdarg.h>
#include <stdio.h>

enum result problem_set(struct problem *problem, enum result result, const char *member,
			const char *format, ...)
{
	va_list arguments;

	snprintf(problem->member, sizeof problem->member, "%s", member);
	va_start(arguments, format);
	vsnprintf(problem->detail, sizeof problem->detail, format, arguments);
	va_end(arguments);
	return result;
}
