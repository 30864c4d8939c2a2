/* Where the agent's API is: https://HOST:PORT, http://HOST:PORT, HOST:PORT, HOST or unix:///PATH,
 * and how to be let in. Without a scheme it is https if anything of a login is given. */
#ifndef AGENT_CLI_API_ADDRESS_H
#define AGENT_CLI_API_ADDRESS_H

#include "agent/cli/api_login.h"
#include "agent/core/error.h"

#define API_ADDRESS_PORT "7371"
#define API_ADDRESS_DEFAULT "127.0.0.1:" API_ADDRESS_PORT
#define API_ADDRESS_SOCKET "/var/lib/hordelet/api.sock"

enum { API_ADDRESS_BYTES_MAX = 300, API_SOCKET_BYTES_MAX = 107 /* what sockaddr_un holds */ };

struct api_address {
    char text[API_ADDRESS_BYTES_MAX + 1];     /* as people read it: with its scheme and port */
    char base_url[API_ADDRESS_BYTES_MAX + 1]; /* a path is put behind it */
    char socket[API_SOCKET_BYTES_MAX + 1];    /* empty: TCP */
    bool tls;
    struct api_login login;
};

/* What flags say. */
struct api_flags {
    const char *api; /* NULL: not given */
    struct api_login login;
};

/* ERROR_INVALID: not an address, or one over which the login's secrets could be read. */
int api_address_parse(struct api_address *ret_address, const char *text,
                      const struct api_login *login, struct error *err);
/* From --api, else HORDELET_API, else this machine's agent: its socket if there is one that we may
 * use, else its port. The error names the source. */
int api_address_find(struct api_address *ret_address, const struct api_flags *flags,
                     struct error *err);

#endif
