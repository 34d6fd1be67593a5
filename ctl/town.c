#include "town.h"

#include <string.h>

#include "zone.h"

/* The buildings: where people can stand, and the doors between. A room has one way out, floor by floor. */

/* clang-format off */
enum place {
	OUTSIDE,
	HARBOUR_0, HARBOUR_CAFE, HARBOUR_1, HARBOUR_EAST, HARBOUR_WEST, HARBOUR_MEETING,
	HARBOUR_2, HARBOUR_LAB, HARBOUR_NORTH,
	MARKET_0, MARKET_SHOP, MARKET_1, MARKET_OFFICE, MARKET_MEETING,
	PLACES
};

static const struct {
	const char *id, *name, *parent;
	int64_t capacity;
	enum place outer; /* the next place on the way out */
} places[PLACES] = {
	[OUTSIDE]         = {NULL, NULL, NULL, 0, OUTSIDE},
	[HARBOUR_0]       = {"harbour-0",       "Harbour House, ground floor", "harbour",   100, OUTSIDE},
	[HARBOUR_CAFE]    = {"harbour-cafe",    "Café",                        "harbour-0",  40, HARBOUR_0},
	[HARBOUR_1]       = {"harbour-1",       "Harbour House, first floor",  "harbour",   120, HARBOUR_0},
	[HARBOUR_EAST]    = {"harbour-east",    "East office",                 "harbour-1",  45, HARBOUR_1},
	[HARBOUR_WEST]    = {"harbour-west",    "West office",                 "harbour-1",  45, HARBOUR_1},
	[HARBOUR_MEETING] = {"harbour-meeting", "Meeting room",                "harbour-1",  16, HARBOUR_1},
	[HARBOUR_2]       = {"harbour-2",       "Harbour House, second floor", "harbour",    80, HARBOUR_1},
	[HARBOUR_LAB]     = {"harbour-lab",     "Laboratory",                  "harbour-2",  45, HARBOUR_2},
	[HARBOUR_NORTH]   = {"harbour-north",   "North office",                "harbour-2",  45, HARBOUR_2},
	[MARKET_0]        = {"market-0",        "Market Hall, ground floor",   "market",    120, OUTSIDE},
	[MARKET_SHOP]     = {"market-shop",     "Shop",                        "market-0",   60, OUTSIDE},
	[MARKET_1]        = {"market-1",        "Market Hall, first floor",    "market",     80, MARKET_0},
	[MARKET_OFFICE]   = {"market-office",   "Office",                      "market-1",   60, MARKET_1},
	[MARKET_MEETING]  = {"market-meeting",  "Meeting room",                "market-1",   12, MARKET_1},
};

static const struct door {
	const char *id, *name;
	enum place place, adjacent;
	const char *dpu_id;
	int orientation;
} doors[] = {
	{"harbour-main",         "Main entrance",  HARBOUR_0,       OUTSIDE,      "1001", 1},
	{"harbour-side",         "Side entrance",  HARBOUR_0,       OUTSIDE,      "1002", -1},
	{"harbour-cafe",         "Café door",      HARBOUR_CAFE,    HARBOUR_0,    "1003", 1},
	{"harbour-stairs-1",     "Stairs",         HARBOUR_1,       HARBOUR_0,    "1004", 1},
	{"harbour-lift-1",       "Lift",           HARBOUR_1,       HARBOUR_0,    "1005", 1},
	{"harbour-east",         "East door",      HARBOUR_EAST,    HARBOUR_1,    "1006", 1},
	{"harbour-west",         "West door",      HARBOUR_WEST,    HARBOUR_1,    "1007", -1},
	{"harbour-meeting",      "Meeting room",   HARBOUR_MEETING, HARBOUR_1,    "1008", 1},
	{"harbour-meeting-east", "Side door",      HARBOUR_MEETING, HARBOUR_EAST, "1009", 1},
	{"harbour-stairs-2",     "Stairs",         HARBOUR_2,       HARBOUR_1,    "1010", 1},
	{"harbour-lift-2",       "Lift",           HARBOUR_2,       HARBOUR_1,    "1011", 1},
	{"harbour-lab",          "Laboratory",     HARBOUR_LAB,     HARBOUR_2,    "1012", 1},
	{"harbour-north",        "North door",     HARBOUR_NORTH,   HARBOUR_2,    "1013", 1},
	{"market-main",          "Main entrance",  MARKET_0,        OUTSIDE,      "2001", 1},
	{"market-shop",          "Shop entrance",  MARKET_SHOP,     OUTSIDE,      "2002", 1},
	{"market-shop-inside",   "Shop back door", MARKET_SHOP,     MARKET_0,     "2003", -1},
	{"market-stairs",        "Stairs",         MARKET_1,        MARKET_0,     "2004", 1},
	{"market-office",        "Office door",    MARKET_OFFICE,   MARKET_1,     "2005", 1},
	{"market-meeting",       "Meeting room",   MARKET_MEETING,  MARKET_1,     "2006", 1},
};

/* Lists of places repeat one to make it likelier. */
#define CHOICES 4

static const struct building {
	const char *id, *name, *timezone;
	int64_t capacity;
	int staff;                  /* on a working day */
	enum place desks[CHOICES];  /* where they work */
	enum place breaks[CHOICES]; /* where they go in between */
	int visitors;               /* a day, Sundays excepted */
	enum place attraction;      /* what these come for */
} buildings[TOWN_BUILDINGS] = {
	{"harbour", "Harbour House", "Europe/Berlin", 280,
		110, {HARBOUR_EAST, HARBOUR_WEST, HARBOUR_LAB, HARBOUR_NORTH},
		{HARBOUR_CAFE, HARBOUR_MEETING, HARBOUR_CAFE, HARBOUR_1},
		60, HARBOUR_CAFE},
	{"market", "Market Hall", "America/New_York", 240,
		45, {MARKET_OFFICE, MARKET_OFFICE, MARKET_OFFICE, MARKET_OFFICE},
		{MARKET_MEETING, MARKET_SHOP, MARKET_0, MARKET_MEETING},
		250, MARKET_SHOP},
};
/* clang-format on */

static enum result make_building(struct premises *premises, const struct building *building)
{
	enum result result =
		premises_add_space(premises, building->id, building->name, building->timezone, NULL,
				   building->capacity, "04:00");

	for (size_t i = OUTSIDE + 1; i < PLACES && result == RESULT_OK; i++) {
		if (g_str_has_prefix(places[i].id, building->id))
			result = premises_add_space(premises, places[i].id, places[i].name,
						    building->timezone, places[i].parent,
						    places[i].capacity, NULL);
	}
	return result;
}

enum result town_make(struct premises *premises)
{
	enum result result = RESULT_OK;

	for (size_t i = 0; i < TOWN_BUILDINGS && result == RESULT_OK; i++)
		result = make_building(premises, &buildings[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(doors) && result == RESULT_OK; i++) {
		const struct door *door = &doors[i];

		result = premises_add_doorway(premises, door->id, door->name,
					      places[door->place].id, places[door->adjacent].id);
		if (result == RESULT_OK)
			result = premises_add_dpu(premises, door->dpu_id, door->id, TOWN_BEGINS,
						  door->orientation);
	}
	return result;
}

/* People: everybody has a clock and walks from place to place */

#define MINUTE INSTANT_MINUTE
#define HOUR INSTANT_HOUR

struct day {
	const struct building *building;
	GRand *dice;
	instant midnight;
	GArray *crossings;
};

struct person {
	struct day *day;
	int64_t number; /* tells apart who crosses at the same millisecond */
	int64_t clock;  /* ms since midnight */
	enum place at;
};

/* Mostly near the middle. */
static int64_t around(GRand *dice, int64_t middle, int64_t spread)
{
	double sum = 0;

	for (int i = 0; i < 3; i++)
		sum += g_rand_double_range(dice, -1, 1);
	return middle + (int64_t)(sum / 3 * (double)spread);
}

static enum place choose(GRand *dice, const enum place choices[CHOICES])
{
	return choices[g_rand_int_range(dice, 0, CHOICES)];
}

static bool joins(const struct door *door, enum place a, enum place b)
{
	return (door->place == a && door->adjacent == b) ||
	       (door->place == b && door->adjacent == a);
}

/* One of the doors between two places; NULL if there is none. */
static const struct door *choose_door(GRand *dice, enum place a, enum place b)
{
	const struct door *chosen = NULL;
	int found = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(doors); i++) {
		if (joins(&doors[i], a, b) && g_rand_int_range(dice, 0, ++found) == 0)
			chosen = &doors[i];
	}
	return chosen;
}

static void cross(struct person *person, const struct door *door)
{
	bool inward = door->adjacent == person->at;
	struct town_crossing crossing = {
		.dpu_id = door->dpu_id,
		.event = {.time = person->day->midnight + person->clock,
			  .seq = person->number,
			  .count = inward ? door->orientation : -door->orientation},
	};

	g_array_append_val(person->day->crossings, crossing);
	person->at = inward ? door->place : door->adjacent;
	person->clock += g_rand_int_range(person->day->dice, 5000, 25000); /* to the next one */
}

/* Does one place lie on the other's way out? */
static bool is_on_way_out(enum place place, enum place from)
{
	while (from != OUTSIDE && from != place)
		from = places[from].outer;
	return from == place;
}

/* The next place on the way: towards the outside until the way in branches off. */
static enum place next_place(enum place at, enum place to)
{
	if (!is_on_way_out(at, to))
		return places[at].outer;
	while (places[to].outer != at)
		to = places[to].outer;
	return to;
}

static void walk(struct person *person, enum place to)
{
	while (person->at != to) {
		const struct door *door = choose_door(person->day->dice, person->at, to);

		if (door == NULL)
			door = choose_door(person->day->dice, person->at,
					   next_place(person->at, to));
		cross(person, door);
	}
}

static void stay(struct person *person, int64_t middle, int64_t spread)
{
	person->clock += around(person->day->dice, middle, spread);
}

static void have_lunch_outside(struct person *person)
{
	walk(person, OUTSIDE);
	stay(person, 40 * MINUTE, 20 * MINUTE);
}

static void work(struct person *person)
{
	GRand *dice = person->day->dice;
	const struct building *building = person->day->building;
	enum place desk = choose(dice, building->desks);
	int64_t leaves;
	bool hungry = true;

	person->clock = around(dice, 8 * HOUR + 40 * MINUTE, 2 * HOUR);
	leaves = around(dice, 17 * HOUR + 15 * MINUTE, 2 * HOUR);
	for (walk(person, desk); person->clock < leaves; walk(person, desk)) {
		stay(person, 70 * MINUTE, 55 * MINUTE);
		if (hungry && person->clock > 11 * HOUR + 30 * MINUTE) {
			hungry = false;
			have_lunch_outside(person);
		} else {
			walk(person, choose(dice, building->breaks));
			stay(person, 20 * MINUTE, 15 * MINUTE);
		}
	}
	walk(person, OUTSIDE);
}

static void visit(struct person *person)
{
	person->clock = around(person->day->dice, 13 * HOUR, 5 * HOUR);
	walk(person, person->day->building->attraction);
	stay(person, 25 * MINUTE, 20 * MINUTE);
	walk(person, OUTSIDE);
}

/* A round every hour, all day and night: there is always somebody. */
static void guard(struct person *person)
{
	for (int hour = 0; hour < 24; hour++) {
		person->clock = around(person->day->dice, hour * HOUR + 25 * MINUTE, 20 * MINUTE);
		walk(person, choose(person->day->dice, person->day->building->desks));
		stay(person, 3 * MINUTE, 2 * MINUTE);
		walk(person, choose(person->day->dice, person->day->building->breaks));
		walk(person, OUTSIDE);
	}
}

static void live(struct day *day, int people, void (*role)(struct person *person), int64_t *number)
{
	for (int i = 0; i < people; i++) {
		struct person person = {.day = day, .number = ++*number, .at = OUTSIDE};

		role(&person);
	}
}

/* Days */

static gint by_time(gconstpointer a, gconstpointer b)
{
	const struct event *first = &((const struct town_crossing *)a)->event;
	const struct event *second = &((const struct town_crossing *)b)->event;

	if (first->time != second->time)
		return first->time < second->time ? -1 : 1;
	return first->seq < second->seq ? -1 : first->seq > second->seq;
}

static const struct zone *zone_of(int building)
{
	const struct zone *zone = zone_find(buildings[building].timezone);

	return zone != NULL ? zone : zone_find("UTC"); /* a system without tzdata */
}

int64_t town_day_of(int building, instant when)
{
	return (when + zone_offset(zone_of(building), when)) / INSTANT_DAY;
}

GArray *town_day(int building, int64_t number, guint32 seed)
{
	const guint32 seeds[] = {seed, (guint32)building, (guint32)number};
	int weekday = (int)((number + 3) % 7); /* from Monday 0; 1970-01-01 was a Thursday */
	struct day day = {
		.building = &buildings[building],
		.dice = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds)),
		.crossings = g_array_new(FALSE, FALSE, sizeof(struct town_crossing)),
	};
	int64_t people = 0;

	zone_from_local(zone_of(building), number * INSTANT_DAY, &day.midnight, NULL);
	live(&day, 1, guard, &people);
	if (weekday < 5)
		live(&day, g_rand_int_range(day.dice, 7, 11) * day.building->staff / 10, work,
		     &people);
	if (weekday < 6)
		live(&day, day.building->visitors, visit, &people);
	g_rand_free(day.dice);
	g_array_sort(day.crossings, by_time);
	return day.crossings;
}
