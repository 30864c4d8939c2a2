/* Server-side apply: who owns what, conflicts, force, removal, sharing; and ownership through other
 * writes. */
#include "agent/codec/json.h"
#include "codec_support.h"

#define HEAD "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\n"

static struct error last_error;
static bool last_changed;

/* Applies yaml as manager; *workload becomes the result (empty at first: a create). */
static int apply_at(struct workload *workload, const char *manager, bool force, const char *yaml,
                    uint64_t now_ms)
{
    struct documents documents = support_parse(yaml);
    struct write write = {
        .manager = manager, .force = force, .now_ms = now_ms, .uid_bytes = uid_one};
    struct workload next;
    last_error = (struct error){0};
    int failed = workload_apply(&next, workload->document ? workload : NULL, &documents.items[0],
                                &write, &last_changed, &last_error);
    documents_release(&documents);
    if (failed)
        return -1;
    workload_release(workload);
    *workload = next;
    return 0;
}

static int apply(struct workload *workload, const char *manager, const char *yaml)
{
    return apply_at(workload, manager, false, yaml, 1700000000000);
}

static int force(struct workload *workload, const char *manager, const char *yaml)
{
    return apply_at(workload, manager, true, yaml, 1700000000000);
}

static void merge(struct workload *workload, const char *manager, const char *patch)
{
    struct documents documents = support_parse(patch);
    struct write write = {.manager = manager, .now_ms = 1700000001000, .uid_bytes = uid_one};
    struct workload next;
    CU_ASSERT_EQUAL_FATAL(workload_patch(&next, workload, PATCH_MERGE, &documents.items[0], &write,
                                         &last_changed, &last_error),
                          0);
    documents_release(&documents);
    workload_release(workload);
    *workload = next;
}

/* The FieldsV1 of a manager as text; "" if it has none. The caller frees. */
static char *owned(const struct workload *workload, const char *manager, const char *operation)
{
    cleanup_json cJSON *object = workload_to_json(workload);
    const cJSON *entry;
    cJSON_ArrayForEach(entry, JSON_GET_PATH(object, "metadata", "managedFields"))
    {
        if (strcmp(json_get_text(entry, "manager"), manager) == 0 &&
            strcmp(json_get_text(entry, "operation"), operation) == 0)
            return json_print(json_get(entry, "fieldsV1"));
    }
    return xstrdup("");
}

static void expect_owned(const struct workload *workload, const char *manager,
                         const char *operation, const char *expected)
{
    char *got = owned(workload, manager, operation);
    if (strcmp(got, expected) != 0)
        printf("%s %s\n  got      %s\n  expected %s\n", manager, operation, got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
    free(got);
}

static char *spec_field(const struct workload *workload, const char *field)
{
    cleanup_json cJSON *object = workload_to_json(workload);
    const cJSON *value = JSON_GET_PATH(object, "spec", "container", field);
    if (value == NULL)
        value = JSON_GET_PATH(object, "spec", field);
    return value != NULL ? json_print(value) : xstrdup("");
}

static void expect_field(const struct workload *workload, const char *field, const char *expected)
{
    char *got = spec_field(workload, field);
    if (strcmp(got, expected) != 0)
        printf("%s\n  got      %s\n  expected %s\n", field, got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
    free(got);
}

static void expect_conflict(int result, const char *text)
{
    CU_ASSERT_EQUAL(result, -1);
    CU_ASSERT_EQUAL(last_error.code, ERROR_CONFLICT);
    if (strcmp(last_error.text, text) != 0)
        printf("got      %s\nexpected %s\n", last_error.text, text);
    CU_ASSERT_STRING_EQUAL(last_error.text, text);
}

static const char web[] = HEAD
    "spec:\n  replicas: 3\n  container:\n    image: a:1\n    env: [{name: A, value: x}]\n"
    "    ports: [{containerPort: 80}]\n    command: [b, c]\n";

static void apply_creates_and_owns_what_it_says(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "kubectl", web), 0);
    CU_ASSERT(last_changed);
    CU_ASSERT_EQUAL(workload.replicas, 3);
    CU_ASSERT_EQUAL(workload.generation, 1);
    CU_ASSERT_STRING_EQUAL(workload.uid, "01020304-0506-4708-890a-0b0c0d0e0f10");
    expect_owned(
        &workload, "kubectl", "Apply",
        "{\"f:spec\":{\"f:container\":{\"f:command\":{},\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{"
        "\".\":{},"
        "\"f:name\":{},\"f:value\":{}}},\"f:image\":{},\"f:ports\":{\"k:{\\\"containerPort\\\":80,"
        "\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:containerPort\":{}}}},\"f:replicas\":{}}}");
    workload_release(&workload);
}

static void the_same_again_changes_nothing(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "kubectl", web), 0);
    char *before = xstrdup(workload.document);
    CU_ASSERT_EQUAL_FATAL(apply_at(&workload, "kubectl", false, web, 1800000000000), 0);
    CU_ASSERT_FALSE(last_changed);
    CU_ASSERT_STRING_EQUAL(workload.document, before);
    free(before);
    workload_release(&workload);
}

static void a_change_is_a_change(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "kubectl", web), 0);
    CU_ASSERT_EQUAL_FATAL(
        apply_at(&workload, "kubectl", false, HEAD "spec: {replicas: 4, container: {image: a:1}}\n",
                 1800000000000),
        0);
    CU_ASSERT(last_changed);
    CU_ASSERT_EQUAL(workload.replicas, 4);
    CU_ASSERT_EQUAL(workload.generation, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(workload.document, "\"time\":\"2027-01-15T08:00:00Z\""));
    expect_field(&workload, "env", ""); /* no longer said, nobody else's: gone */
    expect_field(&workload, "ports", "");
    expect_field(&workload, "command", "");
    expect_owned(&workload, "kubectl", "Apply",
                 "{\"f:spec\":{\"f:container\":{\"f:image\":{}},\"f:replicas\":{}}}");
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "kubectl", HEAD "spec: {container: {image: a:1}}\n"), 0);
    CU_ASSERT_EQUAL(workload.replicas, 1); /* back to its default */
    workload_release(&workload);
}

static void two_managers_conflict(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "kubectl", web), 0);
    expect_conflict(
        apply(&workload, "scaler",
              HEAD "spec: {replicas: 9, container: {env: [{name: A, value: z}]}}\n"),
        "Apply failed with 2 conflicts:\n- .spec.container.env[name=\"A\"].value of \"kubectl\"\n"
        "- .spec.replicas of \"kubectl\"");
    CU_ASSERT_EQUAL(workload.replicas, 3);
    expect_conflict(apply(&workload, "x", HEAD "spec: {container: {command: [q]}}\n"),
                    "Apply failed with 1 conflict:\n- .spec.container.command of \"kubectl\"");
    CU_ASSERT_EQUAL_FATAL(force(&workload, "scaler", HEAD "spec: {replicas: 9}\n"), 0);
    CU_ASSERT_EQUAL(workload.replicas, 9);
    expect_owned(&workload, "scaler", "Apply", "{\"f:spec\":{\"f:replicas\":{}}}");
    char *others = owned(&workload, "kubectl", "Apply");
    CU_ASSERT_PTR_NULL(strstr(others, "f:replicas"));
    free(others);
    expect_conflict(apply(&workload, "kubectl", web),
                    "Apply failed with 1 conflict:\n- .spec.replicas of \"scaler\"");
    workload_release(&workload);
}

static void two_managers_share(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "one",
              HEAD "spec: {replicas: 3, container: {image: a, env: [{name: A, value: x}]}}\n"),
        0);
    /* The same value: no conflict, both own it. */
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "two",
              HEAD "spec: {replicas: 3, container: {env: [{name: B, value: z}]}}\n"),
        0);
    CU_ASSERT(last_changed);
    CU_ASSERT_EQUAL(workload.generation, 2);
    expect_field(&workload, "env",
                 "[{\"name\":\"A\",\"value\":\"x\"},{\"name\":\"B\",\"value\":\"z\"}]");
    /* One gives it up: it stays, because two still says it. */
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "one", HEAD "spec: {container: {image: a}}\n"), 0);
    CU_ASSERT_EQUAL(workload.replicas, 3);
    expect_field(&workload, "env", "[{\"name\":\"B\",\"value\":\"z\"}]");
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "two", HEAD), 0);
    CU_ASSERT_EQUAL(workload.replicas, 1);
    expect_field(&workload, "env", "");
    expect_owned(&workload, "two", "Apply", ""); /* owns nothing: no entry */
    workload_release(&workload);
}

static void maps_are_owned_key_by_key(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "one",
              "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, labels: "
              "{a: '1', b: '2'}}\nspec: {container: {image: a}, nodeSelector: {disk: ssd}}\n"),
        0);
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "two",
              "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, labels: "
              "{c: '3'}, annotations: {note: x}}\n"),
        0);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(workload.document, "\"labels\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}"));
    CU_ASSERT_EQUAL(workload.generation, 1);
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "one",
              "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, labels: "
              "{a: '1'}}\nspec: {container: {image: a}}\n"),
        0);
    CU_ASSERT_PTR_NOT_NULL(strstr(workload.document, "\"labels\":{\"a\":\"1\",\"c\":\"3\"}"));
    CU_ASSERT_EQUAL(workload.node_selector_count, 0);
    expect_conflict(apply(&workload, "one",
                          "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, "
                          "labels: {c: '4'}}\n"),
                    "Apply failed with 1 conflict:\n- .metadata.labels.c of \"two\"");
    workload_release(&workload);
}

static void a_union_can_change_its_kind(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "k",
              HEAD "spec: {volumes: [{name: d, hostPath: {path: /d, type: Directory}}], container: "
                   "{image: a, volumeMounts: [{name: d, mountPath: /d}]}}\n"),
        0);
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "k",
                                HEAD "spec: {volumes: [{name: d, emptyDir: {}}], container: "
                                     "{image: a, volumeMounts: [{name: d, mountPath: /d}]}}\n"),
                          0);
    expect_field(&workload, "volumes", "[{\"emptyDir\":{},\"name\":\"d\"}]");
    char *set = owned(&workload, "k", "Apply");
    CU_ASSERT_PTR_NOT_NULL(strstr(set, "\"f:emptyDir\":{}"));
    free(set);
    workload_release(&workload);
}

static void other_writes_own_too(void)
{
    struct workload workload = support_create(
        HEAD "spec: {replicas: 2, container: {image: a, env: [{name: A, value: x}]}}\n");
    expect_owned(&workload, "test", "Update",
                 "{\"f:spec\":{\"f:container\":{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\".\":{}"
                 ",\"f:name\":{},\"f:value\":{}}},"
                 "\"f:image\":{}},\"f:replicas\":{}}}");
    expect_conflict(apply(&workload, "k", HEAD "spec: {replicas: 5, container: {image: a}}\n"),
                    "Apply failed with 1 conflict:\n- .spec.replicas of \"test\"");
    CU_ASSERT_EQUAL_FATAL(
        force(&workload, "k", HEAD "spec: {replicas: 5, container: {image: a}}\n"), 0);
    merge(&workload, "scaler", "{\"spec\":{\"replicas\":7}}"); /* an update takes without asking */
    expect_owned(&workload, "scaler", "Update", "{\"f:spec\":{\"f:replicas\":{}}}");
    expect_owned(&workload, "k", "Apply", "{\"f:spec\":{\"f:container\":{\"f:image\":{}}}}");
    /* Scaled by somebody else: a file that does not speak of replicas leaves them alone. */
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "k", HEAD "spec: {container: {image: b}}\n"),
                          -1); /* test shares the image */
    CU_ASSERT_EQUAL_FATAL(force(&workload, "k", HEAD "spec: {container: {image: b}}\n"), 0);
    CU_ASSERT_EQUAL(workload.replicas, 7);
    merge(&workload, "x", "{\"spec\":{\"container\":{\"env\":null}}}");
    expect_owned(&workload, "test", "Update", "");
    expect_owned(&workload, "x", "Update", "");
    workload_release(&workload);
}

static void an_item_stays_while_somebody_owns_part_of_it(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "k",
              HEAD "spec: {container: {image: a, env: [{name: A, value: x}, {name: B}]}}\n"),
        0);
    merge(&workload, "u",
          "{\"spec\":{\"container\":{\"env\":[{\"name\":\"A\",\"value\":\"changed\"},{\"name\":"
          "\"B\"}]}}}");
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "k", HEAD "spec: {container: {image: a}}\n"), 0);
    expect_field(&workload, "env", "[{\"name\":\"A\",\"value\":\"changed\"}]");
    workload_release(&workload);
}

static void order_is_the_configurations(void)
{
    struct workload workload = {0};
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "k", HEAD "spec: {container: {image: a, env: [{name: A}, {name: B}]}}\n"),
        0);
    CU_ASSERT_EQUAL_FATAL(apply(&workload, "l", HEAD "spec: {container: {env: [{name: C}]}}\n"), 0);
    CU_ASSERT_EQUAL_FATAL(
        apply(&workload, "k",
              HEAD "spec: {container: {image: a, env: [{name: D}, {name: B}, {name: A}]}}\n"),
        0);
    expect_field(&workload, "env",
                 "[{\"name\":\"B\"},{\"name\":\"A\"},{\"name\":\"C\"},{\"name\":\"D\"}]");
    workload_release(&workload);
}

static void expect_refused(const char *manager, const char *yaml, enum error_code code,
                           const char *text)
{
    struct workload workload = support_create(HEAD "spec: {container: {image: a}}\n");
    CU_ASSERT_EQUAL(apply(&workload, manager, yaml), -1);
    CU_ASSERT_EQUAL(last_error.code, code);
    if (strstr(last_error.text, text) == NULL)
        printf("got      %s\nexpected %s\n", last_error.text, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, text));
    workload_release(&workload);
}

static void configurations_are_validated(void)
{
    expect_refused("", HEAD, ERROR_MALFORMED, "fieldManager: is required");
    expect_refused("k",
                   "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, "
                   "managedFields: [{manager: a}]}\n",
                   ERROR_MALFORMED, "metadata.managedFields: must be empty");
    expect_refused("k", HEAD "spec: {replica: 3}\n", ERROR_INVALID,
                   "spec.replica: unknown field, did you mean \"replicas\"? (line 4, column 17)");
    expect_refused("k", HEAD "spec: {container: {env: [{name: A}, {name: A}]}}\n", ERROR_INVALID,
                   "spec.container.env: every item needs name, and no two the same, to be applied "
                   "(line 4, column 25)");
    expect_refused("k", HEAD "spec: {container: {volumeMounts: [{name: d, mountPath: /d}]}}\n",
                   ERROR_INVALID,
                   "spec.container.volumeMounts[0].name: \"d\" is no volume of spec.volumes");
    expect_refused("k", HEAD "spec: {supervisor: other}\n", ERROR_INVALID,
                   "spec.supervisor: cannot be changed");
    struct workload none = {0};
    CU_ASSERT_EQUAL(apply(&none, "k", HEAD "spec: {replicas: 3}\n"), -1);
    CU_ASSERT_STRING_EQUAL(last_error.text, "spec.container: is required (line 4, column 7)");
}

static void managers_are_bounded(void)
{
    struct workload workload = support_create(HEAD "spec: {container: {image: a}}\n");
    for (int i = 0; i < 60; i++) {
        char manager[32], patch[128];
        snprintf(manager, sizeof manager, "agent-%d", i);
        snprintf(patch, sizeof patch, "{\"metadata\":{\"labels\":{\"l%d\":\"x\"}}}", i);
        merge(&workload, manager, patch);
    }
    cleanup_json cJSON *object = workload_to_json(&workload);
    CU_ASSERT_EQUAL(cJSON_GetArraySize(JSON_GET_PATH(object, "metadata", "managedFields")), 16);
    char *set = owned(&workload, "ancient-changes", "Update");
    CU_ASSERT_PTR_NOT_NULL(strstr(set, "f:l0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(set, "f:image"));
    free(set);
    workload_release(&workload);
}

UNIT_MAIN("apply", {"apply creates and owns what it says", apply_creates_and_owns_what_it_says},
          {"the same again changes nothing", the_same_again_changes_nothing},
          {"a change is a change", a_change_is_a_change},
          {"two managers conflict", two_managers_conflict},
          {"two managers share", two_managers_share},
          {"maps are owned key by key", maps_are_owned_key_by_key},
          {"a union can change its kind", a_union_can_change_its_kind},
          {"other writes own too", other_writes_own_too},
          {"an item stays while somebody owns part of it",
           an_item_stays_while_somebody_owns_part_of_it},
          {"order is the configuration's", order_is_the_configurations},
          {"configurations are validated", configurations_are_validated},
          {"managers are bounded", managers_are_bounded})
