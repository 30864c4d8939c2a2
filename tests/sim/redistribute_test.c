/* Redistribution: who moves, how many at once, that start-first never dips, and what is left when
 * somebody dies, refuses, or cannot hear while a child moves. */
#include <string.h>

#include "agent/core/node_private.h"
#include "tests/sim/story.h"

enum { CHILDREN = 12, SETTLE_MS = 10000 };

static void of_moving(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "moving");
}

static void of_moving_probed(struct workload *workload)
{
    of_moving(workload);
    workload->probes[PROBE_READINESS] = (struct probe){
        .period_seconds = 1, .timeout_seconds = 1, .success_threshold = 1, .failure_threshold = 3};
}

static void of_moving_temporary(struct workload *workload)
{
    of_moving(workload);
    workload->restart = RESTART_TEMPORARY;
}

struct wish {
    enum redistribution redistribution;
    enum move_order order;
    uint32_t moves, max_children;
    const char *strategy;
};

static void put_supervisor(struct sim *sim, size_t index, struct wish wish)
{
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, "moving");
    supervisor.redistribution = wish.redistribution;
    supervisor.order = wish.order;
    supervisor.settle_seconds = SETTLE_MS / 1000;
    supervisor.max_concurrent_moves = wish.moves ? wish.moves : 1;
    supervisor.max_children = wish.max_children;
    if (wish.strategy)
        TEXT_SET(supervisor.strategy, wish.strategy);
    story_put_supervisor(sim, index, &supervisor, "");
}

/* What was seen of "web" at every moment since the last look at it. */
static struct {
    size_t least, most_copies; /* different children that run; copies beyond one each */
} seen;

static void watch(struct sim *sim, size_t index)
{
    bool runs[CHILDREN] = {false};
    size_t children = 0, copies = 0;
    (void)index;
    for (size_t i = 0; i < sim->container_count; i++) {
        const struct container *at = &sim->containers[i].container;
        if (at->state != CONTAINER_RUNNING || strcmp(at->child.workload, "web") != 0)
            continue;
        copies++;
        children += !runs[at->child.ordinal];
        runs[at->child.ordinal] = true;
    }
    seen.least = children < seen.least ? children : seen.least;
    seen.most_copies = copies - children > seen.most_copies ? copies - children : seen.most_copies;
}

static void look(struct sim *sim)
{
    seen.least = SIZE_MAX;
    seen.most_copies = 0;
    sim->watch = watch;
}

/* n0 and n1 run all of them; the others are not there yet. */
static void begin(struct sim *sim, uint64_t seed, size_t nodes, struct wish wish,
                  void (*adjust)(struct workload *workload))
{
    sim_init(sim, seed, nodes);
    sim_start(sim, 0);
    sim_start(sim, 1);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
    put_supervisor(sim, 0, wish);
    story_run(sim, 0, "web", CHILDREN, adjust ? adjust : of_moving);
    sim_run(sim, 2000);
    look(sim);
}

static size_t held_by(struct sim *sim, size_t observer, size_t index)
{
    size_t count = 0;
    for (uint32_t i = 0; i < CHILDREN; i++)
        count += strcmp(story_child(sim, observer, "web", i).node, sim->nodes[index].name) == 0;
    return count;
}

static size_t misplaced(struct sim *sim, size_t observer)
{
    struct survey survey = redistribute_survey(sim->nodes[observer].node, "moving", UINT32_MAX);
    return survey.wanted + survey.under_way;
}

static bool is_at_rest(struct sim *sim)
{
    return misplaced(sim, 0) == 0 && sim_is_converged(sim);
}

static void join(struct sim *sim, size_t index)
{
    sim_start(sim, index);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
}

static bool somebody_prepares(struct sim *sim)
{
    struct child_id id = {.ns = "default", .workload = "web"};
    for (id.ordinal = 0; id.ordinal < CHILDREN; id.ordinal++) {
        const struct child *child = store_child(&sim->nodes[0].node->store, &id);
        if (offer_is_open(child))
            return true;
    }
    return false;
}

/* The child on its way, as n0 sees it. */
static const struct child *moving_child(struct sim *sim)
{
    struct child_id id = {.ns = "default", .workload = "web"};
    for (id.ordinal = 0; id.ordinal < CHILDREN; id.ordinal++) {
        const struct child *child = store_child(&sim->nodes[0].node->store, &id);
        if (offer_is_open(child))
            return child;
    }
    CU_FAIL_FATAL("nothing moves");
    return NULL;
}

static bool a_second_copy_runs(struct sim *sim)
{
    size_t duplicates;
    sim_running(sim, "web", &duplicates);
    return duplicates > 0;
}

static size_t index_of(const struct sim *sim, const char *name)
{
    size_t index = 0;
    while (strcmp(sim->nodes[index].name, name) != 0)
        index++;
    return index;
}

static size_t copy_on(const struct sim *sim, uint32_t ordinal, size_t engine)
{
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].engine == engine &&
            sim->containers[i].container.child.ordinal == ordinal &&
            sim->containers[i].container.state == CONTAINER_RUNNING)
            return i;
    CU_FAIL_FATAL("it does not run there");
    return 0;
}

/* --- Pace ------------------------------------------------------------------------------------- */

static void who_joins_gets_its_share_one_by_one(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        begin(&sim, seed, 3, (struct wish){.redistribution = REDISTRIBUTION_ACTIVE}, NULL);
        uint64_t started = sim.started;
        join(&sim, 2);
        sim_run(&sim, SETTLE_MS - 2000);
        CU_ASSERT_EQUAL(sim.started, started); /* not before it has settled */
        size_t share = misplaced(&sim, 0);
        CU_ASSERT(share > 0 && share < CHILDREN);
        CU_ASSERT(sim_until(&sim, is_at_rest, 120000));
        sim_run(&sim, 60000);
        CU_ASSERT_EQUAL(held_by(&sim, 1, 2), share);
        CU_ASSERT_EQUAL(sim.started, started + share); /* nothing moves twice, nothing else */
        CU_ASSERT_EQUAL(seen.least, CHILDREN - 1);
        CU_ASSERT_EQUAL(seen.most_copies, 0);
        sim_release(&sim);
    }
}

static void start_first_never_dips(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        begin(&sim, seed, 3,
              (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .order = MOVE_START_FIRST},
              seed % 2 ? of_moving_probed : NULL);
        uint64_t started = sim.started;
        sim.ready_ms = seed % 2 ? 2500 : 0;
        join(&sim, 2);
        size_t share = misplaced(&sim, 0);
        CU_ASSERT(sim_until(&sim, is_at_rest, 240000));
        CU_ASSERT_EQUAL(held_by(&sim, 1, 2), share);
        CU_ASSERT_EQUAL(sim.started, started + share);
        CU_ASSERT_EQUAL(seen.least, CHILDREN);
        CU_ASSERT_EQUAL(seen.most_copies, 1);
        sim_release(&sim);
    }
}

static void as_many_at_once_as_they_may(void)
{
    struct sim sim;
    begin(&sim, 1, 4, (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .moves = 3}, NULL);
    join(&sim, 2);
    join(&sim, 3);
    CU_ASSERT(sim_until(&sim, is_at_rest, 120000));
    CU_ASSERT(held_by(&sim, 0, 2) > 0 && held_by(&sim, 0, 3) > 0);
    CU_ASSERT(seen.least >= CHILDREN - 3 && seen.least < CHILDREN - 1);
    sim_release(&sim);
}

static void passive_moves_nothing(void)
{
    struct sim sim;
    begin(&sim, 1, 3, (struct wish){.redistribution = REDISTRIBUTION_PASSIVE}, NULL);
    uint64_t started = sim.started;
    join(&sim, 2);
    CU_ASSERT(misplaced(&sim, 0) > 0);
    sim_run(&sim, 300000);
    CU_ASSERT_EQUAL(sim.started, started);
    CU_ASSERT_EQUAL(held_by(&sim, 0, 2), 0);
    sim_release(&sim);
}

/* Each return of n2 begins the wait anew; to switch it on does, too. */
static void while_members_come_and_go_nothing_moves(void)
{
    struct sim sim;
    begin(&sim, 1, 3, (struct wish){.redistribution = REDISTRIBUTION_PASSIVE}, NULL);
    join(&sim, 2);
    sim_run(&sim, 60000);
    uint64_t started = sim.started;
    put_supervisor(&sim, 1, (struct wish){.redistribution = REDISTRIBUTION_ACTIVE});
    for (int i = 0; i < 6; i++) {
        sim_run(&sim, SETTLE_MS - 3000);
        sim_kill(&sim, 2);
        sim_run(&sim, 2000);
        join(&sim, 2);
    }
    CU_ASSERT_EQUAL(sim.started, started);
    CU_ASSERT(sim_until(&sim, is_at_rest, 120000));
    CU_ASSERT(sim.started > started);
    sim_release(&sim);
}

/* --- What stays ------------------------------------------------------------------------------- */

static void a_cordon_and_temporary_children_stay(void)
{
    struct sim sim;
    begin(&sim, 1, 3, (struct wish){.redistribution = REDISTRIBUTION_ACTIVE}, of_moving_temporary);
    uint64_t started = sim.started;
    join(&sim, 2);
    sim_run(&sim, 60000);
    CU_ASSERT_EQUAL(sim.started, started);
    story_run(&sim, 0, "api", 6, of_moving);
    started = sim.started;
    for (size_t i = 0; i < 2; i++)
        story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, sim.nodes[i].name, true);
    sim_run(&sim, 60000);
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* No room and no image there: all run where they were, and it is not tried again and again. */
static void what_is_refused_stays_where_it_is(void)
{
    for (int order = 0; order < 2; order++) {
        struct sim sim;
        struct wish wish = {.redistribution = REDISTRIBUTION_ACTIVE,
                            .order = order ? MOVE_START_FIRST : MOVE_STOP_FIRST,
                            .max_children = CHILDREN};
        begin(&sim, 1, 3, wish, NULL);
        uint64_t started = sim.started;
        sim.bad_image = "image:1";
        sim.bad_image_node = &sim.nodes[2];
        join(&sim, 2);
        sim_run(&sim, 280000);
        CU_ASSERT_EQUAL(sim.started, started);
        CU_ASSERT_EQUAL(seen.least, CHILDREN);
        CU_ASSERT(sim_is_converged(&sim));
        sim.bad_image = NULL;
        wish.max_children = 7; /* less than its share and what there is */
        put_supervisor(&sim, 0, wish);
        sim_run(&sim, 1200000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT(held_by(&sim, 0, 2) > 0);
        for (size_t i = 0; i < 3; i++)
            CU_ASSERT(held_by(&sim, 0, i) <= (i == 2 ? 7 : CHILDREN));
        sim_release(&sim);
    }
}

/* Its clock is an hour wrong, and leaps. */
static void what_was_declined_comes_after_five_minutes_of_any_clock(void)
{
    for (int64_t hours = -1; hours <= 1; hours++) {
        struct sim sim;
        begin(&sim, 1, 3, (struct wish){.redistribution = REDISTRIBUTION_ACTIVE}, NULL);
        sim.bad_image = "image:1";
        sim.bad_image_node = &sim.nodes[2];
        sim.nodes[2].wall_offset_ms = hours * 3600000;
        join(&sim, 2);
        size_t share = misplaced(&sim, 0);
        sim_run(&sim, 200000);
        const struct member_entry *n2 = store_member(&sim.nodes[0].node->store, "n2");
        CU_ASSERT(n2->record->declined_count > 1);
        CU_ASSERT_EQUAL(held_by(&sim, 0, 2), 0);
        sim.bad_image = NULL;
        sim.nodes[2].wall_offset_ms = 0;
        sim.nodes[1].wall_offset_ms = -hours * 3600000;
        sim_run(&sim, 360000);
        n2 = store_member(&sim.nodes[0].node->store, "n2");
        CU_ASSERT_EQUAL(n2->record->declined_count, 0);
        CU_ASSERT_EQUAL(held_by(&sim, 0, 2), share);
        CU_ASSERT(is_at_rest(&sim));
        sim_release(&sim);
    }
}

static void a_copy_that_never_gets_ready_ends_and_the_old_one_stays(void)
{
    struct sim sim;
    begin(&sim, 1, 3,
          (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .order = MOVE_START_FIRST},
          of_moving_probed);
    sim_run(&sim, 400000);
    sim.ready_ms = 300000; /* they have been up for longer */
    join(&sim, 2);
    CU_ASSERT(sim_until(&sim, a_second_copy_runs, 60000));
    sim_run(&sim, 150000);
    const struct member_record *record = store_member(&sim.nodes[0].node->store, "n2")->record;
    CU_ASSERT_FATAL(record->declined_count > 0);
    CU_ASSERT_STRING_EQUAL(record->declined[0].reason, "NotReady");
    CU_ASSERT_EQUAL(held_by(&sim, 0, 2), 0);
    CU_ASSERT_EQUAL(seen.least, CHILDREN);
    CU_ASSERT(seen.most_copies <= 1);
    sim.ready_ms = 0;
    CU_ASSERT(sim_until(&sim, is_at_rest, 900000));
    CU_ASSERT_EQUAL(seen.least, CHILDREN);
    sim_release(&sim);
}

/* --- Death and silence ------------------------------------------------------------------------ */

static struct wish start_first(void)
{
    return (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .order = MOVE_START_FIRST};
}

static void the_successor_dies_while_it_prepares(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, 3, start_first(), of_moving_probed);
        sim.ready_ms = 5000;
        join(&sim, 2);
        CU_ASSERT_FATAL(sim_until(&sim, a_second_copy_runs, 60000));
        size_t before = held_by(&sim, 0, 2);
        CU_ASSERT_EQUAL(before, 0);
        sim_kill(&sim, 2);
        if (seed % 2)
            sim_kill_engine(&sim, 2);
        sim_run(&sim, 20000);
        CU_ASSERT_EQUAL(seen.least, CHILDREN);
        CU_ASSERT_EQUAL(held_by(&sim, 0, 0) + held_by(&sim, 0, 1), CHILDREN);
        CU_ASSERT(!somebody_prepares(&sim));
        join(&sim, 2);
        CU_ASSERT(sim_until(&sim, is_at_rest, 400000));
        CU_ASSERT(held_by(&sim, 0, 2) > 0);
        CU_ASSERT_EQUAL(seen.least, CHILDREN);
        sim_release(&sim);
    }
}

/* What was begun is gone on with: no third copy is started for it. */
static void the_holder_dies_while_its_successor_prepares(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, 3, start_first(), of_moving_probed);
        sim.ready_ms = 5000;
        join(&sim, 2);
        CU_ASSERT_FATAL(sim_until(&sim, a_second_copy_runs, 60000));
        uint32_t ordinal = moving_child(&sim)->ordinal;
        uint64_t epoch = moving_child(&sim)->claim->offer->epoch;
        size_t holder = index_of(&sim, moving_child(&sim)->claim->node);
        size_t begun = copy_on(&sim, ordinal, 2);
        sim_kill_engine(&sim, holder);
        sim_kill(&sim, holder);
        sim_run(&sim, 12000);
        CU_ASSERT_EQUAL(sim.containers[begun].container.state, CONTAINER_RUNNING);
        struct child_view child = story_child(&sim, 2, "web", ordinal);
        CU_ASSERT_STRING_EQUAL(child.node, "n2");
        CU_ASSERT_EQUAL(child.epoch, epoch);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
        sim_release(&sim);
    }
}

static void a_cut_between_the_two_leaves_one_copy_after_it(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        struct wish wish = start_first();
        wish.order = seed % 2 ? MOVE_START_FIRST : MOVE_STOP_FIRST;
        begin(&sim, seed, 3, wish, of_moving_probed);
        sim.ready_ms = 3000;
        join(&sim, 2);
        CU_ASSERT_FATAL(sim_until(&sim, somebody_prepares, 60000));
        sim_run(&sim, 700 * (seed / 2));
        story_cut(&sim, 2, true);
        sim_run(&sim, 30000);
        CU_ASSERT(seen.least >= CHILDREN - 1);
        story_cut(&sim, 2, false);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 20000));
        CU_ASSERT(sim_until(&sim, is_at_rest, 400000));
        CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 20000));
        sim_release(&sim);
    }
}

/* Only the two: the third member sees both alive. */
static void an_offer_that_is_not_heard_is_withdrawn(void)
{
    struct sim sim;
    begin(&sim, 3, 3, start_first(), NULL);
    sim.ready_ms = 60000;
    put_supervisor(&sim, 0, start_first());
    story_run(&sim, 0, "slow", 1, of_moving);
    join(&sim, 2);
    CU_ASSERT_FATAL(sim_until(&sim, somebody_prepares, 60000));
    size_t holder = index_of(&sim, moving_child(&sim)->claim->node);
    sim_freeze(&sim, 2, true);
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(held_by(&sim, holder, 2), 0);
    CU_ASSERT(!somebody_prepares(&sim));
    sim_freeze(&sim, 2, false);
    CU_ASSERT(sim_until(&sim, is_at_rest, 900000));
    CU_ASSERT_EQUAL(seen.least, CHILDREN);
    sim_release(&sim);
}

static bool nobody_prepares(struct sim *sim)
{
    return !somebody_prepares(sim);
}

/* It lives, but its engine does not answer: it says nothing of the child it was offered. */
static void who_does_not_answer_an_offer_is_not_waited_for(void)
{
    struct sim sim;
    begin(&sim, 1, 3, start_first(), NULL);
    sim.engine_grace_ms = 600000;
    join(&sim, 2);
    sim_engine_state(&sim, 2, false);
    CU_ASSERT(sim_until(&sim, somebody_prepares, 60000));
    sim_run(&sim, 12000);
    CU_ASSERT(somebody_prepares(&sim));
    CU_ASSERT(sim_until(&sim, nobody_prepares, 120000)); /* one after the other */
    sim_run(&sim, 60000);
    CU_ASSERT(nobody_prepares(&sim));
    CU_ASSERT_EQUAL(held_by(&sim, 0, 2), 0);
    CU_ASSERT_EQUAL(seen.least, CHILDREN);
    sim_release(&sim);
}

static void who_is_cordoned_meanwhile_gets_nothing(void)
{
    struct sim sim;
    begin(&sim, 1, 3, start_first(), of_moving_probed);
    sim.ready_ms = 60000;
    sim_run(&sim, 120000); /* they have been up for longer */
    join(&sim, 2);
    CU_ASSERT_FATAL(sim_until(&sim, a_second_copy_runs, 60000));
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n2", true);
    sim_run(&sim, 3000);
    CU_ASSERT(nobody_prepares(&sim));
    CU_ASSERT(!a_second_copy_runs(&sim));
    sim_run(&sim, 60000);
    CU_ASSERT_EQUAL(held_by(&sim, 0, 2), 0);
    CU_ASSERT_EQUAL(seen.least, CHILDREN);
    sim_release(&sim);
}

/* --- By hand ---------------------------------------------------------------------------------- */

static size_t rebalances(const struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->count; i++)
        count += sim->nodes[i].node && store_rebalance(&sim->nodes[i].node->store, "moving");
    return count;
}

static bool no_rebalance_is_left(struct sim *sim)
{
    return rebalances(sim) == 0;
}

static void a_rebalance_moves_what_is_misplaced_once_and_is_over(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        struct wish wish = {.order = seed % 2 ? MOVE_START_FIRST : MOVE_STOP_FIRST};
        begin(&sim, seed, 4, wish, NULL);
        join(&sim, 2);
        sim_run(&sim, 1000);
        size_t share = misplaced(&sim, 0);
        uint64_t started = sim.started,
                 id = story_request(&sim, 1, REQUEST_REBALANCE, "moving", true);
        CU_ASSERT(sim_reply(&sim, id) && sim_reply(&sim, id)->status == 200);
        CU_ASSERT_EQUAL(rebalances(&sim), 3);
        CU_ASSERT(sim_until(&sim, no_rebalance_is_left, 120000));
        CU_ASSERT_EQUAL(sim.started, started + share);
        CU_ASSERT_EQUAL(held_by(&sim, 0, 2), share);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(seen.least, CHILDREN - (wish.order == MOVE_STOP_FIRST));
        join(&sim, 3);
        sim_run(&sim, 60000);
        CU_ASSERT_EQUAL(sim.started, started + share); /* it was for once */
        sim_release(&sim);
    }
}

static void a_rebalance_may_be_called_off_and_ends_with_nothing_to_do(void)
{
    struct sim sim;
    begin(&sim, 1, 3, (struct wish){.moves = 1}, NULL);
    uint64_t id = story_request(&sim, 0, REQUEST_REBALANCE, "nobody", true);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 404);
    id = story_request(&sim, 0, REQUEST_REBALANCE, "moving", false);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 404);
    story_request(&sim, 0, REQUEST_REBALANCE, "moving", true);
    CU_ASSERT(sim_until(&sim, no_rebalance_is_left, 10000));
    uint64_t started = sim.started;
    join(&sim, 2);
    story_request(&sim, 0, REQUEST_REBALANCE, "moving", true);
    CU_ASSERT(sim_until(&sim, somebody_prepares, 10000));
    id = story_request(&sim, 1, REQUEST_REBALANCE, "moving", false);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 200);
    sim_run(&sim, 60000);
    CU_ASSERT(sim.started <= started + 1);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT(misplaced(&sim, 0) > 0);
    sim_release(&sim);
}

/* What a dry run tells is what happens then, and it moves nothing itself. */
static void a_dry_run_tells_what_will_move(void)
{
    struct sim sim;
    struct move_view move;
    struct child_id moved[CHILDREN];
    char to[CHILDREN][NAME_BYTES_MAX + 1];
    size_t count = 0;
    begin(&sim, 1, 3, (struct wish){.moves = 2}, NULL);
    join(&sim, 2);
    sim_run(&sim, 1000);
    uint64_t started = sim.started;
    const struct node *node = sim.nodes[1].node;
    for (bool more = query_move_next(node, "moving", NULL, &move); more;) {
        CU_ASSERT(strcmp(move.from, move.to) != 0 && !move.under_way && move.reason[0]);
        TEXT_SET(to[count], move.to);
        moved[count++] = move.id;
        more = query_move_next(node, "moving", &moved[count - 1], &move);
    }
    CU_ASSERT_EQUAL(count, misplaced(&sim, 0));
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(sim.started, started);
    story_request(&sim, 0, REQUEST_REBALANCE, "moving", true);
    CU_ASSERT(sim_until(&sim, no_rebalance_is_left, 120000));
    CU_ASSERT_EQUAL(sim.started, started + count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(story_child(&sim, 0, "web", moved[i].ordinal).node, to[i]);
    CU_ASSERT(!query_move_next(node, "moving", NULL, &move));
    sim_release(&sim);
}

static const struct ring_entry *entry_of(const struct ring_view *ring, const char *node)
{
    for (size_t i = 0; i < ring->count; i++)
        if (strcmp(ring->entries[i].node, node) == 0)
            return &ring->entries[i];
    CU_FAIL_FATAL("not on the ring");
    return NULL;
}

static void the_ring_explains_who_may_not_and_why(void)
{
    struct sim sim;
    struct ring_view ring;
    struct child_id id = {.ns = "default", .workload = "web"};
    begin(&sim, 1, 4, (struct wish){.max_children = CHILDREN}, NULL);
    join(&sim, 2);
    join(&sim, 3);
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n2", true);
    sim_kill(&sim, 3);
    sim_run(&sim, 5000);
    CU_ASSERT_FATAL(query_ring(sim.nodes[0].node, &id, &ring));
    CU_ASSERT_STRING_EQUAL(ring.supervisor, "moving");
    CU_ASSERT_STRING_EQUAL(ring.holder, story_child(&sim, 0, "web", 0).node);
    CU_ASSERT(ring.entries[0].candidate && ring.entries[0].holder); /* the best of n0 and n1 */
    CU_ASSERT(entry_of(&ring, "n0")->candidate && entry_of(&ring, "n1")->candidate);
    CU_ASSERT_STRING_EQUAL(entry_of(&ring, "n2")->reason, "Unschedulable");
    CU_ASSERT_STRING_EQUAL(entry_of(&ring, "n3")->reason, "NotAlive");
    CU_ASSERT_STRING_EQUAL(entry_of(&ring, "n3")->message, "dead");
    ring_view_release(&ring);
    id.ordinal = CHILDREN;
    CU_ASSERT(!query_ring(sim.nodes[0].node, &id, &ring));
    sim_release(&sim);
}

/* --- Other strategies ------------------------------------------------------------------------- */

static void at_random_it_comes_to_rest_too(void)
{
    struct sim sim;
    begin(&sim, 1, 3,
          (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .strategy = "UniformRandom"},
          NULL);
    uint64_t started = sim.started;
    join(&sim, 2);
    CU_ASSERT(sim_until(&sim, is_at_rest, 240000));
    CU_ASSERT(held_by(&sim, 0, 2) > 0);
    CU_ASSERT(sim.started < started + CHILDREN);
    started = sim.started;
    sim_run(&sim, 120000);
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* An epoch that one member has heard of, in a refusal or from a container, is no reason for another
 * to move a child. (swarm 8003157: n3 saw a move that its holder did not, for ever) */
static void what_one_remembers_of_later_epochs_moves_nothing(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, 3,
              (struct wish){.redistribution = REDISTRIBUTION_ACTIVE, .strategy = "UniformRandom"},
              NULL);
        for (uint32_t i = 0; i < CHILDREN; i++) {
            struct child_id id = story_child(&sim, 0, "web", i).id;
            store_child(&sim.nodes[i % 2].node->store, &id)->epoch_max += 1 + i;
        }
        join(&sim, 2);
        CU_ASSERT(sim_until(&sim, is_at_rest, 240000));
        CU_ASSERT(held_by(&sim, 0, 2) > 0);
        sim_release(&sim);
    }
}

UNIT_MAIN("redistribute",
          {"who joins gets its share, one by one", who_joins_gets_its_share_one_by_one},
          {"start-first never dips", start_first_never_dips},
          {"as many at once as they may", as_many_at_once_as_they_may},
          {"passive moves nothing", passive_moves_nothing},
          {"while members come and go nothing moves", while_members_come_and_go_nothing_moves},
          {"a cordon and temporary children stay", a_cordon_and_temporary_children_stay},
          {"what is refused stays where it is", what_is_refused_stays_where_it_is},
          {"what was declined comes after five minutes of any clock",
           what_was_declined_comes_after_five_minutes_of_any_clock},
          {"a copy that never gets ready ends, and the old one stays",
           a_copy_that_never_gets_ready_ends_and_the_old_one_stays},
          {"the successor dies while it prepares", the_successor_dies_while_it_prepares},
          {"the holder dies while its successor prepares",
           the_holder_dies_while_its_successor_prepares},
          {"a cut between the two leaves one copy after it",
           a_cut_between_the_two_leaves_one_copy_after_it},
          {"an offer that is not heard is withdrawn", an_offer_that_is_not_heard_is_withdrawn},
          {"who does not answer an offer is not waited for",
           who_does_not_answer_an_offer_is_not_waited_for},
          {"who is cordoned meanwhile gets nothing", who_is_cordoned_meanwhile_gets_nothing},
          {"a rebalance moves what is misplaced, once, and is over",
           a_rebalance_moves_what_is_misplaced_once_and_is_over},
          {"a rebalance may be called off, and ends with nothing to do",
           a_rebalance_may_be_called_off_and_ends_with_nothing_to_do},
          {"a dry run tells what will move", a_dry_run_tells_what_will_move},
          {"the ring explains who may not and why", the_ring_explains_who_may_not_and_why},
          {"at random it comes to rest, too", at_random_it_comes_to_rest_too},
          {"what one remembers of later epochs moves nothing",
           what_one_remembers_of_later_epochs_moves_nothing})
