/* One request on its way through MHD: header, body, the call, perhaps the node, the answer.
 *
 * MHD calls the handler with the header, then with each piece of the body, then once more; the call
 * begins at that last one. A call that must wait for the node has its connection suspended; its
 * reply resumes it, MHD calls the handler again, and the response is queued. While suspended, MHD
 * does not look at the connection: a client that went away is found out when the answer is written.
 *
 * An answer in pieces goes through api_server_stream.c.
 *
 * A reply may come while the node is still being stepped (inside loop_submit): then the connection
 * is not suspended yet, and exchange_advance goes on by itself. Replies are found by id: the
 * exchange may be gone, the reply then is dropped. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "agent/io/api_server_private.h"

/* A body that is too large is read to its end up to this, so that the client has finished when the
 * answer comes and reads it; beyond, the connection is closed with the answer on its way. */
enum { BODY_DISCARD_BYTES_MAX = 16 * BODY_BYTES_MAX };

/* --- The table of those who wait for the node ------------------------------------------------- */

static void pending_add(struct exchange *exchange, uint64_t id)
{
    struct exchange **bucket = &exchange->server->pending[id % PENDING_BUCKETS];
    exchange->pending_id = id;
    exchange->pending_next = *bucket;
    *bucket = exchange;
    exchange->client->pending++;
    exchange->server->pending_count++;
}

/* NULL: nobody waits for this id. */
static struct exchange *pending_find(const struct api_server *server, uint64_t id)
{
    struct exchange *exchange = server->pending[id % PENDING_BUCKETS];
    while (exchange && exchange->pending_id != id)
        exchange = exchange->pending_next;
    return exchange;
}

static void pending_remove(struct exchange *exchange)
{
    struct exchange **at = &exchange->server->pending[exchange->pending_id % PENDING_BUCKETS];
    while (*at != exchange)
        at = &(*at)->pending_next;
    *at = exchange->pending_next;
    exchange->pending_next = NULL;
    exchange->pending_id = 0;
    exchange->client->pending--;
    exchange->server->pending_count--;
}

/* --- The call --------------------------------------------------------------------------------- */

struct api_context exchange_context(const struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    struct api_context context = {
        .node = loop_node(server->loop),
        .member = server->member,
        .run_tag = server->run_tag,
        .wall_ms = loop_now(server->loop).wall_ms,
        .mono_ms = loop_now(server->loop).mono_ms,
        .hub = server->hub,
        .request_id = ++server->last_id,
        .policy = server->policy,
        .read_vitals = server->read_vitals,
        .vitals_context = server->vitals_context,
    };
    const char *method = exchange->request.method;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        ssize_t got = getrandom(context.random, sizeof context.random, 0);
        assert(got == sizeof context.random);
        (void)got;
    }
    return context;
}

static void exchange_busy(struct exchange *exchange, unsigned seconds, const char *message)
{
    exchange->server->turned_away[API_REFUSED_BUSY]++;
    api_call_refuse_busy(&exchange->call, seconds, message);
}

static void exchange_advance(struct exchange *exchange, enum api_progress progress)
{
    struct api_server *server = exchange->server;
    while (progress == API_SUBMIT) {
        if (server->pending_count >= PENDING_REQUESTS_MAX || !client_may_wait(exchange)) {
            exchange_busy(exchange, 1, "too many writes are waiting; try again in a second");
            break;
        }
        pending_add(exchange, exchange->call.submit.id);
        exchange->replied = false;
        buffer_clear(&exchange->reply_bytes);
        exchange->submitting = true;
        loop_submit(server->loop,
                    &(struct event){.type = EVENT_REQUEST, .request = &exchange->call.submit});
        exchange->submitting = false;
        struct api_context context = exchange_context(exchange);
        api_call_submitted(&exchange->call, &context);
        if (!exchange->replied)
            return;
        exchange->reply.found = buffer_view(&exchange->reply_bytes);
        progress = api_call_reply(&exchange->call, &exchange->reply, &context);
    }
    if (progress == API_STREAM && !client_may_stream(exchange)) {
        exchange_forget(exchange);
        exchange_busy(exchange, 1, "this client has as many watches and logs as it may: end some");
        progress = API_DONE;
    }
    exchange->stream.ended = progress != API_STREAM;
    exchange->ready = true;
}

void exchange_resume(struct exchange *exchange)
{
    assert(exchange->suspended);
    exchange->suspended = false;
    connection_expect(exchange->connection, DEADLINE_ANSWER);
    MHD_resume_connection(exchange->mhd);
    listener_run_soon(exchange->listener);
}

/* While the node is being stepped: kept until exchange_advance looks, with a copy of what lives
 * only as long as the effects. Of an answer in pieces several may come. */
static void exchange_keep(struct exchange *exchange, const struct reply *reply)
{
    exchange->reply = *reply;
    exchange->replied = true;
    buffer_append(&exchange->reply_bytes, reply->found.data, reply->found.bytes);
}

void api_server_reply(struct api_server *server, const struct reply *reply)
{
    struct exchange *exchange = pending_find(server, reply->id);
    if (!exchange)
        return;
    if (!reply->more)
        pending_remove(exchange);
    if (exchange->submitting) {
        exchange_keep(exchange, reply);
        return;
    }
    struct api_context context = exchange_context(exchange);
    enum api_progress progress = api_call_reply(&exchange->call, reply, &context);
    if (exchange->stream.begun) {
        stream_fed(exchange, progress == API_DONE);
        return;
    }
    exchange_advance(exchange, progress);
    if (exchange->ready && exchange->suspended)
        exchange_resume(exchange);
}

void exchange_forget(struct exchange *exchange)
{
    struct event event = {.type = EVENT_CLIENT,
                          .client = {.id = exchange->pending_id, .gone = true}};
    if (!exchange->pending_id)
        return;
    pending_remove(exchange);
    if (exchange->call.streaming)
        loop_submit(exchange->server->loop, &event);
}

void api_server_reply_sink(void *server, const struct effect *effect)
{
    api_server_reply(server, effect->reply);
}

void exchange_abort(struct exchange *exchange, const char *message)
{
    api_call_refuse(&exchange->call, 503, message);
    exchange->ready = true;
    if (exchange->suspended)
        exchange_resume(exchange);
}

/* The agent goes: those who still wait are told so. */
void exchange_abort_all(struct api_server *server)
{
    clients_abort(server);
    for (struct exchange *exchange = server->streams; exchange; exchange = exchange->stream.next)
        if (exchange->call.watch)
            stream_cut(exchange, "the agent is stopping");
    for (size_t i = 0; i < PENDING_BUCKETS; i++) {
        while (server->pending[i]) {
            struct exchange *exchange = server->pending[i];
            pending_remove(exchange);
            if (exchange->stream.begun) {
                stream_cut(exchange, "the agent is stopping");
                continue;
            }
            exchange_abort(exchange,
                           "the agent is stopping; whether the write was stored is not known: ask "
                           "another agent");
        }
    }
}

/* --- The answer ------------------------------------------------------------------------------- */

static struct MHD_Response *exchange_whole(struct exchange *exchange)
{
    struct api_response *response = &exchange->call.response;
    exchange->answer_bytes = response->body.bytes;
    if (response->body.bytes >= GZIP_BYTES_MIN &&
        gzip_accepted(
            MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, "Accept-Encoding")))
        return gzip_response(&response->body);
    struct buffer body = response->body;
    response->body = (struct buffer){0}; /* MHD frees it */
    struct MHD_Response *mhd =
        MHD_create_response_from_buffer(body.bytes, body.data ? body.data : (void *)"",
                                        body.data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!mhd)
        buffer_release(&body);
    return mhd;
}

static enum MHD_Result exchange_queue(struct exchange *exchange)
{
    struct api_response *response = &exchange->call.response;
    bool head = strcmp(exchange->request.method, "HEAD") == 0; /* MHD would wait for the body */
    bool streams = exchange->call.streaming && !exchange->stream.ended && !head;
    struct MHD_Response *mhd = streams ? stream_begin(exchange) : exchange_whole(exchange);
    if (!mhd)
        return MHD_NO;
    if (response->content_type)
        MHD_add_response_header(mhd, "Content-Type", response->content_type);
    MHD_add_response_header(mhd, "Cache-Control", "no-cache, private");
    for (size_t i = 0; i < response->header_count; i++)
        MHD_add_response_header(mhd, response->headers[i].name, response->headers[i].value);
    if (response->status == 401)
        MHD_add_response_header(mhd, "WWW-Authenticate", "Bearer");
    if (exchange->refuse_close || exchange->server->stopping)
        MHD_add_response_header(mhd, "Connection", "close");
    connection_expect(exchange->connection, DEADLINE_ANSWER);
    exchange_tell_refusal(exchange);
    exchange->queued = true;
    exchange->server->answering++;
    exchange->client->answer_bytes += exchange->answer_bytes;
    enum MHD_Result result = MHD_queue_response(exchange->mhd, (unsigned)response->status, mhd);
    MHD_destroy_response(mhd);
    return result;
}

static enum MHD_Result exchange_refuse(struct exchange *exchange, int status, const char *message)
{
    api_call_refuse(&exchange->call, status, message);
    exchange->ready = true;
    return exchange_queue(exchange);
}

/* --- The request ------------------------------------------------------------------------------ */

enum { EXCHANGES_SPARE_MAX = 64 };

static struct exchange *exchange_take_spare(struct api_server *server)
{
    struct exchange *exchange = server->spare;
    if (exchange) {
        server->spare = exchange->pending_next;
        server->spare_count--;
    } else {
        exchange = xmalloc(sizeof *exchange);
    }
    memset(exchange, 0, offsetof(struct exchange, call));
    api_call_init(&exchange->call);
    return exchange;
}

static void exchange_put_spare(struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    if (server->spare_count == EXCHANGES_SPARE_MAX) {
        free(exchange);
        return;
    }
    exchange->pending_next = server->spare;
    server->spare = exchange;
    server->spare_count++;
}

void exchange_release_spare(struct api_server *server)
{
    while (server->spare) {
        struct exchange *exchange = server->spare;
        server->spare = exchange->pending_next;
        free(exchange);
    }
}

/* The request line has been read; url is raw, with its query. */
void *exchange_new(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct listener *listener = cls;
    struct exchange *exchange = exchange_take_spare(listener->server);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    exchange->server = listener->server;
    exchange->listener = listener;
    exchange->mhd = mhd;
    exchange->connection = info->socket_context;
    exchange->target = xstrdup(target);
    exchange->connection->spoke = true;
    if (exchange->connection->deadline != DEADLINE_HEADER)
        connection_expect(exchange->connection,
                          DEADLINE_HEADER); /* the next one of a connection that was kept */
    return exchange;
}

struct framing {
    unsigned lengths, encodings;
    bool chunked;
    uint64_t length;
};

static enum MHD_Result framing_look(void *cls, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct framing *framing = cls;
    (void)kind;
    if (strcasecmp(key, "Content-Length") == 0) {
        framing->lengths++;
        framing->length = strtoull(value ? value : "", NULL, 10);
    } else if (strcasecmp(key, "Transfer-Encoding") == 0) {
        framing->encodings++;
        framing->chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* What strangers ask for, but the health: answered as soon as it has come, kept by nobody. */
static void exchange_turn_away(struct exchange *exchange, const struct framing *framing)
{
    if (!exchange->stranger || api_access_is_public(exchange->target))
        return;
    api_call_refuse(&exchange->call, 401,
                    "Unauthorized: a client certificate, or \"Authorization: Bearer TOKEN\", of "
                    "somebody known here is needed");
    exchange->ready = true;
    exchange->refuse_close = true;
    exchange->unread = framing->chunked || framing->length > API_STRANGER_BODY_BYTES_MAX;
}

/* Bodies whose end two programs could see in different places are refused: that is how requests are
 * smuggled past a proxy. */
static enum MHD_Result exchange_begin(struct exchange *exchange, const char *method)
{
    struct framing framing = {0};
    struct MHD_Connection *mhd = exchange->mhd;
    exchange->begun = true;
    exchange->request = (struct api_request){
        .method = method,
        .target = exchange->target,
        .accept = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Accept"),
        .content_type = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Type"),
        .user_agent = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "User-Agent"),
        .after = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Hordelet-After"),
        .token = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Hordelet-Token"),
    };
    exchange_identify(exchange);
    client_begin(exchange);
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, framing_look, &framing);
    connection_expect(exchange->connection, DEADLINE_BODY);
    exchange->refuse_close = true;
    if (MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Origin"))
        return exchange_refuse(exchange, 403,
                               "Origin: a web page may not use the API, whoever looks at it");
    if (framing.lengths + framing.encodings > 1)
        return exchange_refuse(exchange, 400, "more than one Content-Length or Transfer-Encoding");
    if (framing.encodings && !framing.chunked)
        return exchange_refuse(exchange, 400, "Transfer-Encoding: only chunked is supported");
    if (framing.length > BODY_DISCARD_BYTES_MAX)
        return exchange_refuse(exchange, 413, "the body is larger than 1 MiB");
    exchange->refuse_close = false;
    exchange_turn_away(exchange, &framing);
    return exchange->unread ? exchange_queue(exchange) : MHD_YES;
}

static enum MHD_Result exchange_take_body(struct exchange *exchange, const char *data,
                                          size_t *bytes)
{
    exchange->body_bytes += *bytes;
    if (exchange->body_bytes >
        (exchange->stranger ? API_STRANGER_BODY_BYTES_MAX : BODY_DISCARD_BYTES_MAX))
        return MHD_NO; /* a chunked body without end: the connection is closed */
    if (exchange->body_bytes <= BODY_BYTES_MAX && !exchange->stranger)
        buffer_append(&exchange->body, data, *bytes);
    else
        buffer_release(&exchange->body);
    *bytes = 0;
    return MHD_YES;
}

/* Whoever asks for more than health: most agents of a large cluster are asked for no more. */
static void exchange_look(struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    if (server->looked || api_access_is_public(exchange->target))
        return;
    server->looked = true;
    loop_submit(server->loop, &(struct event){.type = EVENT_LOOK});
}

static void exchange_start(struct exchange *exchange)
{
    uint64_t begin_ns = uv_hrtime();
    struct api_context context = exchange_context(exchange);
    exchange_advance(exchange, api_call_start(&exchange->call, &exchange->request, &context));
    client_charge(exchange, (uv_hrtime() - begin_ns) / 1000);
}

void exchange_run_queued(struct exchange *exchange)
{
    exchange_start(exchange);
    if (exchange->ready)
        exchange_resume(exchange);
}

static enum MHD_Result exchange_suspend(struct exchange *exchange)
{
    connection_expect(exchange->connection, DEADLINE_NONE);
    exchange->suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

static enum MHD_Result exchange_run(struct exchange *exchange)
{
    unsigned seconds;
    const char *why = client_refuses(exchange, &seconds);
    if (exchange->body_bytes > BODY_BYTES_MAX)
        return exchange_refuse(exchange, 413, "the body is larger than 1 MiB");
    if (exchange->server->stopping)
        return exchange_refuse(exchange, 503, "the agent is stopping");
    if (why && !api_access_is_public(exchange->target)) {
        exchange->refuse_close = exchange->connection->excess;
        exchange_busy(exchange, seconds, why);
        exchange->ready = true;
        return exchange_queue(exchange);
    }
    exchange->request.body = buffer_view(&exchange->body);
    exchange_look(exchange);
    if (client_runs_now(exchange) || api_access_is_public(exchange->target))
        exchange_start(exchange);
    else
        client_enqueue(exchange);
    return exchange->ready ? exchange_queue(exchange) : exchange_suspend(exchange);
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **state)
{
    struct exchange *exchange = *state;
    (void)cls, (void)mhd, (void)url, (void)version;
    if (!exchange->begun)
        return exchange_begin(exchange, method);
    if (*upload_bytes > 0)
        return exchange_take_body(exchange, upload, upload_bytes);
    if (exchange->queued || exchange->suspended)
        return MHD_YES;
    return exchange->ready ? exchange_queue(exchange) : exchange_run(exchange);
}

void exchange_completed(void *cls, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    (void)cls, (void)mhd;
    *state = NULL;
    if (!exchange)
        return;
    /* MHD does not end a suspended request by itself; should it ever, the reply must find nobody.
     */
    exchange_forget(exchange);
    exchange->server->answering -= exchange->queued;
    stream_end(exchange);
    client_end(exchange);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        connection_expect(exchange->connection, DEADLINE_IDLE);
    api_call_release(&exchange->call);
    buffer_release(&exchange->body);
    buffer_release(&exchange->reply_bytes);
    free(exchange->target);
    exchange_put_spare(exchange);
}
