/* What is where: spaces, doorways, DPUs, installations and resets, changed by commands (DESIGN.md, section 8).
 *
 * A command is a JSON object: {"action": …, "object": …, "id": …, "values": {…}}.
 *
 *   object          actions                          id                 values
 *   space           create update delete rebuild     space id           id name timezone capacity parent daily_reset
 *   doorway         create update delete             doorway id         id name space adjacent_space
 *   dpu             create update delete             DPU id             id name
 *   dpu             move                             DPU id             doorway at orientation
 *   installation    create update delete             integer            dpu doorway started_at ended_at orientation
 *   reset           create                           -                  space count at
 *   reset           delete                           -                  space at
 *   rejected-event  replay delete                    integer or absent  reason dpu   (absent: all of these)
 *   history         prune                            -                  before
 *
 * "who" and "from" say who sends it from where, as texts, for the audit (core/audit.h): they are believed, as whoever may
 * send commands may do everything that a command can.
 *
 * `create` takes "id" among its values (an installation gets its number), `update` changes the values given and
 * leaves the others, null clears one. The answer is {"status": S, "body": B} with the status HTTP would have;
 * below 400 B is the object as it is now (rejected-event: {"stored", "duplicates", "rejected", "removed"}),
 * else a problem {"status", "title", "detail", "member"}. What would change the past before the horizon (retention.h) is
 * a 409. */
#ifndef HEADCOUNT_REGISTRY_H
#define HEADCOUNT_REGISTRY_H

#include <glib.h>

#include "store.h"

#define REGISTRY_COMMAND_BYTES 66560 /* values of 64 KiB and what stands around them */

struct registry_limits {
	instant now;
	int64_t max_clock_skew_ms;
};

/* Carries out one command within a transaction of the writer and appends the answer. A refused command changes
 * nothing but the audit. True if spaces, doorways, DPUs or installations changed (what was read of them before is stale). */
bool registry_command(struct store *store, const char *command, size_t size,
		      const struct registry_limits *limits, GString *answer);

/* Writes the resets that daily schedules were due for up to `now`; how many. When the next is due:
 * registry_next_daily_reset, INSTANT_NONE if no space has a schedule. */
int64_t registry_daily_resets(struct store *store, instant now);
instant registry_next_daily_reset(struct store *store);

/* A DPU said that it is online or not. False: unknown DPU, or it had said so before. */
bool registry_dpu_status(struct store *store, const char *dpu_id, bool online, instant when);

/* Appends the JSON object of one row, as the command's answer has it; RESULT_NOT_FOUND if there is none. */
MUST_USE enum result registry_show(struct store *store, const char *object, const char *id,
				   GString *out);

#endif
