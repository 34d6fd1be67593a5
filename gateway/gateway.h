/* The gateway: reads what DPUs say, stores it, publishes what follows from it, and only then lets the broker
 * forget it (DESIGN.md, section 6). */
#ifndef HEADCOUNT_GATEWAY_H
#define HEADCOUNT_GATEWAY_H

#include "config.h"
#include "store.h"

struct gateway;

/* Borrows all. `config_path`, as for config_read, is read again for the log level on SIGHUP. Blocks SIGTERM,
 * SIGINT and SIGHUP, so call it before any thread begins. */
MUST_USE enum result gateway_new(const struct config *config, const char *config_path,
				 struct store *store, struct gateway **ret_gateway,
				 struct problem *reterr_problem);
void gateway_free(struct gateway *gateway);

/* Works until SIGTERM or SIGINT. Whatever goes wrong at the broker or the database is waited out. */
void gateway_run(struct gateway *gateway);

#endif
