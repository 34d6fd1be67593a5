#include "certificate.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

/* What is told to `openssl req`. Verifiers hold a certificate to what it is for, so that nobody is taken for the broker who
 * has a client's, or the other way round. Servers' must not be valid for longer than some clients accept. */
/* clang-format off */
static const struct {
	const char *days, *constraints, *key_usage, *extended_key_usage;
} uses[] = {
	[CERTIFICATE_OF_AUTHORITY] = {"3650", "basicConstraints=critical,CA:TRUE,pathlen:0",
		"keyUsage=critical,keyCertSign,cRLSign", NULL},
	[CERTIFICATE_OF_SERVER] = {"397", "basicConstraints=critical,CA:FALSE",
		"keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth"},
	[CERTIFICATE_OF_CLIENT] = {"3650", "basicConstraints=critical,CA:FALSE",
		"keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth"},
};
/* clang-format on */

static void add(GPtrArray *arguments, const char *option, const char *value)
{
	g_ptr_array_add(arguments, g_strdup(option));
	g_ptr_array_add(arguments, g_strdup(value));
}

static void add_file(GPtrArray *arguments, const char *option, const char *dir, const char *name,
		     const char *ending)
{
	g_autofree char *path = g_strdup_printf("%s/%s%s", dir, name, ending);

	add(arguments, option, path);
}

static void add_hosts(GPtrArray *arguments, const char *const *hosts)
{
	g_autoptr(GString) names = g_string_new("subjectAltName=");

	for (; *hosts != NULL; hosts++)
		g_string_append_printf(names, "%s%s:%s",
				       names->str[names->len - 1] == '=' ? "" : ",",
				       g_hostname_is_ip_address(*hosts) ? "IP" : "DNS", *hosts);
	add(arguments, "-addext", names->str);
}

/* What openssl is to make is to be in `made`. */
static GPtrArray *arguments_of(const struct certificate *certificate, const char *made)
{
	GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *subject = g_strconcat("/CN=", certificate->subject, NULL);

	add(arguments, "openssl", "req");
	add(arguments, "-x509", "-noenc");
	add(arguments, "-config", "/dev/null"); /* what this machine has in its own matters not */
	add(arguments, "-newkey", "ec");
	add(arguments, "-pkeyopt", "ec_paramgen_curve:P-256");
	add(arguments, "-subj", subject);
	add(arguments, "-days", uses[certificate->use].days);
	add(arguments, "-addext", uses[certificate->use].constraints);
	add(arguments, "-addext", uses[certificate->use].key_usage);
	if (uses[certificate->use].extended_key_usage != NULL)
		add(arguments, "-addext", uses[certificate->use].extended_key_usage);
	if (certificate->hosts != NULL)
		add_hosts(arguments, certificate->hosts);
	if (certificate->use != CERTIFICATE_OF_AUTHORITY) {
		add_file(arguments, "-CA", certificate->authority_dir, CERTIFICATE_AUTHORITY,
			 ".crt");
		add_file(arguments, "-CAkey", certificate->authority_dir, CERTIFICATE_AUTHORITY,
			 ".key");
	}
	add_file(arguments, "-out", made, certificate->name, ".crt");
	add_file(arguments, "-keyout", made, certificate->name, ".key");
	g_ptr_array_add(arguments, NULL);
	return arguments;
}

/* openssl writes through links and into files that are there: so it gets a folder that nobody else can write in. */
static enum result run(GPtrArray *arguments, struct problem *reterr_problem)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *complaints = NULL;
	int status;

	if (!g_spawn_sync(NULL, (char **)arguments->pdata, NULL,
			  G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
			  &complaints, &status, &error))
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s", error->message);
	if (!g_spawn_check_wait_status(status, NULL))
		return problem_set(reterr_problem, RESULT_FAILED, "",
				   "openssl can't make the certificate: %s",
				   g_strstrip(complaints));
	return RESULT_OK;
}

static enum result move(const struct certificate *certificate, const char *made, const char *ending,
			const struct readers *readers, struct problem *reterr_problem)
{
	g_autofree char *from = g_strdup_printf("%s/%s%s", made, certificate->name, ending);
	g_autofree char *path =
		g_strdup_printf("%s/%s%s", certificate->dir, certificate->name, ending);

	return private_file_move(from, path, readers, reterr_problem);
}

static enum result make_in(const struct certificate *certificate, const char *made,
			   struct problem *reterr_problem)
{
	const struct readers everybody = {geteuid(), getegid(), 0644};
	g_autoptr(GPtrArray) arguments = arguments_of(certificate, made);
	enum result result = run(arguments, reterr_problem);

	if (result == RESULT_OK)
		result = move(certificate, made, ".key", &certificate->key_readers, reterr_problem);
	if (result == RESULT_OK)
		result = move(certificate, made, ".crt", &everybody, reterr_problem);
	return result;
}

static void remove_made(const struct certificate *certificate, const char *made)
{
	static const char *const endings[] = {".key", ".crt"};

	for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *path =
			g_strdup_printf("%s/%s%s", made, certificate->name, endings[i]);

		unlink(path);
	}
	rmdir(made);
}

enum result certificate_make(const struct certificate *certificate, struct problem *reterr_problem)
{
	g_autofree char *made = g_build_filename(certificate->dir, "making.XXXXXX", NULL);
	enum result result;

	if (g_mkdtemp(made) == NULL)
		return problem_set(reterr_problem, RESULT_FAILED, "", "%s: %s", certificate->dir,
				   g_strerror(errno));
	result = make_in(certificate, made, reterr_problem);
	remove_made(certificate, made);
	return result;
}
