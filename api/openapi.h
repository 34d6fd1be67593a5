/* The contract: openapi.yaml as JSON, put into the program at build time (openapi.cmake). */
#ifndef HEADCOUNT_OPENAPI_H
#define HEADCOUNT_OPENAPI_H

#include <stddef.h>

extern const char openapi_json[]; /* and a NUL behind it */
extern const size_t openapi_json_size;

#endif
