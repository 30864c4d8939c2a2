/* Objects from views (see api_objects.h): finding them, walking them, what selectors may ask of
 * them. Their JSON is in api_object_write.c. */
#include "agent/codec/api_objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_core.h"
#include "agent/codec/api_scan.h"

/* --- Finding ---------------------------------------------------------------------------------- */

/* The name and the key, once the view is there. */
static void item_complete(struct api_item *item)
{
    switch (item->resource) {
    case API_WORKLOADS:
        TEXT_SET(item->key.ns, item->workload.workload->ns);
        TEXT_SET(item->key.name, item->workload.workload->name);
        item->version = item->workload.status_version;
        item->stored = item->workload.version;
        break;
    case API_CHILDREN:
        TEXT_SET(item->key.ns, item->child.id.ns);
        TEXT_SET(item->key.name, item->child.id.workload);
        item->key.ordinal = item->child.id.ordinal;
        item->version = item->stored = item->child.version;
        break;
    case API_NAMES:
        TEXT_SET(item->key.ns, item->registered.ns);
        TEXT_SET(item->key.name, item->registered.name);
        item->version = item->stored = item->registered.version;
        break;
    case API_METAS:
        TEXT_SET(item->key.ns, item->meta.ns);
        TEXT_SET(item->key.name, item->meta.name);
        item->version = item->stored = item->meta.version;
        break;
    case API_SUPERVISORS:
        TEXT_SET(item->key.name, item->supervisor.supervisor->name);
        item->version = item->supervisor.status_version;
        item->stored = item->supervisor.version;
        break;
    case API_MEMBERS:
        TEXT_SET(item->key.name, item->member.name);
        item->version = item->member.status_version;
        item->stored = item->member.version;
        break;
    default:
        break;
    }
    if (item->resource == API_CHILDREN)
        api_child_name_print(&item->child.id, item->name, sizeof item->name);
    else
        TEXT_SET(item->name, item->key.name);
}

static bool item_query(struct api_item *item, const struct node *node, const char *ns,
                       const char *name)
{
    struct child_id child;
    switch (item->resource) {
    case API_WORKLOADS:
        return query_workload(node, ns, name, &item->workload);
    case API_CHILDREN:
        return api_child_name_parse(&child, ns, name) && query_child(node, &child, &item->child);
    case API_NAMES:
        return query_name(node, ns, name, &item->registered);
    case API_METAS:
        return query_meta(node, ns, name, &item->meta);
    case API_SUPERVISORS:
        return query_supervisor(node, name, &item->supervisor);
    case API_MEMBERS:
        return query_member(node, name, &item->member);
    default:
        break;
    }
    return false;
}

bool api_item_get(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                  const char *ns, const char *name)
{
    *ret_item = (struct api_item){.resource = api_resources[resource].base, .shown = resource};
    if (!item_query(ret_item, node, ns, name))
        return false;
    item_complete(ret_item);
    return true;
}

bool api_item_find(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                   const struct api_key *key)
{
    struct child_id child = {.ordinal = key->ordinal};
    TEXT_SET(child.ns, key->ns);
    TEXT_SET(child.workload, key->name);
    *ret_item = (struct api_item){.resource = api_resources[resource].base, .shown = resource};
    bool found = ret_item->resource == API_CHILDREN
                     ? query_child(node, &child, &ret_item->child)
                     : item_query(ret_item, node, key->ns, key->name);
    if (found)
        item_complete(ret_item);
    return found;
}

static bool item_query_next(struct api_item *item, const struct node *node, const char *ns,
                            const struct api_key *key)
{
    struct child_id child = {.ordinal = key->ordinal};
    TEXT_SET(child.ns, key->ns);
    TEXT_SET(child.workload, key->name);
    switch (item->resource) {
    case API_WORKLOADS:
        return query_workload_next(node, ns, key->ns, key->name, &item->workload);
    case API_CHILDREN:
        return query_child_next(node, ns, key->name[0] ? &child : NULL, &item->child);
    case API_NAMES:
        return query_name_next(node, ns, key->ns, key->name, &item->registered);
    case API_METAS:
        return query_meta_next(node, ns, key->ns, key->name, &item->meta);
    case API_SUPERVISORS:
        return query_supervisor_next(node, key->name, &item->supervisor);
    case API_MEMBERS:
        return query_member_next(node, key->name, &item->member);
    default:
        break;
    }
    return false;
}

bool api_item_next(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                   const char *ns, const struct api_key *key)
{
    struct api_key after = *key; /* it may be ret_item's own */
    *ret_item = (struct api_item){.resource = api_resources[resource].base, .shown = resource};
    if (!item_query_next(ret_item, node, ns[0] ? ns : NULL, &after))
        return false;
    item_complete(ret_item);
    return true;
}

/* --- What selectors ask ----------------------------------------------------------------------- */

static void labels_add_document(struct api_labels *labels, const char *document)
{
    struct span metadata, object, key, value;
    if (!document || !api_scan_member(span_text(document), "metadata", &metadata) ||
        !api_scan_member(metadata, "labels", &object))
        return;
    for (size_t at = 0; api_scan_next(object, &at, &key, &value);)
        api_labels_add(labels, key, api_scan_string(value));
}

static void labels_add_list(struct api_labels *labels, const struct label *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        api_labels_add(labels, span_text(list[i].key), span_text(list[i].value));
}

static const struct workload *item_workload(const struct api_item *item)
{
    if (item->resource == API_CHILDREN)
        return item->child.workload;
    return item->resource == API_NAMES ? item->registered.workload : NULL;
}

void api_item_labels(const struct api_item *item, struct api_labels *ret_labels)
{
    ret_labels->count = 0;
    const struct workload *workload = item_workload(item);
    const char *workload_name = workload ? workload->name : NULL;
    if (item->resource == API_CHILDREN)
        workload_name = item->child.id.workload; /* also when its workload is gone */
    if (workload_name)
        api_labels_add(ret_labels, span_text(API_WORKLOAD_LABEL), span_text(workload_name));
    if (workload)
        labels_add_document(ret_labels, workload->document);
    if (item->resource == API_WORKLOADS)
        labels_add_document(ret_labels, item->workload.workload->document);
    if (item->resource == API_SUPERVISORS)
        labels_add_document(ret_labels, item->supervisor.supervisor->document);
    if (item->resource == API_MEMBERS)
        labels_add_list(ret_labels, item->member.labels, item->member.label_count);
    if (item->resource == API_NAMES)
        labels_add_list(ret_labels, item->registered.labels, item->registered.label_count);
}

void api_item_fields(const struct api_item *item, struct api_fields *ret_fields)
{
    *ret_fields =
        (struct api_fields){{[API_FIELD_NAME] = item->name, [API_FIELD_NAMESPACE] = item->key.ns}};
    const char **values = ret_fields->values;
    if (item->resource == API_WORKLOADS)
        values[API_FIELD_SUPERVISOR] = item->workload.workload->supervisor;
    if (item->resource == API_CHILDREN) {
        values[API_FIELD_PHASE] = child_phase_name(item->child.phase);
        values[API_FIELD_NODE] = item->child.node;
        values[API_FIELD_WORKLOAD] = item->child.id.workload;
        values[API_FIELD_SUPERVISOR] = item->child.supervisor;
    }
    if (item->resource == API_NAMES) {
        values[API_FIELD_NODE] = item->registered.node;
        values[API_FIELD_OWNER] = item->registered.owner;
        values[API_FIELD_VALUE] = item->registered.value;
    }
    if (item->resource == API_METAS)
        values[API_FIELD_VALUE] = item->meta.value;
    if (item->resource == API_MEMBERS) {
        values[API_FIELD_PHASE] = item->member.phase;
        values[API_FIELD_UNSCHEDULABLE] = item->member.unschedulable ? "true" : "false";
    }
    if (item->shown == API_PODS) {
        values[API_FIELD_PHASE] = api_pod_phase(item->child.phase);
        values[API_FIELD_POD_NODE] = item->child.node;
    }
}

/* --- Identity --------------------------------------------------------------------------------- */

static uint64_t fnv1a(const char *text, uint64_t hash)
{
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

/* What is not a document has no stored uid; clients still want one that stays and that no other
 * object has. */
static void uid_derive(const char *text, char ret_uid[UID_BYTES + 1])
{
    uint64_t high = fnv1a(text, 0xcbf29ce484222325u), low = fnv1a(text, ~high);
    snprintf(ret_uid, UID_BYTES + 1,
             "%08" PRIx64 "-%04" PRIx64 "-8%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
             high >> 16 & 0xffff, high & 0xfff, (low >> 48 & 0x3fff) | 0x8000,
             low & 0xffffffffffff);
}

void api_uid_print(enum api_resource resource, const struct api_key *key, const char *uid,
                   uint64_t number, char ret_uid[UID_BYTES + 1])
{
    char text[CHILD_ID_TEXT_BYTES_MAX + UID_BYTES + 64];
    switch (api_resources[resource].base) {
    case API_WORKLOADS:
    case API_SUPERVISORS:
        text_set(ret_uid, UID_BYTES + 1, uid);
        return;
    case API_CHILDREN:
        /* With the epoch: kubectl delete waits until the name has another uid, as with Pods. */
        snprintf(text, sizeof text, "child/%s/%s/%s/%" PRIu32 "/%" PRIu64, uid, key->ns, key->name,
                 key->ordinal, number);
        break;
    case API_NAMES:
        snprintf(text, sizeof text, "name/%s/%s", key->ns, key->name);
        break;
    case API_METAS:
        snprintf(text, sizeof text, "meta/%s/%s", key->ns, key->name);
        break;
    case API_MEMBERS:
        snprintf(text, sizeof text, "member/%s/%" PRIu64, key->name, number);
        break;
    default:
        return;
    }
    uid_derive(text, ret_uid);
}

void api_item_uid(const struct api_item *item, char ret_uid[UID_BYTES + 1])
{
    const char *uid = item->resource == API_WORKLOADS     ? item->workload.workload->uid
                      : item->resource == API_SUPERVISORS ? item->supervisor.supervisor->uid
                      : item->resource == API_CHILDREN    ? item->child.uid
                                                          : "";
    uint64_t epoch = item->resource == API_CHILDREN ? item->child.epoch : 0;
    uint64_t number = item->resource == API_CHILDREN  ? epoch + (epoch == 0)
                      : item->resource == API_MEMBERS ? item->member.replica
                                                      : 0;
    api_uid_print(item->resource, &item->key, uid, number, ret_uid);
}

void api_resource_version_print(uint64_t position, uint32_t run_tag,
                                char ret_text[API_RESOURCE_VERSION_BYTES])
{
    uint64_t value = position << 24 | (run_tag & API_RUN_TAG_MASK);
    snprintf(ret_text, API_RESOURCE_VERSION_BYTES, "%" PRIu64, value);
}

bool api_resource_version_parse(uint64_t *ret_position, uint32_t run_tag, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 20 || text[digits] != '\0')
        return false;
    uint64_t value = strtoull(text, NULL, 10);
    *ret_position = value >> 24;
    return (value & API_RUN_TAG_MASK) == (run_tag & API_RUN_TAG_MASK);
}
