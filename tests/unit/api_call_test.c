/* Whole requests against a fake node: what is shown, listed and waited for, in which form. No
 * socket. Those that change something are in api_write_test.c and api_registry_test.c. */
#include "unit.h"

#include "agent/core/electorate.h"
#include "agent/core/journal.h"
#include "agent/core/record.h"
#include "api_ask.h"

/* --- Objects ---------------------------------------------------------------------------------- */

static void objects_have_their_shapes(void)
{
    begin();
    CU_ASSERT_EQUAL(get(WORKLOADS "/web"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Workload");
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "web");
    CU_ASSERT_STRING_EQUAL(text("metadata.labels.app"), "web");
    CU_ASSERT_EQUAL(number("status.replicas"), 3);
    CU_ASSERT_EQUAL(number("status.observedGeneration"), 1);
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.status"), "False");
    CU_ASSERT_STRING_EQUAL(text("status.conditions.1.type"), "Progressing");
    CU_ASSERT_STRING_EQUAL(text("status.conditions.1.status"), "True");
    CU_ASSERT_STRING_EQUAL(text("status.conditions.1.reason"), "Updating");
    uint64_t position;
    CU_ASSERT_TRUE(api_resource_version_parse(&position, TAG, text("metadata.resourceVersion")));
    CU_ASSERT_EQUAL(position, node->workloads[1].version);
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/default/children/web-2"), 200);
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "web-2");
    CU_ASSERT_STRING_EQUAL(text("metadata.labels.app"), "web");
    CU_ASSERT_EQUAL(strlen(text("metadata.uid")), UID_BYTES);
    CU_ASSERT_EQUAL(number("spec.ordinal"), 2);
    CU_ASSERT_STRING_EQUAL(text("status.phase"), "Running");
    CU_ASSERT_STRING_EQUAL(text("status.node"), "b");
    CU_ASSERT_STRING_EQUAL(text("status.startedAt"), "2023-11-14T22:13:21Z");
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/default/names/api"), 200);
    CU_ASSERT_STRING_EQUAL(text("status.owner"), "default/api/0");
    CU_ASSERT_STRING_EQUAL(text("status.address"), "10.0.0.1");
    CU_ASSERT_EQUAL(number("status.port"), 32768);
    CU_ASSERT_EQUAL(get(ROOT "/members/b"), 200);
    CU_ASSERT_STRING_EQUAL(text("spec.labels.disk"), "ssd");
    CU_ASSERT_STRING_EQUAL(text("status.runtime.name"), "docker");
    CU_ASSERT_TRUE(cJSON_IsFalse(at("spec.unschedulable")));
    CU_ASSERT_EQUAL(get(ROOT "/members/SELF"), 200);
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "a");
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Supervisor");
    CU_ASSERT_STRING_EQUAL(text("status.members.b"), "alive");
    CU_ASSERT_EQUAL(get(WORKLOADS "/web/status"), 200);
    CU_ASSERT_EQUAL(get(WORKLOADS "/web/scale"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Scale");
    CU_ASSERT_EQUAL(number("spec.replicas"), 3);
    end();
}

static void what_is_not_there_is_404(void)
{
    begin();
    static const char *const targets[] = {WORKLOADS "/none",
                                          ROOT "/namespaces/default/children/web-3",
                                          ROOT "/members/zz",
                                          ROOT "/namespaces/none/workloads/web",
                                          ROOT "/supervisors/zz",
                                          WORKLOADS "/none/scale",
                                          "/nothing",
                                          ROOT "/pods",
                                          ROOT "/namespaces/default/children/web"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        CU_ASSERT_EQUAL(get(targets[i]), 404);
        CU_ASSERT_STRING_EQUAL(text("reason"), "NotFound");
        CU_ASSERT_STRING_EQUAL(text("kind"), "Status");
    }
    CU_ASSERT_EQUAL(get(WORKLOADS "/a%00b"), 400);
    CU_ASSERT_EQUAL(get(WORKLOADS "?x=%00"), 400);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS, NULL, ""), 405);
    CU_ASSERT_STRING_EQUAL(header("Allow"), "GET, HEAD, POST");
    CU_ASSERT_STRING_EQUAL(text("reason"), "MethodNotAllowed");
    CU_ASSERT_EQUAL(get(WORKLOADS "?watch=1"), 200);
    CU_ASSERT_EQUAL(send("OPTIONS", WORKLOADS, NULL, ""), 204);
    end();
}

static void a_member_tells_what_it_has_no_room_for(void)
{
    struct full full = {.supervisor = "small", .reason = "MaxChildren"};
    begin();
    CU_ASSERT_EQUAL(get(ROOT "/members/a"), 200);
    CU_ASSERT_PTR_NULL(at("status.full"));
    node->members[0].full = &full;
    node->members[0].full_count = 1;
    CU_ASSERT_EQUAL(get(ROOT "/members/a"), 200);
    CU_ASSERT_STRING_EQUAL(text("status.full.0.supervisor"), "small");
    CU_ASSERT_STRING_EQUAL(text("status.full.0.reason"), "MaxChildren");
    end();
}

static void supervisors_that_vote_say_who_and_whether_they_are_fenced(void)
{
    begin();
    struct electorate_record record = {.term = {0, 7, 1}, .now = {.count = 2, .lease_seconds = 5}};
    TEXT_SET(record.now.members[0].node, "a");
    TEXT_SET(record.now.members[1].node, "b");
    record.now.members[1].replica = 0xab;
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/default"), 200);
    CU_ASSERT_PTR_NULL(at("status.conditions"));
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum"), 200);
    CU_ASSERT_TRUE(cJSON_IsNull(at("status.electorate")));
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.type"), "Fenced");
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.status"), "False");
    node->supervisors[1].electorate = &record; /* of an even number the first has no vote */
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum"), 200);
    CU_ASSERT_STRING_EQUAL(text("status.electorate.voters.0"), "b");
    CU_ASSERT_PTR_NULL(at("status.electorate.voters.1"));
    CU_ASSERT_STRING_EQUAL(text("status.electorate.members.1.replica"), "00000000000000ab");
    CU_ASSERT_EQUAL(number("status.electorate.version"), 7);
    CU_ASSERT_STRING_EQUAL(text("status.conditions.0.status"), "True");
    node->supervisors[1].electorate = NULL;
    CU_ASSERT_EQUAL(send("POST", ROOT "/supervisors/quorum/force-electorate", JSON, ""), 400);
    CU_ASSERT_EQUAL(
        send("POST", ROOT "/supervisors/none/force-electorate?acceptTwoCopies=true", JSON, ""),
        404);
    end();
}

static void the_ring_of_a_child_is_explained(void)
{
    begin();
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/default/children/web-0/ring"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Ring");
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "web-0");
    CU_ASSERT_STRING_EQUAL(text("status.holder"), "a");
    CU_ASSERT_STRING_EQUAL(text("status.offeredTo"), "b");
    CU_ASSERT_STRING_EQUAL(text("status.candidates.0.node"), "b");
    CU_ASSERT(cJSON_IsTrue(at("status.candidates.1.holder")));
    CU_ASSERT_PTR_NULL(at("status.candidates.2"));
    CU_ASSERT_STRING_EQUAL(text("status.excluded.0.reason"), "Unschedulable");
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/default/children/no-0/ring"), 404);
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/default/children/nonsense/ring"), 404);
    CU_ASSERT_EQUAL(send("POST", ROOT "/namespaces/default/children/web-0/ring", JSON, ""), 405);
    end();
}

static void health_and_discovery_are_there(void)
{
    begin();
    CU_ASSERT_EQUAL(get("/livez"), 200);
    CU_ASSERT_EQUAL(get("/readyz"), 200);
    node->ready = false;
    node->stopping = true;
    CU_ASSERT_EQUAL(get("/readyz"), 503);
    CU_ASSERT_EQUAL(memcmp(answer.body.data, "not ready: stopping", 19), 0);
    CU_ASSERT_EQUAL(get("/version"), 200);
    CU_ASSERT_EQUAL(text("gitVersion")[0], 'v');
    CU_ASSERT_EQUAL(get("/metrics"), 200);
    CU_ASSERT_STRING_EQUAL(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    CU_ASSERT_EQUAL(memcmp(answer.body.data, "# HELP ", 7), 0);
    CU_ASSERT_EQUAL(get("/api"), 200);
    CU_ASSERT_STRING_EQUAL(text("versions.0"), "v1");
    CU_ASSERT_EQUAL(get("/api/v1"), 200);
    CU_ASSERT_STRING_EQUAL(text("resources.0.name"), "events");
    CU_ASSERT_EQUAL(get("/apis"), 200);
    CU_ASSERT_STRING_EQUAL(text("groups.0.preferredVersion.groupVersion"), "hordelet.dev/v1");
    CU_ASSERT_EQUAL(get("/apis/hordelet.dev"), 200);
    CU_ASSERT_EQUAL(get(ROOT), 200);
    CU_ASSERT_STRING_EQUAL(text("resources.0.name"), "workloads");
    CU_ASSERT_STRING_EQUAL(text("resources.0.shortNames.0"), "wl");
    CU_ASSERT_STRING_EQUAL(text("resources.1.name"), "workloads/scale");
    end();
}

/* --- Lists ------------------------------------------------------------------------------------ */

static void lists_are_selected(void)
{
    begin();
    CU_ASSERT_EQUAL(list_size(ROOT "/workloads"), 3);
    CU_ASSERT_STRING_EQUAL(text("kind"), "WorkloadList");
    CU_ASSERT_STRING_NOT_EQUAL(text("metadata.resourceVersion"), "");
    CU_ASSERT_EQUAL(list_size(WORKLOADS), 2);
    CU_ASSERT_EQUAL(list_size(ROOT "/namespaces/none/workloads"), 0);
    CU_ASSERT_TRUE(cJSON_IsArray(at("items")));
    CU_ASSERT_EQUAL(list_size(ROOT "/workloads?labelSelector=app%3Dweb"), 2);
    CU_ASSERT_EQUAL(list_size(ROOT "/workloads?labelSelector=app+in+(api,db),tier"), 1);
    CU_ASSERT_EQUAL(list_size(ROOT "/children"), 5);
    CU_ASSERT_EQUAL(list_size(ROOT "/children?labelSelector=hordelet.dev/workload=web"), 4);
    CU_ASSERT_EQUAL(
        list_size(ROOT "/children?fieldSelector=spec.workload=web,metadata.namespace=default"), 3);
    CU_ASSERT_EQUAL(list_size(ROOT "/children?fieldSelector=status.node!=b"), 0);
    CU_ASSERT_EQUAL(list_size(ROOT "/names?labelSelector=app"), 5);
    CU_ASSERT_EQUAL(
        list_size(ROOT "/members?fieldSelector=status.phase=alive&labelSelector=disk=ssd"), 2);
    CU_ASSERT_EQUAL(list_size(ROOT "/supervisors"), 2);
    CU_ASSERT_EQUAL(get(ROOT "/workloads?labelSelector=,"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/workloads?fieldSelector=spec.x=1"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/workloads?limit=x"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/workloads?limit=-1"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/workloads?continue=abc"), 400);
    end();
}

static void things_are_counted(void)
{
    begin();
    CU_ASSERT_EQUAL(list_size(ROOT "/names?count=true"), 0);
    CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), 5);
    CU_ASSERT_EQUAL(list_size(ROOT "/names?count=true&labelSelector=app=web"), 0);
    CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), 4);
    CU_ASSERT_EQUAL(list_size(ROOT "/children?count=1&fieldSelector=status.node=c"), 0);
    CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), 0);
    end();
}

/* Whatever the limit, the pages together are the list, in order. */
static void pages_make_the_list(void)
{
    begin();
    for (int limit = 1; limit <= 6; limit++) {
        char target[512], seen[256] = "", token[256] = "";
        do {
            snprintf(target, sizeof target, ROOT "/children?limit=%d&continue=%s", limit, token);
            CU_ASSERT_EQUAL_FATAL(get(target), 200);
            for (int i = 0; i < cJSON_GetArraySize(at("items")); i++) {
                char path[64];
                snprintf(path, sizeof path, "items.%d.metadata.name", i);
                strcat(strcat(seen, text(path)), " ");
            }
            strcpy(token, text("metadata.continue"));
            if (*token)
                CU_ASSERT_TRUE(number("metadata.remainingItemCount") > 0);
        } while (*token);
        CU_ASSERT_STRING_EQUAL(seen, "api-0 web-0 web-1 web-2 web-0 ");
    }
    CU_ASSERT_EQUAL(list_size(ROOT "/children?limit=2&labelSelector=app=web"), 2);
    CU_ASSERT_STRING_NOT_EQUAL(text("metadata.continue"), "");
    CU_ASSERT_PTR_NULL(at("metadata.remainingItemCount"));
    end();
}

static void note(struct journal *journal, uint64_t wall_ms, enum journal_subject subject,
                 const char *ns, const char *name, const char *reason)
{
    struct instant now = {.wall_ms = wall_ms};
    struct journal_entry entry = {.subject = subject,
                                  .warning = subject == JOURNAL_MEMBER,
                                  .ns = span_text(ns),
                                  .name = span_text(name),
                                  .reason = span_text(reason),
                                  .message = span_text("so it was")};
    journal_note(journal, &now, &entry);
}

static void events_of_all_members_are_listed(void)
{
    begin();
    struct journal a = {0}, b = {0};
    struct buffer found = {0}, one = {0};
    note(&a, 5000, JOURNAL_CHILD, "default", "web-0", "Started");
    note(&a, 9000, JOURNAL_MEMBER, "", "c", "Dead");
    note(&b, 7000, JOURNAL_CHILD, "other", "web-0", "Started");
    journal_encode(&a, 0, SIZE_MAX, &one);
    buffer_text(&found, "a");
    buffer_span(&found, buffer_view(&one));
    buffer_clear(&one);
    journal_encode(&b, 0, SIZE_MAX, &one);
    buffer_text(&found, "b");
    buffer_span(&found, buffer_view(&one));
    node->found = buffer_view(&found);
    node->silent = "c";
    CU_ASSERT_EQUAL(get("/api/v1/events"), 200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "EventList");
    CU_ASSERT_STRING_EQUAL(header("Warning"), "299 - \"no answer from c\"");
    CU_ASSERT_STRING_EQUAL(text("items.0.metadata.name"), "web-0.a.1");
    CU_ASSERT_STRING_EQUAL(text("items.0.lastTimestamp"), "1970-01-01T00:00:05Z");
    CU_ASSERT_STRING_EQUAL(text("items.1.metadata.namespace"), "other");
    CU_ASSERT_STRING_EQUAL(text("items.1.source.host"), "b");
    CU_ASSERT_STRING_EQUAL(text("items.2.involvedObject.kind"), "Member");
    CU_ASSERT_STRING_EQUAL(text("items.2.type"), "Warning");
    CU_ASSERT_STRING_EQUAL(text("items.2.message"), "so it was");
    CU_ASSERT_EQUAL(number("items.2.count"), 1);
    CU_ASSERT_EQUAL(get("/api/v1/namespaces/default/events"), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 2);
    CU_ASSERT_EQUAL(get("/api/v1/events?fieldSelector=involvedObject.kind=Child,reason!=Dead"),
                    200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 2);
    CU_ASSERT_EQUAL(get("/api/v1/events?fieldSelector=type=Warning"), 200);
    CU_ASSERT_STRING_EQUAL(text("items.0.reason"), "Dead");
    node->silent = NULL;
    CU_ASSERT_EQUAL(get("/api/v1/events?fieldSelector=involvedObject.name=nobody"), 200);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 0);
    CU_ASSERT_STRING_EQUAL(header("Warning"), "");
    CU_ASSERT_EQUAL(get("/api/v1/events?fieldSelector=status.phase=Running"), 400);
    CU_ASSERT_EQUAL(get("/api/v1/events?watch=1"), 200);
    CU_ASSERT_EQUAL(get("/api/v1/namespaces/No_Name/events"), 404);
    CU_ASSERT_EQUAL(get("/api/v1/secrets"), 404);
    CU_ASSERT_EQUAL(send("POST", "/api/v1/events", "application/json", "{}"), 405);
    journal_release(&a);
    journal_release(&b);
    buffer_release(&found);
    buffer_release(&one);
    end();
}

/* --- The form of the answer ------------------------------------------------------------------- */

static void the_client_chooses_the_format(void)
{
    begin();
    static const struct {
        const char *accept;
        int status;
        const char *type;
    } table[] = {{NULL, 200, API_JSON},
                 {"*/*", 200, API_JSON},
                 {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 200, API_JSON},
                 {"application/yaml", 200, API_YAML},
                 {"text/html, application/yaml;q=0.9", 200, API_YAML},
                 {"application/vnd.kubernetes.protobuf, */*", 200, API_JSON},
                 {"text/html", 406, API_JSON},
                 {"application/json;as=Table;v=v1;g=meta.k8s.io", 200, API_JSON},
                 {"application/json;as=Table;v=v1beta1;g=meta.k8s.io", 406, API_JSON}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(
            ask((struct api_request){
                .method = "GET", .target = WORKLOADS "/web", .accept = table[i].accept}),
            table[i].status);
        CU_ASSERT_STRING_EQUAL(answer.content_type, table[i].type);
    }
    size_t bytes = (get(WORKLOADS "/web"), answer.body.bytes);
    CU_ASSERT_EQUAL(get(WORKLOADS "/web?pretty=true"), 200);
    CU_ASSERT_TRUE(answer.body.bytes > bytes && json);
    end();
}

static void a_refusal_needs_no_request(void)
{
    struct api_call call = {0};
    api_call_refuse(&call, 429, "too many");
    CU_ASSERT_EQUAL(call.response.status, 429);
    CU_ASSERT_STRING_EQUAL(call.response.headers[0].name, "Retry-After");
    api_call_release(&call);
}

/* --- What has to come first ------------------------------------------------------------------- */

static void a_quorum_is_waited_for(void)
{
    begin();
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum/quorum"), 200);
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum/quorum?timeout=60s"), 200);
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum/quorum?timeout=61s"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/quorum/quorum?timeout=soon"), 400);
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/none/quorum"), 404);
    CU_ASSERT_EQUAL(send("PUT", ROOT "/supervisors/quorum/quorum", JSON, "{}"), 405);
    end();
}

static void a_client_reads_its_writes(void)
{
    begin();
    CU_ASSERT_EQUAL(get(WORKLOADS "/web?after=12.34"), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_WAIT);
    CU_ASSERT_EQUAL(node->last.after.replica, 12);
    CU_ASSERT_EQUAL(node->last.after.counter, 34);
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "web");
    CU_ASSERT_EQUAL(ask((struct api_request){.method = "POST",
                                             .target = WORKLOADS,
                                             .content_type = JSON,
                                             .after = "18446744073709551615.1",
                                             .body = span_text(DOCUMENT("new", 1))}),
                    201);
    CU_ASSERT_EQUAL(node->requests, 3);
    node->fail_status = 504;
    CU_ASSERT_EQUAL(get(WORKLOADS "/web?after=12.34"), 504);
    static const char *const bad[] = {"1",   "1.",    ".1",   "0.1", "1.0",
                                      "a.b", "1.2.3", "-1.2", "1.2x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(
            ask((struct api_request){.method = "GET", .target = WORKLOADS, .after = bad[i]}), 400);
    end();
}

static void logs_are_asked_for(void)
{
    begin();
    CU_ASSERT_EQUAL(send("GET",
                         ROOT "/namespaces/default/children/web-1/log?follow=true&tailLines=7"
                              "&timestamps=1&sinceSeconds=60",
                         NULL, ""),
                    200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_OUTPUT);
    CU_ASSERT_EQUAL(node->last.child.ordinal, 1);
    CU_ASSERT(node->last.output.follow && node->last.output.timestamps);
    CU_ASSERT_EQUAL(node->last.output.tail, 7);
    CU_ASSERT_EQUAL(node->last.output.since_seconds, 60);
    CU_ASSERT_EQUAL(send("GET", ROOT "/namespaces/default/children/web-1/log", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.output.tail, OUTPUT_TAIL_ALL);
    CU_ASSERT(!node->last.output.follow);
    CU_ASSERT_EQUAL(send("GET", ROOT "/namespaces/default/children/web-9/log", NULL, ""), 404);
    static const char *const bad[] = {"tailLines=-1", "tailLines=", "sinceSeconds=0",
                                      "tailLines=99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char target[128];
        snprintf(target, sizeof target, ROOT "/namespaces/default/children/web-1/log?%s", bad[i]);
        CU_ASSERT_EQUAL(send("GET", target, NULL, ""), 400);
    }
    end();
}

UNIT_MAIN("api calls", {"objects have their shapes", objects_have_their_shapes},
          {"what is not there is 404", what_is_not_there_is_404},
          {"a member tells what it has no room for", a_member_tells_what_it_has_no_room_for},
          {"supervisors that vote say who, and whether they are fenced",
           supervisors_that_vote_say_who_and_whether_they_are_fenced},
          {"the ring of a child is explained", the_ring_of_a_child_is_explained},
          {"health and discovery are there", health_and_discovery_are_there},
          {"lists are selected", lists_are_selected}, {"things are counted", things_are_counted},
          {"pages make the list", pages_make_the_list},
          {"events of all members are listed", events_of_all_members_are_listed},
          {"the client chooses the format", the_client_chooses_the_format},
          {"a refusal needs no request", a_refusal_needs_no_request},
          {"a quorum is waited for", a_quorum_is_waited_for},
          {"a client reads its writes", a_client_reads_its_writes},
          {"logs are asked for", logs_are_asked_for})
