/* Tokens that are not known, by the address that they come from: so many a minute, and then it is told to wait. Nobody
 * guesses a token of 256 bits; this keeps those who try anyway, or a forgotten program, from filling logs and time. Bounded
 * memory, whatever comes. May be called from any thread. */
#ifndef HEADCOUNT_ATTEMPTS_H
#define HEADCOUNT_ATTEMPTS_H

#include <stdint.h>

struct attempts;

struct attempts *attempts_new(int64_t per_minute);
void attempts_free(struct attempts *attempts);

/* One more of an address (as client_address writes it; of IPv6 the first 64 bits count) at a time of g_get_monotonic_time.
 * 0, or how many seconds it should wait because there were too many. */
int64_t attempts_fail(struct attempts *attempts, const char *address, int64_t now_us);

/* How many there were, of all addresses. */
int64_t attempts_total(struct attempts *attempts);

#endif
