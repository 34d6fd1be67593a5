/* The api's connection to the MQTT broker, kept by a thread of its own. Only broker.c knows libmosquitto.
 *
 * All of libmosquitto happens in that thread; others leave orders and are told later how they went. An order ends
 * with the connection it was given to: nothing is sent that its sender was told has failed, but what was sent may
 * have arrived all the same, so that only what may come twice is to be repeated. */
#ifndef HEADCOUNT_BROKER_H
#define HEADCOUNT_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "instant.h"
#include "result.h"

struct broker;

#define BROKER_ANSWER_S 5 /* an order that has not ended by then is RESULT_BUSY */

/* Called in the broker's thread whenever a space may have changed, and once a connection. */
struct broker_listener {
	void (*spaces_changed)(void *context);
	void *context;
};

/* Borrows the configuration; connects, and connects again, whenever the broker can be reached. Signals should be
 * blocked by now. NULL, and a problem, if the password can't be read or there can be no thread. */
struct broker *broker_start(const struct config *config, const struct broker_listener *listener,
			    struct problem *reterr_problem);
/* Ends all orders with RESULT_BUSY and the connection. */
void broker_stop(struct broker *broker);

/* How an order ended: RESULT_OK; RESULT_BUSY, the same order may succeed later; RESULT_FAILED, the broker's access
 * control forbids it. `text` is the answer to a request that is RESULT_OK, else a sentence that says why, and lives as
 * long as the call. Called once an order, in the broker's thread or within broker_publish and broker_request; it
 * should return soon. */
typedef void broker_done(void *context, enum result result, const char *text, size_t size);

/* Publishes at QoS 1 (copies the payload); done when the broker has it and keeps it for somebody. */
void broker_publish(struct broker *broker, const char *topic, const void *payload, size_t size,
		    broker_done *done, void *context);

/* Sends a registry command (copies it); done when the gateway has answered. It is not kept for a gateway that is away. */
void broker_request(struct broker *broker, const char *command, size_t size, broker_done *done,
		    void *context);

/* What is known of the other side. */
struct broker_view {
	bool ready; /* connected and subscribed */
	bool gateway_online;
	instant gateway_health; /* when the gateway last said how it is; INSTANT_NONE: it never did */
	int64_t broker_drops; /* messages that the broker has dropped since it began; -1: unknown */
	instant broker_drops_risen; /* when that number was last seen to grow; INSTANT_NONE: never */
};
struct broker_view broker_look(struct broker *broker);

#endif
