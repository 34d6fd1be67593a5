/* How the gateway is doing, for gateway/<client id>/health. */
#ifndef HEADCOUNT_HEALTH_H
#define HEADCOUNT_HEALTH_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "instant.h"

struct broker;
struct ingest;
struct publish;
struct store;

#define HEALTH_INTERVAL_MS 30000

struct health {
	int64_t started_us;   /* monotonic */
	int64_t broker_drops; /* messages that the broker has dropped since it began; -1 unknown */
	char last_error[256];
	instant last_error_time; /* INSTANT_NONE: there was none */
	int64_t due_ms;          /* when it is to be published next, monotonic */
};

void health_begin(struct health *health);

/* What the broker says of itself. */
void health_broker_drops(struct health *health, const char *payload, size_t size);

/* Remembers what went wrong, and that the world is to know it at once. */
void health_error(struct health *health, const char *error);

struct health_sources {
	const struct ingest *ingest;
	const struct publish *publish;
	const struct broker *broker;
	const struct store *store;
};
/* Appends the JSON object. */
void health_write(GString *out, const struct health *health, const struct health_sources *sources);

#endif
