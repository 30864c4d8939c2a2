/* Hostile and broken input through everything that reads documents: random bytes, and good
 * documents with parts exchanged, repeated, cut and damaged, as documents and as every kind of
 * patch. What is asserted of what comes through: an error has a text that is UTF-8, and what is
 * accepted is a fixed point of the codec.
 *
 * FUZZ_SEED and FUZZ_ROUNDS choose others; run under the sanitizers. */
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "codec_support.h"

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static unsigned rounds(unsigned usual)
{
    const char *text = getenv("FUZZ_ROUNDS");
    return text ? (unsigned)atoi(text) : usual;
}

static const char *const seeds[] = {
    "apiVersion: hordelet.dev/v1\nkind: Workload\nmetadata: {name: web, labels: {app: "
    "web}}\nspec:\n  supervisor: default\n"
    "  replicas: 3\n  restart: permanent\n  shutdown: 10s\n  names: [{name: web, port: http, "
    "value: {tier: [1, 2.5, null]}}]\n"
    "  nodeSelector: {disk: ssd}\n  volumes:\n  - {name: data, hostPath: {path: /srv}}\n  - {name: "
    "tmp, emptyDir: {medium: "
    "Memory, sizeLimit: 1Gi}}\n  container:\n    image: busybox:1.36\n    command: [httpd, -f]\n   "
    " env:\n    - {name: A, "
    "value: b}\n    - {name: B, value: c}\n    ports: [{name: http, containerPort: 80, hostPort: "
    "8080}]\n    volumeMounts: "
    "[{name: data, mountPath: /data}, {name: tmp, mountPath: /tmp}]\n    resources: {limits: {cpu: "
    "500m, memory: 64Mi}}\n"
    "    securityContext: {runAsUser: 5, capabilities: {add: [NET_ADMIN]}}\n",
    "apiVersion: hordelet.dev/v1\nkind: Supervisor\nmetadata: {name: team}\nspec: "
    "{distributionStrategy: UniformQuorum, "
    "members: [a, b, c], leaseSeconds: 5, maxChildren: 7}\n",
    "a: &a {x: 1, z: [1, 2]}\nb: {<<: *a, c: *a}\n--- # two\n? key\n: |\n  "
    "text\n...\n---\n\"q\\u00e4\\n\": 'it''s'\n",
    "{\"apiVersion\":\"hordelet.dev/"
    "v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"web\",\"annotations\":{\"a/"
    "b\":\"\\u00e4\"}},"
    "\"spec\":{\"replicas\":2,\"container\":{\"image\":\"a\",\"env\":[{\"name\":\"A\",\"value\":"
    "\"1\"}]}}}",
    "{\"spec\":{\"replicas\":5,\"container\":{\"image\":\"b\",\"env\":null}},\"metadata\":{"
    "\"labels\":{\"x\":\"1\"}}}",
    "[{\"op\":\"add\",\"path\":\"/spec/container/env/"
    "-\",\"value\":{\"name\":\"C\"}},{\"op\":\"test\",\"path\":\"/spec/replicas\","
    "\"value\":3},{\"op\":\"move\",\"from\":\"/spec/names/0\",\"path\":\"/spec/names/"
    "-\"},{\"op\":\"copy\",\"from\":\"/metadata\","
    "\"path\":\"/spec/x\"},{\"op\":\"remove\",\"path\":\"/spec/container/"
    "command\"},{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]",
};
enum { SEED_COUNT = sizeof seeds / sizeof *seeds };

static const char *const content_types[] = {
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
    NULL,
};

static bool is_utf8(const char *text)
{
    char quoted[4096];
    struct error err = {0};
    snprintf(quoted, sizeof quoted, "\"%s\"", text);
    for (char *at = quoted + 1; at[1] != '\0'; at++)
        if (*at == '"' || *at == '\\' || *at == '\n')
            *at = ' ';
    cJSON *value = json_parse(span_text(quoted), sizeof quoted, &err);
    cJSON_Delete(value);
    return value != NULL;
}

static void check_error(const struct error *err)
{
    if (err->text[0] == '\0' || err->code == ERROR_NONE || !is_utf8(err->text)) {
        printf("bad error: %d \"%s\"\n", (int)err->code, err->text);
        CU_FAIL("an error without code or text, or not UTF-8");
    }
}

static void check_fixed_point(const struct workload *workload)
{
    struct workload again;
    struct error err = {0};
    cleanup_json cJSON *object = workload_to_json(workload);
    char *yaml = yaml_print(object);
    struct documents documents;
    CU_ASSERT_FATAL(yaml_parse(&documents, span_text(yaml), BODY_BYTES_MAX, &err) == 0 &&
                    documents.count == 1);
    CU_ASSERT_FATAL(workload_from_json(&again, documents.items[0].object, NULL, &err) == 0);
    if (strcmp(again.document, workload->document) != 0 || again.spec_hash != workload->spec_hash) {
        printf("%s\n%s\n", workload->document, again.document);
        CU_FAIL("not a fixed point");
    }
    documents_release(&documents);
    workload_release(&again);
    free(yaml);
}

static struct workload base_workload;
static struct supervisor base_supervisor;

static void settle(int failed, struct workload *workload, const struct error *err)
{
    if (failed)
        check_error(err);
    else
        check_fixed_point(workload);
    workload_release(workload);
}

/* One parsed document as everything that it might be sent as. */
static void use_document(const struct document *document)
{
    struct write write = {.manager = below(2) ? "one" : "two",
                          .force = below(2),
                          .now_ms = 1700000000000,
                          .uid_bytes = uid_one};
    struct workload workload;
    struct supervisor supervisor;
    struct error err = {0};
    bool changed;
    settle(workload_create(&workload, document, &write, &err), &workload, &err);
    settle(workload_update(&workload, &base_workload, document, &write, &changed, &err), &workload,
           &err);
    settle(workload_patch(&workload, &base_workload, PATCH_MERGE, document, &write, &changed, &err),
           &workload, &err);
    settle(workload_patch(&workload, &base_workload, PATCH_JSON, document, &write, &changed, &err),
           &workload, &err);
    settle(workload_apply(&workload, &base_workload, document, &write, &changed, &err), &workload,
           &err);
    settle(workload_apply(&workload, NULL, document, &write, &changed, &err), &workload, &err);
    if (supervisor_patch(&supervisor, &base_supervisor, PATCH_MERGE, document, &write, &changed,
                         &err) == 0)
        supervisor_release(&supervisor);
    if (supervisor_apply(&supervisor, &base_supervisor, document, &write, &changed, &err) == 0)
        supervisor_release(&supervisor);
}

static void use_text(struct span text)
{
    struct documents documents;
    struct error err = {0};
    const char *type = content_types[below(sizeof content_types / sizeof *content_types)];
    if (documents_parse(&documents, type, text, &err) != 0) {
        check_error(&err);
        return;
    }
    for (size_t i = 0; i < documents.count; i++)
        use_document(&documents.items[i]);
    documents_release(&documents);
}

static void start(void)
{
    const char *seed = getenv("FUZZ_SEED");
    struct documents documents = support_parse(seeds[1]);
    struct error err = {0};
    state = seed ? strtoull(seed, NULL, 0) : 20261121;
    base_workload = support_create(seeds[0]);
    CU_ASSERT_EQUAL_FATAL(
        supervisor_create(&base_supervisor, &documents.items[0], &write_one, &err), 0);
    documents_release(&documents);
}

static void end(void)
{
    workload_release(&base_workload);
    supervisor_release(&base_supervisor);
}

static void random_bytes(void)
{
    static const char alphabet[] = "{}[]:,\"'-?&*!|>%@#\n\t abc019.<~/\\u\xff\xc3\xa4";
    start();
    for (unsigned i = 0; i < rounds(1000); i++) {
        uint8_t text[200];
        size_t bytes = below(sizeof text);
        for (size_t at = 0; at < bytes; at++)
            text[at] =
                below(4) ? (uint8_t)alphabet[below(sizeof alphabet)] : (uint8_t)next_random();
        use_text(span_of(text, bytes));
    }
    end();
}

/* Damages a text in place or makes a piece of it, or of another seed, come twice. */
static size_t mutate(uint8_t *text, size_t bytes, size_t capacity)
{
    size_t at = below(bytes), count = below(40) + 1;
    const char *other = seeds[below(SEED_COUNT)];
    switch (below(5)) {
    case 0:
        text[at] = (uint8_t)next_random();
        return bytes;
    case 1: /* cut */
        count = count < bytes - at ? count : bytes - at - (bytes == 1);
        memmove(text + at, text + at + count, bytes - at - count);
        return bytes - count;
    case 2: /* exchange two bytes */
        text[at] = text[below(bytes)];
        return bytes;
    case 3: { /* a piece of another document */
        size_t from = below(strlen(other));
        count = count < strlen(other) - from ? count : strlen(other) - from;
        if (bytes + count > capacity)
            return bytes;
        memmove(text + at + count, text + at, bytes - at);
        memcpy(text + at, other + from, count);
        return bytes + count;
    }
    default: /* a digit, mostly of a number */
        for (size_t i = 0; i < bytes && !(text[at] >= '0' && text[at] <= '9'); i++)
            at = (at + 1) % bytes;
        text[at] = (uint8_t)("0123456789.-e"[below(13)]);
        return bytes;
    }
}

static void mutated_documents(void)
{
    start();
    for (unsigned i = 0; i < rounds(600); i++) {
        uint8_t text[4096];
        const char *seed = seeds[below(SEED_COUNT)];
        size_t bytes = strlen(seed);
        memcpy(text, seed, bytes);
        for (size_t times = below(4); times > 0 && bytes > 1; times--)
            bytes = mutate(text, bytes, sizeof text);
        use_text(span_of(text, bytes));
    }
    end();
}

/* Members of one tree put into another at random: well-formed nonsense reaches further than damaged
 * text. */
static cJSON *random_node(cJSON *root)
{
    cJSON *node = root;
    while (node->child != NULL && below(5) > 0)
        node = cJSON_GetArrayItem(node, (int)below((size_t)cJSON_GetArraySize(node)));
    return node;
}

static const cJSON *random_member(const cJSON *object)
{
    return cJSON_GetArrayItem(object, (int)below((size_t)cJSON_GetArraySize(object)));
}

static void mutated_trees(void)
{
    start();
    for (unsigned i = 0; i < rounds(600); i++) {
        struct documents documents = support_parse(seeds[below(2) * 3]),
                         others = support_parse(seeds[below(5)]);
        cJSON *root = documents.items[0].object;
        for (size_t times = below(3) + 1; times > 0; times--) {
            cJSON *place = random_node(root);
            const cJSON *value = random_node(others.items[0].object);
            if (cJSON_IsArray(place))
                json_add(place, NULL, json_copy(value));
            else if (cJSON_IsObject(place) && place->child != NULL)
                cJSON_ReplaceItemInObjectCaseSensitive(place, random_member(place)->string,
                                                       json_copy(value));
        }
        struct document document = {.object = root, .marks = documents.items[0].marks};
        use_document(&document);
        documents_release(&documents);
        documents_release(&others);
    }
    end();
}

UNIT_MAIN("codec fuzz", {"random bytes", random_bytes}, {"mutated documents", mutated_documents},
          {"mutated trees", mutated_trees})
