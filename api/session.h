/* Logging in and out with a browser: a token becomes a cookie. The browser keeps it, scripts can't read it, and nothing is
 * kept here. */
#ifndef HEADCOUNT_SESSION_H
#define HEADCOUNT_SESSION_H

#include "http.h"

/* Handlers */
void session_begin(struct http_request *request);
void session_show(struct http_request *request);
void session_end(struct http_request *request);

#endif
