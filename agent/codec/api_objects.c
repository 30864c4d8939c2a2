/* Objects from views (see api_objects.h): finding them, walking them, what selectors may ask of
 * them. Their JSON is in api_object_write.c. */
#include "agent/codec/api_objects.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_core.h"
#include "agent/codec/api_scan.h"
#include "agent/codec/decimal.h"

/* --- Finding ---------------------------------------------------------------------------------- */

/* The object metadata.labels, and what stands behind it; empty: there is none. */
static struct span document_labels(const char *document)
{
    struct span metadata, labels = {0};
    if (document && api_scan_enter(span_text(document), "metadata", &metadata))
        api_scan_enter(metadata, "labels", &labels);
    return labels;
}

static const struct workload *item_workload(const struct api_item *item)
{
    if (item->resource == API_CHILDREN)
        return item->child.workload;
    return item->resource == API_NAMES ? item->registered.workload : NULL;
}

static void item_take_labels(struct api_item *item)
{
    const struct workload *workload = item_workload(item);
    const char *document = workload ? workload->document : NULL;
    if (document == item->labels_document)
        return;
    item->labels_document = document;
    item->labels = document_labels(document);
}

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
    item_take_labels(item);
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
    *ret_item = (struct api_item){.resource = api_resources[resource].base,
                                  .shown = resource,
                                  .labels_document = ret_item->labels_document,
                                  .labels = ret_item->labels};
    if (!item_query_next(ret_item, node, ns[0] ? ns : NULL, &after))
        return false;
    item_complete(ret_item);
    return true;
}

/* --- What selectors ask ----------------------------------------------------------------------- */

static void labels_add(struct api_labels *labels, struct span object)
{
    struct span key, value;
    for (size_t at = 0; api_scan_next(object, &at, &key, &value);)
        api_labels_add(labels, key, api_scan_string(value));
}

static void labels_add_list(struct api_labels *labels, const struct label *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        api_labels_add(labels, span_text(list[i].key), span_text(list[i].value));
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
    labels_add(ret_labels, item->labels);
    if (item->resource == API_WORKLOADS)
        labels_add(ret_labels, document_labels(item->workload.workload->document));
    if (item->resource == API_SUPERVISORS)
        labels_add(ret_labels, document_labels(item->supervisor.supervisor->document));
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

static uint64_t fnv1a(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

enum { UID_PARTS_MAX = 10 };

static uint64_t fnv1a_parts(uint64_t hash, const char *const parts[UID_PARTS_MAX])
{
    for (size_t i = 0; i < UID_PARTS_MAX && parts[i]; i++)
        hash = fnv1a(hash, parts[i]);
    return hash;
}

/* What is not a document has no stored uid; clients still want one that stays and that no other
 * object has. */
static void uid_derive(const char *const parts[UID_PARTS_MAX], char ret_uid[UID_BYTES + 1])
{
    uint64_t high = fnv1a_parts(0xcbf29ce484222325u, parts), low = fnv1a_parts(~high, parts);
    char *at = hex_print_padded(high >> 32, 8, ret_uid);
    *at++ = '-';
    at = hex_print_padded(high >> 16, 4, at);
    *at++ = '-';
    at = hex_print_padded((high & 0xfff) | 0x8000, 4, at);
    *at++ = '-';
    at = hex_print_padded((low >> 48 & 0x3fff) | 0x8000, 4, at);
    *at++ = '-';
    hex_print_padded(low, 12, at);
}

void api_uid_print(enum api_resource resource, const struct api_key *key, const char *uid,
                   uint64_t number, char ret_uid[UID_BYTES + 1])
{
    char ordinal[DECIMAL_BYTES], number_text[DECIMAL_BYTES];
    decimal_print(key->ordinal, ordinal);
    decimal_print(number, number_text);
    /* With the epoch: kubectl delete waits until the name has another uid, as with Pods. */
    const char *const child[UID_PARTS_MAX] = {"child/",  uid, "/",     key->ns, "/",
                                              key->name, "/", ordinal, "/",     number_text};
    const char *const of_namespace[UID_PARTS_MAX] = {
        api_resources[resource].base == API_NAMES ? "name/" : "meta/", key->ns, "/", key->name};
    const char *const member[UID_PARTS_MAX] = {"member/", key->name, "/", number_text};
    switch (api_resources[resource].base) {
    case API_WORKLOADS:
    case API_SUPERVISORS:
        text_set(ret_uid, UID_BYTES + 1, uid);
        return;
    case API_CHILDREN:
        uid_derive(child, ret_uid);
        return;
    case API_NAMES:
    case API_METAS:
        uid_derive(of_namespace, ret_uid);
        return;
    case API_MEMBERS:
        uid_derive(member, ret_uid);
        return;
    default:
        return;
    }
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
    decimal_print(value, ret_text);
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
