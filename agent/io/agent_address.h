/* HOST:PORT as people write it: 10.0.0.1:7370, [::1]:7370, node-a:7370. */
#ifndef AGENT_IO_AGENT_ADDRESS_H
#define AGENT_IO_AGENT_ADDRESS_H

#include "agent/core/error.h"
#include "agent/core/ident.h"

struct address {
    char host[ADDRESS_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;
};

/* False: not HOST:PORT with a port of 1 to 65535 that fits ADDRESS_BYTES_MAX. */
bool address_parse(struct address *ret_address, const char *text);
/* Also of a HOST alone, which then may be an IPv6 address without brackets, as Kubernetes tells a
 * pod its node's; its port is `port`. */
bool address_parse_host(struct address *ret_address, const char *text, uint16_t port);
/* "HOST:PORT", with brackets around a host that has colons. */
void address_print(const struct address *address, char *ret_text, size_t bytes);

bool address_is_loopback(const struct address *address); /* 127.0.0.0/8, ::1, localhost */
bool address_is_wildcard(const struct address *address); /* 0.0.0.0, :: */

/* The source address of the default route: what other machines most likely reach us at. Sends
 * nothing. */
int address_of_default_route(char *ret_host, size_t bytes, struct error *err);

#endif
