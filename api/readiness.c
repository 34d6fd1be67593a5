#include "readiness.h"

#include <glib.h>

#include "broker.h"
#include "certificate.h"
#include "http.h"
#include "json.h"
#include "live.h"
#include "services.h"

#define GATEWAY_SILENT (90 * INSTANT_SECOND) /* it speaks every 30 s */
#define DATABASE_SILENT (5 * INSTANT_SECOND) /* it is read once a second */
#define DROPS_RECENT (10 * INSTANT_MINUTE)   /* whoever watches has seen it by then */

/* What is known when somebody asks. */
struct facts {
	struct broker_view broker;
	struct certificate_view certificate;
	instant database_read, now;
};

static const char *judge_broker(const struct facts *facts)
{
	return facts->broker.ready ? NULL : "not connected, or not subscribed";
}

static bool is_within(instant when, int64_t span, instant now)
{
	return when != INSTANT_NONE && now - when <= span;
}

static const char *judge_database(const struct facts *facts)
{
	return is_within(facts->database_read, DATABASE_SILENT, facts->now)
		       ? NULL
		       : "it can't be read, or is not there yet";
}

static const char *judge_gateway(const struct facts *facts)
{
	if (!facts->broker.gateway_online)
		return "it is offline, or was never there";
	return is_within(facts->broker.gateway_health, GATEWAY_SILENT, facts->now)
		       ? NULL
		       : "it is silent for more than 90 s";
}

static const char *judge_drops(const struct facts *facts)
{
	return is_within(facts->broker.broker_drops_risen, DROPS_RECENT, facts->now)
		       ? "the broker has dropped messages in the last 10 minutes"
		       : NULL;
}

static const char *judge_certificate(const struct facts *facts)
{
	if (*facts->certificate.problem != '\0')
		return facts->certificate.problem;
	return facts->certificate.expires > facts->now ? NULL : "it has expired";
}

static const struct {
	const char *name;
	const char *(*judge)(const struct facts *facts); /* what is wrong; NULL: nothing */
	const char *fine;
} checks[] = {
	{"broker", judge_broker, "connected and subscribed"},
	{"database", judge_database, "readable"},
	{"gateway", judge_gateway, "online"},
	{"broker_drops", judge_drops, "none lately"},
	{"certificate", judge_certificate, "valid, or none is needed"},
};

void readiness_show_alive(struct http_request *request)
{
	GString *body = g_string_new(NULL);

	json_begin_object(body, NULL);
	json_add_text(body, "status", "ok");
	json_end_object(body);
	http_answer_json(request, 200, body);
}

static bool is_ready(const struct facts *facts)
{
	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
		if (checks[i].judge(facts) != NULL)
			return false;
	}
	return true;
}

static void write_checks(GString *out, const struct facts *facts)
{
	json_begin_array(out, "checks");
	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
		const char *wrong = checks[i].judge(facts);

		json_begin_object(out, NULL);
		json_add_text(out, "name", checks[i].name);
		json_add_boolean(out, "ok", wrong == NULL);
		json_add_text(out, "detail", wrong != NULL ? wrong : checks[i].fine);
		json_end_object(out);
	}
	json_end_array(out);
}

static struct certificate_view look_at_certificate(struct certificate *certificate)
{
	return certificate != NULL ? certificate_look(certificate)
				   : (struct certificate_view){.expires = INT64_MAX};
}

void readiness_show(struct http_request *request)
{
	const struct services *services = http_context(request);
	const struct facts facts = {
		.broker = broker_look(services->broker),
		.certificate = look_at_certificate(services->certificate),
		.database_read = live_last_look(services->live),
		.now = instant_now(),
	};
	bool ready = is_ready(&facts);
	GString *body = g_string_new(NULL);

	json_begin_object(body, NULL);
	json_add_text(body, "status", ready ? "ready" : "not ready");
	write_checks(body, &facts);
	json_end_object(body);
	if (!ready)
		http_add_header(request, "Retry-After", "5");
	http_answer_json(request, ready ? 200 : 503, body);
}
