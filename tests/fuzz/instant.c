/* A time, and behind a line feed the name of a timezone. What is read and written again is the same instant; GLib, where
 * it understands the text, says the same; a local time is found again in every timezone that there is. */
#include "instant.h"

#include <string.h>

#include "fuzz.h"
#include "zone.h"

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-"

/* GLib rounds a fraction to what a double holds, to the next second even: what we cut is cut for it, too. */
static char *cut_fraction(const char *text)
{
	const char *point = strpbrk(text, ".,");
	size_t digits = point != NULL ? strspn(point + 1, "0123456789") : 0;

	if (digits <= 3)
		return g_strdup(text);
	return g_strdup_printf("%.*s%s", (int)(point + 4 - text), text, point + 1 + digits);
}

static void check_glib(const char *text, instant when)
{
	g_autofree char *cut = cut_fraction(text);
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) other = g_date_time_new_from_iso8601(cut, utc);

	if (other != NULL)
		g_assert(g_date_time_to_unix(other) == when / INSTANT_SECOND);
}

static void check_text(const char *text, size_t size, instant when)
{
	char formatted[INSTANT_TEXT_SIZE];
	instant again = INSTANT_NONE;

	g_assert(when >= INSTANT_FIRST && when <= INSTANT_LAST);
	instant_format(when, formatted);
	g_assert(strlen(formatted) == INSTANT_TEXT_SIZE - 1);
	g_assert(instant_parse(formatted, strlen(formatted), &again) && again == when);
	g_assert(instant_from_civil(instant_to_civil(when)) == when);
	if (strlen(text) == size && strstr(text, ":60") == NULL) /* GLib has no leap seconds */
		check_glib(text, when);
}

static void check_zone(const struct zone *zone, instant when)
{
	int64_t offset = zone_offset(zone, when);
	instant first = INSTANT_NONE, second = INSTANT_NONE;
	enum zone_fit fit = zone_from_local(zone, when + offset, &first, &second);
	instant next = zone_next_daily(zone, (int)(when / INSTANT_MINUTE % 1440), when);

	g_assert(ABS(offset) < INSTANT_DAY);
	g_assert(fit == ZONE_UNIQUE || fit == ZONE_OVERLAP); /* it was, so it is in no gap */
	g_assert(first == when || (fit == ZONE_OVERLAP && second == when));
	g_assert(next > when && next <= when + 3 * INSTANT_DAY); /* a date may be left out */
}

/* A name is no path out of the folder of timezones. */
static void check_name(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);

	for (char **part = parts; *part != NULL; part++)
		g_assert(**part != '\0' && (*part)[strspn(*part, WORD)] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = fuzz_text(data, size);
	const char *line = memchr(data, '\n', size);
	size_t length = line != NULL ? (size_t)(line - (const char *)data) : size;
	const struct zone *zone =
		line != NULL ? zone_find(text + MIN(length + 1, strlen(text))) : NULL;
	instant when = INSTANT_NONE, date = INSTANT_NONE;
	struct civil civil;

	if (length < size)
		text[length] = '\0';
	if (instant_parse((const char *)data, length, &when)) {
		check_text(text, length, when);
		g_assert(instant_parse_date((const char *)data, length, &date) && date == when);
	} else {
		g_assert(when == INSTANT_NONE);
	}
	if (civil_parse((const char *)data, length, &civil))
		g_assert(civil.month >= 1 && civil.month <= 12 && civil.day >= 1 &&
			 civil.day <= 31 && civil.hour <= 23 && civil.minute <= 59 &&
			 civil.second <= 60);
	if (zone != NULL)
		check_name(text + length + 1);
	if (zone != NULL && when != INSTANT_NONE)
		check_zone(zone, when);
	return 0;
}
