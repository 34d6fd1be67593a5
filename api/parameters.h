/* What parameters of requests mean. Each function refuses the request and returns false if one is not as it must be. */
#ifndef HEADCOUNT_PARAMETERS_H
#define HEADCOUNT_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "instant.h"
#include "zone.h"

#define PARAMETERS_LIMIT_MOST 1000

struct parameter_zone {
	const char *name;
	const struct zone *zone;
};

/* `timezone`: an IANA name, or "space" for the one given; UTC if absent. */
bool parameter_zone(struct http_request *request, const char *of_space,
		    struct parameter_zone *ret_zone);

/* A time up to now; with an offset, or local in the zone. INSTANT_NONE if absent. */
bool parameter_time(struct http_request *request, const char *name,
		    const struct parameter_zone *zone, instant *ret_time);

/* `limit`: 100 if absent. */
bool parameter_limit(struct http_request *request, int64_t *ret_limit);

/* An id of a space, doorway or DPU; "" if absent. */
bool parameter_id(struct http_request *request, const char *name, const char **ret_id);

/* `cursor`, as parameter_answer_page made it: the text it stands for, NULL if absent. The caller frees it. */
bool parameter_cursor(struct http_request *request, char **ret_text);

/* Refuses a cursor whose text can't be ours. */
void parameter_refuse_cursor(struct http_request *request);

/* Ends the JSON of a page, whose member `items` has just ended, and answers with it. `next` is where the next page begins,
 * "" if there is none. */
void parameter_answer_page(struct http_request *request, GString *body, const char *next);

#endif
