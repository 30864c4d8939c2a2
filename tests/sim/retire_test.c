/* What is left of nodes and children that are no more: nothing but 16 bytes a writer. And those
 * that were forgotten by mistake lose nothing.
 *
 *     HORDELET_LONG=1 retire_test      400 replaced nodes and 40,000 children instead of a few */
#include "tests/sim/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"
#include "agent/core/swim_state.h"
#include "agent/core/sync_private.h"
#include "crdt/awmap_private.h"

enum { MINUTE_MS = 60000, FORGOTTEN_MS = 4 * MINUTE_MS, TIDIED_MS = 40 * MINUTE_MS };

static bool is_long(void)
{
    return getenv("HORDELET_LONG") != NULL;
}

/* Everything whose number could grow with the past. */
struct sizes {
    size_t keys, tombstones, contexts, indexes, seen, horizon; /* of the map */
    size_t members, swim, sync_peers, groups, children, names, records, plans, images, unowned;
    size_t disk_bytes;
};

static struct sizes sizes_of(const struct node *node)
{
    struct buffer disk = {0};
    node_disk(node, &disk);
    struct sizes sizes = {
        .keys = awmap_count(node->map),
        .tombstones = awmap_tombstone_count(node->map),
        .indexes = node->map->index_count,
        .seen = awmap_seen(node->map)->count,
        .horizon = awmap_horizon(node->map)->count,
        .members = index_count(&node->membership.members),
        .swim = node->swim->member_count,
        .sync_peers = node->sync->peer_count,
        .groups = index_count(&node->store.groups),
        .children = node->store.child_count,
        .names = index_count(&node->store.names),
        .records = index_count(&node->store.members),
        .plans = index_count(&node->ranking.plans),
        .images = index_count(&node->supervision.images),
        .unowned = node->retirement.unowned.count,
        .disk_bytes = disk.bytes,
    };
    for (const struct awmap_entry *e = awmap_next_any(node->map, NULL); e;
         e = awmap_next_any(node->map, e))
        sizes.contexts += entry_state(e).context_count;
    buffer_release(&disk);
    return sizes;
}

static void sizes_print(const char *what, const struct sizes *s)
{
    printf(
        "\n    %s: keys %zu tombstones %zu contexts %zu indexes %zu seen %zu horizon %zu, members "
        "%zu swim %zu peers %zu groups %zu children %zu names %zu records %zu plans %zu images "
        "%zu unowned %zu, disk %zu bytes",
        what, s->keys, s->tombstones, s->contexts, s->indexes, s->seen, s->horizon, s->members,
        s->swim, s->sync_peers, s->groups, s->children, s->names, s->records, s->plans, s->images,
        s->unowned, s->disk_bytes);
}

/* Nothing but the retired table, of which a node's disk has at most 16 bytes each, has grown. */
static void check_nothing_is_left(struct sim *sim, const struct sizes *fresh, size_t past_writers)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct node *node = sim->nodes[i].node;
        struct sizes old = sizes_of(node);
        size_t retired = awmap_retired(node->map)->count;
        CU_ASSERT(retired <= past_writers && retired >= past_writers - past_writers / 10);
        bool fits = old.keys == fresh->keys && old.tombstones <= fresh->tombstones + 8 &&
                    old.contexts <= fresh->contexts + fresh->keys / 4 + 8 &&
                    old.indexes <= 2 * sim->count && old.seen <= sim->count + 2 &&
                    old.horizon <= sim->count + 2 && old.members == fresh->members &&
                    old.swim == fresh->swim && old.sync_peers == fresh->sync_peers &&
                    old.groups == fresh->groups && old.children == fresh->children &&
                    old.names == fresh->names && old.records == fresh->records &&
                    old.plans <= fresh->plans && old.images <= fresh->images && old.unowned <= 2 &&
                    old.disk_bytes <= fresh->disk_bytes * 5 / 4 + 1024 + 16 * retired;
        CU_ASSERT(fits);
        if (fits)
            continue;
        sizes_print("fresh", fresh);
        sizes_print(sim->nodes[i].name, &old);
    }
}

static void story_documents(struct sim *sim)
{
    for (int i = 0; i < 20; i++) {
        char name[24];
        snprintf(name, sizeof name, "kept-%d", i);
        story_put(sim, (size_t)i % sim->count, name, 1 + (uint32_t)i % 3, NULL);
    }
    CU_ASSERT_FATAL(sim_until(sim, sim_is_converged, 60000));
}

static struct sizes fresh_sizes(uint64_t seed, size_t nodes)
{
    struct sim sim;
    story_begin(&sim, seed, nodes);
    story_documents(&sim);
    sim_run(&sim, TIDIED_MS);
    struct sizes sizes = sizes_of(sim.nodes[0].node);
    sim_release(&sim);
    return sizes;
}

/* --- Nodes ----------------------------------------------------------------------------------- */

static bool first_has_buried(struct sim *sim)
{
    struct member_view view;
    size_t by = sim->nodes[0].node ? 0 : 1;
    for (size_t i = 0; i < sim->count; i++)
        if (!sim->nodes[i].node && query_member(sim->nodes[by].node, sim->nodes[i].name, &view) &&
            strcmp(view.phase, "dead") != 0 && strcmp(view.phase, "left") != 0 &&
            strcmp(view.phase, "absent") != 0)
            return false;
    return true;
}

static void node_ends(struct sim *sim, size_t index)
{
    sim_kill(sim, index);
    sim_kill_engine(sim, index);
    sim_forget_disk(sim, index);
}

/* The machine is replaced; the next has the same name. */
static void node_is_renewed(struct sim *sim, size_t index)
{
    node_ends(sim, index);
    sim_run(sim, 1000 + random_below(&sim->random, 5000));
    sim_start(sim, index);
}

static void node_is_renamed(struct sim *sim, size_t index, size_t number)
{
    snprintf(sim->nodes[index].name, sizeof sim->nodes[index].name, "n%zu-%zu", index, number);
    sim_start(sim, index);
}

/* It dies, is forgotten by hand, and one of another name comes. */
static void node_is_forgotten(struct sim *sim, size_t index, size_t number)
{
    node_ends(sim, index);
    CU_ASSERT_FATAL(sim_until(sim, first_has_buried, 60000));
    uint64_t id =
        story_request(sim, index == 0 ? 1 : 0, REQUEST_FORGET, sim->nodes[index].name, false);
    CU_ASSERT(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
    node_is_renamed(sim, index, number);
}

static bool someone_has_exited(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].exit_status >= 0)
            return true;
    return false;
}

static void node_leaves(struct sim *sim, size_t index, size_t number)
{
    story_request(sim, index, REQUEST_LEAVE, "", false);
    CU_ASSERT_FATAL(sim_until(sim, someone_has_exited, 60000));
    node_ends(sim, index);
    node_is_renamed(sim, index, number);
}

static void past_nodes_leave_sixteen_bytes(void)
{
    enum { NODES = 4 };
    size_t replaced = is_long() ? 400 : 120;
    struct sizes fresh = fresh_sizes(900, NODES);
    struct sim sim;
    story_begin(&sim, 901, NODES);
    story_documents(&sim);
    for (size_t i = 0; i < replaced; i++) {
        size_t index = i % NODES;
        if (i % 3 == 0)
            node_is_forgotten(&sim, index, i);
        else if (i % 3 == 1)
            node_leaves(&sim, index, i);
        else
            node_is_renewed(&sim, index);
        CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 60000));
        CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 60000));
    }
    sim_run(&sim, TIDIED_MS);
    CU_ASSERT(sim_is_converged(&sim) && sim_maps_are_equal(&sim));
    CU_ASSERT_EQUAL(sim.violations, 0);
    check_nothing_is_left(&sim, &fresh, replaced);
    sim_release(&sim);
}

/* --- Children -------------------------------------------------------------------------------- */

static void once_image(struct workload *workload)
{
    static unsigned number;
    static char image[32];
    snprintf(image, sizeof image, "job:%u", number++);
    workload->image = image;
}

static void past_children_leave_nothing(void)
{
    enum { NODES = 3, REPLICAS = 200 };
    size_t rounds = is_long() ? 200 : 25;
    struct sizes fresh = fresh_sizes(902, NODES);
    struct sim sim;
    story_begin(&sim, 903, NODES);
    story_documents(&sim);
    for (size_t round = 0; round < rounds; round++) {
        char name[16];
        snprintf(name, sizeof name, "job-%zu", round);
        story_put(&sim, round % NODES, name, REPLICAS, once_image);
        CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 120000));
        sim_delete_workload(&sim, (round + 1) % NODES, name);
        CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 120000));
    }
    sim_run(&sim, TIDIED_MS);
    CU_ASSERT(sim_maps_are_equal(&sim));
    CU_ASSERT_EQUAL(sim.violations, 0);
    fresh.images += rounds; /* far below IMAGES_MAX */
    check_nothing_is_left(&sim, &fresh, 0);
    sim_release(&sim);
}

/* --- Forgotten by mistake -------------------------------------------------------------------- */

static bool has_workload(const struct sim *sim, size_t index, const char *name)
{
    const struct group *group = store_group(&sim->nodes[index].node->store, "default", name);
    return group && group->has_workload;
}

static void forget_cut_off(struct sim *sim, size_t index, size_t past_writers)
{
    story_cut(sim, index, true);
    sim_run(sim, 20000);
    uint64_t id = story_request(sim, 0, REQUEST_FORGET, sim->nodes[index].name, false);
    CU_ASSERT(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
    sim_run(sim, FORGOTTEN_MS);
    CU_ASSERT_EQUAL(awmap_retired(sim->nodes[0].node->map)->count, past_writers);
    CU_ASSERT_EQUAL(awmap_retired(sim->nodes[1].node->map)->count, past_writers);
}

static void the_forgotten_come_back_with_all_they_wrote(void)
{
    struct sim sim;
    story_begin(&sim, 904, 3);
    story_run(&sim, 2, "before", 2, NULL);
    uint64_t writer = awmap_writer(sim.nodes[2].node->map);
    forget_cut_off(&sim, 2, 1);
    story_put(&sim, 2, "meanwhile", 1, NULL);
    sim_delete_workload(&sim, 0, "before");
    sim_run(&sim, 1000);
    sim_heal_cuts(&sim);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 120000));
    CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 120000));
    CU_ASSERT(sim_until(&sim, sim_all_alive, 60000));
    for (size_t i = 0; i < 3; i++) {
        struct member_view view;
        CU_ASSERT(has_workload(&sim, i, "meanwhile"));
        CU_ASSERT(!has_workload(&sim, i, "before"));
        CU_ASSERT(query_member(sim.nodes[i].node, "n2", &view));
    }
    sim_run(&sim, FORGOTTEN_MS); /* it belongs to somebody again */
    CU_ASSERT_EQUAL(awmap_writer(sim.nodes[2].node->map), writer);
    CU_ASSERT(vector_get(awmap_seen(sim.nodes[0].node->map), writer) > 0);
    sim_release(&sim);
}

/* Its disk is older than what others know of it and have retired: no dot is used twice. */
static void an_old_image_of_the_forgotten_writes_under_a_fresh_id(void)
{
    struct sim sim;
    story_begin(&sim, 905, 3);
    story_run(&sim, 2, "before", 2, NULL);
    uint64_t writer = awmap_writer(sim.nodes[2].node->map);
    sim_copy_disk(&sim, 2);
    sim_kill(&sim, 2);
    sim_start(&sim, 2); /* after a kill it writes under a fresh id */
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 60000));
    sim_run(&sim, 2000); /* and only when it has compared */
    uint64_t second_writer = awmap_writer(sim.nodes[2].node->map);
    CU_ASSERT_NOT_EQUAL(second_writer, writer);
    story_put(&sim, 2, "after-the-image", 1, NULL);
    sim_run(&sim, 2000);
    sim_kill(&sim, 2);
    forget_cut_off(&sim, 2, 2);
    sim_heal_cuts(&sim);
    sim_restore_disk(&sim, 2);
    sim_start(&sim, 2);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 60000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 120000));
    CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 60000));
    CU_ASSERT(has_workload(&sim, 2, "after-the-image") && has_workload(&sim, 0, "before"));
    uint64_t third_writer = awmap_writer(sim.nodes[2].node->map);
    CU_ASSERT(third_writer != writer && third_writer != second_writer);
    sim_release(&sim);
}

/* Whenever it dies, and whenever somebody was looked for last: not before, and not much later. */
static void who_is_dead_is_forgotten_when_it_is_time(void)
{
    for (uint64_t late_ms = 0; late_ms < MINUTE_MS; late_ms += MINUTE_MS / 4) {
        struct sim sim;
        sim_init(&sim, 3, 3);
        sim.forget_after_ms = MINUTE_MS;
        sim_start_all(&sim);
        CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
        sim_run(&sim, late_ms);
        sim_kill(&sim, 2);
        const struct node *node = sim.nodes[0].node;
        while (swim_phase(node->swim, "n2") != PLACEMENT_DEAD)
            sim_run(&sim, 100);
        sim_run(&sim, MINUTE_MS - 500);
        CU_ASSERT_PTR_NOT_NULL(store_member(&node->store, "n2"));
        sim_run(&sim, 4000);
        CU_ASSERT_PTR_NULL(store_member(&node->store, "n2"));
        sim_release(&sim);
    }
}

UNIT_MAIN("what is left of the past",
          {"past nodes leave sixteen bytes", past_nodes_leave_sixteen_bytes},
          {"past children leave nothing", past_children_leave_nothing},
          {"the forgotten come back with all they wrote",
           the_forgotten_come_back_with_all_they_wrote},
          {"an old image of the forgotten writes under a fresh id",
           an_old_image_of_the_forgotten_writes_under_a_fresh_id},
          {"who is dead is forgotten when it is time", who_is_dead_is_forgotten_when_it_is_time})
