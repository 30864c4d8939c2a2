/* Workloads: the generic life of a document (document_write.c) with this kind's rules, and
 * canonical JSON -> struct workload. Past document_write the JSON is valid, so reading it cannot
 * fail; the struct is filled in one place.
 *
 * The spec hash covers spec.container, spec.volumes and spec.hostNetwork, *without* what equals its
 * default: a later release can add a field with a default and no container restarts for it. */
#include "agent/codec/workload_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/document_write.h"
#include "agent/codec/duration.h"
#include "agent/codec/json.h"
#include "agent/codec/quantity.h"
#include "agent/codec/schema_check.h"
#include "agent/codec/workload_check.h"
#include "placement/hash.h"

/* ---- what this kind adds to the schema ---- */

/* As Kubernetes: an image that names no version may be another one tomorrow. */
static const char *default_pull_policy(const char *image)
{
    if (strchr(image, '@') != NULL)
        return "IfNotPresent";
    const char *slash = strrchr(image, '/'), *tag = strchr(slash ? slash : image, ':');
    return tag == NULL || strcmp(tag, ":latest") == 0 ? "Always" : "IfNotPresent";
}

static void workload_complete(cJSON *object)
{
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");
    cJSON *container = cJSON_GetObjectItemCaseSensitive(spec, "container");
    if (json_get(container, "imagePullPolicy") != NULL)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(container, "imagePullPolicy"); /* a null */
    json_add_text(container, "imagePullPolicy",
                  default_pull_policy(json_get_text(container, "image")));
}

static const struct document_kind workload_kind = {
    .schema = &schema_workload,
    .check = workload_check,
    .complete = workload_complete,
};

/* ---- canonical JSON -> struct ---- */

/* The index of the text in a NULL-terminated list; the schema has checked that it is there. */
static unsigned word_index(const char *text, const char *const *words)
{
    unsigned index = 0;
    while (words[index] != NULL && strcmp(words[index], text) != 0)
        index++;
    return words[index] != NULL ? index : 0;
}

static unsigned field_index(const cJSON *object, const char *key, const char *const *words)
{
    const char *text = json_get_text(object, key);
    return text != NULL ? word_index(text, words) : 0;
}

static enum restart_policy read_restart(const cJSON *spec)
{
    static const char *const words[] = {"permanent", "transient", "temporary", "Always",
                                        "OnFailure", "Never",     NULL};
    return (enum restart_policy)(field_index(spec, "restart", words) % 3);
}

static void read_name(struct workload_name *name, const cJSON *item)
{
    const cJSON *port = json_get(item, "port"), *value = json_get(item, "value");
    TEXT_SET(name->name, json_get_text(item, "name"));
    if (cJSON_IsString(port))
        TEXT_SET(name->port, port->valuestring);
    else if (port != NULL)
        snprintf(name->port, sizeof name->port, "%d", port->valueint);
    if (value == NULL)
        return;
    cleanup_json cJSON *exact = json_copy(value);
    numbers_make_exact(exact);
    name->value = json_print(exact);
}

static void read_names(struct workload *workload, const cJSON *names)
{
    size_t count = (size_t)cJSON_GetArraySize(names);
    if (count == 0)
        return;
    workload->names = xcalloc(count, sizeof *workload->names);
    for (const cJSON *item = names->child; item != NULL; item = item->next)
        read_name(&workload->names[workload->name_count++], item);
}

static void read_ports(struct workload *workload, const cJSON *ports)
{
    size_t count = (size_t)cJSON_GetArraySize(ports);
    if (count == 0)
        return;
    workload->ports = xcalloc(count, sizeof *workload->ports);
    for (const cJSON *item = ports->child; item != NULL; item = item->next) {
        struct workload_port *port = &workload->ports[workload->port_count++];
        const char *name = json_get_text(item, "name");
        TEXT_SET(port->name, name ? name : "");
        port->container_port = (uint16_t)json_get_integer(item, "containerPort", 0);
        port->host_port = (uint16_t)json_get_integer(item, "hostPort", 0);
        const char *protocol = json_get_text(item, "protocol");
        port->udp = protocol && strcmp(protocol, "UDP") == 0;
    }
}

static void read_node_selector(struct workload *workload, const cJSON *selector)
{
    size_t count = (size_t)cJSON_GetArraySize(selector);
    if (count == 0)
        return;
    workload->node_selector = xcalloc(count, sizeof *workload->node_selector);
    for (const cJSON *item = selector->child; item != NULL; item = item->next)
        workload->node_selector[workload->node_selector_count++] =
            (struct label){xstrdup(item->string), xstrdup(item->valuestring)};
}

static void read_metadata(struct workload *workload, const cJSON *object)
{
    const char *uid = json_text(JSON_GET_PATH(object, "metadata", "uid"));
    TEXT_SET(workload->ns, document_namespace(object));
    TEXT_SET(workload->name, document_name(object));
    TEXT_SET(workload->uid, uid ? uid : "");
    workload->generation = document_generation(object);
    workload->created_ms = document_created_ms(object);
}

static void read_spec(struct workload *workload, const cJSON *spec)
{
    static const char *const conflicts[] = {"keep", "stop", NULL};
    static const char *const updates[] = {"RollingUpdate", "Recreate", NULL};
    const cJSON *update = json_get(spec, "updateStrategy");
    TEXT_SET(workload->supervisor, json_get_text(spec, "supervisor"));
    workload->replicas = (uint32_t)json_get_integer(spec, "replicas", 1);
    workload->restart = read_restart(spec);
    duration_parse_shutdown(&workload->shutdown_ms, json_get_text(spec, "shutdown"));
    workload->priority = (int32_t)json_get_integer(spec, "priority", 0);
    workload->on_name_conflict =
        (enum name_conflict_policy)field_index(spec, "onNameConflict", conflicts);
    workload->update = (enum update_type)field_index(update, "type", updates);
    workload->max_unavailable = (uint32_t)json_get_integer(update, "maxUnavailable", 1);
    workload->min_ready_seconds = (uint32_t)json_get_integer(spec, "minReadySeconds", 0);
    workload->progress_deadline_seconds =
        (uint32_t)json_get_integer(spec, "progressDeadlineSeconds", 600);
    workload->ttl_seconds_after_finished =
        json_get_integer(spec, "ttlSecondsAfterFinished", -1); /* -1: never */
    workload->host_network = json_get_bool(spec, "hostNetwork", false);
    read_names(workload, json_get(spec, "names"));
    read_node_selector(workload, json_get(spec, "nodeSelector"));
}

/* What is asked for; a limit without a request asks for all of it, as in Kubernetes. Validated. */
static uint64_t read_asked(const cJSON *container, const char *resource, enum quantity_scale scale,
                           uint64_t max)
{
    const cJSON *value = JSON_GET_PATH(container, "resources", "requests", resource);
    int64_t amount = 0;
    if (!value)
        value = JSON_GET_PATH(container, "resources", "limits", resource);
    char *number = cJSON_IsNumber(value) ? json_print(value) : NULL;
    const char *text = number ? number : json_text(value);
    if (!text || quantity_parse(&amount, text, scale, NULL) < 0)
        amount = 0;
    free(number);
    return (uint64_t)amount < max ? (uint64_t)amount : max;
}

static struct probe read_probe(const cJSON *probe)
{
    struct probe result = {0};
    if (probe == NULL)
        return result;
    result.initial_delay_seconds = (uint32_t)json_get_integer(probe, "initialDelaySeconds", 0);
    result.period_seconds = (uint32_t)json_get_integer(probe, "periodSeconds", 10);
    result.timeout_seconds = (uint32_t)json_get_integer(probe, "timeoutSeconds", 1);
    result.success_threshold = (uint32_t)json_get_integer(probe, "successThreshold", 1);
    result.failure_threshold = (uint32_t)json_get_integer(probe, "failureThreshold", 3);
    return result;
}

static void read_container(struct workload *workload, const cJSON *container)
{
    static const char *const policies[] = {"IfNotPresent", "Always", "Never", NULL};
    workload->cpu_milli = read_asked(container, "cpu", QUANTITY_MILLI, CPU_MILLI_MAX);
    workload->memory_bytes = read_asked(container, "memory", QUANTITY_UNITS, MEMORY_BYTES_MAX);
    workload->pull = (enum pull_policy)field_index(container, "imagePullPolicy", policies);
    workload->image = xstrdup(json_get_text(container, "image"));
    read_ports(workload, json_get(container, "ports"));
    workload->probes[PROBE_READINESS] = read_probe(json_get(container, "readinessProbe"));
    workload->probes[PROBE_LIVENESS] = read_probe(json_get(container, "livenessProbe"));
}

static uint64_t spec_hash(const cJSON *object)
{
    static const char *const parts[] = {"container", "hostNetwork", "volumes"};
    cleanup_json cJSON *shape = json_new_object();
    for (size_t i = 0; i < SCHEMA_COUNT(parts); i++) {
        const cJSON *part = JSON_GET_PATH(object, "spec", parts[i]);
        if (part != NULL)
            json_add(shape, parts[i], json_copy(part));
    }
    if (!json_get_bool(json_get(object, "spec"), "apiAccess", true))
        json_add_bool(shape, "apiAccess", false);
    schema_strip(schema_find(schema_workload.root->object, "spec"), shape);
    char *text = json_print(shape);
    uint64_t hash = placement_hash(text, strlen(text));
    free(text);
    return hash;
}

/* Takes the canonical object. */
static int workload_fill(struct workload *ret_workload, cJSON *canonical, struct error *err)
{
    cleanup_json cJSON *object = canonical;
    read_metadata(ret_workload, object);
    read_spec(ret_workload, json_get(object, "spec"));
    read_container(ret_workload, JSON_GET_PATH(object, "spec", "container"));
    ret_workload->spec_hash = spec_hash(object);
    ret_workload->document = document_print(object, err);
    if (ret_workload->document == NULL) {
        workload_release(ret_workload);
        return -1;
    }
    ret_workload->document_bytes = strlen(ret_workload->document);
    return 0;
}

/* ---- the interface ---- */

/* With numbers as numbers, to compare and change; workload_to_json is for printing. */
static cJSON *read_document(const struct workload *workload)
{
    return document_read(workload->document, workload->document_bytes);
}

cJSON *workload_to_json(const struct workload *workload)
{
    cJSON *object = read_document(workload);
    numbers_make_exact(object);
    return object;
}

int workload_from_json(struct workload *ret_workload, const cJSON *object,
                       const struct marks *marks, struct error *err)
{
    cJSON *canonical;
    *ret_workload = (struct workload){0};
    if (document_canonical(&canonical, &workload_kind, object, marks, err) != 0)
        return -1;
    return workload_fill(ret_workload, canonical, err);
}

int workload_create(struct workload *ret_workload, const struct document *document,
                    const struct write *write, struct error *err)
{
    cJSON *canonical;
    *ret_workload = (struct workload){0};
    if (document_create(&canonical, &workload_kind, document, write, err) != 0)
        return -1;
    return workload_fill(ret_workload, canonical, err);
}

int workload_update(struct workload *ret_workload, const struct workload *old,
                    const struct document *document, const struct write *write, bool *ret_changed,
                    struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = read_document(old);
    *ret_workload = (struct workload){0};
    if (document_update(&canonical, &workload_kind, before, document->object, &document->marks,
                        write, ret_changed, err) != 0)
        return -1;
    return workload_fill(ret_workload, canonical, err);
}

int workload_patch(struct workload *ret_workload, const struct workload *old, enum patch_type type,
                   const struct document *patch, const struct write *write, bool *ret_changed,
                   struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = read_document(old);
    *ret_workload = (struct workload){0};
    if (document_patch(&canonical, &workload_kind, before, type, patch, write, ret_changed, err) !=
        0)
        return -1;
    return workload_fill(ret_workload, canonical, err);
}

int workload_apply(struct workload *ret_workload, const struct workload *old,
                   const struct document *document, const struct write *write, bool *ret_changed,
                   struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = old != NULL ? read_document(old) : NULL;
    *ret_workload = (struct workload){0};
    if (document_apply(&canonical, &workload_kind, before, document, write, ret_changed, err) != 0)
        return -1;
    return workload_fill(ret_workload, canonical, err);
}

int workload_scale(struct workload *ret_workload, const struct workload *old, uint32_t replicas,
                   const struct write *write, bool *ret_changed, struct error *err)
{
    cleanup_json cJSON *patch = json_new_object();
    json_add(json_add_object(patch, "spec"), "replicas", cJSON_CreateNumber(replicas));
    struct document document = {.object = patch};
    return workload_patch(ret_workload, old, PATCH_MERGE, &document, write, ret_changed, err);
}
