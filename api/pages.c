#include "pages.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "accept.h"
#include "gzip.h"
#include "json.h"
#include "log.h"
#include "services.h"

#define FILES_MOST 64
#define FILE_BYTES_MOST (2 * 1024 * 1024)

/* What a page may load and do: nothing that does not come from here, no script and no style within the HTML, so that a
 * name of a space which says <script> is never more than a name; it may be in nobody's frame, and its forms go nowhere
 * else. A script may set element.style, which is no style within the HTML. */
#define PAGE_POLICY                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "           \
	"frame-ancestors 'none'"

struct kind {
	const char *extension, *type;
	bool is_page;
};

/* clang-format off */
static const struct kind kinds[] = {
	{".html",        "text/html; charset=utf-8", true},
	{".css",         "text/css; charset=utf-8", false},
	{".js",          "text/javascript; charset=utf-8", false},
	{".svg",         "image/svg+xml; charset=utf-8", false},
	{".png",         "image/png", false},
	{".ico",         "image/vnd.microsoft.icon", false},
	{".webmanifest", "application/manifest+json", false},
	{".json",        "application/json", false},
	{".txt",         "text/plain; charset=utf-8", false},
};
/* clang-format on */

/* A body, and the ETag of exactly these bytes. */
struct form {
	GString *bytes;
	char *tag;
};

struct file {
	const struct kind *kind;
	struct form plain;
	struct form packed; /* by gzip; without bytes if that is not shorter */
};

struct pages {
	char *folder;

	GMutex mutex;
	GHashTable *files; /* by name; never changed, only replaced */
};

/* Reading */

static struct form make_form(GString *bytes)
{
	g_autofree char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, bytes->str, (gssize)bytes->len);

	return (struct form){bytes, g_strdup_printf("\"%.32s\"", digest)};
}

static void clear_form(struct form *form)
{
	if (form->bytes != NULL)
		g_string_free(form->bytes, TRUE);
	g_free(form->tag);
}

static void free_file(void *data)
{
	struct file *file = data;

	clear_form(&file->plain);
	clear_form(&file->packed);
	g_free(file);
}

static struct file *make_file(const struct kind *kind, const char *bytes, size_t size)
{
	struct file *file = g_new0(struct file, 1);
	GString *packed = gzip_pack(bytes, size, GZIP_EFFORT_MOST);

	file->kind = kind;
	file->plain = make_form(g_string_new_len(bytes, (gssize)size));
	if (packed != NULL)
		file->packed = make_form(packed);
	return file;
}

/* NULL for a name that is not served: of another kind, or hidden, as what editors leave is. */
static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; *name != '.' && i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_suffix(name, kinds[i].extension))
			return &kinds[i];
	}
	return NULL;
}

static enum result read_file(GHashTable *files, const char *folder, const char *name,
			     struct problem *reterr_problem)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	const struct kind *kind = kind_of(name);
	g_autoptr(GError) error = NULL;
	g_autofree char *bytes = NULL;
	GStatBuf status = {0};
	bool is_there = g_stat(path, &status) == 0;
	gsize size;

	if (kind == NULL || (is_there && !S_ISREG(status.st_mode)))
		return RESULT_OK;
	if (g_hash_table_size(files) == FILES_MOST)
		return problem_set(reterr_problem, RESULT_INVALID, "web_dir",
				   "[api] web_dir: %s is one file too many, there may be %d", path,
				   FILES_MOST);
	if (status.st_size > FILE_BYTES_MOST)
		return problem_set(reterr_problem, RESULT_INVALID, "web_dir",
				   "[api] web_dir: %s has more than %d bytes", path,
				   FILE_BYTES_MOST);
	if (!g_file_get_contents(path, &bytes, &size, &error))
		return problem_set(reterr_problem, RESULT_INVALID, "web_dir", "[api] web_dir: %s",
				   error->message);
	g_hash_table_insert(files, g_strdup(name), make_file(kind, bytes, size));
	return RESULT_OK;
}

/* The files by name; NULL and a problem. */
static GHashTable *read_folder(const char *folder, struct problem *reterr_problem)
{
	g_autoptr(GHashTable) files =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_file);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
	const char *name;

	if (dir == NULL) {
		(void)problem_set(reterr_problem, RESULT_INVALID, "web_dir", "[api] web_dir: %s",
				  error->message);
		return NULL;
	}
	while ((name = g_dir_read_name(dir)) != NULL) {
		if (read_file(files, folder, name, reterr_problem) != RESULT_OK)
			return NULL;
	}
	return g_steal_pointer(&files);
}

/* The pages lie where they do seen from the program, installed or just built. */
static char *own_folder(void)
{
	g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(program != NULL ? program : "");

	return g_canonicalize_filename(HEADCOUNT_WEB_DIR, folder);
}

enum result pages_open(const char *folder, struct pages **ret_pages, struct problem *reterr_problem)
{
	g_autofree char *path = *folder != '\0' ? g_strdup(folder) : own_folder();
	GHashTable *files = read_folder(path, reterr_problem);

	if (files == NULL)
		return RESULT_INVALID;
	*ret_pages = g_new0(struct pages, 1);
	(*ret_pages)->folder = g_steal_pointer(&path);
	(*ret_pages)->files = files;
	g_mutex_init(&(*ret_pages)->mutex);
	return RESULT_OK;
}

void pages_close(struct pages *pages)
{
	if (pages == NULL)
		return;
	g_hash_table_unref(pages->files);
	g_mutex_clear(&pages->mutex);
	g_free(pages->folder);
	g_free(pages);
}

static GHashTable *acquire_files(struct pages *pages)
{
	GHashTable *files;

	g_mutex_lock(&pages->mutex);
	files = g_hash_table_ref(pages->files);
	g_mutex_unlock(&pages->mutex);
	return files;
}

void pages_reload(struct pages *pages)
{
	struct problem problem;
	GHashTable *files = read_folder(pages->folder, &problem);
	GHashTable *before;

	if (files == NULL) {
		log_error("pages: %s; they stay as they were", problem.detail);
		return;
	}
	log_notice("pages: %u files are read again", g_hash_table_size(files));
	g_mutex_lock(&pages->mutex);
	before = pages->files;
	pages->files = files;
	g_mutex_unlock(&pages->mutex);
	g_hash_table_unref(before);
}

/* Answering */

static void answer_file(struct http_request *request, const struct file *file)
{
	const char *codings = http_header(request, "Accept-Encoding");
	bool is_packed = file->packed.bytes != NULL && accept_coding_quality(codings, "gzip") > 0;
	const struct form *form = is_packed ? &file->packed : &file->plain;

	http_add_header(request, "Vary", "Accept-Encoding");
	if (file->kind->is_page) {
		http_add_header(request, "Content-Security-Policy", PAGE_POLICY);
		http_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
	}
	if (http_has_tag(request, form->tag, HTTP_ASK_AGAIN))
		return;
	if (is_packed)
		http_add_header(request, "Content-Encoding", "gzip");
	http_answer_as_it_is(request, 200, file->kind->type, form->bytes);
}

/* A name is looked up among those that were read: none leads out of the folder. */
static void show(struct http_request *request, const char *name)
{
	const struct services *services = http_context(request);
	g_autoptr(GHashTable) files = acquire_files(services->pages);
	const struct file *file = g_hash_table_lookup(files, name);

	if (file != NULL)
		answer_file(request, file);
	else
		http_refuse(request, 404, "there is no file '%s'", name);
}

/* Whether a space of that id exists is for the page to find out: it has the token. */
void pages_show(struct http_request *request)
{
	const char *id = http_path_part(request, 0);

	if (strchr(http_route(request)->path, '{') != NULL && !json_is_id(id, strlen(id)))
		http_refuse(request, 404, "there can be no space '%s'", id);
	else
		show(request, http_route(request)->details);
}

void pages_show_named(struct http_request *request)
{
	show(request, http_path_part(request, 0));
}
