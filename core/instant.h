/* Instants: milliseconds since 1970-01-01 00:00 UTC, from the first parse to the last format. */
#ifndef HEADCOUNT_INSTANT_H
#define HEADCOUNT_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t instant;

#define INSTANT_SECOND INT64_C(1000)
#define INSTANT_MINUTE (60 * INSTANT_SECOND)
#define INSTANT_HOUR (60 * INSTANT_MINUTE)
#define INSTANT_DAY (24 * INSTANT_HOUR)
#define INSTANT_FIRST INT64_C(0)              /* 1970-01-01T00:00:00.000Z */
#define INSTANT_LAST INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define INSTANT_NONE INT64_MIN                /* "no instant": open ends, nothing known yet */
#define INSTANT_TEXT_SIZE 25                  /* "2026-11-23T08:15:30.125Z" and a NUL */

/* The system's clock, UTC. */
instant instant_now(void);

/* Reads RFC 3339 with any offset (T, t or a space between date and time; a leap second 23:59:60 UTC at
 * the end of a month is the first instant of the next day, as POSIX counts), or "YYYY-MM-DD HH:MM[:SS[.f…]]",
 * which is UTC. Digits finer than a millisecond are cut. False, and *ret_instant untouched, for anything
 * else, and for what lies outside INSTANT_FIRST…INSTANT_LAST. The text needs no NUL. */
bool instant_parse(const char *text, size_t size, instant *ret_instant);

/* As instant_parse, but also takes "YYYY-MM-DD" for its first instant: for people's command lines. */
bool instant_parse_date(const char *text, size_t size, instant *ret_instant);

/* Writes RFC 3339 in UTC with milliseconds, and a NUL. The instant is within INSTANT_FIRST…INSTANT_LAST. */
void instant_format(instant when, char ret_text[INSTANT_TEXT_SIZE]);

/* The civil time of a number of milliseconds since 1970-01-01 00:00, without any timezone; and back. For
 * local times the number is UTC + offset. Months and days count from 1. (Algorithms: proleptic Gregorian
 * calendar, any year 0000…9999.) */
struct civil {
	int year, month, day, hour, minute, second, millisecond;
};
struct civil instant_to_civil(int64_t ms);
int64_t instant_from_civil(struct civil civil);

/* Reads "YYYY-MM-DD HH:MM[:SS[.f…]]" (a T may stand for the space) or "YYYY-MM-DD" without an offset, as a
 * civil time; false for anything else. */
bool civil_parse(const char *text, size_t size, struct civil *ret_civil);

#endif
