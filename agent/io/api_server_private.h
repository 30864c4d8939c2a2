/* Between the files of the API server. */
#ifndef AGENT_IO_API_SERVER_PRIVATE_H
#define AGENT_IO_API_SERVER_PRIVATE_H

#include <microhttpd.h>

#include "agent/codec/api_call.h"
#include "agent/io/api_server.h"

enum { PENDING_BUCKETS = 1024, LISTENERS_MAX = 3 };

/* What a connection has to do before its deadline. All of a class get the same time, so that each
 * class is a queue whose first is the next to expire. */
enum deadline {
    DEADLINE_HEADER,
    DEADLINE_BODY,
    DEADLINE_ANSWER,
    DEADLINE_IDLE,
    DEADLINE_COUNT,
    DEADLINE_NONE = DEADLINE_COUNT, /* the node is working for it */
};

/* A client. Lives from MHD's STARTED to its CLOSED. */
struct connection {
    struct api_server *server;
    int fd;
    enum deadline deadline;
    uint64_t deadline_ms;
    struct connection *previous, *next; /* in the queue of its class */
};

struct deadline_queue {
    struct connection *first, *last;
};

struct listener {
    struct api_server *server;
    struct MHD_Daemon *daemon;
    int fd;
    bool open;     /* its uv handles are initialised */
    bool children; /* the one in the containers */
    uv_poll_t poll;
    uv_timer_t timer;
};

/* An answer in pieces. call.response.body is what the client has not taken yet. */
struct stream {
    bool begun;                       /* MHD reads from it */
    bool ended;                       /* nothing will be added to the body */
    size_t at;                        /* so much of the body MHD has read */
    size_t untold_bytes;              /* ... since the node was told */
    uint64_t serial;                  /* in the table of hang-ups; 0: not there */
    struct exchange *previous, *next; /* of the server's streams */
};

/* One request and its answer. Lives from its request line to NOTIFY_COMPLETED. */
struct exchange {
    struct api_server *server;
    struct listener *listener;
    struct MHD_Connection *mhd;
    struct connection *connection;
    char *target;
    uint64_t body_bytes; /* seen, also of a body that is too large to be kept */
    struct buffer body;
    struct api_request request;
    struct api_identity identity;
    struct api_call call;
    bool begun;        /* the handler has seen its header */
    bool refuse_close; /* framing that proxies disagree about: answer and close */
    bool ready;        /* call.response is complete */
    bool queued;       /* ... and MHD has it */
    bool suspended;
    bool submitting; /* exchange_advance is on the stack */
    bool replied;    /* ... and `reply` came meanwhile; what it found is in reply_bytes */
    struct reply reply;
    struct buffer reply_bytes;
    struct stream stream;
    uint64_t pending_id; /* 0: not in the table */
    struct exchange *pending_next;
};

struct api_server {
    struct loop *loop;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    char *unix_path, *child_path;
    bool (*verify)(void *verify_context, const char *token, struct api_identity *ret_identity);
    void *verify_context;
    char member[NAME_BYTES_MAX + 1];
    void (*read_vitals)(void *vitals_context, struct vitals *ret_vitals);
    void *vitals_context;
    uint16_t port;
    uint32_t run_tag;
    bool looked; /* the node has been told that somebody looks */
    uint64_t last_id;
    struct exchange *pending[PENDING_BUCKETS]; /* by id */
    size_t pending_count;
    struct exchange *streams; /* those that MHD reads from */
    uint64_t last_stream;
    struct api_hub *hub;
    uint64_t generation; /* as the watches have seen it */
    uint64_t wake_ms;    /* the first of them wants to be looked at then */
    uv_timer_t wake_timer;
    int hangups; /* an epoll descriptor: says that the client of a suspended stream is gone */
    uv_poll_t hangups_poll;
    bool hangups_open;
    size_t connection_count;
    struct deadline_queue deadlines[DEADLINE_COUNT];
    uv_timer_t deadline_timer;
    size_t handles_open; /* of libuv */
    bool stopping;
    bool freed; /* api_server_free was called: the last handle takes the memory with it */
};

/* api_server_listen.c: sockets that are bound, ready to be given to a daemon. -1 with err. */
int listen_tcp(const char *host, uint16_t port, uint16_t *ret_port, struct error *err);
int listen_unix(const char *path, mode_t mode, struct error *err);

/* api_server.c */
void connection_expect(struct connection *connection, enum deadline deadline);
void listener_run_soon(struct listener *listener);

/* api_server_exchange.c: MHD's callbacks. */
void *exchange_new(void *listener, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *listener, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **state);
void exchange_completed(void *listener, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode code);
void exchange_abort_all(struct api_server *server);
void exchange_resume(struct exchange *exchange);
struct api_context exchange_context(const struct exchange *exchange);
/* The pending request of the exchange is nobody's any more, and the node is told. */
void exchange_forget(struct exchange *exchange);

/* api_server_stream.c */
int streams_open(struct api_server *server, struct error *err);
void streams_close(struct api_server *server, uv_close_cb closed);
struct MHD_Response *stream_begin(struct exchange *exchange); /* NULL: out of memory */
void streams_poll(void *server); /* at the end of a turn: watches look at the node */
void stream_fed(struct exchange *exchange, bool last); /* the body has grown, or it was the last */
void stream_cut(struct exchange *exchange, const char *message);
void stream_end(struct exchange *exchange); /* the exchange goes */

#endif
