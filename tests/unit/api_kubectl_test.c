/* What kubectl asks of the API beside its objects: OpenAPI, Tables, Pods and Nodes, options in
 * protobuf. That they and the schema agree. */
#include "unit.h"

#include "agent/codec/api_event_write.h"
#include "agent/codec/json.h"
#include "agent/codec/protobuf_options.h"
#include "agent/codec/schema_print.h"
#include "api_ask.h"

#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
#define PODS "/api/v1/namespaces/default/pods"

static int get_table(const char *target)
{
    return ask((struct api_request){.method = "GET", .target = target, .accept = TABLE});
}

static const char *collection(enum api_resource resource)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s",
             api_resources[resource].group[0] ? API_ROOT : API_CORE_ROOT,
             api_resources[resource].plural);
    return path;
}

static void put_meta(void)
{
    CU_ASSERT_EQUAL_FATAL(
        send("POST", ROOT "/namespaces/default/metas", JSON,
             "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Meta\",\"metadata\":{\"name\":"
             "\"limit\"},\"spec\":{\"value\":{\"max\":3}}}"),
        201);
}

/* One event of each kind, as REQUEST_EVENTS finds them. */
static void note_events(struct buffer *found)
{
    static const char *const names[] = {"web-0", "a", "web", "default"};
    struct journal journal = {0};
    struct buffer one = {0};
    for (enum journal_subject subject = 0; subject < JOURNAL_SUBJECT_COUNT; subject++) {
        struct instant now = {.wall_ms = 1699999990000};
        bool in_namespace = subject == JOURNAL_CHILD || subject == JOURNAL_WORKLOAD;
        struct journal_entry entry = {.subject = subject,
                                      .ns = span_text(in_namespace ? "default" : ""),
                                      .name = span_text(names[subject]),
                                      .reason = span_text("Started"),
                                      .message = span_text("so it was")};
        journal_note(&journal, &now, &entry);
    }
    journal_encode(&journal, 0, SIZE_MAX, &one);
    buffer_text(found, "a");
    buffer_span(found, buffer_view(&one));
    buffer_release(&one);
    journal_release(&journal);
    node->found = buffer_view(found);
}

/* --- OpenAPI ---------------------------------------------------------------------------------- */

static unsigned described;

static void check_definition(const cJSON *definition, const cJSON *schemas)
{
    const cJSON *property;
    CU_ASSERT_PTR_NOT_NULL(json_get_text(definition, "description"));
    cJSON_ArrayForEach(property, json_get(definition, "properties"))
    {
        const char *ref = json_get_text(cJSON_GetArrayItem(json_get(property, "allOf"), 0), "$ref");
        if (!ref)
            ref = json_get_text(json_get(property, "items"), "$ref");
        CU_ASSERT_PTR_NOT_NULL(json_get_text(property, "description"));
        if (ref)
            CU_ASSERT_PTR_NOT_NULL(json_get(schemas, strrchr(ref, '/') + 1));
        described++;
    }
}

static bool has_parameter(const cJSON *operation, const char *name)
{
    const cJSON *parameter;
    cJSON_ArrayForEach(parameter, json_get(operation, "parameters"))
    {
        const char *given = json_get_text(parameter, "name");
        if (given && strcmp(given, name) == 0)
            return true;
    }
    return false;
}

static void openapi_is_whole(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(get("/openapi/v3"), 200);
    const cJSON *paths = at("paths");
    CU_ASSERT_PTR_NOT_NULL(json_get(paths, "api/v1"));
    char link[128];
    TEXT_SET(link, json_get_text(json_get(paths, "apis/hordelet.dev/v1"), "serverRelativeURL"));
    CU_ASSERT_EQUAL_FATAL(get(link), 200);
    const cJSON *schemas = at("components.schemas"), *definition;
    described = 0;
    cJSON_ArrayForEach(definition, schemas) check_definition(definition, schemas);
    CU_ASSERT_TRUE(described > 150);
    const cJSON *patch =
        JSON_GET_PATH(at("paths"), ROOT "/namespaces/{namespace}/workloads/{name}", "patch");
    CU_ASSERT_TRUE(has_parameter(patch, "fieldValidation") && has_parameter(patch, "dryRun"));
    CU_ASSERT_STRING_EQUAL(
        json_get_text(json_get(patch, "x-kubernetes-group-version-kind"), "kind"), "Workload");
    CU_ASSERT_PTR_NOT_NULL(
        JSON_GET_PATH(patch, "requestBody", "content", "application/apply-patch+yaml"));
    CU_ASSERT_PTR_NULL(JSON_GET_PATH(at("paths"), ROOT "/workloads", "post"));
    CU_ASSERT_EQUAL_FATAL(get("/openapi/v3/api/v1"), 200);
    schemas = at("components.schemas");
    cJSON_ArrayForEach(definition, schemas) check_definition(definition, schemas);
    CU_ASSERT_PTR_NOT_NULL(json_get(at("paths"), "/api/v1/namespaces/{namespace}/pods/{name}"));
    end();
}

/* --- What is shown, and the schema ------------------------------------------------------------ */

static unsigned held;

static void hold(const struct schema_field *field, const cJSON *value, const char *path);

static void hold_object(const struct schema_object *object, const cJSON *value,
                        const struct schema_field *status, const char *path)
{
    const cJSON *member;
    CU_ASSERT_TRUE(cJSON_IsObject(value));
    cJSON_ArrayForEach(member, value)
    {
        char below[256];
        const struct schema_field *field = schema_find(object, member->string);
        if (!field && status && strcmp(member->string, status->name) == 0)
            field = status;
        snprintf(below, sizeof below, "%.190s.%.60s", path, member->string);
        if (!field)
            printf("%s is shown, and not in the schema\n", below);
        CU_ASSERT_PTR_NOT_NULL(field);
        if (field)
            hold(field, member, below);
    }
}

static bool type_holds(const struct schema_field *field, const cJSON *value)
{
    switch (field->type) {
    case SCHEMA_STRING:
    case SCHEMA_DURATION:
        return cJSON_IsString(value);
    case SCHEMA_INTEGER:
        return cJSON_IsNumber(value);
    case SCHEMA_BOOLEAN:
        return cJSON_IsBool(value);
    case SCHEMA_LIST:
        return cJSON_IsArray(value);
    case SCHEMA_OBJECT:
        return cJSON_IsObject(value) || cJSON_IsNull(value);
    case SCHEMA_STRING_MAP:
    case SCHEMA_QUANTITY_MAP:
        return cJSON_IsObject(value);
    default:
        return true;
    }
}

static void hold(const struct schema_field *field, const cJSON *value, const char *path)
{
    const cJSON *item;
    held++;
    if (!type_holds(field, value))
        printf("%s is no %s\n", path, schema_type_name(field));
    CU_ASSERT_TRUE(type_holds(field, value));
    if (field->type == SCHEMA_OBJECT && cJSON_IsObject(value))
        hold_object(field->object, value, NULL, path);
    if (field->type == SCHEMA_LIST)
        cJSON_ArrayForEach(item, value) hold(field->item, item, path);
}

static void hold_items(const struct schema_kind *kind)
{
    const cJSON *item;
    CU_ASSERT_TRUE(cJSON_GetArraySize(at("items")) > 0);
    cJSON_ArrayForEach(item, at("items"))
    {
        CU_ASSERT_STRING_EQUAL(json_get_text(item, "kind"), kind->kind);
        hold_object(kind->root->object, item, kind->status, kind->kind);
    }
}

static void fill(void)
{
    struct child_view *child = &node->children[0];
    put_meta();
    TEXT_SET(child->container_id, "c0ffee");
    TEXT_SET(child->reason, "NameConflict");
    TEXT_SET(child->message, "held");
    child->has_exit_code = true;
    node->children[1].phase = CHILD_CRASH_LOOP_BACK_OFF;
    node->children[2].phase = CHILD_FAILED;
    node->members[1].unschedulable = node->members[1].draining = true;
    node->members[1].cpu_milli = 4000;
    node->members[1].memory_bytes = 1 << 30;
}

/* Explain, OpenAPI and the reference tell of everything that is shown. */
static void all_that_is_shown_is_in_the_schema(void)
{
    begin();
    struct buffer found = {0};
    fill();
    held = 0;
    for (enum api_resource i = 0; i < API_SHOWN_COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(get(collection(i)), 200);
        hold_items(api_resources[i].schema);
    }
    note_events(&found);
    CU_ASSERT_EQUAL_FATAL(get("/api/v1/events"), 200);
    hold_items(&schema_event);
    CU_ASSERT_TRUE(held > 400);
    buffer_release(&found);
    end();
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void check_table(const char *target)
{
    const cJSON *row;
    CU_ASSERT_EQUAL_FATAL(get_table(target), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Table");
    CU_ASSERT_STRING_EQUAL(text("apiVersion"), "meta.k8s.io/v1");
    int columns = cJSON_GetArraySize(at("columnDefinitions"));
    CU_ASSERT_TRUE(columns > 1 && cJSON_GetArraySize(at("rows")) > 0);
    cJSON_ArrayForEach(row, at("rows"))
    {
        CU_ASSERT_EQUAL(cJSON_GetArraySize(json_get(row, "cells")), columns);
        CU_ASSERT_STRING_EQUAL(json_get_text(json_get(row, "object"), "kind"),
                               "PartialObjectMetadata");
        CU_ASSERT_PTR_NOT_NULL(JSON_GET_PATH(row, "object", "metadata", "name"));
        CU_ASSERT_PTR_NULL(JSON_GET_PATH(row, "object", "spec"));
    }
}

static void everything_comes_as_a_table(void)
{
    begin();
    struct buffer found = {0};
    fill();
    for (enum api_resource i = 0; i < API_SHOWN_COUNT; i++)
        check_table(collection(i));
    note_events(&found);
    check_table("/api/v1/events");
    CU_ASSERT_STRING_EQUAL(text("rows.1.cells.3"), "member/a");
    CU_ASSERT_STRING_EQUAL(text("rows.1.cells.0"), "10s");
    buffer_release(&found);
    check_table(WORKLOADS "/web");
    CU_ASSERT_STRING_EQUAL(text("rows.0.cells.0"), "web");
    CU_ASSERT_STRING_EQUAL(text("rows.0.object.metadata.labels.app"), "web");
    CU_ASSERT_EQUAL(get_table(WORKLOADS "?includeObject=Object"), 200);
    CU_ASSERT_EQUAL(number("rows.1.object.spec.replicas"), 3);
    CU_ASSERT_EQUAL(get_table(WORKLOADS "?includeObject=None"), 200);
    CU_ASSERT_PTR_NULL(at("rows.0.object"));
    CU_ASSERT_EQUAL(get_table(WORKLOADS "?includeObject=All"), 400);
    CU_ASSERT_EQUAL(get_table(WORKLOADS "?limit=1"), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("rows")), 1);
    CU_ASSERT_STRING_NOT_EQUAL(text("metadata.continue"), "");
    CU_ASSERT_EQUAL(get_table(WORKLOADS "/web/scale"), 200); /* no Table: the next range */
    CU_ASSERT_STRING_EQUAL(text("kind"), "Scale");
    CU_ASSERT_EQUAL(get_table(WORKLOADS "/none"), 404);
    end();
}

/* --- Pods and Nodes --------------------------------------------------------------------------- */

static void children_are_pods(void)
{
    begin();
    CU_ASSERT_EQUAL(get(PODS "/web-0"), 200);
    CU_ASSERT_STRING_EQUAL(text("apiVersion"), "v1");
    CU_ASSERT_STRING_EQUAL(text("kind"), "Pod");
    CU_ASSERT_STRING_EQUAL(text("status.phase"), "Running");
    CU_ASSERT_STRING_EQUAL(text("spec.nodeName"), "b");
    CU_ASSERT_STRING_EQUAL(text("spec.containers.0.name"), "web");
    CU_ASSERT_STRING_EQUAL(text("spec.containers.0.image"), "busybox");
    CU_ASSERT_STRING_EQUAL(text("metadata.ownerReferences.0.kind"), "Workload");
    CU_ASSERT_STRING_EQUAL(text("metadata.labels.app"), "web");
    CU_ASSERT_STRING_EQUAL(text("status.hostIP"), "10.0.0.1");
    CU_ASSERT_TRUE(cJSON_IsTrue(at("status.containerStatuses.0.ready")));
    CU_ASSERT_EQUAL(get(PODS "?fieldSelector=spec.nodeName=b,status.phase!=Failed"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "PodList");
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 4);
    CU_ASSERT_EQUAL(get(PODS "?fieldSelector=spec.nodeName=a"), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 0);
    CU_ASSERT_EQUAL(get(PODS "?fieldSelector=status.node=b"), 400);
    CU_ASSERT_EQUAL(get(PODS "/none-0"), 404);
    CU_ASSERT_STRING_EQUAL(text("message"), "pods \"none-0\" not found");
    CU_ASSERT_EQUAL(send("POST", PODS, JSON, "{}"), 405);
    CU_ASSERT_EQUAL(get(PODS "/web-0/exec?command=sh"), 501);
    CU_ASSERT_EQUAL(get(PODS "/web-0/log?container=other"), 400);
    CU_ASSERT_EQUAL(get(PODS "/web-0/log?previous=true"), 400);
    CU_ASSERT_EQUAL(get(PODS "/web-0/log?sinceTime=soon"), 400);
    CU_ASSERT_EQUAL(get(PODS "/web-0/log?container=web&sinceTime=2023-11-14T22:13:10Z"), 200);
    CU_ASSERT_EQUAL(node->last.output.since_seconds, 10);
    end();
}

static void members_are_nodes(void)
{
    begin();
    node->members[1].phase = "dead";
    CU_ASSERT_EQUAL(get("/api/v1/nodes/a"), 200);
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.status"), "True");
    CU_ASSERT_STRING_EQUAL(text("metadata.labels.disk"), "ssd");
    CU_ASSERT_EQUAL(get("/api/v1/nodes/b"), 200);
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.status"), "False");
    const char strategic[] = "application/strategic-merge-patch+json";
    CU_ASSERT_EQUAL(
        send("PATCH", "/api/v1/nodes/b", strategic, "{\"spec\":{\"unschedulable\":true}}"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Node");
    CU_ASSERT_TRUE(cJSON_IsTrue(at("spec.unschedulable")));
    CU_ASSERT_TRUE(node->members[1].unschedulable);
    CU_ASSERT_EQUAL(
        send("PATCH", "/api/v1/nodes/b", strategic, "{\"spec\":{\"unschedulable\":null}}"), 200);
    CU_ASSERT_FALSE(node->members[1].unschedulable);
    CU_ASSERT_EQUAL(
        send("PATCH", "/api/v1/nodes/b", MERGE, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 422);
    CU_ASSERT_EQUAL(
        send("PATCH", ROOT "/members/b", strategic, "{\"spec\":{\"unschedulable\":true}}"), 415);
    end();
}

/* --- Events and options ----------------------------------------------------------------------- */

static void events_are_found_as_kubectl_describes(void)
{
    begin();
    struct buffer found = {0};
    char target[256], uid[UID_BYTES + 1];
    note_events(&found);
    CU_ASSERT_EQUAL(get(PODS "/web-0"), 200);
    TEXT_SET(uid, text("metadata.uid"));
    snprintf(target, sizeof target,
             "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=web-0,"
             "involvedObject.namespace=default,involvedObject.kind=Pod,involvedObject.uid=%s",
             uid);
    CU_ASSERT_EQUAL(get(target), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 1);
    CU_ASSERT_STRING_EQUAL(text("items.0.involvedObject.uid"), uid);
    target[strlen(target) - 1] ^= 1;
    CU_ASSERT_EQUAL(get(target), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 0);
    CU_ASSERT_EQUAL(get("/api/v1/events?fieldSelector=involvedObject.name=a,"
                        "involvedObject.namespace=,involvedObject.kind=Node,involvedObject.uid=a"),
                    200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 1);
    buffer_release(&found);
    end();
}

static struct buffer body; /* of options() */

static struct span options(const char *raw, size_t bytes)
{
    static const char head[] =
        "k8s\0\x0a\x13\x0a\x02v1\x12\x0d"
        "DeleteOptions\x12";
    buffer_clear(&body);
    buffer_append(&body, head, sizeof head - 1);
    buffer_u8(&body, (uint8_t)bytes);
    buffer_append(&body, raw, bytes);
    return buffer_view(&body);
}

static int delete_pod(struct span protobuf)
{
    return ask((struct api_request){.method = "DELETE",
                                    .target = PODS "/web-0",
                                    .content_type = PROTOBUF_MEDIA_TYPE,
                                    .body = protobuf});
}

static void options_of_a_delete_may_be_protobuf(void)
{
    begin();
    CU_ASSERT_EQUAL(delete_pod(options("\x08\x1e", 2)), 200); /* gracePeriodSeconds: 30 */
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_CHILD);
    size_t requests = node->requests;
    CU_ASSERT_EQUAL(delete_pod(options("\x2a\x03"
                                       "All",
                                       5)),
                    200); /* dryRun */
    CU_ASSERT_EQUAL(node->requests, requests);
    CU_ASSERT_EQUAL(delete_pod(options("\x12\x03\x0a\x01x", 5)), 409); /* preconditions.uid: x */
    CU_ASSERT_EQUAL(delete_pod(options("\x12\x7f\x0a\x01x", 5)), 400); /* longer than it is */
    CU_ASSERT_EQUAL(delete_pod(span_text("k8s")), 400);
    CU_ASSERT_EQUAL(delete_pod(span_text("{}")), 400);
    CU_ASSERT_EQUAL(node->requests, requests);
    struct span whole = options("\x12\x03\x0a\x01x", 5);
    for (size_t bytes = 0; bytes < whole.bytes; bytes++) /* no prefix is read past its end */
        cJSON_Delete(protobuf_delete_options(span_of(whole.data, bytes)));
    buffer_release(&body);
    end();
}

UNIT_MAIN("api kubectl", {"openapi is whole", openapi_is_whole},
          {"all that is shown is in the schema", all_that_is_shown_is_in_the_schema},
          {"everything comes as a table", everything_comes_as_a_table},
          {"children are pods", children_are_pods}, {"members are nodes", members_are_nodes},
          {"events are found as kubectl describes", events_are_found_as_kubectl_describes},
          {"options of a delete may be protobuf", options_of_a_delete_may_be_protobuf})
