/* The pages for people: the files of a folder, kept in memory as they are sent. They hold no data, so everybody may have
 * them; what their scripts ask for, the rest of the routes answer. */
#ifndef HEADCOUNT_PAGES_H
#define HEADCOUNT_PAGES_H

#include "http.h"
#include "result.h"

struct pages;

/* Reads the files of a folder whose types are known; "" is the folder that came with the program. A problem names the
 * file that is at fault. */
MUST_USE enum result pages_open(const char *folder, struct pages **ret_pages,
				struct problem *reterr_problem);
void pages_close(struct pages *pages);

/* Reads them again, from any thread; logs what came of it. Where one is at fault, all stay as they were. */
void pages_reload(struct pages *pages);

/* Handlers: the file that the route's details name, and the one that the path names. */
void pages_show(struct http_request *request);
void pages_show_named(struct http_request *request);

#endif
