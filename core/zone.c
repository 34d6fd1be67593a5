#include "zone.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define SYSTEM_FOLDER "/usr/share/zoneinfo" /* unless TZDIR says otherwise: tzset(3) */
#define FILE_HEAD_BYTES 44                  /* RFC 8536, 3.1 */

struct zone {
	GTimeZone *system;
};

/* Finding */

/* GTimeZone also takes offsets and rules for a zone; a file may also be one of the tables beside the zones, a
 * zone that counts leap seconds (right/…), or lie outside. IANA names begin with a capital and need no dot. */
static bool is_name(const char *name)
{
	static const char allowed[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_+-/";

	return g_ascii_isupper(*name) && name[strspn(name, allowed)] == '\0' &&
	       strstr(name, "//") == NULL;
}

static bool has_file(const char *name)
{
	const char *folder = g_getenv("TZDIR");
	g_autofree char *path =
		g_build_filename(folder != NULL ? folder : SYSTEM_FOLDER, name, NULL);
	g_autofree char *bytes = NULL;
	size_t size;

	return g_file_get_contents(path, &bytes, &size, NULL) && size >= FILE_HEAD_BYTES &&
	       memcmp(bytes, "TZif", 4) == 0;
}

static struct zone *load(const char *name)
{
	struct zone *zone;
	GTimeZone *system;

	if (strcmp(name, "UTC") != 0 && (!is_name(name) || !has_file(name)))
		return NULL;
	system = g_time_zone_new_identifier(name);
	if (system == NULL)
		return NULL;
	zone = g_new(struct zone, 1);
	zone->system = system;
	return zone;
}

const struct zone *zone_find(const char *name)
{
	static GMutex mutex;
	static GHashTable *zones; /* only names that exist, so there is a bound to them */
	struct zone *zone;

	g_mutex_lock(&mutex);
	if (zones == NULL)
		zones = g_hash_table_new(g_str_hash, g_str_equal);
	zone = g_hash_table_lookup(zones, name);
	if (zone == NULL) {
		zone = load(name);
		if (zone != NULL)
			g_hash_table_insert(zones, g_strdup(name), zone);
	}
	g_mutex_unlock(&mutex);
	return zone;
}

/* Times */

int64_t zone_offset(const struct zone *zone, instant when)
{
	int64_t second = when / INSTANT_SECOND - (when % INSTANT_SECOND < 0 ? 1 : 0);
	int interval = g_time_zone_find_interval(zone->system, G_TIME_TYPE_UNIVERSAL, second);

	return g_time_zone_get_offset(zone->system, interval) * INSTANT_SECOND;
}

/* The instant after `from`, and not after `until`, from which on the offset is no longer the one at `from`. */
static instant change_between(const struct zone *zone, instant from, instant until)
{
	int64_t offset = zone_offset(zone, from);

	while (until - from > 1) {
		instant middle = from + (until - from) / 2;
		if (zone_offset(zone, middle) == offset)
			from = middle;
		else
			until = middle;
	}
	return until;
}

/* No local time is a day away from UTC, so the offset is the one of a day before or of a day after, read as
 * UTC: no zone has changed its offset twice within a week since 1970. */
enum zone_fit zone_from_local(const struct zone *zone, int64_t local_ms, instant *ret_instant,
			      instant *ret_second)
{
	instant by_earlier = local_ms - zone_offset(zone, local_ms - INSTANT_DAY);
	instant by_later = local_ms - zone_offset(zone, local_ms + INSTANT_DAY);
	bool is_earlier = by_earlier + zone_offset(zone, by_earlier) == local_ms;
	bool is_later = by_later + zone_offset(zone, by_later) == local_ms;

	if (!is_earlier && !is_later) {
		*ret_instant = change_between(zone, by_later, by_earlier);
		return ZONE_GAP;
	}
	*ret_instant = is_earlier ? by_earlier : by_later;
	if (!is_earlier || !is_later || by_earlier == by_later)
		return ZONE_UNIQUE;
	if (ret_second != NULL)
		*ret_second = by_later;
	return ZONE_OVERLAP;
}

instant zone_next_daily(const struct zone *zone, int minute_of_day, instant after)
{
	struct civil civil = instant_to_civil(after + zone_offset(zone, after));
	int64_t local_ms;
	instant next;

	civil.hour = minute_of_day / 60;
	civil.minute = minute_of_day % 60;
	civil.second = civil.millisecond = 0;
	local_ms = instant_from_civil(civil);
	for (zone_from_local(zone, local_ms, &next, NULL); next <= after;
	     zone_from_local(zone, local_ms, &next, NULL))
		local_ms += INSTANT_DAY;
	return next;
}
