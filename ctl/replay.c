#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "csv.h"
#include "progress.h"
#include "upload.h"

#define BATCH_DEFAULT 100
#define COMPLAINTS_MOST 20 /* rows; the rest is counted */

/* What a row says, and the names that its column may have. */
enum part { PART_TIME, PART_COUNT, PART_DPU, PART_SEQ, PARTS };
static const struct {
	const char *names[2];
	const char *shown; /* NULL: it may be missing */
} parts[PARTS] = {
	[PART_TIME] = {{"dpu_event_time", "timestamp"}, "'timestamp' or 'dpu_event_time'"},
	[PART_COUNT] = {{"count", "direction"}, "'direction' or 'count'"},
	[PART_DPU] = {{"dpu_id", NULL}, "'dpu_id'"},
	[PART_SEQ] = {{"seq", NULL}, NULL},
};

#define NO_COLUMN SIZE_MAX

struct replay {
	struct session *session;
	const char *path;
	FILE *file;
	struct csv *csv;
	struct upload *upload;
	struct progress progress;
	size_t columns[PARTS];
	int64_t rows, invalid;
};

/* The header */

static size_t find_column(const struct csv *csv, const char *name)
{
	for (size_t i = 0; name != NULL && i < csv_fields(csv); i++) {
		g_autofree char *field = g_strstrip(g_strdup(csv_field(csv, i)));

		if (g_ascii_strcasecmp(field, name) == 0)
			return i;
	}
	return NO_COLUMN;
}

static bool read_columns(struct replay *replay)
{
	for (size_t i = 0; i < PARTS; i++) {
		replay->columns[i] = find_column(replay->csv, parts[i].names[0]);
		if (replay->columns[i] == NO_COLUMN)
			replay->columns[i] = find_column(replay->csv, parts[i].names[1]);
		if (replay->columns[i] == NO_COLUMN && parts[i].shown != NULL) {
			session_complain(replay->session, "%s: its header has no column %s",
					 replay->path, parts[i].shown);
			return false;
		}
	}
	return true;
}

static bool read_header(struct replay *replay)
{
	enum csv_row row = csv_next(replay->csv);
	const char *why = row == CSV_MALFORMED ? csv_why(replay->csv) : "the file is empty";

	if (row == CSV_ROW)
		return read_columns(replay);
	if (ferror(replay->file))
		why = "it can't be read";
	session_complain(replay->session, "%s: expected a header, but %s", replay->path, why);
	return false;
}

/* Rows */

static const char *part_of(const struct replay *replay, enum part part)
{
	return csv_field(replay->csv, replay->columns[part]);
}

static bool read_time(const char *text, instant *ret_time)
{
	return instant_parse(text, strlen(text), ret_time) ||
	       g_ascii_string_to_signed(text, 10, INSTANT_FIRST, INSTANT_LAST, ret_time, NULL);
}

static bool read_count(const char *text, int *ret_count)
{
	gint64 count;

	if (!g_ascii_string_to_signed(text, 10, -EVENT_COUNT, EVENT_COUNT, &count, NULL) ||
	    count == 0)
		return false;
	*ret_count = (int)count;
	return true;
}

static bool read_seq(const char *text, int64_t *ret_seq)
{
	*ret_seq = 0;
	return *text == '\0' ||
	       g_ascii_string_to_signed(text, 10, 0, EVENT_SEQ_LAST, ret_seq, NULL);
}

/* NULL, or what was expected. */
static const char *read_row(const struct replay *replay, struct event *ret_event)
{
	const char *dpu_id = part_of(replay, PART_DPU);

	if (!read_time(part_of(replay, PART_TIME), &ret_event->time))
		return "time: expected one such as 2026-11-23T08:15:30.125Z";
	if (!read_count(part_of(replay, PART_COUNT), &ret_event->count))
		return "count: expected -100 to -1 or 1 to 100";
	if (!json_is_id(dpu_id, strlen(dpu_id)))
		return "dpu_id: expected 1 to 64 characters of A-Z a-z 0-9 . _ : -";
	if (!read_seq(part_of(replay, PART_SEQ), &ret_event->seq))
		return "seq: expected a whole number from 0 on";
	return NULL;
}

static void complain_row(struct replay *replay, const char *why)
{
	replay->invalid++;
	progress_end(&replay->progress);
	if (replay->invalid <= COMPLAINTS_MOST)
		session_complain(replay->session, "%s:%" PRId64 ": %s", replay->path,
				 csv_line(replay->csv), why);
	if (replay->invalid == COMPLAINTS_MOST)
		session_complain(replay->session, "%s: further rows like that are only counted",
				 replay->path);
}

static enum result send_row(struct replay *replay, enum csv_row row)
{
	struct event event;
	const char *why = row == CSV_ROW ? read_row(replay, &event) : csv_why(replay->csv);

	replay->rows++;
	if (why == NULL)
		return upload_add(replay->upload, part_of(replay, PART_DPU), &event);
	complain_row(replay, why);
	return RESULT_OK;
}

static enum result send_rows(struct replay *replay)
{
	struct stat status;
	int64_t size = fstat(fileno(replay->file), &status) == 0 ? (int64_t)status.st_size : 0;
	enum result result = RESULT_OK;
	enum csv_row row;

	while (result == RESULT_OK && (row = csv_next(replay->csv)) != CSV_END) {
		result = send_row(replay, row);
		progress_show(&replay->progress, replay->rows, csv_bytes(replay->csv), size);
	}
	if (result == RESULT_OK)
		result = upload_finish(replay->upload);
	progress_end(&replay->progress);
	return result;
}

/* The end */

static void say_summary(const struct replay *replay)
{
	const struct upload_tally *tally = upload_tally(replay->upload);
	g_autofree char *text = upload_tally_text(tally);
	g_autoptr(GString) invalid = g_string_new(NULL);
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_integer(json, "rows", replay->rows);
	upload_tally_add(json, tally);
	json_add_integer(json, "invalid", replay->invalid);
	json_end_object(json);
	if (replay->invalid > 0)
		g_string_printf(invalid, ", %" PRId64 " could not be read", replay->invalid);
	session_say(replay->session, json->str, "%" PRId64 " rows: %s%s", replay->rows, text,
		    invalid->str);
}

static enum exit_code conclude(const struct replay *replay, enum result result)
{
	const struct upload_tally *tally = upload_tally(replay->upload);

	say_summary(replay);
	if (result != RESULT_OK)
		return session_no_answer(replay->session);
	if (ferror(replay->file)) {
		session_complain(replay->session, "%s: it can't be read to its end", replay->path);
		return EXIT_REFUSED;
	}
	if (tally->rejected > 0)
		session_complain(replay->session, "why: see " PROGRAM " rejected list");
	return replay->invalid == 0 && upload_tally_clean(tally) ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code replay_file(struct session *session, FILE *file, size_t batch)
{
	struct replay replay = {
		.session = session,
		.path = session->argv[0],
		.file = file,
		.csv = csv_new(file),
		.progress = progress_begin("rows"),
	};
	enum exit_code code = EXIT_REFUSED;

	if (read_header(&replay)) {
		struct broker *broker = session_broker(session);

		code = EXIT_NO_ANSWER;
		if (broker != NULL) {
			replay.upload = upload_new(broker, batch);
			code = conclude(&replay, send_rows(&replay));
		}
	}
	upload_free(replay.upload);
	csv_free(replay.csv);
	return code;
}

enum exit_code replay_run(struct session *session)
{
	gint64 batch = BATCH_DEFAULT;
	const GOptionEntry entries[] = {
		{"batch", 0, 0, G_OPTION_ARG_INT64, &batch,
		 "Events of a DPU in one message (1 to 1000, default: " G_STRINGIFY(
			 BATCH_DEFAULT) ")",
		 "N"},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code;
	FILE *file;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	if (batch < 1 || batch > EVENT_ITEMS) {
		session_complain(session, "--batch: expected a whole number from 1 to %d",
				 EVENT_ITEMS);
		return EXIT_USAGE;
	}
	file = strcmp(session->argv[0], "-") == 0 ? stdin : fopen(session->argv[0], "re");
	if (file == NULL) {
		session_complain(session, "%s: %s", session->argv[0], g_strerror(errno));
		return EXIT_REFUSED;
	}
	code = replay_file(session, file, (size_t)batch);
	fclose(file);
	return code;
}
