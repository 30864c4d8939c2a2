/* See docker_http.h. curl says which descriptors and which timeout it waits for; libuv waits; curl
 * is told what happened. Curl's callbacks only take notes (bytes into a buffer, a poll started or
 * stopped): curl must not be called from within them, and the owner's callbacks do call it. So
 * after each turn of curl, http_report tells the owners what has come: first complete lines of
 * streams, then finished calls. A stream that is read in pieces may be held: curl is told to pause.
 *
 *   uv poll, uv timer --> curl_multi_socket_action --> notes --> http_report --> line(), done()
 *
 * Invariants: a call is in http->calls from send until its end; its buffer never exceeds
 * answer_bytes_max; an owner's callback may end any call, so no call is touched after one. */
#include "agent/io/docker_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 3000,
    CONNECTIONS_KEPT = 16,
    CONNECTIONS_MAX = 512,         /* far above what is in flight; a limit only against runaways */
    HEADER_BYTES_MAX = 256 * 1024, /* of one answer */
    KEEPALIVE_SECONDS = 15,
};

struct docker_http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    char *socket_path; /* NULL: TCP */
    char *base;        /* "http://host" */
    char *endpoint;    /* for messages */
    struct docker_call *calls;
    struct docker_call *reporting; /* whose lines are being handed out; NULL once it has ended */
    bool closing;
};

struct docker_call {
    struct docker_http *http;
    struct docker_call *next, **link;
    CURL *easy;
    struct curl_slist *headers;
    struct docker_request request; /* its texts are not kept */
    struct buffer body;
    size_t header_bytes;
    bool elsewhere;    /* not to the engine */
    bool has_line;     /* the buffer of a stream may hold complete lines */
    bool has_piece;    /* ... or anything at all */
    bool held, paused; /* the owner wants nothing more; curl has been told so */
    const char *limit; /* which of ours ended it; NULL: none */
    char problem[CURL_ERROR_SIZE];
};

/* ---- the ends of calls ---- */

static void call_free(struct docker_call *call)
{
    if (call->http->reporting == call)
        call->http->reporting = NULL;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    curl_multi_remove_handle(call->http->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    buffer_release(&call->body);
    free(call);
}

void docker_call_cancel(struct docker_call *call)
{
    if (call)
        call_free(call);
}

/* Equal causes have equal texts: curl's own have times in them, and the name that we invented for
 * the socket. */
static void call_problem(const struct docker_call *call, CURLcode code, char *text, size_t bytes)
{
    if (code == CURLE_COULDNT_CONNECT)
        snprintf(text, bytes, "cannot connect%s%s", call->elsewhere ? "" : " to ",
                 call->elsewhere ? "" : call->http->endpoint);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(text, bytes, "no whole answer in time");
    else if (call->limit)
        snprintf(text, bytes, "the answer has %s", call->limit);
    else
        snprintf(text, bytes, "%s", call->problem[0] ? call->problem : curl_easy_strerror(code));
}

static void call_finish(struct docker_call *call, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->request.connect_only)
        status = 200;
    if (code == CURLE_WRITE_ERROR && call->request.keep == DOCKER_KEEP_NONE && status > 0)
        code = CURLE_OK; /* we have ended it ourselves */
    char problem[CURL_ERROR_SIZE + 128];
    call_problem(call, code, problem, sizeof problem);
    struct buffer body = call->body;
    call->body = (struct buffer){0};
    struct docker_request request = call->request;
    call_free(call);
    struct docker_answer answer = {.status = code == CURLE_OK ? (int)status : 0,
                                   .timed_out = code == CURLE_OPERATION_TIMEDOUT,
                                   .problem = problem,
                                   .body = buffer_view(&body)};
    request.done(request.context, &answer);
    buffer_release(&body);
}

/* ---- telling the owners ---- */

/* Hands out the complete lines, from a buffer that outlives the call: its owner may end it at any
 * of them, and then wants no more. */
static void call_report_lines(struct docker_call *call)
{
    struct docker_http *http = call->http;
    struct buffer body = call->body;
    struct docker_request request = call->request;
    const uint8_t *last = body.bytes ? memrchr(body.data, '\n', body.bytes) : NULL;
    size_t whole = last ? (size_t)(last - body.data) + 1 : 0;
    call->has_line = false;
    call->body = (struct buffer){0};
    buffer_append(&call->body, body.data + whole, body.bytes - whole);
    http->reporting = call;
    for (size_t used = 0; used < whole && http->reporting && !http->closing;) {
        const uint8_t *end = memchr(body.data + used, '\n', whole - used);
        size_t bytes = (size_t)(end - body.data) - used;
        if (bytes > 0)
            request.line(request.context, span_of(body.data + used, bytes));
        used += bytes + 1;
    }
    http->reporting = NULL;
    buffer_release(&body);
}

/* Curl goes on reading; what it has in hand comes to curl_has_body at once. */
static void call_resume(struct docker_call *call)
{
    if (!call->paused || call->held)
        return;
    call->paused = false;
    curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

static void call_report_piece(struct docker_call *call)
{
    struct docker_http *http = call->http;
    struct buffer body = call->body;
    call->has_piece = false;
    call->body = (struct buffer){0};
    http->reporting = call;
    call->request.piece(call->request.context, buffer_view(&body));
    if (http->reporting && !http->closing)
        call_resume(call);
    http->reporting = NULL;
    buffer_release(&body);
}

static bool http_report_piece(struct docker_http *http)
{
    for (struct docker_call *call = http->calls; call; call = call->next) {
        if (!call->has_piece)
            continue;
        call_report_piece(call);
        return true;
    }
    return false;
}

static bool http_report_line(struct docker_http *http)
{
    for (struct docker_call *call = http->calls; call; call = call->next) {
        if (!call->has_line)
            continue;
        call_report_lines(call);
        return true;
    }
    return false;
}

static bool http_report_done(struct docker_http *http)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the handle's removal */
        struct docker_call *call = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        call_finish(call, code);
        return true;
    }
    return false;
}

static void http_report(struct docker_http *http)
{
    while (!http->closing &&
           (http_report_line(http) || http_report_piece(http) || http_report_done(http)))
        continue;
}

static void http_action(struct docker_http *http, curl_socket_t descriptor, int events)
{
    int running;
    if (http->closing)
        return;
    curl_multi_socket_action(http->multi, descriptor, events, &running);
    http_report(http);
}

static void timer_passed(uv_timer_t *timer)
{
    http_action(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

void docker_call_hold(struct docker_call *call, bool held)
{
    call->held = held;
    if (held || !call->paused)
        return;
    call_resume(call);
    uv_timer_start(&call->http->timer, timer_passed, 0, 0); /* what has come is told then */
}

/* ---- curl's callbacks: notes only ---- */

struct http_poll {
    uv_poll_t handle;
    struct docker_http *http;
    curl_socket_t descriptor;
};

static void poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void poll_ready(uv_poll_t *handle, int status, int events)
{
    struct http_poll *poll = handle->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    http_action(poll->http, poll->descriptor, flags); /* poll may be gone after this */
}

static int curl_wants_poll(CURL *easy, curl_socket_t descriptor, int what, void *context,
                           void *assigned)
{
    (void)easy;
    struct docker_http *http = context;
    struct http_poll *poll = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (!poll)
            return 0;
        uv_poll_stop(&poll->handle);
        curl_multi_assign(http->multi, descriptor, NULL);
        uv_close((uv_handle_t *)&poll->handle, poll_closed);
        return 0;
    }
    if (!poll) {
        poll = xcalloc(1, sizeof *poll);
        *poll = (struct http_poll){.http = http, .descriptor = descriptor};
        if (uv_poll_init(http->loop, &poll->handle, descriptor)) {
            free(poll);
            return -1;
        }
        poll->handle.data = poll;
        curl_multi_assign(http->multi, descriptor, poll);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&poll->handle, events, poll_ready) ? -1 : 0;
}

static int curl_wants_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct docker_http *http = context;
    if (timeout_ms < 0)
        uv_timer_stop(&http->timer);
    else
        uv_timer_start(&http->timer, timer_passed, (uint64_t)timeout_ms, 0);
    return 0;
}

static bool call_is_good(const struct docker_call *call)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t call_has_piece(struct docker_call *call, const char *data, size_t bytes)
{
    if (call->held || call->body.bytes + bytes > DOCKER_HTTP_PIECE_BYTES_MAX) {
        call->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buffer_append(&call->body, data, bytes);
    call->has_piece = call->body.bytes > 0;
    return bytes;
}

static size_t curl_has_body(char *data, size_t size, size_t count, void *context)
{
    struct docker_call *call = context;
    size_t bytes = size * count;
    size_t room = call->request.answer_bytes_max - call->body.bytes;
    if (call->request.keep == DOCKER_KEEP_NONE)
        return 0;
    if (call->request.piece && call_is_good(call))
        return call_has_piece(call, data, bytes);
    if (call->request.keep == DOCKER_KEEP_START) {
        buffer_append(&call->body, data, bytes < room ? bytes : room);
        return bytes;
    }
    if (bytes > room) {
        call->limit = "too long a body";
        return 0;
    }
    buffer_append(&call->body, data, bytes);
    if (call->request.line && memchr(data, '\n', bytes))
        call->has_line = true;
    return bytes;
}

static size_t curl_has_header(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct docker_call *call = context;
    call->header_bytes += size * count;
    if (call->header_bytes <= HEADER_BYTES_MAX)
        return size * count;
    call->limit = "too many headers";
    return 0;
}

/* ---- sending ---- */

static void call_set_engine(struct docker_call *call, const struct docker_request *request)
{
    struct docker_http *http = call->http;
    size_t url_bytes = strlen(http->base) + strlen(request->path) + 1;
    char *url = xmalloc(url_bytes);
    snprintf(url, url_bytes, "%s%s", http->base, request->path);
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    free(url);
    curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http");
    if (http->socket_path)
        curl_easy_setopt(call->easy, CURLOPT_UNIX_SOCKET_PATH, http->socket_path);
}

static void call_set_trust(CURL *easy, const char *trust)
{
    /* Copied: a blob is never cached, as a file of that name would be after it was replaced. */
    struct curl_blob blob = {(void *)trust, trust ? strlen(trust) : 0, CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, trust ? "https" : "http,https");
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, trust ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, trust ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT,
                     trust ? "hordelet/" HORDELET_VERSION : "hordelet-probe");
    if (!trust)
        return;
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

/* A connection that was made before proves nothing of now. */
static void call_set_elsewhere(struct docker_call *call, const struct docker_request *request)
{
    CURL *easy = call->easy;
    call->elsewhere = true;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    call_set_trust(easy, request->trust);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, (long)request->connect_only);
    for (size_t i = 0; i < request->header_count; i++)
        call->headers = curl_slist_append(call->headers, request->headers[i]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
}

static void call_set_options(struct docker_call *call, const struct docker_request *request)
{
    CURL *easy = call->easy;
    if (request->url)
        call_set_elsewhere(call, request);
    else
        call_set_engine(call, request);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_has_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, curl_has_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    long timeout_ms = request->timeout_ms > INT32_MAX ? 0 : (long)request->timeout_ms;
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_SECONDS);
    if (strcmp(request->method, "POST") == 0) {
        /* Engines answer Expect: 100-continue with a delay. */
        call->headers = curl_slist_append(NULL, "Content-Type: application/json");
        call->headers = curl_slist_append(call->headers, "Expect:");
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
    }
}

struct docker_call *docker_http_send(struct docker_http *http, const struct docker_request *request)
{
    struct docker_call *call = xcalloc(1, sizeof *call);
    call->http = http;
    call->request = *request;
    call->easy = curl_easy_init();
    if (!call->easy)
        abort(); /* out of memory */
    call_set_options(call, request);
    call->request.method = call->request.path = call->request.body = call->request.url = NULL;
    call->request.headers = NULL;
    call->request.trust = NULL;
    call->next = http->calls;
    call->link = &http->calls;
    if (call->next)
        call->next->link = &call->next;
    http->calls = call;
    if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
        abort(); /* a bug, or out of memory */
    return call;
}

/* ---- life ---- */

static int http_set_endpoint(struct docker_http *http, const char *endpoint, struct error *err)
{
    static const char unix_prefix[] = "unix://";
    static const char *const tcp_prefixes[] = {"tcp://", "http://"};
    if (!endpoint)
        return 0;
    if (strncmp(endpoint, unix_prefix, strlen(unix_prefix)) == 0) {
        const char *path = endpoint + strlen(unix_prefix);
        if (path[0] != '/' || strlen(path) > 107)
            return error_set(
                err, ERROR_INVALID,
                "runtime %s: an absolute path of at most 107 bytes must follow unix://", endpoint);
        http->socket_path = xstrdup(path);
        http->base = xstrdup("http://engine");
        return 0;
    }
    for (size_t i = 0; i < sizeof tcp_prefixes / sizeof *tcp_prefixes; i++) {
        const char *prefix = tcp_prefixes[i], *host = endpoint + strlen(prefix);
        if (strncmp(endpoint, prefix, strlen(prefix)) != 0 || !host[0] || strpbrk(host, "/?#@ "))
            continue;
        size_t base_bytes = strlen(host) + sizeof "http://";
        http->base = xmalloc(base_bytes);
        snprintf(http->base, base_bytes, "http://%s", host);
        return 0;
    }
    return error_set(err, ERROR_INVALID, "runtime %s: must be unix:///path or tcp://host:port",
                     endpoint);
}

struct docker_http *docker_http_new(uv_loop_t *loop, const char *endpoint, struct error *err)
{
    struct docker_http *http = xcalloc(1, sizeof *http);
    if (http_set_endpoint(http, endpoint, err)) {
        free(http);
        return NULL;
    }
    http->loop = loop;
    http->endpoint = xstrdup(endpoint ? endpoint : "");
    http->multi = curl_multi_init();
    if (!http->multi || uv_timer_init(loop, &http->timer))
        abort();
    http->timer.data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_poll);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    return http;
}

/* At the end of the loop's turn, when none of our functions is below us on the stack. Closing the
 * polls is left to curl, which asks for it; their memory is freed one turn later. */
static void timer_closed(uv_handle_t *handle)
{
    struct docker_http *http = handle->data;
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, NULL);
    while (http->calls)
        call_free(http->calls);
    curl_multi_cleanup(http->multi);
    free(http->socket_path);
    free(http->base);
    free(http->endpoint);
    free(http);
}

void docker_http_close(struct docker_http *http)
{
    if (!http || http->closing)
        return;
    http->closing = true;
    uv_close((uv_handle_t *)&http->timer, timer_closed);
}
