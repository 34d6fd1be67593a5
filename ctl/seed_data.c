#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "progress.h"
#include "town.h"
#include "upload.h"

#define DAYS_DEFAULT 30
#define DAYS_MOST 3650
#define SEED_DEFAULT 1
#define BATCH 500

struct plan {
	instant until;
	int64_t days;
	guint32 seed;
};

static enum result make_town(struct premises *premises)
{
	enum result result = town_make(premises);

	return result == RESULT_OK ? broker_finish(premises->broker) : result;
}

static enum result send_day(struct upload *upload, const struct plan *plan, int building,
			    int64_t day)
{
	g_autoptr(GArray) crossings = town_day(building, day, plan->seed);
	enum result result = RESULT_OK;

	for (guint i = 0; i < crossings->len && result == RESULT_OK; i++) {
		const struct town_crossing *crossing =
			&g_array_index(crossings, struct town_crossing, i);

		if (crossing->event.time > plan->until)
			break;
		result = upload_add(upload, crossing->dpu_id, &crossing->event);
	}
	return result;
}

/* Whole days, so that everybody who leaves has come before. */
static enum result send_days(struct upload *upload, const struct plan *plan)
{
	struct progress progress = progress_begin("crossings");
	enum result result = RESULT_OK;

	for (int64_t ago = plan->days; ago >= 0; ago--) {
		for (int i = 0; i < TOWN_BUILDINGS && result == RESULT_OK; i++)
			result = send_day(upload, plan, i, town_day_of(i, plan->until) - ago);
		progress_show(&progress, upload_tally(upload)->sent, plan->days - ago,
			      plan->days + 1);
	}
	if (result == RESULT_OK)
		result = upload_finish(upload);
	progress_end(&progress);
	return result;
}

static void say_summary(const struct session *session, const struct premises *premises,
			const struct upload_tally *tally)
{
	g_autofree char *text = upload_tally_text(tally);
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	json_add_integer(json, "made", premises->made);
	json_add_integer(json, "existing", premises->existing);
	json_add_integer(json, "crossings", tally->sent);
	upload_tally_add(json, tally);
	json_end_object(json);
	session_say(session, json->str,
		    "Spaces, doorways, DPUs and installations: %" PRId64 " made, %" PRId64
		    " were there\n%" PRId64 " crossings: %s",
		    premises->made, premises->existing, tally->sent, text);
}

static enum exit_code seed(struct session *session, struct broker *broker, const struct plan *plan)
{
	struct premises premises = {.session = session, .broker = broker};
	struct upload *upload = upload_new(broker, BATCH);
	const struct upload_tally *tally = upload_tally(upload);
	enum result result = make_town(&premises);
	enum exit_code code = EXIT_DONE;

	if (result == RESULT_OK)
		result = send_days(upload, plan);
	say_summary(session, &premises, tally);
	if (result != RESULT_OK)
		code = session_no_answer(session);
	else if (premises.refused > 0 || !upload_tally_clean(tally))
		code = EXIT_REFUSED;
	upload_free(upload);
	return code;
}

static bool read_plan(const struct session *session, const char *days, const char *seed,
		      const char *until, struct plan *ret_plan)
{
	int64_t number = SEED_DEFAULT;

	*ret_plan = (struct plan){.until = instant_now(), .days = DAYS_DEFAULT};
	if (days != NULL &&
	    !session_read_integer(session, "--days", days, 0, DAYS_MOST, &ret_plan->days))
		return false;
	if (seed != NULL && !session_read_integer(session, "--seed", seed, 0, UINT32_MAX, &number))
		return false;
	ret_plan->seed = (guint32)number;
	if (until != NULL && !session_read_time(session, "--until", until, &ret_plan->until))
		return false;
	if (ret_plan->until - (ret_plan->days + 2) * INSTANT_DAY >= TOWN_BEGINS)
		return true;
	session_complain(session, "--until: expected a time that many --days after 2000-01-03");
	return false;
}

enum exit_code seed_data_run(struct session *session)
{
	g_autofree char *days = NULL, *seed_text = NULL, *until = NULL;
	const GOptionEntry entries[] = {
		{"days", 0, 0, G_OPTION_ARG_STRING, &days,
		 "How many days up to now (default: " G_STRINGIFY(DAYS_DEFAULT) ")", "N"},
		{"seed", 0, 0, G_OPTION_ARG_STRING, &seed_text,
		 "Other people for each number (default: " G_STRINGIFY(SEED_DEFAULT) ")", "N"},
		{"until", 0, 0, G_OPTION_ARG_STRING, &until, "No crossing after it (default: now)",
		 "TIME"},
		G_OPTION_ENTRY_NULL,
	};
	struct broker *broker;
	struct plan plan;

	if (!session_begin(session, entries) || !read_plan(session, days, seed_text, until, &plan))
		return EXIT_USAGE;
	broker = session_broker(session);
	return broker != NULL ? seed(session, broker, &plan) : EXIT_NO_ANSWER;
}
