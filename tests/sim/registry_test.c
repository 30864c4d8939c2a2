/* The registry, each rule a scene: names of outside processes that are renewed, forgotten, taken
 * over and fought for, and the meta. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

enum { TTL_MS = 5000 };

/* --- Sentences -------------------------------------------------------------------------------- */

static struct registration registration_of(const char *owner)
{
    struct registration registration = {.address = "10.0.0.9", .port = 5432, .ttl_ms = TTL_MS};
    memcpy(registration.owner, owner, strlen(owner));
    return registration;
}

static uint64_t send_name(struct sim *sim, size_t index, const struct registration *registration,
                          bool create)
{
    struct request request = {
        .kind = REQUEST_PUT_NAME, .ns = "default", .name = "db", .flag = create};
    request.registration = registration;
    return sim_request(sim, index, &request);
}

static int answer_of(struct sim *sim, uint64_t id)
{
    sim_run(sim, 300);
    for (int i = 0; i < 50 && !sim_reply(sim, id); i++)
        sim_run(sim, 100);
    CU_ASSERT_FATAL(sim_reply(sim, id) != NULL);
    return sim_reply(sim, id)->status;
}

static int register_name(struct sim *sim, size_t index, const char *owner)
{
    struct registration registration = registration_of(owner);
    return answer_of(sim, send_name(sim, index, &registration, false));
}

static int create_name(struct sim *sim, size_t index, const char *owner)
{
    struct registration registration = registration_of(owner);
    return answer_of(sim, send_name(sim, index, &registration, true));
}

static int unregister_name(struct sim *sim, size_t index, const char *owner)
{
    struct registration registration = registration_of(owner);
    struct request request = {.kind = REQUEST_DELETE_NAME, .ns = "default", .name = "db"};
    request.registration = &registration;
    return answer_of(sim, sim_request(sim, index, &request));
}

static struct name_view name_at(struct sim *sim, size_t index)
{
    struct name_view view = {.epoch = 0};
    bool there = query_name(sim->nodes[index].node, "default", "db", &view);
    CU_ASSERT_EQUAL(there, view.epoch > 0);
    return view;
}

static bool everywhere(struct sim *sim, bool there)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && (name_at(sim, i).epoch > 0) != there)
            return false;
    return true;
}

static bool is_gone_everywhere(struct sim *sim)
{
    return everywhere(sim, false);
}

static uint64_t bytes_sent(const struct sim *sim)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < sim->count; i++)
        bytes += sim->nodes[i].sent_bytes;
    return bytes;
}

/* --- One owner -------------------------------------------------------------------------------- */

static void a_name_lives_while_it_is_renewed_and_goes_when_it_is_not(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    CU_ASSERT(everywhere(&sim, true));
    for (int i = 0; i < 10; i++) {
        sim_run(&sim, 3000);
        CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    }
    CU_ASSERT(everywhere(&sim, true));
    CU_ASSERT_EQUAL(name_at(&sim, 2).epoch, 1); /* it was written once */
    sim_run(&sim, TTL_MS - 1000);
    CU_ASSERT(everywhere(&sim, true));
    CU_ASSERT(sim_until(&sim, is_gone_everywhere, 2000));
    CU_ASSERT_EQUAL(unregister_name(&sim, 0, "me"), 404);
    sim_release(&sim);
}

/* What a cluster with a thousand renewals a minute sends, it sends without them as well. */
static void renewals_send_nothing(void)
{
    uint64_t bytes[2];
    for (int renewed = 0; renewed < 2; renewed++) {
        struct sim sim;
        story_begin(&sim, 2, 3);
        CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
        sim_run(&sim, 1000);
        uint64_t before = bytes_sent(&sim);
        for (int i = 0; i < 10; i++) {
            int status = renewed ? register_name(&sim, 0, "me") : 200;
            CU_ASSERT_EQUAL(status, 200);
            sim_run(&sim, renewed ? 200 : 500);
        }
        bytes[renewed] = bytes_sent(&sim) - before;
        sim_release(&sim);
    }
    CU_ASSERT(bytes[1] < bytes[0] + bytes[0] / 20);
}

static void only_the_owner_may_change_or_end_it(void)
{
    struct sim sim;
    story_begin(&sim, 3, 3);
    CU_ASSERT_EQUAL(create_name(&sim, 0, "me"), 200);
    CU_ASSERT_EQUAL(create_name(&sim, 1, "you"), 409);
    CU_ASSERT_EQUAL(register_name(&sim, 1, "you"), 403);
    CU_ASSERT_EQUAL(unregister_name(&sim, 1, "you"), 403);
    CU_ASSERT_EQUAL(create_name(&sim, 0, "me"), 200); /* a repeated request is no conflict */
    struct registration changed = registration_of("me");
    changed.value = "{\"tier\":\"gold\"}";
    CU_ASSERT_EQUAL(answer_of(&sim, send_name(&sim, 0, &changed, false)), 200);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_STRING_EQUAL(name_at(&sim, i).value, "{\"tier\":\"gold\"}");
    CU_ASSERT_EQUAL(unregister_name(&sim, 2, "me"), 200); /* whichever agent is asked */
    CU_ASSERT(everywhere(&sim, false));
    CU_ASSERT_EQUAL(create_name(&sim, 1, "you"), 200);
    CU_ASSERT(name_at(&sim, 0).epoch >= 1);
    sim_release(&sim);
}

static void whoever_is_asked_to_renew_takes_it_over(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    CU_ASSERT_STRING_EQUAL(name_at(&sim, 2).node, "n0");
    for (int i = 0; i < 4; i++) {
        sim_run(&sim, 3000);
        CU_ASSERT_EQUAL(register_name(&sim, 1, "me"), 200);
        CU_ASSERT_STRING_EQUAL(name_at(&sim, 2).node, "n1");
        CU_ASSERT_EQUAL(name_at(&sim, 2).epoch, 2);
    }
    sim_release(&sim);
}

/* --- Agents that die -------------------------------------------------------------------------- */

static void of_a_dead_agent_it_ends_in_its_time(void)
{
    struct sim sim;
    story_begin(&sim, 5, 3);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    sim_kill(&sim, 0);
    sim_run(&sim, TTL_MS - 1000);
    CU_ASSERT(everywhere(&sim, true)); /* its owner may still come to another agent */
    CU_ASSERT_EQUAL(create_name(&sim, 1, "you"), 409);
    CU_ASSERT(sim_until(&sim, is_gone_everywhere, 8000));
    CU_ASSERT_EQUAL(create_name(&sim, 1, "you"), 200);
    sim_start(&sim, 0); /* its disk still has it */
    sim_run(&sim, 3000);
    CU_ASSERT(everywhere(&sim, true));
    CU_ASSERT_STRING_EQUAL(name_at(&sim, 0).node, "n1");
    sim_release(&sim);
}

static void an_owner_that_goes_to_another_agent_keeps_it_without_a_gap(void)
{
    struct sim sim;
    story_begin(&sim, 6, 3);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    sim_kill(&sim, 0);
    for (int i = 0; i < 20; i++) {
        sim_run(&sim, 700);
        CU_ASSERT_EQUAL(register_name(&sim, 1 + i % 2, "me"), 200);
        CU_ASSERT(everywhere(&sim, true));
    }
    sim_start(&sim, 0);
    for (int i = 0; i < 5; i++) {
        sim_run(&sim, 1700);
        CU_ASSERT_EQUAL(register_name(&sim, 1, "me"), 200);
    }
    CU_ASSERT(everywhere(&sim, true));
    sim_release(&sim);
}

static void it_survives_a_restart_of_its_agent_and_a_power_cut(void)
{
    struct sim sim;
    story_begin(&sim, 7, 3);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    for (size_t i = 0; i < 3; i++)
        sim_kill(&sim, i);
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    CU_ASSERT(everywhere(&sim, true));
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    CU_ASSERT(sim_until(&sim, is_gone_everywhere, TTL_MS + 8000));
    sim_release(&sim);
}

static void a_frozen_agent_does_not_blame_the_owner(void)
{
    struct sim sim;
    story_begin(&sim, 8, 1);
    CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
    sim_freeze(&sim, 0, true);
    sim_run(&sim, 4 * TTL_MS);
    sim_freeze(&sim, 0, false);
    sim_run(&sim, 500);
    CU_ASSERT(everywhere(&sim, true));
    CU_ASSERT(sim_until(&sim, is_gone_everywhere, TTL_MS + 1000));
    sim_release(&sim);
}

/* --- Splits ----------------------------------------------------------------------------------- */

static void both_sides_of_a_split_register_one_name_and_one_remains(void)
{
    int won[2] = {0};
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct sim sim;
        char owners[2][8];
        story_begin(&sim, 20 + seed, 3);
        story_cut(&sim, 0, true);
        sim_run(&sim, 8000);
        for (size_t i = 0; i < 2; i++) {
            snprintf(owners[i], sizeof owners[i], "%c%u", (int)('a' + i), (unsigned)seed);
            struct registration registration = registration_of(owners[i]);
            registration.ttl_ms = 60000;
            CU_ASSERT_EQUAL(answer_of(&sim, send_name(&sim, i, &registration, true)), 200);
        }
        sim_heal_cuts(&sim);
        sim_run(&sim, 3000);
        uint64_t asked_ms = sim.now_ms;
        int first = register_name(&sim, 0, owners[0]), second = register_name(&sim, 1, owners[1]);
        CU_ASSERT(sim.now_ms - asked_ms < 1000); /* what has won is acknowledged when asked for */
        CU_ASSERT((first == 200) != (second == 200));
        CU_ASSERT(first == 403 || second == 403);
        won[first == 200]++;
        sim_run(&sim, 1000);
        for (size_t i = 0; i < 3; i++)
            CU_ASSERT_STRING_EQUAL_FATAL(name_at(&sim, i).node, first == 200 ? "n0" : "n1");
        CU_ASSERT(sim_maps_are_equal(&sim));
        sim_release(&sim);
    }
    CU_ASSERT(won[0] > 0 && won[1] > 0); /* the order has no favourite */
}

static void set_db(struct workload *workload)
{
    static struct workload_name name = {.name = "db"};
    workload->names = &name;
    workload->name_count = 1;
}

static void set_db_or_stop(struct workload *workload)
{
    set_db(workload);
    workload->on_name_conflict = NAME_CONFLICT_STOP;
}

static void a_child_waits_for_a_name_that_somebody_outside_has(void)
{
    for (int stop = 0; stop < 2; stop++) {
        struct sim sim;
        story_begin(&sim, 9, 3);
        CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 200);
        story_put(&sim, 1, "db", 1, stop ? set_db_or_stop : set_db);
        sim_run(&sim, 2000);
        struct child_view child = story_child(&sim, 2, "db", 0);
        CU_ASSERT_STRING_EQUAL(child.reason, stop ? "name_conflict" : "NameConflict");
        CU_ASSERT_PTR_NOT_NULL(strstr(child.message, "token/"));
        struct workload_view workload;
        CU_ASSERT_FATAL(query_workload(sim.nodes[2].node, "default", "db", &workload));
        CU_ASSERT_EQUAL(workload.conflicts, 1);
        CU_ASSERT(sim_until(&sim, sim_is_converged, TTL_MS + 3000));
        CU_ASSERT_STRING_EQUAL(name_at(&sim, 0).owner, "default/db/0");
        CU_ASSERT_EQUAL(register_name(&sim, 0, "me"), 403);
        CU_ASSERT_EQUAL(create_name(&sim, 0, "me"), 409);
        CU_ASSERT(query_workload(sim.nodes[2].node, "default", "db", &workload));
        CU_ASSERT_EQUAL(workload.conflicts, 0);
        sim_release(&sim);
    }
}

/* --- A child's own value -----------------------------------------------------------------------
 */

static int set_value(struct sim *sim, size_t index, uint64_t epoch, const char *value)
{
    struct request request = {.kind = REQUEST_SET_VALUE,
                              .ns = "default",
                              .name = "db",
                              .child = {.ns = "default", .workload = "db"},
                              .epoch = epoch,
                              .value = value};
    TEXT_SET(request.uid, story_child(sim, index, "db", 0).uid);
    return answer_of(sim, sim_request(sim, index, &request));
}

static void a_child_updates_the_value_of_its_own_name_only(void)
{
    struct sim sim;
    story_begin(&sim, 13, 3);
    story_run(&sim, 0, "db", 1, NULL);
    size_t holder = story_where(&sim, "db", NULL), other = (holder + 1) % 3;
    CU_ASSERT_PTR_NULL(name_at(&sim, other).value);
    CU_ASSERT_EQUAL(set_value(&sim, holder, 1, "{\"load\":3}"), 200);
    CU_ASSERT_EQUAL(set_value(&sim, holder, 2, "4"), 403); /* of another epoch */
    CU_ASSERT_EQUAL(set_value(&sim, other, 1, "4"), 403);  /* not its agent */
    sim_run(&sim, 20000);                                  /* whatever is decided anew */
    CU_ASSERT_STRING_EQUAL(name_at(&sim, other).value, "{\"load\":3}");
    sim_kill(&sim, holder);
    sim_start(&sim, holder);
    sim_run(&sim, 8000);
    CU_ASSERT_STRING_EQUAL(name_at(&sim, other).value, "{\"load\":3}");
    sim_kill(&sim, holder);
    sim_kill_engine(&sim, holder);
    sim_run(&sim, 8000);
    CU_ASSERT_EQUAL(name_at(&sim, other).epoch > 0, true);
    CU_ASSERT_PTR_NULL(name_at(&sim, other).value); /* its successor has not said anything */
    sim_release(&sim);
}

/* --- Meta ------------------------------------------------------------------------------------- */

static int put_meta(struct sim *sim, size_t index, const char *name, const char *value)
{
    struct request request = {
        .kind = value ? REQUEST_PUT_META : REQUEST_DELETE_META, .ns = "default", .value = value};
    TEXT_SET(request.name, name);
    return answer_of(sim, sim_request(sim, index, &request));
}

static const char *meta_at(struct sim *sim, size_t index, const char *name)
{
    struct meta_view view;
    return query_meta(sim->nodes[index].node, "default", name, &view) ? view.value : "none";
}

static void meta_is_put_read_and_removed_everywhere(void)
{
    struct sim sim;
    story_begin(&sim, 10, 3);
    CU_ASSERT_EQUAL(put_meta(&sim, 0, "limit", "3"), 200);
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 2, "limit"), "3");
    CU_ASSERT_EQUAL(put_meta(&sim, 1, "limit", "4"), 200); /* nobody owns it */
    CU_ASSERT_EQUAL(put_meta(&sim, 1, "limit", "4"), 200);
    CU_ASSERT_EQUAL(put_meta(&sim, 2, "limit", "4"), 200);
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 0, "limit"), "4");
    sim_kill(&sim, 1);
    sim_run(&sim, 5000);
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 0, "limit"), "4");
    CU_ASSERT_EQUAL(put_meta(&sim, 0, "limit", NULL), 200);
    CU_ASSERT_EQUAL(put_meta(&sim, 0, "limit", NULL), 404);
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 2, "limit"), "none");
    sim_release(&sim);
}

static void meta_of_both_sides_of_a_split_is_the_same_after_it(void)
{
    struct sim sim;
    story_begin(&sim, 11, 3);
    story_cut(&sim, 0, true);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(put_meta(&sim, 0, "limit", "1"), 200);
    CU_ASSERT_EQUAL(put_meta(&sim, 1, "limit", "2"), 200);
    sim_heal_cuts(&sim);
    sim_run(&sim, 4000);
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 0, "limit"), "2"); /* the last write */
    CU_ASSERT_STRING_EQUAL(meta_at(&sim, 2, "limit"), "2");
    sim_release(&sim);
}

static void the_meta_has_a_bound(void)
{
    struct sim sim;
    char name[16];
    story_begin(&sim, 12, 1);
    for (int i = 0; i <= METAS_MAX; i++) {
        struct request request = {.kind = REQUEST_PUT_META, .ns = "default", .value = "1"};
        snprintf(name, sizeof name, "m%d", i);
        TEXT_SET(request.name, name);
        uint64_t id = sim_request(&sim, 0, &request);
        sim_run(&sim, 20);
        CU_ASSERT_FATAL(sim_reply(&sim, id) != NULL);
        CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, i < METAS_MAX ? 200 : 403);
    }
    sim_release(&sim);
}

UNIT_MAIN("registry",
          {"a name lives while it is renewed and goes when it is not",
           a_name_lives_while_it_is_renewed_and_goes_when_it_is_not},
          {"renewals send nothing", renewals_send_nothing},
          {"only the owner may change or end it", only_the_owner_may_change_or_end_it},
          {"whoever is asked to renew takes it over", whoever_is_asked_to_renew_takes_it_over},
          {"of a dead agent it ends in its time", of_a_dead_agent_it_ends_in_its_time},
          {"an owner that goes to another agent keeps it without a gap",
           an_owner_that_goes_to_another_agent_keeps_it_without_a_gap},
          {"it survives a restart of its agent and a power cut",
           it_survives_a_restart_of_its_agent_and_a_power_cut},
          {"a frozen agent does not blame the owner", a_frozen_agent_does_not_blame_the_owner},
          {"both sides of a split register one name and one remains",
           both_sides_of_a_split_register_one_name_and_one_remains},
          {"a child waits for a name that somebody outside has",
           a_child_waits_for_a_name_that_somebody_outside_has},
          {"a child updates the value of its own name only",
           a_child_updates_the_value_of_its_own_name_only},
          {"meta is put, read and removed everywhere", meta_is_put_read_and_removed_everywhere},
          {"meta of both sides of a split is the same after it",
           meta_of_both_sides_of_a_split_is_the_same_after_it},
          {"the meta has a bound", the_meta_has_a_bound})
