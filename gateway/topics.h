/* The topics that the gateway listens to, as one table: what is subscribed is what is handled. */
#ifndef HEADCOUNT_TOPICS_H
#define HEADCOUNT_TOPICS_H

#include <stdbool.h>
#include <stddef.h>

#include "instant.h"
#include "json.h"

struct announce;
struct health;
struct ingest;

struct message {
	const char *topic;
	const char *payload; /* no NUL at its end */
	size_t size;
	const char *response_topic; /* MQTT 5 request; NULL if no answer is asked for */
	const void *correlation;
	size_t correlation_size;
	instant received;
};

enum topic_kind {
	TOPIC_EVENTS,       /* dpu/<id>/events */
	TOPIC_STATUS,       /* dpu/<id>/status */
	TOPIC_COMMANDS,     /* registry/commands */
	TOPIC_BROKER_DROPS, /* how many messages the broker has dropped */
	TOPIC_BIRTH,        /* Home Assistant says whether it is there */
	TOPIC_DISCOVERY,    /* what Home Assistant is told of a device */
	TOPIC_OTHER,        /* nothing that we listen to */
};

/* What a topic is for, and the DPU it names: "" if it names none, or its level is no valid id. */
enum topic_kind topic_kind(const char *topic, char ret_dpu_id[JSON_ID_SIZE]);

/* Whom messages are for. */
struct receivers {
	struct ingest *ingest;
	struct health *health;
	struct announce *announce;
	const char *discovery_prefix; /* config.home_assistant_prefix */
};

struct subscription {
	/* Its only wildcard is one +; beginning with / it stands below the discovery prefix. */
	const char *filter;
	enum topic_kind kind;
	int qos;
	bool required; /* without it the gateway can't do its work */
	bool retained; /* what the broker retains of it is wanted each time that it is subscribed */
	void (*handler)(const struct receivers *receivers, const struct message *message);
};
#define SUBSCRIPTIONS 6
extern const struct subscription subscriptions[SUBSCRIPTIONS];

/* The filter as the broker is to have it; the caller frees it. */
char *topics_filter(const struct subscription *subscription, const char *discovery_prefix);

/* Hands a message to the subscription that it came by; one that none asked for is ignored. */
void topics_deliver(const struct receivers *receivers, const struct message *message);

#endif
