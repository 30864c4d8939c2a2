/* What an engine answers: inspect, list, event, version, created, messages, the lines of a pull;
 * and the bodies that a stored document becomes. Nothing an engine says may overrun a field. */
#include "agent/codec/docker_json.h"
#include "tests/fuzz/fuzz.h"

static void read_pull(struct span input)
{
    struct docker_pull pull = {0};
    char text[256], small[8];
    while (input.bytes > 0) {
        const uint8_t *end = memchr(input.data, '\n', input.bytes);
        size_t bytes = end ? (size_t)(end - input.data) : input.bytes;
        docker_json_pull_line(&pull, span_of(input.data, bytes));
        bytes += end != NULL;
        input = span_of(input.data + bytes, input.bytes - bytes);
    }
    docker_json_pull_text(&pull, text, sizeof text);
    docker_json_pull_text(&pull, small, sizeof small);
    fuzz_require(pull.layer_count <= DOCKER_LAYERS_MAX, "layers are bounded");
    fuzz_require(strlen(pull.error) < sizeof pull.error, "the error is a text");
}

static void read_list(struct span input)
{
    struct docker_containers containers;
    struct error err = {0};
    if (docker_json_list(&containers, input, &err) < 0)
        return;
    fuzz_require(containers.count <= DOCKER_CONTAINERS_MAX, "a list is bounded");
    free(containers.items);
}

/* A document as the core keeps it, which is JSON, though of whatever shape. */
static void make_body(struct span input)
{
    char *document = xmemdup(input.data, input.bytes), image[IMAGE_BYTES_MAX + 1];
    char name[DOCKER_NAME_BYTES_MAX + 1], query[4096];
    struct error err = {0};
    struct runtime_operation operation = {.kind = RUNTIME_START, .epoch = 3, .document = document};
    struct docker_start start = {.cluster = "c", .node = "n", .operation = &operation};
    TEXT_SET(operation.child.ns, "default");
    TEXT_SET(operation.child.workload, "web");
    docker_json_name(&start, true, name, sizeof name);
    if (docker_json_image(document, image))
        docker_json_pull_query(image, query, sizeof query);
    char *body = docker_json_create(&start, &err);
    fuzz_require(body || err.text[0], "what cannot be created has a reason");
    free(body);
    free(document);
}

/* As a stored document: its probes, for a container that is anywhere. */
static void make_probes(struct span input)
{
    char *document = xmemdup(input.data, input.bytes);
    struct container container = {.address = "172.17.0.2", .port_count = 1};
    container.ports[0] = (struct container_port){.container_port = 80, .host_port = 30080};
    for (unsigned way = 0; way < 4; way++) {
        struct docker_probe probe;
        struct error err = {0};
        struct docker_probe_target target = {.document = document,
                                             .probe = way & 1 ? PROBE_LIVENESS : PROBE_READINESS,
                                             .container = &container,
                                             .published_host = way & 2 ? "127.0.0.1" : NULL};
        if (docker_json_probe(&probe, &target, &err) < 0) {
            fuzz_require(err.text[0], "a probe that cannot be has a reason");
            continue;
        }
        fuzz_require(probe.header_count <= PROBE_HEADERS_MAX, "headers are bounded");
        fuzz_require((probe.url != NULL) != (probe.body != NULL), "one way to ask");
        docker_probe_release(&probe);
    }
    free(document);
}

static void read_exec(struct span input)
{
    struct docker_exec exec;
    struct error err = {0};
    char text[MESSAGE_BYTES_MAX + 1];
    if (docker_json_exec(&exec, input, &err) == 0)
        fuzz_require(exec.exit_code >= -1 && exec.exit_code <= 255, "an exit code is one");
    docker_exec_text(text, sizeof text, input);
    fuzz_require(strlen(text) < sizeof text, "output is a text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    struct docker_container container;
    struct docker_event event;
    struct docker_version version;
    char id[CONTAINER_ID_BYTES_MAX + 1], text[MESSAGE_BYTES_MAX + 1];
    struct error err = {0};
    switch (fuzz_choice(&input, 10)) {
    case 0:
        docker_json_inspect(&container, input, &err);
        break;
    case 1:
        read_list(input);
        break;
    case 2:
        docker_json_event(&event, input, &err);
        break;
    case 3:
        docker_json_version(&version, input, &err);
        break;
    case 4:
        docker_json_created(id, input, &err);
        break;
    case 5:
        docker_json_message(text, sizeof text, input);
        fuzz_require(strlen(text) < sizeof text, "a message is a text");
        break;
    case 6:
        read_pull(input);
        break;
    case 7:
        make_body(input);
        break;
    case 8:
        make_probes(input);
        break;
    default:
        read_exec(input);
    }
    return 0;
}
