/* What the daemons have in common: their options, their configuration, how they begin. */
#ifndef HEADCOUNT_PROGRAM_H
#define HEADCOUNT_PROGRAM_H

#include "config.h"
#include "result.h"

struct program {
	const char *name;    /* "headcount-gateway" */
	const char *summary; /* for --help: a sentence */

	/* Checks what this program alone wants of the configuration: RESULT_OK, or a problem. */
	enum result (*check)(const struct config *config, struct problem *reterr_problem);

	/* Does the work until the program is to end; the exit code (sysexits.h). `config_path` is as it was given. */
	int (*run)(const struct config *config, const char *config_path);
};

/* All of main: reads options and configuration, says what is wrong with them, or runs. The exit code. */
int program_main(const struct program *program, int argc, char **argv);

/* Reads the configuration again and takes over what can be changed while running: [log]. Says what else has changed. */
void program_reload(const char *name, const struct config *in_force, const char *config_path);

#endif
