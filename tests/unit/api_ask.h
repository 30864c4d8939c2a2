/* Whole requests against the fake node of api_fake_query.h: ask, then look at the answer. */
#ifndef TESTS_UNIT_API_ASK_H
#define TESTS_UNIT_API_ASK_H

#include <cjson/cJSON.h>
#include <string.h>

#include "agent/codec/api_call.h"
#include "api_fake_query.h"

#define ROOT "/apis/hordelet.dev/v1"
#define WORKLOADS ROOT "/namespaces/default/workloads"
#define JSON "application/json"
#define MERGE "application/merge-patch+json"
#define DOCUMENT(name, replicas)                                                               \
    "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":"                                                                            \
    "{\"replicas\":" #replicas ",\"container\":{\"image\":\"busybox\"}}}"

enum { TAG = 0xabcdef };

static struct node *node;
static struct api_hub *hub; /* NULL: none */
static uint64_t mono_ms;
static uint64_t last_request_id;
static struct api_response answer; /* of the last request */
static cJSON *json;                /* of the last answer, if it was JSON */

static const struct policy *asked_policy; /* NULL: everything is allowed */

static inline struct api_context context_of(void)
{
    struct api_context context = {.node = node,
                                  .policy = asked_policy,
                                  .member = "a",
                                  .run_tag = TAG,
                                  .wall_ms = 1700000000000,
                                  .mono_ms = mono_ms,
                                  .hub = hub,
                                  .request_id = ++last_request_id};
    memset(context.random, (int)last_request_id, sizeof context.random);
    return context;
}

static inline void forget(void)
{
    cJSON_Delete(json);
    json = NULL;
    buffer_release(&answer.body);
    answer = (struct api_response){0};
}

/* Runs a call to its end, as api_server_exchange.c does. */
static inline int ask(struct api_request request)
{
    struct api_call call;
    struct api_context context = context_of();
    forget();
    enum api_progress progress = api_call_start(&call, &request, &context);
    while (progress == API_SUBMIT) {
        struct reply reply = fake_step(node, &call.submit);
        context = context_of();
        api_call_submitted(&call, &context);
        context = context_of();
        progress = api_call_reply(&call, &reply, &context);
    }
    answer = call.response;
    call.response.body = (struct buffer){0};
    json = cJSON_ParseWithLength((const char *)answer.body.data, answer.body.bytes);
    api_call_release(&call);
    return answer.status;
}

static inline int get(const char *target)
{
    return ask((struct api_request){.method = "GET", .target = target});
}

static inline int send(const char *method, const char *target, const char *content_type,
                       const char *body)
{
    return ask((struct api_request){.method = method,
                                    .target = target,
                                    .content_type = content_type,
                                    .user_agent = "test/1",
                                    .body = span_text(body)});
}

/* "metadata.labels.app"; items of arrays by number. */
static inline const cJSON *at(const char *path)
{
    const cJSON *value = json;
    while (value && *path) {
        char key[64] = "";
        size_t bytes = strcspn(path, ".");
        memcpy(key, path, bytes);
        path += bytes + (path[bytes] == '.');
        value = cJSON_IsArray(value) ? cJSON_GetArrayItem(value, atoi(key))
                                     : cJSON_GetObjectItemCaseSensitive(value, key);
    }
    return value;
}

static inline const char *text(const char *path)
{
    const char *value = cJSON_GetStringValue(at(path));
    return value ? value : "";
}

static inline double number(const char *path)
{
    const cJSON *value = at(path);
    return cJSON_IsNumber(value) ? value->valuedouble : -1;
}

static inline const char *header(const char *name)
{
    for (size_t i = 0; i < answer.header_count; i++)
        if (strcmp(answer.headers[i].name, name) == 0)
            return answer.headers[i].value;
    return "";
}

/* How many items there are; -1: it is no list. */
static inline int list_size(const char *target)
{
    return get(target) == 200 ? cJSON_GetArraySize(at("items")) : -1;
}

static inline void begin(void)
{
    node = fake_node_new();
    fake_add_workload(node, "default", "api", 1, "{\"app\":\"api\",\"tier\":\"back\"}");
    fake_add_workload(node, "default", "web", 3, "{\"app\":\"web\"}");
    fake_add_workload(node, "other", "web", 1, "{\"app\":\"web\"}");
    fake_add_children(node, "b");
}

/* Of the workload as it is: what the token of a child says. */
static inline void take_uid(struct api_identity *identity)
{
    struct child_view view;
    CU_ASSERT_TRUE_FATAL(query_child(node, &identity->child, &view));
    TEXT_SET(identity->uid, view.uid);
}

static inline void end(void)
{
    forget();
    fake_node_free(node);
    node = NULL;
}

#endif
