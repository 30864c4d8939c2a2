/* The HTTP API on libmicrohttpd and libuv (see api_server.h).
 *
 * Each listener is one daemon in external epoll mode: its epoll descriptor is polled by the loop,
 * MHD_run does whatever is ready, MHD_get_timeout says when it wants to run again. MHD must be run
 * after a connection has been resumed: in the next turn, by an idle handle.
 *
 * MHD's own timeout counts silence, so a client that sends a byte now and then could hold a
 * connection for ever. Here every connection has a deadline for what it must do next (enum
 * deadline); when it passes, the socket is shut down and MHD closes it as if the client had gone.
 * MHD's timeout is only the backstop. */
#include "agent/io/api_server.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/codec/api_hub.h"
#include "agent/io/api_server_private.h"
#include "agent/io/clock.h"

enum { BACKSTOP_TIMEOUT_SECONDS = 90, FINISH_POLL_MS = 10 };

static const uint64_t deadline_timeout_ms[DEADLINE_COUNT] = {
    [DEADLINE_HEADER] = API_HEADER_TIMEOUT_MS,
    [DEADLINE_BODY] = API_BODY_TIMEOUT_MS,
    [DEADLINE_ANSWER] = API_ANSWER_TIMEOUT_MS,
    [DEADLINE_IDLE] = API_IDLE_TIMEOUT_MS,
};

/* --- Running MHD ------------------------------------------------------------------------------ */

static void listener_timer_fired(uv_timer_t *timer);

static void listener_run(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (!listener->daemon)
        return;
    MHD_run(listener->daemon);
    handshakes_pause(listener->server);
    bool waits = MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES;
    if (waits && timeout_ms == 0)
        listener_run_soon(listener);
    else if (waits)
        uv_timer_start(&listener->timer, listener_timer_fired, timeout_ms, 0);
    else
        uv_timer_stop(&listener->timer);
}

static void listener_timer_fired(uv_timer_t *timer)
{
    listener_run(timer->data);
}

static void listener_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    listener_run(poll->data);
}

static void listener_is_idle(uv_idle_t *soon)
{
    uv_idle_stop(soon);
    listener_run(soon->data);
}

/* Not by a timer of 0 ms: one that starts itself again keeps libuv from all else. */
void listener_run_soon(struct listener *listener)
{
    if (listener->daemon)
        uv_idle_start(&listener->soon, listener_is_idle);
}

/* --- Deadlines -------------------------------------------------------------------------------- */

static void deadline_timer_fired(uv_timer_t *timer);

static void deadlines_arm(struct api_server *server)
{
    uint64_t first_ms = UINT64_MAX, now_ms = loop_now(server->loop).mono_ms;
    for (size_t i = 0; i < DEADLINE_COUNT; i++) {
        const struct connection *connection = server->deadlines[i].first;
        if (connection && connection->deadline_ms < first_ms)
            first_ms = connection->deadline_ms;
    }
    if (first_ms == UINT64_MAX || server->stopping)
        uv_timer_stop(&server->deadline_timer);
    else
        uv_timer_start(&server->deadline_timer, deadline_timer_fired,
                       first_ms > now_ms ? first_ms - now_ms : 0, 0);
}

static void connection_dequeue(struct connection *connection)
{
    if (connection->deadline == DEADLINE_NONE)
        return;
    struct deadline_queue *queue = &connection->server->deadlines[connection->deadline];
    *(connection->previous ? &connection->previous->next : &queue->first) = connection->next;
    *(connection->next ? &connection->next->previous : &queue->last) = connection->previous;
    connection->previous = connection->next = NULL;
    connection->deadline = DEADLINE_NONE;
}

/* The timer is armed only when a queue was empty: otherwise it fires in time for an older one, and
 * looks again. */
void connection_expect(struct connection *connection, enum deadline deadline)
{
    struct api_server *server = connection->server;
    connection_dequeue(connection);
    if (deadline == DEADLINE_NONE)
        return;
    struct deadline_queue *queue = &server->deadlines[deadline];
    bool alone = queue->first == NULL;
    connection->deadline = deadline;
    connection->deadline_ms = loop_now(server->loop).mono_ms + deadline_timeout_ms[deadline];
    connection->previous = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = connection;
    queue->last = connection;
    if (alone)
        deadlines_arm(server);
}

static void deadline_timer_fired(uv_timer_t *timer)
{
    struct api_server *server = timer->data;
    uint64_t now_ms = loop_now(server->loop).mono_ms;
    for (size_t i = 0; i < DEADLINE_COUNT; i++) {
        struct connection *connection;
        while ((connection = server->deadlines[i].first) && connection->deadline_ms <= now_ms) {
            connection_dequeue(connection);
            shutdown(connection->fd, SHUT_RDWR); /* MHD finds it closed, and closes it */
        }
    }
    deadlines_arm(server);
}

static void connection_notify(void *cls, struct MHD_Connection *mhd, void **state,
                              enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = cls;
    struct api_server *server = listener->server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct connection *connection = xcalloc(1, sizeof *connection);
        *connection = (struct connection){
            .server = server,
            .listener = listener,
            .mhd = mhd,
            .fd = info ? info->connect_fd : -1,
            .peer.uid = (uid_t)-1, /* nobody, unless the kernel says more */
            .deadline = DEADLINE_NONE,
        };
        if (listener->kind != LISTENER_TCP)
            getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &connection->peer,
                       &(socklen_t){sizeof connection->peer});
        connection_expect(connection, DEADLINE_HEADER);
        client_connected(connection);
        server->connection_count++;
        *state = connection;
        connection_meet(connection);
        return;
    }
    struct connection *connection = *state;
    *state = NULL;
    if (!connection)
        return;
    connection_part(connection);
    connection_dequeue(connection);
    client_disconnected(connection);
    server->connection_count--;
    free(connection);
}

/* --- Life cycle ------------------------------------------------------------------------------- */

/* Takes the descriptor. */
static int listener_open(struct api_server *server, enum listener_kind kind, int fd,
                         struct error *err)
{
    struct listener *listener = &server->listeners[server->listener_count];
    bool tls = kind == LISTENER_TCP && credentials_tls(server->credentials);
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem sealed[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)tls_session_certificate},
        {MHD_OPTION_END, 0, NULL},
    };
    *listener = (struct listener){.server = server, .kind = kind, .fd = fd};
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0U), 0, NULL, NULL,
        exchange_handle, listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)API_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)BACKSTOP_TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)API_CONNECTION_MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, exchange_new, listener,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, listener, MHD_OPTION_NOTIFY_CONNECTION,
        connection_notify, listener, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        tls ? sealed : none, MHD_OPTION_END);
    if (!listener->daemon) {
        close(fd);
        return error_set(err, ERROR_IO,
                         "cannot start the HTTP server: out of descriptors or memory");
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_timer_init(loop_uv(server->loop), &listener->timer);
    uv_poll_init(loop_uv(server->loop), &listener->poll, info->epoll_fd);
    uv_idle_init(loop_uv(server->loop), &listener->soon);
    listener->timer.data = listener->poll.data = listener->soon.data = listener;
    listener->open = true;
    server->handles_open += 3;
    uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
    server->listener_count++;
    return 0;
}

static int server_open(struct api_server *server, const struct api_server_options *options,
                       struct error *err)
{
    if (streams_open(server, err) < 0 || handshakes_open(server, err) < 0)
        return -1;
    if (options->tcp_host) {
        int fd = listen_tcp(options->tcp_host, options->tcp_port, &server->port, err);
        if (fd < 0 || listener_open(server, LISTENER_TCP, fd, err) < 0)
            return -1;
    }
    if (options->unix_path) {
        int fd = listen_unix(options->unix_path, 0600, err);
        if (fd < 0)
            return -1;
        server->unix_path = xstrdup(options->unix_path);
        if (listener_open(server, LISTENER_UNIX, fd, err) < 0)
            return -1;
    }
    if (options->child_path) {
        int fd = listen_unix(options->child_path, 0666, err);
        if (fd < 0)
            return -1;
        server->child_path = xstrdup(options->child_path);
        if (listener_open(server, LISTENER_CHILDREN, fd, err) < 0)
            return -1;
    }
    return 0;
}

static void server_turn_ends(void *cls)
{
    struct api_server *server = cls;
    if (server->stopping)
        return;
    clients_turn(server);
    streams_poll(server);
}

/* --- Credentials that change ------------------------------------------------------------------ */

enum { CHECK_EVERY_MS = 10000 };

static void streams_check(void *cls)
{
    struct api_server *server = cls;
    for (struct exchange *exchange = server->streams; exchange; exchange = exchange->stream.next)
        exchange_check_stream(exchange);
}

static void check_timer_fired(uv_timer_t *timer)
{
    streams_check(timer->data);
}

static void server_set_credentials(struct api_server *server, struct credentials *credentials)
{
    uv_timer_init(loop_uv(server->loop), &server->check_timer);
    server->check_timer.data = server;
    server->handles_open++;
    server->credentials = credentials;
    if (credentials)
        credentials_on_change(credentials, streams_check, server);
    uv_timer_start(&server->check_timer, check_timer_fired, CHECK_EVERY_MS, CHECK_EVERY_MS);
}

struct api_server *api_server_new(struct loop *loop, const struct api_server_options *options,
                                  struct error *err)
{
    struct api_server *server = xcalloc(1, sizeof *server);
    server->loop = loop;
    TEXT_SET(server->member, options->member);
    server->policy = options->policy;
    server->read_vitals = options->read_vitals;
    server->vitals_context = options->vitals_context;
    server->verify = options->verify;
    server->verify_context = options->verify_context;
    ssize_t got = getrandom(&server->run_tag, sizeof server->run_tag, 0);
    assert(got == sizeof server->run_tag);
    (void)got;
    server->run_tag &= API_RUN_TAG_MASK;
    uv_timer_init(loop_uv(loop), &server->deadline_timer);
    uv_timer_init(loop_uv(loop), &server->turn_timer);
    server->deadline_timer.data = server->turn_timer.data = server;
    server->handles_open = 2;
    server_set_credentials(server, options->credentials);
    server->hub = api_hub_new();
    if (server_open(server, options, err) == 0) {
        loop_set_deferred(loop, server_turn_ends, server);
        return server;
    }
    api_server_stop(server);
    api_server_free(server);
    return NULL;
}

uint16_t api_server_port(const struct api_server *server)
{
    return server->port;
}

size_t api_server_connections(const struct api_server *server)
{
    return server->connection_count;
}

void api_server_read_vitals(const struct api_server *server, struct vitals *vitals)
{
    vitals->api_connections = server->connection_count;
    vitals->api_strangers = server->stranger_count;
    memcpy(vitals->api_refused, server->turned_away, sizeof vitals->api_refused);
    const struct tls *tls = credentials_tls(server->credentials);
    vitals->api_certificate_until_s = tls ? tls_until_ms(tls) / 1000 : 0;
}

/* The memory goes with the last handle, at the earliest in api_server_free. */
static void server_release(struct api_server *server)
{
    if (!server->freed || server->handles_open > 0)
        return;
    assert(server->connection_count == 0 && server->pending_count == 0);
    free(server->unix_path);
    free(server->child_path);
    exchange_release_spare(server);
    api_hub_free(server->hub);
    free(server);
}

static void server_handle_closed(struct api_server *server)
{
    server->handles_open--;
    server_release(server);
}

static void listener_handle_closed(uv_handle_t *handle)
{
    server_handle_closed(((struct listener *)handle->data)->server);
}

static void server_own_handle_closed(uv_handle_t *handle)
{
    server_handle_closed(handle->data);
}

static void listener_close(struct listener *listener)
{
    if (!listener->open)
        return;
    uv_poll_stop(&listener->poll);
    /* Closes connections; NOTIFY_COMPLETED frees what they had. */
    MHD_stop_daemon(listener->daemon);
    listener->daemon = NULL;
    uv_close((uv_handle_t *)&listener->poll, listener_handle_closed);
    uv_close((uv_handle_t *)&listener->timer, listener_handle_closed);
    uv_close((uv_handle_t *)&listener->soon, listener_handle_closed);
}

/* What is on its way is written to its end; for clients that read. */
static void server_finish(struct api_server *server)
{
    struct pollfd polled[LISTENERS_MAX];
    uint64_t end_ms = clock_mono_ms() + API_FINISH_MS;
    for (int turn = 0; turn < 3 || (server->answering > 0 && clock_mono_ms() < end_ms); turn++) {
        for (size_t i = 0; i < server->listener_count; i++) {
            struct MHD_Daemon *daemon = server->listeners[i].daemon;
            MHD_run(daemon);
            polled[i] = (struct pollfd){
                .fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                .events = POLLIN};
        }
        if (turn >= 2) /* resumed, answered, written */
            poll(polled, server->listener_count, FINISH_POLL_MS);
    }
}

void api_server_stop(struct api_server *server)
{
    server->stopping = true;
    exchange_abort_all(server);
    handshakes_end(server);
    server_finish(server);
    for (size_t i = 0; i < server->listener_count; i++)
        listener_close(&server->listeners[i]);
    if (server->unix_path)
        unlink(server->unix_path);
    if (server->child_path)
        unlink(server->child_path);
    streams_close(server, server_own_handle_closed);
    handshakes_close(server, server_own_handle_closed);
    if (server->credentials)
        credentials_on_change(server->credentials, NULL, NULL);
    uv_close((uv_handle_t *)&server->check_timer, server_own_handle_closed);
    uv_close((uv_handle_t *)&server->deadline_timer, server_own_handle_closed);
    uv_close((uv_handle_t *)&server->turn_timer, server_own_handle_closed);
}

void api_server_free(struct api_server *server)
{
    if (!server)
        return;
    assert(server->stopping);
    server->freed = true;
    server_release(server);
}
