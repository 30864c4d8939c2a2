/* Whole requests against a fake node: names and metas from outside, and what a child may do with
 * the token of its epoch. */
#include "unit.h"

#include "api_ask.h"

/* --- From outside ----------------------------------------------------------------------------- */

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
        {NAME_BODY("{\"port\":0}"), "spec.port: must be the name or number of a port"},
        {NAME_BODY("{\"port\":\"http\"}"), "spec.port: must be a number, not \"http\""},
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

/* --- Children --------------------------------------------------------------------------------- */

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
    struct api_identity one = {.child = {"default", "web", 1}, .epoch = 3};
    struct api_identity two = {.child = {"default", "web", 2}, .epoch = 1};
    begin();
    take_uid(&one);
    take_uid(&two);
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
    struct api_identity child = {.child = {"default", "web", 1}, .epoch = 3};
    char text_of[512];
    begin();
    take_uid(&child);
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

/* It may still run, or what it told others may: its time is over when its successor has the claim,
 * or its workload is gone. */
static void the_token_of_a_child_ends_with_its_epoch(void)
{
    static const char *const targets[] = {ROOT "/names", NAMES "/api", ROOT "/metas",
                                          CHILDREN "/SELF/state"};
    struct api_identity past = {.child = {"default", "web", 1}, .epoch = 0};
    begin();
    take_uid(&past);
    struct api_identity gone = past, other = past;
    gone.child.ordinal = 77;
    gone.epoch = other.epoch = 9;
    TEXT_SET(other.uid, "00000000-0000-4000-8000-000000009999");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        CU_ASSERT_EQUAL(ask_as_child(&past, true, "GET", targets[i], span_text("")), 403);
        CU_ASSERT_EQUAL(ask_as_child(&gone, true, "GET", targets[i], span_text("")), 403);
        CU_ASSERT_EQUAL(ask_as_child(&other, true, "GET", targets[i], span_text("")), 403);
    }
    CU_ASSERT_EQUAL(ask_as_child(&past, true, "PUT", NAMES "/web-1", span_text("{}")), 403);
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
    struct api_identity child = {.child = {"default", "web", 1}, .epoch = 3};
    begin();
    take_uid(&child);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(ask_as_child(&child, true, table[i].method, table[i].target, span_text("")),
                        table[i].status);
        CU_ASSERT_EQUAL(ask_as_child(NULL, true, table[i].method, table[i].target, span_text("")),
                        401);
    }
    CU_ASSERT_EQUAL(node->requests, 0);
    end();
}

UNIT_MAIN("api registry", {"names are registered with a token", names_are_registered_with_a_token},
          {"what is wrong with a registration is told", what_is_wrong_with_a_registration_is_told},
          {"meta is put and removed", meta_is_put_and_removed},
          {"a child leaves its state to its successor", a_child_leaves_its_state_to_its_successor},
          {"a child sets the value of its name", a_child_sets_the_value_of_its_name},
          {"the token of a child ends with its epoch", the_token_of_a_child_ends_with_its_epoch},
          {"within a container only its token counts", within_a_container_only_its_token_counts})
