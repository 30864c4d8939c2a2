/* Bodies -> objects: which media type is what, and the bounds that both parsers share. What leaves
 * here has at most DOCUMENT_DEPTH_MAX levels, DOCUMENT_NODES_MAX values, DOCUMENT_KEYS_MAX keys per
 * object, none of them twice: every walk behind this file counts on it. */
#include "agent/codec/document_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/codec/json.h"
#include "agent/codec/schema_problems.h"
#include "agent/codec/yaml.h"

enum body_syntax { BODY_JSON, BODY_YAML };

static const struct {
    const char *type;
    enum body_syntax syntax;
    bool list; /* a JSON patch: an array */
} media_types[] = {
    {"application/json", BODY_JSON, false},
    {"application/merge-patch+json", BODY_JSON, false},
    {"application/json-patch+json", BODY_JSON, true},
    {"application/yaml", BODY_YAML, false},
    {"application/x-yaml", BODY_YAML, false},
    {"text/yaml", BODY_YAML, false},
    {"text/x-yaml", BODY_YAML, false},
    {"application/apply-patch+yaml", BODY_YAML, false},
};

void documents_release(struct documents *documents)
{
    for (size_t i = 0; i < documents->count; i++) {
        cJSON_Delete(documents->items[i].object);
        marks_release(&documents->items[i].marks);
    }
    free(documents->items);
    *documents = (struct documents){0};
}

/* ---- bounds of a JSON text; YAML keeps them while it builds ---- */

struct bounds {
    struct problems path; /* for its path alone */
    size_t nodes;
    struct error *err;
};

static int key_compare(const void *left, const void *right)
{
    const cJSON *const *a = left, *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

static int check_keys(struct bounds *bounds, const cJSON *object)
{
    const cJSON *members[DOCUMENT_KEYS_MAX];
    size_t count = 0;
    char key[SHOWN_BYTES];
    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        if (count == DOCUMENT_KEYS_MAX)
            return error_set(bounds->err, ERROR_TOO_LARGE, "%s: too many keys in one object",
                             bounds->path.path);
        members[count++] = member;
    }
    qsort(members, count, sizeof *members, key_compare);
    for (size_t i = 1; i < count; i++)
        if (strcmp(members[i - 1]->string, members[i]->string) == 0)
            return error_set(bounds->err, ERROR_MALFORMED, "%s%sthe key %s is given twice",
                             bounds->path.path, bounds->path.path_bytes > 0 ? ": " : "",
                             shown_text(members[i]->string, key));
    return 0;
}

static int check_bounds(struct bounds *bounds, const cJSON *item)
{
    if (++bounds->nodes > DOCUMENT_NODES_MAX)
        return error_set(bounds->err, ERROR_TOO_LARGE, "too many values in one document");
    if (cJSON_IsObject(item) && check_keys(bounds, item) != 0)
        return -1;
    unsigned index = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        size_t mark = child->string ? path_push_key(&bounds->path, child->string)
                                    : path_push_index(&bounds->path, index++);
        if (check_bounds(bounds, child) != 0)
            return -1;
        path_pop(&bounds->path, mark);
    }
    return 0;
}

/* ---- parsing ---- */

static int parse_json(struct documents *ret_documents, struct span body, struct error *err)
{
    struct bounds bounds = {.err = err};
    cJSON *object = json_parse(body, BODY_BYTES_MAX, err);
    if (object == NULL)
        return error_wrap(err, "JSON");
    ret_documents->items = xcalloc(1, sizeof *ret_documents->items);
    ret_documents->items[0].object = object;
    ret_documents->count = 1;
    return check_bounds(&bounds, object);
}

static bool looks_like_json(struct span body)
{
    size_t at = 0;
    while (at < body.bytes && strchr(" \t\r\n", body.data[at]) != NULL && body.data[at] != 0)
        at++;
    return at < body.bytes && (body.data[at] == '{' || body.data[at] == '[');
}

/* The row of media_types, without parameters and in any case; -1: none. */
static int media_type_find(const char *content_type)
{
    size_t bytes = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++)
        if (strlen(media_types[i].type) == bytes &&
            strncasecmp(content_type, media_types[i].type, bytes) == 0)
            return (int)i;
    return -1;
}

static int check_top(const struct documents *documents, bool list, struct error *err)
{
    if (documents->count == 0)
        return error_set(err, ERROR_MALFORMED, "the body is empty");
    for (size_t i = 0; i < documents->count; i++) {
        const cJSON *object = documents->items[i].object;
        if (list ? !cJSON_IsArray(object) : !cJSON_IsObject(object))
            return error_set(err, ERROR_MALFORMED, "document %zu must be %s, not %s", i + 1,
                             list ? "a list of operations" : "an object", json_type_name(object));
    }
    return 0;
}

int documents_parse(struct documents *ret_documents, const char *content_type, struct span body,
                    struct error *err)
{
    enum body_syntax syntax = looks_like_json(body) ? BODY_JSON : BODY_YAML;
    bool list = false;
    *ret_documents = (struct documents){0};
    if (content_type != NULL && *content_type != '\0') {
        int found = media_type_find(content_type);
        if (found < 0)
            return error_set(err, ERROR_UNSUPPORTED_MEDIA,
                             "the media type \"%.80s\" is not supported; application/json and "
                             "application/yaml are",
                             content_type);
        syntax = media_types[found].syntax;
        list = media_types[found].list;
    }
    int failed = syntax == BODY_JSON ? parse_json(ret_documents, body, err)
                                     : yaml_parse(ret_documents, body, BODY_BYTES_MAX, err);
    if (!failed)
        failed = check_top(ret_documents, list, err);
    if (failed)
        documents_release(ret_documents);
    return failed;
}

int patch_type_parse(enum patch_type *ret_type, const char *content_type, struct error *err)
{
    static const struct {
        const char *media_type;
        enum patch_type type;
    } types[] = {
        {"application/merge-patch+json", PATCH_MERGE},
        {"application/json-patch+json", PATCH_JSON},
        {"application/apply-patch+yaml", PATCH_APPLY},
    };
    int found = content_type != NULL ? media_type_find(content_type) : -1;
    for (size_t i = 0; found >= 0 && i < sizeof types / sizeof *types; i++) {
        if (strcmp(media_types[found].type, types[i].media_type) == 0) {
            *ret_type = types[i].type;
            return 0;
        }
    }
    return error_set(
        err, ERROR_UNSUPPORTED_MEDIA,
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

const char *document_kind(const cJSON *object)
{
    return text_or_empty(json_get_text(object, "kind"));
}

const char *document_api_version(const cJSON *object)
{
    return text_or_empty(json_get_text(object, "apiVersion"));
}

const char *document_name(const cJSON *object)
{
    return text_or_empty(json_text(JSON_GET_PATH(object, "metadata", "name")));
}

const char *document_namespace(const cJSON *object)
{
    return text_or_empty(json_text(JSON_GET_PATH(object, "metadata", "namespace")));
}
