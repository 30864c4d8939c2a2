/* One request of the API, by an owner of names and a child, against a node with a workload: its
 * method, target, Accept, Content-Type, Hordelet-After and body, each a line but the last. Every
 * request has one answer with a known status; a failure is a Status object that is JSON. */
#include <cjson/cJSON.h>

#include "agent/codec/api_call.h"
#include "agent/io/child_access.h"
#include "tests/fuzz/fuzz_node.h"

static struct buffer stored; /* of node_disk: a node with one workload of two children */

static struct api_response ask(struct fuzz_node *fuzz, const struct api_request *request)
{
    static uint64_t id;
    struct api_call call;
    struct api_context context = {.node = fuzz->node,
                                  .member = "a",
                                  .run_tag = 5,
                                  .wall_ms = 1700000000000,
                                  .request_id = ++id,
                                  .random = {1, 2, 3}};
    enum api_progress progress = api_call_start(&call, request, &context);
    while (progress == API_SUBMIT) {
        struct event event = {.type = EVENT_REQUEST, .request = &call.submit};
        fuzz->reply.id = 0;
        fuzz_step(fuzz, &event);
        api_call_submitted(&call, &context);
        for (int i = 0; i < 200 && fuzz->reply.id != call.submit.id; i++)
            fuzz_tick(fuzz, 500);
        fuzz_require(fuzz->reply.id == call.submit.id, "a request is answered");
        context.request_id = ++id;
        progress = api_call_reply(&call, &fuzz->reply, &context);
    }
    struct api_response response = call.response;
    call.response.body = (struct buffer){0};
    api_call_release(&call);
    return response;
}

static void check_response(const struct api_response *response)
{
    fuzz_require(response->status >= 200 && response->status < 600, "the status is one of HTTP");
    if (response->status < 400 || !response->content_type ||
        strcmp(response->content_type, API_JSON) != 0)
        return;
    cJSON *status = cJSON_ParseWithLength((const char *)response->body.data, response->body.bytes);
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(status, "kind"));
    fuzz_require(kind && strcmp(kind, "Status") == 0, "a failure is a Status");
    cJSON_Delete(status);
}

static void store_once(void)
{
    static const char body[] =
        "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"web\","
        "\"labels\":{\"app\":\"web\"}},\"spec\":{\"replicas\":2,\"container\":{\"image\":\"i\"}}}";
    if (stored.bytes > 0)
        return;
    struct fuzz_node fuzz = fuzz_node_start(span_of(NULL, 0), NULL, 0);
    struct api_request request = {.method = "POST",
                                  .target = "/apis/hordelet.dev/v1/namespaces/default/workloads",
                                  .content_type = API_JSON,
                                  .body = span_text(body)};
    struct api_response response = ask(&fuzz, &request);
    fuzz_require(response.status == 201, "the workload is stored");
    buffer_release(&response.body);
    node_disk(fuzz.node, &stored);
    node_free(fuzz.node);
}

/* A line off the input, zero-terminated; NULL if it is empty. MHD gives no text with a zero. */
static char *take_line(struct span *input)
{
    const uint8_t *end = memchr(input->data, '\n', input->bytes);
    size_t bytes = end ? (size_t)(end - input->data) : input->bytes;
    char *line = bytes > 0 ? xmemdup(input->data, bytes) : NULL;
    size_t taken = end ? bytes + 1 : bytes;
    *input = span_of(input->data + taken, input->bytes - taken);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    store_once();
    if (bytes == 0)
        return 0;
    char *method = take_line(&input), *target = take_line(&input), *accept = take_line(&input),
         *type = take_line(&input), *after = take_line(&input);
    static const struct api_identity child = {.child = {"default", "web", 0}, .epoch = 1};
    struct api_identity ignored;
    struct child_access access = {.key = {1}};
    fuzz_require(!after || !child_token_verify(&access, after, &ignored), "no token is guessed");
    struct api_request request = {.method = method ? method : "GET",
                                  .target = target ? target : "/",
                                  .accept = accept,
                                  .content_type = type,
                                  .user_agent = "fuzz",
                                  .after = after,
                                  .token = "0123456789abcdef",
                                  .child = &child,
                                  .body = input};
    struct fuzz_node fuzz = fuzz_node_start(buffer_view(&stored), NULL, 0);
    struct api_response response = ask(&fuzz, &request);
    check_response(&response);
    buffer_release(&response.body);
    node_check(fuzz.node);
    node_free(fuzz.node);
    free(method);
    free(target);
    free(accept);
    free(type);
    free(after);
    return 0;
}
