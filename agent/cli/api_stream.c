/* See api_stream.h: libcurl's multi interface. Standard output that is slow holds up curl's
 * callbacks, and so the agent and the engine behind it: nothing piles up here. */
#include "agent/cli/api_stream.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/api_answer.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/terminal.h"

enum { FAILURE_BYTES_MAX = 1024 * 1024, POLL_MS = 1000 };

static size_t stream_has_bytes(char *data, size_t size, size_t count, void *context)
{
    struct api_stream *stream = context;
    size_t bytes = size * count;
    long status = 0;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        if (stream->body.bytes + bytes <= FAILURE_BYTES_MAX)
            buffer_append(&stream->body, data, bytes);
        return bytes;
    }
    if (stream->piece(stream, span_of(data, bytes)))
        return bytes;
    *stream->stop = true;
    return 0;
}

static void stream_begin(struct api_client *client, struct api_stream *stream, CURLM *multi,
                         uint64_t quiet_ms)
{
    const struct api_address *address = api_client_where(client);
    cleanup_buffer struct buffer url = {0};
    CURL *curl = stream->curl = curl_easy_init();
    terminal_printf(&url, "%s%s", address->base_url, stream->path);
    curl_easy_setopt(curl, CURLOPT_URL, terminal_text(&url));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (address->socket[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, address->socket);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)API_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (quiet_ms > 0) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)((quiet_ms + 999) / 1000));
    }
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hordelet/" HORDELET_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, stream_has_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, stream);
    stream->failed = api_login_use(&address->login, curl, address->tls, &stream->err) < 0;
    if (!stream->failed)
        curl_multi_add_handle(multi, curl);
}

static void stream_end(struct api_client *client, struct api_stream *stream, CURLcode code)
{
    long status = 0;
    struct error malformed = {0};
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    bool unwanted = *stream->stop && code == CURLE_WRITE_ERROR;
    stream->failed = (code != CURLE_OK && !unwanted) || status < 200 || status > 299;
    if (!stream->failed)
        return;
    if (code != CURLE_OK) {
        error_set(&stream->err, ERROR_IO, "%s the agent at %s: %s",
                  status ? "the answer broke off:" : "cannot reach", api_client_address(client),
                  curl_easy_strerror(code));
        return;
    }
    cJSON *json = json_parse(buffer_view(&stream->body), FAILURE_BYTES_MAX, &malformed);
    api_answer_fail(&stream->err, (int)status, json);
    cJSON_Delete(json);
}

static void streams_reap(struct api_client *client, CURLM *multi)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
        struct api_stream *stream = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&stream);
        stream_end(client, stream, message->data.result);
    }
}

void api_streams_run(struct api_client *client, struct api_stream *streams, size_t count,
                     uint64_t quiet_ms)
{
    CURLM *multi = curl_multi_init();
    bool stop = false;
    int running = 0;
    for (size_t i = 0; i < count; i++) {
        streams[i].stop = &stop;
        stream_begin(client, &streams[i], multi, quiet_ms);
    }
    do {
        curl_multi_perform(multi, &running);
        streams_reap(client, multi);
        if (running > 0 && !stop)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    } while (running > 0 && !stop);
    for (size_t i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, streams[i].curl);
        curl_easy_cleanup(streams[i].curl);
        buffer_release(&streams[i].body);
        streams[i].curl = NULL;
    }
    curl_multi_cleanup(multi);
}
