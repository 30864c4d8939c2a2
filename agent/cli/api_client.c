/* See api_client.h: libcurl's easy interface over TCP or a unix socket. */
#include "agent/cli/api_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/cli/api_answer.h"
#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/terminal.h"
#include "agent/codec/duration.h"

#define LIST_PAGE "500" /* items in one answer; kubectl's number */

struct api_client {
    struct api_address address;
    uint64_t timeout_ms;
    bool reached;
    CURL *curl;
    struct buffer body;           /* of the answer being read */
    char detail[CURL_ERROR_SIZE]; /* what curl says of a failure */
    char warning[512];            /* the last one shown: one write of many need not repeat it */
};

struct api_client *api_client_new(const struct api_address *address, uint64_t timeout_ms)
{
    struct api_client *client = xcalloc(1, sizeof *client);
    client->address = *address;
    client->timeout_ms = timeout_ms;
    client->reached = true;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    return client;
}

struct api_client *api_client_another(const struct api_client *client)
{
    return api_client_new(&client->address, API_TIMEOUT_MS);
}

void api_client_free(struct api_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    buffer_release(&client->body);
    free(client);
    curl_global_cleanup();
}

const char *api_client_address(const struct api_client *client)
{
    return client->address.text;
}

const struct api_address *api_client_where(const struct api_client *client)
{
    return &client->address;
}

void api_client_set_timeout(struct api_client *client, uint64_t timeout_ms)
{
    client->timeout_ms = timeout_ms;
}

bool api_client_reached(const struct api_client *client)
{
    return client->reached;
}

/* --- What curl calls -------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct api_client *client = context;
    size_t bytes = size * count;
    if (client->body.bytes + bytes > API_ANSWER_BYTES_MAX)
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    buffer_append(&client->body, data, bytes);
    return bytes;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct api_client *client = context;
    const char *name = "Warning:";
    char value[512], text[512];
    size_t bytes = size * count, name_bytes = strlen(name);
    if (bytes <= name_bytes || strncasecmp(data, name, name_bytes) != 0)
        return bytes;
    size_t value_bytes =
        bytes - name_bytes < sizeof value - 1 ? bytes - name_bytes : sizeof value - 1;
    memcpy(value, data + name_bytes, value_bytes);
    value[value_bytes] = '\0';
    if (!api_answer_warning(text, sizeof text, value) || strcmp(text, client->warning) == 0)
        return bytes;
    memcpy(client->warning, text, sizeof text);
    cleanup_buffer struct buffer shown = {0};
    terminal_escape(&shown, text);
    fprintf(stderr, "hordelet: warning: %s\n", terminal_text(&shown));
    return bytes;
}

/* --- Failures --------------------------------------------------------------------------------- */

static int fail_connect(const struct api_client *client, struct error *err)
{
    long number = 0;
    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &number);
    const char *why = number ? strerror((int)number) : "no connection";
    const char *hint =
        number == EACCES || number == EPERM
            ? "Its socket belongs to another user: try it as root."
            : "Is an agent running? Start one with `hordelet agent`, or name another one with "
              "--api or HORDELET_API.";
    return error_set(err, ERROR_IO, "cannot reach the agent at %s: %s\n%s", client->address.text,
                     why, hint);
}

static int fail(const struct api_client *client, CURLcode code, struct error *err)
{
    char duration[DURATION_TEXT_BYTES];
    double connect_seconds = 0;
    curl_easy_getinfo(client->curl, CURLINFO_CONNECT_TIME, &connect_seconds);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return fail_connect(client, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, ERROR_IO, "cannot reach the agent at %s: its host name is unknown",
                         client->address.text);
    case CURLE_OPERATION_TIMEDOUT:
        if (connect_seconds <= 0 && !client->address.socket[0])
            return error_set(err, ERROR_IO,
                             "cannot reach the agent at %s: no connection within %d s",
                             client->address.text, API_CONNECT_TIMEOUT_MS / 1000);
        return error_set(err, ERROR_IO, "no answer from the agent at %s within %s (see --timeout)",
                         client->address.text, duration_print(client->timeout_ms, duration));
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_set(err, ERROR_IO,
                         "the agent at %s is not believed to be one: %s\nWhich authorities vouch "
                         "for agents, --ca-file or HORDELET_CA_FILE says.",
                         client->address.text, client->detail);
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return error_set(err, ERROR_IO, "%s", client->detail);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_set(err, ERROR_IO, "the agent at %s hung up%s", client->address.text,
                         client->address.socket[0] ? ""
                         : client->address.tls
                             ? ": does it serve TLS 1.3? If not, its address is http://..."
                             : ": if it serves TLS, its address is https://...");
    case CURLE_WRITE_ERROR:
        return error_set(err, ERROR_IO, "the answer of the agent at %s is larger than %zu MiB",
                         client->address.text, API_ANSWER_BYTES_MAX >> 20);
    default:
        return error_set(err, ERROR_IO, "the request to the agent at %s failed: %s",
                         client->address.text, curl_easy_strerror(code));
    }
}

/* --- Requests --------------------------------------------------------------------------------- */

static struct curl_slist *prepare_headers(const struct api_send *send)
{
    char content_type[128];
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    snprintf(content_type, sizeof content_type, "Content-Type:%s%s", send->content_type ? " " : "",
             send->content_type ? send->content_type : "");
    headers = curl_slist_append(headers, content_type);
    if (send->token) {
        char token[OWNER_TOKEN_BYTES_MAX + 32];
        snprintf(token, sizeof token, "Hordelet-Token: %s", send->token);
        headers = curl_slist_append(headers, token);
    }
    return curl_slist_append(headers,
                             "Expect:"); /* else curl waits for a 100 before larger bodies */
}

static int prepare(struct api_client *client, const struct api_send *send, const char *url,
                   struct curl_slist *headers, struct error *err)
{
    CURL *curl = client->curl;
    long timeout_ms = client->timeout_ms > 0 ? (long)client->timeout_ms : 1;
    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (client->address.socket[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.socket);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)API_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hordelet/" HORDELET_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    if (send->content_type || strcmp(send->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)send->body.bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         send->body.bytes ? (const char *)send->body.data : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, send->method);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->detail);
    client->detail[0] = '\0';
    return api_login_use(&client->address.login, curl, client->address.tls, err);
}

static int transfer(struct api_client *client, const struct api_send *send, int *ret_status,
                    struct error *err)
{
    cleanup_buffer struct buffer url = {0};
    if (!client->curl)
        return error_set(err, ERROR_IO, "libcurl cannot be set up");
    terminal_printf(&url, "%s%s", client->address.base_url, send->path);
    struct curl_slist *headers = prepare_headers(send);
    int ready = prepare(client, send, terminal_text(&url), headers, err);
    buffer_clear(&client->body);
    CURLcode code = ready < 0 ? CURLE_OK : curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    if (ready < 0)
        return -1;
    client->reached = code == CURLE_OK;
    if (code != CURLE_OK)
        return fail(client, code, err);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_status = (int)status;
    return 0;
}

enum { BUSY_SECONDS_MAX = 10 };

/* An agent that has too much to do says when to come again; what it refused it has not done. Its
 * refusal is the answer when the time would be over by then. */
static int transfer_patiently(struct api_client *client, const struct api_send *send,
                              int *ret_status, cJSON **ret_json, struct error *err)
{
    uint64_t deadline_ms = cli_mono_ms() + client->timeout_ms;
    for (;;) {
        struct error malformed = {0};
        if (transfer(client, send, ret_status, err) < 0)
            return -1;
        cJSON *json = client->body.bytes > 0
                          ? json_parse(buffer_view(&client->body), API_ANSWER_BYTES_MAX, &malformed)
                          : NULL;
        int64_t seconds =
            json_get_integer(json_get_object(json, "details"), "retryAfterSeconds", 0);
        uint64_t pause_ms = seconds < BUSY_SECONDS_MAX ? (uint64_t)seconds * 1000
                                                       : (uint64_t)BUSY_SECONDS_MAX * 1000;
        if (*ret_status != 429 || seconds <= 0 || cli_mono_ms() + pause_ms >= deadline_ms) {
            *ret_json = json;
            return 0;
        }
        cJSON_Delete(json);
        cli_pause(pause_ms);
    }
}

int api_client_send(struct api_client *client, const struct api_send *send, int *ret_status,
                    cJSON **ret_json, struct error *err)
{
    int status = 0;
    cleanup_json cJSON *json = NULL;
    int result = transfer_patiently(client, send, &status, &json, err);
    if (ret_status)
        *ret_status = status;
    if (result < 0)
        return result;
    if (status < 200 || status > 299 || (client->body.bytes > 0 && !json))
        return api_answer_fail(err, status, json);
    if (ret_json) {
        *ret_json = json;
        json = NULL;
    }
    return 0;
}

int api_client_get(struct api_client *client, const char *path, cJSON **ret_json, struct error *err)
{
    struct api_send send = {.method = "GET", .path = path};
    if (api_client_send(client, &send, NULL, ret_json, err) < 0)
        return -1;
    return *ret_json ? 0 : api_answer_fail(err, 200, NULL);
}

/* --- Lists ------------------------------------------------------------------------------------ */

/* Moves the items of a page, which is deleted, to the list. *ret_token: where the next page begins,
 * NULL at the end; the caller frees. The version of the first page is that of the list: what
 * changes while the others are read is told after it. */
static void list_take_page(cJSON *items, cJSON *page, char **ret_token, char *ret_version)
{
    const char *token = json_get_text(json_get_object(page, "metadata"), "continue");
    const char *version = json_get_text(json_get_object(page, "metadata"), "resourceVersion");
    if (ret_version && !*ret_version)
        snprintf(ret_version, API_VERSION_BYTES, "%s", version ? version : "");
    cJSON *from = cJSON_GetObjectItemCaseSensitive(page, "items");
    *ret_token = token && *token ? xstrdup(token) : NULL;
    while (from && from->child)
        cJSON_AddItemToArray(items, cJSON_DetachItemViaPointer(from, from->child));
    cJSON_Delete(page);
}

/* The agent has not kept the rest of a list: it is asked for the whole. */
static int list_at_once(struct api_client *client, const char *path, cJSON **ret_items,
                        char *ret_version, struct error *err)
{
    cleanup_json cJSON *items = json_new_array();
    cleanup_free char *token = NULL;
    cJSON *page = NULL;
    if (api_client_get(client, path, &page, err) < 0)
        return -1;
    if (ret_version)
        *ret_version = '\0';
    list_take_page(items, page, &token, ret_version);
    *ret_items = items;
    items = NULL;
    return 0;
}

int api_client_list(struct api_client *client, const char *path, cJSON **ret_items,
                    char *ret_version, struct error *err)
{
    if (ret_version)
        *ret_version = '\0';
    cleanup_json cJSON *items = json_new_array();
    cleanup_free char *token = NULL;
    do {
        cleanup_buffer struct buffer page_path = {0};
        cJSON *page = NULL;
        terminal_printf(&page_path, "%s", path);
        api_path_query(&page_path, "limit", LIST_PAGE);
        api_path_query(&page_path, "continue", token);
        struct api_send send = {.method = "GET", .path = terminal_text(&page_path)};
        int status = 0;
        if (api_client_send(client, &send, &status, &page, err) < 0) {
            if (status != 410 || !token)
                return -1;
            return list_at_once(client, path, ret_items, ret_version, err);
        }
        free(token);
        list_take_page(items, page, &token, ret_version);
    } while (token);
    *ret_items = items;
    items = NULL;
    return 0;
}

/* --- Watches ---------------------------------------------------------------------------------- */

enum { KEEPALIVE_SECONDS = 10 }; /* an agent whose machine died says nothing any more */

struct watch {
    struct api_client *client;
    api_client_event *event;
    void *context;
    int result; /* of the event that ended it; 0: none */
};

/* One line. A Status instead of an event is left in the body, for api_answer_fail. */
static int watch_line(struct watch *watch, struct span line)
{
    struct error malformed = {0};
    cleanup_json cJSON *json = json_parse(line, API_ANSWER_BYTES_MAX, &malformed);
    const char *type = json_get_text(json, "type");
    const cJSON *object = json_get_object(json, "object");
    if (!type)
        return 0;
    if (strcmp(type, "ERROR") != 0)
        return watch->event(watch->context, type, object);
    return json_get_integer(object, "code", 0) == 410 ? API_WATCH_EXPIRED : API_WATCH_FAILED;
}

static size_t on_watch(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    struct buffer *body = &watch->client->body;
    if (on_body(data, size, count, watch->client) != size * count)
        return 0;
    size_t at = 0;
    for (uint8_t *end; (end = memchr(body->data + at, '\n', body->bytes - at)) != NULL;) {
        size_t bytes = (size_t)(end - body->data) - at;
        watch->result = watch_line(watch, span_of(body->data + at, bytes));
        at += bytes + 1;
        if (watch->result != 0)
            return 0; /* ends the transfer */
    }
    memmove(body->data, body->data + at, body->bytes - at);
    body->bytes -= at;
    return size * count;
}

/* A CURLcode, or -1 with err. */
static int watch_perform(struct watch *watch, const char *path, uint64_t timeout_ms,
                         long *ret_status, struct error *err)
{
    struct api_client *client = watch->client;
    struct api_send send = {.method = "GET", .path = path};
    cleanup_buffer struct buffer url = {0};
    terminal_printf(&url, "%s%s", client->address.base_url, path);
    struct curl_slist *headers = prepare_headers(&send);
    int ready = prepare(client, &send, terminal_text(&url), headers, err);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_watch);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, watch);
    curl_easy_setopt(client->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_SECONDS);
    curl_easy_setopt(client->curl, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_SECONDS);
    buffer_clear(&client->body);
    int code = ready < 0 ? -1 : (int)curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, ret_status);
    return code;
}

int api_client_watch(struct api_client *client, const char *path, uint64_t timeout_ms,
                     api_client_event *event, void *context, struct error *err)
{
    struct watch watch = {.client = client, .event = event, .context = context};
    long status = 0;
    if (!client->curl)
        return error_set(err, ERROR_IO, "libcurl cannot be set up");
    int performed = watch_perform(&watch, path, timeout_ms, &status, err);
    if (performed < 0)
        return API_WATCH_FAILED;
    CURLcode code = (CURLcode)performed;
    client->reached = code == CURLE_OK || status != 0;
    if (watch.result == API_WATCH_FAILED)
        return error_set(err, ERROR_IO, "the agent at %s ended the watch", client->address.text);
    if (watch.result != 0)
        return watch.result;
    if (status == 410)
        return API_WATCH_EXPIRED;
    if (status >= 300) {
        struct error malformed = {0};
        cleanup_json cJSON *json =
            json_parse(buffer_view(&client->body), API_ANSWER_BYTES_MAX, &malformed);
        return api_answer_fail(err, (int)status, json);
    }
    if (code == CURLE_OK || (code == CURLE_OPERATION_TIMEDOUT && status == 200))
        return API_WATCH_ENDED;
    return fail(client, code, err);
}
