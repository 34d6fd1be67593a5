/* What handlers reach by http_context. */
#ifndef HEADCOUNT_SERVICES_H
#define HEADCOUNT_SERVICES_H

#include <stdbool.h>

#include "config.h"

struct services {
	const struct config *config;
	char *hsts;  /* NULL: none */
	bool secure; /* people reach it by TLS, ours or a proxy's */
	struct memory *memory;
	struct auth *auth;
	struct attempts *attempts;
	struct certificate *certificate; /* NULL: no TLS of our own */
	struct pages *pages;
	struct broker *broker;
	struct live *live;
	struct metrics *metrics;
};

#endif
