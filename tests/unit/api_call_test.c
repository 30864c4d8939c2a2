/* Whole requests against a fake node: verbs, answers, preconditions, waiting, failures. No socket.
 */
#include "unit.h"

#include "agent/core/electorate.h"
#include "agent/core/record.h"
#include "agent/core/journal.h"
#include "api_ask.h"

/* --- Reading ---------------------------------------------------------------------------------- */

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

static int list_size(const char *target)
{
    return get(target) == 200 ? cJSON_GetArraySize(at("items")) : -1;
}

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

/* --- Writing ---------------------------------------------------------------------------------- */

#define DOCUMENT(name, replicas)                                                               \
    "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":"                                                                            \
    "{\"replicas\":" #replicas ",\"container\":{\"image\":\"busybox\"}}}"

static void a_workload_is_created_once(void)
{
    begin();
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("new", 2)), 201);
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "new");
    CU_ASSERT_STRING_EQUAL(text("metadata.namespace"), "default");
    CU_ASSERT_STRING_NOT_EQUAL(text("metadata.resourceVersion"), "");
    CU_ASSERT_EQUAL(number("status.replicas"), 2);
    CU_ASSERT_TRUE(strncmp(header("Hordelet-Written"), "77.", 3) == 0);
    CU_ASSERT_STRING_EQUAL(header("Warning"), "");
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_PUT_WORKLOAD);
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("new", 2)), 409);
    CU_ASSERT_STRING_EQUAL(text("reason"), "AlreadyExists");
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, "{"), 400);
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, "application/vnd.kubernetes.protobuf", "x"), 415);
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("Bad_Name", 2)), 422);
    CU_ASSERT_STRING_EQUAL(text("reason"), "Invalid");
    CU_ASSERT_EQUAL(node->requests, 1);
    node->alone = true;
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("lonely", 1)), 201);
    CU_ASSERT_STRING_EQUAL(header("Warning"), "299 - \"not replicated: no other member alive\"");
    end();
}

static void a_dry_run_writes_nothing(void)
{
    begin();
    CU_ASSERT_EQUAL(send("POST", WORKLOADS "?dryRun=All", JSON, DOCUMENT("new", 2)), 201);
    CU_ASSERT_STRING_EQUAL(text("metadata.name"), "new");
    CU_ASSERT_EQUAL(send("POST", WORKLOADS "?dryRun=Some", JSON, DOCUMENT("new", 2)), 400);
    CU_ASSERT_EQUAL(
        send("PATCH", WORKLOADS "/web?dryRun=All", MERGE, "{\"spec\":{\"replicas\":9}}"), 200);
    CU_ASSERT_EQUAL(number("spec.replicas"), 9);
    CU_ASSERT_EQUAL(
        send("PATCH", WORKLOADS "/web/scale?dryRun=All", MERGE, "{\"spec\":{\"replicas\":9}}"),
        200);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/web?dryRun=All", NULL, ""), 200);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/web", JSON, "{\"dryRun\":[\"All\"]}"), 200);
    CU_ASSERT_EQUAL(send("DELETE", ROOT "/namespaces/default/children/web-0?dryRun=All", NULL, ""),
                    200);
    CU_ASSERT_EQUAL(
        send("PATCH", ROOT "/members/b?dryRun=All", MERGE, "{\"spec\":{\"unschedulable\":true}}"),
        200);
    CU_ASSERT_TRUE(cJSON_IsTrue(at("spec.unschedulable")));
    CU_ASSERT_EQUAL(node->requests, 0);
    end();
}

static void a_write_that_changes_nothing_is_not_written(void)
{
    begin();
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("new", 3)), 201);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new", MERGE, "{\"spec\":{\"replicas\":3}}"), 200);
    CU_ASSERT_EQUAL(number("spec.replicas"), 3);
    CU_ASSERT_EQUAL(send("PUT", WORKLOADS "/new", JSON, DOCUMENT("new", 3)), 200);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new/scale", MERGE, "{\"spec\":{\"replicas\":3}}"),
                    200);
    CU_ASSERT_EQUAL(send("PATCH", ROOT "/members/b", MERGE, "{\"spec\":{\"unschedulable\":false}}"),
                    200);
    CU_ASSERT_EQUAL(node->requests, 1);
    CU_ASSERT_STRING_EQUAL(header("Hordelet-Written"), "");
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

static void a_rebalance_is_shown_asked_for_and_called_off(void)
{
    begin();
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/default/rebalance"), 200);
    CU_ASSERT_PTR_NULL(at("status.moves.0"));
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/default"), 200);
    CU_ASSERT_PTR_NULL(at("status.redistribution"));
    node->moves = true;
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/default"), 200);
    CU_ASSERT_EQUAL(at("status.redistribution.wanted")->valueint, 1);
    CU_ASSERT_EQUAL(at("status.redistribution.underWay")->valueint, 2);
    size_t requests = node->requests;
    CU_ASSERT_EQUAL(send("POST", ROOT "/supervisors/default/rebalance?dryRun=All", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->requests, requests);
    CU_ASSERT_STRING_EQUAL(text("status.moves.0.child"), "web-0");
    CU_ASSERT_STRING_EQUAL(text("status.moves.0.state"), "UnderWay");
    CU_ASSERT_STRING_EQUAL(text("status.moves.0.reason"), "because");
    CU_ASSERT_STRING_EQUAL(text("status.askedTime"), "2023-11-14T22:13:20Z");
    CU_ASSERT_EQUAL(send("POST", ROOT "/supervisors/default/rebalance", NULL, ""), 200);
    CU_ASSERT(node->last.kind == REQUEST_REBALANCE && node->last.flag);
    CU_ASSERT_STRING_EQUAL(node->last.name, "default");
    CU_ASSERT_EQUAL(send("DELETE", ROOT "/supervisors/default/rebalance", NULL, ""), 200);
    CU_ASSERT(node->last.kind == REQUEST_REBALANCE && !node->last.flag);
    CU_ASSERT_EQUAL(get(ROOT "/supervisors/none/rebalance"), 404);
    CU_ASSERT_EQUAL(send("POST", ROOT "/supervisors/none/rebalance", NULL, ""), 404);
    end();
}

static void preconditions_hold(void)
{
    char body[512], stale[32];
    begin();
    CU_ASSERT_EQUAL(get(WORKLOADS "/web"), 200);
    TEXT_SET(stale, text("metadata.resourceVersion"));
    snprintf(body, sizeof body,
             "{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":4}}", stale);
    node->workloads[1].status_version =
        ++node->position; /* a change of status is not a change of the document */
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", MERGE, body), 200);
    snprintf(body, sizeof body,
             "{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":5}}", stale);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", MERGE, body), 409);
    CU_ASSERT_STRING_EQUAL(text("reason"), "Conflict");
    CU_ASSERT_EQUAL(send("PUT", WORKLOADS "/web", JSON, body), 409);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web/scale", MERGE, body), 409);
    /* of another run, of the future, nonsense */
    static const char *const bad[] = {"16777217", "99999999999999999999", "x",
                                      "18446744073709551615"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(body, sizeof body,
                 "{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":6}}", bad[i]);
        CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", MERGE, body), 409);
    }
    CU_ASSERT_EQUAL(
        send("DELETE", WORKLOADS "/web", JSON, "{\"preconditions\":{\"uid\":\"other\"}}"), 409);
    snprintf(body, sizeof body, "{\"preconditions\":{\"resourceVersion\":\"%s\"}}", stale);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/web", JSON, body), 409);
    snprintf(body, sizeof body, "{\"preconditions\":{\"uid\":\"%s\"}}",
             node->workloads[1].value.uid);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/web", JSON, body), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_WORKLOAD);
    end();
}

static void changes_need_something_to_change(void)
{
    begin();
    CU_ASSERT_EQUAL(send("PUT", WORKLOADS "/new", JSON, DOCUMENT("new", 1)), 404);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new", MERGE, "{}"), 404);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", "application/strategic-merge-patch+json", "{}"),
                    415);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/new", NULL, ""), 404);
    CU_ASSERT_EQUAL(
        send("PATCH", WORKLOADS "/new", "application/apply-patch+yaml", DOCUMENT("new", 1)), 400);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new?fieldManager=me", "application/apply-patch+yaml",
                         DOCUMENT("new", 1)),
                    201);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new?fieldManager=me", "application/apply-patch+yaml",
                         DOCUMENT("new", 2)),
                    200);
    CU_ASSERT_EQUAL(number("spec.replicas"), 2);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new?fieldManager=you", "application/apply-patch+yaml",
                         DOCUMENT("new", 3)),
                    409);
    CU_ASSERT_EQUAL(strncmp(text("message"), "Apply failed with 1 conflict", 28), 0);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new?fieldManager=you&force=true",
                         "application/apply-patch+yaml", DOCUMENT("new", 3)),
                    200);
    CU_ASSERT_EQUAL(send("PUT", WORKLOADS "/new", JSON, DOCUMENT("other", 3)), 400);
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}"), 400);
    CU_ASSERT_EQUAL(send("DELETE", ROOT "/supervisors/quorum", NULL, ""), 409);
    end();
}

static void a_workload_is_scaled(void)
{
    begin();
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web/scale", MERGE, "{\"spec\":{\"replicas\":7}}"),
                    200);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Scale");
    CU_ASSERT_EQUAL(number("spec.replicas"), 7);
    CU_ASSERT_EQUAL(node->workloads[1].value.replicas, 7);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web/scale", "application/json-patch+json",
                         "[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":2}]"),
                    200);
    CU_ASSERT_EQUAL(node->workloads[1].value.replicas, 2);
    CU_ASSERT_EQUAL(
        send(
            "PUT", WORKLOADS "/web/scale", JSON,
            "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"web\"},"
            "\"spec\":{\"replicas\":0}}"),
        200);
    CU_ASSERT_EQUAL(node->workloads[1].value.replicas, 0);
    CU_ASSERT_EQUAL(send("PUT", WORKLOADS "/web/scale", JSON, DOCUMENT("web", 1)), 400);
    static const char *const bad[] = {"-1", "1.5", "100001", "1e99", "\"3\"", "null", "true"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"spec\":{\"replicas\":%s}}", bad[i]);
        CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web/scale", MERGE, body), 422);
    }
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web/scale", MERGE, "{\"spec\":{\"image\":1}}"), 422);
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

static void children_and_members_are_acted_on(void)
{
    begin();
    CU_ASSERT_EQUAL(
        send("DELETE", ROOT "/namespaces/default/children/web-1?terminate=true", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_CHILD);
    CU_ASSERT_EQUAL(node->last.child.ordinal, 1);
    CU_ASSERT_TRUE(node->last.flag);
    CU_ASSERT_STRING_EQUAL(text("status"), "Success");
    CU_ASSERT_EQUAL(send("DELETE", ROOT "/namespaces/default/children/web-9", NULL, ""), 404);
    CU_ASSERT_EQUAL(send("PATCH", ROOT "/members/b", MERGE, "{\"spec\":{\"unschedulable\":true}}"),
                    200);
    CU_ASSERT_TRUE(cJSON_IsTrue(at("spec.unschedulable")));
    CU_ASSERT_EQUAL(send("PATCH", ROOT "/members/b", MERGE, "{\"spec\":{\"weight\":1}}"), 422);
    CU_ASSERT_EQUAL(send("PATCH", ROOT "/members/b", MERGE, "{\"spec\":{\"unschedulable\":1}}"),
                    422);
    CU_ASSERT_EQUAL(
        send("POST", ROOT "/members/SELF/join", JSON, "{\"addresses\":[\"h:7370\",\"i:7370\"]}"),
        200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_JOIN);
    CU_ASSERT_EQUAL(node->last.address_count, 2);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/SELF/join", JSON, "{\"addresses\":[]}"), 400);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/SELF/join", JSON, "{\"addresses\":[1]}"), 400);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/b/join", JSON, "{\"addresses\":[\"h:1\"]}"), 400);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/a/leave", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_LEAVE);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/SELF/detach", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DETACH);
    CU_ASSERT_EQUAL(node->last.away_ms, DETACH_MS_DEFAULT);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/a/detach?for=1h", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.away_ms, DETACH_MS_MAX);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/a/detach?for=1s", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.away_ms, DETACH_MS_MIN);
    static const char *const wrong[] = {"999ms", "3600001ms", "", "soon", "60"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char target[128];
        snprintf(target, sizeof target, ROOT "/members/a/detach?for=%s", wrong[i]);
        CU_ASSERT_EQUAL(send("POST", target, NULL, ""), 400);
        CU_ASSERT(strstr(text("message"), "1s to 1h") != NULL);
    }
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/b/detach", NULL, ""), 400); /* not this agent */
    CU_ASSERT_EQUAL(send("GET", ROOT "/members/a/detach", NULL, ""), 405);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/b/drain", NULL, ""), 200); /* of any member */
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DRAIN);
    CU_ASSERT_STRING_EQUAL(node->last.name, "b");
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/nobody/drain", NULL, ""), 404);
    CU_ASSERT_EQUAL(send("GET", ROOT "/members/b/drain", NULL, ""), 405);
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/b/forget", NULL, ""), 200);
    CU_ASSERT_STRING_EQUAL(node->last.name, "b");
    CU_ASSERT_EQUAL(send("POST", ROOT "/members/a/forget", NULL, ""), 409);
    end();
}

static void a_refusal_of_the_core_is_told(void)
{
    begin();
    node->fail_status = 504;
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", MERGE, "{\"spec\":{\"replicas\":4}}"), 504);
    CU_ASSERT_STRING_EQUAL(text("reason"), "Timeout");
    CU_ASSERT_STRING_EQUAL(text("message"),
                           "stored on a, not yet on a second member; repeat the request");
    node->fail_status = 507;
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/web", NULL, ""), 507);
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

/* A reply may come long after the step; the answer is the object as the step made it. */
static void the_answer_is_what_was_written(void)
{
    begin();
    struct api_request request = {.method = "PATCH",
                                  .target = WORKLOADS "/web",
                                  .content_type = MERGE,
                                  .body = span_text("{\"spec\":{\"replicas\":4}}")};
    struct api_call call;
    struct api_context context = context_of();
    CU_ASSERT_EQUAL_FATAL(api_call_start(&call, &request, &context), API_SUBMIT);
    struct reply reply = fake_step(node, &call.submit);
    uint64_t position = node->position;
    api_call_submitted(&call, &context);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/web", MERGE, "{\"spec\":{\"replicas\":5}}"), 200);
    CU_ASSERT_EQUAL(api_call_reply(&call, &reply, &context), API_DONE);
    forget();
    json = cJSON_ParseWithLength((const char *)call.response.body.data, call.response.body.bytes);
    uint64_t told;
    CU_ASSERT_EQUAL(number("spec.replicas"), 4);
    CU_ASSERT_TRUE(api_resource_version_parse(&told, TAG, text("metadata.resourceVersion")));
    CU_ASSERT_EQUAL(told, position);
    api_call_release(&call);
    end();
}

/* --- The registry ----------------------------------------------------------------------------- */

#define NAMES ROOT "/namespaces/default/names"
#define METAS ROOT "/namespaces/default/metas"
#define NAME_BODY(spec)                                                                    \
    "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Name\",\"metadata\":{\"name\":\"db\"," \
    "\"labels\":{\"app\":\"db\"}},\"spec\":" spec "}"
#define META_BODY(spec)                                                                        \
    "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Meta\",\"metadata\":{\"name\":\"limit\"}," \
    "\"spec\":" spec "}"

static int send_as(const char *token, const char *method, const char *target, const char *body)
{
    struct api_request request = {.method = method,
                                  .target = target,
                                  .content_type = JSON,
                                  .token = token,
                                  .token_hash = {0xab},
                                  .body = span_text(body)};
    return ask(request);
}

static void names_are_registered_with_a_token(void)
{
    static const char token[] = "0123456789abcdef";
    static const char body[] =
        NAME_BODY("{\"address\":\"10.0.0.5\",\"port\":5432,\"value\":{\"n\":1e3}}");
    begin();
    CU_ASSERT_EQUAL(send_as(NULL, "POST", NAMES, body), 401);
    CU_ASSERT_EQUAL(send_as("short", "POST", NAMES, body), 401);
    CU_ASSERT_EQUAL(node->requests, 0);
    CU_ASSERT_EQUAL(send_as(token, "POST", NAMES, body), 201);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_PUT_NAME);
    CU_ASSERT_TRUE(node->last.flag);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Name");
    CU_ASSERT_STRING_EQUAL(text("spec.address"), "10.0.0.5");
    CU_ASSERT_EQUAL(number("spec.port"), 5432);
    CU_ASSERT_EQUAL(number("spec.ttlSeconds"), 30);
    CU_ASSERT_EQUAL(number("spec.value.n"), 1000);
    CU_ASSERT_STRING_EQUAL(text("status.owner"), "token/ab");
    CU_ASSERT_EQUAL(list_size(ROOT "/names?fieldSelector=status.owner=token/ab"), 1);
    CU_ASSERT_EQUAL(list_size(ROOT "/names?fieldSelector=spec.value.n=1000"), 1);
    CU_ASSERT_EQUAL(list_size(ROOT "/names?fieldSelector=spec.value.n=7"), 0);
    CU_ASSERT_EQUAL(send_as(token, "PUT", NAMES "/db", body), 200);
    CU_ASSERT_FALSE(node->last.flag);
    CU_ASSERT_EQUAL(send_as(token, "PUT", NAMES "/other", body), 400);
    CU_ASSERT_EQUAL(send_as(NULL, "DELETE", NAMES "/db", ""), 401);
    CU_ASSERT_EQUAL(send_as(token, "DELETE", NAMES "/db", ""), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_NAME);
    CU_ASSERT_EQUAL(send_as(token, "DELETE", NAMES "/none", ""), 404);
    end();
}

static void what_is_wrong_with_a_registration_is_told(void)
{
    static const struct {
        const char *body, *message;
    } table[] = {
        {NAME_BODY("{\"port\":0}"), "spec.port: must be 1..65535"},
        {NAME_BODY("{\"ttlSeconds\":3601}"), "spec.ttlSeconds: must be 1..3600"},
        {NAME_BODY("{\"address\":\"a b\"}"), "spec.address: must be a host name"},
        {NAME_BODY("{\"adress\":\"a\"}"), "spec.adress: unknown field, did you mean"},
        {META_BODY("{}"), "kind: must be Name"},
    };
    begin();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int status = send_as("0123456789abcdef", "POST", NAMES, table[i].body);
        CU_ASSERT_TRUE(status == 400 || status == 422);
        CU_ASSERT_PTR_NOT_NULL(strstr(text("message"), table[i].message));
    }
    CU_ASSERT_EQUAL(node->requests, 0);
    end();
}

static void meta_is_put_and_removed(void)
{
    begin();
    CU_ASSERT_EQUAL(send("PUT", METAS "/limit", JSON, META_BODY("{\"value\":{\"max\":3}}")), 201);
    CU_ASSERT_STRING_EQUAL(text("kind"), "Meta");
    CU_ASSERT_EQUAL(number("spec.value.max"), 3);
    CU_ASSERT_EQUAL(send("PUT", METAS "/limit", JSON, META_BODY("{\"value\":4}")), 200);
    CU_ASSERT_EQUAL(send("POST", METAS, JSON, META_BODY("{\"value\":5}")), 409);
    CU_ASSERT_EQUAL(send("PUT", METAS "/limit", JSON, META_BODY("{}")), 422);
    CU_ASSERT_EQUAL(get(METAS "/limit"), 200);
    CU_ASSERT_EQUAL(number("spec.value"), 4);
    CU_ASSERT_EQUAL(list_size(METAS), 1);
    CU_ASSERT_EQUAL(send("DELETE", METAS "/limit", NULL, ""), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_META);
    CU_ASSERT_EQUAL(send("DELETE", METAS "/none", NULL, ""), 404);
    end();
}

/* --- State ------------------------------------------------------------------------------------ */

#define CHILDREN ROOT "/namespaces/default/children"

static int ask_as_child(const struct api_identity *child, bool inside, const char *method,
                        const char *target, struct span body)
{
    return ask((struct api_request){
        .method = method, .target = target, .child = child, .from_child = inside, .body = body});
}

static void a_child_leaves_its_state_to_its_successor(void)
{
    static const uint8_t bytes[] = {0, 1, 0xff, '\n', 0};
    struct span state = span_of(bytes, sizeof bytes);
    struct api_identity one = {.child = {"default", "web", 1}, .uid = "u", .epoch = 3};
    struct api_identity two = {.child = {"default", "web", 2}, .uid = "u", .epoch = 1};
    begin();
    CU_ASSERT_EQUAL(ask_as_child(&one, true, "GET", CHILDREN "/SELF/state", span_text("")), 404);
    CU_ASSERT_EQUAL(ask_as_child(&one, true, "PUT", CHILDREN "/SELF/state", state), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_PUT_STATE);
    CU_ASSERT_EQUAL(node->last.epoch, 3);
    CU_ASSERT_EQUAL(node->last.child.ordinal, 1);
    CU_ASSERT_EQUAL(ask_as_child(&one, true, "GET", CHILDREN "/web-1/state", span_text("")), 200);
    CU_ASSERT_STRING_EQUAL(answer.content_type, "application/octet-stream");
    CU_ASSERT_TRUE(span_equal(buffer_view(&answer.body), state));
    CU_ASSERT_STRING_EQUAL(header("Hordelet-State-Epoch"), "3");
    CU_ASSERT_EQUAL(get(CHILDREN "/web-1/state"), 200); /* a person may look */
    CU_ASSERT_EQUAL(get(CHILDREN "/web-2/state"), 404);
    CU_ASSERT_EQUAL(get(CHILDREN "/SELF/state"), 404);
    CU_ASSERT_EQUAL(ask_as_child(NULL, false, "PUT", CHILDREN "/web-1/state", state), 401);
    CU_ASSERT_EQUAL(ask_as_child(&two, false, "PUT", CHILDREN "/web-1/state", state), 403);
    CU_ASSERT_EQUAL(ask_as_child(&one, false, "DELETE", CHILDREN "/web-1/state", span_text("")),
                    200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_DELETE_STATE);
    node->state_torn = true;
    CU_ASSERT_EQUAL(get(CHILDREN "/web-1/state"), 503);
    CU_ASSERT_STRING_EQUAL(header("Retry-After"), "1");
    uint8_t *large = xcalloc(1, STATE_BYTES_MAX + 1);
    CU_ASSERT_EQUAL(ask_as_child(&one, true, "PUT", CHILDREN "/SELF/state",
                                 span_of(large, STATE_BYTES_MAX + 1)),
                    413);
    free(large);
    end();
}

static void a_child_sets_the_value_of_its_name(void)
{
    static const char body[] =
        "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Name\",\"metadata\":"
        "{\"name\":\"web-1\"},\"spec\":{\"value\":{\"load\":3}%s}}";
    struct api_identity child = {.child = {"default", "web", 1}, .uid = "u", .epoch = 3};
    char text_of[512];
    begin();
    snprintf(text_of, sizeof text_of, body, "");
    struct api_request request = {.method = "PUT",
                                  .target = NAMES "/web-1",
                                  .content_type = JSON,
                                  .child = &child,
                                  .from_child = true,
                                  .body = span_text(text_of)};
    CU_ASSERT_EQUAL(ask(request), 200);
    CU_ASSERT_EQUAL(node->last.kind, REQUEST_SET_VALUE);
    CU_ASSERT_TRUE(node->last.epoch == 3 && node->last.child.ordinal == 1);
    snprintf(text_of, sizeof text_of, body, ",\"port\":80");
    request.body = span_text(text_of);
    CU_ASSERT_EQUAL(ask(request), 422);
    end();
}

static void within_a_container_only_its_token_counts(void)
{
    static const struct {
        const char *method, *target;
        int status;
    } table[] = {
        {"GET", ROOT "/names", 200},
        {"GET", ROOT "/namespaces/default/names/api", 200},
        {"GET", ROOT "/metas", 200},
        {"GET", "/livez", 200},
        {"GET", "/api/v1/events", 403},
        {"GET", "/api/v1/namespaces/default/events", 403},
        {"GET", ROOT "/workloads", 403},
        {"GET", ROOT "/children", 403},
        {"GET", CHILDREN "/web-1", 403},
        {"GET", CHILDREN "/web-2/state", 403},
        {"DELETE", CHILDREN "/web-1", 403},
        {"DELETE", CHILDREN "/SELF", 403},
        {"DELETE", WORKLOADS "/web", 403},
        {"POST", ROOT "/members/SELF/leave", 403},
        {"DELETE", METAS "/limit", 403},
        {"DELETE", NAMES "/api", 403},
        {"POST", NAMES, 403},
    };
    struct api_identity child = {.child = {"default", "web", 1}, .uid = "u", .epoch = 3};
    begin();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(ask_as_child(&child, true, table[i].method, table[i].target, span_text("")),
                        table[i].status);
        CU_ASSERT_EQUAL(ask_as_child(NULL, true, table[i].method, table[i].target, span_text("")),
                        401);
    }
    CU_ASSERT_EQUAL(node->requests, 0);
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

static void a_refusal_needs_no_request(void)
{
    struct api_call call = {0};
    api_call_refuse(&call, 429, "too many");
    CU_ASSERT_EQUAL(call.response.status, 429);
    CU_ASSERT_STRING_EQUAL(call.response.headers[0].name, "Retry-After");
    api_call_release(&call);
}

UNIT_MAIN("api calls", {"objects have their shapes", objects_have_their_shapes},
          {"what is not there is 404", what_is_not_there_is_404},
          {"lists are selected", lists_are_selected}, {"pages make the list", pages_make_the_list},
          {"the client chooses the format", the_client_chooses_the_format},
          {"health and discovery are there", health_and_discovery_are_there},
          {"events of all members are listed", events_of_all_members_are_listed},
          {"a workload is created once", a_workload_is_created_once},
          {"a dry run writes nothing", a_dry_run_writes_nothing},
          {"a write that changes nothing is not written",
           a_write_that_changes_nothing_is_not_written},
          {"a member tells what it has no room for", a_member_tells_what_it_has_no_room_for},
          {"supervisors that vote say who, and whether they are fenced",
           supervisors_that_vote_say_who_and_whether_they_are_fenced},
          {"a quorum is waited for", a_quorum_is_waited_for},
          {"the ring of a child is explained", the_ring_of_a_child_is_explained},
          {"a rebalance is shown, asked for and called off",
           a_rebalance_is_shown_asked_for_and_called_off},
          {"preconditions hold", preconditions_hold},
          {"changes need something to change", changes_need_something_to_change},
          {"a workload is scaled", a_workload_is_scaled},
          {"logs are asked for", logs_are_asked_for},
          {"children and members are acted on", children_and_members_are_acted_on},
          {"a refusal of the core is told", a_refusal_of_the_core_is_told},
          {"a client reads its writes", a_client_reads_its_writes},
          {"the answer is what was written", the_answer_is_what_was_written},
          {"names are registered with a token", names_are_registered_with_a_token},
          {"what is wrong with a registration is told", what_is_wrong_with_a_registration_is_told},
          {"meta is put and removed", meta_is_put_and_removed},
          {"things are counted", things_are_counted},
          {"a child leaves its state to its successor", a_child_leaves_its_state_to_its_successor},
          {"a child sets the value of its name", a_child_sets_the_value_of_its_name},
          {"within a container only its token counts", within_a_container_only_its_token_counts},
          {"a refusal needs no request", a_refusal_needs_no_request})
