#include "routes.h"

#include "commands.h"
#include "counts.h"
#include "events.h"
#include "lists.h"
#include "live.h"
#include "metric.h"
#include "metrics.h"
#include "openapi.h"
#include "pages.h"
#include "readiness.h"
#include "session.h"
#include "spaces.h"
#include "uploads.h"

#define CONTRACT_KEPT "max-age=300"

/* What is the same until the program is replaced */

static void show_contract(struct http_request *request)
{
	http_keep(request, CONTRACT_KEPT);
	http_answer_json(request, 200, g_string_new_len(openapi_json, (gssize)openapi_json_size));
}

/* Names in lists end with a NULL. */
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define SPACE_COLUMNS                                                                              \
	NAMES("id", "name", "timezone", "parent", "daily_reset", "capacity", "count", "net",       \
	      "utilization", "last_event_time", "as_of", "revision", "health")
#define DOORWAY_COLUMNS NAMES("id", "name", "space", "adjacent_space")
#define DPU_COLUMNS NAMES("id", "name", "online", "online_since", "doorway")
#define INSTALLATION_COLUMNS NAMES("id", "dpu", "doorway", "started_at", "ended_at", "orientation")

static const struct csv space_csv = {NULL, SPACE_COLUMNS};
static const struct csv spaces_csv = {"items", SPACE_COLUMNS};
static const struct csv doorway_csv = {NULL, DOORWAY_COLUMNS};
static const struct csv doorways_csv = {"items", DOORWAY_COLUMNS};
static const struct csv dpu_csv = {NULL, DPU_COLUMNS};
static const struct csv dpus_csv = {"items", DPU_COLUMNS};
static const struct csv installation_csv = {NULL, INSTALLATION_COLUMNS};
static const struct csv installations_csv = {"items", INSTALLATION_COLUMNS};
static const struct csv counts_csv = {"buckets", NAMES("start", "end", "opening", "closing", "net",
						       "entries", "exits", "min", "max", "max_time",
						       "average", "utilization")};
static const struct csv events_csv = {"items",
				      NAMES("dpu_event_time", "event_received_time", "dpu",
					    "doorway", "installation", "seq", "count", "change")};
static const struct csv rejected_csv = {"items", NAMES("id", "reason", "topic", "dpu", "item",
						       "item_size", "event_received_time",
						       "last_received_time", "times")};

static const struct csv audit_csv = {"items", NAMES("id", "time", "who", "from", "object", "action",
						    "object_id", "details", "status")};

#define PAGE(...) NAMES(__VA_ARGS__, "limit", "cursor")
#define WHOLE_PAGE NAMES("limit", "cursor")

#define JSON "application/json"
#define NO_BODY NULL
#define JSON_BODY NAMES(JSON)
#define PATCH_BODY NAMES("application/merge-patch+json", JSON) /* RFC 7396 */

/* clang-format off */
const struct route routes[] = {
	{"GET", "/spaces", lists_show, SCOPE_READ,
		.parameters = PAGE("parent"), .csv = &spaces_csv, .details = &spaces_list},
	{"GET", "/spaces/{id}", spaces_show, SCOPE_READ,
		.parameters = NAMES("time", "timezone"), .csv = &space_csv},
	{"GET", "/spaces/{id}/counts", counts_show, SCOPE_READ,
		.parameters = NAMES("start", "end", "interval", "timezone"), .csv = &counts_csv},
	{"GET", "/spaces/{id}/events", events_show, SCOPE_READ,
		.parameters = PAGE("start", "end", "timezone"), .csv = &events_csv},
	{"GET", "/doorways", lists_show, SCOPE_READ,
		.parameters = PAGE("space"), .csv = &doorways_csv, .details = &doorways_list},
	{"GET", "/doorways/{id}", lists_show_one, SCOPE_READ,
		.csv = &doorway_csv, .details = &doorways_list},
	{"GET", "/dpus", lists_show, SCOPE_READ,
		.parameters = WHOLE_PAGE, .csv = &dpus_csv, .details = &dpus_list},
	{"GET", "/dpus/{id}", lists_show_one, SCOPE_READ,
		.csv = &dpu_csv, .details = &dpus_list},
	{"GET", "/installations", lists_show, SCOPE_READ,
		.parameters = PAGE("dpu", "doorway"), .csv = &installations_csv, .details = &installations_list},
	{"GET", "/installations/{id}", lists_show_one, SCOPE_READ,
		.csv = &installation_csv, .details = &installations_list},
	{"GET", "/rejected-events", lists_show, SCOPE_ADMIN,
		.parameters = PAGE("reason", "dpu"), .csv = &rejected_csv, .details = &rejected_events_list},
	{"GET", "/audit", lists_show, SCOPE_ADMIN,
		.parameters = PAGE("start", "end"), .csv = &audit_csv, .details = &audit_list},
	{"GET", "/live", live_begin, SCOPE_READ,
		.parameters = NAMES("space"), .type = "text/event-stream"},

	{"PUT", "/dpus/{id}", uploads_take, SCOPE_INGEST, .bodies = JSON_BODY},

	{"POST",   "/spaces",                  commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"PATCH",  "/spaces/{id}",             commands_carry_out, SCOPE_ADMIN, .bodies = PATCH_BODY},
	{"DELETE", "/spaces/{id}",             commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},
	{"POST",   "/spaces/{id}/resets",      commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"DELETE", "/spaces/{id}/resets/{at}", commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},
	{"POST",   "/doorways",                commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"PATCH",  "/doorways/{id}",           commands_carry_out, SCOPE_ADMIN, .bodies = PATCH_BODY},
	{"DELETE", "/doorways/{id}",           commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},
	{"POST",   "/dpus",                    commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"PATCH",  "/dpus/{id}",               commands_carry_out, SCOPE_ADMIN, .bodies = PATCH_BODY},
	{"DELETE", "/dpus/{id}",               commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},
	{"POST",   "/dpus/{id}/move",          commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"POST",   "/installations",           commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"PATCH",  "/installations/{id}",      commands_carry_out, SCOPE_ADMIN, .bodies = PATCH_BODY},
	{"DELETE", "/installations/{id}",      commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},
	{"DELETE", "/rejected-events",         commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY,
		.parameters = NAMES("reason", "dpu")},
	{"POST",   "/rejected-events/replay",  commands_carry_out, SCOPE_ADMIN, .bodies = JSON_BODY},
	{"DELETE", "/rejected-events/{id}",    commands_carry_out, SCOPE_ADMIN, .bodies = NO_BODY},

	{"GET",    "/session", session_show,  SCOPE_SESSION, .type = JSON},
	{"POST",   "/session", session_begin, SCOPE_SESSION, .bodies = JSON_BODY},
	{"DELETE", "/session", session_end,   SCOPE_SESSION, .bodies = NO_BODY},

	{"GET", "/", pages_show, SCOPE_NONE, .is_file = true, .details = "overview.html"},
	{"GET", "/display/{id}", pages_show, SCOPE_NONE, .is_file = true, .details = "display.html"},
	{"GET", "/history/{id}", pages_show, SCOPE_NONE, .is_file = true, .details = "history.html"},
	{"GET", "/admin", pages_show, SCOPE_NONE, .is_file = true, .details = "admin.html"},
	{"GET", "/login", pages_show, SCOPE_NONE, .is_file = true, .details = "login.html"},
	{"GET", "/robots.txt", pages_show, SCOPE_NONE, .is_file = true, .details = "robots.txt"},
	{"GET", "/web/{file}", pages_show_named, SCOPE_NONE, .is_file = true},

	{"GET", "/openapi.json", show_contract, SCOPE_NONE, .type = JSON},
	{"GET", "/healthz", readiness_show_alive, SCOPE_NONE, .type = JSON},
	{"GET", "/readyz", readiness_show, SCOPE_NONE, .type = JSON},
	{"GET", "/metrics", metrics_show, SCOPE_NONE, .type = METRIC_CONTENT_TYPE},
};
/* clang-format on */

const size_t route_count = G_N_ELEMENTS(routes);
