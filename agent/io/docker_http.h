/* HTTP to an engine, and to what else is asked (probes, discovery): libcurl's multi_socket
 * interface on a libuv loop.
 *
 * All callbacks run on the loop's thread and never inside curl or inside a function of this header,
 * so they may send, cancel and close. Answers are bounded; time is bounded where the caller says
 * so. */
#ifndef AGENT_IO_DOCKER_HTTP_H
#define AGENT_IO_DOCKER_HTTP_H

#include <uv.h>

#include "agent/core/error.h"
#include "crdt/bytes.h"

struct docker_http;
struct docker_call;

/* endpoint: unix:///path, tcp://host:port or http://host:port; NULL: there is no engine, only URLs
 * will be asked. NULL is returned: err says what is wrong with it. */
struct docker_http *docker_http_new(uv_loop_t *loop, const char *endpoint, struct error *err);
/* Drops all calls without telling anybody; frees itself when its handles are closed. NULL is fine.
 */
void docker_http_close(struct docker_http *http);

/* How a call ended. status 0: no whole answer came, `problem` says why. Borrowed for the callback.
 */
struct docker_answer {
    int status; /* of HTTP */
    bool timed_out;
    const char *problem;
    struct span body; /* of a stream: what followed the last line */
};

typedef void (*docker_done_function)(void *context, const struct docker_answer *answer);
typedef void (*docker_line_function)(void *context, struct span line);

enum docker_keep {
    DOCKER_KEEP_WHOLE, /* more than answer_bytes_max is an error */
    DOCKER_KEEP_START, /* answer_bytes_max of it, and the rest is read and let go */
    DOCKER_KEEP_NONE,  /* with the headers the call has ended */
};

struct docker_request {
    const char *method;
    const char *path; /* with the query */
    const char *url;  /* instead: elsewhere than at the engine, over a connection of its own */
    const char *const *headers; /* to that url */
    size_t header_count;
    const char *trust; /* certificates in PEM: who answers at that url, which must be https, must
                          have one from them; NULL: anybody may, as with probes */
    bool connect_only; /* ... and nothing is sent; status 200 when it is accepted */
    const char *body;  /* JSON; NULL: none */
    enum docker_keep keep;
    uint64_t timeout_ms; /* 0: none */
    size_t answer_bytes_max;
    docker_done_function done;
    docker_line_function line;  /* NULL: the whole body comes with done */
    docker_line_function piece; /* instead, if the status is good: the body as it comes */
    void *context;
};

/* Copies the request. The call is valid until its `done` is called, or docker_call_cancel. */
struct docker_call *docker_http_send(struct docker_http *http,
                                     const struct docker_request *request);
/* Of a call with `piece`: while it is held nothing more is read, but for what is in hand, which is
 * at most DOCKER_HTTP_PIECE_BYTES_MAX and told all the same. */
enum { DOCKER_HTTP_PIECE_BYTES_MAX = 48 * 1024 };
void docker_call_hold(struct docker_call *call, bool held);
void docker_call_cancel(struct docker_call *call); /* `done` will not be called; NULL is fine */

#endif
