/* What a workload may ask of the engine: refused by the name of the field and of the flag, by the
 * agent that is written to and by the one that would start it. */
#include "agent/codec/policy.h"

#include <stdio.h>
#include <string.h>

#include "agent/codec/docker_json.h"
#include "agent/codec/json.h"
#include "unit.h"

static struct policy policy;
static struct error error;

static int check(const char *spec)
{
    cleanup_json cJSON *json = json_parse(span_text(spec), DOCUMENT_BYTES_MAX, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    error = (struct error){0};
    return policy_check(&policy, json, &error);
}

static void allows(const char *spec)
{
    if (check(spec))
        printf("\n%s: %s\n", spec, error.text);
    CU_ASSERT_EQUAL(check(spec), 0);
}

static void refuses(const char *spec, const char *field, const char *flag)
{
    CU_ASSERT_EQUAL(check(spec), -1);
    CU_ASSERT_EQUAL(error.code, ERROR_FORBIDDEN);
    if (strncmp(error.text, field, strlen(field)) != 0 || !strstr(error.text, flag))
        printf("\n%s: %s\n", spec, error.text);
    CU_ASSERT_EQUAL(strncmp(error.text, field, strlen(field)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, flag));
}

#define ADD(names) "{\"container\":{\"securityContext\":{\"capabilities\":{\"add\":[" names "]}}}}"
#define MOUNT(path)                                                                          \
    "{\"volumes\":[{\"name\":\"e\",\"emptyDir\":{}},{\"name\":\"v\",\"hostPath\":{\"path\":" \
    "\"" path "\"}}]}"
#define PATH_FIELD "spec.volumes[1].hostPath.path: "

static void nothing_is_allowed_unless_it_is_said(void)
{
    policy = (struct policy){0};
    allows(
        "{\"container\":{\"image\":\"a\",\"ports\":[{\"containerPort\":80}]},\"hostNetwork\":"
        "false}");
    allows(
        "{\"container\":{\"securityContext\":{\"privileged\":false,\"capabilities\":{\"drop\":"
        "[\"ALL\"],\"add\":[\"NET_BIND_SERVICE\",\"CHOWN\"]}}}}");
    refuses("{\"hostNetwork\":true}", "spec.hostNetwork: ", "--allow-host-network");
    refuses("{\"container\":{\"securityContext\":{\"privileged\":true}}}",
            "spec.container.securityContext.privileged: ", "--allow-privileged");
    refuses(ADD("\"CHOWN\",\"NET_ADMIN\""),
            "spec.container.securityContext.capabilities.add[1]: NET_ADMIN",
            "--allow-capability NET_ADMIN");
    refuses(ADD("\"CAP_SYS_ADMIN\""),
            "spec.container.securityContext.capabilities.add[0]: ", "--allow-capability SYS_ADMIN");
    refuses(ADD("\"ALL\""),
            "spec.container.securityContext.capabilities.add[0]: ", "--allow-capability ALL");
    refuses(MOUNT("/etc"), PATH_FIELD "/etc", "--allow-host-path /etc");
    refuses(MOUNT("/"), PATH_FIELD "/ ", "--allow-host-path /");
}

static void what_is_allowed_is_allowed_and_no_more(void)
{
    static char net_admin[] = "CAP_NET_ADMIN", all[] = "ALL";
    char *names[] = {net_admin};
    policy = (struct policy){.capabilities = names, .capability_count = 1};
    allows(ADD("\"NET_ADMIN\",\"CAP_NET_ADMIN\""));
    refuses(ADD("\"NET_ADMIN\",\"SYS_ADMIN\""), "spec.container.securityContext.", "SYS_ADMIN");
    refuses(ADD("\"ALL\""), "spec.container.securityContext.", "ALL");
    names[0] = all;
    allows(ADD("\"ALL\",\"SYS_ADMIN\""));
    refuses("{\"hostNetwork\":true}", "spec.hostNetwork: ", "");
    policy = (struct policy){.privileged = true};
    allows("{\"container\":{\"securityContext\":{\"privileged\":true}}}");
    refuses("{\"hostNetwork\":true}", "spec.hostNetwork: ", "");
    refuses(MOUNT("/srv"), PATH_FIELD, "");
    policy = (struct policy){.host_network = true};
    allows("{\"hostNetwork\":true}");
    refuses(ADD("\"NET_ADMIN\""), "spec.container.securityContext.", "");
}

static void paths_are_below_whole_components(void)
{
    static char data[] = "/data/", deep[] = "/srv//a/./b";
    char *paths[] = {data, deep};
    policy = (struct policy){.host_paths = paths, .host_path_count = 2};
    allows(MOUNT("/data"));
    allows(MOUNT("/data/x/y"));
    allows(MOUNT("//data/./x"));
    allows(MOUNT("/srv/a/b/c"));
    refuses(MOUNT("/database"), PATH_FIELD, "");
    refuses(MOUNT("/dat"), PATH_FIELD, "");
    refuses(MOUNT("/srv/a"), PATH_FIELD, "--allow-host-path /srv/a");
    refuses(MOUNT("/data/../etc"), PATH_FIELD, "..");
    refuses(MOUNT("/data/x/.."), PATH_FIELD, "..");
    allows(MOUNT("/data/..x"));
}

/* Who has the engine's socket has the node; who has the keys speaks for the cluster. */
static void what_is_the_agents_own_needs_its_own_name(void)
{
    static char run[] = "/run", socket[] = "/run/docker.sock", root[] = "/", lib[] = "/var/lib";
    char *paths[] = {run, lib};
    policy = (struct policy){.host_paths = paths,
                             .host_path_count = 2,
                             .protected_paths = {"/run/docker.sock", "/var/lib/hordelet"},
                             .protected_count = 2};
    allows(MOUNT("/run/lock"));
    allows(MOUNT("/var/lib/hordelets"));
    refuses(MOUNT("/run/docker.sock"), PATH_FIELD, "--allow-host-path /run/docker.sock");
    refuses(MOUNT("/run/./docker.sock/"), PATH_FIELD, "--allow-host-path /run/docker.sock");
    refuses(MOUNT("/run"), PATH_FIELD "/run reaches", "--allow-host-path /run/docker.sock");
    refuses(MOUNT("/var/lib/hordelet/child-api.key"), PATH_FIELD, "/var/lib/hordelet");
    paths[1] = socket;
    allows(MOUNT("/run/docker.sock"));
    allows(MOUNT("/run"));
    paths[0] = root;
    allows(MOUNT("/"));
    allows(MOUNT("/var/lib/hordelet"));
}

static void whoever_would_start_it_looks_too(void)
{
    struct runtime_operation operation = {
        .kind = RUNTIME_START,
        .document = "{\"spec\":{\"hostNetwork\":true,\"container\":{\"image\":\"i\"}}}"};
    TEXT_SET(operation.child.ns, "default");
    TEXT_SET(operation.child.workload, "web");
    struct docker_start start = {
        .cluster = "c", .node = "n", .operation = &operation, .policy = &policy};
    policy = (struct policy){0};
    error = (struct error){0};
    CU_ASSERT_PTR_NULL(docker_json_create(&start, &error));
    CU_ASSERT_EQUAL(error.code, ERROR_FORBIDDEN);
    policy.host_network = true;
    char *body = docker_json_create(&start, &error);
    CU_ASSERT_PTR_NOT_NULL(body);
    free(body);
    CU_ASSERT_EQUAL(policy_check_document(NULL, operation.document, &error), 0);
    CU_ASSERT_EQUAL(policy_check_document(&policy, operation.document, &error), 0);
}

UNIT_MAIN("policy", {"nothing", nothing_is_allowed_unless_it_is_said},
          {"no more", what_is_allowed_is_allowed_and_no_more},
          {"paths", paths_are_below_whole_components},
          {"own", what_is_the_agents_own_needs_its_own_name},
          {"start", whoever_would_start_it_looks_too})
