/* Bodies of API requests as everything they might be sent as: a document, and the four kinds of
 * patch on a stored one. What is accepted is a fixed point of the codec. */
#include "agent/codec/json.h"
#include "agent/codec/supervisor_json.h"
#include "agent/codec/workload_json.h"
#include "tests/fuzz/fuzz.h"

static const char *const types[] = {
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static const uint8_t uid[16] = {1, 2, 3};
static struct workload stored;
static struct supervisor supervisor_stored;

static struct documents parse(const char *text)
{
    struct documents documents;
    struct error err = {0};
    fuzz_require(documents_parse(&documents, types[1], span_text(text), &err) == 0,
                 "the stored document can be read");
    return documents;
}

static void store_once(void)
{
    static const struct write write = {
        .manager = "test", .now_ms = 1700000000000, .uid_bytes = uid};
    struct error err = {0};
    if (stored.document)
        return;
    struct documents documents = parse(
        "{apiVersion: hordelet.dev/v1, kind: Workload, metadata: {name: web, labels: {a: b}}, "
        "spec: "
        "{replicas: 2, names: [{name: web, port: http}], container: {image: 'i:1', command: [x], "
        "env: [{name: A, value: b}], ports: [{name: http, containerPort: 80}]}}}");
    fuzz_require(workload_create(&stored, &documents.items[0], &write, &err) == 0,
                 "the stored workload is good");
    documents_release(&documents);
    documents = parse(
        "{apiVersion: hordelet.dev/v1, kind: Supervisor, metadata: {name: team}, "
        "spec: {members: [a, b]}}");
    fuzz_require(supervisor_create(&supervisor_stored, &documents.items[0], &write, &err) == 0,
                 "the stored supervisor is good");
    documents_release(&documents);
}

static void settle(int failed, struct workload *workload, const struct error *err)
{
    if (failed) {
        fuzz_require(err->code != ERROR_NONE && err->text[0], "an error has a code and a text");
        return;
    }
    struct workload again;
    struct error none = {0};
    cleanup_json cJSON *shown = workload_to_json(workload);
    char *text = json_print(shown);
    cleanup_json cJSON *object = json_parse(span_text(text), SIZE_MAX, &none);
    bool read = object && workload_from_json(&again, object, NULL, &none) == 0;
    fuzz_require(read, read ? "" : none.text);
    free(text);
    fuzz_require(
        strcmp(again.document, workload->document) == 0 && again.spec_hash == workload->spec_hash,
        "what is accepted is a fixed point");
    workload_release(&again);
    workload_release(workload);
}

static void use_document(const struct document *document, unsigned how)
{
    struct write write = {.manager = how & 1 ? "one" : "test",
                          .force = how & 2,
                          .now_ms = 1700000000000,
                          .uid_bytes = uid};
    struct workload workload;
    struct supervisor supervisor;
    struct error err = {0};
    bool changed;
    settle(workload_create(&workload, document, &write, &err), &workload, &err);
    settle(workload_update(&workload, &stored, document, &write, &changed, &err), &workload, &err);
    settle(workload_patch(&workload, &stored, PATCH_MERGE, document, &write, &changed, &err),
           &workload, &err);
    settle(workload_patch(&workload, &stored, PATCH_JSON, document, &write, &changed, &err),
           &workload, &err);
    settle(workload_apply(&workload, &stored, document, &write, &changed, &err), &workload, &err);
    if (supervisor_patch(&supervisor, &supervisor_stored, PATCH_MERGE, document, &write, &changed,
                         &err) == 0)
        supervisor_release(&supervisor);
    if (supervisor_apply(&supervisor, &supervisor_stored, document, &write, &changed, &err) == 0)
        supervisor_release(&supervisor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    struct documents documents;
    struct error err = {0};
    store_once();
    const char *type = types[fuzz_choice(&input, TYPE_COUNT)];
    unsigned how = fuzz_choice(&input, 4);
    if (documents_parse(&documents, type, input, &err) < 0) {
        fuzz_require(err.code != ERROR_NONE && err.text[0], "an error has a code and a text");
        return 0;
    }
    for (size_t i = 0; i < documents.count; i++)
        use_document(&documents.items[i], how);
    documents_release(&documents);
    return 0;
}
