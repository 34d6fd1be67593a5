#include "certificate.h"

#include <glib.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "secret.h"

/* What was read at a time. */
struct pair {
	gnutls_x509_crt_t *chain;
	unsigned count;
	gnutls_x509_privkey_t key;
	instant expires;
};

/* How the two files look from outside. */
struct stamp {
	struct {
		ino_t number;
		off_t size;
		struct timespec modified;
	} files[2];
};

struct certificate {
	const char *certificate_file, *key_file;
	struct stamp tried, seen; /* when they were read last, and looked at last */

	GMutex mutex;
	struct pair pair;
	char problem[sizeof((struct certificate_view *)NULL)->problem];
};

/* GnuTLS hands its callback nothing of ours. */
static struct certificate *in_force;

static void clear_pair(struct pair *pair)
{
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_x509_crt_deinit(pair->chain[i]);
	gnutls_free(pair->chain);
	if (pair->key != NULL)
		gnutls_x509_privkey_deinit(pair->key);
	*pair = (struct pair){0};
}

/* Reading */

static enum result read_chain(const char *path, struct pair *pair, struct problem *reterr_problem)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	gsize size;
	gnutls_datum_t datum;
	int code;

	if (!g_file_get_contents(path, &text, &size, &error))
		return problem_set(reterr_problem, RESULT_INVALID, "certificate_file",
				   "[api] certificate_file: %s", error->message);
	datum = (gnutls_datum_t){(unsigned char *)text, (unsigned)size};
	code = gnutls_x509_crt_list_import2(&pair->chain, &pair->count, &datum, GNUTLS_X509_FMT_PEM,
					    GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	if (code >= 0) {
		pair->expires = (instant)gnutls_x509_crt_get_expiration_time(pair->chain[0]) *
				INSTANT_SECOND;
		return RESULT_OK;
	}
	pair->chain = NULL;
	pair->count = 0;
	return problem_set(reterr_problem, RESULT_INVALID, "certificate_file",
			   "[api] certificate_file: %s is no chain of certificates (PEM): %s", path,
			   gnutls_strerror(code));
}

static enum result read_key(const char *path, struct pair *pair, struct problem *reterr_problem)
{
	g_autofree char *text = NULL;
	size_t size;
	struct problem problem;
	gnutls_datum_t datum;
	int code;

	if (secret_load(path, "key_file", &text, &size, &problem) != RESULT_OK)
		return problem_set(reterr_problem, RESULT_INVALID, "key_file", "[api] key_file: %s",
				   problem.detail);
	datum = (gnutls_datum_t){(unsigned char *)text, (unsigned)size};
	code = gnutls_x509_privkey_init(&pair->key);
	if (code == GNUTLS_E_SUCCESS)
		code = gnutls_x509_privkey_import2(pair->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(text, 0, size);
	if (code == GNUTLS_E_SUCCESS)
		return RESULT_OK;
	return problem_set(reterr_problem, RESULT_INVALID, "key_file",
			   "[api] key_file: %s is no key without a password (PEM): %s", path,
			   gnutls_strerror(code));
}

/* Is the key that of the certificate? */
static bool belong_together(const struct pair *pair)
{
	unsigned char ids[2][32]; /* SHA-256 */
	size_t sizes[] = {sizeof ids[0], sizeof ids[1]};

	return pair->count > 0 &&
	       gnutls_x509_crt_get_key_id(pair->chain[0], GNUTLS_KEYID_USE_SHA256, ids[0],
					  &sizes[0]) == GNUTLS_E_SUCCESS &&
	       gnutls_x509_privkey_get_key_id(pair->key, GNUTLS_KEYID_USE_SHA256, ids[1],
					      &sizes[1]) == GNUTLS_E_SUCCESS &&
	       memcmp(ids[0], ids[1], sizeof ids[0]) == 0;
}

static enum result read_pair(const char *certificate_file, const char *key_file,
			     struct pair *ret_pair, struct problem *reterr_problem)
{
	struct pair pair = {0};
	enum result result = read_chain(certificate_file, &pair, reterr_problem);

	*ret_pair = (struct pair){0};
	if (result == RESULT_OK)
		result = read_key(key_file, &pair, reterr_problem);
	if (result == RESULT_OK && !belong_together(&pair))
		result = problem_set(reterr_problem, RESULT_INVALID, "key_file",
				     "[api] key_file: %s is not the key of %s", key_file,
				     certificate_file);
	if (result != RESULT_OK) {
		clear_pair(&pair);
		return result;
	}
	*ret_pair = pair;
	return RESULT_OK;
}

static struct stamp look_at_files(const struct certificate *certificate)
{
	const char *const paths[] = {certificate->certificate_file, certificate->key_file};
	struct stamp stamp;

	memset(&stamp, 0, sizeof stamp);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct stat status = {0};

		(void)stat(paths[i], &status);
		stamp.files[i].number = status.st_ino;
		stamp.files[i].size = status.st_size;
		stamp.files[i].modified = status.st_mtim;
	}
	return stamp;
}

enum result certificate_open(const char *certificate_file, const char *key_file,
			     struct certificate **ret_certificate, struct problem *reterr_problem)
{
	struct certificate *certificate = g_new0(struct certificate, 1);

	certificate->certificate_file = certificate_file;
	certificate->key_file = key_file;
	certificate->tried = certificate->seen = look_at_files(certificate);
	if (read_pair(certificate_file, key_file, &certificate->pair, reterr_problem) !=
	    RESULT_OK) {
		g_free(certificate);
		return RESULT_INVALID;
	}
	g_mutex_init(&certificate->mutex);
	*ret_certificate = in_force = certificate;
	return RESULT_OK;
}

void certificate_close(struct certificate *certificate)
{
	if (certificate == NULL)
		return;
	in_force = NULL;
	clear_pair(&certificate->pair);
	g_mutex_clear(&certificate->mutex);
	g_free(certificate);
}

/* /readyz is for anybody: where files are, only the log says. */
static void say_problem(struct certificate *certificate, const struct problem *problem)
{
	if (*problem->detail == '\0')
		*certificate->problem = '\0';
	else
		g_snprintf(certificate->problem, sizeof certificate->problem,
			   "[api] %s can't be used: the log says why", problem->member);
}

void certificate_reload(struct certificate *certificate)
{
	struct problem problem = {0};
	struct pair pair;
	char until[INSTANT_TEXT_SIZE];

	certificate->tried = certificate->seen = look_at_files(certificate);
	if (read_pair(certificate->certificate_file, certificate->key_file, &pair, &problem) !=
	    RESULT_OK) {
		log_error("certificate: %s; the one before stays in force", problem.detail);
	} else {
		instant_format(pair.expires, until);
		log_notice("certificate: read again, valid until %s", until);
	}
	g_mutex_lock(&certificate->mutex);
	say_problem(certificate, &problem);
	if (pair.key != NULL) {
		clear_pair(&certificate->pair);
		certificate->pair = pair;
	}
	g_mutex_unlock(&certificate->mutex);
}

/* Two files change one after the other: only once both have rested for a second they are read. */
void certificate_tend(struct certificate *certificate)
{
	struct stamp now = look_at_files(certificate);
	bool rests = memcmp(&now, &certificate->seen, sizeof now) == 0;

	certificate->seen = now;
	if (rests && memcmp(&now, &certificate->tried, sizeof now) != 0)
		certificate_reload(certificate);
}

struct certificate_view certificate_look(struct certificate *certificate)
{
	struct certificate_view view;

	g_mutex_lock(&certificate->mutex);
	view.expires = certificate->pair.expires;
	g_strlcpy(view.problem, certificate->problem, sizeof view.problem);
	g_mutex_unlock(&certificate->mutex);
	return view;
}

/* Giving */

/* Copies, which the connection frees when it has shaken hands: meanwhile the pair may be another one. */
static int copy_pair(const struct pair *pair, gnutls_pcert_st **ret_chain, unsigned *ret_count,
		     gnutls_privkey_t *ret_key)
{
	int code = gnutls_privkey_init(ret_key);

	if (code != GNUTLS_E_SUCCESS)
		return code;
	*ret_count = pair->count;
	*ret_chain = gnutls_calloc(pair->count, sizeof **ret_chain);
	code = *ret_chain != NULL ? GNUTLS_E_SUCCESS : GNUTLS_E_MEMORY_ERROR;
	if (code == GNUTLS_E_SUCCESS)
		code = gnutls_privkey_import_x509(*ret_key, pair->key, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (code == GNUTLS_E_SUCCESS)
		code = gnutls_pcert_import_x509_list(*ret_chain, pair->chain, ret_count, 0);
	if (code == GNUTLS_E_SUCCESS)
		return code;
	gnutls_privkey_deinit(*ret_key);
	gnutls_free(*ret_chain);
	return code;
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		    gnutls_pcert_st **ret_chain, unsigned *ret_count,
		    gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
		    gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
	int code;

	(void)session;
	(void)info;
	*ret_ocsp = NULL;
	*ret_ocsp_count = 0;
	*ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	g_mutex_lock(&in_force->mutex);
	code = copy_pair(&in_force->pair, ret_chain, ret_count, ret_key);
	g_mutex_unlock(&in_force->mutex);
	return code;
}

certificate_function *certificate_retriever(void)
{
	return (certificate_function *)retrieve;
}
