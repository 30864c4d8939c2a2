/* Connections that are still shaking hands.
 *
 * libmicrohttpd 0.9.75 takes a connection whose handshake wants to read for one that can be read,
 * whatever comes (its epoll state is cleared by reading requests only): one client that sends half
 * a record, or that is merely far away, would make it run again and again without a pause. So such
 * a connection is suspended after each run, and waits in an epoll set of ours until its client has
 * sent something, or is gone, or its time is over (its socket is shut down then). */
#include <assert.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/io/api_server_private.h"

/* In one turn of the loop; the others go on in the next, after all that is not a handshake. Each
 * takes 0.4 ms with an EC key, 12 ms with one of RSA and 4,096 bits. */
enum { HANDSHAKES_AT_ONCE = 8 };

static void handshake_resume(struct connection *connection)
{
    connection->waiting = false;
    epoll_ctl(connection->server->handshakes, EPOLL_CTL_DEL, connection->fd, NULL);
    MHD_resume_connection(connection->mhd);
    listener_run_soon(connection->listener);
}

/* Asked by serial: the number of a descriptor may be another connection's by then. */
static struct connection *handshake_by_serial(const struct api_server *server, uint64_t serial)
{
    struct connection *connection = server->shaking;
    while (connection && connection->serial != serial)
        connection = connection->shaking_next;
    return connection;
}

static void handshakes_readable(uv_poll_t *poll, int status, int events)
{
    struct api_server *server = poll->data;
    struct epoll_event found[HANDSHAKES_AT_ONCE];
    (void)status, (void)events;
    int count = epoll_wait(server->handshakes, found, HANDSHAKES_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        struct connection *connection = handshake_by_serial(server, found[i].data.u64);
        if (connection && connection->waiting)
            handshake_resume(connection);
    }
}

int handshakes_open(struct api_server *server, struct error *err)
{
    server->handshakes = epoll_create1(EPOLL_CLOEXEC);
    if (server->handshakes < 0)
        return error_set(err, ERROR_IO, "cannot start the HTTP server: out of descriptors");
    uv_poll_init(loop_uv(server->loop), &server->handshakes_poll, server->handshakes);
    server->handshakes_poll.data = server;
    server->handshakes_open = true;
    server->handles_open++;
    uv_poll_start(&server->handshakes_poll, UV_READABLE, handshakes_readable);
    return 0;
}

/* Before the daemons are stopped: MHD wants nobody suspended then. */
void handshakes_end(struct api_server *server)
{
    for (struct connection *at = server->shaking; at; at = at->shaking_next)
        if (at->waiting)
            handshake_resume(at);
}

void handshakes_close(struct api_server *server, uv_close_cb closed)
{
    assert(!server->shaking);
    if (!server->handshakes_open)
        return;
    uv_poll_stop(&server->handshakes_poll);
    uv_close((uv_handle_t *)&server->handshakes_poll, closed);
    close(server->handshakes);
}

void handshake_begin(struct connection *connection)
{
    struct api_server *server = connection->server;
    connection->shaking = true;
    connection->serial = ++server->last_handshake;
    connection->shaking_next = server->shaking;
    if (server->shaking)
        server->shaking->shaking_previous = connection;
    server->shaking = connection;
}

void handshake_end(struct connection *connection)
{
    struct connection *previous = connection->shaking_previous, *next = connection->shaking_next;
    if (!connection->shaking)
        return;
    *(previous ? &previous->shaking_next : &connection->server->shaking) = next;
    if (next)
        next->shaking_previous = previous;
    connection->shaking = false;
}

/* After each run of MHD: what could be read has been. */
void handshakes_pause(struct api_server *server)
{
    for (struct connection *at = server->shaking, *next; at; at = next) {
        next = at->shaking_next;
        if (at->tls.finished) {
            handshake_end(at);
        } else if (!at->waiting && !server->stopping) {
            struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                                        .data.u64 = at->serial};
            at->waiting = true;
            MHD_suspend_connection(at->mhd);
            epoll_ctl(server->handshakes, EPOLL_CTL_ADD, at->fd, &event);
        }
    }
}
