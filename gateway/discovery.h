/* What Home Assistant is told of a space: the configuration of MQTT device discovery, as topic and payload
 * (home-assistant.io/integrations/mqtt, "Device discovery payload"). Nothing here publishes. */
#ifndef HEADCOUNT_DISCOVERY_H
#define HEADCOUNT_DISCOVERY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "space.h"

/* The object id of a space, which may hold A-Z a-z 0-9 _ - only: headcount_ and the space's id, with __ for _, _d for
 * a dot and _c for a colon. As every _ is followed by what it stands for, no two ids become the same. */
#define DISCOVERY_ID_SIZE (sizeof "headcount_" + 2 * (JSON_ID_SIZE - 1))
void discovery_id(const char *space_id, char ret_object_id[DISCOVERY_ID_SIZE]);

/* Back again. False if no space has that object id. */
bool discovery_space_id(const char *object_id, size_t size, char ret_space_id[JSON_ID_SIZE]);

/* <prefix>/device/<object id>/config; the caller frees it. */
char *discovery_topic(const char *prefix, const char *space_id);

/* The space that a topic of that form is about; false if it is about something else. */
bool discovery_topic_space(const char *topic, const char *prefix, char ret_space_id[JSON_ID_SIZE]);

enum discovery_form {
	DISCOVERY_USUAL,
	/* Of a space without a capacity: removes the sensor that would measure against one. Home Assistant wants that
	 * said, and after it the usual form. */
	DISCOVERY_REMOVING,
};

/* Appends the JSON object. The space is there as long as the status topic says online. */
void discovery_write(GString *out, const struct space_state *state, const char *status_topic,
		     enum discovery_form form);

/* Was this payload written for the gateway with that status topic? */
bool discovery_is_of(const char *payload, size_t size, const char *status_topic);

#endif
