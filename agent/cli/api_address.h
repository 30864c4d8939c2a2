/* Where the agent's API is: http://HOST:PORT, HOST:PORT, HOST or unix:///PATH. */
#ifndef AGENT_CLI_API_ADDRESS_H
#define AGENT_CLI_API_ADDRESS_H

#include "agent/core/error.h"

#define API_ADDRESS_PORT "7371"
#define API_ADDRESS_DEFAULT "http://127.0.0.1:" API_ADDRESS_PORT
#define API_ADDRESS_SOCKET "/var/lib/hordelet/api.sock"

enum { API_ADDRESS_BYTES_MAX = 300, API_SOCKET_BYTES_MAX = 107 /* what sockaddr_un holds */ };

struct api_address {
    char text[API_ADDRESS_BYTES_MAX + 1];     /* as people read it: with its scheme and port */
    char base_url[API_ADDRESS_BYTES_MAX + 1]; /* a path is put behind it */
    char socket[API_SOCKET_BYTES_MAX + 1];    /* empty: TCP */
};

/* ERROR_INVALID: not an address. */
int api_address_parse(struct api_address *ret_address, const char *text, struct error *err);
/* From --api (NULL: not given), else HORDELET_API, else this machine's agent: its socket if there
 * is one that we may use, else its port. The error names the source. */
int api_address_find(struct api_address *ret_address, const char *flag, struct error *err);

#endif
