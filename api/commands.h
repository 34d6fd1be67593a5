/* Changes of the registry: HTTP turned into the commands of core/registry.h, which the gateway carries out. */
#ifndef HEADCOUNT_COMMANDS_H
#define HEADCOUNT_COMMANDS_H

struct http_request;

/* The handler of all routes that change the registry. */
void commands_carry_out(struct http_request *request);

#endif
