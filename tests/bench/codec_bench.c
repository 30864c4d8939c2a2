/* What one call of the API costs without a socket and a disk: documents from YAML and JSON, their
 * stored form, and reads of a node with 1,000 children. */
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_call.h"
#include "agent/codec/workload_json.h"
#include "tests/bench/bench.h"
#include "tests/bench/loopback.h"

enum { REPEATS = 5 };

static const char yaml[] =
    "apiVersion: hordelet.dev/v1\n"
    "kind: Workload\n"
    "metadata:\n"
    "  name: web\n"
    "  labels:\n"
    "    app: web\n"
    "spec:\n"
    "  replicas: 3\n"
    "  container:\n"
    "    image: busybox:1.36\n"
    "    command: [sleep, '1000']\n"
    "    env:\n"
    "      - name: MODE\n"
    "        value: fast\n"
    "    ports:\n"
    "      - name: http\n"
    "        containerPort: 80\n";
static const char json[] =
    "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"web\","
    "\"labels\":{\"app\":\"web\"}},\"spec\":{\"replicas\":3,\"container\":{\"image\":"
    "\"busybox:1.36\",\"command\":[\"sleep\",\"1000\"],\"env\":[{\"name\":\"MODE\",\"value\":"
    "\"fast\"}],\"ports\":[{\"name\":\"http\",\"containerPort\":80}]}}}";

static void create_once(const char *type, struct span body)
{
    static const uint8_t uid[16] = {1, 2, 3};
    struct write write = {.manager = "bench", .now_ms = 1700000000000, .uid_bytes = uid};
    struct documents documents;
    struct workload workload;
    struct error err = {0};
    if (documents_parse(&documents, type, body, &err) != 0 ||
        workload_create(&workload, &documents.items[0], &write, &err) != 0) {
        printf("! %s\n", err.text);
        exit(1);
    }
    workload_release(&workload);
    documents_release(&documents);
}

static void bench_create(const char *what, const char *type, struct span body)
{
    enum { DOCUMENTS = 2000 };
    double us[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = bench_cpu_ns();
        for (int i = 0; i < DOCUMENTS; i++)
            create_once(type, body);
        us[repeat] = (bench_cpu_ns() - begin) / DOCUMENTS / 1e3;
    }
    double took = bench_median(us, REPEATS);
    bench_line(what, bench_text("%.0f us, %.1f k/s", took, 1e3 / took), "-", "20 k/s", "-");
}

static size_t call_once(const struct node *node, const char *method, const char *target,
                        struct span body)
{
    static uint64_t last_request;
    struct api_context context = {
        .node = node, .wall_ms = 1700000000000, .request_id = ++last_request, .random = {1, 2, 3}};
    struct api_request request = {
        .method = method, .target = target, .content_type = API_JSON, .body = body};
    struct api_call call;
    api_call_start(&call, &request, &context);
    size_t bytes = call.response.body.bytes;
    if (call.response.status != 200 && !body.bytes)
        printf("! %s %s: %d\n", method, target, call.response.status);
    api_call_release(&call);
    return bytes;
}

static void bench_call(const struct node *node, const char *what, const char *method,
                       const char *target, struct span body, const char *peer, const char *goal)
{
    enum { BUDGET_MS = 100 };
    double us[REPEATS];
    size_t bytes = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = bench_cpu_ns();
        int calls = 0;
        for (; bench_cpu_ns() - begin < BUDGET_MS * 1e6; calls++)
            bytes = call_once(node, method, target, body);
        us[repeat] = (bench_cpu_ns() - begin) / calls / 1e3;
    }
    double took = bench_median(us, REPEATS);
    bench_line(what, bench_text("%.1f us, %.1f k/s, %zu B", took, 1e3 / took, bytes), peer, goal,
               "-");
}

int main(void)
{
    bench_create("a workload from YAML to its stored form", API_YAML, span_text(yaml));
    bench_create("a workload from JSON to its stored form", API_JSON, span_text(json));
    struct loopback loopback;
    struct span none = {0};
    char other[sizeof json];
    memcpy(other, json, sizeof json);
    memcpy(strstr(other, "\"web\""), "\"new\"", 5);
    loopback_init(&loopback, 1);
    loopback_start_all(&loopback);
    loopback_put(&loopback, 0, "web", 1000);
    loopback_run(&loopback, 5000);
    const struct node *node = loopback.nodes[0].node;
#define API "/apis/hordelet.dev/v1/"
    bench_call(node, "POST of a workload, until it is submitted", "POST",
               API "namespaces/default/workloads", span_text(other), "-", "20 k/s");
    bench_call(node, "GET of a name", "GET", API "namespaces/default/names/web-7", none,
               "Horde 856 k/s (no HTTP)", "50 k/s");
    bench_call(node, "GET of a workload of 1,000 children", "GET",
               API "namespaces/default/workloads/web", none, "-", "-");
    bench_call(node, "GET of a member", "GET", API "members/n0", none, "-", "-");
    bench_call(node, "GET of a list of 1,000 children", "GET", API "namespaces/default/children",
               none, "-", "-");
    bench_call(node, "GET of a list of 1,000 names", "GET", API "namespaces/default/names", none,
               "-", "-");
    loopback_release(&loopback);
    return 0;
}
