/* Supervisors: the generic life of a document (document_write.c) with this kind's rules, and
 * canonical JSON -> struct supervisor. */
#include "agent/codec/supervisor_json.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_write.h"
#include "agent/codec/json.h"
#include "agent/codec/schema_check.h"

/* ---- rules between fields ---- */

static int text_compare(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static bool is_text(const cJSON *value, const char *text)
{
    return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

static void check_order(struct problems *problems, const cJSON *spec)
{
    const cJSON *order = json_get(spec, "order");
    if (is_text(order, "start-first") &&
        is_text(json_get(spec, "distributionStrategy"), "UniformQuorum"))
        problem_field(problems, "order", order,
                      "start-first runs two copies for a moment, which UniformQuorum must not; use "
                      "stop-first");
}

static void supervisor_check(struct problems *problems, const cJSON *object)
{
    const cJSON *members = json_get_array(json_get(object, "spec"), "members");
    const char *names[SUPERVISOR_MEMBERS_MAX];
    size_t count = 0;
    for (const cJSON *item = members ? members->child : NULL;
         item != NULL && count < SUPERVISOR_MEMBERS_MAX; item = item->next)
        if (cJSON_IsString(item))
            names[count++] = item->valuestring;
    qsort(names, count, sizeof *names, text_compare);
    size_t mark = path_push_field(problems, "spec");
    for (size_t i = 1; i < count; i++) {
        char value[SHOWN_BYTES];
        if (strcmp(names[i - 1], names[i]) == 0)
            problem_field(problems, "members", members, "%s is there twice",
                          shown_text(names[i], value));
    }
    check_order(problems, json_get(object, "spec"));
    path_pop(problems, mark);
}

static const struct document_kind supervisor_kind = {
    .schema = &schema_supervisor,
    .check = supervisor_check,
};

/* ---- canonical JSON -> struct ---- */

static void read_members(struct supervisor *supervisor, const cJSON *members)
{
    supervisor->members_auto = !cJSON_IsArray(members);
    if (supervisor->members_auto || members->child == NULL)
        return;
    supervisor->members = xcalloc((size_t)cJSON_GetArraySize(members), sizeof *supervisor->members);
    for (const cJSON *item = members->child; item != NULL; item = item->next)
        TEXT_SET(supervisor->members[supervisor->member_count++], item->valuestring);
}

static uint32_t read_number(const cJSON *spec, const char *key)
{
    return (uint32_t)json_get_integer(spec, key, 0);
}

static void read_spec(struct supervisor *supervisor, const cJSON *spec)
{
    bool active = strcmp(json_get_text(spec, "processRedistribution"), "active") == 0;
    bool start_first = strcmp(json_get_text(spec, "order"), "start-first") == 0;
    bool escalate = strcmp(json_get_text(spec, "onIntensityExceeded"), "escalate") == 0;
    TEXT_SET(supervisor->strategy, json_get_text(spec, "distributionStrategy"));
    read_members(supervisor, json_get(spec, "members"));
    supervisor->lease_seconds = read_number(spec, "leaseSeconds");
    supervisor->redistribution = active ? REDISTRIBUTION_ACTIVE : REDISTRIBUTION_PASSIVE;
    supervisor->max_concurrent_moves = read_number(spec, "maxConcurrentMoves");
    supervisor->settle_seconds = read_number(spec, "settleSeconds");
    supervisor->order = start_first ? MOVE_START_FIRST : MOVE_STOP_FIRST;
    supervisor->max_restarts = read_number(spec, "maxRestarts");
    supervisor->max_seconds = read_number(spec, "maxSeconds");
    supervisor->on_intensity = escalate ? INTENSITY_ESCALATE : INTENSITY_BACKOFF;
    supervisor->max_children = read_number(spec, "maxChildren");
    supervisor->proxy_message_ttl = read_number(spec, "proxyMessageTTL");
}

/* Takes the canonical object. */
static int supervisor_fill(struct supervisor *ret_supervisor, cJSON *canonical, struct error *err)
{
    cleanup_json cJSON *object = canonical;
    const char *uid = json_text(JSON_GET_PATH(object, "metadata", "uid"));
    TEXT_SET(ret_supervisor->name, document_name(object));
    TEXT_SET(ret_supervisor->uid, uid ? uid : "");
    ret_supervisor->generation = document_generation(object);
    ret_supervisor->created_ms = document_created_ms(object);
    read_spec(ret_supervisor, json_get(object, "spec"));
    ret_supervisor->document = document_print(object, err);
    if (ret_supervisor->document == NULL) {
        supervisor_release(ret_supervisor);
        return -1;
    }
    ret_supervisor->document_bytes = strlen(ret_supervisor->document);
    return 0;
}

/* ---- the interface ---- */

/* The document of a supervisor that nobody wrote: its name and strategy, all else by default. */
static cJSON *unwritten_document(const struct supervisor *supervisor)
{
    cJSON *object = json_new_object();
    json_add_text(object, "apiVersion", DOCUMENT_API_VERSION);
    json_add_text(object, "kind", supervisor_kind.schema->kind);
    json_add_text(json_add_object(object, "metadata"), "name", supervisor->name);
    json_add_text(json_add_object(object, "spec"), "distributionStrategy", supervisor->strategy);
    schema_complete(supervisor_kind.schema->root, object);
    schema_sort_keys(object);
    return object;
}

cJSON *supervisor_to_json(const struct supervisor *supervisor)
{
    return supervisor->document != NULL
               ? document_read(supervisor->document, supervisor->document_bytes)
               : unwritten_document(supervisor);
}

int supervisor_from_json(struct supervisor *ret_supervisor, const cJSON *object,
                         const struct marks *marks, struct error *err)
{
    cJSON *canonical;
    *ret_supervisor = (struct supervisor){0};
    if (document_canonical(&canonical, &supervisor_kind, object, marks, err) != 0)
        return -1;
    return supervisor_fill(ret_supervisor, canonical, err);
}

int supervisor_create(struct supervisor *ret_supervisor, const struct document *document,
                      const struct write *write, struct error *err)
{
    cJSON *canonical;
    *ret_supervisor = (struct supervisor){0};
    if (document_create(&canonical, &supervisor_kind, document, write, err) != 0)
        return -1;
    return supervisor_fill(ret_supervisor, canonical, err);
}

int supervisor_update(struct supervisor *ret_supervisor, const struct supervisor *old,
                      const struct document *document, const struct write *write, bool *ret_changed,
                      struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = supervisor_to_json(old);
    *ret_supervisor = (struct supervisor){0};
    if (document_update(&canonical, &supervisor_kind, before, document->object, &document->marks,
                        write, ret_changed, err) != 0)
        return -1;
    return supervisor_fill(ret_supervisor, canonical, err);
}

int supervisor_patch(struct supervisor *ret_supervisor, const struct supervisor *old,
                     enum patch_type type, const struct document *patch, const struct write *write,
                     bool *ret_changed, struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = supervisor_to_json(old);
    *ret_supervisor = (struct supervisor){0};
    if (document_patch(&canonical, &supervisor_kind, before, type, patch, write, ret_changed,
                       err) != 0)
        return -1;
    return supervisor_fill(ret_supervisor, canonical, err);
}

int supervisor_apply(struct supervisor *ret_supervisor, const struct supervisor *old,
                     const struct document *document, const struct write *write, bool *ret_changed,
                     struct error *err)
{
    cJSON *canonical;
    cleanup_json cJSON *before = old != NULL ? supervisor_to_json(old) : NULL;
    *ret_supervisor = (struct supervisor){0};
    if (document_apply(&canonical, &supervisor_kind, before, document, write, ret_changed, err) !=
        0)
        return -1;
    return supervisor_fill(ret_supervisor, canonical, err);
}
