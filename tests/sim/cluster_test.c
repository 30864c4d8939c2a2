/* Scenes of a cluster, each a sentence: what users rely on, played with real cores in a simulated
 * world. */
#include "tests/sim/sim.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

static void sim_begin(struct sim *sim, uint64_t seed, size_t nodes)
{
    sim_init(sim, seed, nodes);
    sim_start_all(sim);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
}

static void apply(struct sim *sim, size_t index, const char *name, uint32_t replicas)
{
    uint64_t id = sim_put_workload(sim, index, name, replicas, NULL);
    sim_run(sim, 100);
    const struct reply *reply = sim_reply(sim, id);
    CU_ASSERT_FATAL(reply != NULL);
    CU_ASSERT_EQUAL_FATAL(reply->status, 200);
}

static void a_lone_agent_runs_what_it_is_given(void)
{
    struct sim sim;
    sim_begin(&sim, 1, 1);
    apply(&sim, 0, "web", 3);
    CU_ASSERT(sim_reply(&sim, 1)->alone);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    sim_release(&sim);
}

static void three_agents_share_children_and_answer_once_a_second_member_knows(void)
{
    struct sim sim;
    sim_begin(&sim, 2, 3);
    apply(&sim, 1, "web", 30);
    CU_ASSERT(!sim_reply(&sim, 1)->alone);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 30);
    for (size_t i = 0; i < 3; i++) {
        struct member_view view;
        CU_ASSERT(query_member(sim.nodes[0].node, sim.nodes[i].name, &view));
        CU_ASSERT(view.children > 0);
    }
    sim_release(&sim);
}

static void a_dead_nodes_children_run_elsewhere_exactly_once(void)
{
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct sim sim;
        sim_begin(&sim, seed, 3);
        apply(&sim, 0, "web", 30);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        sim_kill(&sim, 2);
        sim_kill_engine(&sim, 2);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 30);
        sim_release(&sim);
    }
}

/* Horde places all children anew at each change of members. */
static void a_death_touches_only_what_it_held(void)
{
    struct sim sim;
    struct member_view lost;
    sim_begin(&sim, 20, 3);
    apply(&sim, 0, "web", 90);
    CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 20000));
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &lost));
    uint64_t started = sim.started;
    sim_kill(&sim, 1);
    sim_kill_engine(&sim, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    CU_ASSERT(lost.children > 0 && lost.children < 90);
    CU_ASSERT_EQUAL(sim.started - started, lost.children);
    sim_release(&sim);
}

/* Horde asks the owner's node at each lookup. */
static void names_resolve_while_their_owners_nodes_are_frozen(void)
{
    struct sim sim;
    sim_begin(&sim, 21, 3);
    apply(&sim, 0, "web", 6);
    CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 20000));
    sim_freeze(&sim, 1, true);
    sim_freeze(&sim, 2, true);
    uint64_t sent = sim.nodes[0].sent_messages;
    for (int i = 0; i < 6; i++) {
        char name[16];
        struct name_view view;
        snprintf(name, sizeof name, "web-%d", i);
        CU_ASSERT(query_name(sim.nodes[0].node, "default", name, &view));
    }
    CU_ASSERT_EQUAL(sim.nodes[0].sent_messages, sent);
    sim_release(&sim);
}

static void a_node_that_comes_back_with_its_containers_ends_those_that_moved(void)
{
    struct sim sim;
    sim_begin(&sim, 4, 3);
    apply(&sim, 0, "web", 12);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_kill(&sim, 1); /* the agent only: its containers live on */
    sim_run(&sim, 10000);
    size_t duplicates;
    sim_running(&sim, "web", &duplicates);
    CU_ASSERT(duplicates > 0); /* Uniform prefers a second copy to none */
    sim_start(&sim, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 15000));
    sim_release(&sim);
}

static void an_agent_that_restarts_quickly_keeps_its_containers(void)
{
    struct sim sim;
    sim_begin(&sim, 5, 3);
    apply(&sim, 0, "web", 12);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    uint64_t made = sim.container_count;
    sim_kill(&sim, 1);
    sim_run(&sim, 100);
    sim_start(&sim, 1);
    sim_run(&sim, 15000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.container_count, made);
    sim_release(&sim);
}

static void a_power_cut_of_the_whole_cluster_loses_nothing_acknowledged(void)
{
    for (uint64_t seed = 30; seed < 40; seed++) {
        struct sim sim;
        sim_begin(&sim, seed, 3);
        apply(&sim, 0, "web", 6);
        apply(&sim, 1, "db", 1);
        for (size_t i = 0; i < 3; i++) {
            sim_kill(&sim, i);
            sim_kill_engine(&sim, i);
            sim_drop_unsynced(&sim, i);
        }
        sim_run(&sim, 1000);
        sim_start_all(&sim);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 20000));
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 6);
        CU_ASSERT_EQUAL(sim_running(&sim, "db", NULL), 1);
        sim_release(&sim);
    }
}

static void the_first_up_after_a_power_cut_does_not_adopt_the_world(void)
{
    struct sim sim;
    sim_begin(&sim, 41, 3);
    apply(&sim, 0, "web", 12);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    for (size_t i = 0; i < 3; i++)
        sim_kill(&sim, i);
    sim_start(&sim, 0);
    sim_run(&sim, 15000);
    uint64_t made = sim.container_count;
    CU_ASSERT_EQUAL(made, 12);
    sim_run(&sim, 30000); /* the start grace is over: now the others are dead */
    CU_ASSERT(sim.container_count > made);
    sim_release(&sim);
}

static void scaling_and_deleting_end_what_is_not_wanted(void)
{
    struct sim sim;
    sim_begin(&sim, 6, 3);
    apply(&sim, 0, "web", 10);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    apply(&sim, 1, "web", 4);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 4);
    apply(&sim, 2, "web", 7);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 7);
    sim_delete_workload(&sim, 1, "web");
    sim_run(&sim, 100);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[0].node).children, 0);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[0].node).names, 0);
    sim_release(&sim);
}

static void set_new_spec(struct workload *workload)
{
    workload->generation = 2;
    workload->spec_hash = 2;
}

static void a_new_spec_replaces_containers_one_at_a_time(void)
{
    struct sim sim;
    sim_begin(&sim, 7, 3);
    apply(&sim, 0, "web", 6);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_put_workload(&sim, 0, "web", 6, set_new_spec);
    size_t least = 6, old = 6;
    for (int i = 0; i < 3000 && old > 0; i++) {
        sim_run(&sim, 10);
        size_t running = sim_running(&sim, "web", NULL);
        least = running < least ? running : least;
        old = 0;
        for (size_t j = 0; j < sim.container_count; j++)
            old += sim.containers[j].container.state == CONTAINER_RUNNING &&
                   sim.containers[j].container.spec_hash == 1;
    }
    CU_ASSERT_EQUAL(old, 0);
    CU_ASSERT_EQUAL(least, 5);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    sim_release(&sim);
}

static void a_container_that_ends_is_restarted_with_back_off(void)
{
    struct sim sim;
    sim_begin(&sim, 8, 1);
    apply(&sim, 0, "web", 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    struct child_id id = {.ns = "default", .workload = "web"};
    struct child_view view;
    for (int i = 0; i < 6; i++) {
        sim_exit(&sim, sim.container_count - 1, 1);
        CU_ASSERT(query_child(sim.nodes[0].node, &id, &view));
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    }
    sim_exit(&sim, sim.container_count - 1, 1);
    sim_run(&sim, 100);
    CU_ASSERT(query_child(sim.nodes[0].node, &id, &view));
    CU_ASSERT_EQUAL(view.phase, CHILD_CRASH_LOOP_BACK_OFF);
    CU_ASSERT_EQUAL(view.restarts, 7);
    CU_ASSERT_EQUAL(view.epoch, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_release(&sim);
}

static void set_temporary(struct workload *workload)
{
    workload->restart = RESTART_TEMPORARY;
}

static void temporary_means_never_again_also_across_nodes(void)
{
    struct sim sim;
    sim_begin(&sim, 9, 3);
    sim_put_workload(&sim, 0, "job", 9, set_temporary);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), 9);
    uint64_t made = sim.container_count;
    sim_kill(&sim, 1);
    sim_kill_engine(&sim, 1);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(sim.container_count, made);
    size_t lost = 0;
    struct child_id id = {.ns = "default", .workload = "job"};
    for (id.ordinal = 0; id.ordinal < 9; id.ordinal++) {
        struct child_view view;
        CU_ASSERT(query_child(sim.nodes[0].node, &id, &view));
        lost += view.phase == CHILD_FAILED && strcmp(view.reason, "NodeLost") == 0;
    }
    CU_ASSERT(lost > 0);
    CU_ASSERT_EQUAL(lost + sim_running(&sim, "job", NULL), 9);
    sim_release(&sim);
}

static void sigterm_hands_each_child_over_and_exits_0(void)
{
    struct sim sim;
    sim_begin(&sim, 11, 3);
    apply(&sim, 0, "web", 12);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_stop(&sim, 1);
    sim_run(&sim, 1000); /* stop 50 ms, the last word, and the delay for users' answers */
    CU_ASSERT_EQUAL(sim.nodes[1].exit_status, 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    struct member_view view;
    sim_run(&sim, 10000);
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &view));
    CU_ASSERT_STRING_EQUAL(view.phase, "absent");
    sim_release(&sim);
}

static void a_split_heals_to_one_copy_each(void)
{
    for (uint64_t seed = 50; seed < 60; seed++) {
        struct sim sim;
        sim_begin(&sim, seed, 5);
        apply(&sim, 0, "web", 20);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        for (size_t a = 0; a < 2; a++)
            for (size_t b = 2; b < 5; b++)
                sim_cut(&sim, a, b, true);
        sim_run(&sim, 10000);
        for (size_t a = 0; a < 2; a++)
            for (size_t b = 2; b < 5; b++)
                sim_cut(&sim, a, b, false);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 5000));
        CU_ASSERT(sim_until(&sim, sim_is_converged, 15000));
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 20);
        sim_release(&sim);
    }
}

static void a_frozen_node_is_replaced_and_ends_its_copies_when_it_thaws(void)
{
    for (uint64_t seed = 60; seed < 70; seed++) {
        struct sim sim;
        sim_begin(&sim, seed, 3);
        apply(&sim, 0, "web", 12);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        sim_freeze(&sim, 2, true);
        sim_run(&sim, 8000);
        sim_freeze(&sim, 2, false);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 5000));
        CU_ASSERT(sim_until(&sim, sim_is_converged, 15000));
        sim_release(&sim);
    }
}

static void an_image_that_cannot_be_pulled_is_visible_and_retried(void)
{
    struct sim sim;
    sim_begin(&sim, 71, 1);
    sim.bad_image = "image:1";
    apply(&sim, 0, "web", 1);
    sim_run(&sim, 10000);
    struct child_id id = {.ns = "default", .workload = "web"};
    struct child_view view;
    CU_ASSERT(query_child(sim.nodes[0].node, &id, &view));
    CU_ASSERT_EQUAL(view.phase, CHILD_PULLING);
    CU_ASSERT_STRING_EQUAL(view.reason, "ImagePullBackOff");
    CU_ASSERT_STRING_EQUAL(view.message, "no such image");
    sim.bad_image = NULL;
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
    sim_release(&sim);
}

static void a_full_disk_refuses_writes_and_changes_nothing(void)
{
    struct sim sim;
    sim_begin(&sim, 72, 1);
    struct event disk = {.type = EVENT_DISK_STATE,
                         .now = {sim.now_ms, sim.now_ms},
                         .disk = {.failed = true, .message = "no space left on device"}};
    struct effects effects = {0};
    node_step(sim.nodes[0].node, &disk, &effects);
    effects_release(&effects);
    uint64_t id = sim_put_workload(&sim, 0, "web", 1, NULL);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 507);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[0].node).workloads, 0);
    sim_release(&sim);
}

static void messages_lost_doubled_and_late_change_nothing_in_the_end(void)
{
    for (uint64_t seed = 80; seed < 90; seed++) {
        struct sim sim;
        sim_init(&sim, seed, 4);
        sim.loss_percent = 10;
        sim.duplicate_percent = 10;
        sim.delay_ms_max = 50;
        sim_start_all(&sim);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 30000));
        sim_put_workload(&sim, 0, "web", 12, NULL);
        sim_run(&sim, 5000);
        sim_kill(&sim, 3);
        sim_kill_engine(&sim, 3);
        sim_run(&sim, 10000);
        sim_start(&sim, 3);
        sim_run(&sim, 10000);
        sim_delete_workload(&sim, 1, "web");
        sim_put_workload(&sim, 2, "db", 8, NULL);
        sim.loss_percent = 0;
        sim_run(&sim, 3000);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
        CU_ASSERT_EQUAL(sim_running(&sim, "db", NULL), 8);
        for (size_t i = 0; i < 4; i++)
            node_check(sim.nodes[i].node);
        sim_release(&sim);
    }
}

static void a_second_agent_under_one_name_is_refused(void)
{
    struct sim sim;
    sim_begin(&sim, 91, 2);
    sim.count = 3;
    TEXT_SET(sim.nodes[2].name, "n0");
    TEXT_SET(sim.nodes[2].address, "10.0.0.9:7370");
    sim.nodes[2].exit_status = -1;
    sim_start(&sim, 2);
    sim_run(&sim, 20000);
    CU_ASSERT_EQUAL(sim.nodes[2].exit_status, 1);
    CU_ASSERT(sim.nodes[0].node != NULL);
    sim_release(&sim);
}

static void an_idle_cluster_is_quiet(void)
{
    struct sim sim;
    sim_begin(&sim, 92, 3);
    apply(&sim, 0, "web", 30);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_run(&sim, 5000);
    uint64_t before = sim.nodes[0].sent_bytes;
    sim_run(&sim, 60000);
    uint64_t bytes_per_second = (sim.nodes[0].sent_bytes - before) / 60;
    printf("(idle: %llu bytes/s per node of 3) ", (unsigned long long)bytes_per_second);
    CU_ASSERT(bytes_per_second < 400);
    sim_release(&sim);
}

static void deleting_and_creating_again_never_reuses_an_epoch(void)
{
    struct sim sim;
    sim_begin(&sim, 93, 3);
    struct child_id id = {.ns = "default", .workload = "web"};
    struct child_view view;
    uint64_t epoch = 0;
    for (int i = 0; i < 3; i++) {
        apply(&sim, (size_t)i, "web", 1);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        CU_ASSERT(query_child(sim.nodes[0].node, &id, &view));
        CU_ASSERT(view.epoch > epoch);
        epoch = view.epoch;
        sim_delete_workload(&sim, 0, "web");
        sim_run(&sim, 5000);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
        CU_ASSERT(!query_child(sim.nodes[0].node, &id, &view));
    }
    sim_release(&sim);
}

UNIT_MAIN("cluster", {"a lone agent runs what it is given", a_lone_agent_runs_what_it_is_given},
          {"three agents share children",
           three_agents_share_children_and_answer_once_a_second_member_knows},
          {"a dead node's children run elsewhere exactly once",
           a_dead_nodes_children_run_elsewhere_exactly_once},
          {"a node that comes back ends what moved",
           a_node_that_comes_back_with_its_containers_ends_those_that_moved},
          {"an agent that restarts quickly keeps its containers",
           an_agent_that_restarts_quickly_keeps_its_containers},
          {"a death touches only what it held", a_death_touches_only_what_it_held},
          {"names resolve while their owners' nodes are frozen",
           names_resolve_while_their_owners_nodes_are_frozen},
          {"a power cut loses nothing acknowledged",
           a_power_cut_of_the_whole_cluster_loses_nothing_acknowledged},
          {"the first up does not adopt the world",
           the_first_up_after_a_power_cut_does_not_adopt_the_world},
          {"scaling and deleting", scaling_and_deleting_end_what_is_not_wanted},
          {"a new spec replaces containers one at a time",
           a_new_spec_replaces_containers_one_at_a_time},
          {"restart with back-off", a_container_that_ends_is_restarted_with_back_off},
          {"temporary means never again", temporary_means_never_again_also_across_nodes},
          {"SIGTERM hands over and exits 0", sigterm_hands_each_child_over_and_exits_0},
          {"a split heals to one copy each", a_split_heals_to_one_copy_each},
          {"a frozen node is replaced",
           a_frozen_node_is_replaced_and_ends_its_copies_when_it_thaws},
          {"an image that cannot be pulled", an_image_that_cannot_be_pulled_is_visible_and_retried},
          {"a full disk refuses writes", a_full_disk_refuses_writes_and_changes_nothing},
          {"loss, duplication, delay", messages_lost_doubled_and_late_change_nothing_in_the_end},
          {"NodeNameTaken", a_second_agent_under_one_name_is_refused},
          {"epochs are not reused", deleting_and_creating_again_never_reuses_an_epoch},
          {"an idle cluster is quiet", an_idle_cluster_is_quiet})
