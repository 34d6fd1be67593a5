/* Whether the HTTP side answers, and says of itself that it is ready. */
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"
#include "reach.h"
#include "tls.h"

#define ANSWER_BYTES 16384 /* of /readyz; it is a tenth of that */

static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
			       "Connection: close\r\n\r\n";

/* An address to listen on that stands for all of them is no address to call. */
static const char *address_of(const struct config *config)
{
	if (strcmp(config->api_address, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(config->api_address, "::") == 0 ? "::1" : config->api_address;
}

/* All that comes until it closes the connection; the caller's. */
static char *ask(int descriptor)
{
	char *answer = g_malloc0(ANSWER_BYTES + 1);
	size_t size = 0;
	ssize_t got;

	if (send(descriptor, question, sizeof question - 1, MSG_NOSIGNAL) < 0)
		return answer;
	while (size < ANSWER_BYTES &&
	       (got = recv(descriptor, answer + size, ANSWER_BYTES - size, 0)) > 0)
		size += (size_t)got;
	return answer;
}

/* Of the checks that it made of itself, those that are not well; the caller's. */
static char *list_unready(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	const char *why;
	g_autoptr(Json) json = body != NULL ? json_read(body + 4, strlen(body + 4), &why) : NULL;
	const struct json *found = json_member(json, "checks");
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < (found != NULL ? json_length(found) : 0); i++) {
		const struct json *check = json_item(found, i);
		const struct json *ok = json_member(check, "ok");

		if (ok != NULL && json_kind(ok) == JSON_BOOLEAN && !json_boolean(ok))
			g_string_append_printf(text, "%s%s: %s", text->len > 0 ? "; " : "",
					       json_member_text(check, "name", "?"),
					       json_member_text(check, "detail", ""));
	}
	return g_string_free(text, FALSE);
}

static void judge(struct doctor *doctor, const char *answer)
{
	g_autofree char *unready = NULL;

	if (!g_str_has_prefix(answer, "HTTP/1.")) {
		doctor_say(doctor, DOCTOR_UNKNOWN, NULL,
			   "somebody listens, but does not speak HTTP");
		return;
	}
	if (g_str_has_prefix(answer + strlen("HTTP/1.1"), " 200")) {
		doctor_say(doctor, DOCTOR_OK, NULL, "it says that it is ready");
		return;
	}
	unready = list_unready(answer);
	doctor_say(doctor, DOCTOR_ERROR, "see the other findings; then journalctl -u headcount-api",
		   "it says that it is not ready: %s",
		   *unready != '\0' ? unready : "it does not say why");
}

static void look_by_tls(struct doctor *doctor, int descriptor)
{
	int64_t days;
	g_autofree char *answer = tls_ask(descriptor, question, ANSWER_BYTES, &days);

	if (answer == NULL) {
		doctor_say(doctor, DOCTOR_WARNING, "systemctl restart headcount-api",
			   "somebody listens, but does not speak TLS, though [api] "
			   "certificate_file is set");
		return;
	}
	if (days < DOCTOR_CERTIFICATE_DAYS)
		doctor_say(doctor, DOCTOR_WARNING,
			   "renew it (" PROGRAM
			   " broker-setup --renew certificate, if that made it)",
			   "its certificate is valid for %" PRId64 " days only", days);
	judge(doctor, answer);
}

static void look_without_tls(struct doctor *doctor, int descriptor)
{
	g_autofree char *answer = ask(descriptor);

	judge(doctor, answer);
}

void doctor_http(struct doctor *doctor)
{
	const struct config *config = &doctor->session->config;
	struct problem problem;
	int descriptor = reach(address_of(config), config->api_port, &problem);

	if (descriptor < 0) {
		doctor_say(doctor, DOCTOR_WARNING,
			   "systemctl start headcount-api, if people are to ask by HTTP", "%s",
			   problem.detail);
		return;
	}
	if (*config->certificate_file != '\0')
		look_by_tls(doctor, descriptor);
	else
		look_without_tls(doctor, descriptor);
	close(descriptor);
}
