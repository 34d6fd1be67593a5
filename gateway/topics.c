#include "topics.h"

#include <string.h>

#include "announce.h"
#include "health.h"
#include "ingest.h"

static void store(const struct receivers *receivers, const struct message *message)
{
	ingest_message(receivers->ingest, message);
}

static void note_drops(const struct receivers *receivers, const struct message *message)
{
	health_broker_drops(receivers->health, message->payload, message->size);
}

static void note_birth(const struct receivers *receivers, const struct message *message)
{
	announce_birth(receivers->announce, message->payload, message->size,
		       g_get_monotonic_time() / 1000);
}

static void note_discovery(const struct receivers *receivers, const struct message *message)
{
	announce_retained(receivers->announce, message->topic, message->payload, message->size);
}

/* QoS 1 for what must not be lost. Not 2: libmosquitto forgets a message that was received but not released when
 * the program ends. Some brokers don't have $SYS, or don't show it to everybody. Home Assistant's are subscribed even if
 * it is not to be told of anything: what it was told before is taken back then. A command is to be carried out once, even if its sender had it retained. */
const struct subscription subscriptions[SUBSCRIPTIONS] = {
	/* clang-format off */
	{"dpu/+/events",                         TOPIC_EVENTS,       1, true,  true,  store},
	{"dpu/+/status",                         TOPIC_STATUS,       1, true,  true,  store},
	{"registry/commands",                    TOPIC_COMMANDS,     1, true,  false, store},
	{"$SYS/broker/publish/messages/dropped", TOPIC_BROKER_DROPS, 0, false, true,  note_drops},
	{"/status",                              TOPIC_BIRTH,        0, false, true,  note_birth},
	{"/device/+/config",                     TOPIC_DISCOVERY,    0, false, true,  note_discovery},
	/* clang-format on */
};

static bool is_below_prefix(const struct subscription *subscription)
{
	return *subscription->filter == '/';
}

char *topics_filter(const struct subscription *subscription, const char *discovery_prefix)
{
	return g_strconcat(is_below_prefix(subscription) ? discovery_prefix : "",
			   subscription->filter, NULL);
}

/* Does the topic match the filter? The level that stands for the + is given back, else an empty one. */
static bool matches(const char *filter, const char *topic, const char **ret_level, size_t *ret_size)
{
	const char *plus = strchr(filter, '+');
	size_t before = plus != NULL ? (size_t)(plus - filter) : strlen(filter);

	if (strncmp(filter, topic, before) != 0)
		return false;
	*ret_level = topic + before;
	*ret_size = plus != NULL ? strcspn(*ret_level, "/") : 0;
	return strcmp(*ret_level + *ret_size, plus != NULL ? plus + 1 : "") == 0;
}

/* The part of the topic that the filter is about: nothing if it stands elsewhere. */
static const char *part_for(const struct subscription *subscription, const char *topic,
			    const char *discovery_prefix)
{
	if (!is_below_prefix(subscription))
		return topic;
	return g_str_has_prefix(topic, discovery_prefix) ? topic + strlen(discovery_prefix) : "";
}

static const struct subscription *find(const char *topic, const char *discovery_prefix,
				       const char **ret_level, size_t *ret_size)
{
	for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
		const char *part = part_for(&subscriptions[i], topic, discovery_prefix);
		if (matches(subscriptions[i].filter, part, ret_level, ret_size))
			return &subscriptions[i];
	}
	return NULL;
}

enum topic_kind topic_kind(const char *topic, char ret_dpu_id[JSON_ID_SIZE])
{
	const char *level;
	size_t size;
	const struct subscription *subscription = find(topic, "", &level, &size);

	ret_dpu_id[0] = '\0';
	if (subscription == NULL)
		return TOPIC_OTHER;
	if (json_is_id(level, size)) {
		memcpy(ret_dpu_id, level, size);
		ret_dpu_id[size] = '\0';
	}
	return subscription->kind;
}

void topics_deliver(const struct receivers *receivers, const struct message *message)
{
	const char *level;
	size_t size;
	const struct subscription *subscription =
		find(message->topic, receivers->discovery_prefix, &level, &size);

	if (subscription != NULL)
		subscription->handler(receivers, message);
}
