/* What must hold when all is quiet. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_private.h"

/* --- Checking -------------------------------------------------------------------------------- */

static size_t sim_copies(const struct sim *sim, const struct child_id *id, size_t *ret_engine)
{
    size_t copies = 0;
    for (size_t i = sim_bucket(sim, id); i != SIZE_MAX; i = sim->containers[i].next)
        if (sim->containers[i].container.state == CONTAINER_RUNNING &&
            child_id_compare(&sim->containers[i].container.child, id) == 0) {
            copies++;
            *ret_engine = sim->containers[i].engine;
        }
    return copies;
}

size_t sim_running(const struct sim *sim, const char *workload, size_t *ret_duplicates)
{
    size_t running = 0, duplicates = 0;
    for (size_t i = 0; i < sim->container_count; i++) {
        const struct container *at = &sim->containers[i].container;
        size_t engine;
        if (at->state != CONTAINER_RUNNING || strcmp(at->child.workload, workload) != 0)
            continue;
        running++;
        duplicates += sim_copies(sim, &at->child, &engine) > 1;
    }
    if (ret_duplicates)
        *ret_duplicates = duplicates;
    return running;
}

/* A name leads to the port that the engine has given its child's container. */
static bool sim_name_leads_there(const struct sim *sim, const struct name_view *name)
{
    struct child_id id;
    if (!child_id_parse(&id, name->owner))
        return false;
    for (size_t i = sim_bucket(sim, &id); i != SIZE_MAX; i = sim->containers[i].next) {
        const struct container *at = &sim->containers[i].container;
        if (at->state == CONTAINER_RUNNING && child_id_compare(&at->child, &id) == 0 &&
            strcmp(sim->nodes[sim->containers[i].engine].name, name->node) == 0)
            return at->ports[0].host_port == name->port;
    }
    return false;
}

/* It has ended for good, as it may. */
static bool sim_has_finished(const struct sim *sim, const struct child_view *view)
{
    bool ended = view->phase == CHILD_SUCCEEDED || view->phase == CHILD_FAILED;
    bool may = view->workload && (view->workload->restart != RESTART_PERMANENT ||
                                  strcmp(view->reason, "deleted") == 0);
    size_t engine;
    return sim->may_finish && ended && may && sim_copies(sim, &view->id, &engine) == 0;
}

static bool sim_is_full(const struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        size_t held = 0;
        for (size_t j = 0; sim->nodes[i].node && j < sim->container_count; j++)
            held += sim->containers[j].engine == i && !sim->containers[j].untouchable &&
                    sim->containers[j].container.state == CONTAINER_RUNNING;
        if (sim->nodes[i].node && held < sim->max_children)
            return false;
    }
    return sim->max_children > 0;
}

static bool sim_waits_for_room(const struct sim *sim, const struct child_view *view)
{
    return view->workload && view->phase == CHILD_PENDING && strcmp(view->reason, "NoRoom") == 0 &&
           sim_is_full(sim);
}

static bool sim_runs_well(const struct sim *sim, const struct child_view *view)
{
    size_t engine = SIZE_MAX;
    return view->workload && view->phase == CHILD_RUNNING && view->ready &&
           sim_copies(sim, &view->id, &engine) == 1 &&
           strcmp(view->node, sim->nodes[engine].name) == 0 &&
           view->spec_hash == view->workload->spec_hash &&
           strcmp(view->uid, view->workload->uid) == 0;
}

static bool sim_node_agrees(struct sim *sim, size_t index)
{
    struct child_view view;
    const struct node *node = sim->nodes[index].node;
    size_t wanted = 0, running = 0, names = 0;
    for (bool more = query_child_next(node, NULL, NULL, &view); more;) {
        if (sim_runs_well(sim, &view))
            wanted++;
        else if (!sim_has_finished(sim, &view) && !sim_waits_for_room(sim, &view))
            return false;
        struct child_id after = view.id;
        more = query_child_next(node, NULL, &after, &view);
    }
    struct name_view name;
    char at[NAME_BYTES_MAX + 1] = "", ns[NAME_BYTES_MAX + 1] = "";
    while (query_name_next(node, NULL, ns, at, &name)) {
        names += !name.outside;
        if (!name.outside && !sim_name_leads_there(sim, &name))
            return false;
        TEXT_SET(ns, name.ns);
        TEXT_SET(at, name.name);
    }
    for (size_t i = 0; i < sim->container_count; i++)
        running += sim->containers[i].container.state == CONTAINER_RUNNING &&
                   !sim->containers[i].untouchable;
    return running == wanted && names == wanted;
}

bool sim_is_converged(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && (!sim->nobody_looks || query_is_looked_at(sim->nodes[i].node)) &&
            !sim_node_agrees(sim, i))
            return false;
    return true;
}

bool sim_all_alive(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < sim->count; j++) {
            struct member_view view;
            if (!sim->nodes[i].node || !sim->nodes[j].node)
                continue;
            if (!query_member(sim->nodes[i].node, sim->nodes[j].name, &view) ||
                strcmp(view.phase, "alive") != 0)
                return false;
        }
    return true;
}

void sim_print(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct child_view child;
        struct member_view member;
        if (!sim->nodes[i].node)
            continue;
        printf("%s at %llu:", sim->nodes[i].name, (unsigned long long)sim->now_ms);
        for (bool more = query_member_next(sim->nodes[i].node, "", &member); more;
             more = query_member_next(sim->nodes[i].node, member.name, &member))
            printf(" %s %s", member.name, member.phase);
        struct query_counts counts = query_counts(sim->nodes[i].node);
        printf("; keys %zu names %zu\n", counts.keys, counts.names);
        for (bool more = query_child_next(sim->nodes[i].node, NULL, NULL, &child); more;) {
            printf("    %s/%u %s%s on %s epoch %llu spec %llu uid %s %s %s\n", child.id.workload,
                   child.id.ordinal, child.workload ? "" : "(unwanted) ",
                   child_phase_name(child.phase), child.node, (unsigned long long)child.epoch,
                   (unsigned long long)child.spec_hash, child.uid, child.reason, child.message);
            struct child_id after = child.id;
            more = query_child_next(sim->nodes[i].node, NULL, &after, &child);
        }
        struct name_view name = {.ns = "", .name = ""};
        while (query_name_next(sim->nodes[i].node, NULL, name.ns, name.name, &name))
            printf("    name %s -> %s on %s:%u\n", name.name, name.owner, name.node, name.port);
    }
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].container.state == CONTAINER_RUNNING)
            printf("    runs on n%zu: %s/%u epoch %llu uid %s\n", sim->containers[i].engine,
                   sim->containers[i].container.child.workload,
                   sim->containers[i].container.child.ordinal,
                   (unsigned long long)sim->containers[i].container.epoch,
                   sim->containers[i].container.uid);
}

bool sim_is_still(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && sim->nodes[i].operations > 0)
            return false;
    return true;
}

bool sim_maps_are_equal(struct sim *sim)
{
    const struct node *first = NULL;
    for (size_t i = 0; i < sim->count; i++) {
        const struct node *node = sim->nodes[i].node;
        if (node && first && query_digest(node) != query_digest(first))
            return false;
        first = first ? first : node;
    }
    return true;
}
