/* See informer.h. An object is known by its text: all of its view but the version. */
#include "tests/sim/informer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/index.h"

enum { TEXT_BYTES_MAX = 1024, KEY_BYTES_MAX = 256 };

struct known {
    uint64_t version, life;
    char *text; /* owned */
};

struct informer {
    struct index known[FEED_RESOURCE_COUNT]; /* key in text -> struct known */
    uint64_t position;
};

struct object {
    char ns[NAME_BYTES_MAX + 1], name[NAME_BYTES_MAX + 1];
    uint32_t ordinal;
    uint64_t version;
    uint64_t life; /* of a child: with another epoch it is another object */
    char text[TEXT_BYTES_MAX];
};

/* --- Objects ---------------------------------------------------------------------------------- */

static void object_of_workload(struct object *object, const struct workload_view *view)
{
    TEXT_SET(object->ns, view->workload->ns);
    TEXT_SET(object->name, view->workload->name);
    object->version = view->status_version;
    snprintf(object->text, sizeof object->text,
             "document %llu, running %u, ready %u, updated %u, conflicts %u%s%s",
             (unsigned long long)view->version, view->running, view->ready, view->updated,
             view->conflicts, view->complete ? ", complete" : "", view->late ? ", late" : "");
}

static void object_of_child(struct object *object, const struct child_view *view)
{
    TEXT_SET(object->ns, view->id.ns);
    TEXT_SET(object->name, view->id.workload);
    object->ordinal = view->id.ordinal;
    object->version = view->version;
    object->life = view->epoch > 0 ? view->epoch : 1;
    snprintf(object->text, sizeof object->text,
             "%s%s on %s epoch %llu, restarts %u, started %llu, exit %d, spec %llu, container %s, "
             "%s %s, of %s %s",
             child_phase_name(view->phase), view->ready ? " ready" : "", view->node,
             (unsigned long long)view->epoch, view->restarts, (unsigned long long)view->started_ms,
             view->has_exit_code ? view->exit_code : -1, (unsigned long long)view->spec_hash,
             view->container_id, view->reason, view->message, view->uid, view->supervisor);
}

static void object_of_name(struct object *object, const struct name_view *view)
{
    TEXT_SET(object->ns, view->ns);
    TEXT_SET(object->name, view->name);
    object->version = view->version;
    snprintf(object->text, sizeof object->text, "of %s, %s:%u on %s epoch %llu %.300s", view->owner,
             view->address, view->port, view->node, (unsigned long long)view->epoch,
             view->value ? view->value : "");
}

static void object_of_member(struct object *object, const struct member_view *view)
{
    TEXT_SET(object->name, view->name);
    object->version = view->status_version;
    snprintf(object->text, sizeof object->text, "%s at %s%s, %u children, full %zu%s", view->phase,
             view->gossip_address, view->unschedulable ? " unschedulable" : "", view->children,
             view->full_count, view->runtime_healthy ? ", healthy" : "");
}

static void object_of_supervisor(struct object *object, const struct node *node,
                                 const struct supervisor_view *view)
{
    const char *name, *phase, *after = "";
    TEXT_SET(object->name, view->supervisor->name);
    object->version = view->status_version;
    size_t at = (size_t)snprintf(
        object->text, sizeof object->text,
        "document %llu, specs %u, active %u, workers %u%s:", (unsigned long long)view->version,
        view->specs, view->active, view->workers, view->quorum ? ", quorum" : "");
    while (query_supervisor_member_next(node, object->name, after, &name, &phase)) {
        after = name;
        if (at + 2 * NAME_BYTES_MAX < sizeof object->text)
            at += (size_t)snprintf(object->text + at, sizeof object->text - at, " %s %s", name,
                                   phase);
    }
}

static bool object_get(struct object *object, const struct node *node, enum feed_resource resource,
                       const struct feed_item *item)
{
    struct child_id id = {.ordinal = item->ordinal};
    TEXT_SET(id.ns, item->ns);
    TEXT_SET(id.workload, feed_name(item));
    union {
        struct workload_view workload;
        struct child_view child;
        struct name_view name;
        struct member_view member;
        struct supervisor_view supervisor;
    } view;
    *object = (struct object){.ordinal = 0};
    switch (resource) {
    case FEED_WORKLOADS:
        if (!query_workload(node, item->ns, feed_name(item), &view.workload))
            return false;
        object_of_workload(object, &view.workload);
        return true;
    case FEED_CHILDREN:
        if (!query_child(node, &id, &view.child))
            return false;
        object_of_child(object, &view.child);
        return true;
    case FEED_NAMES:
        if (!query_name(node, item->ns, feed_name(item), &view.name))
            return false;
        object_of_name(object, &view.name);
        return true;
    case FEED_MEMBERS:
        if (!query_member(node, feed_name(item), &view.member))
            return false;
        object_of_member(object, &view.member);
        return true;
    case FEED_SUPERVISORS:
        if (!query_supervisor(node, feed_name(item), &view.supervisor))
            return false;
        object_of_supervisor(object, node, &view.supervisor);
        return true;
    default:
        return false;
    }
}

/* The next in a list; *object is the last one. */
static bool object_next(struct object *object, const struct node *node, enum feed_resource resource)
{
    struct child_id id = {.ordinal = object->ordinal};
    TEXT_SET(id.ns, object->ns);
    TEXT_SET(id.workload, object->name);
    struct workload_view workload;
    struct child_view child;
    struct name_view name;
    struct member_view member;
    struct supervisor_view supervisor;
    switch (resource) {
    case FEED_WORKLOADS:
        if (!query_workload_next(node, NULL, object->ns, object->name, &workload))
            return false;
        object_of_workload(object, &workload);
        return true;
    case FEED_CHILDREN:
        if (!query_child_next(node, NULL, object->name[0] ? &id : NULL, &child))
            return false;
        object_of_child(object, &child);
        return true;
    case FEED_NAMES:
        if (!query_name_next(node, NULL, object->ns, object->name, &name))
            return false;
        object_of_name(object, &name);
        return true;
    case FEED_MEMBERS:
        if (!query_member_next(node, object->name, &member))
            return false;
        object_of_member(object, &member);
        return true;
    case FEED_SUPERVISORS:
        if (!query_supervisor_next(node, object->name, &supervisor))
            return false;
        object_of_supervisor(object, node, &supervisor);
        return true;
    default:
        return false;
    }
}

/* --- What is known ---------------------------------------------------------------------------- */

static struct span key_of(char text[KEY_BYTES_MAX], const char *ns, const char *name,
                          uint32_t ordinal)
{
    return span_of(text, (size_t)snprintf(text, KEY_BYTES_MAX, "%s/%s/%u", ns, name, ordinal));
}

static void known_free(void *value)
{
    struct known *known = value;
    if (known)
        free(known->text);
    free(known);
}

static void known_put(struct index *index, struct span key, const struct object *object)
{
    struct known *known = index_find(index, key);
    if (!known) {
        known = xcalloc(1, sizeof *known);
        index_insert(index, key, known);
    }
    free(known->text);
    known->text = xstrdup(object->text);
    known->version = object->version;
    known->life = object->life;
}

struct informer *informer_new(void)
{
    return xcalloc(1, sizeof(struct informer));
}

static void informer_forget(struct informer *informer)
{
    for (size_t i = 0; i < FEED_RESOURCE_COUNT; i++)
        index_release(&informer->known[i], known_free);
    *informer = (struct informer){.position = 0};
}

void informer_free(struct informer *informer)
{
    if (!informer)
        return;
    informer_forget(informer);
    free(informer);
}

void informer_list(struct informer *informer, const struct node *node)
{
    char text[KEY_BYTES_MAX];
    informer_forget(informer);
    for (enum feed_resource i = 0; i < FEED_RESOURCE_COUNT; i++)
        for (struct object object = {.ordinal = 0}; object_next(&object, node, i);)
            known_put(&informer->known[i], key_of(text, object.ns, object.name, object.ordinal),
                      &object);
    informer->position = query_position(node);
}

static const char *informer_take(struct informer *informer, const struct node *node,
                                 enum feed_resource resource, const struct feed_item *item)
{
    char text[KEY_BYTES_MAX];
    struct object object;
    struct index *index = &informer->known[resource];
    struct span key = key_of(text, item->ns, feed_name(item), item->ordinal);
    struct known *known = index_find(index, key);
    bool was_there = item->since <= informer->position;
    if (known && item->version <= known->version)
        return "a change was told twice";
    if (item->gone && !was_there)
        return NULL;
    if (was_there != (known != NULL))
        return item->gone ? "something unknown went"
               : known    ? "something known was added"
                          : "something unknown was modified";
    if (item->gone) {
        known_free(index_remove(index, key));
        return NULL;
    }
    if (!object_get(&object, node, resource, item))
        return "an item that is there has no object";
    if (object.version != item->version)
        return "an object has another version than its item";
    if (known && known->life != object.life)
        return "a child was placed anew without going";
    known_put(index, key, &object);
    return NULL;
}

const char *informer_watch(struct informer *informer, const struct node *node)
{
    enum { AT_ONCE = 256 };
    const struct feed_item *items[AT_ONCE];
    const char *wrong = NULL;
    for (enum feed_resource i = 0; i < FEED_RESOURCE_COUNT && !wrong; i++) {
        uint64_t position = informer->position;
        size_t count;
        if (i == FEED_METAS)
            continue;
        while (!wrong && (count = query_changes(node, i, position, items, AT_ONCE)) > 0)
            for (size_t j = 0; j < count && !wrong; j++) {
                wrong = informer_take(informer, node, i, items[j]);
                position = items[j]->version;
            }
    }
    informer->position = query_position(node);
    return wrong;
}

const char *informer_compare(const struct informer *informer, const struct node *node)
{
    static char wrong[3 * TEXT_BYTES_MAX];
    char text[KEY_BYTES_MAX];
    for (enum feed_resource i = 0; i < FEED_RESOURCE_COUNT; i++) {
        size_t count = 0;
        for (struct object object = {.ordinal = 0}; object_next(&object, node, i); count++) {
            struct span key = key_of(text, object.ns, object.name, object.ordinal);
            const struct known *known = index_find(&informer->known[i], key);
            if (known && strcmp(known->text, object.text) == 0)
                continue;
            snprintf(wrong, sizeof wrong, "%s is (%s), who watches knows (%s)", text, object.text,
                     known ? known->text : "nothing");
            return wrong;
        }
        if (count == index_count(&informer->known[i]))
            continue;
        snprintf(wrong, sizeof wrong, "resource %d: who watches knows %zu, there are %zu", i,
                 index_count(&informer->known[i]), count);
        return wrong;
    }
    return NULL;
}
