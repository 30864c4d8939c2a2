/* See apply.h. In the words of the API server's documentation:
 *
 *   1. merge: what config says is set, all else stays;
 *   2. conflicts: fields that the merge changed and that another manager owns;
 *   3. prune: what this manager owned through its last apply, no longer says, and nobody else owns,
 * goes.
 *
 * Fields that nobody owns are defaults: setting them is no conflict, and a field that goes returns
 * to its default when the object is completed. */
#include "agent/codec/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/json.h"
#include "agent/codec/managed_fields.h"
#include "agent/codec/schema_problems.h"

/* ---- merge ---- */

static void merge_member(const struct schema_field *field, cJSON *target, const cJSON *member);

static const struct schema_field *inner_field(const struct schema_field *field, const char *name)
{
    static const struct schema_field single = {.type = SCHEMA_JSON};
    return field->type == SCHEMA_OBJECT ? schema_find(field->object, name) : &single;
}

static bool is_granular(const struct schema_field *field)
{
    return field->type == SCHEMA_OBJECT || field->type == SCHEMA_STRING_MAP ||
           field->type == SCHEMA_QUANTITY_MAP;
}

static void merge_object(const struct schema_field *field, cJSON *target, const cJSON *config)
{
    for (const cJSON *member = config->child; member != NULL; member = member->next) {
        const struct schema_field *inner = inner_field(field, member->string);
        if (inner != NULL && !cJSON_IsNull(member))
            merge_member(inner, target, member);
    }
}

static size_t key_index(char **keys, size_t count, const char *key)
{
    size_t i = 0;
    while (i < count && strcmp(keys[i], key) != 0)
        i++;
    return i;
}

/* A keyed list: items of both are merged. Live items keep their places; those that config names
 * stand in config's order within the places they have; new ones come last. So an unchanged
 * configuration changes nothing, and the order of environment variables is what the configuration
 * says. */
static cJSON *merge_items(const struct schema_field *field, const cJSON *live, char **live_keys,
                          const cJSON *config, char **config_keys)
{
    size_t live_count = (size_t)cJSON_GetArraySize(live),
           config_count = (size_t)cJSON_GetArraySize(config);
    cJSON *result = json_new_array();
    const cJSON *next = config->child; /* of config's items that live has */
    size_t next_index = 0, live_index = 0;
    for (const cJSON *item = live->child; item != NULL; item = item->next, live_index++) {
        if (key_index(config_keys, config_count, live_keys[live_index]) == config_count) {
            json_add(result, NULL, json_copy(item));
            continue;
        }
        while (key_index(live_keys, live_count, config_keys[next_index]) == live_count)
            next = next->next, next_index++;
        cJSON *copy = json_copy(cJSON_GetArrayItem(
            live, (int)key_index(live_keys, live_count, config_keys[next_index])));
        merge_object(field->item, copy, next);
        json_add(result, NULL, copy);
        next = next->next, next_index++;
    }
    next_index = 0;
    for (const cJSON *item = config->child; item != NULL; item = item->next, next_index++)
        if (key_index(live_keys, live_count, config_keys[next_index]) == live_count)
            json_add(result, NULL, json_copy(item));
    return result;
}

static void merge_member(const struct schema_field *field, cJSON *target, const cJSON *member)
{
    cJSON *live = cJSON_GetObjectItemCaseSensitive(target, member->string);
    if (is_granular(field) && cJSON_IsObject(live)) {
        merge_object(field, live, member);
        return;
    }
    char **live_keys = live ? list_keys(field, live) : NULL, **keys = list_keys(field, member);
    cJSON *merged =
        live_keys && keys ? merge_items(field, live, live_keys, member, keys) : json_copy(member);
    keys_free(live_keys, live);
    keys_free(keys, member);
    if (live != NULL)
        cJSON_Delete(cJSON_DetachItemViaPointer(target, live));
    json_add(target, member->string, merged);
}

/* ---- prune ---- */

/* The items of a keyed list with their steps, as they were before any of them went. */
struct snapshot {
    char **keys;   /* owned; NULL: no keyed list */
    cJSON **items; /* owned */
    size_t count;
};

static struct snapshot snapshot_of(const struct schema_field *field, const cJSON *list)
{
    struct snapshot snapshot = {.keys = list_keys(field, list)};
    if (snapshot.keys == NULL)
        return snapshot;
    snapshot.count = (size_t)cJSON_GetArraySize(list);
    snapshot.items = xcalloc(snapshot.count, sizeof *snapshot.items);
    size_t at = 0;
    for (cJSON *item = list->child; item != NULL; item = item->next)
        snapshot.items[at++] = item;
    return snapshot;
}

static void snapshot_release(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        free(snapshot->keys[i]);
    free(snapshot->keys);
    free(snapshot->items);
}
#define cleanup_snapshot __attribute__((cleanup(snapshot_release)))

static cJSON *member_of_step(const cJSON *item, const struct snapshot *snapshot, const char *step)
{
    if (strncmp(step, "f:", 2) == 0)
        return cJSON_GetObjectItemCaseSensitive(item, step + 2);
    size_t index = key_index(snapshot->keys, snapshot->count, step);
    return index < snapshot->count ? snapshot->items[index] : NULL;
}

static bool is_key_of(const struct schema_field *list, const char *step)
{
    for (size_t i = 0; list != NULL && i < SCHEMA_KEYS_MAX && list->key[i] != NULL; i++)
        if (strcmp(step + 2, list->key[i]) == 0)
            return true;
    return false;
}

/* Removes the fields of `gone` from item. What has anything below it in `kept` is kept, and pruned
 * below. list: the keyed list that item is an item of, or NULL: its keys stay as long as it does.
 */
static void prune(const struct schema_field *field, const struct schema_field *list, cJSON *item,
                  const cJSON *gone, const cJSON *kept)
{
    cleanup_snapshot struct snapshot snapshot = snapshot_of(field, item);
    for (const cJSON *step = gone->child; step != NULL; step = step->next) {
        cJSON *member = member_of_step(item, &snapshot, step->string);
        if (member == NULL || is_key_of(list, step->string))
            continue;
        const cJSON *kept_below = cJSON_GetObjectItemCaseSensitive(kept, step->string);
        const struct schema_field *inner =
            field->type == SCHEMA_LIST ? field->item : inner_field(field, step->string + 2);
        if (kept_below == NULL)
            cJSON_Delete(cJSON_DetachItemViaPointer(item, member));
        else if (inner != NULL)
            prune(inner, field->type == SCHEMA_LIST ? field : NULL, member, step, kept_below);
    }
}

/* ---- conflicts ---- */

struct conflicts {
    char text[900];
    size_t bytes;
    unsigned count, told;
};

/* "f:name" -> ".name"; "k:{"name":"x"}" -> "[name="x"]" */
static void print_step(const char *step, char *text, size_t bytes)
{
    if (strncmp(step, "k:", 2) != 0) {
        snprintf(text, bytes, ".%.100s", strlen(step) > 2 ? step + 2 : step);
        return;
    }
    size_t used = (size_t)snprintf(text, bytes, "[");
    cleanup_json cJSON *key = cJSON_Parse(step + 2);
    for (const cJSON *part = key ? key->child : NULL; part != NULL && used < bytes;
         part = part->next) {
        char value[SHOWN_BYTES];
        used += (size_t)snprintf(text + used, bytes - used, "%s%s=%s",
                                 part == key->child ? "" : ",", part->string, shown(part, value));
    }
    if (used < bytes)
        snprintf(text + used, bytes - used, "]");
}

static void conflict_add(struct conflicts *conflicts, const char *manager, const char *path)
{
    char line[sizeof conflicts->text], name[SHOWN_BYTES];
    conflicts->count++;
    int bytes = snprintf(line, sizeof line, "\n- %s of %s", path, shown_text(manager, name));
    if (conflicts->told >= DOCUMENT_PROBLEMS_MAX ||
        conflicts->bytes + (size_t)bytes >= sizeof conflicts->text)
        return;
    memcpy(conflicts->text + conflicts->bytes, line, (size_t)bytes + 1);
    conflicts->bytes += (size_t)bytes;
    conflicts->told++;
}

/* One line per field of the set. */
static void conflict_fields(struct conflicts *conflicts, const char *manager, const cJSON *set,
                            const char *path)
{
    char below[400];
    if (set->child == NULL)
        conflict_add(conflicts, manager, path);
    for (const cJSON *step = set->child; step != NULL; step = step->next) {
        char text[200];
        if (strcmp(step->string, ".") == 0)
            continue;
        print_step(step->string, text, sizeof text);
        snprintf(below, sizeof below, "%.*s%s", (int)(sizeof below - sizeof text - 1), path, text);
        conflict_fields(conflicts, manager, step, below);
    }
}

static int check_conflicts(const cJSON *list, const cJSON *own, const cJSON *changed,
                           struct error *err)
{
    struct conflicts conflicts = {0};
    for (const cJSON *entry = list->child; entry != NULL; entry = entry->next) {
        const char *manager = json_get_text(entry, "manager");
        cleanup_json cJSON *both = field_set_intersect(changed, managed_fields_of(entry));
        if (entry != own && both != NULL)
            conflict_fields(&conflicts, manager ? manager : "", both, "");
    }
    if (conflicts.count == 0)
        return 0;
    char more[32] = "";
    if (conflicts.told < conflicts.count)
        snprintf(more, sizeof more, "\nand %u more", conflicts.count - conflicts.told);
    return error_set(err, ERROR_CONFLICT, "Apply failed with %u conflict%s:%s%s", conflicts.count,
                     conflicts.count == 1 ? "" : "s", conflicts.text, more);
}

/* ---- the whole ---- */

static cJSON *others_own(const cJSON *list, const cJSON *own)
{
    cJSON *all = NULL;
    for (const cJSON *entry = list->child; entry != NULL; entry = entry->next) {
        if (entry == own)
            continue;
        cJSON *more = field_set_union(all, managed_fields_of(entry));
        cJSON_Delete(all);
        all = more;
    }
    return all;
}

/* metadata.labels and annotations, and spec; identity and versions of config are the caller's
 * matter. */
static cJSON *merge_config(const struct schema_field *root, const cJSON *live, const cJSON *config)
{
    static const char *const metadata_fields[] = {"labels", "annotations"};
    if (live == NULL)
        return json_copy(config);
    cJSON *merged = json_copy(live);
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(merged, "metadata");
    const struct schema_field *schema = schema_find(root->object, "metadata");
    for (size_t i = 0; i < SCHEMA_COUNT(metadata_fields); i++) {
        const cJSON *member = JSON_GET_PATH(config, "metadata", metadata_fields[i]);
        if (member != NULL && cJSON_IsObject(metadata))
            merge_member(schema_find(schema->object, metadata_fields[i]), metadata, member);
    }
    if (json_get(config, "spec") != NULL)
        merge_member(schema_find(root->object, "spec"), merged, json_get(config, "spec"));
    return merged;
}

static void set_managed(cJSON *object, cJSON *list)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "managedFields");
    json_add(metadata, "managedFields", list);
}

int apply_config(cJSON **ret_object, const struct schema_field *root, const cJSON *live,
                 const cJSON *config, const struct write *write, struct error *err)
{
    const cJSON *before = JSON_GET_PATH(live, "metadata", "managedFields");
    cleanup_json cJSON *list = cJSON_IsArray(before) ? json_copy(before) : json_new_array();
    cleanup_json cJSON *merged = merge_config(root, live, config);
    cleanup_json cJSON *changed = field_set_changed(root, live, merged);
    const cJSON *own = managed_find(list, write->manager, MANAGER_APPLY);
    if (!write->force && check_conflicts(list, own, changed, err) != 0)
        return -1;
    managed_take_from_others(list, changed, own);

    cJSON *now_own = field_set_of(root, config);
    cleanup_json cJSON *others = others_own(list, own);
    cleanup_json cJSON *kept = field_set_union(now_own, others);
    cleanup_json cJSON *gone = field_set_subtract(managed_fields_of(own), kept);
    if (gone != NULL)
        prune(root, NULL, merged, gone, kept);
    managed_put(list, write->manager, MANAGER_APPLY, now_own, write->now_ms);
    set_managed(merged, list);
    *ret_object = merged;
    merged = NULL;
    list = NULL;
    return 0;
}
