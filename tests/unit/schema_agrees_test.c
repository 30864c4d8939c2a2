/* What the API publishes as its schema (OpenAPI, hence `kubectl explain`) against what it does: it
 * shows nothing that is not in there, it refuses what is not in there, and its defaults are those.
 * docs/reference is held against the same table in reference_test.c. */
#include "unit.h"

#include "agent/codec/json.h"
#include "api_ask.h"

enum { PATH_BYTES = 256, DEPTH_MAX = 8 };

static cJSON *schemas; /* components.schemas of both documents */

static void load(const char *target)
{
    CU_ASSERT_EQUAL_FATAL(get(target), 200);
    const cJSON *definition;
    cJSON_ArrayForEach(definition, at("components.schemas"))
        cJSON_AddItemToObject(schemas, definition->string, cJSON_Duplicate(definition, true));
}

static void begin_with_schemas(void)
{
    begin();
    schemas = cJSON_CreateObject();
    load("/openapi/v3/apis/hordelet.dev/v1");
    load("/openapi/v3/api/v1");
}

static void end_with_schemas(void)
{
    cJSON_Delete(schemas);
    end();
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Behind $ref and allOf. */
static const cJSON *resolve(const cJSON *schema)
{
    const cJSON *all = member(schema, "allOf");
    if (all)
        schema = all->child;
    const char *ref = cJSON_GetStringValue(member(schema, "$ref"));
    return ref ? member(schemas, strrchr(ref, '/') + 1) : schema;
}

static const cJSON *schema_of_kind(const char *kind)
{
    const cJSON *schema;
    cJSON_ArrayForEach(schema, schemas)
    {
        const cJSON *names = member(schema, "x-kubernetes-group-version-kind");
        const char *name = cJSON_GetStringValue(member(names ? names->child : NULL, "kind"));
        if (name && strcmp(name, kind) == 0)
            return schema;
    }
    return NULL;
}

/* --- What is shown ---------------------------------------------------------------------------- */

static bool is_of_type(const cJSON *value, const cJSON *schema)
{
    const char *type = cJSON_GetStringValue(member(schema, "type"));
    const cJSON *one, *any = member(schema, "oneOf");
    cJSON_ArrayForEach(one, any) if (is_of_type(value, one)) return true;
    if (!type)
        return !any;
    return strcmp(type, "string") == 0    ? cJSON_IsString(value)
           : strcmp(type, "integer") == 0 ? cJSON_IsNumber(value)
           : strcmp(type, "number") == 0  ? cJSON_IsNumber(value)
           : strcmp(type, "boolean") == 0 ? cJSON_IsBool(value)
           : strcmp(type, "array") == 0   ? cJSON_IsArray(value)
                                          : cJSON_IsObject(value);
}

static void check_shown(const cJSON *value, const cJSON *schema, const char *path, int depth)
{
    char inner[PATH_BYTES];
    if (cJSON_IsNull(value) && cJSON_IsTrue(member(schema, "nullable")))
        return;
    schema = resolve(schema);
    bool good = schema && depth < DEPTH_MAX && is_of_type(value, schema);
    CU_ASSERT_TRUE(good);
    if (!good) {
        printf("%s is not what its schema says\n", path);
        return;
    }
    const cJSON *properties = member(schema, "properties"), *item;
    const cJSON *others = member(schema, "additionalProperties");
    cJSON_ArrayForEach(item, value)
    {
        if (cJSON_IsArray(value) && member(schema, "items")) {
            snprintf(inner, sizeof inner, "%s[]", path);
            check_shown(item, member(schema, "items"), inner, depth + 1);
        } else if (cJSON_IsObject(value) && (properties || cJSON_IsObject(others))) {
            const cJSON *of = member(properties, item->string);
            snprintf(inner, sizeof inner, "%s.%s", path, item->string);
            check_shown(item, of ? of : others, inner, depth + 1);
        }
    }
}

static void nothing_is_shown_that_the_schema_lacks(void)
{
    static struct workload_name named = {.name = "web", .port = "http"};
    begin_with_schemas();
    const struct workload *web = node->names[node->name_count - 1].view.workload;
    ((struct workload *)web)->names = &named; /* the port of a child's name, by its name */
    ((struct workload *)web)->name_count = 1;
    for (unsigned resource = 0; resource < API_SHOWN_COUNT; resource++) {
        const struct api_resource_info *info = &api_resources[resource];
        const cJSON *schema = schema_of_kind(info->kind), *item;
        char target[128];
        snprintf(target, sizeof target, "%s/%s", info->group[0] ? ROOT : "/api/v1", info->plural);
        if (resource == API_METAS)
            send("PUT", ROOT "/namespaces/default/metas/m", JSON,
                 "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Meta\",\"metadata\":{\"name\":"
                 "\"m\"},\"spec\":{\"value\":{\"a\":[1]}}}");
        CU_ASSERT_EQUAL(get(target), 200);
        CU_ASSERT(cJSON_GetArraySize(at("items")) > 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
        cJSON_ArrayForEach(item, at("items")) check_shown(item, schema, info->kind, 0);
    }
    ((struct workload *)web)->names = NULL;
    ((struct workload *)web)->name_count = 0;
    end_with_schemas();
}

/* --- What is accepted ------------------------------------------------------------------------- */

struct written {
    const char *kind, *target, *minimal; /* a document that is good */
};

static const struct written writes[] = {
    {"Workload", WORKLOADS "?dryRun=All",
     "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"x\"},"
     "\"spec\":{\"container\":{\"image\":\"i\"}}}"},
    {"Supervisor", ROOT "/supervisors?dryRun=All",
     "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Supervisor\",\"metadata\":{\"name\":\"x\"},"
     "\"spec\":{}}"},
    {"Name", ROOT "/namespaces/default/names",
     "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Name\",\"metadata\":{\"name\":\"x\"},"
     "\"spec\":{}}"},
};

static int post(const struct written *written, const cJSON *document)
{
    char *body = cJSON_PrintUnformatted(document);
    int status = ask((struct api_request){.method = "POST",
                                          .target = written->target,
                                          .content_type = JSON,
                                          .token = "0123456789abcdef",
                                          .token_hash = {1},
                                          .body = span_text(body)});
    cJSON_free(body);
    return status;
}

/* The good document with something else at "spec.ports[].name"; owned by the caller. */
static cJSON *document_with(const struct written *written, const char *path, cJSON *value)
{
    cJSON *root = cJSON_Parse(written->minimal), *parent = root;
    while (*path) {
        char key[64] = "";
        size_t bytes = strcspn(path, ".[");
        memcpy(key, path, bytes);
        path += bytes;
        bool list = strncmp(path, "[]", 2) == 0;
        path += list ? 2 : 0;
        path += *path == '.';
        cJSON *child = cJSON_GetObjectItemCaseSensitive(parent, key);
        if (!*path && !list) {
            cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
            cJSON_AddItemToObject(parent, key, value);
            return root;
        }
        if (!child)
            child =
                list ? cJSON_AddArrayToObject(parent, key) : cJSON_AddObjectToObject(parent, key);
        if (list && !*path) {
            cJSON_AddItemToArray(child, value);
            return root;
        }
        if (list)
            cJSON_AddItemToArray(child, cJSON_CreateObject());
        parent = list ? cJSON_GetArrayItem(child, 0) : child;
    }
    return root;
}

/* The message names the field: "spec.ports[0].name: ...". */
static void expect_refused(const struct written *written, const char *path, cJSON *value)
{
    char named[PATH_BYTES] = "";
    for (const char *from = path; *from; from++) {
        size_t bytes = strlen(named);
        snprintf(named + bytes, sizeof named - bytes, *from == '[' ? "[0" : "%c", *from);
    }
    cJSON *document = document_with(written, path, value);
    int status = post(written, document);
    bool good = (status == 422 || status == 400) && strstr(text("message"), named);
    CU_ASSERT_TRUE(good);
    if (!good)
        printf("%s %s: %d %s\n", written->kind, path, status, text("message"));
    cJSON_Delete(document);
}

static void check_refusals(const struct written *written, const cJSON *schema, const char *path,
                           int depth);

static void check_property(const struct written *written, const cJSON *schema, const char *path,
                           int depth)
{
    const char *type = cJSON_GetStringValue(member(schema, "type"));
    char inner[PATH_BYTES];
    if (member(schema, "enum"))
        expect_refused(written, path, cJSON_CreateString("no-such-value"));
    if (!type || cJSON_IsTrue(member(schema, "readOnly")))
        return;
    bool compound = strcmp(type, "object") == 0 || strcmp(type, "array") == 0;
    expect_refused(written, path, compound ? cJSON_CreateNumber(5) : cJSON_CreateObject());
    if (strcmp(type, "array") == 0) {
        snprintf(inner, sizeof inner, "%s[]", path);
        check_property(written, resolve(member(schema, "items")), inner, depth + 1);
    } else if (member(schema, "properties")) {
        check_refusals(written, schema, path, depth + 1);
    }
}

static void check_refusals(const struct written *written, const cJSON *schema, const char *path,
                           int depth)
{
    const cJSON *property;
    char inner[PATH_BYTES];
    CU_ASSERT_FATAL(depth < DEPTH_MAX);
    cJSON_ArrayForEach(property, member(schema, "properties"))
    {
        snprintf(inner, sizeof inner, "%s.%s", path, property->string);
        check_property(written, resolve(property), inner, depth);
    }
    snprintf(inner, sizeof inner, "%s.noSuchField", path);
    expect_refused(written, inner, cJSON_CreateNumber(1));
}

static const cJSON *spec_of(const char *kind)
{
    return resolve(member(member(schema_of_kind(kind), "properties"), "spec"));
}

static void what_the_schema_lacks_is_refused(void)
{
    begin_with_schemas();
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        check_refusals(&writes[i], spec_of(writes[i].kind), "spec", 0);
    end_with_schemas();
}

/* --- Defaults --------------------------------------------------------------------------------- */

static size_t check_defaults(const cJSON *schema, const cJSON *value, const char *path)
{
    const cJSON *property;
    size_t seen = 0;
    cJSON_ArrayForEach(property, member(schema, "properties"))
    {
        char inner[PATH_BYTES];
        const cJSON *wanted = member(property, "default"), *found = member(value, property->string);
        snprintf(inner, sizeof inner, "%s.%s", path, property->string);
        bool object = cJSON_IsObject(found);
        if (wanted && !object) {
            CU_ASSERT_TRUE(cJSON_Compare(found, wanted, true));
            if (!cJSON_Compare(found, wanted, true))
                printf("%s: the default is not the one in the schema\n", inner);
            seen++;
        }
        if (object)
            seen += check_defaults(resolve(property), found, inner);
    }
    return seen;
}

static void defaults_are_those_of_the_schema(void)
{
    begin_with_schemas();
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        cJSON *document = cJSON_Parse(writes[i].minimal);
        CU_ASSERT_EQUAL(post(&writes[i], document), 201);
        CU_ASSERT(check_defaults(spec_of(writes[i].kind), at("spec"), "spec") > 0);
        cJSON_Delete(document);
    }
    end_with_schemas();
}

UNIT_MAIN("schema and API agree",
          {"nothing is shown that the schema lacks", nothing_is_shown_that_the_schema_lacks},
          {"what the schema lacks is refused", what_the_schema_lacks_is_refused},
          {"defaults are those of the schema", defaults_are_those_of_the_schema})
