/* The life of a call (see api_call.h): parse, wait, dispatch, answer. What the verbs do is in
 * api_read.c, api_write.c, api_scale.c, api_action.c, api_registry.c and api_discovery.c; this
 * file is what they have in common.
 *
 *   start --(Hordelet-After)--> REQUEST_WAIT --reply 200--> dispatch --> done
 *     `----------------------------------------------------^   `--> write submitted --reply--> done
 *
 * Invariant: a response is set exactly when API_DONE is returned, and then its status is not 0. */
#include "agent/codec/api_call_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/codec/yaml.h"

enum { ANSWER_BYTES = 1024 }; /* of most objects */

/* --- Answers ---------------------------------------------------------------------------------- */

void api_call_header(struct api_call *call, const char *name, const char *format, ...)
{
    struct api_response *response = &call->response;
    assert(response->header_count < API_HEADERS_MAX);
    struct api_header *header = &response->headers[response->header_count++];
    va_list arguments;
    header->name = name;
    va_start(arguments, format);
    vsnprintf(header->value, sizeof header->value, format, arguments);
    va_end(arguments);
}

struct api_writer api_call_answer(struct api_call *call, int status)
{
    buffer_clear(&call->response.body);
    if (call->response.body.capacity == 0)
        buffer_reserve(&call->response.body, ANSWER_BYTES);
    call->response.status = status;
    call->response.content_type = API_JSON;
    return api_writer_of(&call->response.body);
}

void api_call_success(struct api_call *call, int status, const char *uid)
{
    api_call_answer(call, status);
    api_success_write(&call->response.body, api_resources[call->route.resource].plural,
                      call->route.name, uid);
}

static void call_to_yaml(struct api_call *call)
{
    struct buffer *body = &call->response.body;
    cJSON *object = cJSON_ParseWithLength((const char *)body->data, body->bytes);
    char *text = object ? yaml_print(object) : NULL;
    cJSON_Delete(object);
    if (!text)
        return; /* a document that is not JSON: it is shown as it is */
    buffer_clear(body);
    buffer_append(body, text, strlen(text));
    free(text);
    call->response.content_type = API_YAML;
}

static void call_indent(struct api_call *call)
{
    struct buffer indented = {0};
    api_json_indent(&indented, buffer_view(&call->response.body));
    buffer_release(&call->response.body);
    call->response.body = indented;
}

static enum api_progress call_finish(struct api_call *call)
{
    struct api_response *response = &call->response;
    if (call->failure.status) {
        api_call_answer(call, call->failure.status);
        api_failure_write(&call->failure, &response->body);
        if (call->failure.retry_after_seconds)
            api_call_header(call, "Retry-After", "%u", call->failure.retry_after_seconds);
    }
    assert(response->status);
    bool json = response->content_type && strcmp(response->content_type, API_JSON) == 0;
    if (json && call->yaml)
        call_to_yaml(call);
    else if (json && api_query_flag(&call->query, "pretty"))
        call_indent(call);
    return API_DONE;
}

void api_call_refuse(struct api_call *call, int status, const char *message)
{
    call->response.header_count = 0;
    api_failure_set(&call->failure, status, "%s", message);
    call_finish(call);
}

void api_call_refuse_busy(struct api_call *call, unsigned seconds, const char *message)
{
    call->response.header_count = 0;
    api_failure_set(&call->failure, 429, "%s", message);
    call->failure.retry_after_seconds = seconds;
    call_finish(call);
}

/* --- Before the verbs ------------------------------------------------------------------------- */

static bool media_is(struct span media, const char *name)
{
    return media.bytes == strlen(name) &&
           strncasecmp((const char *)media.data, name, media.bytes) == 0;
}

struct media_range {
    struct span type;
    bool as;    /* it asks for another form */
    bool table; /* ... which is a Table, of the version that we have */
};

/* Takes one off the text. */
static struct media_range accept_take(const char **at)
{
    const char *start = *at + strspn(*at, " \t,");
    size_t bytes = strcspn(start, ",");
    size_t type_bytes = strcspn(start, ";, \t");
    *at = start + bytes;
    bool as = memmem(start, bytes, "as=", 3) != NULL;
    return (struct media_range){
        .type = span_of(start, type_bytes < bytes ? type_bytes : bytes),
        .as = as,
        .table = memmem(start, bytes, "as=Table", 8) && memmem(start, bytes, "v=v1;", 5) &&
                 memmem(start, bytes, "g=meta.k8s.io", 13),
    };
}

/* Only what is read comes as a Table; to all else the next range applies. */
static bool call_can_be_table(const struct api_call *call)
{
    const struct api_route *route = &call->route;
    bool read = route->verb == API_GET || route->verb == API_LIST || route->verb == API_WATCH;
    return read && route->subresource == API_NO_SUBRESOURCE &&
           !api_query_flag(&call->query, "count");
}

static int call_set_include(struct api_call *call)
{
    const char *include = api_query_get(&call->query, "includeObject");
    call->shape.table = true;
    if (!include || !*include || strcmp(include, "Metadata") == 0)
        call->shape.include = API_INCLUDE_METADATA;
    else if (strcmp(include, "Object") == 0)
        call->shape.include = API_INCLUDE_OBJECT;
    else if (strcmp(include, "None") == 0)
        call->shape.include = API_INCLUDE_NONE;
    else
        return api_failure_set(&call->failure, 400,
                               "includeObject: expected Metadata, Object or None, not \"%.40s\"",
                               include);
    return 0;
}

static int call_set_accept(struct api_call *call)
{
    const char *at = call->request->accept;
    if (!at || !*at)
        return 0;
    while (*at) {
        struct media_range range = accept_take(&at);
        struct span media = range.type;
        if (range.as && !(range.table && call_can_be_table(call)))
            continue;
        if (range.as && media_is(media, API_JSON))
            return call_set_include(call);
        call->yaml = media_is(media, API_YAML) || media_is(media, "application/x-yaml") ||
                     media_is(media, "text/yaml");
        if (call->yaml || media_is(media, API_JSON) || media_is(media, "*/*") ||
            media_is(media, "application/*"))
            return 0;
    }
    call->yaml = false;
    return api_failure_set(&call->failure, 406,
                           "only the following media types are accepted: %s, %s", API_JSON,
                           API_YAML);
}

static int call_set_route(struct api_call *call, const char *path)
{
    bool watch = api_query_flag(&call->query, "watch");
    enum api_route_result result =
        api_route_parse(&call->route, call->request->method, path, watch);
    char methods[64];
    api_route_methods(&call->route, methods, sizeof methods);
    switch (result) {
    case API_ROUTE_FOUND:
        return 0;
    case API_ROUTE_MALFORMED:
        return api_failure_set(&call->failure, 400,
                               "the path has a malformed %%XX escape or a zero byte");
    case API_ROUTE_NO_NAME:
        return api_failure_not_found(&call->failure, call->route.resource, "");
    case API_ROUTE_NO_METHOD:
        api_call_header(call, "Allow", "%s", methods);
        return api_failure_set(&call->failure, 405,
                               "the server does not allow this method on the requested resource");
    case API_ROUTE_OPTIONS:
        api_call_header(call, "Allow", "%s", methods);
        call->response.status = 204;
        return 0;
    case API_ROUTE_NO_PATH:
        break;
    }
    return api_failure_no_path(&call->failure);
}

static int call_parse(struct api_call *call)
{
    const char *target = call->request->target;
    size_t path_bytes = strcspn(target, "?#");
    const char *query = target[path_bytes] == '?' ? target + path_bytes + 1 : "";
    struct error err = {0};
    if (api_query_parse(&call->query, span_text(query), &err) < 0)
        return api_failure_set(&call->failure, 400, "%s", err.text);
    char *path = xmemdup(target, path_bytes);
    int result = call_set_route(call, path);
    if (result == 0 && call->request->principal)
        result = api_access_check(call->request->principal, &call->route, path, &call->failure);
    free(path);
    if (result < 0 || call->response.status)
        return result;
    bool objects =
        call->route.endpoint == API_ENDPOINT_OBJECTS || call->route.endpoint == API_ENDPOINT_EVENTS;
    return objects ? call_set_accept(call) : 0;
}

/* "REPLICA.COUNTER" */
static bool dot_parse(struct dot *ret_dot, const char *text)
{
    char *end;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 20 || text[digits] != '.')
        return false;
    uint64_t replica = strtoull(text, &end, 10);
    digits = strspn(end + 1, "0123456789");
    if (digits == 0 || digits > 20 || end[1 + digits] != '\0')
        return false;
    *ret_dot = (struct dot){replica, strtoull(end + 1, NULL, 10)};
    return ret_dot->replica != 0 && ret_dot->counter != 0;
}

/* API_SUBMIT if there is something to wait for. */
static int call_wait(struct api_call *call, const struct api_context *context)
{
    const char *after = api_query_get(&call->query, "after");
    if (!after)
        after = call->request->after;
    if (!after || !*after || call->route.endpoint != API_ENDPOINT_OBJECTS)
        return API_DONE;
    call->submit = (struct request){.id = context->request_id, .kind = REQUEST_WAIT};
    if (!dot_parse(&call->submit.after, after))
        return api_failure_set(&call->failure, 400,
                               "Hordelet-After: expected REPLICA.COUNTER as in Hordelet-Written");
    call->waiting = true;
    return API_SUBMIT;
}

/* --- Dispatch --------------------------------------------------------------------------------- */

static void route_resolve_self(struct api_call *call, const char *member)
{
    struct api_route *route = &call->route;
    const struct api_identity *child = call->request->child;
    if (route->resource == API_CHILDREN && strcmp(route->name, API_SELF) == 0 && child)
        api_child_name_print(&child->child, route->name, sizeof route->name);
    if (route->resource == API_MEMBERS && strcmp(route->name, API_SELF) == 0)
        TEXT_SET(route->name, member);
}

static int call_dispatch(struct api_call *call, const struct api_context *context)
{
    struct api_route *route = &call->route;
    route_resolve_self(call, context->member);
    if (api_child_may(call, context) < 0)
        return -1;
    if (route->endpoint == API_ENDPOINT_EVENTS)
        return api_events(call, context);
    if (route->endpoint != API_ENDPOINT_OBJECTS)
        return api_discovery(call, context);
    bool watched = route->verb == API_GET && route->subresource == API_NO_SUBRESOURCE &&
                   api_query_flag(&call->query, "watch");
    if (route->verb == API_WATCH || watched)
        return api_watch_begin(call, context);
    if (route->subresource == API_SCALE)
        return api_scale(call, context);
    if (route->subresource == API_STATE)
        return api_state(call, context);
    if (route->subresource == API_LOG)
        return api_log(call, context);
    if (route->subresource == API_EXEC)
        return api_failure_set(
            &call->failure, 501,
            "hordelet does not carry terminals and ports to containers: use the engine of the "
            "node, as docker exec; kubectl get pods -o wide names the node");
    if (route->subresource == API_ORPHANS)
        return api_orphans(call, context);
    if (route->subresource == API_QUORUM || route->subresource == API_FORCE_ELECTORATE)
        return api_action(call, context);
    if (route->subresource == API_RING || route->subresource == API_REBALANCE)
        return api_placement(call, context);
    if (route->verb == API_GET || route->verb == API_LIST)
        return api_read(call, context);
    if (route->resource == API_WORKLOADS || route->resource == API_SUPERVISORS)
        return api_write(call, context);
    if (route->resource == API_NAMES || route->resource == API_METAS)
        return api_registry(call, context);
    return api_action(call, context);
}

static enum api_progress call_run(struct api_call *call, const struct api_context *context)
{
    call->submit = (struct request){.id = context->request_id};
    call->waiting = false;
    int progress = call_dispatch(call, context);
    if (progress == API_STREAM)
        call->streaming = true;
    return progress == API_SUBMIT || progress == API_STREAM ? (enum api_progress)progress
                                                            : call_finish(call);
}

void api_call_init(struct api_call *call)
{
    memset(call, 0, offsetof(struct api_call, query));
    call->query.count = 0;
    call->query.storage = NULL;
    call->failure.status = 0;
    call->response.status = 0;
    call->response.content_type = NULL;
    call->response.body = (struct buffer){0};
    call->response.header_count = 0;
}

enum api_progress api_call_start(struct api_call *call, const struct api_request *request,
                                 const struct api_context *context)
{
    api_call_init(call);
    call->request = request;
    call->success = 200;
    if (call_parse(call) < 0 || call->response.status)
        return call_finish(call);
    int wait = call_wait(call, context);
    if (wait < 0)
        return call_finish(call);
    return wait == API_SUBMIT ? API_SUBMIT : call_run(call, context);
}

/* The object as this write has made it: a moment later somebody else may have changed it again. */
void api_call_submitted(struct api_call *call, const struct api_context *context)
{
    if (call->waiting || call->answered)
        return;
    call->answered = true;
    if (call->submit.kind == REQUEST_PUT_WORKLOAD || call->submit.kind == REQUEST_PUT_SUPERVISOR ||
        call->submit.kind == REQUEST_SET_UNSCHEDULABLE)
        api_write_answer(call, context);
    if (call->submit.kind == REQUEST_PUT_NAME || call->submit.kind == REQUEST_SET_VALUE ||
        call->submit.kind == REQUEST_PUT_META)
        api_registry_answer(call, context);
}

/* --- Streams ---------------------------------------------------------------------------------- */

void api_call_cut(struct api_call *call, const char *message)
{
    struct buffer *body = &call->response.body;
    if (call->watch)
        return; /* it ends as at its timeout: the client watches again */
    buffer_append(body, "\nhordelet: ", strlen("\nhordelet: "));
    buffer_append(body, message, strlen(message));
    buffer_append(body, "\n", 1);
}

enum api_progress api_call_poll(struct api_call *call, const struct api_context *context)
{
    return api_watch_poll(call, context) == API_STREAM ? API_STREAM : API_DONE;
}

uint64_t api_stream_generation(const struct node *node)
{
    return query_position(node) + query_journal(node)->serial;
}

static enum api_progress call_piece(struct api_call *call, const struct reply *reply)
{
    if (!call->streaming)
        buffer_clear(&call->response.body); /* what was made ready for a whole answer */
    call->streaming = true;
    call->response.status = call->success;
    if (!call->response.content_type)
        call->response.content_type = API_TEXT;
    buffer_append(&call->response.body, reply->found.data, reply->found.bytes);
    if (reply->status >= 300)
        api_call_cut(call, reply->message);
    return reply->more ? API_STREAM : API_DONE;
}

enum api_progress api_call_reply(struct api_call *call, const struct reply *reply,
                                 const struct api_context *context)
{
    assert(reply->id == call->submit.id);
    if (reply->more || call->streaming)
        return call_piece(call, reply);
    if (reply->status >= 300 || reply->status < 200) {
        api_failure_reply(&call->failure, call->route.resource, call->route.name, reply);
        if (reply->written.counter) /* stored here, but not yet on a second member: the client may
                                       wait for it */
            api_call_header(call, "Hordelet-Written", "%" PRIu64 ".%" PRIu64,
                            reply->written.replica, reply->written.counter);
        return call_finish(call);
    }
    if (call->waiting)
        return call_run(call, context);
    if (call->submit.kind == REQUEST_ORPHANS) {
        api_orphans_answer(call, reply);
        return call_finish(call);
    }
    if (call->submit.kind == REQUEST_EVENTS) {
        api_events_answer(call, reply, context);
        return call_finish(call);
    }
    api_call_submitted(call, context);
    call->response.status = call->success;
    if (reply->written.counter)
        api_call_header(call, "Hordelet-Written", "%" PRIu64 ".%" PRIu64, reply->written.replica,
                        reply->written.counter);
    if (reply->alone)
        api_call_header(call, "Warning", "299 - \"not replicated: no other member alive\"");
    return call_finish(call);
}

void api_call_release(struct api_call *call)
{
    api_watch_free(call->watch);
    api_query_release(&call->query);
    buffer_release(&call->response.body);
    documents_release(&call->documents);
    workload_release(&call->workload);
    supervisor_release(&call->supervisor);
    registration_body_release(&call->body);
    api_call_init(call);
}
