/* What the database holds, written out to be kept or carried elsewhere: the registry, and crossings. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "partial.h"
#include "progress.h"
#include "registry_document.h"

/* The output: standard output, or a file that is there whole or not at all; or what else a path may lead to. */

struct output {
	const char *path; /* NULL: standard output */
	char *partial;    /* what a file is called until it is whole; NULL: it is no file */
	FILE *file;
};

/* Is it a file, or can it become one? */
static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 || S_ISREG(status.st_mode);
}

/* False, for whoever returns that. */
static bool complain_output(const struct session *session, const struct output *output)
{
	session_complain(session, "%s: %s", output->path != NULL ? output->path : "standard output",
			 g_strerror(errno));
	return false;
}

/* NULL, and that is said, if there can be no such file. */
static FILE *open_partial(const struct session *session, const char *path)
{
	struct problem problem;
	int descriptor = -1;

	if (partial_open(path, &descriptor, &problem) == RESULT_OK)
		return fdopen(descriptor, "w");
	session_complain(session, "%s", problem.detail);
	return NULL;
}

static bool output_open(const struct session *session, struct output *ret_output)
{
	const char *path = session->argc > 0 ? session->argv[0] : "-";

	*ret_output = (struct output){.file = stdout};
	if (strcmp(path, "-") == 0)
		return true;
	ret_output->path = path;
	if (is_file(path)) {
		ret_output->partial = g_strconcat(path, ".partial", NULL);
		ret_output->file = open_partial(session, ret_output->partial);
	} else {
		ret_output->file = fopen(path, "we");
		if (ret_output->file == NULL)
			complain_output(session, ret_output);
	}
	if (ret_output->file == NULL)
		g_free(ret_output->partial);
	return ret_output->file != NULL;
}

/* With `whole` false, what was written to a file goes. */
static bool output_close(const struct session *session, struct output *output, bool whole)
{
	bool good = whole && fflush(output->file) == 0;

	if (output->partial != NULL)
		good = good && fsync(fileno(output->file)) == 0 &&
		       rename(output->partial, output->path) == 0;
	if (output->partial != NULL && !good)
		unlink(output->partial);
	if (output->path != NULL)
		good = fclose(output->file) == 0 && good;
	if (whole && !good)
		complain_output(session, output);
	g_free(output->partial);
	return good;
}

/* The registry */

struct registry_export {
	enum registry_resets resets;
	GString *document;
};

static enum result write_registry(struct store *store, void *context)
{
	struct registry_export *export = context;

	registry_document_write(store, export->resets, export->document);
	return RESULT_OK;
}

enum exit_code export_registry_run(struct session *session)
{
	gboolean daily = FALSE;
	const GOptionEntry entries[] = {
		{"daily-resets", 0, 0, G_OPTION_ARG_NONE, &daily,
		 "The resets of daily schedules, too: with them, replayed crossings give the same "
		 "counts at every instant of the past (imported they are people's words)",
		 NULL},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GString) document = g_string_new(NULL);
	struct registry_export export = {REGISTRY_RESETS_BY_PERSONS, document};
	struct output output;
	struct store *store;
	bool good;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	if (daily)
		export.resets = REGISTRY_RESETS_ALL;
	store = session_store(session);
	if (store == NULL)
		return EXIT_REFUSED;
	if (store_transaction(store, write_registry, &export) != RESULT_OK) {
		session_complain(session, "%s: %s", session->config.database, store_error(store));
		return EXIT_REFUSED;
	}
	if (!output_open(session, &output))
		return EXIT_REFUSED;
	good = fwrite(document->str, 1, document->len, output.file) == document->len;
	if (!good)
		complain_output(session, &output);
	return output_close(session, &output, good) ? EXIT_DONE : EXIT_REFUSED;
}

/* Crossings: page after page, so that no view of the database is held for long. */

#define PAGE_ROWS 20000

struct installation {
	int64_t number;
	instant started_at, ended_at; /* INT64_MIN: active */
	char dpu_id[JSON_ID_SIZE], doorway_id[JSON_ID_SIZE];
};

struct crossing_export {
	instant start, end; /* [start, end) */
	const char *dpu, *space;
	GArray *installations; /* struct installation */

	/* Where the next page begins. */
	guint index;
	instant time;
	int64_t seq, count;

	GString *page;
	int64_t rows, page_rows;
};

static enum result read_installations(struct store *store, void *context)
{
	struct crossing_export *export = context;
	struct query *query = store_query(store, SQL_EXPORT_INSTALLATIONS);

	query_bind_integer(query, 1, export->start);
	query_bind_integer(query, 2, export->end);
	query_bind_text(query, 3, export->dpu);
	query_bind_text(query, 4, export->space);
	g_array_set_size(export->installations, 0);
	while (query_next(query)) {
		struct installation installation = {
			.number = query_integer(query, 0),
			.started_at = query_integer(query, 3),
			.ended_at = query_optional(query, 4),
		};

		g_strlcpy(installation.dpu_id, query_text(query, 1), JSON_ID_SIZE);
		g_strlcpy(installation.doorway_id, query_text(query, 2), JSON_ID_SIZE);
		g_array_append_val(export->installations, installation);
	}
	return RESULT_OK;
}

/* Ids and numbers: nothing that CSV would have to quote. */
static void add_row(struct crossing_export *export, const struct installation *installation,
		    instant received)
{
	char happened[INSTANT_TEXT_SIZE], came[INSTANT_TEXT_SIZE];

	instant_format(export->time, happened);
	instant_format(received, came);
	g_string_append_printf(export->page, "%s,%" PRId64 ",%s,%" PRId64 ",%s,%s\n", happened,
			       export->count, installation->dpu_id, export->seq, came,
			       installation->doorway_id);
	export->page_rows++;
}

/* Up to a page of an installation's crossings, from where the last one ended. */
static void read_crossings(struct crossing_export *export, struct store *store)
{
	const struct installation *installation =
		&g_array_index(export->installations, struct installation, export->index);
	struct query *query = store_query(store, SQL_CROSSING_PAGE);
	int64_t left = PAGE_ROWS - export->page_rows, rows = 0;

	query_bind_integer(query, 1, installation->number);
	query_bind_integer(query, 2, export->time);
	query_bind_integer(query, 3, export->seq);
	query_bind_integer(query, 4, export->count);
	query_bind_integer(query, 5, export->end - 1);
	query_bind_integer(query, 6, left);
	while (query_next(query)) {
		export->time = query_integer(query, 0);
		export->seq = query_integer(query, 2);
		export->count = query_integer(query, 3);
		add_row(export, installation, query_integer(query, 1));
		rows++;
	}
	export->count++; /* behind the last one */
	if (rows < left) {
		export->index++;
		export->time = export->start;
		export->seq = export->count = INT64_MIN;
	}
}

static enum result read_page(struct store *store, void *context)
{
	struct crossing_export *export = context;

	g_string_truncate(export->page, 0);
	export->page_rows = 0;
	while (export->index < export->installations->len && export->page_rows < PAGE_ROWS &&
	       !store_failed(store))
		read_crossings(export, store);
	return RESULT_OK;
}

static bool run(struct session *session, store_work *work, struct crossing_export *export)
{
	if (store_transaction(session->store, work, export) == RESULT_OK)
		return true;
	session_complain(session, "%s: %s", session->config.database, store_error(session->store));
	return false;
}

static bool write_page(const struct session *session, const struct output *output,
		       const GString *page)
{
	return fwrite(page->str, 1, page->len, output->file) == page->len ||
	       complain_output(session, output);
}

static bool write_crossings(struct session *session, struct crossing_export *export,
			    const struct output *output)
{
	struct progress progress = progress_begin("crossings");
	bool good = true;

	g_string_assign(export->page,
			"dpu_event_time,count,dpu_id,seq,event_received_time,doorway_id\n");
	good = write_page(session, output, export->page);
	while (good && export->index < export->installations->len) {
		good = run(session, read_page, export) && write_page(session, output, export->page);
		export->rows += export->page_rows;
		progress_show(&progress, export->rows, export->index, export->installations->len);
	}
	progress_end(&progress);
	return good;
}

static bool are_same(const GArray *before, const GArray *after)
{
	bool same = before->len == after->len;

	for (guint i = 0; same && i < before->len; i++) {
		const struct installation *a = &g_array_index(before, struct installation, i);
		const struct installation *b = &g_array_index(after, struct installation, i);

		same = a->number == b->number && a->started_at == b->started_at &&
		       a->ended_at == b->ended_at && strcmp(a->dpu_id, b->dpu_id) == 0 &&
		       strcmp(a->doorway_id, b->doorway_id) == 0;
	}
	return same;
}

/* A crossing that moved to another installation meanwhile may be in the file twice or not at all. */
static bool is_undisturbed(struct session *session, struct crossing_export *export)
{
	g_autoptr(GArray) before = g_steal_pointer(&export->installations);

	export->installations = g_array_new(FALSE, FALSE, sizeof(struct installation));
	if (!run(session, read_installations, export))
		return false;
	if (are_same(before, export->installations))
		return true;
	session_complain(session, "the installations changed meanwhile: export again");
	return false;
}

struct known {
	enum sql key;
	const char *id;
	bool is;
};

static enum result look_up(struct store *store, void *context)
{
	struct known *known = context;
	struct query *query = store_query(store, known->key);

	query_bind_text(query, 1, known->id);
	known->is = query_next(query);
	query_end(query);
	return RESULT_OK;
}

static bool is_known(struct session *session, enum sql key, const char *option, const char *id)
{
	struct known known = {key, id, false};

	if (*id == '\0')
		return true;
	if (store_transaction(session->store, look_up, &known) != RESULT_OK)
		session_complain(session, "%s: %s", session->config.database,
				 store_error(session->store));
	else if (!known.is)
		session_complain(session, "%s: there is no '%s'", option, id);
	return known.is;
}

static enum exit_code export_crossings(struct session *session, struct crossing_export *export)
{
	struct output output;
	bool good;

	if (session_store(session) == NULL ||
	    !is_known(session, SQL_SPACE_KEY, "--space", export->space) ||
	    !is_known(session, SQL_DPU_KEY, "--dpu", export->dpu) ||
	    !run(session, read_installations, export))
		return EXIT_REFUSED;
	if (!output_open(session, &output))
		return EXIT_REFUSED;
	good = write_crossings(session, export, &output) && is_undisturbed(session, export);
	good = output_close(session, &output, good);
	if (output.path != NULL && good)
		fprintf(stderr, "%" PRId64 " crossings written\n", export->rows);
	return good ? EXIT_DONE : EXIT_REFUSED;
}

enum exit_code export_crossings_run(struct session *session)
{
	g_autofree char *start = NULL, *end = NULL, *space = NULL, *dpu = NULL;
	const GOptionEntry entries[] = {
		{"start", 0, 0, G_OPTION_ARG_STRING, &start, "From then on", "TIME"},
		{"end", 0, 0, G_OPTION_ARG_STRING, &end, "Before that", "TIME"},
		{"space", 0, 0, G_OPTION_ARG_FILENAME, &space, "Only those that change its count",
		 "SPACE"},
		{"dpu", 0, 0, G_OPTION_ARG_FILENAME, &dpu, "Only those of it", "DPU"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GString) page = g_string_new(NULL);
	struct crossing_export export = {
		.start = INSTANT_FIRST, .end = INSTANT_LAST + 1, .page = page};
	enum exit_code code;

	if (!session_begin(session, entries))
		return EXIT_USAGE;
	if ((start != NULL && !session_read_time(session, "--start", start, &export.start)) ||
	    (end != NULL && !session_read_time(session, "--end", end, &export.end)))
		return EXIT_USAGE;
	export.dpu = dpu != NULL ? dpu : "";
	export.space = space != NULL ? space : "";
	export.time = export.start;
	export.seq = export.count = INT64_MIN;
	export.installations = g_array_new(FALSE, FALSE, sizeof(struct installation));
	code = export_crossings(session, &export);
	g_array_unref(export.installations);
	return code;
}
