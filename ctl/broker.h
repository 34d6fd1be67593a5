/* The connection to the MQTT broker, for requests that the gateway answers (MQTT 5 request/response). Only broker.c
 * knows libmosquitto. */
#ifndef HEADCOUNT_BROKER_H
#define HEADCOUNT_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "json.h"
#include "result.h"

#define BROKER_COMMANDS "registry/commands"
#define BROKER_LOGIN "headcount-ctl" /* who we are if [broker] username is empty */

struct broker;

/* Connects, and waits until the broker takes requests. RESULT_FAILED and a problem if it doesn't. */
MUST_USE enum result broker_open(const struct config *config, struct broker **ret_broker,
				 struct problem *reterr_problem);
/* Requests that are not answered yet are forgotten. */
void broker_close(struct broker *broker);

struct answer {
	int64_t status;          /* as HTTP has them */
	const struct json *body; /* lives until the handler returns; NULL if there is none */
};
typedef void broker_answered(void *context, const char *subject, const struct answer *answer);

struct request {
	const char *topic;
	const char *payload; /* to BROKER_COMMANDS an object, to which is added who sends it */
	size_t size;
	bool expires;             /* not to be carried out any more once we have given up waiting */
	const char *subject;      /* what the request is about, for the handler: "space A" */
	broker_answered *handler; /* called from any broker_… call until the answer has come */
	void *context;
};

/* Sends a request; waits while too many are unanswered. RESULT_FAILED: the connection broke, or nothing was answered
 * for too long; broker_why tells. All further calls fail then, too. */
MUST_USE enum result broker_request(struct broker *broker, const struct request *request);

/* Publishes at QoS 1 without asking for an answer. RESULT_FAILED as above. */
MUST_USE enum result broker_publish(struct broker *broker, const char *topic, const char *payload,
				    size_t size);

/* Hears what is published on another topic than the answers': once a connection. The handler is called from any broker_…
 * call. RESULT_FAILED as above. */
typedef void broker_heard(void *context, const char *topic, const char *payload, size_t size);
MUST_USE enum result broker_listen(struct broker *broker, const char *filter, broker_heard *heard,
				   void *context);

/* Waits until all requests are answered. RESULT_FAILED as above. */
MUST_USE enum result broker_finish(struct broker *broker);

/* Handles what comes for so many milliseconds, or until `descriptor` (-1: none) has something to read. RESULT_FAILED as
 * above. */
MUST_USE enum result broker_attend(struct broker *broker, int64_t ms, int descriptor);

/* Hands over what the broker has retained for a topic filter, as far as it lets us read it. RESULT_FAILED as above. */
typedef void broker_retained(void *context, const char *topic, const char *payload, size_t size);
MUST_USE enum result broker_read_retained(struct broker *broker, const char *filter,
					  broker_retained *found, void *context);

/* For how many days the broker's certificate is valid yet; INT64_MIN without TLS. */
int64_t broker_certificate_days(const struct broker *broker);

const char *broker_why(const struct broker *broker); /* a sentence */

/* How long the gateway may be silent with requests unanswered: 10 s, if nothing else is said. */
void broker_set_patience(struct broker *broker, int64_t seconds);

#endif
