/* Compression of answers (RFC 1952), by zlib. */
#ifndef HEADCOUNT_GZIP_H
#define HEADCOUNT_GZIP_H

#include <glib.h>
#include <stddef.h>

enum gzip_effort {
	GZIP_EFFORT_LEAST, /* for what is sent once */
	GZIP_EFFORT_MOST,  /* for what is sent often */
};

/* The bytes compressed; NULL if that would not make them fewer. */
GString *gzip_pack(const char *bytes, size_t size, enum gzip_effort effort);

#endif
