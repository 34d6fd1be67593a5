/* A request under way, as the parts of http share it: http.c brings it from and to libmicrohttpd, admission.c judges it
 * before its handler does, answer.c makes its answer. */
#ifndef HEADCOUNT_HTTP_REQUEST_H
#define HEADCOUNT_HTTP_REQUEST_H

#include "auth.h"
#include "http.h"
#include "uri.h"

#define HEADERS_MOST                                                                               \
	12 /* that answers have on top of those that all have; handlers add one or two */

struct header {
	const char *name; /* constant */
	const char *value;
	char *owned; /* the same, or NULL if it is a constant */
};

enum format {
	FORMAT_OWN, /* the one type of the route */
	FORMAT_CSV,
};

struct http_request {
	struct http_server *server;
	const struct http_options *options;
	struct MHD_Connection *connection;
	gint64 began_us;
	instant received;

	char *target; /* as it was sent */
	struct uri uri;
	const char *method;
	const struct route *route;
	const char *parts[2]; /* of the path */
	enum format format;
	struct auth_rights rights;
	size_t header_bytes;
	const char *forwarded; /* the last X-Forwarded-For; NULL: none */
	GByteArray *body;
	bool body_too_large;

	bool judged;   /* admission has happened */
	bool waiting;  /* suspended by its handler */
	bool answered; /* from here on: what is answered */
	int status;
	const char *type; /* constant; NULL: no body */
	GString *answer;
	bool as_it_is; /* it is not to be compressed */
	struct header headers[HEADERS_MOST];
	size_t header_count;
	struct http_stream *stream;
};

/* Whether a request may go to its handler, as far as its head tells; false if it has been answered. */
bool admission_judge(struct http_request *request);
/* The same for its body. */
bool admission_judge_body(struct http_request *request);
/* Has a body been announced? */
bool admission_has_body(const struct http_request *request);

/* Forgets what headers have been added. */
void answer_forget_headers(struct http_request *request);
/* Compresses the answer if that pays. */
void answer_compress(struct http_request *request);
/* Calls `found` for each header of the answer, those that every answer has included. */
void answer_each_header(const struct http_request *request,
			void (*found)(void *context, const char *name, const char *value),
			void *context);

#endif
