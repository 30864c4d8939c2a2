/* docker_json.h: golden create bodies, what real engines answer, and the same with bits flipped. */
#include "agent/codec/docker_json.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define UUID "00000000-0000-4000-8000-000000000001"

static struct runtime_operation operation_of(const char *document)
{
    struct runtime_operation operation = {.kind = RUNTIME_START, .document = document};
    operation.epoch = 7;
    operation.replica = 0xabc;
    operation.spec_hash = 0xdef;
    operation.child.ordinal = 2;
    TEXT_SET(operation.child.ns, "default");
    TEXT_SET(operation.child.workload, "web");
    TEXT_SET(operation.uid, UUID);
    TEXT_SET(operation.supervisor, "quorum");
    return operation;
}

static char *create(const char *document, struct error *err)
{
    struct runtime_operation operation = operation_of(document);
    struct docker_start start = {.cluster = "prod", .node = "n1", .operation = &operation};
    return docker_json_create(&start, err);
}

#define LABELS                                                                                \
    "\"Labels\":{\"dev.hordelet.cluster\":\"prod\",\"dev.hordelet.node\":\"n1\","             \
    "\"dev.hordelet.replica\":\"0000000000000abc\",\"dev.hordelet.child\":\"default/web/2\"," \
    "\"dev.hordelet.uid\":\"" UUID                                                            \
    "\",\"dev.hordelet.epoch\":\"7\","                                                        \
    "\"dev.hordelet.supervisor\":\"quorum\",\"dev.hordelet.spec-hash\":\"0000000000000def\"}"
#define OWN_ENV                                                                        \
    "\"HORDELET_NODE=n1\",\"HORDELET_WORKLOAD=web\",\"HORDELET_CHILD=default/web/2\"," \
    "\"HORDELET_EPOCH=7\""
#define TTY "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false"
#define NO_RESTART "\"RestartPolicy\":{\"Name\":\"no\"}"

static void bodies_are_golden(void)
{
    static const struct {
        const char *document, *body;
    } cases[] = {
        {"{\"spec\":{\"container\":{\"image\":\"busybox\"}}}",
         "{" LABELS ",\"Image\":\"busybox\",\"Env\":[" OWN_ENV "],\"HostConfig\":{" NO_RESTART
         "}," TTY "}"},
        {"{\"spec\":{\"hostNetwork\":true,\"container\":{\"image\":\"i\",\"command\":[\"a\","
         "\"$(B) $$(B) $(C) $\"],\"args\":[\"$(HORDELET_EPOCH)\"],\"env\":[{\"name\":\"B\","
         "\"value\":\"b\"},{\"name\":\"HORDELET_EPOCH\",\"value\":\"9\"},{\"name\":\"D\","
         "\"value\":\"$(B)$(E)\"},{\"name\":\"E\"}],\"ports\":[{\"containerPort\":80}],"
         "\"workingDir\":\"/w\",\"tty\":true,\"stdin\":true}}}",
         "{" LABELS ",\"Image\":\"i\",\"Env\":[" OWN_ENV
         ",\"B=b\",\"D=b$(E)\",\"E=\"],\"Entrypoint\":[\"a\",\"b $(B) $(C) $\"],\"Cmd\":[\"7\"],"
         "\"HostConfig\":{" NO_RESTART ",\"NetworkMode\":\"host\"},\"WorkingDir\":\"/w\","
         "\"Tty\":true,\"OpenStdin\":true,\"StdinOnce\":false,\"ExposedPorts\":{\"80/tcp\":{}}}"},
        {"{\"spec\":{\"container\":{\"image\":\"i\",\"ports\":[{\"containerPort\":80},"
         "{\"containerPort\":53,\"protocol\":\"UDP\",\"hostPort\":5353,\"hostIP\":\"127.0.0.1\"},"
         "{\"containerPort\":80,\"hostPort\":8080}],\"resources\":{\"limits\":{\"cpu\":0.5,"
         "\"memory\":\"1.5Gi\"},\"requests\":{\"cpu\":\"250m\"}}}}}",
         "{" LABELS ",\"Image\":\"i\",\"Env\":[" OWN_ENV "],\"HostConfig\":{" NO_RESTART
         ",\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"},{\"HostIp\":\"\","
         "\"HostPort\":\"8080\"}],\"53/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"5353\"}]},"
         "\"Memory\":1610612736,\"MemorySwap\":1610612736,\"NanoCpus\":500000000,"
         "\"CpuShares\":256}," TTY ",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}"},
        {"{\"spec\":{\"volumes\":[{\"name\":\"h\",\"hostPath\":{\"path\":\"/"
         "srv\"}},{\"name\":\"c\","
         "\"hostPath\":{\"path\":\"/new\",\"type\":\"DirectoryOrCreate\"}},{\"name\":\"e\","
         "\"emptyDir\":{}},{\"name\":\"m\",\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":"
         "\"1Mi\"}}],\"container\":{\"image\":\"i\",\"volumeMounts\":[{\"name\":\"h\","
         "\"mountPath\":\"/h\",\"readOnly\":true,\"subPath\":\"a/"
         "b\"},{\"name\":\"c\",\"mountPath\":"
         "\"/c\",\"readOnly\":true},{\"name\":\"e\",\"mountPath\":\"/e\"},{\"name\":\"m\","
         "\"mountPath\":\"/m\"}]}}}",
         "{" LABELS ",\"Image\":\"i\",\"Env\":[" OWN_ENV "],\"HostConfig\":{" NO_RESTART
         ",\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/h\",\"ReadOnly\":true,\"Source\":"
         "\"/srv/a/b\"},{\"Type\":\"volume\",\"Target\":\"/e\",\"ReadOnly\":false,"
         "\"VolumeOptions\":{\"NoCopy\":true}},{\"Type\":\"tmpfs\",\"Target\":\"/m\",\"ReadOnly\":"
         "false,\"TmpfsOptions\":{\"SizeBytes\":1048576}}],\"Binds\":[\"/new:/c:ro\"]}," TTY "}"},
        {"{\"spec\":{\"container\":{\"image\":\"i\",\"securityContext\":{\"runAsUser\":1000,"
         "\"runAsGroup\":50,\"runAsNonRoot\":true,\"privileged\":false,\"readOnlyRootFilesystem\":"
         "true,\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":[\"NET_ADMIN\"],"
         "\"drop\":[\"ALL\"]}}}}}",
         "{" LABELS ",\"Image\":\"i\",\"Env\":[" OWN_ENV "],\"HostConfig\":{" NO_RESTART
         ",\"CapAdd\":[\"NET_ADMIN\"],\"CapDrop\":[\"ALL\"],\"Privileged\":false,"
         "\"ReadonlyRootfs\":true,\"SecurityOpt\":[\"no-new-privileges\"]}," TTY
         ",\"User\":\"1000:50\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *body = create(cases[i].document, &err);
        CU_ASSERT_PTR_NOT_NULL(body);
        CU_ASSERT_STRING_EQUAL(body ? body : err.text, cases[i].body);
        if (!body || strcmp(body, cases[i].body) != 0)
            printf("\n  is        %s\n  should be %s\n", body ? body : err.text, cases[i].body);
        free(body);
    }
}

static void a_container_reaches_the_api_of_its_agent(void)
{
    static const char plain[] = "{\"spec\":{\"container\":{\"image\":\"i\"}}}";
    static const char off[] = "{\"spec\":{\"apiAccess\":false,\"container\":{\"image\":\"i\"}}}";
    static const char taken[] =
        "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"container\":{\"image\":\"i\","
        "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/run/hordelet\"}]}}}";
    static const char mount[] =
        "\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/run/hordelet\","
        "\"ReadOnly\":true,\"Source\":\"/data/child-api\"}]";
    for (int i = 0; i < 3; i++) {
        struct runtime_operation operation = operation_of(i == 0 ? plain : i == 1 ? off : taken);
        struct docker_start start = {.cluster = "prod",
                                     .node = "n1",
                                     .operation = &operation,
                                     .child_api = "/data/child-api",
                                     .token = "the-token"};
        struct error err;
        char *body = docker_json_create(&start, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(body);
        bool told = strstr(body, "\"HORDELET_API=unix:///run/hordelet/api.sock\"") &&
                    strstr(body, "\"HORDELET_TOKEN=the-token\"");
        CU_ASSERT_EQUAL(told, i != 1);
        CU_ASSERT_EQUAL(strstr(body, mount) != NULL, i == 0);
        free(body);
    }
}

#define CONTAINER(fields) "{\"spec\":{\"container\":{\"image\":\"i\"," fields "}}}"

static void odd_documents_are_refused(void)
{
    static const struct {
        const char *document, *error;
    } cases[] = {
        {"", "document: 1:1: empty"},
        {"[]", "spec.container: missing"},
        {"{\"spec\":{\"container\":[]}}", "spec.container: missing"},
        {"{\"spec\":{\"container\":{}}}", "spec.container.image: must be"},
        {CONTAINER("\"command\":\"sh\""), "spec.container.command: must be an array, not a string"},
        {CONTAINER("\"args\":[\"a\",1]"), "spec.container.args[1]: must be a string, not a number"},
        {CONTAINER("\"env\":[{\"name\":\"A=B\"}]"), "spec.container.env[0].name"},
        {CONTAINER("\"env\":[{\"name\":\"A\",\"value\":1}]"), "spec.container.env[0]: only"},
        {CONTAINER("\"env\":[1]"), "spec.container.env[0].name"},
        {CONTAINER("\"ports\":[{\"containerPort\":0}]"),
         "spec.container.ports[0].containerPort: must be 1 to 65535"},
        {CONTAINER("\"ports\":[{\"containerPort\":1,\"hostPort\":70000}]"),
         "spec.container.ports[0].hostPort: must be 1 to 65535"},
        {CONTAINER("\"ports\":[{\"containerPort\":1,\"protocol\":\"tcp\"}]"),
         "spec.container.ports[0].protocol"},
        {CONTAINER("\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]"),
         "spec.container.volumeMounts[0].name: no such volume"},
        {CONTAINER("\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"v\"}]"),
         "spec.container.volumeMounts[0].mountPath: must be absolute"},
        {CONTAINER("\"resources\":{\"limits\":{\"memory\":[]}}"),
         "spec.container.resources.limits.memory: must be a quantity, not an array"},
        {CONTAINER("\"resources\":{\"limits\":{\"cpu\":\"-1\"}}"),
         "spec.container.resources.limits.cpu: \"-1\" must not be negative"},
        {CONTAINER("\"securityContext\":{\"runAsNonRoot\":true}"),
         "spec.container.securityContext.runAsNonRoot"},
        {"{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/a\"}}],\"container\":{"
         "\"image\":\"i\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\",\"subPath\":"
         "\"../b\"}]}}}",
         "spec.container.volumeMounts[0].subPath: must be relative, without .."},
        {"{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"container\":{\"image\":\"i\","
         "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"},{\"name\":\"v\",\"mountPath\":"
         "\"/w\"}]}}}",
         "spec.container.volumeMounts[1].name: an emptyDir can be mounted once"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *body = create(cases[i].document, &err);
        CU_ASSERT_PTR_NULL(body);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].error));
        if (body || !strstr(err.text, cases[i].error))
            printf("\n  is        %s\n  should be %s\n", body ? body : err.text, cases[i].error);
        free(body);
    }
}

#define GUARDED_IMAGE "{\"Config\":{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"a\",\"b\"]}}"

static char *create_guarded(const char *document, const char *image, struct error *err)
{
    struct runtime_operation operation = operation_of(document);
    operation.guard_lease_ms = 5000;
    struct docker_guard guard = {.program = "/d/guard", .page = "/r/page", .image = image};
    struct docker_start start = {
        .cluster = "prod", .node = "n1", .operation = &operation, .guard = &guard};
    return docker_json_create(&start, err);
}

/* The guard comes first, then just what would have been run without it. */
static void a_guard_runs_what_was_asked_for(void)
{
    static const struct {
        const char *container, *image, *words;
    } cases[] = {
        {"\"image\":\"i\"", GUARDED_IMAGE, "\"/entry\",\"a\",\"b\""},
        {"\"image\":\"i\",\"args\":[\"x\"]", GUARDED_IMAGE, "\"/entry\",\"x\""},
        {"\"image\":\"i\",\"command\":[\"c\"],\"resources\":{\"limits\":{\"cpu\":\"200m\"}}", NULL,
         "\"c\""},
        {"\"image\":\"i\",\"command\":[\"c\"],\"args\":[\"x\"]", NULL, "\"c\",\"x\""},
        {"\"image\":\"i\"", "{\"Config\":{\"Entrypoint\":null,\"Cmd\":[\"sh\"]}}", "\"sh\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char document[512], expected[512];
        struct error err = {0};
        snprintf(document, sizeof document, "{\"spec\":{\"container\":{%s}}}", cases[i].container);
        snprintf(expected, sizeof expected,
                 "\"Entrypoint\":[\"/.hordelet/guard\",\"/.hordelet/page\",%s],\"Cmd\":[]",
                 cases[i].words);
        char *body = create_guarded(document, cases[i].image, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(body);
        CU_ASSERT_PTR_NOT_NULL(strstr(body, expected));
        CU_ASSERT_PTR_NOT_NULL(strstr(
            body,
            "\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/.hordelet/guard\",\"ReadOnly\":true,"
            "\"Source\":\"/d/guard\"},{\"Type\":\"bind\",\"Target\":\"/.hordelet/page\","
            "\"ReadOnly\":true,\"Source\":\"/r/page\"}]"));
        CU_ASSERT_PTR_NOT_NULL(strstr(body, "\"dev.hordelet.guarded\":\"true\""));
        free(body);
    }
}

static void what_would_void_the_guard_is_refused(void)
{
    static const struct {
        const char *document, *error;
    } cases[] = {
        {"{\"spec\":{\"container\":{\"image\":\"i\"}}}", "spec.container.command: missing"},
        {"{\"spec\":{\"container\":{\"image\":\"i\",\"command\":[\"c\"],\"securityContext\":"
         "{\"privileged\":true}}}}",
         "spec.container.securityContext.privileged: cannot be true"},
        {"{\"spec\":{\"container\":{\"image\":\"i\",\"command\":[\"c\"],\"volumeMounts\":"
         "[{\"name\":\"v\",\"mountPath\":\"/.hordelet/page\"}]}}}",
         "spec.container.volumeMounts[0].mountPath: /.hordelet is"},
        {"{\"spec\":{\"container\":{\"image\":\"i\",\"command\":[\"c\"],\"resources\":"
         "{\"limits\":{\"cpu\":\"199m\"}}}}}",
         "spec.container.resources.limits.cpu: must be at least 200m with leases of 5 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *body = create_guarded(cases[i].document, "{\"Config\":{}}", &err);
        CU_ASSERT_PTR_NULL(body);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].error));
        free(body);
    }
}

/* Each variable is twice the one before: 2^100 bytes. */
static void expansion_is_bounded(void)
{
    struct buffer text = {0};
    static const char start[] =
        "{\"spec\":{\"container\":{\"image\":\"i\",\"env\":[{\"name\":\"A0\","
        "\"value\":\"aaaaaaaa\"}";
    buffer_append(&text, start, sizeof start - 1);
    for (int i = 1; i <= 100; i++) {
        char item[96];
        int bytes = snprintf(item, sizeof item, ",{\"name\":\"A%d\",\"value\":\"$(A%d)$(A%d)\"}", i,
                             i - 1, i - 1);
        buffer_append(&text, item, (size_t)bytes);
    }
    buffer_append(&text, "]}}}", 5);
    struct error err = {0};
    CU_ASSERT_PTR_NULL(create((const char *)text.data, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "more than 1048576 bytes after expansion"));
    buffer_release(&text);
}

static void names_tell_children_apart(void)
{
    struct runtime_operation operation = operation_of("{}");
    struct docker_start start = {.cluster = "c", .node = "n", .operation = &operation};
    char one[DOCKER_NAME_BYTES_MAX], two[DOCKER_NAME_BYTES_MAX];
    docker_json_name(&start, false, one, sizeof one);
    CU_ASSERT_STRING_EQUAL(one, "hordelet-c-n-default-web-2-7");
    TEXT_SET(operation.child.ns, "a-b");
    TEXT_SET(operation.child.workload, "c");
    docker_json_name(&start, true, one, sizeof one);
    TEXT_SET(operation.child.ns, "a");
    TEXT_SET(operation.child.workload, "b-c");
    docker_json_name(&start, true, two, sizeof two);
    CU_ASSERT_STRING_NOT_EQUAL(one, two);
    CU_ASSERT_NSTRING_EQUAL(one, two, strlen("hordelet-c-n-a-b-c-2-7"));
}

#define ID "4f29547a43334ad2dd6755cbdda371a45e79239a40d9128324c442a08f2a25e1"
#define INSPECT(state, network, mode)                                                  \
    "{\"Id\":\"" ID "\",\"State\":{" state "},\"HostConfig\":{\"NetworkMode\":\"" mode \
    "\"},"                                                                             \
    "\"Config\":{\"ExposedPorts\":{\"80/tcp\":{},\"81/udp\":{}}," LABELS "}," network "}"

static const char inspect_running[] = INSPECT(
    "\"Status\":\"running\",\"Running\":true,\"OOMKilled\":false,\"ExitCode\":0,\"Error\":\"\","
    "\"StartedAt\":\"2026-11-21T00:37:05.38291653Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\"",
    "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"32768\"},"
    "{\"HostIp\":\"::\",\"HostPort\":\"32769\"}],\"81/udp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":"
    "\"81\"}],\"82/tcp\":null,\"83/"
    "sctp\":[{\"HostPort\":\"83\"}]},\"IPAddress\":\"\",\"Networks\":{"
    "\"bridge\":{\"IPAddress\":\"172.30.75.2\"}}}",
    "default");

static int inspect(struct docker_container *docker, const char *body)
{
    return docker_json_inspect(docker, span_text(body), NULL);
}

static void inspections_are_read(void)
{
    struct docker_container docker;
    CU_ASSERT_EQUAL_FATAL(inspect(&docker, inspect_running), 0);
    const struct container *container = &docker.container;
    CU_ASSERT(docker.labelled);
    CU_ASSERT_STRING_EQUAL(docker.cluster, "prod");
    CU_ASSERT_STRING_EQUAL(container->id, ID);
    CU_ASSERT_STRING_EQUAL(container->node, "n1");
    CU_ASSERT_STRING_EQUAL(container->child.workload, "web");
    CU_ASSERT_EQUAL(container->child.ordinal, 2);
    CU_ASSERT_EQUAL(container->epoch, 7);
    CU_ASSERT_EQUAL(container->replica, 0xabc);
    CU_ASSERT_EQUAL(container->spec_hash, 0xdef);
    CU_ASSERT_STRING_EQUAL(container->supervisor, "quorum");
    CU_ASSERT_EQUAL(container->state, CONTAINER_RUNNING);
    CU_ASSERT_EQUAL(container->started_ms, 1795221425382);
    CU_ASSERT_EQUAL(container->finished_ms, 0);
    CU_ASSERT_STRING_EQUAL(container->address, "172.30.75.2");
    CU_ASSERT_EQUAL_FATAL(container->port_count, 2);
    CU_ASSERT_EQUAL(container->ports[0].container_port, 80);
    CU_ASSERT_EQUAL(container->ports[0].host_port, 32768);
    CU_ASSERT(container->ports[1].udp);
}

static void states_of_both_engines(void)
{
    static const struct {
        const char *body;
        enum container_state state;
        int exit_code;
    } cases[] = {
        {INSPECT("\"Status\":\"created\",\"ExitCode\":127,\"Error\":\"no\"", "\"x\":1", "host"),
         CONTAINER_CREATED, 127},
        {INSPECT("\"Status\":\"configured\"", "\"x\":1", "host"), CONTAINER_CREATED, 0},
        {INSPECT("\"Status\":\"paused\"", "\"x\":1", "host"), CONTAINER_RUNNING, 0},
        {INSPECT("\"Status\":\"stopping\"", "\"x\":1", "host"), CONTAINER_RUNNING, 0},
        {INSPECT("\"Status\":\"exited\",\"ExitCode\":137", "\"x\":1", "host"), CONTAINER_EXITED,
         137},
        {INSPECT("\"Status\":\"stopped\"", "\"x\":1", "host"), CONTAINER_EXITED, 0},
        {INSPECT("\"Status\":\"removing\"", "\"x\":1", "host"), CONTAINER_GONE, 0},
        {INSPECT("\"Status\":\"new word\",\"Running\":true", "\"x\":1", "host"), CONTAINER_RUNNING,
         0},
        {INSPECT("\"Running\":false", "\"x\":1", "host"), CONTAINER_EXITED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docker_container docker;
        CU_ASSERT_EQUAL_FATAL(inspect(&docker, cases[i].body), 0);
        CU_ASSERT_EQUAL(docker.container.state, cases[i].state);
        CU_ASSERT_EQUAL(docker.container.exit_code, cases[i].exit_code);
        CU_ASSERT_EQUAL_FATAL(docker.container.port_count, 2); /* the host's network */
        CU_ASSERT_EQUAL(docker.container.ports[0].host_port, 80);
    }
}

static void strangers_are_not_ours(void)
{
    struct docker_container docker;
    CU_ASSERT_EQUAL(inspect(&docker, "{\"Id\":\"abc\",\"State\":{},\"Config\":{\"Labels\":null}}"),
                    0);
    CU_ASSERT_FALSE(docker.labelled);
    CU_ASSERT_EQUAL(inspect(&docker, "{\"Id\":\"../x\",\"State\":{}}"), -1);
    CU_ASSERT_EQUAL(inspect(&docker, "{\"Id\":\"abc\"}"), -1);
    CU_ASSERT_EQUAL(inspect(&docker, "<html>"), -1);
}

static const char list_body[] = "[{\"Id\":\"" ID "\",\"State\":\"exited\"," LABELS
                                "},{\"Id\":\"abc\",\"Labels\":null,"
                                "\"State\":\"running\"}]";

static void lists_are_whole_or_nothing(void)
{
    struct docker_containers found;
    CU_ASSERT_EQUAL_FATAL(docker_json_list(&found, span_text(list_body), NULL), 0);
    CU_ASSERT_EQUAL(found.count, 2);
    CU_ASSERT(found.items[0].labelled && !found.items[1].labelled);
    CU_ASSERT_EQUAL(found.items[0].container.state, CONTAINER_EXITED);
    free(found.items);
    CU_ASSERT_EQUAL(docker_json_list(&found, span_text("[{\"Id\":\"abc\"},{}]"), NULL), -1);
    CU_ASSERT_EQUAL(docker_json_list(&found, span_text("{}"), NULL), -1);
    CU_ASSERT_EQUAL_FATAL(docker_json_list(&found, span_text("[]"), NULL), 0);
    CU_ASSERT_EQUAL(found.count, 0);
    free(found.items);
}

static const char event_line[] =
    "{\"status\":\"die\",\"id\":\"" ID
    "\",\"from\":\"i\",\"Type\":\"container\",\"Action\":\"die\","
    "\"Actor\":{\"ID\":\"" ID
    "\",\"Attributes\":{\"dev.hordelet.cluster\":\"prod\","
    "\"dev.hordelet.node\":\"n1\",\"dev.hordelet.child\":\"default/web/2\",\"dev.hordelet.uid\":"
    "\"" UUID "\",\"dev.hordelet.epoch\":\"7\",\"exitCode\":\"7\",\"name\":\"x\"}},\"time\":1}";

static void events_name_the_child(void)
{
    struct docker_event event;
    CU_ASSERT_EQUAL_FATAL(docker_json_event(&event, span_text(event_line), NULL), 0);
    CU_ASSERT(event.container.labelled && !event.gone);
    CU_ASSERT_STRING_EQUAL(event.container.container.id, ID);
    CU_ASSERT_EQUAL(docker_json_event(&event, span_text("{\"Action\":\"die\"}"), NULL), -1);
    CU_ASSERT_EQUAL_FATAL(
        docker_json_event(&event, span_text("{\"Action\":\"remove\",\"Actor\":{\"ID\":\"abc\"}}"),
                          NULL),
        0);
    CU_ASSERT(event.gone && !event.container.labelled);
}

static const char version_podman[] =
    "{\"Components\":[{\"Name\":\"Podman Engine\",\"Version\":\"4.3.1\"}],\"Version\":\"4.3.1\","
    "\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.24\"}";

static void versions_and_messages(void)
{
    struct docker_version version;
    CU_ASSERT_EQUAL_FATAL(docker_json_version(&version, span_text(version_podman), NULL), 0);
    CU_ASSERT_STRING_EQUAL(version.name, "podman");
    CU_ASSERT_STRING_EQUAL(version.version, "4.3.1");
    CU_ASSERT(version.api == 41 && version.api_min == 24);
    CU_ASSERT_EQUAL(docker_json_version(&version, span_text("{\"ApiVersion\":\"2.0\"}"), NULL), -1);
    char text[40];
    docker_json_message(text, sizeof text,
                        span_text("{\"message\":\"No such\\ncontainer: x\\n\"}"));
    CU_ASSERT_STRING_EQUAL(text, "No such container: x");
    docker_json_message(text, sizeof text, span_text("page not found\n\xff"));
    CU_ASSERT_STRING_EQUAL(text, "page not found  ");
    docker_json_message(text, sizeof text, span_text(""));
    CU_ASSERT_STRING_EQUAL(text, "");
    char id[CONTAINER_ID_BYTES_MAX + 1];
    CU_ASSERT_EQUAL(docker_json_created(id, span_text("{\"Id\":\"" ID "\",\"Warnings\":[]}"), NULL),
                    0);
    CU_ASSERT_STRING_EQUAL(id, ID);
    CU_ASSERT_EQUAL(docker_json_created(id, span_text("{}"), NULL), -1);
}

static const char *const pull_lines[] = {
    "{\"status\":\"Pulling from library/busybox\",\"id\":\"1.36\"}",
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaa\"}",
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"bbb\"}",
    "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"ccc\"}",
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1000000,\"total\":80000000},"
    "\"id\":\"aaa\"}",
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":40000000,\"total\":40000000},"
    "\"id\":\"bbb\"}",
    "{\"status\":\"Extracting\",\"progressDetail\":{\"current\":5,\"total\":7},\"id\":\"bbb\"}",
    "garbage",
};

static void pulls_are_told(void)
{
    struct docker_pull pull = {0};
    char text[100];
    docker_json_pull_text(&pull, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "pulling");
    for (size_t i = 0; i < sizeof pull_lines / sizeof *pull_lines; i++)
        docker_json_pull_line(&pull, span_text(pull_lines[i]));
    docker_json_pull_text(&pull, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "pulling layer 2 of 3, 41 of 120 MB");
    CU_ASSERT_STRING_EQUAL(pull.error, "");
    docker_json_pull_line(&pull,
                          span_text("{\"errorDetail\":{\"message\":\"m\"},\"error\":\"no\"}"));
    CU_ASSERT_STRING_EQUAL(pull.error, "no");
    for (int i = 0; i < 500; i++) {
        char line[80];
        snprintf(line, sizeof line, "{\"status\":\"Pull complete\",\"id\":\"l%d\"}", i);
        docker_json_pull_line(&pull, span_text(line));
    }
    CU_ASSERT_EQUAL(pull.layer_count, DOCKER_LAYERS_MAX);
}

static void references_become_queries(void)
{
    static const char *const cases[][2] = {
        {"busybox", "fromImage=busybox&tag=latest"},
        {"docker.io/library/busybox:1.36", "fromImage=docker.io%2Flibrary%2Fbusybox&tag=1.36"},
        {"host:5000/a", "fromImage=host%3A5000%2Fa&tag=latest"},
        {"host:5000/a:b", "fromImage=host%3A5000%2Fa&tag=b"},
        {"a:b@sha256:0123", "fromImage=a&tag=sha256%3A0123"},
        {"a b&c", "fromImage=a%20b%26c&tag=latest"},
    };
    char query[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT(docker_json_pull_query(cases[i][0], query, sizeof query));
        CU_ASSERT_STRING_EQUAL(query, cases[i][1]);
    }
    CU_ASSERT_FALSE(docker_json_pull_query("a-long-name", query, 20));
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void read_all(struct span body)
{
    struct docker_container docker;
    struct docker_containers found = {0};
    struct docker_event event;
    struct docker_version version;
    struct docker_pull pull = {0};
    char text[64], id[CONTAINER_ID_BYTES_MAX + 1];
    docker_json_inspect(&docker, body, NULL);
    if (docker_json_list(&found, body, NULL) == 0)
        free(found.items);
    docker_json_event(&event, body, NULL);
    docker_json_version(&version, body, NULL);
    docker_json_created(id, body, NULL);
    docker_json_message(text, sizeof text, body);
    docker_json_pull_line(&pull, body);
    docker_json_pull_text(&pull, text, sizeof text);
}

static void create_from(const char *bytes, size_t length)
{
    char *document = malloc(length + 1);
    memcpy(document, bytes, length);
    document[length] = 0;
    free(create(document, NULL));
    free(document);
}

static const char document_all[] =
    "{\"spec\":{\"hostNetwork\":false,\"volumes\":[{\"name\":\"h\",\"hostPath\":{\"path\":\"/srv\","
    "\"type\":\"DirectoryOrCreate\"}},{\"name\":\"m\",\"emptyDir\":{\"medium\":\"Memory\","
    "\"sizeLimit\":\"1Mi\"}}],\"container\":{\"image\":\"i\",\"command\":[\"a\",\"$(B)\"],\"env\":["
    "{"
    "\"name\":\"B\",\"value\":\"$(A)\"}],\"ports\":[{\"containerPort\":80,\"hostPort\":8080}],"
    "\"volumeMounts\":[{\"name\":\"h\",\"mountPath\":\"/h\",\"subPath\":\"a\"},{\"name\":\"m\","
    "\"mountPath\":\"/m\"}],\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":1e6}},"
    "\"securityContext\":{\"runAsUser\":1,\"capabilities\":{\"add\":[\"A\"]}}}}}";

/* Bits flipped, bytes replaced by those that matter, and cut. */
static void garbage_does_no_harm(void)
{
    static const char *const seeds[] = {inspect_running, list_body, event_line, version_podman,
                                        document_all};
    static const char marks[] = "{}[]\",:0-$()/";
    uint32_t state = 1;
    for (int round = 0; round < 15000; round++) {
        const char *seed = seeds[round % 5];
        size_t bytes = strlen(seed);
        char *text = malloc(bytes);
        memcpy(text, seed, bytes);
        for (uint32_t flips = random_next(&state) % 4 + 1; flips > 0; flips--) {
            char *at = &text[random_next(&state) % bytes];
            if (random_next(&state) % 2)
                *at = (char)(*at ^ (1 << random_next(&state) % 7));
            else
                *at = marks[random_next(&state) % (sizeof marks - 1)];
        }
        if (random_next(&state) % 8 == 0)
            bytes = random_next(&state) % bytes;
        read_all(span_of(text, bytes));
        create_from(text, bytes);
        free(text);
    }
}

static void depth_bombs_are_refused(void)
{
    size_t bytes = 500000;
    char *bomb = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        bomb[i] = "{\"a\":"[i % 5];
    bomb[bytes] = 0;
    read_all(span_text(bomb));
    CU_ASSERT_PTR_NULL(create(bomb, NULL));
    memset(bomb, '[', bytes);
    read_all(span_text(bomb));
    CU_ASSERT_PTR_NULL(create(bomb, NULL));
    free(bomb);
}

UNIT_MAIN("docker_json", {"bodies are golden", bodies_are_golden},
          {"a container reaches the API of its agent", a_container_reaches_the_api_of_its_agent},
          {"odd documents are refused", odd_documents_are_refused},
          {"a guard runs what was asked for", a_guard_runs_what_was_asked_for},
          {"what would void the guard is refused", what_would_void_the_guard_is_refused},
          {"expansion is bounded", expansion_is_bounded},
          {"names tell children apart", names_tell_children_apart},
          {"inspections are read", inspections_are_read},
          {"states of both engines", states_of_both_engines},
          {"strangers are not ours", strangers_are_not_ours},
          {"lists are whole or nothing", lists_are_whole_or_nothing},
          {"events name the child", events_name_the_child},
          {"versions and messages", versions_and_messages}, {"pulls are told", pulls_are_told},
          {"references become queries", references_become_queries},
          {"garbage does no harm", garbage_does_no_harm},
          {"depth bombs are refused", depth_bombs_are_refused})
