/* Sets of fields: building them along the schema, and union and difference of the trees. */
#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/managed_fields.h"

/* ---- keys of lists ---- */

static int text_compare(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static char *step_of(const char prefix[2], const char *name)
{
    size_t bytes = strlen(name) + 1;
    char *step = xmalloc(bytes + 2);
    memcpy(step, prefix, 2);
    memcpy(step + 2, name, bytes);
    return step;
}

/* "k:{\"containerPort\":80,\"protocol\":\"TCP\"}"; NULL if the item has no such key. */
static char *item_key(const struct schema_field *list, const cJSON *item)
{
    cleanup_json cJSON *key = json_new_object();
    for (size_t i = 0; i < SCHEMA_KEYS_MAX && list->key[i] != NULL; i++) {
        const cJSON *value = json_get(item, list->key[i]);
        if (cJSON_IsString(value) || cJSON_IsNumber(value))
            json_add(key, list->key[i], json_copy(value));
        else if (value == NULL && list->key_fallback[i] != NULL)
            json_add_text(key, list->key[i], list->key_fallback[i]);
        else
            return NULL;
    }
    char *text = json_print(key);
    char *step = step_of("k:", text);
    free(text);
    return step;
}

void keys_free(char **keys, const cJSON *items)
{
    size_t count = (size_t)cJSON_GetArraySize(items);
    for (size_t i = 0; keys != NULL && i < count; i++)
        free(keys[i]);
    free(keys);
}

static bool keys_are_distinct(char **keys, size_t count)
{
    bool distinct = true;
    char **sorted = xmemdup(keys, count * sizeof *keys);
    qsort(sorted, count, sizeof *sorted, text_compare);
    for (size_t i = 1; i < count; i++)
        distinct &= strcmp(sorted[i - 1], sorted[i]) != 0;
    free(sorted);
    return distinct;
}

char **list_keys(const struct schema_field *list, const cJSON *items)
{
    size_t count = (size_t)cJSON_GetArraySize(items), at = 0;
    if (list->type != SCHEMA_LIST || list->key[0] == NULL || !cJSON_IsArray(items) || count == 0)
        return NULL;
    char **keys = xcalloc(count, sizeof *keys);
    bool complete = true;
    for (const cJSON *item = items->child; item != NULL; item = item->next) {
        keys[at] = item_key(list, item);
        complete &= keys[at++] != NULL;
    }
    if (complete && keys_are_distinct(keys, count))
        return keys;
    keys_free(keys, items);
    return NULL;
}

/* ---- along the schema ---- */

/* Adds child (taken; NULL: nothing) to a set under "f:" and a name. */
static void set_add(cJSON *set, const char *name, cJSON *child)
{
    if (child == NULL)
        return;
    char *step = step_of("f:", name);
    json_add(set, step, child);
    free(step);
}

/* What of `new` differs from `old` (NULL: all of it). NULL: nothing. */
static cJSON *set_changed(const struct schema_field *field, const cJSON *old, const cJSON *new);

static cJSON *set_or_nothing(cJSON *set)
{
    if (set->child != NULL)
        return set;
    cJSON_Delete(set);
    return NULL;
}

static cJSON *set_of_members(const struct schema_field *field, const cJSON *old, const cJSON *new)
{
    static const struct schema_field single = {.type = SCHEMA_JSON};
    cJSON *set = json_new_object();
    bool any = false;
    for (const cJSON *member = new->child; member != NULL; member = member->next) {
        const struct schema_field *inner =
            field->type == SCHEMA_OBJECT ? schema_find(field->object, member->string) : &single;
        if (cJSON_IsNull(member) || inner == NULL)
            continue;
        any = true;
        set_add(set, member->string, set_changed(inner, json_get(old, member->string), member));
    }
    if (!any && old == NULL)
        return set; /* an empty object that is new: a field of its own, as in emptyDir: {} */
    return set_or_nothing(set);
}

static const cJSON *item_of_key(char **keys, const cJSON *items, const char *key)
{
    size_t i = 0;
    for (const cJSON *item = items->child; item != NULL; item = item->next)
        if (strcmp(keys[i++], key) == 0)
            return item;
    return NULL;
}

static cJSON *set_of_items(const struct schema_field *field, const cJSON *old, char **old_keys,
                           const cJSON *new, char **new_keys)
{
    cJSON *set = json_new_object();
    size_t i = 0;
    for (const cJSON *item = new->child; item != NULL; item = item->next, i++) {
        const cJSON *before = old != NULL ? item_of_key(old_keys, old, new_keys[i]) : NULL;
        cJSON *inner = set_changed(field->item, before, item);
        if (inner == NULL)
            continue;
        if (before == NULL)
            json_add_object(inner, ".");
        json_add(set, new_keys[i], inner);
    }
    return set_or_nothing(set);
}

static cJSON *set_changed(const struct schema_field *field, const cJSON *old, const cJSON *new)
{
    bool object = field->type == SCHEMA_OBJECT || field->type == SCHEMA_STRING_MAP ||
                  field->type == SCHEMA_QUANTITY_MAP;
    if (object && cJSON_IsObject(new))
        return set_of_members(field, cJSON_IsObject(old) ? old : NULL, new);
    char **new_keys = list_keys(field, new),
         **old_keys = old != NULL ? list_keys(field, old) : NULL;
    cJSON *set = NULL;
    if (new_keys != NULL && (old == NULL || old_keys != NULL))
        set = set_of_items(field, old, old_keys, new, new_keys);
    else if (old == NULL || !values_equal(old, new))
        set = json_new_object();
    keys_free(new_keys, new);
    keys_free(old_keys, old);
    return set;
}

cJSON *field_set_changed(const struct schema_field *root, const cJSON *old, const cJSON *new)
{
    static const char *const metadata_fields[] = {"labels", "annotations"};
    const struct schema_field *metadata = schema_find(root->object, "metadata");
    cJSON *set = json_new_object(), *owned = json_new_object();
    for (size_t i = 0; i < SCHEMA_COUNT(metadata_fields); i++) {
        const char *name = metadata_fields[i];
        const cJSON *value = JSON_GET_PATH(new, "metadata", name);
        if (value != NULL)
            set_add(owned, name,
                    set_changed(schema_find(metadata->object, name),
                                JSON_GET_PATH(old, "metadata", name), value));
    }
    set_add(set, "metadata", set_or_nothing(owned));
    if (json_get(new, "spec") != NULL)
        set_add(set, "spec",
                set_changed(schema_find(root->object, "spec"), json_get(old, "spec"),
                            json_get(new, "spec")));
    return set_or_nothing(set);
}

cJSON *field_set_of(const struct schema_field *root, const cJSON *object)
{
    return field_set_changed(root, NULL, object);
}

/* ---- operations ---- */

/* Whether the node itself belongs to the set, apart from what is below it. */
static bool is_member(const cJSON *node)
{
    return node != NULL &&
           (node->child == NULL || cJSON_GetObjectItemCaseSensitive(node, ".") != NULL);
}

static bool is_step(const cJSON *node)
{
    return strcmp(node->string, ".") != 0;
}

/* Marks a node as a member or not, now that its children are complete. Takes node; NULL if nothing
 * is left. */
static cJSON *close_node(cJSON *node, bool member)
{
    if (node->child == NULL && !member) {
        cJSON_Delete(node);
        return NULL;
    }
    if (node->child != NULL && member)
        json_add_object(node, ".");
    return node;
}

cJSON *field_set_union(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL)
        return a == NULL && b == NULL ? NULL : json_copy(a == NULL ? b : a);
    cJSON *node = json_new_object();
    for (const cJSON *child = a->child; child != NULL; child = child->next)
        if (is_step(child))
            json_add(node, child->string,
                     field_set_union(child, cJSON_GetObjectItemCaseSensitive(b, child->string)));
    for (const cJSON *child = b->child; child != NULL; child = child->next)
        if (is_step(child) && cJSON_GetObjectItemCaseSensitive(a, child->string) == NULL)
            json_add(node, child->string, field_set_union(child, NULL));
    return close_node(node, is_member(a) || is_member(b));
}

cJSON *field_set_subtract(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? NULL : json_copy(a);
    cJSON *node = json_new_object();
    for (const cJSON *child = a->child; child != NULL; child = child->next) {
        cJSON *left =
            is_step(child)
                ? field_set_subtract(child, cJSON_GetObjectItemCaseSensitive(b, child->string))
                : NULL;
        if (left != NULL)
            json_add(node, child->string, left);
    }
    return close_node(node, is_member(a) && !is_member(b));
}

cJSON *field_set_intersect(const cJSON *a, const cJSON *b)
{
    cleanup_json cJSON *only_a = field_set_subtract(a, b);
    return field_set_subtract(a, only_a);
}
