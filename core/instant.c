#include "instant.h"

#include <glib.h>
#include <string.h>

#define DAYS_400_YEARS 146097 /* the calendar repeats after them */
#define DAYS_TO_1970 719468   /* from 0000-03-01, where years begin here: the leap day comes last */

struct cursor {
	const char *at, *end;
};

instant instant_now(void)
{
	return g_get_real_time() / 1000;
}

/* The calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */

static int64_t floor_divide(int64_t dividend, int64_t divisor)
{
	int64_t quotient = dividend / divisor;

	return dividend % divisor < 0 ? quotient - 1 : quotient;
}

static int64_t days_from_date(int year, int month, int day)
{
	int64_t march_year = month > 2 ? year : year - 1;
	int64_t era = floor_divide(march_year, 400);
	int64_t year_of_era = march_year - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * DAYS_400_YEARS + day_of_era - DAYS_TO_1970;
}

static void date_from_days(int64_t days, struct civil *civil)
{
	int64_t since_0000 = days + DAYS_TO_1970;
	int64_t era = floor_divide(since_0000, DAYS_400_YEARS);
	int64_t day_of_era = since_0000 - era * DAYS_400_YEARS;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			       day_of_era / (DAYS_400_YEARS - 1)) /
			      365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;

	civil->day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
	civil->month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	civil->year = (int)(era * 400 + year_of_era + (civil->month <= 2 ? 1 : 0));
}

static int days_in_month(int year, int month)
{
	int64_t next =
		month < 12 ? days_from_date(year, month + 1, 1) : days_from_date(year + 1, 1, 1);

	return (int)(next - days_from_date(year, month, 1));
}

struct civil instant_to_civil(int64_t ms)
{
	int64_t days = floor_divide(ms, INSTANT_DAY);
	int64_t rest = ms - days * INSTANT_DAY;
	struct civil civil = {
		.hour = (int)(rest / INSTANT_HOUR),
		.minute = (int)(rest / INSTANT_MINUTE % 60),
		.second = (int)(rest / INSTANT_SECOND % 60),
		.millisecond = (int)(rest % INSTANT_SECOND),
	};

	date_from_days(days, &civil);
	return civil;
}

int64_t instant_from_civil(struct civil civil)
{
	return days_from_date(civil.year, civil.month, civil.day) * INSTANT_DAY +
	       civil.hour * INSTANT_HOUR + civil.minute * INSTANT_MINUTE +
	       civil.second * INSTANT_SECOND + civil.millisecond;
}

/* Reading */

static bool take(struct cursor *cursor, char wanted)
{
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

/* The next character if it is one of the wanted ones, else NUL. */
static char take_any(struct cursor *cursor, const char *wanted)
{
	if (cursor->at == cursor->end || *cursor->at == '\0' || strchr(wanted, *cursor->at) == NULL)
		return '\0';
	return *cursor->at++;
}

static bool take_digits(struct cursor *cursor, int count, int *ret_number)
{
	int number = 0;

	for (int i = 0; i < count; i++) {
		if (cursor->at == cursor->end || !g_ascii_isdigit(*cursor->at))
			return false;
		number = number * 10 + (*cursor->at++ - '0');
	}
	*ret_number = number;
	return true;
}

/* At least one digit; those after the third are cut. */
static bool take_fraction(struct cursor *cursor, int *ret_milliseconds)
{
	int weight = 100, milliseconds = 0, digit;

	if (!take_digits(cursor, 1, &digit))
		return false;
	do {
		milliseconds += digit * weight;
		weight /= 10;
	} while (take_digits(cursor, 1, &digit));
	*ret_milliseconds = milliseconds;
	return true;
}

static bool take_date(struct cursor *cursor, struct civil *civil)
{
	return take_digits(cursor, 4, &civil->year) && take(cursor, '-') &&
	       take_digits(cursor, 2, &civil->month) && take(cursor, '-') &&
	       take_digits(cursor, 2, &civil->day) && civil->month >= 1 && civil->month <= 12 &&
	       civil->day >= 1 && civil->day <= days_in_month(civil->year, civil->month);
}

/* HH:MM, then :SS and a fraction of it if they are there. A second may be 60: whether it was is for the caller. */
static bool take_clock(struct cursor *cursor, struct civil *civil, bool *ret_has_second)
{
	if (!take_digits(cursor, 2, &civil->hour) || !take(cursor, ':') ||
	    !take_digits(cursor, 2, &civil->minute) || civil->hour > 23 || civil->minute > 59)
		return false;
	*ret_has_second = take(cursor, ':');
	if (!*ret_has_second)
		return true;
	if (!take_digits(cursor, 2, &civil->second) || civil->second > 60)
		return false;
	return !take(cursor, '.') || take_fraction(cursor, &civil->millisecond);
}

static bool take_offset(struct cursor *cursor, int64_t *ret_offset)
{
	char sign = take_any(cursor, "Zz+-");
	int hour = 0, minute = 0;

	if (sign == '\0')
		return false;
	if ((sign == '+' || sign == '-') &&
	    (!take_digits(cursor, 2, &hour) || !take(cursor, ':') ||
	     !take_digits(cursor, 2, &minute) || hour > 23 || minute > 59))
		return false;
	*ret_offset = (hour * INSTANT_HOUR + minute * INSTANT_MINUTE) * (sign == '-' ? -1 : 1);
	return true;
}

/* Leap seconds are inserted at the end of a month, UTC: the next month has begun when they are counted on. */
static bool is_leap_second(instant when)
{
	struct civil civil = instant_to_civil(when);

	return civil.day == 1 && civil.hour == 0 && civil.minute == 0 && civil.second == 0;
}

bool instant_parse(const char *text, size_t size, instant *ret_instant)
{
	struct cursor cursor = {text, text + size};
	struct civil civil = {0};
	bool has_second;
	char separator;
	int64_t offset = 0;
	instant when;

	if (!take_date(&cursor, &civil))
		return false;
	separator = take_any(&cursor, "Tt ");
	if (separator == '\0' || !take_clock(&cursor, &civil, &has_second))
		return false;
	if (cursor.at == cursor.end ? separator != ' '
				    : !has_second || !take_offset(&cursor, &offset))
		return false;
	when = instant_from_civil(civil) - offset;
	if (cursor.at != cursor.end || when < INSTANT_FIRST || when > INSTANT_LAST)
		return false;
	if (civil.second == 60 && !is_leap_second(when))
		return false;
	*ret_instant = when;
	return true;
}

bool instant_parse_date(const char *text, size_t size, instant *ret_instant)
{
	struct cursor cursor = {text, text + size};
	struct civil civil = {0};
	instant when;

	if (!take_date(&cursor, &civil) || cursor.at != cursor.end)
		return instant_parse(text, size, ret_instant);
	when = instant_from_civil(civil);
	if (when < INSTANT_FIRST || when > INSTANT_LAST)
		return false;
	*ret_instant = when;
	return true;
}

bool civil_parse(const char *text, size_t size, struct civil *ret_civil)
{
	struct cursor cursor = {text, text + size};
	struct civil civil = {0};
	bool has_second;

	if (!take_date(&cursor, &civil))
		return false;
	if (cursor.at != cursor.end &&
	    (take_any(&cursor, "Tt ") == '\0' || !take_clock(&cursor, &civil, &has_second)))
		return false;
	if (cursor.at != cursor.end || civil.second == 60)
		return false;
	*ret_civil = civil;
	return true;
}

/* Writing */

static void put_digits(char *text, int count, int number)
{
	for (int i = count - 1; i >= 0; i--) {
		text[i] = (char)('0' + number % 10);
		number /= 10;
	}
}

void instant_format(instant when, char ret_text[INSTANT_TEXT_SIZE])
{
	struct civil civil = instant_to_civil(when);

	memcpy(ret_text, "YYYY-MM-DDThh:mm:ss.fffZ", INSTANT_TEXT_SIZE);
	put_digits(ret_text, 4, civil.year);
	put_digits(ret_text + 5, 2, civil.month);
	put_digits(ret_text + 8, 2, civil.day);
	put_digits(ret_text + 11, 2, civil.hour);
	put_digits(ret_text + 14, 2, civil.minute);
	put_digits(ret_text + 17, 2, civil.second);
	put_digits(ret_text + 20, 3, civil.millisecond);
}
