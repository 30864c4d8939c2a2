/* See document_write.h. Each way to write makes a new object from the old one and a body, then
 * passes the same gate: identity (400), preconditions (409), schema and rules (422), completion,
 * immutability (422), server fields. */
#include "agent/codec/document_write.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codec/apply.h"
#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/json_patch.h"
#include "agent/codec/managed_fields.h"
#include "agent/codec/merge_patch.h"
#include "agent/codec/schema_check.h"
#include "agent/codec/timestamp.h"
#include "agent/codec/uuid.h"

/* ---- small things ---- */

static void set_member(cJSON *object, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    json_add(object, key, value);
}

static void set_text(cJSON *object, const char *key, const char *text)
{
    set_member(object, key, cJSON_CreateString(text));
}

static cJSON *metadata_of(cJSON *object)
{
    return cJSON_GetObjectItemCaseSensitive(object, "metadata");
}

static const char *manager_of(const struct write *write)
{
    return write->manager != NULL && *write->manager != '\0' ? write->manager : "unknown";
}

char *document_print(cJSON *object, struct error *err)
{
    numbers_make_exact(object);
    char *text = json_print(object);
    size_t bytes = strlen(text);
    if (bytes <= DOCUMENT_BYTES_MAX)
        return text;
    free(text);
    error_set(err, ERROR_TOO_LARGE,
              "the document has %zu bytes as it is stored; at most %d are accepted", bytes,
              DOCUMENT_BYTES_MAX);
    return NULL;
}

cJSON *document_read(const char *text, size_t bytes)
{
    cJSON *object =
        text != NULL ? json_parse(span_of(text, bytes), DOCUMENT_BYTES_MAX, NULL) : NULL;
    if (cJSON_IsObject(object))
        return object;
    cJSON_Delete(object);
    return json_new_object();
}

uint64_t document_created_ms(const cJSON *object)
{
    uint64_t ms = 0;
    const char *text = json_text(JSON_GET_PATH(object, "metadata", "creationTimestamp"));
    return text != NULL && timestamp_parse(&ms, text) ? ms : 0;
}

uint64_t document_generation(const cJSON *object)
{
    int64_t generation = json_get_integer(json_get(object, "metadata"), "generation", 0);
    return generation > 0 ? (uint64_t)generation : 0;
}

/* ---- identity: 400 ---- */

static void check_text(struct problems *problems, const cJSON *object, const char *field,
                       const char *expected)
{
    const cJSON *value = json_get(object, field);
    char text[SHOWN_BYTES];
    if (value == NULL)
        problem_field(problems, field, object, "is required");
    else if (!cJSON_IsString(value) || strcmp(value->valuestring, expected) != 0)
        problem_field(problems, field, value, "must be %s, not %s", expected, shown(value, text));
}

static void check_against_url(struct problems *problems, const cJSON *object, const char *field,
                              const char *expected)
{
    const cJSON *value = JSON_GET_PATH(object, "metadata", field);
    char text[SHOWN_BYTES];
    if (expected == NULL || !cJSON_IsString(value) || *value->valuestring == '\0' ||
        strcmp(value->valuestring, expected) == 0)
        return;
    size_t mark = path_push_field(problems, "metadata");
    problem_field(problems, field, value, "%s is not the %s in the URL, %.63s", shown(value, text),
                  field, expected);
    path_pop(problems, mark);
}

static int check_identity(const struct document_kind *kind, const cJSON *object,
                          const struct marks *marks, const struct write *write, struct error *err)
{
    struct problems problems;
    problems_init(&problems, marks);
    if (!cJSON_IsObject(object))
        return error_set(err, ERROR_MALFORMED, "the document must be an object, not %s",
                         json_type_name(object));
    check_text(&problems, object, "apiVersion", DOCUMENT_API_VERSION);
    check_text(&problems, object, "kind", kind->schema->kind);
    if (write != NULL) {
        check_against_url(&problems, object, "name", write->name);
        if (kind->schema->namespaced)
            check_against_url(&problems, object, "namespace", write->ns);
    }
    return problems_result(&problems, ERROR_MALFORMED, err);
}

/* ---- preconditions: 409 ---- */

static int check_preconditions(const struct document_kind *kind, const cJSON *old,
                               const cJSON *object, const struct write *write, struct error *err)
{
    const char *uid = json_text(JSON_GET_PATH(object, "metadata", "uid"));
    const char *old_uid = json_text(JSON_GET_PATH(old, "metadata", "uid"));
    const char *version = json_text(JSON_GET_PATH(object, "metadata", "resourceVersion"));
    if (uid != NULL && *uid != '\0' && old_uid != NULL && *old_uid != '\0' &&
        strcmp(uid, old_uid) != 0)
        return error_set(
            err, ERROR_CONFLICT,
            "Operation cannot be fulfilled on %s \"%s\": Precondition failed: UID in precondition: "
            "%.40s, UID in object meta: %.40s",
            kind->schema->plural, document_name(old), uid, old_uid);
    if (version != NULL && *version != '\0' && write->resource_version != NULL &&
        strcmp(version, write->resource_version) != 0)
        return error_set(err, ERROR_CONFLICT,
                         "Operation cannot be fulfilled on %s \"%s\": the object has been "
                         "modified; please apply your "
                         "changes to the latest version and try again",
                         kind->schema->plural, document_name(old));
    return 0;
}

/* ---- validation: 422 ---- */

/* A copy without what is not stored. Marks belong to the original: all that reports positions looks
 * at that. */
static cJSON *without_status(const cJSON *object)
{
    cJSON *copy = json_copy(object);
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "status");
    cJSON_DeleteItemFromObjectCaseSensitive(metadata_of(copy), "resourceVersion");
    return copy;
}

static void check_members(struct problems *problems, const struct document_kind *kind,
                          const cJSON *object, bool partial)
{
    const struct schema_object *root = kind->schema->root->object;
    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        const struct schema_field *field = schema_find(root, member->string);
        if (strcmp(member->string, "status") == 0 || cJSON_IsNull(member))
            continue;
        size_t mark = path_push_key(problems, member->string);
        if (field == NULL)
            problem(problems, member, "unknown field");
        else
            schema_check(problems, field, member, partial);
        path_pop(problems, mark);
    }
}

static int validate(const struct document_kind *kind, const cJSON *object,
                    const struct marks *marks, bool partial, struct error *err)
{
    struct problems problems;
    const struct schema_object *root = kind->schema->root->object;
    problems_init(&problems, marks);
    check_members(&problems, kind, object, partial);
    for (size_t i = 0; i < root->count; i++)
        if ((root->fields[i].flags & SCHEMA_REQUIRED) != 0 &&
            json_get(object, root->fields[i].name) == NULL && !partial)
            problem_field(&problems, root->fields[i].name, object, "is required");
    if (!partial)
        kind->check(&problems, object);
    return problems_result(&problems, ERROR_INVALID, err);
}

static void complete(const struct document_kind *kind, cJSON *object)
{
    if (kind->complete != NULL)
        kind->complete(object);
    schema_complete(kind->schema->root, object);
    schema_sort_keys(object);
}

/* ---- immutability: 422 ---- */

static int check_immutable(const struct document_kind *kind, const cJSON *old, const cJSON *object,
                           const struct write *write, const struct marks *marks,
                           const cJSON *source, struct error *err)
{
    struct problems problems;
    problems_init(&problems, marks);
    size_t mark = path_push_field(&problems, "spec");
    const struct schema_object *spec = schema_find(kind->schema->root->object, "spec")->object;
    for (size_t i = 0; i < spec->count; i++) {
        const struct schema_field *field = &spec->fields[i];
        const cJSON *before = JSON_GET_PATH(old, "spec", field->name);
        const cJSON *after = JSON_GET_PATH(object, "spec", field->name);
        bool in_use = (field->flags & SCHEMA_IMMUTABLE_IN_USE) != 0 && write->has_children;
        char text[SHOWN_BYTES];
        if ((!in_use && (field->flags & SCHEMA_IMMUTABLE) == 0) || before == NULL ||
            values_equal(before, after))
            continue;
        problem_field(&problems, field->name, JSON_GET_PATH(source, "spec", field->name),
                      in_use ? "cannot be changed while there are children: it is %s"
                             : "cannot be changed: it is %s",
                      shown(before, text));
    }
    path_pop(&problems, mark);
    return problems_result(&problems, ERROR_INVALID, err);
}

/* ---- server fields ---- */

static void set_identity(const struct document_kind *kind, cJSON *object, const struct write *write)
{
    cJSON *metadata = metadata_of(object);
    const char *ns =
        write->ns != NULL && *write->ns != '\0' ? write->ns : document_namespace(object);
    if (kind->schema->namespaced && *ns != '\0' && strcmp(ns, document_namespace(object)) != 0)
        set_text(metadata, "namespace", ns);
}

static void set_birth(cJSON *metadata, const struct write *write)
{
    static const uint8_t none[UUID_RANDOM_BYTES];
    char uid[UID_BYTES + 1], time[TIMESTAMP_TEXT_BYTES];
    uuid_print(write->uid_bytes != NULL ? write->uid_bytes : none, uid);
    set_text(metadata, "uid", uid);
    set_text(metadata, "creationTimestamp", timestamp_print(write->now_ms, time));
    set_member(metadata, "generation", cJSON_CreateNumber(1));
}

/* What an update cannot change comes from the old object, whatever the body says. A supervisor that
 * was never written has none of it yet. */
static void set_inherited(cJSON *metadata, const cJSON *old, const struct write *write)
{
    static const char *const inherited[] = {"uid", "creationTimestamp", "generation"};
    if (json_text(JSON_GET_PATH(old, "metadata", "uid")) == NULL) {
        set_birth(metadata, write);
        return;
    }
    for (size_t i = 0; i < SCHEMA_COUNT(inherited); i++) {
        const cJSON *value = JSON_GET_PATH(old, "metadata", inherited[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, inherited[i]);
        if (value != NULL)
            json_add(metadata, inherited[i], json_copy(value));
    }
}

/* Decides whether anything changed, and counts the generation. Takes object. */
static cJSON *settle(cJSON *object, const cJSON *old, const struct write *write,
                     enum manager_operation operation, bool *ret_changed)
{
    cJSON *metadata = metadata_of(object);
    bool changed = !values_equal(object, old);
    if (ret_changed != NULL)
        *ret_changed = changed;
    if (!changed) {
        cJSON_Delete(object);
        return json_copy(old);
    }
    if (!values_equal(json_get(object, "spec"), json_get(old, "spec")) &&
        json_get(json_get(old, "metadata"), "uid") != NULL)
        set_member(metadata, "generation",
                   cJSON_CreateNumber((double)(document_generation(old) + 1)));
    managed_touch(cJSON_GetObjectItemCaseSensitive(metadata, "managedFields"), manager_of(write),
                  operation, write->now_ms);
    schema_sort_keys(object);
    return object;
}

/* ---- the ways to write ---- */

int document_canonical(cJSON **ret_object, const struct document_kind *kind, const cJSON *object,
                       const struct marks *marks, struct error *err)
{
    if (check_identity(kind, object, marks, NULL, err) != 0 ||
        validate(kind, object, marks, false, err) != 0)
        return -1;
    cJSON *copy = without_status(object);
    complete(kind, copy);
    *ret_object = copy;
    return 0;
}

int document_create(cJSON **ret_object, const struct document_kind *kind,
                    const struct document *document, const struct write *write, struct error *err)
{
    if (check_identity(kind, document->object, &document->marks, write, err) != 0 ||
        validate(kind, document->object, &document->marks, false, err) != 0)
        return -1;
    cJSON *object = without_status(document->object);
    cJSON *metadata = metadata_of(object);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "managedFields");
    set_identity(kind, object, write);
    set_birth(metadata, write);
    /* Before completion: a default belongs to nobody. */
    cJSON *managed =
        managed_after_update(kind->schema->root, NULL, object, manager_of(write), write->now_ms);
    complete(kind, object);
    json_add(metadata, "managedFields", managed);
    schema_sort_keys(object);
    *ret_object = object;
    return 0;
}

int document_update(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                    const cJSON *source, const struct marks *marks, const struct write *write,
                    bool *ret_changed, struct error *err)
{
    if (check_identity(kind, source, marks, write, err) != 0 ||
        check_preconditions(kind, old, source, write, err) != 0 ||
        validate(kind, source, marks, false, err) != 0)
        return -1;
    cleanup_json cJSON *object = without_status(source);
    cJSON *metadata = metadata_of(object);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "managedFields");
    set_identity(kind, object, write);
    set_inherited(metadata, old, write);
    complete(kind, object);
    if (check_immutable(kind, old, object, write, marks, source, err) != 0)
        return -1;
    json_add(
        metadata, "managedFields",
        managed_after_update(kind->schema->root, old, object, manager_of(write), write->now_ms));
    schema_sort_keys(object);
    *ret_object = settle(object, old, write, MANAGER_UPDATE, ret_changed);
    object = NULL;
    return 0;
}

int document_patch(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                   enum patch_type type, const struct document *patch, const struct write *write,
                   bool *ret_changed, struct error *err)
{
    cleanup_json cJSON *target = json_copy(old);
    cleanup_json cJSON *result = NULL;
    if (type == PATCH_APPLY)
        return document_apply(ret_object, kind, old, patch, write, ret_changed, err);
    if (write->resource_version != NULL && metadata_of(target) != NULL)
        set_text(metadata_of(target), "resourceVersion", write->resource_version);
    if (type == PATCH_MERGE && !cJSON_IsObject(patch->object))
        return error_set(err, ERROR_MALFORMED, "a merge patch must be an object, not %s",
                         json_type_name(patch->object));
    if (type == PATCH_MERGE)
        result = merge_patch(target, patch->object);
    else if (json_patch(&result, target, patch->object, err) != 0)
        return -1;
    /* Fields that the patch brought in still have no position: they are copies. */
    return document_update(ret_object, kind, old, result, NULL, write, ret_changed, err);
}

/* Keyed lists of a configuration must be keyed: an item without its key, or one key twice, cannot
 * be merged. */
static void check_list_keys(struct problems *problems, const struct schema_field *field,
                            const cJSON *item)
{
    if (field->type == SCHEMA_LIST && field->key[0] != NULL && cJSON_IsArray(item) &&
        item->child != NULL) {
        char **keys = list_keys(field, item);
        if (keys == NULL)
            problem(problems, item, "every item needs %s, and no two the same, to be applied",
                    field->key[0]);
        keys_free(keys, item);
    }
    unsigned index = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        const struct schema_field *inner = NULL;
        if (field->type == SCHEMA_OBJECT)
            inner = schema_find(field->object, child->string);
        else if (field->type == SCHEMA_LIST)
            inner = field->item;
        size_t mark = child->string ? path_push_key(problems, child->string)
                                    : path_push_index(problems, index++);
        if (inner != NULL)
            check_list_keys(problems, inner, child);
        path_pop(problems, mark);
    }
}

static int check_configuration(const struct document_kind *kind, const cJSON *old,
                               const struct document *document, const struct write *write,
                               struct error *err)
{
    const cJSON *config = document->object;
    struct problems problems;
    if (write->manager == NULL || *write->manager == '\0')
        return error_set(err, ERROR_MALFORMED, "fieldManager: is required for an apply patch");
    if (check_identity(kind, config, &document->marks, write, err) != 0)
        return -1;
    const cJSON *managed = JSON_GET_PATH(config, "metadata", "managedFields");
    if (managed != NULL && managed->child != NULL)
        return error_set(err, ERROR_MALFORMED,
                         "metadata.managedFields: must be empty in an apply patch");
    if ((old != NULL && check_preconditions(kind, old, config, write, err) != 0) ||
        validate(kind, config, &document->marks, old != NULL, err) != 0)
        return -1;
    problems_init(&problems, &document->marks);
    check_list_keys(&problems, kind->schema->root, config);
    return problems_result(&problems, ERROR_INVALID, err);
}

int document_apply(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                   const struct document *document, const struct write *write, bool *ret_changed,
                   struct error *err)
{
    cleanup_json cJSON *config = NULL;
    cleanup_json cJSON *object = NULL;
    if (check_configuration(kind, old, document, write, err) != 0)
        return -1;
    config = without_status(document->object);
    if (apply_config(&object, kind->schema->root, old, config, write, err) != 0)
        return -1;
    if (validate(kind, object, NULL, false, err) != 0)
        return -1;
    cJSON *metadata = metadata_of(object);
    set_identity(kind, object, write);
    if (old != NULL)
        set_inherited(metadata, old, write);
    else
        set_birth(metadata, write);
    complete(kind, object);
    if (old != NULL && check_immutable(kind, old, object, write, NULL, NULL, err) != 0)
        return -1;
    if (old != NULL)
        *ret_object = settle(object, old, write, MANAGER_APPLY, ret_changed);
    else
        *ret_object = object;
    if (old == NULL && ret_changed != NULL)
        *ret_changed = true;
    object = NULL;
    return 0;
}
