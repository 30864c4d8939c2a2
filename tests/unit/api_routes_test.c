/* Paths and methods to routes; percent-encoding; names of children. */
#include "unit.h"

#include <string.h>

#include "agent/codec/api_query.h"
#include "agent/codec/api_routes.h"

#define ROOT "/apis/hordelet.dev/v1"

struct expected {
    const char *method, *path;
    enum api_route_result result;
    enum api_resource resource;
    enum api_subresource subresource;
    enum api_verb verb;
    const char *ns, *name;
};

static const struct expected table[] = {
    {"GET", ROOT "/workloads", API_ROUTE_FOUND, API_WORKLOADS, 0, API_LIST, "", ""},
    {"GET", ROOT "/workloads/", API_ROUTE_FOUND, API_WORKLOADS, 0, API_LIST, "", ""},
    {"GET", ROOT "/namespaces/default/workloads", API_ROUTE_FOUND, API_WORKLOADS, 0, API_LIST,
     "default", ""},
    {"HEAD", ROOT "/namespaces/n/workloads/web", API_ROUTE_FOUND, API_WORKLOADS, 0, API_GET, "n",
     "web"},
    {"GET", ROOT "/namespaces/n/workloads/w%65b", API_ROUTE_FOUND, API_WORKLOADS, 0, API_GET, "n",
     "web"},
    {"POST", ROOT "/namespaces/n/workloads", API_ROUTE_FOUND, API_WORKLOADS, 0, API_CREATE, "n",
     ""},
    {"PUT", ROOT "/namespaces/n/workloads/web", API_ROUTE_FOUND, API_WORKLOADS, 0, API_UPDATE, "n",
     "web"},
    {"PATCH", ROOT "/namespaces/n/workloads/web", API_ROUTE_FOUND, API_WORKLOADS, 0, API_PATCH, "n",
     "web"},
    {"DELETE", ROOT "/namespaces/n/workloads/web", API_ROUTE_FOUND, API_WORKLOADS, 0, API_DELETE,
     "n", "web"},
    {"GET", ROOT "/namespaces/n/workloads/web/scale", API_ROUTE_FOUND, API_WORKLOADS, API_SCALE,
     API_GET, "n", "web"},
    {"GET", ROOT "/namespaces/n/workloads/web/status", API_ROUTE_FOUND, API_WORKLOADS, API_STATUS,
     API_GET, "n", "web"},
    {"GET", ROOT "/namespaces/n/children/web-0", API_ROUTE_FOUND, API_CHILDREN, 0, API_GET, "n",
     "web-0"},
    {"DELETE", ROOT "/namespaces/n/children/a-b-12", API_ROUTE_FOUND, API_CHILDREN, 0, API_DELETE,
     "n", "a-b-12"},
    {"GET", ROOT "/supervisors/quorum", API_ROUTE_FOUND, API_SUPERVISORS, 0, API_GET, "", "quorum"},
    {"POST", ROOT "/supervisors", API_ROUTE_FOUND, API_SUPERVISORS, 0, API_CREATE, "", ""},
    {"PATCH", ROOT "/members/node-1.example", API_ROUTE_FOUND, API_MEMBERS, 0, API_PATCH, "",
     "node-1.example"},
    {"POST", ROOT "/members/SELF/join", API_ROUTE_FOUND, API_MEMBERS, API_JOIN, API_CREATE, "",
     "SELF"},
    {"GET", ROOT "/namespaces/n/workloads/a%2Fb", API_ROUTE_NO_NAME, 0, 0, 0, "n", ""},
    {"GET", ROOT "/namespaces/N_/workloads/a", API_ROUTE_NO_NAME, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/children/web", API_ROUTE_NO_NAME, 0, 0, 0, "n", ""},
    {"GET", ROOT "/namespaces/n/children/web-01", API_ROUTE_NO_NAME, 0, 0, 0, "n", ""},
    {"GET", ROOT "/namespaces/n/children/web-4294967296", API_ROUTE_NO_NAME, 0, 0, 0, "n", ""},
    {"GET", ROOT "/namespaces/n/workloads/web%00", API_ROUTE_MALFORMED, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/workloads/web%4", API_ROUTE_MALFORMED, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/workloads/web%zz", API_ROUTE_MALFORMED, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", ROOT "/workloads/web", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/supervisors", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/workloads/web/scale/x", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", ROOT "/namespaces/n/workloads/web/logs", API_ROUTE_NO_PATH, 0, 0, 0, "n", ""},
    {"GET", ROOT "/pods", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", ROOT "//workloads", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", "/", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", "*", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"GET", "", API_ROUTE_NO_PATH, 0, 0, 0, "", ""},
    {"POST", ROOT "/workloads", API_ROUTE_NO_METHOD, 0, 0, 0, "", ""},
    {"POST", ROOT "/namespaces/n/workloads/web", API_ROUTE_NO_METHOD, 0, 0, 0, "n", "web"},
    {"DELETE", ROOT "/namespaces/n/workloads", API_ROUTE_NO_METHOD, 0, 0, 0, "n", ""},
    {"PUT", ROOT "/namespaces/n/workloads", API_ROUTE_NO_METHOD, 0, 0, 0, "n", ""},
    {"PUT", ROOT "/namespaces/n/workloads/web/status", API_ROUTE_NO_METHOD, 0, 0, 0, "n", "web"},
    {"PUT", ROOT "/members/a", API_ROUTE_NO_METHOD, 0, 0, 0, "", "a"},
    {"PATCH", ROOT "/namespaces/n/names/web", API_ROUTE_NO_METHOD, 0, 0, 0, "n", "web"},
    {"GET", ROOT "/members/a/join", API_ROUTE_NO_METHOD, 0, 0, 0, "", "a"},
    {"BREW", ROOT "/members", API_ROUTE_NO_METHOD, 0, 0, 0, "", ""},
    {"OPTIONS", ROOT "/members", API_ROUTE_OPTIONS, 0, 0, 0, "", ""},
    {"POST", "/livez", API_ROUTE_NO_METHOD, 0, 0, 0, "", ""},
};

static void a_path_means_one_thing(void)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct expected *e = &table[i];
        struct api_route route;
        enum api_route_result result = api_route_parse(&route, e->method, e->path, false);
        if (result != e->result)
            printf("%s %s: %d\n", e->method, e->path, result);
        CU_ASSERT_EQUAL(result, e->result);
        if (result != API_ROUTE_FOUND)
            continue;
        CU_ASSERT_EQUAL(route.resource, e->resource);
        CU_ASSERT_EQUAL(route.subresource, e->subresource);
        CU_ASSERT_EQUAL(route.verb, e->verb);
        CU_ASSERT_STRING_EQUAL(route.ns, e->ns);
        CU_ASSERT_STRING_EQUAL(route.name, e->name);
    }
}

static void endpoints_are_found(void)
{
    struct api_route route;
    CU_ASSERT_EQUAL(api_route_parse(&route, "GET", "/livez", false), API_ROUTE_FOUND);
    CU_ASSERT_EQUAL(route.endpoint, API_ENDPOINT_LIVEZ);
    CU_ASSERT_EQUAL(api_route_parse(&route, "HEAD", "/version/", false), API_ROUTE_FOUND);
    CU_ASSERT_EQUAL(route.endpoint, API_ENDPOINT_VERSION);
    CU_ASSERT_EQUAL(api_route_parse(&route, "GET", ROOT, false), API_ROUTE_FOUND);
    CU_ASSERT_EQUAL(route.endpoint, API_ENDPOINT_GROUP_VERSION);
}

static void a_watch_is_told_from_a_list(void)
{
    struct api_route route;
    CU_ASSERT_EQUAL(api_route_parse(&route, "GET", ROOT "/names", true), API_ROUTE_FOUND);
    CU_ASSERT_EQUAL(route.verb, API_WATCH);
    CU_ASSERT_EQUAL(api_route_parse(&route, "GET", ROOT "/members/a", true), API_ROUTE_FOUND);
    CU_ASSERT_EQUAL(route.verb, API_GET);
}

static void methods(const char *path, const char *expected)
{
    struct api_route route;
    char text[64];
    api_route_parse(&route, "BREW", path, false);
    api_route_methods(&route, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void the_methods_of_a_path_are_listed(void)
{
    methods(ROOT "/workloads", "GET, HEAD");
    methods(ROOT "/namespaces/n/workloads", "GET, HEAD, POST");
    methods(ROOT "/namespaces/n/workloads/web", "GET, HEAD, PUT, PATCH, DELETE");
    methods(ROOT "/members/a/join", "POST");
    methods("/livez", "GET, HEAD");
}

static void names_of_children_are_parsed_and_printed(void)
{
    struct child_id id;
    char text[API_OBJECT_NAME_BYTES_MAX + 1];
    CU_ASSERT_TRUE(api_child_name_parse(&id, "n", "web-1-4294967295"));
    CU_ASSERT_STRING_EQUAL(id.ns, "n");
    CU_ASSERT_STRING_EQUAL(id.workload, "web-1");
    CU_ASSERT_EQUAL(id.ordinal, 4294967295u);
    api_child_name_print(&id, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "web-1-4294967295");
    static const char *const bad[] = {"",      "-",      "-1",      "web",   "web-",
                                      "web-x", "web-1x", "web--01", "Web-1", "web--1-"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(api_child_name_parse(&id, "n", bad[i]));
}

static void queries_are_decoded(void)
{
    struct api_query query = {0};
    struct error err = {0};
    CU_ASSERT_EQUAL(
        api_query_parse(&query, span_text("a=1%2C2&b&&c=x+y%3D&a=3&watch=true&no=0"), &err), 0);
    CU_ASSERT_STRING_EQUAL(api_query_get(&query, "a"), "1,2");
    CU_ASSERT_STRING_EQUAL(api_query_get(&query, "b"), "");
    CU_ASSERT_STRING_EQUAL(api_query_get(&query, "c"), "x y=");
    CU_ASSERT_PTR_NULL(api_query_get(&query, "d"));
    CU_ASSERT_TRUE(api_query_flag(&query, "watch"));
    CU_ASSERT_TRUE(api_query_flag(&query, "b"));
    CU_ASSERT_FALSE(api_query_flag(&query, "no"));
    CU_ASSERT_FALSE(api_query_flag(&query, "d"));
    static const char *const bad[] = {"a=%", "a=%4", "a=%00", "%zz=1", "a=%%"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(api_query_parse(&query, span_text(bad[i]), &err), -1);
        CU_ASSERT_EQUAL(query.count, 0);
    }
    char many[2 * API_PARAMETERS_MAX + 8];
    for (size_t i = 0; i + 2 < sizeof many; i += 2)
        memcpy(many + i, "a&", 3);
    CU_ASSERT_EQUAL(api_query_parse(&query, span_text(many), &err), -1);
    CU_ASSERT_EQUAL(err.code, ERROR_MALFORMED);
    api_query_release(&query);
}

UNIT_MAIN("api routes", {"a path means one thing", a_path_means_one_thing},
          {"endpoints are found", endpoints_are_found},
          {"a watch is told from a list", a_watch_is_told_from_a_list},
          {"the methods of a path are listed", the_methods_of_a_path_are_listed},
          {"names of children are parsed and printed", names_of_children_are_parsed_and_printed},
          {"queries are decoded", queries_are_decoded})
