/* Between the files of the API server. */
#ifndef AGENT_IO_API_SERVER_PRIVATE_H
#define AGENT_IO_API_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/codec/api_call.h"
#include "agent/io/api_server.h"

enum { PENDING_BUCKETS = 1024, LISTENERS_MAX = 3, CLIENT_BUCKETS = 256 };

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

/* Whose connections and requests are counted together (api_server_client.c). Lives as long as one
 * of them. */
struct client {
    uint64_t key;
    size_t users; /* connections and exchanges that point here */
    size_t connections, excess, streams;
    size_t pending;                /* requests that wait for the node */
    size_t answer_bytes;           /* of whole answers that are on their way */
    struct exchange *first, *last; /* that wait for their turn */
    size_t queued;
    uint64_t virtual_us, mean_us;
    struct client *queue_next; /* of the server's waiting */
    struct client *next;       /* in its bucket */
};

/* What a client's certificate has been found to be. */
struct client_certificate {
    enum tls_client found;
    uint64_t generation; /* of the credentials by which it was judged */
    uint64_t until_ms;
    struct api_principal principal;
    struct error err;
};

/* Lives from MHD's STARTED to its CLOSED. */
struct connection {
    struct api_server *server;
    struct listener *listener;
    struct MHD_Connection *mhd;
    struct client *client;
    bool excess; /* one too many of its client: only a refusal is answered */
    int fd;
    struct ucred peer; /* over a unix socket: who has connected */
    bool trusted;      /* may all, and is not asked */
    bool stranger;     /* is counted among those who have not said who they are */
    bool spoke;        /* a request has come */
    struct connection *stranger_previous, *stranger_next;
    gnutls_session_t session; /* NULL: no TLS */
    struct tls_session tls;
    bool shaking;    /* hands: in the list of those who do */
    bool waiting;    /* ... suspended, until its client sends something */
    uint64_t serial; /* ... by which the epoll set knows it */
    struct connection *shaking_previous, *shaking_next;
    struct client_certificate *certificate; /* owned; NULL: not looked at */
    enum deadline deadline;
    uint64_t deadline_ms;
    struct connection *previous, *next; /* in the queue of its class */
};

struct deadline_queue {
    struct connection *first, *last;
};

enum listener_kind {
    LISTENER_TCP,
    LISTENER_UNIX,
    LISTENER_CHILDREN, /* the socket in the containers */
};

struct listener {
    struct api_server *server;
    enum listener_kind kind;
    struct MHD_Daemon *daemon;
    int fd;
    bool open; /* its uv handles are initialised */
    size_t connection_count;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t soon; /* it is to run again in the next turn */
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
    struct client *client; /* NULL until the header has been read */
    size_t answer_bytes;
    struct exchange *queue_next;
    char *target;
    uint64_t body_bytes; /* seen, also of a body that is too large to be kept */
    struct buffer body;
    struct api_request request;
    struct api_identity identity;
    bool begun;        /* the handler has seen its header */
    bool stranger;     /* its client has not said who it is, and should have */
    bool told;         /* ... and the log already says why */
    bool unread;       /* answered before its body has come */
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
    /* At the end: they are large, and not zeroed. */
    struct api_call call;
    struct api_principal principal; /* request.principal points here */
};

struct api_server {
    struct loop *loop;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    char *unix_path, *child_path;
    struct credentials *credentials; /* NULL: none */
    struct connection *strangers_first, *strangers_last;
    size_t stranger_count;
    uint64_t turned_away[API_REFUSED_COUNT];
    uint64_t refusal_told_ms[API_REFUSED_COUNT]; /* 0: never */
    struct connection *shaking;
    uint64_t last_handshake;
    int handshakes; /* an epoll descriptor: says that somebody who shakes hands has sent something
                     */
    uv_poll_t handshakes_poll;
    bool handshakes_open;
    uv_timer_t check_timer; /* streams of those whose time may be over */
    bool (*verify)(void *verify_context, const char *token, struct api_identity *ret_identity);
    void *verify_context;
    char member[NAME_BYTES_MAX + 1];
    const struct policy *policy;
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
    struct client *clients[CLIENT_BUCKETS];
    struct client *waiting;       /* those with requests in their queues */
    uint64_t virtual_us, turn_us; /* the present of the queues; spent in this turn */
    struct exchange *spare;       /* at most EXCHANGES_SPARE_MAX, by pending_next */
    size_t spare_count;
    size_t answering; /* exchanges whose answer MHD has */
    uv_timer_t turn_timer;
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

/* Room for the address of each kind of socket that has one. */
union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* api_server_listen.c: sockets that are bound, ready to be given to a daemon. -1 with err. */
int listen_tcp(const char *host, uint16_t port, uint16_t *ret_port, struct error *err);
int listen_unix(const char *path, mode_t mode, struct error *err);

/* api_server.c */
void connection_expect(struct connection *connection, enum deadline deadline);
void listener_run_soon(struct listener *listener);

/* api_server_handshake.c */
int handshakes_open(struct api_server *server, struct error *err);
void handshakes_end(struct api_server *server);
void handshakes_close(struct api_server *server, uv_close_cb closed);
void handshakes_pause(struct api_server *server);
void handshake_begin(struct connection *connection);
void handshake_end(struct connection *connection);

/* api_server_identity.c */
void connection_meet(struct connection *connection);
void connection_part(struct connection *connection);
void connection_is_known(struct connection *connection); /* a stranger no more */
void connection_refused(struct connection *connection, enum api_refusal kind, const char *who,
                        const char *why);
void exchange_identify(struct exchange *exchange);
void exchange_tell_refusal(struct exchange *exchange);
void exchange_check_stream(struct exchange *exchange);

/* api_server_exchange.c: MHD's callbacks. */
void *exchange_new(void *listener, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *listener, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **state);
void exchange_completed(void *listener, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode code);
void exchange_release_spare(struct api_server *server);
void exchange_abort_all(struct api_server *server);
void exchange_abort(struct exchange *exchange, const char *message);
void exchange_run_queued(struct exchange *exchange); /* its turn has come */
void exchange_resume(struct exchange *exchange);
struct api_context exchange_context(const struct exchange *exchange);
/* The pending request of the exchange is nobody's any more, and the node is told. */
void exchange_forget(struct exchange *exchange);

/* api_server_client.c */
void client_connected(struct connection *connection);
void client_disconnected(struct connection *connection);
void client_begin(struct exchange *exchange); /* who asks is known */
void client_end(struct exchange *exchange);
/* NULL: it may go on. Otherwise why it is a 429, and for how long. */
const char *client_refuses(const struct exchange *exchange, unsigned *ret_seconds);
bool client_may_wait(const struct exchange *exchange);   /* for the node */
bool client_may_stream(const struct exchange *exchange); /* have one more stream */
bool client_runs_now(const struct exchange *exchange);   /* or is enqueued */
void client_enqueue(struct exchange *exchange);
void client_charge(struct exchange *exchange, uint64_t took_us);
void clients_turn(struct api_server *server); /* at the end of a turn: who waits is run */
void clients_abort(struct api_server *server);

/* api_server_gzip.c */
enum { GZIP_BYTES_MIN = 128 * 1024 };
bool gzip_accepted(const char *accept_encoding);         /* NULL: not sent */
struct MHD_Response *gzip_response(struct buffer *body); /* takes it; NULL: out of memory */

/* api_server_stream.c */
int streams_open(struct api_server *server, struct error *err);
void streams_close(struct api_server *server, uv_close_cb closed);
struct MHD_Response *stream_begin(struct exchange *exchange); /* NULL: out of memory */
void streams_poll(struct api_server *server); /* at the end of a turn: watches look at the node */
void stream_fed(struct exchange *exchange, bool last); /* the body has grown, or it was the last */
void stream_cut(struct exchange *exchange, const char *message);
void stream_end(struct exchange *exchange); /* the exchange goes */

#endif
