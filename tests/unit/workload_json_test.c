/* Workload documents: canonical form, defaults, the hash of what shapes a container, and the life
 * of a document. */
#include "agent/codec/document_write.h"
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "codec_support.h"

static const char smallest[] =
    "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\n"
    "spec: {container: {image: 'busybox:1.36'}}\n";

/* The sample of design section 10, without what this release refuses. */
static const char billing[] =
    "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: billing, labels: {app: "
    "billing}}\nspec:\n"
    "  supervisor: quorum\n  replicas: 1\n  restart: permanent\n  shutdown: 10s\n  priority: 0\n"
    "  names: [{name: billing, port: http, value: {tier: gold}}]\n  onNameConflict: keep\n"
    "  updateStrategy: {type: RollingUpdate, maxUnavailable: 1}\n  minReadySeconds: 0\n"
    "  progressDeadlineSeconds: 600\n  ttlSecondsAfterFinished: null\n  nodeSelector: {disk: ssd}\n"
    "  hostNetwork: false\n  volumes: [{name: data, hostPath: {path: /srv/billing}}]\n  "
    "container:\n"
    "    image: docker.io/library/busybox:1.36\n    imagePullPolicy: IfNotPresent\n"
    "    command: [httpd, -f, -p, \"80\"]\n    env: [{name: MODE, value: prod}]\n"
    "    ports: [{name: http, containerPort: 80}]\n    volumeMounts: [{name: data, mountPath: "
    "/data}]\n"
    "    resources: {limits: {cpu: 500m, memory: 64Mi}}\n";

static struct error last_error;

/* One patch on a workload, from YAML or JSON text. Returns what workload_patch returned; *workload
 * becomes the result.
 */
static int patch_with(struct workload *workload, const char *content_type, const char *text,
                      const struct write *write, bool *ret_changed)
{
    enum patch_type type;
    struct documents documents;
    struct workload next;
    last_error = (struct error){0};
    CU_ASSERT_EQUAL_FATAL(patch_type_parse(&type, content_type, &last_error), 0);
    if (documents_parse(&documents, content_type, span_text(text), &last_error) != 0)
        return -1;
    int failed =
        workload_patch(&next, workload, type, &documents.items[0], write, ret_changed, &last_error);
    documents_release(&documents);
    if (failed)
        return failed;
    workload_release(workload);
    *workload = next;
    return 0;
}

static int merge_with(struct workload *workload, const char *text, bool *ret_changed)
{
    return patch_with(workload, "application/merge-patch+json", text, &write_one, ret_changed);
}

static int update_with(struct workload *workload, const char *yaml, const struct write *write,
                       bool *ret_changed)
{
    struct documents documents = support_parse(yaml);
    struct workload next;
    last_error = (struct error){0};
    int failed =
        workload_update(&next, workload, &documents.items[0], write, ret_changed, &last_error);
    documents_release(&documents);
    if (failed)
        return failed;
    workload_release(workload);
    *workload = next;
    return 0;
}

/* ---- canonical form ---- */

static void the_smallest_gets_all_defaults(void)
{
    struct workload workload = support_create(smallest);
    CU_ASSERT_STRING_EQUAL(workload.document,
                           "{\"apiVersion\":\"hordelet.dev/"
                           "v1\",\"kind\":\"Workload\",\"metadata\":{\"creationTimestamp\":"
                           "\"2023-11-14T22:13:20Z\",\"generation\":1,\"managedFields\":[{"
                           "\"apiVersion\":\"hordelet.dev/v1\","
                           "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:spec\":{\"f:container\":{"
                           "\"f:image\":{}}}},\"manager\":\"test\","
                           "\"operation\":\"Update\",\"time\":\"2023-11-14T22:13:20Z\"}],\"name\":"
                           "\"web\",\"namespace\":\"default\","
                           "\"uid\":\"01020304-0506-4708-890a-0b0c0d0e0f10\"},\"spec\":{"
                           "\"container\":{\"image\":\"busybox:1.36\","
                           "\"imagePullPolicy\":\"IfNotPresent\",\"stdin\":false,\"stdinOnce\":"
                           "false,\"tty\":false},\"hostNetwork\":false,"
                           "\"minReadySeconds\":0,\"onNameConflict\":\"keep\",\"priority\":0,"
                           "\"progressDeadlineSeconds\":600,"
                           "\"replicas\":1,\"restart\":\"permanent\",\"shutdown\":\"5s\","
                           "\"supervisor\":\"default\",\"updateStrategy\":"
                           "{\"maxUnavailable\":1,\"type\":\"RollingUpdate\"}}}");
    CU_ASSERT_STRING_EQUAL(workload.ns, "default");
    CU_ASSERT_STRING_EQUAL(workload.supervisor, "default");
    CU_ASSERT_EQUAL(workload.replicas, 1);
    CU_ASSERT_EQUAL(workload.restart, RESTART_PERMANENT);
    CU_ASSERT_EQUAL(workload.shutdown_ms, 5000);
    CU_ASSERT_EQUAL(workload.max_unavailable, 1);
    CU_ASSERT_EQUAL(workload.progress_deadline_seconds, 600);
    CU_ASSERT_EQUAL(workload.ttl_seconds_after_finished, -1);
    CU_ASSERT_EQUAL(workload.pull, PULL_IF_NOT_PRESENT);
    CU_ASSERT_EQUAL(workload.generation, 1);
    CU_ASSERT_EQUAL(workload.created_ms, 1700000000000);
    CU_ASSERT_STRING_EQUAL(workload.uid, "01020304-0506-4708-890a-0b0c0d0e0f10");
    CU_ASSERT_EQUAL(workload.document_bytes, strlen(workload.document));
    workload_release(&workload);
}

static void the_sample_is_read_whole(void)
{
    struct workload workload = support_create(billing);
    CU_ASSERT_STRING_EQUAL(workload.supervisor, "quorum");
    CU_ASSERT_EQUAL(workload.shutdown_ms, 10000);
    CU_ASSERT_EQUAL_FATAL(workload.name_count, 1);
    CU_ASSERT_STRING_EQUAL(workload.names[0].name, "billing");
    CU_ASSERT_STRING_EQUAL(workload.names[0].port, "http");
    CU_ASSERT_STRING_EQUAL(workload.names[0].value, "{\"tier\":\"gold\"}");
    CU_ASSERT_EQUAL_FATAL(workload.port_count, 1);
    CU_ASSERT_STRING_EQUAL(workload.ports[0].name, "http");
    CU_ASSERT_EQUAL(workload.ports[0].container_port, 80);
    CU_ASSERT_EQUAL(workload.ports[0].host_port, 0);
    CU_ASSERT_FALSE(workload.ports[0].udp);
    CU_ASSERT_EQUAL_FATAL(workload.node_selector_count, 1);
    CU_ASSERT_STRING_EQUAL(workload.node_selector[0].key, "disk");
    CU_ASSERT_STRING_EQUAL(workload.node_selector[0].value, "ssd");
    CU_ASSERT_STRING_EQUAL(workload.image, "docker.io/library/busybox:1.36");
    CU_ASSERT_PTR_NULL(strstr(workload.document, "ttlSecondsAfterFinished")); /* null is absent */
    workload_release(&workload);
}

static void probes_are_read_with_their_defaults(void)
{
    struct workload workload = support_create(
        "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\nspec:\n  container:\n"
        "    image: a\n    ports: [{name: http, containerPort: 80}]\n"
        "    readinessProbe: {httpGet: {port: http}, initialDelaySeconds: 4, successThreshold: 2}\n"
        "    livenessProbe: {tcpSocket: {port: 81}, periodSeconds: 7, failureThreshold: 9}\n");
    const struct probe *ready = &workload.probes[PROBE_READINESS],
                       *live = &workload.probes[PROBE_LIVENESS];
    CU_ASSERT(ready->initial_delay_seconds == 4 && ready->period_seconds == 10 &&
              ready->timeout_seconds == 1 && ready->success_threshold == 2 &&
              ready->failure_threshold == 3);
    CU_ASSERT(live->initial_delay_seconds == 0 && live->period_seconds == 7 &&
              live->timeout_seconds == 1 && live->success_threshold == 1 &&
              live->failure_threshold == 9);
    CU_ASSERT_PTR_NOT_NULL(strstr(workload.document, "\"path\":\"/\""));
    workload_release(&workload);
}

/* A limit without a request asks for all of it. */
static void what_is_asked_for_is_read(void)
{
    struct workload workload = support_create(
        "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\nspec:\n  container:\n"
        "    image: a\n"
        "    resources: {requests: {cpu: 250m}, limits: {cpu: 2, memory: 64Mi}}\n");
    CU_ASSERT_EQUAL(workload.cpu_milli, 250);
    CU_ASSERT_EQUAL(workload.memory_bytes, 64 << 20);
    workload_release(&workload);
    workload = support_create(smallest);
    CU_ASSERT(workload.cpu_milli == 0 && workload.memory_bytes == 0);
    workload_release(&workload);
}

/* parse(print(x)) = x, also through YAML. */
static void canonical_form_is_a_fixed_point(void)
{
    static const char *const texts[] = {smallest, billing};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct workload workload = support_create(texts[i]), again;
        struct error err = {0};
        cleanup_json cJSON *object = workload_to_json(&workload);
        char *yaml = yaml_print(object);
        struct documents documents = support_parse(yaml);
        CU_ASSERT_EQUAL_FATAL(workload_from_json(&again, documents.items[0].object, NULL, &err), 0);
        CU_ASSERT_STRING_EQUAL(again.document, workload.document);
        CU_ASSERT(again.spec_hash == workload.spec_hash);
        CU_ASSERT_EQUAL(again.created_ms, workload.created_ms);
        documents_release(&documents);
        free(yaml);
        workload_release(&workload);
        workload_release(&again);
    }
}

static uint64_t hash_of(const char *spec)
{
    char text[1024];
    snprintf(text, sizeof text,
             "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\nspec: %s\n",
             spec);
    struct workload workload = support_create(text);
    uint64_t hash = workload.spec_hash;
    workload_release(&workload);
    return hash;
}

static void hash_is_of_what_shapes_the_container(void)
{
    uint64_t plain = hash_of(
        "{container: {image: 'a:1', env: [{name: A, value: b}], ports: [{containerPort: 80}]}}");
    CU_ASSERT(plain == hash_of("{container: {ports: [{containerPort: 80}], env: [{value: b, name: "
                               "A}], image: 'a:1'}}"));
    CU_ASSERT(plain == hash_of("{hostNetwork: false, container: {image: 'a:1', imagePullPolicy: "
                               "IfNotPresent, tty: false, "
                               "env: [{name: A, value: b}], ports: [{containerPort: 80, protocol: "
                               "TCP}], workingDir: null}}"));
    CU_ASSERT(
        plain ==
        hash_of(
            "{replicas: 7, names: [{name: x}], priority: 5, shutdown: 1m, nodeSelector: {a: b}, "
            "container: {image: 'a:1', env: [{name: A, value: b}], ports: [{containerPort: "
            "80}]}}"));
    CU_ASSERT(plain != hash_of("{container: {image: 'a:2', env: [{name: A, value: b}], ports: "
                               "[{containerPort: 80}]}}"));
    CU_ASSERT(plain != hash_of("{container: {image: 'a:1', env: [{name: A, value: c}], ports: "
                               "[{containerPort: 80}]}}"));
    CU_ASSERT(
        plain !=
        hash_of("{hostNetwork: true, container: {image: 'a:1', env: [{name: A, value: b}], ports: "
                "[{containerPort: 80}]}}"));
    CU_ASSERT(hash_of("{container: {image: a, env: [{name: A, value: x}, {name: B, value: z}]}}") !=
              hash_of("{container: {image: a, env: [{name: B, value: z}, {name: A, value: x}]}}"));
    /* Frozen: running containers carry it as a label. */
    CU_ASSERT(hash_of("{container: {image: 'busybox:1.36'}}") == 0xdc1543b0a5b78988ull);
}

static void pull_policy_follows_the_tag(void)
{
    static const struct {
        const char *image;
        enum pull_policy pull;
    } cases[] = {{"a:1", PULL_IF_NOT_PRESENT},
                 {"a", PULL_ALWAYS},
                 {"a:latest", PULL_ALWAYS},
                 {"host:5000/a", PULL_ALWAYS},
                 {"host:5000/a:2", PULL_IF_NOT_PRESENT},
                 {"a@sha256:00", PULL_IF_NOT_PRESENT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web}\n"
                 "spec: {container: {image: '%s', imagePullPolicy: null}}\n",
                 cases[i].image);
        struct workload workload = support_create(text);
        CU_ASSERT_EQUAL(workload.pull, cases[i].pull);
        workload_release(&workload);
    }
}

static void words_have_their_meaning(void)
{
    struct workload workload = support_create(
        "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, namespace: "
        "prod}\nspec:\n  restart: Never\n"
        "  shutdown: infinity\n  onNameConflict: stop\n  updateStrategy: {type: Recreate}\n  "
        "names: [{name: web, port: 81, "
        "value: 9007199254740991}]\n"
        "  container: {image: a, imagePullPolicy: Never, ports: [{containerPort: 81, hostPort: "
        "8081, protocol: UDP}]}\n");
    CU_ASSERT_STRING_EQUAL(workload.ns, "prod");
    CU_ASSERT_EQUAL(workload.restart, RESTART_TEMPORARY);
    CU_ASSERT(workload.shutdown_ms == SHUTDOWN_INFINITY);
    CU_ASSERT_EQUAL(workload.on_name_conflict, NAME_CONFLICT_STOP);
    CU_ASSERT_EQUAL(workload.update, UPDATE_RECREATE);
    CU_ASSERT_EQUAL(workload.pull, PULL_NEVER);
    CU_ASSERT_STRING_EQUAL(workload.names[0].port, "81");
    CU_ASSERT_STRING_EQUAL(workload.names[0].value, "9007199254740991");
    CU_ASSERT(workload.ports[0].udp);
    CU_ASSERT_EQUAL(workload.ports[0].host_port, 8081);
    cleanup_json cJSON *object = workload_to_json(&workload);
    char *text = json_print(object);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"value\":9007199254740991"));
    free(text);
    workload_release(&workload);
}

/* ---- life ---- */

static void what_the_server_sets_cannot_be_given(void)
{
    struct workload workload = support_create(
        "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, uid: "
        "11111111-1111-4111-8111-111111111111, "
        "resourceVersion: '5', generation: 9, creationTimestamp: null, managedFields: [{manager: "
        "x}]}\n"
        "spec: {container: {image: a}}\nstatus: {replicas: 5}\n");
    CU_ASSERT_STRING_EQUAL(workload.uid, "01020304-0506-4708-890a-0b0c0d0e0f10");
    CU_ASSERT_EQUAL(workload.generation, 1);
    CU_ASSERT_PTR_NULL(strstr(workload.document, "status"));
    CU_ASSERT_PTR_NULL(strstr(workload.document, "resourceVersion"));
    workload_release(&workload);
}

static void generation_counts_changes_of_the_spec(void)
{
    struct workload workload = support_create(smallest);
    bool changed = true;
    char *before = xstrdup(workload.document);
    CU_ASSERT_EQUAL(update_with(&workload, smallest, &write_one, &changed), 0);
    CU_ASSERT_FALSE(changed);
    CU_ASSERT_STRING_EQUAL(workload.document, before);
    free(before);
    CU_ASSERT_EQUAL(merge_with(&workload, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", &changed),
                    0);
    CU_ASSERT(changed);
    CU_ASSERT_EQUAL(workload.generation, 1);
    CU_ASSERT_EQUAL(merge_with(&workload, "{\"spec\":{\"replicas\":4}}", &changed), 0);
    CU_ASSERT(changed);
    CU_ASSERT_EQUAL(workload.generation, 2);
    CU_ASSERT_EQUAL(workload.replicas, 4);
    CU_ASSERT_STRING_EQUAL(workload.uid, "01020304-0506-4708-890a-0b0c0d0e0f10");
    CU_ASSERT_EQUAL(merge_with(&workload, "{\"spec\":{\"replicas\":null}}", &changed), 0);
    CU_ASSERT_EQUAL(workload.replicas, 1); /* the default again */
    CU_ASSERT_EQUAL(workload.generation, 3);
    CU_ASSERT_EQUAL(
        merge_with(&workload, "{\"metadata\":{\"generation\":99,\"creationTimestamp\":null}}",
                   &changed),
        0);
    CU_ASSERT_FALSE(changed);
    workload_release(&workload);
}

static void expect_failure(int result, enum error_code code, const char *text)
{
    CU_ASSERT_EQUAL(result, -1);
    CU_ASSERT_EQUAL(last_error.code, code);
    if (strstr(last_error.text, text) == NULL)
        printf("got      %s\nexpected %s\n", last_error.text, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, text));
}

static void what_cannot_change_is_refused(void)
{
    struct workload workload = support_create(smallest);
    struct write write = write_one;
    write.ns = "default";
    write.name = "web";
    expect_failure(merge_with(&workload, "{\"spec\":{\"supervisor\":\"quorum\"}}", NULL),
                   ERROR_INVALID, "spec.supervisor: cannot be changed: it is \"default\"");
    expect_failure(patch_with(&workload, "application/merge-patch+json",
                              "{\"metadata\":{\"name\":\"x\"}}", &write, NULL),
                   ERROR_MALFORMED, "metadata.name: \"x\" is not the name in the URL, web");
    expect_failure(
        update_with(&workload,
                    "{apiVersion: hordelet.dev/v1, kind: Workload, metadata: {name: web, "
                    "namespace: other}, spec: {container: {image: a}}}",
                    &write, NULL),
        ERROR_MALFORMED, "metadata.namespace: \"other\" is not the namespace in the URL, default");
    expect_failure(
        update_with(&workload,
                    "{apiVersion: hordelet.dev/v1, kind: Workload, metadata: {name: web},\n"
                    "spec: {container: {image: a}, supervisor: quorum}}",
                    &write, NULL),
        ERROR_INVALID, "spec.supervisor: cannot be changed: it is \"default\" (line 2, column 43)");
    CU_ASSERT_EQUAL(workload.generation, 1);
    workload_release(&workload);
}

static void preconditions_are_checked(void)
{
    struct workload workload = support_create(smallest);
    struct write write = write_one;
    write.resource_version = "7";
    bool changed;
    expect_failure(patch_with(&workload, "application/merge-patch+json",
                              "{\"metadata\":{\"resourceVersion\":\"6\"}}", &write, NULL),
                   ERROR_CONFLICT, "the object has been modified");
    expect_failure(patch_with(&workload, "application/merge-patch+json",
                              "{\"metadata\":{\"uid\":\"11111111-1111-4111-8111-111111111111\"}}",
                              &write, NULL),
                   ERROR_CONFLICT, "Precondition failed: UID");
    expect_failure(
        patch_with(&workload, "application/json-patch+json",
                   "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"6\"}]",
                   &write, NULL),
        ERROR_INVALID, "the test failed: /metadata/resourceVersion");
    CU_ASSERT_EQUAL(
        patch_with(&workload, "application/json-patch+json",
                   "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"},"
                   "{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":2}]",
                   &write, &changed),
        0);
    CU_ASSERT(changed);
    CU_ASSERT_EQUAL(workload.replicas, 2);
    CU_ASSERT_PTR_NULL(strstr(workload.document, "resourceVersion"));
    workload_release(&workload);
}

static void a_patch_cannot_break_the_document(void)
{
    struct workload workload = support_create(smallest);
    expect_failure(merge_with(&workload, "{\"spec\":{\"replicas\":-1}}", NULL), ERROR_INVALID,
                   "spec.replicas: must be 0..100000, not -1");
    expect_failure(merge_with(&workload, "{\"spec\":null}", NULL), ERROR_INVALID,
                   "spec: is required");
    expect_failure(merge_with(&workload, "{\"metadata\":null}", NULL), ERROR_INVALID,
                   "metadata: is required");
    expect_failure(merge_with(&workload, "{\"kind\":\"Supervisor\"}", NULL), ERROR_MALFORMED,
                   "kind: must be Workload");
    expect_failure(merge_with(&workload, "[]", NULL), ERROR_MALFORMED,
                   "document 1 must be an object");
    expect_failure(patch_with(&workload, "application/json-patch+json",
                              "[{\"op\":\"replace\",\"path\":\"\",\"value\":7}]", &write_one, NULL),
                   ERROR_MALFORMED, "must be an object");
    enum patch_type type;
    CU_ASSERT_EQUAL(patch_type_parse(&type, "application/strategic-merge-patch+json", &last_error),
                    -1);
    CU_ASSERT_EQUAL(last_error.code, ERROR_UNSUPPORTED_MEDIA);
    workload_release(&workload);
}

static void scale_changes_replicas_only(void)
{
    struct workload workload = support_create(billing), next;
    bool changed;
    CU_ASSERT_EQUAL(workload_scale(&next, &workload, 5, &write_one, &changed, &last_error), 0);
    CU_ASSERT(changed);
    CU_ASSERT_EQUAL(next.replicas, 5);
    CU_ASSERT(next.spec_hash == workload.spec_hash);
    CU_ASSERT_EQUAL(next.generation, 2);
    workload_release(&next);
    CU_ASSERT_EQUAL(workload_scale(&next, &workload, 1, &write_one, &changed, &last_error), 0);
    CU_ASSERT_FALSE(changed);
    workload_release(&next);
    expect_failure(workload_scale(&next, &workload, 100001, &write_one, &changed, &last_error),
                   ERROR_INVALID, "spec.replicas");
    workload_release(&workload);
}

static void what_is_stored_has_64_kib(void)
{
    struct buffer text = {0};
    struct documents documents;
    struct workload workload;
    static const char head[] =
        "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"web\"},"
        "\"spec\":{\"container\":{\"image\":\"a\",\"args\":[\"";
    buffer_append(&text, head, sizeof head - 1);
    for (size_t i = 0; i < DOCUMENT_BYTES_MAX; i++)
        buffer_u8(&text, 'x');
    buffer_append(&text, "\"]}}}", 5);
    CU_ASSERT_EQUAL_FATAL(
        documents_parse(&documents, "application/json", buffer_view(&text), &last_error), 0);
    expect_failure(workload_create(&workload, &documents.items[0], &write_one, &last_error),
                   ERROR_TOO_LARGE, "at most 65536 are accepted");
    CU_ASSERT_PTR_NULL(workload.document);
    documents_release(&documents);
    buffer_release(&text);
}

static void the_url_names_the_namespace(void)
{
    struct documents documents = support_parse(smallest);
    struct write write = write_one;
    struct workload workload;
    write.ns = "prod";
    CU_ASSERT_EQUAL_FATAL(workload_create(&workload, &documents.items[0], &write, &last_error), 0);
    CU_ASSERT_STRING_EQUAL(workload.ns, "prod");
    CU_ASSERT_PTR_NOT_NULL(strstr(workload.document, "\"namespace\":\"prod\""));
    documents_release(&documents);
    workload_release(&workload);
}

static void the_examples_are_accepted(void)
{
    static const char *const names[] = {"web", "singleton", "run-once", "supervisor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "manifests/examples/%s.yaml", names[i]);
        char *text = support_read_file(path);
        struct documents documents = support_parse(text);
        struct workload workload = {0};
        struct supervisor supervisor = {0};
        struct error err = {0};
        bool is_supervisor = strcmp(document_kind(documents.items[0].object), "Supervisor") == 0;
        int failed = is_supervisor
                         ? supervisor_create(&supervisor, &documents.items[0], &write_one, &err)
                         : workload_create(&workload, &documents.items[0], &write_one, &err);
        if (failed)
            printf("%s: %s\n", path, err.text);
        CU_ASSERT_EQUAL(failed, 0);
        workload_release(&workload);
        supervisor_release(&supervisor);
        documents_release(&documents);
        free(text);
    }
}

UNIT_MAIN("workload json", {"probes", probes_are_read_with_their_defaults},
          {"what is asked for is read", what_is_asked_for_is_read},
          {"the smallest gets all defaults", the_smallest_gets_all_defaults},
          {"the sample is read whole", the_sample_is_read_whole},
          {"canonical form is a fixed point", canonical_form_is_a_fixed_point},
          {"hash is of what shapes the container", hash_is_of_what_shapes_the_container},
          {"pull policy follows the tag", pull_policy_follows_the_tag},
          {"words have their meaning", words_have_their_meaning},
          {"what the server sets cannot be given", what_the_server_sets_cannot_be_given},
          {"generation counts changes of the spec", generation_counts_changes_of_the_spec},
          {"what cannot change is refused", what_cannot_change_is_refused},
          {"preconditions are checked", preconditions_are_checked},
          {"a patch cannot break the document", a_patch_cannot_break_the_document},
          {"scale changes replicas only", scale_changes_replicas_only},
          {"what is stored has 64 KiB", what_is_stored_has_64_kib},
          {"the URL names the namespace", the_url_names_the_namespace},
          {"the examples are accepted", the_examples_are_accepted})
