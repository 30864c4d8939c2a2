/* The simulated hordelet-guard: a page per (engine, child, uid, epoch), a process outside the agent
 * that goes by the node's own clock. It survives crashes and freezes of the agent, refuses a start
 * whose deadline has passed, and kills at the deadline, a little late at random.
 *
 * Here is also what all of it is for: no two containers of a guarded child run at once, in the time
 * of the world, on whichever engines. */
#include <stdio.h>
#include <string.h>

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

static uint64_t page_deadline_ms(const struct sim *sim, const struct sim_container *at)
{
    const struct sim_page *page =
        page_find(sim, at->engine, &at->container.child, at->container.uid, at->container.epoch);
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
}

static void guard_wait(struct sim *sim, const struct sim_container *at, enum sim_kind kind,
                       uint64_t at_ms)
{
    sim_push(sim, (struct sim_event){.kind = kind,
                                     .node = at->engine,
                                     .at_ms = at_ms < sim->now_ms ? sim->now_ms : at_ms,
                                     .container_index = (size_t)(at - sim->containers)});
}

static void guard_check_alone(struct sim *sim, const struct sim_container *made)
{
    const struct child_id *child = &made->container.child;
    for (size_t i = sim_bucket(sim, child); i != SIZE_MAX; i = sim->containers[i].next) {
        const struct sim_container *other = &sim->containers[i];
        if (other != made && other->container.state == CONTAINER_RUNNING &&
            child_id_compare(&other->container.child, child) == 0)
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
