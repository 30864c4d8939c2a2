/* Containers of one child on this node. A container's life only goes forward: created, running,
 * exited, gone; that is how stale reports of the engine are recognised. */
#include "agent/core/local.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct local *local_make(struct child *child)
{
    if (!child->local)
        child->local = xcalloc(1, sizeof *child->local);
    return child->local;
}

void local_free(struct local *local)
{
    if (!local)
        return;
    for (size_t i = 0; i < local->container_count; i++)
        free(local->containers[i].probe_message);
    free(local->containers);
    free(local->message);
    free(local->end_message);
    free(local->status);
    free(local);
}

void local_say(char **message, const char *text)
{
    char kept[MESSAGE_BYTES_MAX + 1];
    TEXT_SET(kept, text);
    free(*message);
    *message = kept[0] ? xstrdup(kept) : NULL;
}

const char *local_said(const char *message)
{
    return message ? message : "";
}

void local_forget_why(struct local *local)
{
    local->reason[0] = '\0';
    local_say(&local->message, "");
}

bool local_is_quiet(const struct local *local)
{
    return local->container_count == 0 && !local->start_operation && !local->pull_operation &&
           !local->queued_start && !local->queued_stop && !local->queued_probe;
}

struct local_container *local_find(struct local *local, const char *container_id)
{
    for (size_t i = 0; i < local->container_count; i++)
        if (strcmp(local->containers[i].container.id, container_id) == 0)
            return &local->containers[i];
    return NULL;
}

/* EXITED to RUNNING is believed only with a later start: somebody started it by hand. */
static bool local_is_stale(const struct container *known, const struct container *told)
{
    if (told->state >= known->state)
        return false;
    return !(known->state == CONTAINER_EXITED && told->state == CONTAINER_RUNNING &&
             told->started_ms > known->finished_ms);
}

bool local_observe(struct local *local, const struct container *container, uint64_t now_ms)
{
    struct local_container *known = local_find(local, container->id);
    if (container->state == CONTAINER_GONE) {
        if (known && !known->operation)
            local_drop(local, known);
        else if (known)
            known->container.state = CONTAINER_GONE;
        return known != NULL;
    }
    if (known) {
        known->seen_ms = now_ms;
        if (local_is_stale(&known->container, container))
            return false;
        bool changed = known->container.state != container->state;
        if (changed && container->state == CONTAINER_RUNNING) {
            known->ended_noted = known->met = known->unhealthy = false;
            memset(known->probing, 0, sizeof known->probing);
        }
        known->container = *container;
        return changed;
    }
    if (local->container_count == LOCAL_CONTAINERS_MAX)
        return false;
    local->containers =
        xrealloc(local->containers, (local->container_count + 1) * sizeof *local->containers);
    local->containers[local->container_count++] =
        (struct local_container){.container = *container, .seen_ms = now_ms};
    return true;
}

void local_drop(struct local *local, struct local_container *gone)
{
    size_t at = (size_t)(gone - local->containers);
    assert(at < local->container_count);
    free(gone->probe_message);
    memmove(gone, gone + 1, (local->container_count - at - 1) * sizeof *gone);
    local->container_count--;
}
