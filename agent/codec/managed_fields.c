/* metadata.managedFields: one entry per manager and operation. Entries are read tolerantly, because
 * a list can come from a restored file; what cannot be read owns nothing. */
#include "agent/codec/managed_fields.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/timestamp.h"

static const char ancient[] =
    "ancient-changes"; /* Kubernetes' name for merged entries of old updates */

static const char *operation_name(enum manager_operation operation)
{
    return operation == MANAGER_APPLY ? "Apply" : "Update";
}

static bool text_is(const cJSON *entry, const char *key, const char *expected)
{
    const char *text = json_get_text(entry, key);
    return text != NULL && strcmp(text, expected) == 0;
}

const cJSON *managed_find(const cJSON *list, const char *manager, enum manager_operation operation)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list)
    {
        if (text_is(entry, "manager", manager) &&
            text_is(entry, "operation", operation_name(operation)))
            return entry;
    }
    return NULL;
}

const cJSON *managed_fields_of(const cJSON *entry)
{
    return json_get_object(entry, "fieldsV1");
}

static void set_member(cJSON *object, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    json_add(object, key, value);
}

static void set_time(cJSON *entry, uint64_t now_ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    set_member(entry, "time", cJSON_CreateString(timestamp_print(now_ms, text)));
}

static cJSON *add_entry(cJSON *list, const char *manager, enum manager_operation operation,
                        uint64_t now_ms)
{
    cJSON *entry = json_add_object(list, NULL);
    json_add_text(entry, "manager", manager);
    json_add_text(entry, "operation", operation_name(operation));
    json_add_text(entry, "apiVersion", DOCUMENT_API_VERSION);
    set_time(entry, now_ms);
    json_add_text(entry, "fieldsType", "FieldsV1");
    return entry;
}

void managed_put(cJSON *list, const char *manager, enum manager_operation operation, cJSON *fields,
                 uint64_t now_ms)
{
    cJSON *entry = (cJSON *)managed_find(list, manager, operation); /* of our own list: not const */
    if (fields == NULL) {
        if (entry != NULL)
            cJSON_Delete(cJSON_DetachItemViaPointer(list, entry));
        return;
    }
    if (entry == NULL)
        entry = add_entry(list, manager, operation, now_ms);
    else if (!values_equal(managed_fields_of(entry), fields))
        set_time(entry, now_ms);
    set_member(entry, "fieldsV1", fields);
}

void managed_touch(cJSON *list, const char *manager, enum manager_operation operation,
                   uint64_t now_ms)
{
    cJSON *entry = (cJSON *)managed_find(list, manager, operation);
    if (entry != NULL)
        set_time(entry, now_ms);
}

void managed_take_from_others(cJSON *list, const cJSON *lost, const cJSON *except)
{
    for (cJSON *entry = list->child, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (entry == except)
            continue;
        cJSON *left = field_set_subtract(managed_fields_of(entry), lost);
        if (left == NULL)
            cJSON_Delete(cJSON_DetachItemViaPointer(list, entry));
        else
            set_member(entry, "fieldsV1", left);
    }
}

/* Too many managers: the oldest updates become one entry, so that no stream of user agents can fill
 * the document. */
static void merge_oldest(cJSON *list, uint64_t now_ms)
{
    while (cJSON_GetArraySize(list) > MANAGERS_MAX) {
        cJSON *entry = list->child;
        while (entry != NULL &&
               (!text_is(entry, "operation", "Update") || text_is(entry, "manager", ancient)))
            entry = entry->next;
        if (entry == NULL)
            return;
        const cJSON *merged = managed_find(list, ancient, MANAGER_UPDATE);
        cJSON *fields = field_set_union(managed_fields_of(merged), managed_fields_of(entry));
        cJSON_Delete(cJSON_DetachItemViaPointer(list, entry));
        managed_put(list, ancient, MANAGER_UPDATE, fields, now_ms);
    }
}

cJSON *managed_after_update(const struct schema_field *root, const cJSON *old, const cJSON *new,
                            const char *manager, uint64_t now_ms)
{
    const cJSON *before = JSON_GET_PATH(old, "metadata", "managedFields");
    cJSON *list = cJSON_IsArray(before) ? json_copy(before) : json_new_array();
    cleanup_json cJSON *changed = field_set_changed(root, old, new);
    cleanup_json cJSON *all_old = old != NULL ? field_set_of(root, old) : NULL;
    cleanup_json cJSON *all_new = field_set_of(root, new);
    cleanup_json cJSON *removed = field_set_subtract(all_old, all_new);
    cleanup_json cJSON *lost = field_set_union(changed, removed);
    if (lost == NULL)
        return list;
    managed_take_from_others(list, removed, NULL);
    const cJSON *own = managed_find(list, manager, MANAGER_UPDATE);
    cJSON *fields = field_set_union(managed_fields_of(own), changed);
    managed_take_from_others(list, changed, own);
    managed_put(list, manager, MANAGER_UPDATE, fields, now_ms);
    managed_touch(list, manager, MANAGER_UPDATE, now_ms);
    merge_oldest(list, now_ms);
    return list;
}
