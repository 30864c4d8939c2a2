/* Answers in pieces: MHD asks for bytes when the client can take some.
 *
 * The body of the call's response is the queue of one client. When it is empty the connection is
 * suspended, and resumed when it has grown. MHD does not look at a suspended connection, so those
 * of streams stand in an epoll set of their own that waits for the client's end only: who goes away
 * is noticed at once, also when there is nothing to send. The set is asked by serial, never by
 * descriptor: that number may be another connection's by then.
 *
 * A watch has no source that sends: it looks at the node whenever its queue is empty and something
 * may have changed since, at the end of a turn (streams_poll) or when MHD wants more. For timeouts
 * and bookmarks there is one timer, for the first of all; it fires at most ten times a second.
 *
 * A client must take something of what waits for it within API_ANSWER_TIMEOUT_MS, or its socket is
 * shut down (DEADLINE_ANSWER). For a queue that outgrows STREAM_WINDOW_BYTES the source is to
 * blame: it is told what was taken (EVENT_CLIENT). Such a stream is cut off. */
#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/io/api_server_private.h"

enum {
    HTTP_1_0_BLOCK_BYTES =
        4096, /* clients that know no chunks; for others MHD has its own buffer */
    HANGUPS_AT_ONCE = 64,
    TAKEN_BYTES_MIN = STREAM_WINDOW_BYTES / 4, /* the node is told in steps of this size */
};

/* --- Clients that go away ----------------------------------------------------------------------
 */

static void stream_watch_client(struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    exchange->stream.serial = ++server->last_stream;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT,
                                .data.u64 = exchange->stream.serial};
    epoll_ctl(server->hangups, EPOLL_CTL_ADD, exchange->connection->fd, &event);
}

static struct exchange *stream_by_serial(const struct api_server *server, uint64_t serial)
{
    struct exchange *exchange = server->streams;
    while (exchange && exchange->stream.serial != serial)
        exchange = exchange->stream.next;
    return exchange;
}

static void hangups_readable(uv_poll_t *poll, int status, int events)
{
    struct api_server *server = poll->data;
    struct epoll_event found[HANGUPS_AT_ONCE];
    (void)status, (void)events;
    int count = epoll_wait(server->hangups, found, HANGUPS_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        struct exchange *exchange = stream_by_serial(server, found[i].data.u64);
        if (!exchange || exchange->stream.ended)
            continue;
        exchange_forget(exchange);
        exchange->stream.ended = true;
        shutdown(exchange->connection->fd, SHUT_RDWR);
        if (exchange->suspended)
            exchange_resume(exchange);
    }
}

int streams_open(struct api_server *server, struct error *err)
{
    server->hangups = epoll_create1(EPOLL_CLOEXEC);
    if (server->hangups < 0)
        return error_set(err, ERROR_IO, "cannot start the HTTP server: out of descriptors");
    uv_poll_init(loop_uv(server->loop), &server->hangups_poll, server->hangups);
    server->hangups_poll.data = server;
    server->hangups_open = true;
    server->handles_open++;
    uv_poll_start(&server->hangups_poll, UV_READABLE, hangups_readable);
    uv_timer_init(loop_uv(server->loop), &server->wake_timer);
    server->wake_timer.data = server;
    server->handles_open++;
    server->wake_ms = UINT64_MAX;
    return 0;
}

void streams_close(struct api_server *server, uv_close_cb closed)
{
    assert(!server->streams);
    if (!server->hangups_open)
        return;
    uv_poll_stop(&server->hangups_poll);
    uv_close((uv_handle_t *)&server->hangups_poll, closed);
    uv_close((uv_handle_t *)&server->wake_timer, closed);
    close(server->hangups);
}

/* --- What the client takes ---------------------------------------------------------------------
 */

static size_t stream_waiting_bytes(const struct exchange *exchange)
{
    return exchange->call.response.body.bytes - exchange->stream.at;
}

static void stream_tell_taken(struct exchange *exchange, size_t bytes)
{
    struct stream *stream = &exchange->stream;
    stream->untold_bytes += bytes;
    if (!exchange->pending_id ||
        (stream->untold_bytes < TAKEN_BYTES_MIN && stream_waiting_bytes(exchange) > 0))
        return;
    struct event event = {
        .type = EVENT_CLIENT,
        .client = {.id = exchange->pending_id, .taken_bytes = stream->untold_bytes}};
    stream->untold_bytes = 0;
    loop_submit(exchange->server->loop, &event);
}

/* --- Watches ------------------------------------------------------------------------------------
 */

enum { WAKE_MS_MIN = 100 };

static void wake_timer_fired(uv_timer_t *timer)
{
    (void)timer; /* it only ends the wait: streams_poll looks at the end of this turn */
}

static void stream_wake_at(struct api_server *server, uint64_t wake_ms)
{
    uint64_t now_ms = loop_now(server->loop).mono_ms;
    server->wake_ms = wake_ms;
    if (wake_ms == UINT64_MAX) {
        uv_timer_stop(&server->wake_timer);
        return;
    }
    uint64_t wait_ms = wake_ms > now_ms + WAKE_MS_MIN ? wake_ms - now_ms : WAKE_MS_MIN;
    server->wake_ms = now_ms + wait_ms;
    uv_timer_start(&server->wake_timer, wake_timer_fired, wait_ms, 0);
}

static void stream_look(struct exchange *exchange)
{
    struct api_context context = exchange_context(exchange);
    exchange->stream.ended = api_call_poll(&exchange->call, &context) == API_DONE;
}

void streams_poll(struct api_server *server)
{
    uint64_t now_ms = loop_now(server->loop).mono_ms;
    if (!server->streams)
        return;
    uint64_t generation = api_stream_generation(loop_node(server->loop)), wake_ms = UINT64_MAX;
    bool changed = generation != server->generation;
    if (!changed && now_ms < server->wake_ms)
        return;
    server->generation = generation;
    for (struct exchange *exchange = server->streams; exchange; exchange = exchange->stream.next) {
        if (!exchange->call.watch || exchange->stream.ended)
            continue;
        if (exchange->suspended && (changed || now_ms >= exchange->call.wake_ms)) {
            stream_look(exchange);
            if (exchange->stream.ended || stream_waiting_bytes(exchange) > 0)
                exchange_resume(exchange);
        }
        wake_ms = exchange->call.wake_ms < wake_ms ? exchange->call.wake_ms : wake_ms;
    }
    stream_wake_at(server, wake_ms);
}

/* MHD's content reader. 0: nothing yet, the connection is suspended. */
static ssize_t stream_read(void *cls, uint64_t position, char *to, size_t bytes_max)
{
    struct exchange *exchange = cls;
    struct api_server *server = exchange->server;
    struct stream *stream = &exchange->stream;
    struct buffer *body = &exchange->call.response.body;
    (void)position;
    size_t bytes = stream_waiting_bytes(exchange);
    if (bytes == 0 && !stream->ended && exchange->call.watch) {
        stream_look(exchange);
        bytes = stream_waiting_bytes(exchange);
    }
    if (bytes == 0 && stream->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (bytes == 0) {
        connection_expect(exchange->connection, DEADLINE_NONE);
        exchange->suspended = true;
        if (exchange->call.watch && exchange->call.wake_ms < server->wake_ms)
            stream_wake_at(server, exchange->call.wake_ms);
        MHD_suspend_connection(exchange->mhd);
        return 0;
    }
    bytes = bytes < bytes_max ? bytes : bytes_max;
    memcpy(to, body->data + stream->at, bytes);
    stream->at += bytes;
    if (stream->at == body->bytes) {
        buffer_clear(body);
        stream->at = 0;
    }
    connection_expect(exchange->connection, DEADLINE_ANSWER);
    stream_tell_taken(exchange, bytes);
    return (ssize_t)bytes;
}

/* --- Life ---------------------------------------------------------------------------------------
 */

struct MHD_Response *stream_begin(struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    struct MHD_Response *mhd = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, HTTP_1_0_BLOCK_BYTES, stream_read, exchange, NULL);
    if (!mhd)
        return NULL;
    exchange->stream.begun = true;
    exchange->client->streams++;
    exchange->stream.next = server->streams;
    if (server->streams)
        server->streams->stream.previous = exchange;
    server->streams = exchange;
    stream_watch_client(exchange);
    return mhd;
}

void stream_fed(struct exchange *exchange, bool last)
{
    exchange->stream.ended |= last;
    if (stream_waiting_bytes(exchange) > STREAM_WINDOW_BYTES && !last) {
        exchange_forget(exchange);
        stream_cut(exchange, "cut off: the client reads too slowly");
        return;
    }
    if (exchange->suspended)
        exchange_resume(exchange);
}

void stream_cut(struct exchange *exchange, const char *message)
{
    if (!exchange->stream.ended)
        api_call_cut(&exchange->call, message);
    exchange->stream.ended = true;
    if (exchange->suspended)
        exchange_resume(exchange);
}

void stream_end(struct exchange *exchange)
{
    struct stream *stream = &exchange->stream;
    if (!stream->begun)
        return;
    epoll_ctl(exchange->server->hangups, EPOLL_CTL_DEL, exchange->connection->fd, NULL);
    if (stream->next)
        stream->next->stream.previous = stream->previous;
    *(stream->previous ? &stream->previous->stream.next : &exchange->server->streams) =
        stream->next;
}
