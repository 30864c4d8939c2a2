/* The HTTP API's listeners: a TCP address, a unix socket and another one for containers, all with
 * the same handlers, on the loop's thread.
 *
 * Bytes in, bytes out: what a request means is agent/codec/api_call.h. The owner of the loop sets
 * api_server_reply as (a part of) the sink of EFFECT_REPLY:
 *
 *     struct api_server *server = api_server_new(loop, &options, &err);
 *     loop_set_sink(loop, EFFECT_REPLY, api_server_reply_sink, server);
 *     ... loop_run ...
 *     api_server_stop(server);      (what is in flight is answered, all is closed)
 *     api_server_free(server);
 *     loop_settle(loop, 1000);
 *
 * Limits: API_CONNECTIONS_MAX connections per listener (more wait in the backlog), what one client
 * may have of the agent (api_server_client.c: the rest is 429 with Retry-After), a header within 3
 * s of its connection, a body of BODY_BYTES_MAX within 30 s, an idle connection closed after 60 s,
 * PENDING_REQUESTS_MAX writes in flight (429), API_STRANGERS_MAX connections over TCP whose client
 * has not shown a credential where one is wanted, and API_STRANGER_BODY_BYTES_MAX of what each of
 * them sends; a handshake of TLS is a part of the time for the header. Of an answer in pieces
 * (request.h) at most STREAM_WINDOW_BYTES wait for a client, and it must take some within 60 s. */
#ifndef AGENT_IO_API_SERVER_H
#define AGENT_IO_API_SERVER_H

#include "agent/codec/api_call.h"
#include "agent/codec/metrics.h"
#include "agent/codec/policy.h"
#include "agent/core/error.h"
#include "agent/core/request.h"
#include "agent/io/api_credentials.h"
#include "agent/io/loop.h"

enum {
    API_CONNECTIONS_MAX = 2048, /* of a listener; one client has half of them at most */
    API_STRANGERS_MAX = 128,    /* over TCP, where a credential is wanted */
    API_STRANGER_BODY_BYTES_MAX = 64 * 1024,
    API_CONNECTION_MEMORY_BYTES = 32 * 1024, /* target and headers: 414, 431 beyond */
    API_HEADER_TIMEOUT_MS = 3000,
    API_BODY_TIMEOUT_MS = 30000,
    API_IDLE_TIMEOUT_MS = 60000,
    API_ANSWER_TIMEOUT_MS = 60000, /* for a client that reads slowly */
    API_FINISH_MS = 2000,          /* ... when the agent stops */
};

struct api_server;

struct api_server_options {
    const char *tcp_host;   /* name or address; NULL: no TCP listener */
    uint16_t tcp_port;      /* 0: any, see api_server_port */
    const char *unix_path;  /* NULL: none. A stale socket is replaced, a living one an error */
    const char *child_path; /* the unix socket in the containers; NULL: none */
    struct credentials *credentials; /* borrowed until api_server_free; NULL: whoever reaches the
                                      * TCP listener may all */
    bool (*verify)(void *verify_context, const char *token, struct api_identity *ret_identity);
    void *verify_context;
    const char *member;          /* the node name of this agent */
    const struct policy *policy; /* borrowed; NULL: everything is allowed */
    void (*read_vitals)(void *vitals_context, struct vitals *ret_vitals); /* NULL: none */
    void *vitals_context;
};

/* NULL on failure (the loop must still be settled): err names the address and what to do. Serves as
 * soon as the loop runs; the loop's node must be set by then. Copies the options. */
struct api_server *api_server_new(struct loop *loop, const struct api_server_options *options,
                                  struct error *err);
uint16_t api_server_port(const struct api_server *server); /* of the TCP listener */
/* A reply that nobody waits for is dropped. */
void api_server_reply(struct api_server *server, const struct reply *reply);
/* The same, for loop_set_sink. */
void api_server_reply_sink(void *server, const struct effect *effect);
size_t api_server_connections(const struct api_server *server);
/* Fills in what concerns the API. */
void api_server_read_vitals(const struct api_server *server, struct vitals *vitals);
/* Once. Ends streams, answers what waits with 503, lets clients read what is on its way, and closes
 * all; its handles close while the loop settles. */
void api_server_stop(struct api_server *server);
void api_server_free(struct api_server *server); /* after api_server_stop; NULL is fine */

#endif
