/* Who may what: grants as text, and each kind of request held against them. */
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_access.h"
#include "unit.h"

static struct api_principal someone(const char *grants)
{
    struct api_principal principal = {.grant_count = 0};
    struct error err = {0};
    CU_ASSERT_TRUE(api_principal_set_name(&principal, span_text("ci")));
    while (*grants) {
        struct api_grant grant;
        size_t bytes = strcspn(grants, ",");
        CU_ASSERT_EQUAL(api_grant_parse(&grant, span_of(grants, bytes), &err), 0);
        CU_ASSERT_TRUE(api_principal_add(&principal, &grant));
        grants += bytes + (grants[bytes] == ',');
    }
    return principal;
}

static void grants_are_read(void)
{
    static const char *const bad[] = {
        "",
        "reader",
        "Read",
        "read ",
        "read:",
        "read:A",
        "write:a/b",
        "admin:a",
        "write:a:b",
        "read:-a",
        ":a",
        "readread:a",
        "write:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct api_grant grant;
    struct error err = {0};
    CU_ASSERT_EQUAL(api_grant_parse(&grant, span_text("write:team-a"), &err), 0);
    CU_ASSERT_EQUAL(grant.role, API_ROLE_WRITE);
    CU_ASSERT_STRING_EQUAL(grant.ns, "team-a");
    CU_ASSERT_EQUAL(api_grant_parse(&grant, span_text("admin"), &err), 0);
    CU_ASSERT_EQUAL(grant.role, API_ROLE_ADMIN);
    CU_ASSERT_STRING_EQUAL(grant.ns, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(api_grant_parse(&grant, span_text(bad[i]), &err), -1);
    CU_ASSERT_EQUAL(api_grant_parse(&grant, span_of("read\0x", 6), &err), -1);
    CU_ASSERT_EQUAL(grant.role, API_ROLE_ADMIN); /* as it was */
}

static void names_are_such_as_a_log_can_show(void)
{
    static const char *const bad[] = {"", "a b", "a\"b", "a\nb", "a\\b", "a,b", "#a", "\xc3\xa4"};
    struct api_principal principal = {.grant_count = 0};
    char text[API_USER_BYTES_MAX + 2] = "";
    CU_ASSERT_TRUE(api_principal_set_name(&principal, span_text("system:node:a@b.example")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(api_principal_set_name(&principal, span_text(bad[i])));
    memset(text, 'x', API_USER_BYTES_MAX);
    CU_ASSERT_TRUE(api_principal_set_name(&principal, span_text(text)));
    text[API_USER_BYTES_MAX] = 'x';
    CU_ASSERT_FALSE(api_principal_set_name(&principal, span_of(text, API_USER_BYTES_MAX + 1)));
    struct api_grant grant = {.role = API_ROLE_READ};
    for (int i = 0; i < API_GRANTS_MAX; i++)
        CU_ASSERT_TRUE(api_principal_add(&principal, &grant));
    CU_ASSERT_FALSE(api_principal_add(&principal, &grant));
}

static bool may(const char *grants, const char *method, const char *path)
{
    struct api_principal principal = someone(grants);
    struct api_route route;
    struct api_failure failure = {.status = 0};
    CU_ASSERT_EQUAL(api_route_parse(&route, method, path, false), API_ROUTE_FOUND);
    int result = api_access_check(&principal, &route, path, &failure);
    CU_ASSERT_EQUAL(result, failure.status == 403 ? -1 : 0);
    return result == 0;
}

#define GROUP "/apis/hordelet.dev/v1"
#define A GROUP "/namespaces/a"

/* From the least to the most that the request needs: the first that may, and the last that may not.
 */
static void each_request_needs_its_role(void)
{
    static const struct {
        const char *method, *path;
        const char *enough, *too_little;
    } cases[] = {
        {"GET", "/apis", "", NULL},
        {"GET", "/api", "", NULL},
        {"GET", "/openapi/v3", "", NULL},
        {"GET", "/version", "", NULL},
        {"GET", "/livez", "", NULL},
        {"GET", A "/workloads", "read:a", "read:b,write:b"},
        {"GET", A "/workloads/web", "read:a", ""},
        {"GET", A "/children/web-0/log", "read:a", "write:b"},
        {"GET", A "/children/web-0/state", "read:a", "read:b"},
        {"GET", A "/children/web-0/ring", "read:a", "read:b"},
        {"GET", "/api/v1/namespaces/a/pods", "read:a", "read:b"},
        {"GET", "/api/v1/namespaces/a/events", "read:a", "read:b"},
        {"GET", "/api/v1/events", "read", "write:a"},
        {"GET", GROUP "/workloads", "read", "read:a,write:a"},
        {"GET", GROUP "/members", "read", "write:a"},
        {"GET", GROUP "/supervisors/default", "read", "write:a"},
        {"GET", GROUP "/supervisors/quorum/quorum", "read", "write:a"},
        {"GET", GROUP "/members/a/orphans", "read", "write:a"},
        {"GET", "/api/v1/nodes", "read", "read:a"},
        {"GET", "/metrics", "read", "write:a"},
        {"POST", A "/workloads", "write:a", "read,write:b"},
        {"PUT", A "/workloads/web", "write:a", "read"},
        {"PATCH", A "/workloads/web/scale", "write:a", "read"},
        {"DELETE", A "/workloads/web", "write:a", "read,write:b"},
        {"DELETE", A "/children/web-0", "write:a", "read"},
        {"DELETE", "/api/v1/namespaces/a/pods/web-0", "write:a", "read"},
        {"GET", "/api/v1/namespaces/a/pods/web-0/exec", "write:a", "read"},
        {"PUT", A "/names/db", "write", "read,write:b"},
        {"DELETE", A "/metas/m", "write:a", "read"},
        {"POST", GROUP "/supervisors", "admin", "write"},
        {"PATCH", GROUP "/supervisors/default", "admin", "write"},
        {"POST", GROUP "/supervisors/default/rebalance", "admin", "write"},
        {"POST", GROUP "/supervisors/quorum/force-electorate", "admin", "write"},
        {"PATCH", GROUP "/members/a", "admin", "write"},
        {"PATCH", "/api/v1/nodes/a", "admin", "write"},
        {"POST", GROUP "/members/a/forget", "admin", "write"},
        {"POST", GROUP "/members/SELF/leave", "admin", "write"},
        {"DELETE", GROUP "/members/a/orphans", "admin", "write"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_TRUE(may(cases[i].enough, cases[i].method, cases[i].path));
        CU_ASSERT_TRUE(may("admin", cases[i].method, cases[i].path));
        if (cases[i].too_little)
            CU_ASSERT_FALSE(may(cases[i].too_little, cases[i].method, cases[i].path));
    }
}

static void what_is_missing_is_said(void)
{
    static const struct {
        const char *method, *path, *message;
    } cases[] = {
        {"POST", A "/workloads",
         "workloads.hordelet.dev is forbidden: User \"ci\" cannot create resource \"workloads\" in "
         "API group \"hordelet.dev\" in the namespace \"a\""},
        {"PATCH", A "/workloads/web/scale",
         "workloads.hordelet.dev \"web\" is forbidden: User \"ci\" cannot patch resource "
         "\"workloads/scale\" in API group \"hordelet.dev\" in the namespace \"a\""},
        {"GET", "/api/v1/nodes",
         "nodes is forbidden: User \"ci\" cannot list resource \"nodes\" in API group \"\" at the "
         "cluster scope"},
        {"GET", "/metrics", "forbidden: User \"ci\" cannot get path \"/metrics\""},
    };
    struct api_principal principal = someone("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_route route;
        struct api_failure failure = {.status = 0};
        api_route_parse(&route, cases[i].method, cases[i].path, false);
        CU_ASSERT_EQUAL(api_access_check(&principal, &route, cases[i].path, &failure), -1);
        CU_ASSERT_STRING_EQUAL(failure.message, cases[i].message);
        CU_ASSERT_STRING_EQUAL(failure.reason, "Forbidden");
    }
}

static void health_is_for_everybody(void)
{
    CU_ASSERT_TRUE(api_access_is_public("/livez"));
    CU_ASSERT_TRUE(api_access_is_public("/readyz?verbose"));
    CU_ASSERT_TRUE(api_access_is_public("/version"));
    CU_ASSERT_FALSE(api_access_is_public("/"));
    CU_ASSERT_FALSE(api_access_is_public("/livez/"));
    CU_ASSERT_FALSE(api_access_is_public("/livezz"));
    CU_ASSERT_FALSE(api_access_is_public("/livez/../metrics"));
    CU_ASSERT_FALSE(api_access_is_public("/metrics"));
    CU_ASSERT_FALSE(api_access_is_public(""));
}

UNIT_MAIN("api access", {"grants are read", grants_are_read},
          {"names are such as a log can show", names_are_such_as_a_log_can_show},
          {"each request needs its role", each_request_needs_its_role},
          {"what is missing is said", what_is_missing_is_said},
          {"health is for everybody", health_is_for_everybody})
