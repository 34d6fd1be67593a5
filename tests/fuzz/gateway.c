/* All that the gateway takes in, as the broker would deliver it: messages "TOPIC PAYLOAD", one a line, a minute apart. An
 * empty line ends a batch, and "@MS" sets the clock. After each batch the database is sound; and a message at a time comes
 * to the same facts. */
#include <string.h>

#include "announce.h"
#include "fuzz.h"
#include "health.h"
#include "ingest.h"
#include "topics.h"
#include "world.h"

#define MESSAGES_MOST 64
/* A clock that is thousands of years ahead makes the gateway catch up on as many years of daily resets: it ends, but not
 * within the time that an input has. */
#define CLOCK_LAST (WORLD_NOW + 3653 * INSTANT_DAY)

/* The broker, in place of gateway/broker.c: it has room for everything and keeps nothing. */

size_t broker_room(const struct broker *broker)
{
	(void)broker;
	return SIZE_MAX;
}

size_t broker_outstanding(const struct broker *broker)
{
	(void)broker;
	return 0;
}

void broker_publish(struct broker *broker, const struct publication *publication)
{
	(void)broker;
	g_assert(strpbrk(publication->topic, "+#") == NULL);
}

/* The gateway */

struct gateway {
	struct config config;
	struct store *store;
	struct ingest *ingest;
	struct health health;
	struct announce *announce;
	instant now;
	bool one_by_one;
	int messages;
};

static void open_gateway(struct gateway *gateway)
{
	static char prefix[] = "homeassistant", client_id[] = "fuzz";
	const char *path = world_reset();
	struct problem problem;

	gateway->config = (struct config){.rejected_max = 20,
					  .batch_items = 1000,
					  .max_clock_skew_ms = 5 * INSTANT_MINUTE,
					  .confirm_stored = true,
					  .home_assistant = true,
					  .home_assistant_prefix = prefix,
					  .client_id = client_id};
	gateway->now = WORLD_NOW;
	g_assert(store_open(path, STORE_WRITER, &gateway->store, &problem) == RESULT_OK);
	gateway->ingest = ingest_new(gateway->store, &gateway->config);
	gateway->announce = announce_new(&gateway->config, gateway->store, NULL);
	health_begin(&gateway->health);
}

static void close_gateway(struct gateway *gateway)
{
	announce_free(gateway->announce);
	ingest_free(gateway->ingest);
	store_close(gateway->store);
}

static void check_publication(void *context, const char *topic, const void *payload, size_t size,
			      const void *correlation, size_t correlation_size)
{
	(void)context;
	(void)correlation;
	(void)correlation_size;
	if (strcmp(topic, "replies/fuzz") == 0)
		world_check_answer(payload, size);
	else
		g_assert(g_str_has_prefix(topic, "dpu/") && g_str_has_suffix(topic, "/stored"));
}

static void commit(struct gateway *gateway)
{
	g_assert(ingest_commit(gateway->ingest) == RESULT_OK);
	answers_to_requests(ingest_answers(gateway->ingest), check_publication, NULL);
	announce_changed(gateway->announce);
	if (!gateway->one_by_one)
		world_check(gateway->store);
}

static void deliver(struct gateway *gateway, const char *line, size_t size)
{
	const char *space = memchr(line, ' ', size);
	g_autofree char *topic = g_strndup(line, space != NULL ? (size_t)(space - line) : size);
	size_t before = space != NULL ? (size_t)(space + 1 - line) : size;
	g_autofree char *payload = g_memdup2(line + before, size - before); /* nothing behind it */
	const struct receivers receivers = {gateway->ingest, &gateway->health, gateway->announce,
					    gateway->config.home_assistant_prefix};
	const struct message message = {.topic = topic,
					.payload = payload,
					.size = size - before,
					.response_topic = "replies/fuzz",
					.correlation = "7",
					.correlation_size = 1,
					.received = gateway->now};

	topics_deliver(&receivers, &message);
	gateway->now = MIN(gateway->now + INSTANT_MINUTE, CLOCK_LAST);
	gateway->messages++;
}

static void set_clock(struct gateway *gateway, const char *text, size_t size)
{
	g_autofree char *digits = g_strndup(text, size);
	gint64 now = g_ascii_strtoll(digits, NULL, 10);

	gateway->now = CLAMP(now, INSTANT_FIRST, CLOCK_LAST);
}

static void take_line(struct gateway *gateway, const char *line, size_t size)
{
	if (size > 0 && *line == '@')
		set_clock(gateway, line + 1, size - 1);
	else if (size > 0)
		deliver(gateway, line, size);
	if (size == 0 || gateway->one_by_one)
		commit(gateway);
}

/* What all of it comes to (caller frees it). */
static char *run(const char *at, size_t size, bool one_by_one, int *ret_messages)
{
	struct gateway gateway = {.one_by_one = one_by_one};
	const char *end = at + size;
	char *facts;

	open_gateway(&gateway);
	while (at < end && gateway.messages < MESSAGES_MOST) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end != NULL ? line_end : end;
		take_line(&gateway, at, (size_t)(line_end - at));
		at = line_end + 1;
	}
	commit(&gateway);
	close_gateway(&gateway);
	facts = world_facts();
	*ret_messages = gateway.messages;
	return facts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int messages;
	g_autofree char *facts = run((const char *)data, size, false, &messages), *again = NULL;

	if (messages > 1) {
		again = run((const char *)data, size, true, &messages);
		g_assert(strcmp(facts, again) == 0);
	}
	return 0;
}
