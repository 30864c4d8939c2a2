/* Defaults in, defaults out, keys in order: what makes two documents that mean the same equal byte
 * for byte. */
#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/schema_check.h"

/* Defaults are written in our own tables: that they parse is tested. */
static cJSON *fallback_of(const struct schema_field *field)
{
    cJSON *value = cJSON_Parse(field->fallback);
    if (value == NULL)
        abort();
    return value;
}

static void drop_nulls(cJSON *object)
{
    for (cJSON *member = object->child, *next; member != NULL; member = next) {
        next = member->next;
        if (cJSON_IsNull(member))
            cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
    }
}

static void complete(const struct schema_field *field, cJSON *item, bool in_list);

static void complete_object(const struct schema_field *field, cJSON *item, bool in_list)
{
    drop_nulls(item);
    for (size_t i = 0; i < field->object->count; i++) {
        const struct schema_field *wanted = &field->object->fields[i];
        cJSON *member = cJSON_GetObjectItemCaseSensitive(item, wanted->name);
        if (member == NULL && wanted->fallback != NULL && !in_list) {
            member = fallback_of(wanted);
            json_add(item, wanted->name, member);
        }
        if (member != NULL)
            complete(wanted, member, in_list);
    }
}

static void complete(const struct schema_field *field, cJSON *item, bool in_list)
{
    if (field->type == SCHEMA_OBJECT && cJSON_IsObject(item))
        complete_object(field, item, in_list);
    else if ((field->type == SCHEMA_STRING_MAP || field->type == SCHEMA_QUANTITY_MAP) &&
             cJSON_IsObject(item))
        drop_nulls(item);
    else if (field->type == SCHEMA_LIST)
        for (cJSON *child = item->child; child != NULL; child = child->next)
            complete(field->item, child, true);
}

/* Items of lists stay as they were written: clients compare lists whole (kubectl apply makes a
 * merge patch of them), and would find a difference for ever. Whoever reads one knows the default.
 */
void schema_complete(const struct schema_field *field, cJSON *item)
{
    complete(field, item, false);
}

/* A scalar is told without a tree; our tables write texts without escapes. */
static bool is_fallback(const struct schema_field *field, const cJSON *member)
{
    const char *text = field->fallback;
    if (cJSON_IsBool(member))
        return strcmp(text, cJSON_IsTrue(member) ? "true" : "false") == 0;
    if (cJSON_IsString(member)) {
        size_t bytes = strlen(member->valuestring);
        return *text == '"' && strncmp(text + 1, member->valuestring, bytes) == 0 &&
               strcmp(text + 1 + bytes, "\"") == 0;
    }
    if (cJSON_IsNumber(member)) {
        char *end;
        double value = strtod(text, &end);
        return *end == '\0' && value == member->valuedouble;
    }
    cleanup_json cJSON *fallback = fallback_of(field);
    return values_equal(member, fallback);
}

static void strip_object(const struct schema_field *field, cJSON *item)
{
    drop_nulls(item);
    for (size_t i = 0; i < field->object->count; i++) {
        const struct schema_field *known = &field->object->fields[i];
        cJSON *member = cJSON_GetObjectItemCaseSensitive(item, known->name);
        if (member == NULL)
            continue;
        schema_strip(known, member);
        if (known->fallback != NULL && is_fallback(known, member))
            cJSON_Delete(cJSON_DetachItemViaPointer(item, member));
    }
}

void schema_strip(const struct schema_field *field, cJSON *item)
{
    if (field->type == SCHEMA_OBJECT && cJSON_IsObject(item))
        strip_object(field, item);
    else if (field->type == SCHEMA_LIST)
        for (cJSON *child = item->child; child != NULL; child = child->next)
            schema_strip(field->item, child);
}

static int key_compare(const void *left, const void *right)
{
    const cJSON *const *a = left, *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

static void sort_members(cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2)
        return;
    cJSON **members = xmalloc(count * sizeof *members);
    size_t at = 0;
    for (cJSON *member = object->child; member != NULL; member = member->next)
        members[at++] = member;
    qsort(members, count, sizeof *members, key_compare);
    object->child = members[0];
    for (size_t i = 0; i < count; i++) {
        members[i]->next = i + 1 < count ? members[i + 1] : NULL;
        members[i]->prev =
            i > 0 ? members[i - 1] : members[count - 1]; /* the first points to the last */
    }
    free(members);
}

void schema_sort_keys(cJSON *item)
{
    if (cJSON_IsObject(item))
        sort_members(item);
    for (cJSON *child = item->child; child != NULL; child = child->next)
        schema_sort_keys(child);
}
