/* The simulated hordelet-guard: a page per (engine, child, uid, epoch), a process outside the agent
 * that goes by the node's own clock. It survives crashes and freezes of the agent, refuses a start
 * whose deadline has passed, and kills at the deadline, a little late at random.
 *
 * Here is also what all of it is for: no two containers of a guarded child run at once, in the time
 * of the world, on whichever engines. */
#include <stdio.h>
#include <string.h>

#include "agent/core/node_private.h"
#include "tests/sim/sim_private.h"

static bool page_is_of(const struct sim_page *page, size_t engine, const struct child_id *child,
                       const char *uid, uint64_t epoch)
{
    return page->engine == engine && page->page.epoch == epoch &&
           child_id_compare(&page->page.child, child) == 0 && strcmp(page->page.uid, uid) == 0;
}

static struct sim_page *page_find(const struct sim *sim, size_t engine,
                                  const struct child_id *child, const char *uid, uint64_t epoch)
{
    for (size_t i = sim->page_count; i-- > 0;)
        if (page_is_of(&sim->pages[i], engine, child, uid, epoch))
            return &sim->pages[i];
    return NULL;
}

static const struct sim_page *page_of(const struct sim *sim, const struct sim_container *at)
{
    return page_find(sim, at->engine, &at->container.child, at->container.uid, at->container.epoch);
}

static uint64_t page_deadline_ms(const struct sim *sim, const struct sim_container *at)
{
    const struct sim_page *page = page_of(sim, at);
    return page ? page->page.deadline_ms : 0;
}

void sim_guard_write(struct sim *sim, size_t engine, const struct guard_page *page)
{
    struct sim_page *known = page_find(sim, engine, &page->child, page->uid, page->epoch);
    if (!known) {
        if (sim->page_count == sim->page_capacity) {
            sim->page_capacity = sim->page_capacity ? 2 * sim->page_capacity : 64;
            sim->pages = xrealloc(sim->pages, sim->page_capacity * sizeof *sim->pages);
        }
        known = &sim->pages[sim->page_count++];
        *known = (struct sim_page){.engine = engine};
    }
    known->page = *page;
}

void sim_guard_start(struct sim *sim, size_t engine, const struct runtime_operation *operation)
{
    struct guard_page page = {.child = operation->child,
                              .epoch = operation->epoch,
                              .deadline_ms = operation->guard_deadline_ms};
    TEXT_SET(page.uid, operation->uid);
    sim_guard_write(sim, engine, &page);
    const struct electorate_entry *entry =
        store_electorate(&sim->nodes[engine].node->store, operation->supervisor);
    if (entry)
        page_find(sim, engine, &page.child, page.uid, page.epoch)->term = entry->record.term;
}

static void guard_wait(struct sim *sim, const struct sim_container *at, enum sim_kind kind,
                       uint64_t at_ms)
{
    sim_push(sim, (struct sim_event){.kind = kind,
                                     .node = at->engine,
                                     .at_ms = at_ms < sim->now_ms ? sim->now_ms : at_ms,
                                     .container_index = (size_t)(at - sim->containers)});
}

/* First electorates that were made on two sides of a cut: each side runs its own, until they meet.
 */
static bool guard_is_of_another_world(const struct sim *sim, const struct sim_container *a,
                                      const struct sim_container *b)
{
    const struct sim_page *one = page_of(sim, a), *two = page_of(sim, b);
    return one && two && one->term.era == two->term.era && one->term.lineage != two->term.lineage;
}

static void guard_check_alone(struct sim *sim, const struct sim_container *made)
{
    const struct child_id *child = &made->container.child;
    for (size_t i = sim_bucket(sim, child); i != SIZE_MAX; i = sim->containers[i].next) {
        const struct sim_container *other = &sim->containers[i];
        if (other != made && other->container.state == CONTAINER_RUNNING &&
            child_id_compare(&other->container.child, child) == 0 &&
            !guard_is_of_another_world(sim, made, other))
            sim_violation(sim, "two copies of a guarded child", &made->container);
    }
}

void sim_guard_begin(struct sim *sim, struct sim_container *made)
{
    const struct sim_node *self = &sim->nodes[made->engine];
    uint64_t deadline_ms = page_deadline_ms(sim, made);
    if (sim_local_ms(self, sim->now_ms) >= deadline_ms) {
        sim_end_container(sim, made, GUARD_EXIT_CODE);
        return;
    }
    guard_check_alone(sim, made);
    guard_wait(sim, made, SIM_GUARD, sim_world_ms(self, deadline_ms));
}

void sim_guard_due(struct sim *sim, const struct sim_event *due)
{
    struct sim_container *at = &sim->containers[due->container_index];
    const struct sim_node *self = &sim->nodes[at->engine];
    if (at->container.state != CONTAINER_RUNNING)
        return;
    if (due->kind == SIM_GUARD_KILL) {
        sim_end_container(sim, at, GUARD_EXIT_CODE);
        sim_hint(sim, at);
        return;
    }
    uint64_t deadline_ms = page_deadline_ms(sim, at);
    at->dying = sim_local_ms(self, sim->now_ms) >= deadline_ms;
    uint64_t slow_ms =
        sim->guard_slow_ms_max > 0 ? random_below(&sim->random, sim->guard_slow_ms_max) : 0;
    if (at->dying)
        guard_wait(sim, at, SIM_GUARD_KILL, sim->now_ms + slow_ms);
    else
        guard_wait(sim, at, SIM_GUARD, sim_world_ms(self, deadline_ms));
}

bool sim_electorate_is_settled(const struct sim *sim, const char *supervisor)
{
    for (size_t i = 0; i < sim->count; i++) {
        const struct electorate_entry *entry =
            sim->nodes[i].node ? store_electorate(&sim->nodes[i].node->store, supervisor) : NULL;
        if (!sim->nodes[i].node)
            continue;
        if (!entry || entry->conflict || entry->record.old_count > 0 ||
            entry->record.now.count != sim->count)
            return false;
        for (size_t j = 0; j < sim->count; j++)
            if (sim->nodes[j].node &&
                electorate_find(&entry->record.now, sim->nodes[j].name,
                                sim->nodes[j].node->durable.replica) == SIZE_MAX)
                return false;
    }
    return true;
}

static bool majority_is_lost(const struct sim *sim, const struct electorate *electorate)
{
    size_t left = 0;
    for (size_t i = 0; i < sim->count; i++)
        left += sim->nodes[i].node && electorate_votes(electorate, sim->nodes[i].name,
                                                       sim->nodes[i].node->durable.replica);
    return !electorate_is_majority(electorate, left);
}

bool sim_electorate_is_lost(const struct sim *sim, const char *supervisor)
{
    const struct electorate_entry *entry = store_electorate(&sim->nodes[0].node->store, supervisor);
    if (!entry)
        return false;
    bool lost = majority_is_lost(sim, &entry->record.now);
    for (size_t i = 0; i < entry->record.old_count; i++)
        lost |= majority_is_lost(sim, &entry->record.olds[i]);
    for (size_t i = 0; i < entry->others.old_count; i++)
        lost |= majority_is_lost(sim, &entry->others.olds[i]);
    return lost;
}
