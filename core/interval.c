#include "interval.h"

#include <string.h>

#define COUNT_DIGITS 6
#define MONTHS 12

/* clang-format off */
static const struct {
	const char *name;
	int64_t length; /* of those that are a length of time; 0 */
	int days, months;
} units[] = {
	[INTERVAL_MINUTE] = {"m",  INSTANT_MINUTE, 0, 0},
	[INTERVAL_HOUR]   = {"h",  INSTANT_HOUR,   0, 0},
	[INTERVAL_DAY]    = {"d",  0,              1, 0},
	[INTERVAL_WEEK]   = {"w",  0,              7, 0},
	[INTERVAL_MONTH]  = {"mo", 0,              0, 1},
};
/* clang-format on */

bool interval_parse(const char *text, struct interval *ret_interval)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > COUNT_DIGITS || *text == '0')
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		if (strcmp(text + digits, units[i].name) == 0) {
			ret_interval->unit = (enum interval_unit)i;
			ret_interval->count = g_ascii_strtoll(text, NULL, 10);
			return true;
		}
	}
	return false;
}

/* The civil time so many months later; the day is the month's last if it has not as many. */
static int64_t add_months(int64_t local, int64_t months)
{
	struct civil civil = instant_to_civil(local);
	int64_t month = civil.month - 1 + months;

	civil.year += (int)(month / MONTHS);
	civil.month = (int)(month % MONTHS) + 1;
	civil.day = MIN(civil.day,
			g_date_get_days_in_month((GDateMonth)civil.month, (GDateYear)civil.year));
	return instant_from_civil(civil);
}

/* Where the step of that number ends; INSTANT_LAST if that is too far away to matter. */
static instant step(const struct interval *interval, const struct zone *zone, instant start,
		    int64_t number)
{
	int64_t steps = interval->count * number;
	int64_t local = start + zone_offset(zone, start);
	int64_t years_left = instant_to_civil(INSTANT_LAST).year - instant_to_civil(local).year;
	instant when;

	if (units[interval->unit].length > 0)
		return start + steps * units[interval->unit].length;
	if (steps * units[interval->unit].months >= years_left * MONTHS ||
	    steps * units[interval->unit].days >= years_left * 365)
		return INSTANT_LAST;
	local = add_months(local, steps * units[interval->unit].months);
	local += steps * units[interval->unit].days * INSTANT_DAY;
	(void)zone_from_local(zone, local, &when, NULL);
	return when;
}

GArray *interval_edges(const struct interval *interval, const struct zone *zone, instant start,
		       instant end, size_t most)
{
	GArray *edges = g_array_new(FALSE, FALSE, sizeof(instant));
	instant last = start;

	for (int64_t number = 1; last < end; number++) {
		instant edge = MIN(step(interval, zone, start, number), end);

		if (edge <= last) /* a day that the zone has skipped */
			continue;
		g_array_append_val(edges, last);
		last = edge;
		if (edges->len > most) {
			g_array_unref(edges);
			return NULL;
		}
	}
	g_array_append_val(edges, end);
	return edges;
}
