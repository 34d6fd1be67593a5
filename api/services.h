/* What handlers reach by http_context. */
#ifndef HEADCOUNT_SERVICES_H
#define HEADCOUNT_SERVICES_H

#include "config.h"

struct services {
	const struct config *config;
	struct memory *memory;
	struct auth *auth;
	struct pages *pages;
	struct broker *broker;
	struct live *live;
	struct metrics *metrics;
};

#endif
