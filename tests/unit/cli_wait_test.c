/* What `wait --for` means, and when `apply --wait` gives up. */
#include "agent/cli/rollout.h"
#include "agent/cli/wait_for.h"
#include "unit.h"

static cJSON *object_of(const char *text)
{
    struct error err = {0};
    cJSON *object = json_parse(span_text(text), 4096, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    return object;
}

static bool holds(const char *condition, enum api_resource resource, const char *text)
{
    struct wait_for wait;
    struct error err = {0};
    CU_ASSERT_EQUAL_FATAL(wait_for_parse(&wait, condition, &err), 0);
    cleanup_json cJSON *object = text ? object_of(text) : NULL;
    return wait_for_holds(&wait, resource, object);
}

static void ready_is_what_the_kind_says(void)
{
    CU_ASSERT_TRUE(holds(NULL, API_CHILDREN, "{\"status\":{\"ready\":true}}"));
    CU_ASSERT_FALSE(holds("ready", API_CHILDREN, "{\"status\":{\"ready\":false}}"));
    CU_ASSERT_FALSE(holds("ready", API_CHILDREN, NULL));
    CU_ASSERT_TRUE(holds("ready", API_MEMBERS, "{\"status\":{\"phase\":\"alive\"}}"));
    CU_ASSERT_FALSE(holds("ready", API_MEMBERS, "{\"status\":{\"phase\":\"dead\"}}"));
    CU_ASSERT_TRUE(holds("ready", API_SUPERVISORS, "{\"status\":{\"quorum\":true}}"));
    CU_ASSERT_FALSE(holds("ready", API_SUPERVISORS, "{\"status\":{}}"));
    CU_ASSERT_TRUE(holds("ready", API_NAMES, "{}"));
    const char *updated =
        "{\"metadata\":{\"generation\":2},\"spec\":{\"replicas\":2},\"status\":{"
        "\"replicas\":2,\"readyReplicas\":2,\"updatedReplicas\":2,"
        "\"observedGeneration\":2}}";
    CU_ASSERT_TRUE(holds("ready", API_WORKLOADS, updated));
    CU_ASSERT_TRUE(holds("deleted", API_WORKLOADS, NULL));
    CU_ASSERT_FALSE(holds("delete", API_WORKLOADS, updated));
}

static void a_field_may_be_waited_for(void)
{
    const char *text =
        "{\"status\":{\"phase\":\"Running\",\"restarts\":3,\"conditions\":[{\"type\":"
        "\"Available\",\"status\":\"True\"},{\"type\":\"Progressing\",\"status\":"
        "\"False\",\"message\":\"1 of 2\"}]}}";
    CU_ASSERT_TRUE(holds("jsonpath={.status.phase}=Running", API_CHILDREN, text));
    CU_ASSERT_TRUE(holds("jsonpath=.status.restarts=3", API_CHILDREN, text));
    CU_ASSERT_FALSE(holds("jsonpath={.status.phase}=Failed", API_CHILDREN, text));
    CU_ASSERT_TRUE(holds("jsonpath={.status.phase}", API_CHILDREN, text));
    CU_ASSERT_FALSE(holds("jsonpath={.status.none.at.all}", API_CHILDREN, text));
    CU_ASSERT_TRUE(holds("jsonpath={.status.conditions[1].message}=1 of 2", API_CHILDREN, text));
    CU_ASSERT_FALSE(holds("jsonpath={.status.conditions[7].type}", API_CHILDREN, text));
    CU_ASSERT_TRUE(holds("condition=Available", API_WORKLOADS, text));
    CU_ASSERT_TRUE(holds("condition=progressing=false", API_WORKLOADS, text));
    CU_ASSERT_FALSE(holds("condition=NameConflict", API_WORKLOADS, text));
    cleanup_json cJSON *object = object_of(text);
    CU_ASSERT_STRING_EQUAL(rollout_failure(object), "1 of 2");
    cleanup_json cJSON *fine = object_of("{\"status\":{\"conditions\":[]}}");
    CU_ASSERT_PTR_NULL(rollout_failure(fine));
}

static void what_makes_no_sense_is_refused(void)
{
    static const char *const texts[] = {
        "", "soon", "jsonpath=", "jsonpath={}", "jsonpath={.a", "condition=", "jsonpath={.a}b"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct wait_for wait;
        struct error err = {0};
        CU_ASSERT_EQUAL(wait_for_parse(&wait, texts[i], &err), -1);
        CU_ASSERT_EQUAL(err.code, ERROR_INVALID);
    }
}

UNIT_MAIN("cli wait", {"ready is what the kind says", ready_is_what_the_kind_says},
          {"a field may be waited for", a_field_may_be_waited_for},
          {"what makes no sense is refused", what_makes_no_sense_is_refused})
