/* The connection to the MQTT broker. Only broker.c knows libmosquitto.
 *
 * libmosquitto queues the acknowledgement of a message before it hands the message over, and writes what it has
 * queued only in broker_write. So a message counts as acknowledged exactly when broker_write is called after
 * it was read: whoever has not stored what broker_read delivered calls broker_drop instead, and the broker
 * sends it again (DESIGN.md, section 6). */
#ifndef HEADCOUNT_BROKER_H
#define HEADCOUNT_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "topics.h"

struct broker;

/* Borrows the configuration and the receivers. NULL, and a problem, if the password can't be read. */
struct broker *broker_new(const struct config *config, const struct receivers *receivers,
			  struct problem *reterr_problem);
void broker_free(struct broker *broker);

/* Begins a connection; messages may come from the next broker_read on. Waits for TCP to connect, so it may
 * take as long as the kernel keeps trying (2 minutes for a host that swallows packets). */
bool broker_connect(struct broker *broker);

/* Ends the connection at once. Nothing more is written: the broker keeps all that was not acknowledged, and
 * publishes the last will. Does nothing if there is none. */
void broker_drop(struct broker *broker);

/* Says "offline", takes leave and ends the connection, in 2 s at most. All that was read is acknowledged. */
void broker_leave(struct broker *broker);

bool broker_is_open(const struct broker *broker);   /* there is a connection, perhaps a young one */
bool broker_is_let_in(const struct broker *broker); /* the broker has accepted it */
bool broker_is_ready(const struct broker *broker);  /* and has granted the subscriptions */
const char *broker_why(const struct broker *broker); /* there is none: a sentence */

/* What poll(2) is to wait for; descriptor -1 without a connection. */
struct pollfd;
void broker_poll(const struct broker *broker, struct pollfd *ret_poll);

/* Reads about one packet and delivers it to the receivers. False if nothing came, or the connection has ended. */
bool broker_read(struct broker *broker);

/* How many bytes of payload were delivered since the program began. */
int64_t broker_delivered(const struct broker *broker);

/* Keeps the connection alive, and ends one that isn't. To be called at least every few seconds. */
void broker_tend(struct broker *broker);

/* Writes what is queued, acknowledgements first, as far as the socket takes it. */
void broker_write(struct broker *broker);

struct publication {
	const char *topic;
	const void *payload;
	size_t size;
	bool retain;
	bool fleeting;           /* may be lost without harm: QoS 0 */
	const void *correlation; /* NULL: none */
	size_t correlation_size;
};

/* Queues a message, at QoS 1 unless it is fleeting; does nothing before the broker has let us in. */
void broker_publish(struct broker *broker, const struct publication *publication);

/* Publications that the broker has not acknowledged yet; and how many more may be queued without harm: none
 * while it is not ready. */
size_t broker_outstanding(const struct broker *broker);
size_t broker_room(const struct broker *broker);

#endif
