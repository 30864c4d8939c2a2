/* What members have noted, gathered by one of them (agent/core/gather.c). */
#include <string.h>

#include "agent/core/journal.h"
#include "tests/sim/story.h"

static struct buffer found; /* of the last answer to REQUEST_EVENTS */

static void watch(struct sim *sim, size_t index, const struct reply *reply)
{
    (void)sim, (void)index;
    if (reply->found.bytes > 0) {
        buffer_clear(&found);
        buffer_append(&found, reply->found.data, reply->found.bytes);
    }
}

static const struct reply *ask(struct sim *sim, size_t index, uint64_t within_ms)
{
    struct request request = {.kind = REQUEST_EVENTS};
    buffer_clear(&found);
    sim->watch_reply = watch;
    uint64_t id = sim_request(sim, index, &request);
    sim_run(sim, within_ms);
    return sim_reply(sim, id);
}

/* How often anybody noted it; member NULL: whoever. */
static unsigned noted(const char *member, const char *name, const char *reason)
{
    struct reader members = reader_of(buffer_view(&found));
    unsigned count = 0;
    while (reader_left(&members) > 0) {
        struct span who = reader_span(&members, NAME_BYTES_MAX);
        struct reader entries = reader_of(reader_span(&members, found.bytes));
        struct journal_entry entry;
        CU_ASSERT_FATAL(!members.failed);
        while (journal_decode(&entries, &entry))
            if ((!member || span_equal(who, span_text(member))) &&
                span_equal(entry.name, span_text(name)) &&
                span_equal(entry.reason, span_text(reason)))
                count += entry.count;
        CU_ASSERT_FALSE(entries.failed);
    }
    return count;
}

static void begin(struct sim *sim, uint64_t seed)
{
    story_begin(sim, seed, 3);
    story_run(sim, 0, "web", 3, NULL);
}

static void any_member_tells_of_all(void)
{
    struct sim sim;
    begin(&sim, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct reply *reply = ask(&sim, i, 100);
        CU_ASSERT_FATAL(reply != NULL && reply->status == 200);
        CU_ASSERT_STRING_EQUAL(reply->message, "");
        for (uint32_t ordinal = 0; ordinal < 3; ordinal++) {
            char name[] = "web-0";
            name[4] = (char)('0' + ordinal);
            const char *holder = story_child(&sim, 0, "web", ordinal).node;
            CU_ASSERT_EQUAL(noted(holder, name, "Started"), 1);
            CU_ASSERT_EQUAL(noted(NULL, name, "Started"), 1);
            CU_ASSERT_EQUAL(noted(NULL, name, "Placed"), 1);
        }
        CU_ASSERT_EQUAL(noted(NULL, "n2", "AgentStarted"), 1);
    }
    sim_release(&sim);
}

static void who_is_silent_is_named(void)
{
    struct sim sim;
    begin(&sim, 2);
    sim_freeze(&sim, 2, true);
    const struct reply *reply = ask(&sim, 0, 500);
    CU_ASSERT(reply == NULL);
    sim_run(&sim, 700);
    reply = sim_reply(&sim, sim.last_request);
    CU_ASSERT_FATAL(reply != NULL && reply->status == 200);
    CU_ASSERT_STRING_EQUAL(reply->message, "n2");
    CU_ASSERT(noted("n1", "n1", "AgentStarted") == 1 && noted("n2", "n2", "AgentStarted") == 0);
    sim_release(&sim);
}

static void a_move_is_told_by_the_new_holder(void)
{
    struct sim sim;
    begin(&sim, 3);
    const char *names[] = {"web-0", "web-1", "web-2"};
    bool moves[3];
    for (uint32_t i = 0; i < 3; i++)
        moves[i] = strcmp(story_child(&sim, 0, "web", i).node, "n2") == 0;
    sim_kill(&sim, 2);
    sim_kill_engine(&sim, 2);
    sim_run(&sim, 8000);
    const struct reply *reply = ask(&sim, 0, 100);
    CU_ASSERT_FATAL(reply != NULL);
    CU_ASSERT_STRING_EQUAL(reply->message, "");
    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(noted(story_child(&sim, 0, "web", i).node, names[i], "Moved"), moves[i]);
    CU_ASSERT(noted("n0", "n2", "Dead") == 1 && noted("n1", "n2", "Dead") == 1);
    sim_release(&sim);
    buffer_release(&found);
}

/* Both sides of a cut change one document: whose edit is lost says so, and nobody else. */
static void a_lost_edit_is_told_by_the_agent_that_took_it(void)
{
    struct sim sim;
    begin(&sim, 5);
    sim_cut(&sim, 0, 1, true);
    sim_cut(&sim, 0, 2, true);
    sim_put_workload(&sim, 0, "web", 4, NULL);
    sim_put_workload(&sim, 1, "web", 5, NULL);
    sim_run(&sim, 500);
    sim_heal_cuts(&sim);
    sim_run(&sim, 8000);
    const struct reply *reply = ask(&sim, 2, 100);
    CU_ASSERT_FATAL(reply != NULL);
    struct workload_view view;
    CU_ASSERT_FATAL(query_workload(sim.nodes[2].node, "default", "web", &view));
    const char *loser = view.workload->replicas == 4 ? "n1" : "n0";
    CU_ASSERT_EQUAL(noted(loser, "web", "ConcurrentEdit"), 1);
    CU_ASSERT_EQUAL(noted(NULL, "web", "ConcurrentEdit"), 1);
    sim_put_workload(&sim, 2, "web", 3, NULL); /* one that knows both is no conflict */
    sim_run(&sim, 1000);
    ask(&sim, 2, 100);
    CU_ASSERT_EQUAL(noted(NULL, "web", "ConcurrentEdit"), 1);
    sim_release(&sim);
    buffer_release(&found);
}

static void too_many_at_once_are_refused(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    sim_freeze(&sim, 2, true);
    struct request request = {.kind = REQUEST_EVENTS};
    uint64_t last = 0;
    for (int i = 0; i < 9; i++)
        last = sim_request(&sim, 0, &request);
    sim_run(&sim, 10);
    CU_ASSERT_FATAL(sim_reply(&sim, last) != NULL);
    CU_ASSERT_EQUAL(sim_reply(&sim, last)->status, 429);
    CU_ASSERT(sim_reply(&sim, last - 1) == NULL);
    sim_run(&sim, 1100);
    CU_ASSERT(sim_reply(&sim, last - 1) != NULL);
    sim_release(&sim);
}

UNIT_MAIN("events", {"any member tells of all", any_member_tells_of_all},
          {"who is silent is named", who_is_silent_is_named},
          {"a lost edit is told by the agent that took it",
           a_lost_edit_is_told_by_the_agent_that_took_it},
          {"too many at once are refused", too_many_at_once_are_refused},
          {"a move is told by the new holder", a_move_is_told_by_the_new_holder})
