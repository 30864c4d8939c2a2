/* Watches over a real node: what is told, in which order, from where, to whom; what is not. */
#include "restored_node.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_call.h"
#include "agent/codec/api_hub.h"

#define ROOT "/apis/hordelet.dev/v1"
#define WORKLOADS ROOT "/namespaces/default/workloads"

enum { TAG = 0xabcdef };

static struct rig rig;
static struct api_hub *hub;
static uint64_t last_id;
static struct buffer body; /* of the last answer */

static struct api_context context_of(void)
{
    struct api_context context = {.node = rig.node,
                                  .member = "a",
                                  .run_tag = TAG,
                                  .wall_ms = 1700000000000 + rig.now_ms,
                                  .mono_ms = rig.now_ms,
                                  .hub = hub,
                                  .request_id = ++last_id};
    memset(context.random, (int)last_id, sizeof context.random);
    return context;
}

static enum api_progress submit(struct api_call *call)
{
    struct event event = rig_event(&rig, EVENT_REQUEST);
    event.request = &call->submit;
    rig_step(&rig, &event);
    struct api_context context = context_of();
    api_call_submitted(call, &context);
    CU_ASSERT_EQUAL(rig.reply.id, call->submit.id); /* alone: durable at once */
    context = context_of();
    return api_call_reply(call, &rig.reply, &context);
}

static int ask(const char *method, const char *target, const char *text)
{
    struct api_request request = {.method = method,
                                  .target = target,
                                  .content_type = "application/json",
                                  .user_agent = "test",
                                  .body = span_text(text)};
    struct api_call call;
    struct api_context context = context_of();
    enum api_progress progress = api_call_start(&call, &request, &context);
    while (progress == API_SUBMIT)
        progress = submit(&call);
    int status = call.response.status;
    buffer_release(&body);
    body = call.response.body;
    call.response.body = (struct buffer){0};
    api_call_release(&call);
    return status;
}

static void put(const char *ns, const char *name, const char *app, int priority)
{
    char target[256], text[1024];
    snprintf(text, sizeof text,
             "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":"
             "\"%s\",\"namespace\":\"%s\",\"labels\":{\"app\":\"%s\"}},\"spec\":{\"priority\":%d,"
             "\"replicas\":0,\"container\":{\"image\":\"busybox\"}}}",
             name, ns, app, priority);
    snprintf(target, sizeof target, ROOT "/namespaces/%s/workloads", ns);
    if (ask("POST", target, text) == 201)
        return;
    snprintf(target, sizeof target, ROOT "/namespaces/%s/workloads/%s", ns, name);
    CU_ASSERT_EQUAL(ask("PUT", target, text), 200);
}

static void delete (const char *name)
{
    char target[256];
    snprintf(target, sizeof target, WORKLOADS "/%s", name);
    CU_ASSERT_EQUAL(ask("DELETE", target, ""), 200);
}

static const char *list_version(const char *target)
{
    static char version[64];
    CU_ASSERT_EQUAL_FATAL(ask("GET", target, ""), 200);
    cJSON *list = cJSON_ParseWithLength((char *)body.data, body.bytes);
    const cJSON *metadata = cJSON_GetObjectItem(list, "metadata");
    TEXT_SET(version, cJSON_GetStringValue(cJSON_GetObjectItem(metadata, "resourceVersion")));
    cJSON_Delete(list);
    return version;
}

/* --- A watch ---------------------------------------------------------------------------------- */

struct watching {
    struct api_call call;
    struct api_request request;
    char target[512];
    char last[64]; /* the resourceVersion of the last event */
    bool done;
};

/* Returns the HTTP status. */
static int watch(struct watching *watching, const char *target, const char *query)
{
    snprintf(watching->target, sizeof watching->target, "%s?watch=1%s", target, query);
    watching->request = (struct api_request){.method = "GET", .target = watching->target};
    watching->done = false;
    struct api_context context = context_of();
    enum api_progress progress = api_call_start(&watching->call, &watching->request, &context);
    CU_ASSERT_EQUAL(progress == API_STREAM, watching->call.response.status == 200);
    return watching->call.response.status;
}

static void end(struct watching *watching)
{
    api_call_release(&watching->call);
}

static void print_event(struct watching *watching, char *text, size_t bytes, const cJSON *event)
{
    const cJSON *object = cJSON_GetObjectItem(event, "object");
    const cJSON *metadata = cJSON_GetObjectItem(object, "metadata");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(event, "type"));
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(metadata, "name"));
    const char *version = cJSON_GetStringValue(cJSON_GetObjectItem(metadata, "resourceVersion"));
    const cJSON *notes = cJSON_GetObjectItem(metadata, "annotations");
    const cJSON *code = cJSON_GetObjectItem(object, "code");
    size_t at = strlen(text);
    snprintf(text + at, bytes - at, "%s%s%s%s", at ? ", " : "", type, name ? " " : "",
             name ? name : "");
    at = strlen(text);
    if (cJSON_GetObjectItem(notes, "k8s.io/initial-events-end"))
        snprintf(text + at, bytes - at, " end");
    if (code)
        snprintf(text + at, bytes - at, " %d", code->valueint);
    if (!version)
        return;
    CU_ASSERT_TRUE(strtoull(version, NULL, 10) > strtoull(watching->last, NULL, 10) ||
                   strcmp(type, "BOOKMARK") == 0);
    TEXT_SET(watching->last, version);
}

/* What is told now: "ADDED web, DELETED db". */
static const char *told(struct watching *watching)
{
    static char text[64 * 1024];
    text[0] = '\0';
    struct buffer *lines = &watching->call.response.body;
    if (lines->bytes == 0 && !watching->done) {
        struct api_context context = context_of();
        watching->done = api_call_poll(&watching->call, &context) == API_DONE;
    }
    buffer_append(lines, "", 1);
    char *rest = (char *)lines->data, *line;
    while ((line = strsep(&rest, "\n")) != NULL && *line) {
        cJSON *event = cJSON_Parse(line);
        CU_ASSERT_PTR_NOT_NULL_FATAL(event);
        print_event(watching, text, sizeof text, event);
        cJSON_Delete(event);
    }
    buffer_clear(lines);
    return text;
}

static void begin(void)
{
    rig = rig_start(awmap_new(), "a");
    rig_run(&rig, 2000);
    hub = api_hub_new();
}

static void finish(void)
{
    api_hub_free(hub);
    hub = NULL;
    rig_free(&rig);
    buffer_release(&body);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void what_is_there_comes_first_and_then_what_changes(void)
{
    struct watching w = {.done = false};
    begin();
    put("default", "a", "x", 1);
    put("default", "b", "x", 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, ""), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED a, ADDED b");
    CU_ASSERT_STRING_EQUAL(told(&w), "");
    put("default", "a", "x", 2);
    put("default", "a", "x", 3);
    CU_ASSERT_STRING_EQUAL(told(&w), "MODIFIED a"); /* once, as it is now */
    delete ("b");
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED b");
    delete ("a");
    put("default", "a", "x", 1);
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED a, ADDED a"); /* another one */
    put("default", "c", "x", 1);
    delete ("c");
    CU_ASSERT_STRING_EQUAL(told(&w), "");
    end(&w);
    finish();
}

static void a_watch_goes_on_where_a_list_ended(void)
{
    struct watching w = {.done = false};
    char query[128];
    begin();
    put("default", "a", "x", 1);
    put("default", "b", "x", 1);
    snprintf(query, sizeof query, "&resourceVersion=%s", list_version(WORKLOADS));
    put("default", "b", "x", 2);
    put("default", "c", "x", 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "MODIFIED b, ADDED c");
    delete ("a");
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED a");
    put("default", "c", "x", 2);
    CU_ASSERT_STRING_EQUAL(told(&w), "MODIFIED c");
    end(&w);
    put("default", "d", "x", 1); /* while nobody watches */
    snprintf(query, sizeof query, "&resourceVersion=%s", w.last);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED d");
    end(&w);
    finish();
}

static void one_namespace_one_object(void)
{
    struct watching ns = {.done = false}, one = {.done = false}, field = {.done = false};
    begin();
    CU_ASSERT_EQUAL(watch(&ns, ROOT "/namespaces/other/workloads", ""), 200);
    CU_ASSERT_EQUAL(watch(&one, WORKLOADS "/b", ""), 200);
    CU_ASSERT_EQUAL(watch(&field, ROOT "/workloads", "&fieldSelector=metadata.name%3Db"), 200);
    put("default", "a", "x", 1);
    put("default", "b", "x", 1);
    put("other", "b", "x", 1);
    CU_ASSERT_STRING_EQUAL(told(&ns), "ADDED b");
    CU_ASSERT_STRING_EQUAL(told(&one), "ADDED b");
    CU_ASSERT_STRING_EQUAL(told(&field), "ADDED b, ADDED b");
    delete ("a");
    delete ("b");
    CU_ASSERT_STRING_EQUAL(told(&ns), "");
    CU_ASSERT_STRING_EQUAL(told(&one), "DELETED b");
    CU_ASSERT_STRING_EQUAL(told(&field), "DELETED b");
    end(&ns);
    end(&one);
    end(&field);
    finish();
}

static void an_object_comes_into_a_selection_and_leaves_it(void)
{
    struct watching w = {.done = false};
    begin();
    put("default", "a", "x", 1);
    put("default", "b", "y", 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, "&labelSelector=app%3Dx"), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED a");
    put("default", "b", "x", 1);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED b");
    put("default", "a", "y", 1);
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED a");
    put("default", "a", "y", 2);
    delete ("a");
    CU_ASSERT_STRING_EQUAL(told(&w), ""); /* it was not selected any more */
    delete ("b");
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED b");
    end(&w);
    finish();
}

/* From a list: what was selected then is known, whatever has happened since. */
static void a_selection_is_remembered(void)
{
    struct watching w = {.done = false};
    char query[256];
    begin();
    put("default", "a", "x", 1);
    put("default", "b", "y", 1);
    put("default", "c", "x", 1);
    snprintf(query, sizeof query, "&labelSelector=app%%3Dx&resourceVersion=%s",
             list_version(WORKLOADS "?labelSelector=app%3Dx"));
    put("default", "a", "y", 1);
    put("default", "b", "y", 2);
    delete ("c");
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED a, DELETED c");
    put("default", "b", "x", 3);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED b");
    end(&w);
    delete ("b");
    snprintf(query, sizeof query, "&labelSelector=app%%3Dx&resourceVersion=%s", w.last);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200); /* from where the one before ended */
    CU_ASSERT_STRING_EQUAL(told(&w), "DELETED b");
    end(&w);
    snprintf(query, sizeof query, "&labelSelector=app%%3Dz&resourceVersion=%s",
             list_version(WORKLOADS));
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200); /* nothing has changed: as it is now */
    end(&w);
    put("default", "d", "z", 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 200);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED d"); /* as that one knew */
    end(&w);
    *strchr(query, 'z') = 'q';
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 410); /* nobody remembers what q was */
    end(&w);
    finish();
}

static void bookmarks_and_the_end(void)
{
    struct watching w = {.done = false}, quiet = {.done = false};
    begin();
    put("default", "a", "x", 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS,
                          "&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=100&"
                          "resourceVersionMatch=NotOlderThan"),
                    200);
    CU_ASSERT_STRING_EQUAL(told(&w), "ADDED a, BOOKMARK end");
    CU_ASSERT_EQUAL(watch(&quiet, WORKLOADS, "&sendInitialEvents=false&timeoutSeconds=100"), 200);
    CU_ASSERT_STRING_EQUAL(told(&quiet), "");
    CU_ASSERT_EQUAL(w.call.wake_ms, rig.now_ms + API_BOOKMARK_MS);
    CU_ASSERT_EQUAL(
        ask("PUT", ROOT "/namespaces/default/metas/m",
            "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Meta\",\"metadata\":{\"name\":"
            "\"m\"},\"spec\":{\"value\":1}}"),
        201);
    CU_ASSERT_STRING_EQUAL(told(&w), ""); /* of other resources nothing, until it is time */
    rig.now_ms = w.call.wake_ms;
    CU_ASSERT_STRING_EQUAL(told(&w), "BOOKMARK");
    CU_ASSERT_STRING_EQUAL(told(&quiet), "");
    CU_ASSERT_FALSE(w.done);
    rig.now_ms = w.call.wake_ms;
    CU_ASSERT_STRING_EQUAL(told(&w), ""); /* nothing was changed since the last one */
    CU_ASSERT_TRUE(w.done);
    CU_ASSERT_STRING_EQUAL(told(&quiet), "");
    CU_ASSERT_TRUE(quiet.done);
    end(&w);
    end(&quiet);
    finish();
}

static void what_cannot_be_gone_on_from_is_410(void)
{
    struct watching w = {.done = false}, late = {.done = false};
    char query[128];
    begin();
    put("default", "a", "x", 1);
    uint64_t version = strtoull(list_version(WORKLOADS), NULL, 10);
    snprintf(query, sizeof query, "&resourceVersion=%llu", (unsigned long long)version ^ 1);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 410); /* of another run */
    CU_ASSERT_PTR_NOT_NULL(strstr((char *)w.call.response.body.data, "\"reason\":\"Expired\""));
    end(&w);
    snprintf(query, sizeof query, "&resourceVersion=%llu",
             (unsigned long long)version + (UINT64_C(1) << 24));
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 410); /* of the future */
    end(&w);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, "&resourceVersion=abc"), 410);
    end(&w);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, "&timeoutSeconds=abc"), 400);
    end(&w);
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, "&fieldSelector=spec.nonsense%3D1"), 400);
    end(&w);
    snprintf(query, sizeof query, "&resourceVersion=%llu", (unsigned long long)version);
    CU_ASSERT_EQUAL(watch(&late, WORKLOADS, query), 200);
    for (int i = 0; i <= FEED_GONE_MAX; i++) { /* more go than are remembered */
        put("default", "b", "x", 1);
        delete ("b");
    }
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, query), 410);
    end(&w);
    CU_ASSERT_STRING_EQUAL(told(&late), "ERROR 410");
    CU_ASSERT_TRUE(late.done);
    end(&late);
    finish();
}

/* Each look tells about API_PIECE_BYTES; what changes meanwhile is neither lost nor told twice. */
static void much_is_told_in_pieces(void)
{
    struct watching w = {.done = false};
    char name[16], all[32 * 1024] = "";
    begin();
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "n%03d", i);
        put("default", name, "x", 1);
    }
    CU_ASSERT_EQUAL(watch(&w, WORKLOADS, ""), 200);
    TEXT_SET(all, told(&w));
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "ADDED n000"));
    CU_ASSERT_PTR_NULL(strstr(all, "n299"));
    put("default", "n000", "x", 2); /* told already */
    put("default", "n298", "x", 2); /* not yet */
    delete ("n001");
    delete ("n299");
    for (const char *more; *(more = told(&w));)
        strncat(all, more, sizeof all - strlen(all) - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "MODIFIED n000"));
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "ADDED n298"));
    CU_ASSERT_PTR_NULL(strstr(all, "MODIFIED n298"));
    CU_ASSERT_PTR_NOT_NULL(strstr(all, "DELETED n001"));
    CU_ASSERT_PTR_NULL(strstr(all, "n299"));
    put("default", "n298", "x", 3);
    CU_ASSERT_STRING_EQUAL(told(&w), "MODIFIED n298");
    end(&w);
    finish();
}

/* What stands nowhere in the map: a member's phase, and that a child's node is lost. */
static void what_follows_from_a_death_is_told(void)
{
    struct watching members = {.done = false}, children = members, names = members;
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 1);
    disk_member(disk, "b");
    disk_put_claim(disk, child_id_of("default", "web", 0), claim_of("b", 1));
    disk_put_status(disk, child_id_of("default", "web", 0),
                    (struct status){.epoch = 1, .phase = CHILD_RUNNING, .ready = true});
    disk_name(disk, "web", child_id_of("default", "web", 0), "b");
    rig = rig_start(disk, "a");
    hub = api_hub_new();
    rig_hear(&rig, "b");
    rig_run(&rig, 100);
    CU_ASSERT_EQUAL(watch(&members, ROOT "/members", ""), 200);
    CU_ASSERT_EQUAL(watch(&children, ROOT "/children", ""), 200);
    CU_ASSERT_EQUAL(watch(&names, ROOT "/names", ""), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(told(&members), "ADDED b"));
    CU_ASSERT_STRING_EQUAL(told(&children), "ADDED web-0");
    CU_ASSERT_STRING_EQUAL(told(&names), "ADDED web");
    rig_run(&rig, 60000); /* b is silent */
    CU_ASSERT_PTR_NOT_NULL(strstr(told(&members), "MODIFIED b"));
    CU_ASSERT_STRING_EQUAL(told(&children), "MODIFIED web-0");
    CU_ASSERT_STRING_EQUAL(told(&names), "DELETED web");
    end(&members);
    end(&children);
    end(&names);
    finish();
}

static void a_child_watches_names_and_nothing_else(void)
{
    static const char one[] =
        "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\","
        "\"metadata\":{\"name\":\"web\"},\"spec\":{\"container\":{"
        "\"image\":\"busybox\"}}}";
    struct api_identity identity = {.child = {"default", "web", 0}, .epoch = 1};
    struct child_view child;
    struct api_call call;
    begin();
    CU_ASSERT_EQUAL(ask("POST", ROOT "/namespaces/default/workloads", one), 201);
    CU_ASSERT_TRUE_FATAL(query_child(context_of().node, &identity.child, &child));
    TEXT_SET(identity.uid, child.uid);
    const char *const targets[] = {ROOT "/names?watch=1", ROOT "/namespaces/default/metas?watch=1",
                                   ROOT "/workloads?watch=1", ROOT "/children?watch=1"};
    for (int i = 0; i < 4; i++) {
        struct api_request request = {
            .method = "GET", .target = targets[i], .from_child = true, .child = &identity};
        struct api_context context = context_of();
        CU_ASSERT_EQUAL(api_call_start(&call, &request, &context), i < 2 ? API_STREAM : API_DONE);
        CU_ASSERT_EQUAL(call.response.status, i < 2 ? 200 : 403);
        api_call_release(&call);
    }
    finish();
}

/* The journal of this agent: what is noted again is MODIFIED, under the same name. */
static void events_are_told_as_they_are_noted(void)
{
    struct watching w = {.done = false}, from = {.done = false};
    char query[128];
    begin();
    struct instant now = {rig.now_ms, 1700000000000};
    struct journal_entry entry = {.subject = JOURNAL_MEMBER,
                                  .name = span_text("b"),
                                  .reason = span_text("Dead"),
                                  .message = span_text("gone")};
    CU_ASSERT_EQUAL(watch(&w, "/api/v1/events", ""), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(told(&w), "ADDED a.a.1")); /* AgentStarted */
    snprintf(query, sizeof query, "&resourceVersion=%s", w.last);
    journal_note(&rig.node->journal, &now, &entry);
    CU_ASSERT_EQUAL(strncmp(told(&w), "ADDED b.a.", 10), 0);
    journal_note(&rig.node->journal, &now, &entry);
    CU_ASSERT_EQUAL(strncmp(told(&w), "MODIFIED b.a.", 13), 0);
    CU_ASSERT_STRING_EQUAL(told(&w), "");
    CU_ASSERT_EQUAL(watch(&from, "/api/v1/events", query), 200);
    CU_ASSERT_EQUAL(strncmp(told(&from), "ADDED b.a.", 10), 0); /* twice, told as one */
    CU_ASSERT_STRING_EQUAL(told(&from), "");
    end(&from);
    CU_ASSERT_EQUAL(watch(&from, "/api/v1/events", "&fieldSelector=reason%3DAlive"), 200);
    CU_ASSERT_STRING_EQUAL(told(&from), "");
    for (int i = 0; i < JOURNAL_ENTRIES_MAX + 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        entry.name = span_text(name);
        journal_note(&rig.node->journal, &now, &entry);
    }
    end(&from);
    CU_ASSERT_EQUAL(watch(&from, "/api/v1/events", query), 410);
    CU_ASSERT_STRING_EQUAL(told(&w), "ERROR 410"); /* it has missed some */
    end(&from);
    end(&w);
    finish();
}

UNIT_MAIN("api watch",
          {"what is there comes first and then what changes",
           what_is_there_comes_first_and_then_what_changes},
          {"a watch goes on where a list ended", a_watch_goes_on_where_a_list_ended},
          {"one namespace, one object", one_namespace_one_object},
          {"an object comes into a selection and leaves it",
           an_object_comes_into_a_selection_and_leaves_it},
          {"a selection is remembered", a_selection_is_remembered},
          {"bookmarks and the end", bookmarks_and_the_end},
          {"what cannot be gone on from is 410", what_cannot_be_gone_on_from_is_410},
          {"much is told in pieces", much_is_told_in_pieces},
          {"what follows from a death is told", what_follows_from_a_death_is_told},
          {"events are told as they are noted", events_are_told_as_they_are_noted},
          {"a child watches names and nothing else", a_child_watches_names_and_nothing_else})
