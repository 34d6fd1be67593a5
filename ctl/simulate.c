#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "crowd.h"
#include "keeper.h"
#include "premises.h"
#include "progress.h"
#include "upload.h"

#define RATE_DEFAULT 2.0
#define RATE_MOST 1e6
#define DPUS_MOST 100000
#define DOORWAYS_OF_A_SPACE 4
#define INSTALLED_AT INT64_C(946684800000) /* 2000-01-01 */

#define HELD_MOST 10000 /* uploads that wait; past that the next one due goes early */
#define BURST 100       /* crossings between two looks at the signals */
#define REST_MS 1000

struct plan {
	int64_t dpus; /* 0: all that are installed */
	double rate, duration_s;
	double late, duplicate, out_of_order; /* shares */
	guint32 seed;
	bool confirm; /* DPUs keep what is not confirmed */
};

/* An upload that waits. */
struct held {
	int64_t due_us; /* monotonic */
	const char *dpu_id;
	struct event event;
};

struct simulation {
	const struct plan *plan;
	GRand *dice;
	struct crowd *crowd;
	struct broker *broker;
	struct upload *upload; /* NULL if there is a keeper */
	struct keeper *keeper; /* NULL if there is an upload */
	GSequence *held;       /* struct held, the next one due first */
	int64_t crossings, late, duplicates, out_of_order;
	int64_t begun_us;
	int signals; /* descriptor */
};

/* The premises: sim-1, sim-2, … */

static enum result make_doorway(struct premises *premises, int64_t number)
{
	int64_t of = (number - 1) / DOORWAYS_OF_A_SPACE + 1;
	bool first = (number - 1) % DOORWAYS_OF_A_SPACE == 0;
	g_autofree char *id = g_strdup_printf("sim-%" PRId64, number);
	g_autofree char *space = g_strdup_printf("sim-%" PRId64, of);
	g_autofree char *before = g_strdup_printf("sim-%" PRId64, of - 1);
	bool inner = number % DOORWAYS_OF_A_SPACE == 0 && of > 1; /* the last one leads next door */
	enum result result = RESULT_OK;

	if (first)
		result = premises_add_space(premises, space, "", "UTC", NULL, 0, NULL);
	if (result == RESULT_OK)
		result = premises_add_doorway(premises, id, "", space, inner ? before : NULL);
	return result == RESULT_OK ? premises_add_dpu(premises, id, id, INSTALLED_AT, 1) : result;
}

static enum exit_code make_premises(struct session *session, struct broker *broker, int64_t dpus)
{
	struct premises premises = {.session = session, .broker = broker};
	struct progress progress = progress_begin("DPUs");
	enum result result = RESULT_OK;

	for (int64_t number = 1; number <= dpus && result == RESULT_OK; number++) {
		result = make_doorway(&premises, number);
		progress_show(&progress, number, number, dpus);
	}
	if (result == RESULT_OK)
		result = broker_finish(broker);
	progress_end(&progress);
	if (result != RESULT_OK)
		return session_no_answer(session);
	return premises.refused == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static bool is_ours(const char *dpu_id, int64_t most)
{
	return most == 0 ||
	       (g_str_has_prefix(dpu_id, "sim-") &&
		g_ascii_string_to_signed(dpu_id + strlen("sim-"), 10, 1, most, NULL, NULL));
}

/* Walking and uploading */

static gint by_due(gconstpointer a, gconstpointer b, gpointer context)
{
	const struct held *first = a, *second = b;

	(void)context;
	return first->due_us < second->due_us ? -1 : first->due_us > second->due_us;
}

static enum result send(struct simulation *simulation, const char *dpu_id,
			const struct event *event)
{
	if (simulation->keeper == NULL)
		return upload_add(simulation->upload, dpu_id, event);
	keeper_add(simulation->keeper, dpu_id, event);
	return RESULT_OK;
}

static enum result attend(struct simulation *simulation, int64_t ms)
{
	if (simulation->keeper == NULL)
		return broker_attend(simulation->broker, ms, simulation->signals);
	keeper_attend(simulation->keeper, ms, simulation->signals);
	return RESULT_OK;
}

static enum result finish(struct simulation *simulation)
{
	if (simulation->keeper == NULL)
		return upload_finish(simulation->upload);
	return keeper_finish(simulation->keeper);
}

static enum result release_first(struct simulation *simulation)
{
	GSequenceIter *first = g_sequence_get_begin_iter(simulation->held);
	const struct held *held = g_sequence_get(first);
	enum result result = send(simulation, held->dpu_id, &held->event);

	g_sequence_remove(first);
	return result;
}

static enum result hold(struct simulation *simulation, const char *dpu_id,
			const struct event *event, double least_s, double most_s)
{
	struct held *held = g_new(struct held, 1);
	double delay_s = g_rand_double_range(simulation->dice, least_s, most_s);

	*held = (struct held){g_get_monotonic_time() + (int64_t)(delay_s * G_USEC_PER_SEC), dpu_id,
			      *event};
	g_sequence_insert_sorted(simulation->held, held, by_due, NULL);
	if (g_sequence_get_length(simulation->held) > HELD_MOST)
		return release_first(simulation);
	return RESULT_OK;
}

/* How an upload goes wrong, by the plan's shares. */
static bool happens(struct simulation *simulation, double share, int64_t *count)
{
	bool it_does = g_rand_double(simulation->dice) < share;

	*count += it_does;
	return it_does;
}

static enum result walk(struct simulation *simulation)
{
	struct crowd_crossing crossing = crowd_step(simulation->crowd, simulation->dice);
	const struct plan *plan = simulation->plan;
	struct event event = {
		.time = instant_now(),
		.seq = ++simulation->crossings,
		.count = crossing.count,
	};
	enum result result = RESULT_OK;

	if (happens(simulation, plan->duplicate, &simulation->duplicates))
		result = hold(simulation, crossing.dpu_id, &event, 0, 5);
	if (result != RESULT_OK)
		return result;
	if (happens(simulation, plan->late, &simulation->late))
		return hold(simulation, crossing.dpu_id, &event, 5, 60);
	if (happens(simulation, plan->out_of_order, &simulation->out_of_order))
		return hold(simulation, crossing.dpu_id, &event, 0.5, 3);
	return send(simulation, crossing.dpu_id, &event);
}

static enum result release_due(struct simulation *simulation)
{
	enum result result = RESULT_OK;

	while (result == RESULT_OK && !g_sequence_is_empty(simulation->held)) {
		const struct held *next =
			g_sequence_get(g_sequence_get_begin_iter(simulation->held));

		if (next->due_us > g_get_monotonic_time())
			break;
		result = release_first(simulation);
	}
	return result;
}

/* Milliseconds until there is something to do. */
static int64_t rest_ms(const struct simulation *simulation)
{
	double next_s = (double)(simulation->crossings + 1) / simulation->plan->rate;
	int64_t due_us = simulation->begun_us + (int64_t)(next_s * G_USEC_PER_SEC);

	if (!g_sequence_is_empty(simulation->held)) {
		const struct held *next =
			g_sequence_get(g_sequence_get_begin_iter(simulation->held));
		due_us = MIN(due_us, next->due_us);
	}
	return CLAMP((due_us - g_get_monotonic_time()) / 1000 + 1, 0, REST_MS);
}

/* Did somebody ask us to end? */
static bool is_stopped(const struct simulation *simulation)
{
	struct signalfd_siginfo signal;

	return read(simulation->signals, &signal, sizeof signal) == (ssize_t)sizeof signal;
}

static enum result run(struct simulation *simulation)
{
	const struct plan *plan = simulation->plan;
	enum result result = RESULT_OK;

	simulation->begun_us = g_get_monotonic_time();
	while (result == RESULT_OK && !is_stopped(simulation)) {
		double elapsed_s =
			(double)(g_get_monotonic_time() - simulation->begun_us) / G_USEC_PER_SEC;
		int64_t due = (int64_t)(elapsed_s * plan->rate) - simulation->crossings;

		if (plan->duration_s > 0 && elapsed_s >= plan->duration_s)
			break;
		for (int64_t i = 0; i < MIN(due, BURST) && result == RESULT_OK; i++)
			result = walk(simulation);
		if (result == RESULT_OK)
			result = release_due(simulation);
		if (result == RESULT_OK)
			result = attend(simulation, due > BURST ? 0 : rest_ms(simulation));
	}
	while (result == RESULT_OK && !g_sequence_is_empty(simulation->held))
		result = release_first(simulation);
	return result == RESULT_OK ? finish(simulation) : result;
}

/* The end */

static void add_crossings(GString *json, const struct simulation *simulation)
{
	json_add_integer(json, "crossings", simulation->crossings);
	json_add_integer(json, "late", simulation->late);
	json_add_integer(json, "duplicated", simulation->duplicates);
	json_add_integer(json, "out_of_order", simulation->out_of_order);
}

static void say_uploaded(const struct session *session, const struct simulation *simulation)
{
	const struct upload_tally *tally = upload_tally(simulation->upload);
	g_autofree char *text = upload_tally_text(tally);
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	add_crossings(json, simulation);
	json_add_integer(json, "sent", tally->sent);
	upload_tally_add(json, tally);
	json_end_object(json);
	session_say(session, json->str,
		    "%" PRId64 " crossings, of them %" PRId64 " late, %" PRId64
		    " out of order and %" PRId64 " twice\n%" PRId64 " events sent: %s",
		    simulation->crossings, simulation->late, simulation->out_of_order,
		    simulation->duplicates, tally->sent, text);
}

static void say_kept(const struct session *session, const struct simulation *simulation)
{
	const struct keeper_tally *tally = keeper_tally(simulation->keeper);
	int64_t kept = (int64_t)keeper_kept(simulation->keeper);
	g_autoptr(GString) json = g_string_new(NULL);

	json_begin_object(json, NULL);
	add_crossings(json, simulation);
	json_add_integer(json, "sent", tally->sent);
	json_add_integer(json, "sent_again", tally->again);
	json_add_integer(json, "confirmed", tally->confirmed);
	json_add_integer(json, "rejected", tally->rejected);
	json_add_integer(json, "unconfirmed", kept);
	json_end_object(json);
	session_say(session, json->str,
		    "%" PRId64 " crossings: %" PRId64 " confirmed, of them %" PRId64
		    " rejected; %" PRId64 " not confirmed\n%" PRId64 " messages, of them %" PRId64
		    " sent again",
		    simulation->crossings, tally->confirmed, tally->rejected, kept, tally->sent,
		    tally->again);
}

static enum exit_code settle_uploaded(struct session *session, const struct simulation *simulation,
				      enum result result)
{
	say_uploaded(session, simulation);
	if (result != RESULT_OK)
		return session_no_answer(session);
	return upload_tally_clean(upload_tally(simulation->upload)) ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code settle_kept(struct session *session, const struct simulation *simulation,
				  enum result result)
{
	say_kept(session, simulation);
	if (result != RESULT_OK) {
		session_complain(session,
				 "nothing was confirmed for %d s: is headcount-gateway running, "
				 "with confirm_stored=true?",
				 KEEPER_PATIENCE_S);
		return EXIT_NO_ANSWER;
	}
	return keeper_tally(simulation->keeper)->rejected == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code run_crowd(struct session *session, struct broker *broker, struct crowd *crowd,
				const struct plan *plan, int signals)
{
	struct simulation simulation = {
		.plan = plan,
		.dice = g_rand_new_with_seed(plan->seed),
		.crowd = crowd,
		.broker = broker,
		.upload = plan->confirm ? NULL : upload_new(broker, 1),
		.keeper = plan->confirm ? keeper_new(session) : NULL,
		.held = g_sequence_new(g_free),
		.signals = signals,
	};
	enum result result = run(&simulation);
	enum exit_code code = plan->confirm ? settle_kept(session, &simulation, result)
					    : settle_uploaded(session, &simulation, result);

	upload_free(simulation.upload);
	keeper_free(simulation.keeper);
	g_sequence_free(simulation.held);
	g_rand_free(simulation.dice);
	return code;
}

/* The crowd of the plan; NULL if there is none, which is said then. */
static struct crowd *find_crowd(struct session *session, struct broker *broker,
				const struct plan *plan, enum exit_code *ret_code)
{
	struct crowd *crowd = crowd_new(session, is_ours, plan->dpus);

	*ret_code = EXIT_REFUSED;
	if (crowd != NULL && (int64_t)crowd_dpus(crowd) < plan->dpus) {
		crowd_free(crowd);
		*ret_code = make_premises(session, broker, plan->dpus);
		if (*ret_code != EXIT_DONE)
			return NULL;
		*ret_code = EXIT_REFUSED;
		crowd = crowd_new(session, is_ours, plan->dpus);
	}
	if (crowd == NULL || crowd_dpus(crowd) > 0)
		return crowd;
	session_complain(session, "no DPU is installed: try --dpus N, or seed-data first");
	crowd_free(crowd);
	return NULL;
}

static enum exit_code simulate(struct session *session, const struct plan *plan, int signals)
{
	struct broker *broker = session_broker(session);
	enum exit_code code = EXIT_NO_ANSWER;
	struct crowd *crowd;

	if (broker == NULL)
		return code;
	crowd = find_crowd(session, broker, plan, &code);
	if (crowd == NULL)
		return code;
	code = run_crowd(session, broker, crowd, plan, signals);
	crowd_free(crowd);
	return code;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool check_range(const struct session *session, const char *option, double value,
			double least, double most)
{
	if (value >= least && value <= most)
		return true;
	session_complain(session, "%s: expected a number from %g to %g, not %g", option, least,
			 most, value);
	return false;
}

enum exit_code simulate_run(struct session *session)
{
	gint64 dpus = 0, seed = g_random_int();
	gboolean confirm = FALSE;
	struct plan plan = {.rate = RATE_DEFAULT};
	const GOptionEntry entries[] = {
		{"dpus", 0, 0, G_OPTION_ARG_INT64, &dpus,
		 "Simulate the DPUs sim-1 to sim-N (default: all that are installed)", "N"},
		{"rate", 0, 0, G_OPTION_ARG_DOUBLE, &plan.rate, "Crossings a second (default: 2)",
		 "R"},
		{"duration", 0, 0, G_OPTION_ARG_DOUBLE, &plan.duration_s,
		 "End after so many seconds (default: on Ctrl-C)", "S"},
		{"late", 0, 0, G_OPTION_ARG_DOUBLE, &plan.late,
		 "Share of crossings uploaded up to a minute late (default: 0)", "P"},
		{"duplicate", 0, 0, G_OPTION_ARG_DOUBLE, &plan.duplicate,
		 "Share uploaded twice (default: 0)", "P"},
		{"out-of-order", 0, 0, G_OPTION_ARG_DOUBLE, &plan.out_of_order,
		 "Share that later ones overtake (default: 0)", "P"},
		{"confirm", 0, 0, G_OPTION_ARG_NONE, &confirm,
		 "DPUs keep each event until the gateway, with confirm_stored=true, says that it "
		 "is stored",
		 NULL},
		{"seed", 0, 0, G_OPTION_ARG_INT64, &seed,
		 "Other people for each number (default: always others)", "N"},
		G_OPTION_ENTRY_NULL,
	};
	enum exit_code code;
	int signals;

	if (!session_begin(session, entries) ||
	    !check_range(session, "--dpus", (double)dpus, 0, DPUS_MOST) ||
	    !check_range(session, "--rate", plan.rate, 0.001, RATE_MOST) ||
	    !check_range(session, "--duration", plan.duration_s, 0, 1e9) ||
	    !check_range(session, "--late", plan.late, 0, 1) ||
	    !check_range(session, "--duplicate", plan.duplicate, 0, 1) ||
	    !check_range(session, "--out-of-order", plan.out_of_order, 0, 1) ||
	    !check_range(session, "--seed", (double)seed, 0, UINT32_MAX))
		return EXIT_USAGE;
	plan.dpus = dpus;
	plan.seed = (guint32)seed;
	plan.confirm = confirm;
	signals = open_signals();
	if (signals < 0) {
		session_complain(session, "signalfd: %s", g_strerror(errno));
		return EXIT_REFUSED;
	}
	code = simulate(session, &plan, signals);
	close(signals);
	return code;
}
