/* The HTTP API's listeners: a TCP address and a unix socket, both with the same handlers, on the
 * loop's thread.
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
 * Limits: API_CONNECTIONS_MAX connections per listener (more wait in the backlog), a header within
 * 3 s of its connection, a body of BODY_BYTES_MAX within 30 s, an idle connection closed after
 * 60 s, PENDING_REQUESTS_MAX writes in flight (429). Of an answer in pieces (request.h) at most
 * STREAM_WINDOW_BYTES wait for a client, and it must take some within 60 s. */
#ifndef AGENT_IO_API_SERVER_H
#define AGENT_IO_API_SERVER_H

#include "agent/codec/api_call.h"
#include "agent/codec/metrics.h"
#include "agent/core/error.h"
#include "agent/core/request.h"
#include "agent/io/loop.h"

enum {
    API_CONNECTIONS_MAX = 1024,
    API_CONNECTION_MEMORY_BYTES = 32 * 1024, /* target and headers: 414, 431 beyond */
    API_HEADER_TIMEOUT_MS = 3000,
    API_BODY_TIMEOUT_MS = 30000,
    API_IDLE_TIMEOUT_MS = 60000,
    API_ANSWER_TIMEOUT_MS = 60000, /* for a client that reads slowly */
};

struct api_server;

struct api_server_options {
    const char *tcp_host;   /* name or address; NULL: no TCP listener */
    uint16_t tcp_port;      /* 0: any, see api_server_port */
    const char *unix_path;  /* NULL: none. A stale socket is replaced, a living one an error */
    const char *child_path; /* the unix socket in the containers; NULL: none */
    bool (*verify)(void *verify_context, const char *token, struct api_identity *ret_identity);
    void *verify_context;
    const char *member; /* the node name of this agent */
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
/* Once. Answers what is in flight with 503 and closes all; its handles close while the loop
 * settles. */
void api_server_stop(struct api_server *server);
void api_server_free(struct api_server *server); /* after api_server_stop; NULL is fine */

#endif
