/* HTTP, by libmicrohttpd, which only http.c knows: requests come in, a handler of the route table answers each.
 *
 * A handler runs in one of a few threads that serve all connections, so it may not block. It either answers before it
 * returns (http_answer, http_refuse, …, exactly once), or asks somebody else and waits:
 *
 *	http_wait(request);                     suspends the connection
 *	broker_request(…, done, request);       done runs later, in any thread, or even now
 *
 * where done answers and then calls http_resume(request), after which it may not touch the request any more. */
#ifndef HEADCOUNT_HTTP_H
#define HEADCOUNT_HTTP_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client.h"
#include "instant.h"
#include "result.h"
#include "store.h"

#define HTTP_BODY_BYTES 65536   /* of a request; more is a 413 */
#define HTTP_URI_BYTES 8192     /* a longer one is a 414 */
#define HTTP_HEADER_BYTES 16384 /* all of a request's headers; more is a 431 */

struct attempts;
struct auth_rights;
struct certificate;
struct http_request;
struct http_server;

/* Routes */

enum scope {
	SCOPE_NONE, /* for anybody, with or without a token */
	SCOPE_READ, /* for tokens that may read, and for everybody if api.anonymous_read says so */
	SCOPE_INGEST, /* for tokens of DPUs */
	SCOPE_ADMIN,
	/* For anybody, while a token that is known is looked at: who somebody is, is the question. */
	SCOPE_SESSION,
};

/* How an answer in JSON is written as CSV: the member with the array of objects (NULL: the answer is the one object), and
 * the members of an object, the last one NULL. */
struct csv {
	const char *rows;
	const char *const *columns;
};

typedef void http_handler(struct http_request *request);

/* Lists of names end with a NULL. */
struct route {
	const char *method; /* GET answers HEAD, too; OPTIONS comes by itself */
	const char *path;   /* "/spaces/{id}/counts": {…} stands for one segment */
	http_handler *handler;
	enum scope scope;
	/* Of the query: any other is a 400, and so is one that is given twice. */
	const char *const *parameters;
	/* NULL: there is no CSV. Else the parameter format is taken, too. */
	const struct csv *csv;
	/* The types that a body may have, or else 415; NULL: none is expected. */
	const char *const *bodies;
	const char *type; /* of the answer, for Accept; NULL: application/json */
	/* A file for browsers: its type is what it is, whatever Accept says (RFC 9110, 12.5.1, leaves that open),
	 * and the query is for the script in it. */
	bool is_file;
	const void *details; /* for routes that share a handler */
};

/* The server */

/* How a request went, for metrics: called in the thread that served it, after the last byte (for a stream: when it
 * has begun). route is NULL if there was none. */
typedef void http_observer(void *context, const struct route *route, int status,
			   int64_t latency_us);

struct http_options {
	const struct route *routes;
	size_t route_count;
	void *context;           /* what handlers get from http_context */
	http_observer *observer; /* may be NULL */
	struct auth *auth;
	struct attempts *attempts;
	const char *database;
	const char *address; /* IPv4 or IPv6 */
	uint16_t port;
	struct certificate *certificate; /* NULL: no TLS */
	const char *hsts;                /* Strict-Transport-Security; NULL: none */
	const char *proxies;             /* whose X-Forwarded-For is believed: client_address */
	unsigned threads;
	unsigned connections, connections_per_address; /* at most */
	unsigned timeout_s; /* for a request to arrive, and for an answer without any progress */
};

/* Listens and serves. Borrows all that the options point to. Signals should be blocked by now. NULL, and a problem,
 * if the address can't be listened on. */
struct http_server *http_start(const struct http_options *options, struct problem *reterr_problem);

/* Cuts off whoever is too slow; to be called about once a second. */
void http_tend(struct http_server *server);

/* When a handler last began or ended, in monotonic µs; now, if none is at work. */
int64_t http_moved(struct http_server *server);

/* Refuses all requests from now on; when it returns, no handler is at work any more, though requests may wait and streams
 * go on. So whoever resumes and wakes them can be stopped next, and the server last. */
void http_quiesce(struct http_server *server);

/* Ends all connections. Every request that waits must have been resumed by now; streams are ended. */
void http_stop(struct http_server *server);

/* The request. All texts live as long as it does. */

void *http_context(const struct http_request *request);
const struct route *http_route(const struct http_request *request);
const char *http_method(const struct http_request *request);
/* What stands for the first, second {…} of the route's path, decoded; "" if there is none. */
const char *http_path_part(const struct http_request *request, size_t index);
/* A parameter of the query, decoded (a + is a space); NULL if it is absent. */
const char *http_parameter(const struct http_request *request, const char *name);
/* A header; NULL if it is absent. */
const char *http_header(const struct http_request *request, const char *name);
/* A cookie of the request, as it was sent; NULL if it is absent. */
const char *http_cookie(const struct http_request *request, const char *name);
const char *http_body(const struct http_request *request, size_t *ret_size);
/* When the request came. */
instant http_received(const struct http_request *request);
/* Where it comes from: client_address. */
void http_client(const struct http_request *request, char ret_text[CLIENT_SIZE]);
/* The path and query as they were sent, with `cursor` in place of the parameter of that name: for a link to the
 * next page. */
char *http_link(const struct http_request *request, const char *cursor);

/* What the request's token lets it do. */
const struct auth_rights *http_rights(const struct http_request *request);

/* The operator's ids of the spaces that the request's token is limited to, the last one NULL; NULL: no limit. What
 * lies elsewhere does not exist for it: 404. */
const char *const *http_spaces(const struct http_request *request);
bool http_sees_space(const struct http_request *request, const char *space_id);

/* Runs the work, its context being the request, within one consistent view of the database: it answers and returns
 * RESULT_OK, or returns RESULT_NOT_FOUND, which is answered then. So is a database that can't be read (503). */
void http_read(struct http_request *request, store_work *work);

/* The same for work that mostly finds what it needs in memory: it may be run twice. */
void http_recall(struct http_request *request, store_work *work);

/* Answers. None may be given twice. Texts are copied. */

/* One more header of the answer; the name is a constant. */
void http_add_header(struct http_request *request, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The body is taken over. JSON becomes CSV here, if that was asked for. */
void http_answer(struct http_request *request, int status, const char *type, GString *body);
void http_answer_json(struct http_request *request, int status, GString *body);
/* A body that is not compressed, because that has been done, or seen to. Copied. */
void http_answer_as_it_is(struct http_request *request, int status, const char *type,
			  const GString *body);
void http_answer_empty(struct http_request *request, int status);

/* Says that the answer depends on `revision` and the URL alone, and how it may be kept: see http_keep. True if the
 * client has it already; then that has been answered (304). */
bool http_unchanged(struct http_request *request, const char *revision, const char *how);

/* The same of an answer that has an ETag of its own, `tag`. Other headers come before: a 304 has them too, and where it
 * has others than the answer, they replace those that the client keeps. */
bool http_has_tag(struct http_request *request, const char *tag, const char *how);

/* How the answer may be kept (RFC 9111, 5.2.2), a constant: HTTP_ASK_AGAIN, or "max-age=60"; that it is private comes by
 * itself. Without it the answer may not be stored. */
#define HTTP_ASK_AGAIN "no-cache" /* the client asks each time whether it is still so */
void http_keep(struct http_request *request, const char *how);
/* A problem (RFC 9457): a sentence that says what was expected. */
void http_refuse(struct http_request *request, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void http_refuse_parameter(struct http_request *request, const char *parameter, const char *format,
			   ...) __attribute__((format(printf, 3, 4)));
/* A member of the body ("" if it is none of them), within an item of the body's array (-1: it is no array). */
void http_refuse_member(struct http_request *request, int status, int64_t item, const char *member,
			const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The request has a token that is not known. True if there were so many of its client that this has been answered (429). */
bool http_token_failed(struct http_request *request);
/* Refuses it for that: 401, or 429. */
void http_refuse_token(struct http_request *request);

/* Waiting: see above. */
void http_wait(struct http_request *request);
void http_resume(struct http_request *request);

/* Streams */

struct http_stream;

/* Writes the next bytes into the buffer and returns how many; 0 if there are none yet (it is called again after
 * http_stream_wake), -1 at the end. May not block. */
typedef ssize_t http_more(void *context, char *buffer, size_t size);

/* Answers with a stream that lasts until `more` ends it or the client goes away; then `ended` is called, once, and
 * the stream is no more. A client that takes nothing for the server's timeout while there is something to send is
 * cut off. */
struct http_stream *http_answer_stream(struct http_request *request, const char *type,
				       http_more *more, void (*ended)(void *context),
				       void *context);

/* From any thread, as long as `ended` has not returned. */
void http_stream_wake(struct http_stream *stream);

#endif
