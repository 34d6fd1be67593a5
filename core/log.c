#include "log.h"

#include <glib.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "instant.h"
#include "json.h"

#define LINE_BYTES                                                                                 \
	1024 /* a longer line is cut, before what is not printable is escaped: \xNN is four for one */
#define MINUTE_US (INT64_C(60) * 1000 * 1000)
#define CUT "…"

/* With 10 lines and a last word a minute, of some 100 bytes, a place in the code writes 1.6 MB a day, and 20 times that if
 * somebody sends it the longest of topics. Who asks for debug wants to see each batch. */
static const struct {
	const char *name;
	const char *priority; /* what the journal wants in front of a line */
	unsigned a_minute;    /* lines, of one place */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", SD_ERR, 10},
	[LOG_LEVEL_WARNING] = {"warning", SD_WARNING, 10},
	[LOG_LEVEL_NOTICE] = {"notice", SD_NOTICE, 10},
	[LOG_LEVEL_INFO] = {"info", SD_INFO, 10},
	[LOG_LEVEL_DEBUG] = {"debug", SD_DEBUG, 1000},
};

static const char *const formats[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json"};

static GMutex mutex; /* of all that follows, and of the places */
static const char *program_name = "headcount";
static gint lowest_level = LOG_LEVEL_NOTICE; /* read without it, so atomically */
static enum log_format format_now = LOG_FORMAT_TEXT;
static bool journal_reads;
static struct log_place *places; /* that ever had more than they might say */

/* systemd names the journal's socket in the environment, so that a program can tell whether its standard error
 * still is that one (systemd.exec(5), $JOURNAL_STREAM). */
static bool is_journal(int descriptor)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat status;

	if (stream == NULL || fstat(descriptor, &status) < 0)
		return false;
	snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return strcmp(stream, own) == 0;
}

void log_start(const char *program, enum log_level lowest, enum log_format format)
{
	g_mutex_lock(&mutex);
	program_name = program;
	g_atomic_int_set(&lowest_level, (gint)lowest);
	format_now = format;
	journal_reads = is_journal(STDERR_FILENO);
	g_mutex_unlock(&mutex);
}

bool log_level_find(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_format_find(const char *name, enum log_format *ret_format)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (strcmp(formats[i], name) == 0) {
			*ret_format = (enum log_format)i;
			return true;
		}
	}
	return false;
}

/* Lines */

/* GLib takes what ends a line or a paragraph for printable. */
static bool is_printable(gunichar character)
{
	GUnicodeType type = g_unichar_type(character);

	return g_unichar_isprint(character) && type != G_UNICODE_LINE_SEPARATOR &&
	       type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

/* Topics and payloads come from anybody: an event stays one line, and what a terminal would obey or turn around is
 * shown instead. */
static void add_printable(GString *out, const char *text)
{
	while (*text != '\0') {
		gunichar character = g_utf8_get_char_validated(text, -1);
		const char *next;

		if (character == (gunichar)-1 || character == (gunichar)-2) {
			g_string_append_printf(out, "\\x%02x", (unsigned char)*text++);
			continue;
		}
		next = g_utf8_next_char(text);
		if (character == '\\')
			g_string_append(out, "\\\\");
		else if (is_printable(character))
			g_string_append_len(out, text, next - text);
		else
			g_string_append_printf(out, character < 0x80 ? "\\x%02x" : "\\u%04x",
					       character);
		text = next;
	}
}

static void add_text(GString *out, enum log_level level, const char *text)
{
	if (!journal_reads)
		g_string_append_printf(out, "%s: %s: ", program_name, levels[level].name);
	add_printable(out, text);
}

/* The subject is a first word that ends with a colon; *ret_message is what follows. */
static char *subject_of(const char *text, const char **ret_message)
{
	const char *colon = strstr(text, ": ");

	*ret_message = text;
	if (colon == NULL || memchr(text, ' ', (size_t)(colon - text)) != NULL)
		return NULL;
	*ret_message = colon + strlen(": ");
	return g_strndup(text, (gsize)(colon - text));
}

/* The same for JSON: what is not printable can stand only within its texts, where units of UTF-16 may stand for it. */
static void add_printable_json(GString *out, const char *json)
{
	for (const char *next; *json != '\0'; json = next) {
		gunichar character = g_utf8_get_char(json);
		g_autofree gunichar2 *units = NULL;

		next = g_utf8_next_char(json);
		if (is_printable(character)) {
			g_string_append_len(out, json, next - json);
			continue;
		}
		units = g_ucs4_to_utf16(&character, 1, NULL, NULL, NULL);
		for (const gunichar2 *unit = units; *unit != 0; unit++)
			g_string_append_printf(out, "\\u%04x", *unit);
	}
}

static void add_json(GString *out, enum log_level level, const char *text, uint64_t more)
{
	g_autoptr(GString) object = g_string_new(NULL);
	const char *message;
	g_autofree char *subject = subject_of(text, &message);

	json_begin_object(object, NULL);
	json_add_instant(object, "time", instant_now());
	json_add_text(object, "level", levels[level].name);
	json_add_text(object, "program", program_name);
	if (subject != NULL)
		json_add_text(object, "subject", subject);
	json_add_text(object, "message", message);
	if (more > 0)
		json_add_integer(object, "more", (int64_t)more);
	json_end_object(object);
	add_printable_json(out, object->str);
}

/* In one piece, so that lines of several programs in one file don't mix. */
static void write_line(enum log_level level, const char *text, uint64_t more)
{
	g_autoptr(GString) line = g_string_new(journal_reads ? levels[level].priority : "");

	if (format_now == LOG_FORMAT_JSON)
		add_json(line, level, text, more);
	else
		add_text(line, level, text);
	g_string_append_c(line, '\n');
	fwrite(line->str, 1, line->len, stderr);
}

/* Repeats */

static void say_more(struct log_place *place)
{
	g_autofree char *line = NULL;

	if (place->more > 0) {
		line = g_strdup_printf("%s " CUT " and %" G_GUINT64_FORMAT " more", place->text,
				       place->more);
		write_line(place->level, line, place->more);
	}
	place->more = 0;
	g_clear_pointer(&place->text, g_free);
}

static void count(struct log_place *place)
{
	place->more++;
	if (place->is_listed)
		return;
	place->is_listed = true;
	place->next = places;
	places = place;
}

/* Whether the place may say something; it is counted as said, or as one more. */
static bool admit(struct log_place *place, enum log_level level)
{
	gint64 now = g_get_monotonic_time();

	if (place->began == 0 || now - place->began >= MINUTE_US) {
		say_more(place);
		place->began = now;
		place->said = 0;
	}
	if (place->said >= levels[level].a_minute) {
		count(place);
		return false;
	}
	place->said++;
	place->level = level;
	return true;
}

/* A cut text ends with a whole character and a sign of the cut. */
static void cut(char text[LINE_BYTES])
{
	char *end = &text[LINE_BYTES - sizeof CUT];
	char *last;

	*end = '\0';
	last = g_utf8_find_prev_char(text, end);
	if (last != NULL && g_utf8_get_char_validated(last, -1) == (gunichar)-2)
		end = last;
	memcpy(end, CUT, sizeof CUT);
}

__attribute__((format(printf, 2, 0))) static void say(struct log_place *place, const char *format,
						      va_list arguments)
{
	char text[LINE_BYTES];

	if (vsnprintf(text, sizeof text, format, arguments) >= LINE_BYTES)
		cut(text);
	write_line(place->level, text, 0);
	if (place->said == levels[place->level].a_minute)
		place->text = g_strdup(text);
}

void log_line(struct log_place *place, enum log_level level, const char *format, ...)
{
	va_list arguments;

	if ((gint)level > g_atomic_int_get(&lowest_level))
		return;
	va_start(arguments, format);
	g_mutex_lock(&mutex);
	if (admit(place, level))
		say(place, format, arguments);
	g_mutex_unlock(&mutex);
	va_end(arguments);
}

static void tend(gint64 until)
{
	g_mutex_lock(&mutex);
	for (struct log_place *place = places; place != NULL; place = place->next) {
		if (place->more > 0 && place->began <= until)
			say_more(place);
	}
	g_mutex_unlock(&mutex);
}

void log_tend(void)
{
	tend(g_get_monotonic_time() - MINUTE_US);
}

void log_finish(void)
{
	tend(G_MAXINT64);
}
