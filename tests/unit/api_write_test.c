/* Whole requests against a fake node that change something: documents, scale, children, members;
 * what holds before they do, and what is answered. */
#include "unit.h"

#include "agent/codec/policy.h"
#include "api_ask.h"

/* --- Documents -------------------------------------------------------------------------------- */

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

/* What the agent that is asked does not allow is refused there; what is there already may stay. */
static void what_the_policy_does_not_allow_is_refused(void)
{
    static const struct policy nothing = {.privileged = false};
    static const char host[] =
        "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":"
        "{\"name\":\"host\"},\"spec\":{\"hostNetwork\":true,\"container\":"
        "{\"image\":\"b\"}}}";
    begin();
    asked_policy = &nothing;
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, DOCUMENT("new", 2)), 201);
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, host), 403);
    CU_ASSERT_STRING_EQUAL(text("reason"), "Forbidden");
    CU_ASSERT_PTR_NOT_NULL(strstr(text("message"), "spec.hostNetwork"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text("message"), "--allow-host-network"));
    CU_ASSERT_EQUAL(send("POST", WORKLOADS "?dryRun=All", JSON, host), 403);
    CU_ASSERT_EQUAL(get(WORKLOADS "/host"), 404);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/new", MERGE, "{\"spec\":{\"hostNetwork\":true}}"),
                    403);
    asked_policy = NULL;
    CU_ASSERT_EQUAL(send("POST", WORKLOADS, JSON, host), 201);
    asked_policy = &nothing;
    CU_ASSERT_EQUAL(
        send("PATCH", WORKLOADS "/host", MERGE, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 200);
    CU_ASSERT_EQUAL(send("PATCH", WORKLOADS "/host/scale", MERGE, "{\"spec\":{\"replicas\":3}}"),
                    200);
    CU_ASSERT_EQUAL(
        send("PATCH", WORKLOADS "/host", MERGE, "{\"spec\":{\"container\":{\"image\":\"c\"}}}"),
        403);
    CU_ASSERT_EQUAL(send("DELETE", WORKLOADS "/host", NULL, ""), 200);
    asked_policy = NULL;
    end();
}

/* --- Parts of them, and actions --------------------------------------------------------------- */

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

/* --- Answers ---------------------------------------------------------------------------------- */

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

UNIT_MAIN("api writes", {"a workload is created once", a_workload_is_created_once},
          {"a dry run writes nothing", a_dry_run_writes_nothing},
          {"a write that changes nothing is not written",
           a_write_that_changes_nothing_is_not_written},
          {"preconditions hold", preconditions_hold},
          {"changes need something to change", changes_need_something_to_change},
          {"policy", what_the_policy_does_not_allow_is_refused},
          {"a workload is scaled", a_workload_is_scaled},
          {"a rebalance is shown, asked for and called off",
           a_rebalance_is_shown_asked_for_and_called_off},
          {"children and members are acted on", children_and_members_are_acted_on},
          {"a refusal of the core is told", a_refusal_of_the_core_is_told},
          {"the answer is what was written", the_answer_is_what_was_written})
