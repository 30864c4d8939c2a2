/* The EndpointSlices of a Service: listed once, then watched.
 *
 *     list -> watch -> watch -> ...      the server ends a watch after some minutes: go on from the
 *      ^        |                        last version it told (bookmarks keep that young)
 *      +--------+  410 Expired: list, and not from the server's cache
 *      +--------+  anything else: list, after a back-off
 *
 * As a pod is given it, the server's address is in the environment, and what is needed to talk to
 * it in a directory: certificates to trust, a token to show, the namespace. Both files are replaced
 * while we run (a token lives an hour), so they are read for each request. TLS always; nothing is
 * sent to who cannot show a certificate for that address. */
#include "agent/io/discovery_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/cleanup.h"
#include "agent/io/log.h"
#include "agent/io/secret_file.h"

#define CREDENTIALS "/var/run/secrets/kubernetes.io/serviceaccount"

enum {
    LIST_TIMEOUT_MS = 10000,
    WATCH_S = 300, /* ... to twice that: not all agents at once */
    WATCH_SLACK_MS = 30000,
    WATCH_AGAIN_MS = 1000, /* after one that ended in good order */
    BACKOFF_MIN_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    CREDENTIAL_BYTES_MAX = 1024 * 1024, /* a bundle of certificates */
    TOKEN_BYTES_MAX = 16 * 1024,
};

static void kubernetes_ask(uv_timer_t *timer);

/* ---- files ---- */

/* What the file of that name holds, without white space at its end. The caller frees. NULL: err. */
static char *credential_read(const char *name, size_t bytes_max, struct error *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", CREDENTIALS, name);
    char *text = xcalloc(1, bytes_max + 1);
    int result = secret_file_read(path, false, text, bytes_max, err);
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
        text[--bytes] = '\0';
    if (result == 0 && bytes == 0)
        result = error_set(err, ERROR_IO, "%s: is empty", path);
    if (result == 0)
        return text;
    sodium_memzero(text, bytes);
    free(text);
    return NULL;
}

/* "Authorization: Bearer ..."; the caller frees. */
static char *credential_token(struct error *err)
{
    static const char prefix[] = "Authorization: Bearer ";
    cleanup_free char *token = credential_read("token", TOKEN_BYTES_MAX, err);
    if (!token)
        return NULL;
    for (const char *letter = token; *letter; letter++) {
        if (*letter > ' ' && *letter < 127)
            continue;
        error_set(err, ERROR_IO, "%s/token: is no token", CREDENTIALS);
        return NULL;
    }
    char *header = xmalloc(sizeof prefix + strlen(token));
    snprintf(header, sizeof prefix + strlen(token), "%s%s", prefix, token);
    sodium_memzero(token, strlen(token));
    return header;
}

/* ---- what comes of it ---- */

static void kubernetes_later(struct discovery_kubernetes *kubernetes, uint64_t wait_ms)
{
    /* Between three quarters and five quarters: who failed together does not come back so. */
    uint32_t spread_ms = randombytes_uniform((uint32_t)(wait_ms / 2) + 1);
    uv_timer_start(&kubernetes->timer, kubernetes_ask, wait_ms - wait_ms / 4 + spread_ms, 0);
}

static void kubernetes_failed(struct discovery_kubernetes *kubernetes, const char *problem)
{
    kubernetes->watching = false;
    discovery_failed(kubernetes->discovery, DISCOVERY_KUBERNETES);
    if (strcmp(kubernetes->told, problem) != 0)
        log_print(LOG_WARNING,
                  "discovery: Kubernetes: %s; what it said before counts, %zu addresses", problem,
                  kubernetes->slices.address_count);
    TEXT_SET(kubernetes->told, problem);
    kubernetes_later(kubernetes, kubernetes->backoff_ms);
    kubernetes->backoff_ms *= 2;
    if (kubernetes->backoff_ms > BACKOFF_MAX_MS)
        kubernetes->backoff_ms = BACKOFF_MAX_MS;
}

static void kubernetes_expired(struct discovery_kubernetes *kubernetes)
{
    kubernetes->watching = false;
    kubernetes->fresh = true;
    kubernetes_later(kubernetes, kubernetes->backoff_ms);
}

static void kubernetes_refused(struct discovery_kubernetes *kubernetes,
                               const struct docker_answer *answer)
{
    char problem[sizeof kubernetes->told], message[256];
    endpoint_status_message(message, sizeof message, answer->body);
    if (answer->status == 0)
        snprintf(problem, sizeof problem, "%s", answer->problem);
    else
        snprintf(problem, sizeof problem, "status %d%s%s", answer->status, message[0] ? ": " : "",
                 message);
    kubernetes_failed(kubernetes, problem);
}

/* That the list is answered does not end the trouble of who may list and not watch. */
static void kubernetes_answered(struct discovery_kubernetes *kubernetes)
{
    bool well = !kubernetes->watch_refused;
    if (!kubernetes->answered || (well && kubernetes->told[0]))
        log_print(LOG_INFO, "discovery: Kubernetes: %zu addresses%s",
                  kubernetes->slices.address_count,
                  kubernetes->slices.cut ? ", and more than are kept" : "");
    kubernetes->answered = true;
    if (well) {
        kubernetes->backoff_ms = BACKOFF_MIN_MS;
        kubernetes->told[0] = '\0';
    }
    discovery_answered(kubernetes->discovery, DISCOVERY_KUBERNETES);
}

static void kubernetes_listed(void *context, const struct docker_answer *answer)
{
    struct discovery_kubernetes *kubernetes = context;
    struct error err;
    kubernetes->call = NULL;
    if (answer->status != 200) {
        kubernetes_refused(kubernetes, answer);
        return;
    }
    if (endpoint_slices_list(&kubernetes->slices, answer->body, kubernetes->port, &err)) {
        kubernetes_failed(kubernetes, err.text);
        return;
    }
    kubernetes->watching = true;
    kubernetes->fresh = false;
    kubernetes_answered(kubernetes);
    kubernetes_ask(&kubernetes->timer);
}

/* ---- the watch ---- */

static void watch_end(struct discovery_kubernetes *kubernetes)
{
    docker_call_cancel(kubernetes->call);
    kubernetes->call = NULL;
    buffer_clear(&kubernetes->line);
}

/* False: it is over. */
static bool watch_line(struct discovery_kubernetes *kubernetes, struct span line)
{
    struct error err;
    switch (endpoint_slices_change(&kubernetes->slices, line, kubernetes->port, &err)) {
    case ENDPOINT_CHANGED:
        kubernetes_answered(kubernetes);
        return true;
    case ENDPOINT_BOOKMARK:
        return true;
    case ENDPOINT_EXPIRED:
        watch_end(kubernetes);
        kubernetes_expired(kubernetes);
        return false;
    case ENDPOINT_BAD:
        break;
    }
    watch_end(kubernetes);
    kubernetes_failed(kubernetes, err.text);
    return false;
}

static void watch_piece(void *context, struct span piece)
{
    struct discovery_kubernetes *kubernetes = context;
    struct buffer *line = &kubernetes->line;
    kubernetes->watch_refused = false;
    for (const uint8_t *end; (end = memchr(piece.data, '\n', piece.bytes));) {
        size_t bytes = (size_t)(end - piece.data);
        buffer_append(line, piece.data, bytes);
        piece = span_of(end + 1, piece.bytes - bytes - 1);
        if (line->bytes > 0 && !watch_line(kubernetes, buffer_view(line)))
            return;
        buffer_clear(line);
    }
    buffer_append(line, piece.data, piece.bytes);
    if (line->bytes <= ENDPOINT_LINE_BYTES_MAX)
        return;
    watch_end(kubernetes);
    kubernetes_failed(kubernetes, "a line of the watch is too long");
}

static void watch_ended(void *context, const struct docker_answer *answer)
{
    struct discovery_kubernetes *kubernetes = context;
    kubernetes->call = NULL;
    buffer_clear(&kubernetes->line);
    kubernetes->watch_refused = answer->status >= 400 && answer->status != 410;
    if (answer->status == 410)
        kubernetes_expired(kubernetes);
    else if (answer->status == 200)
        kubernetes_later(kubernetes, WATCH_AGAIN_MS);
    else
        kubernetes_refused(kubernetes, answer);
}

/* ---- asking ---- */

static void kubernetes_request(struct discovery_kubernetes *kubernetes,
                               struct docker_request *request, char *url, size_t bytes)
{
    uint32_t watch_s = WATCH_S + randombytes_uniform(WATCH_S);
    if (!kubernetes->watching) {
        /* From its cache, which is cheap for a server that hundreds of agents ask; unless that
         * has just turned out to be too old. */
        snprintf(url, bytes, "%s%s", kubernetes->base,
                 kubernetes->fresh ? "" : "&resourceVersion=0");
        request->timeout_ms = LIST_TIMEOUT_MS;
        request->answer_bytes_max = ENDPOINT_LIST_BYTES_MAX;
        request->done = kubernetes_listed;
        return;
    }
    snprintf(url, bytes, "%s&watch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%u",
             kubernetes->base, kubernetes->slices.version, watch_s);
    request->timeout_ms = (uint64_t)watch_s * 1000 + WATCH_SLACK_MS;
    request->answer_bytes_max = ENDPOINT_LINE_BYTES_MAX; /* of a refusal */
    request->done = watch_ended;
    request->piece = watch_piece;
}

static void kubernetes_ask(uv_timer_t *timer)
{
    struct discovery_kubernetes *kubernetes = timer->data;
    struct error err;
    char url[1024];
    cleanup_free char *trust = credential_read("ca.crt", CREDENTIAL_BYTES_MAX, &err);
    cleanup_free char *token = trust ? credential_token(&err) : NULL;
    if (!token) {
        kubernetes_failed(kubernetes, err.text);
        return;
    }
    const char *headers[] = {token, "Accept: application/json"};
    struct docker_request request = {.method = "GET",
                                     .url = url,
                                     .trust = trust,
                                     .headers = headers,
                                     .header_count = 2,
                                     .context = kubernetes};
    kubernetes_request(kubernetes, &request, url, sizeof url);
    kubernetes->call = docker_http_send(kubernetes->http, &request);
    sodium_memzero(token, strlen(token));
}

/* ---- life ---- */

static int kubernetes_set_base(struct discovery_kubernetes *kubernetes, const char *service,
                               struct error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    const char *slash = strchr(service, '/');
    cleanup_free char *space = slash ? xmemdup(service, (size_t)(slash - service))
                                     : credential_read("namespace", NAME_BYTES_MAX + 1, err);
    struct address address;
    char text[ADDRESS_BYTES_MAX + 1];
    snprintf(text, sizeof text, host && strchr(host, ':') ? "[%s]:%s" : "%s:%s", host ? host : "",
             port ? port : "");
    if (!host || !port || !address_parse(&address, text))
        return error_set(err, ERROR_INVALID,
                         "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not in the "
                         "environment: this agent does not run in a pod");
    if (!space)
        return error_wrap(err, "give it as NAMESPACE/SERVICE");
    if (!name_is_dns1123(space))
        return error_set(err, ERROR_INVALID, "%s/namespace: is not the name of one", CREDENTIALS);
    snprintf(kubernetes->base, sizeof kubernetes->base,
             "https://%s/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector="
             "kubernetes.io%%2Fservice-name%%3D%s",
             text, space, slash ? slash + 1 : service);
    return 0;
}

int kubernetes_open(struct discovery_kubernetes *kubernetes,
                    const struct discovery_options *options, struct error *err)
{
    uv_loop_t *loop = loop_uv(kubernetes->discovery->loop);
    if (kubernetes_set_base(kubernetes, options->service, err))
        return -1;
    kubernetes->port = options->port;
    kubernetes->backoff_ms = BACKOFF_MIN_MS;
    kubernetes->http = docker_http_new(loop, NULL, err);
    uv_timer_init(loop, &kubernetes->timer);
    kubernetes->timer.data = kubernetes;
    uv_timer_start(&kubernetes->timer, kubernetes_ask, 0, 0);
    return 0;
}

void kubernetes_stop(struct discovery_kubernetes *kubernetes)
{
    if (!kubernetes->http)
        return;
    watch_end(kubernetes);
    docker_http_close(kubernetes->http);
    uv_close((uv_handle_t *)&kubernetes->timer, NULL);
}

void kubernetes_release(struct discovery_kubernetes *kubernetes)
{
    endpoint_slices_release(&kubernetes->slices);
    buffer_release(&kubernetes->line);
}
