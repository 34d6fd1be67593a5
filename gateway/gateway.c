#include "gateway.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "announce.h"
#include "broker.h"
#include "health.h"
#include "ingest.h"
#include "log.h"
#include "metrics.h"
#include "program.h"
#include "pruning.h"
#include "publish.h"
#include "registry.h"
#include "topics.h"

/* A batch ends at config.batch_items, or earlier at one of these: */
#define BATCH_US 100000                        /* displays are not to wait for more than a blink */
#define BATCH_BYTES (INT64_C(4) * 1024 * 1024) /* bounds memory when messages are large */

#define PRUNE_US 5000 /* a batch waits no longer for that */

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 10000
#define COMPLAINT_MS 60000 /* how often trouble that lasts is logged */
#define TICK_MS 5000       /* a turn at least this often, for MQTT's keepalive */

struct gateway {
	const struct config *config;
	const char *config_path;
	struct store *store;
	struct ingest *ingest;
	struct health health;
	struct receivers receivers;
	struct broker *broker;
	struct pruning *pruning;
	int64_t prune_due_ms; /* when to go on with it */
	struct publish *publish;
	struct announce *announce;
	char *health_topic;
	struct metrics *metrics; /* NULL: none are wanted */
	int64_t metrics_due_ms;

	int signals; /* signalfd */
	bool stopping;
	uint64_t watchdog_ms; /* how often to report to systemd; 0: never */
	int64_t watchdog_due_ms;

	bool open, ready;    /* the broker, as noticed last */
	bool store_failing;  /* the last transaction that wrote failed */
	bool troubled;       /* the log has not said yet that all is well */
	char complaint[256]; /* the last one */
	unsigned tries;      /* to connect, since it last held */
	int64_t ready_ms;    /* since when the broker is ready */
	int64_t connect_ms;  /* when to connect next */
	int64_t complain_ms; /* when to log trouble again */
	bool more;           /* the batch was full: more may be waiting */
};

static int64_t now_ms(void)
{
	return g_get_monotonic_time() / 1000;
}

/* Trouble and recovery */

/* One that comes and goes is one to the log, for a minute. */
static void complain(struct gateway *gateway, const char *what, const char *why)
{
	char line[sizeof gateway->complaint];
	bool same;

	snprintf(line, sizeof line, "%s: %s", what, why);
	health_error(&gateway->health, line);
	sd_notifyf(0, "STATUS=%s; trying again", line);
	same = strcmp(line, gateway->complaint) == 0;
	if (same && now_ms() < gateway->complain_ms)
		return;
	log_warning("%s; trying again", line);
	gateway->troubled = true;
	gateway->complain_ms = now_ms() + COMPLAINT_MS;
	g_strlcpy(gateway->complaint, line, sizeof gateway->complaint);
}

static void recover(struct gateway *gateway)
{
	gateway->health.due_ms = 0;
	sd_notify(0, "READY=1\nSTATUS=working");
	if (gateway->troubled)
		log_notice("working, with the broker at %s port %" PRId64,
			   gateway->config->broker_host, gateway->config->broker_port);
	gateway->troubled = false;
}

/* Ever longer, and never at the same time as others who lost the same broker. A connection that held for a while
 * begins anew. */
static void connect_later(struct gateway *gateway)
{
	int64_t delay;

	if (gateway->ready && now_ms() - gateway->ready_ms > RETRY_MOST_MS)
		gateway->tries = 0;
	delay = MIN(RETRY_MOST_MS, RETRY_FIRST_MS << MIN(gateway->tries, 10));
	gateway->tries++;
	gateway->connect_ms = now_ms() + (int64_t)((double)delay * g_random_double_range(0.5, 1.0));
	gateway->open = gateway->ready = false;
}

/* Nothing is acknowledged and the connection ends, so the broker sends again what it had sent. */
static void reading_failed(struct gateway *gateway)
{
	complain(gateway, "database", store_error(gateway->store));
	broker_drop(gateway->broker);
	connect_later(gateway);
}

static void storing_failed(struct gateway *gateway)
{
	gateway->store_failing = true;
	reading_failed(gateway);
}

static void storing_worked(struct gateway *gateway)
{
	publish_changed(gateway->publish);
	announce_changed(gateway->announce);
	store_tidy(gateway->store);
	if (!gateway->store_failing)
		return;
	gateway->store_failing = false;
	recover(gateway);
}

/* The broker came or went since we looked last. */
static void notice_broker(struct gateway *gateway)
{
	if (gateway->open && !broker_is_open(gateway->broker)) {
		complain(gateway, "broker", broker_why(gateway->broker));
		connect_later(gateway);
	}
	if (gateway->ready || !broker_is_ready(gateway->broker))
		return;
	gateway->ready = true;
	gateway->ready_ms = now_ms();
	publish_all(gateway->publish);
	announce_all(gateway->announce, now_ms());
	log_info("connected to the broker");
	if (!gateway->store_failing)
		recover(gateway);
}

static void connect_if_due(struct gateway *gateway)
{
	if (gateway->open || now_ms() < gateway->connect_ms)
		return;
	gateway->open = true;
	broker_connect(gateway->broker);
}

/* Storing */

/* Reads into the batch what is there. Where a connection begins it pauses, so that our health is told before there
 * is a batch that may not be stored. */
static void fill_batch(struct gateway *gateway)
{
	gint64 until = g_get_monotonic_time() + BATCH_US;
	int64_t bytes = broker_delivered(gateway->broker) + BATCH_BYTES;
	bool let_in = broker_is_let_in(gateway->broker);

	gateway->more = true;
	while (gateway->more && let_in == broker_is_let_in(gateway->broker) &&
	       g_get_monotonic_time() < until &&
	       ingest_items(gateway->ingest) < (size_t)gateway->config->batch_items &&
	       broker_delivered(gateway->broker) < bytes)
		gateway->more = broker_read(gateway->broker);
}

static void publish_answer(void *context, const char *topic, const void *payload, size_t size,
			   const void *correlation, size_t correlation_size)
{
	struct gateway *gateway = context;

	broker_publish(gateway->broker,
		       &(struct publication){.topic = topic,
					     .payload = payload,
					     .size = size,
					     .correlation = correlation,
					     .correlation_size = correlation_size});
}

static void publish_confirmation(void *context, const char *topic, const void *payload, size_t size,
				 const void *correlation, size_t correlation_size)
{
	struct gateway *gateway = context;

	(void)correlation;
	(void)correlation_size;
	broker_publish(gateway->broker,
		       &(struct publication){
			       .topic = topic, .payload = payload, .size = size, .fleeting = true});
}

/* If the connection went while the batch was read, it is committed all the same: the broker sends it again, and
 * then finds it stored. */
static void store_batch(struct gateway *gateway)
{
	const struct ingest_counters *counters = ingest_counters(gateway->ingest);
	int64_t commands = counters->commands;

	fill_batch(gateway);
	if (ingest_items(gateway->ingest) == 0)
		return;
	if (ingest_commit(gateway->ingest) != RESULT_OK) {
		storing_failed(gateway);
		return;
	}
	log_debug("stored %" PRId64 " items in %" PRId64 " us", counters->batch_items_last,
		  counters->commit_us_last);
	answers_to_requests(ingest_answers(gateway->ingest), publish_answer, gateway);
	answers_to_dpus(ingest_answers(gateway->ingest), publish_confirmation, gateway);
	if (counters->commands > commands)
		pruning_look(gateway->pruning);
	storing_worked(gateway);
}

static enum result reset_work(struct store *store, void *context)
{
	(void)context;
	registry_daily_resets(store, instant_now());
	return RESULT_OK;
}

static bool may_store(const struct gateway *gateway)
{
	return !gateway->store_failing || broker_is_open(gateway->broker);
}

static void store_daily_resets(struct gateway *gateway)
{
	instant next = registry_next_daily_reset(gateway->store);

	if (!may_store(gateway) || next == INSTANT_NONE || next > instant_now())
		return;
	if (store_transaction(gateway->store, reset_work, NULL) == RESULT_OK)
		storing_worked(gateway);
	else
		storing_failed(gateway);
}

/* A slice, then a pause as long: the processor and the disk are for the crossings that come in. */
static void prune_some(struct gateway *gateway)
{
	int64_t begin_ms = now_ms();

	if (!may_store(gateway) || !pruning_is_due(gateway->pruning) ||
	    begin_ms < gateway->prune_due_ms)
		return;
	if (pruning_go_on(gateway->pruning, PRUNE_US) == RESULT_OK)
		storing_worked(gateway);
	else
		storing_failed(gateway);
	if (!pruning_is_due(gateway->pruning))
		log_notice("pruned: the crossings before the horizon are gone");
	gateway->prune_due_ms = 2 * now_ms() - begin_ms;
}

/* Publishing */

static struct health_sources sources_of(const struct gateway *gateway)
{
	return (struct health_sources){gateway->ingest, gateway->publish, gateway->broker,
				       gateway->store};
}

static void publish_health(struct gateway *gateway)
{
	const struct health_sources sources = sources_of(gateway);
	g_autoptr(GString) text = NULL;

	if (!broker_is_let_in(gateway->broker) || now_ms() < gateway->health.due_ms)
		return;
	text = g_string_new(NULL);
	health_write(text, &gateway->health, &sources);
	broker_publish(gateway->broker, &(struct publication){.topic = gateway->health_topic,
							      .payload = text->str,
							      .size = text->len,
							      .retain = true});
	gateway->health.due_ms = now_ms() + HEALTH_INTERVAL_MS;
}

/* Each slice leaves at once, acknowledgements with the first. */
static enum result publish_counts(struct gateway *gateway)
{
	const int64_t now = now_ms();
	enum result result = RESULT_OK;

	while (result == RESULT_OK && publish_next_ms(gateway->publish) <= now) {
		result = publish_due(gateway->publish, now);
		broker_write(gateway->broker);
	}
	return result;
}

static void publish_what_is_due(struct gateway *gateway)
{
	if (publish_counts(gateway) != RESULT_OK ||
	    announce_due(gateway->announce, now_ms()) != RESULT_OK)
		reading_failed(gateway);
	publish_health(gateway);
}

static void write_metrics(struct gateway *gateway)
{
	const struct health_sources sources = sources_of(gateway);

	if (gateway->metrics == NULL || now_ms() < gateway->metrics_due_ms)
		return;
	metrics_write(gateway->metrics, &gateway->health, &sources);
	gateway->metrics_due_ms = now_ms() + METRICS_INTERVAL_MS;
}

/* Waiting */

static int64_t until_daily_reset(const struct gateway *gateway)
{
	instant next = registry_next_daily_reset(gateway->store);

	return next == INSTANT_NONE || !may_store(gateway) ? INT64_MAX : next - instant_now();
}

static int wait_ms(const struct gateway *gateway)
{
	int64_t now = now_ms();
	int64_t wait = MIN(TICK_MS, until_daily_reset(gateway));

	if (gateway->more)
		return 0;
	if (gateway->open)
		wait = MIN(wait, MIN(publish_next_ms(gateway->publish),
				     announce_next_ms(gateway->announce)) -
					 now);
	else
		wait = MIN(wait, gateway->connect_ms - now);
	if (gateway->ready)
		wait = MIN(wait, gateway->health.due_ms - now);
	if (pruning_is_due(gateway->pruning) && may_store(gateway))
		wait = MIN(wait, gateway->prune_due_ms - now);
	if (gateway->metrics != NULL)
		wait = MIN(wait, gateway->metrics_due_ms - now);
	if (gateway->watchdog_ms > 0)
		wait = MIN(wait, gateway->watchdog_due_ms - now);
	return (int)MAX(wait, 0);
}

static void reload(struct gateway *gateway)
{
	if (gateway->ready)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, g_get_monotonic_time());
	program_reload("headcount-gateway", gateway->config, gateway->config_path);
	if (gateway->ready)
		sd_notify(0, "READY=1");
}

static void take_signal(struct gateway *gateway)
{
	struct signalfd_siginfo signal;

	if (read(gateway->signals, &signal, sizeof signal) != sizeof signal)
		return;
	if (signal.ssi_signo == SIGHUP)
		reload(gateway);
	else
		gateway->stopping = true;
}

static void wait_for_work(struct gateway *gateway)
{
	struct pollfd polled[2] = {{.fd = gateway->signals, .events = POLLIN}};

	broker_poll(gateway->broker, &polled[1]);
	if (poll(polled, G_N_ELEMENTS(polled), wait_ms(gateway)) > 0 && polled[0].revents != 0)
		take_signal(gateway);
}

static void report_to_systemd(struct gateway *gateway)
{
	if (gateway->watchdog_ms == 0 || now_ms() < gateway->watchdog_due_ms)
		return;
	sd_notify(0, "WATCHDOG=1");
	gateway->watchdog_due_ms = now_ms() + (int64_t)gateway->watchdog_ms;
}

/* The program */

static void turn(struct gateway *gateway)
{
	wait_for_work(gateway);
	connect_if_due(gateway);
	store_batch(gateway);
	store_daily_resets(gateway);
	prune_some(gateway);
	notice_broker(gateway);
	publish_what_is_due(gateway);
	broker_tend(gateway->broker);
	broker_write(gateway->broker);
	notice_broker(gateway);
	write_metrics(gateway);
	log_tend();
	report_to_systemd(gateway);
}

void gateway_run(struct gateway *gateway)
{
	sd_notify(0, "STATUS=connecting");
	while (!gateway->stopping)
		turn(gateway);
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
	if (publish_hurry(gateway->publish) != RESULT_OK)
		log_warning("database: %s", store_error(gateway->store));
	broker_leave(gateway->broker);
	log_info("stopped");
}

static int block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static uint64_t watchdog_ms(void)
{
	uint64_t limit_us;

	return sd_watchdog_enabled(0, &limit_us) > 0 ? limit_us / 1000 / 2 : 0;
}

enum result gateway_new(const struct config *config, const char *config_path, struct store *store,
			struct gateway **ret_gateway, struct problem *reterr_problem)
{
	struct gateway *gateway = g_new0(struct gateway, 1);
	enum result result = RESULT_OK;

	gateway->config = config;
	gateway->config_path = config_path;
	gateway->store = store;
	gateway->troubled = true;
	gateway->watchdog_ms = watchdog_ms();
	gateway->health_topic = g_strdup_printf("gateway/%s/health", config->client_id);
	health_begin(&gateway->health);
	gateway->ingest = ingest_new(store, config);
	gateway->receivers = (struct receivers){.ingest = gateway->ingest,
						.health = &gateway->health,
						.discovery_prefix = config->home_assistant_prefix};
	gateway->broker = broker_new(config, &gateway->receivers, reterr_problem);
	gateway->pruning = pruning_new(store);
	gateway->publish = publish_new(store, gateway->broker, config->publish_interval_ms);
	gateway->announce = announce_new(config, store, gateway->broker);
	gateway->receivers.announce = gateway->announce;
	gateway->signals = block_signals();
	if (gateway->broker == NULL)
		result = RESULT_INVALID;
	else if (gateway->signals < 0)
		result = problem_set(reterr_problem, RESULT_FAILED, "", "signals: %s",
				     g_strerror(errno));
	if (result != RESULT_OK) {
		gateway_free(gateway);
		return result;
	}
	if (config->metrics_port != 0)
		gateway->metrics = metrics_start((uint16_t)config->metrics_port);
	*ret_gateway = gateway;
	return RESULT_OK;
}

void gateway_free(struct gateway *gateway)
{
	if (gateway == NULL)
		return;
	metrics_stop(gateway->metrics);
	announce_free(gateway->announce);
	publish_free(gateway->publish);
	pruning_free(gateway->pruning);
	broker_free(gateway->broker);
	ingest_free(gateway->ingest);
	if (gateway->signals >= 0)
		close(gateway->signals);
	g_free(gateway->health_topic);
	g_free(gateway);
}
