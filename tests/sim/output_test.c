/* hordelet logs, its way from the holder's engine to the client of any agent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/story.h"

/* A client: what it has got, and whether it takes it. */
static struct client {
    uint64_t id;
    size_t node;
    struct buffer text;
    size_t waiting, waiting_max; /* not taken */
    bool takes, ended;
    int status;
    char message[512];
} client;

static void client_hears(struct sim *sim, size_t index, const struct reply *reply)
{
    if (index != client.node || reply->id != client.id)
        return;
    CU_ASSERT(!client.ended);
    buffer_append(&client.text, reply->found.data, reply->found.bytes);
    client.waiting += reply->found.bytes;
    if (client.waiting > client.waiting_max)
        client.waiting_max = client.waiting;
    client.ended = !reply->more;
    client.status = reply->status;
    TEXT_SET(client.message, reply->message);
    (void)sim;
}

static void client_tell(struct sim *sim, bool gone)
{
    struct event event = {
        .type = EVENT_CLIENT,
        .client = {.id = client.id, .taken_bytes = gone ? 0 : client.waiting, .gone = gone}};
    client.waiting = 0;
    sim_event(sim, client.node, &event);
}

static void client_ask(struct sim *sim, size_t node, const char *workload, bool follow)
{
    struct request request = {.kind = REQUEST_OUTPUT,
                              .output = {.follow = follow, .tail = OUTPUT_TAIL_ALL}};
    buffer_release(&client.text);
    client = (struct client){.node = node, .takes = true};
    sim->watch_reply = client_hears;
    TEXT_SET(request.child.ns, "default");
    TEXT_SET(request.child.workload, workload);
    client.id = sim->last_request + 1;
    CU_ASSERT_EQUAL(sim_request(sim, node, &request), client.id);
}

static void client_run(struct sim *sim, uint64_t duration_ms)
{
    for (uint64_t end_ms = sim->now_ms + duration_ms; sim->now_ms < end_ms && !client.ended;) {
        sim_run(sim, 10);
        if (client.takes && client.waiting > 0 && !client.ended)
            client_tell(sim, false);
    }
}

/* It is what that container has printed, from its first byte on. */
static void check_text(const char *container_id, size_t bytes)
{
    char *wanted = xmalloc(bytes + 1);
    sim_output_text(container_id, 0, bytes, wanted);
    CU_ASSERT_EQUAL(client.text.bytes, bytes);
    CU_ASSERT(client.text.bytes == bytes && memcmp(client.text.data, wanted, bytes) == 0);
    free(wanted);
}

static const char *begin(struct sim *sim, uint64_t seed, size_t *ret_holder)
{
    size_t container = 0;
    story_begin(sim, seed, 3);
    sim->printed_bytes = 1 << 20;
    story_run(sim, 0, "web", 1, NULL);
    *ret_holder = story_where(sim, "web", &container);
    return sim->containers[container].container.id;
}

static void all_of_it_comes_from_any_node(void)
{
    for (size_t node = 0; node < 3; node++) {
        struct sim sim;
        size_t holder;
        const char *id = begin(&sim, 1, &holder);
        client_ask(&sim, node, "web", false);
        client_run(&sim, 20000);
        CU_ASSERT(client.ended && client.status == 200);
        check_text(id, 1 << 20);
        CU_ASSERT(client.waiting_max <= OUTPUT_WINDOW_BYTES + OUTPUT_SLACK_BYTES);
        sim_run(&sim, 100);
        CU_ASSERT_EQUAL(sim.output_count, 0);
        sim_release(&sim);
    }
}

static void lost_and_doubled_messages_change_nothing(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim sim;
        size_t holder;
        const char *id = begin(&sim, seed, &holder);
        sim.loss_percent = 15;
        sim.duplicate_percent = 10;
        sim.delay_ms_max = 60; /* they also overtake each other */
        client_ask(&sim, (holder + 1) % 3, "web", false);
        client_run(&sim, 300000);
        CU_ASSERT(client.ended && client.status == 200);
        check_text(id, 1 << 20);
        sim_release(&sim);
    }
}

static void who_reads_slowly_stops_the_reading(void)
{
    for (size_t away = 0; away < 2; away++) {
        struct sim sim;
        size_t holder;
        const char *id = begin(&sim, 3, &holder);
        client_ask(&sim, (holder + away) % 3, "web", false);
        client.takes = false;
        client_run(&sim, 30000);
        CU_ASSERT(!client.ended);
        CU_ASSERT_EQUAL(client.text.bytes, OUTPUT_WINDOW_BYTES);
        CU_ASSERT_EQUAL_FATAL(sim.output_count, 1);
        CU_ASSERT_EQUAL(sim.outputs[0].told, OUTPUT_WINDOW_BYTES);
        client.takes = true;
        client_run(&sim, 20000);
        CU_ASSERT(client.ended && client.status == 200);
        check_text(id, 1 << 20);
        sim_release(&sim);
    }
}

static void it_is_followed_until_the_container_ends(void)
{
    struct sim sim;
    size_t holder, container = 0;
    const char *id = begin(&sim, 4, &holder);
    sim.printed_bytes = 32;
    client_ask(&sim, (holder + 1) % 3, "web", true);
    client_run(&sim, 3000);
    CU_ASSERT(!client.ended);
    check_text(id, 32);
    sim.print_bytes_per_ms = 16;
    client_run(&sim, 60000);
    CU_ASSERT(client.text.bytes > 50000u * 16);
    story_where(&sim, "web", &container);
    sim_exit(&sim, container, 1);
    client_run(&sim, 3000);
    CU_ASSERT(client.ended && client.status == 200);
    check_text(id, client.text.bytes);
    sim_release(&sim);
}

static void a_quiet_log_begins_all_the_same(void)
{
    for (size_t away = 0; away < 2; away++) {
        struct sim sim;
        size_t holder;
        begin(&sim, 4, &holder);
        sim.printed_bytes = 0;
        client_ask(&sim, (holder + away) % 3, "web", true);
        client_run(&sim, 60000);
        CU_ASSERT(!client.ended && client.status == 200);
        sim_release(&sim);
    }
}

/* The answer ends, and says why. */
static void the_death_of_the_holder_is_told(void)
{
    for (int cut = 0; cut < 2; cut++) {
        struct sim sim;
        size_t holder;
        begin(&sim, 5, &holder);
        client_ask(&sim, (holder + 1) % 3, "web", true);
        client_run(&sim, 5000);
        CU_ASSERT_EQUAL(client.text.bytes, 1 << 20);
        if (cut) {
            story_cut(&sim, holder, true);
        } else {
            sim_kill(&sim, holder);
            sim_kill_engine(&sim, holder);
        }
        client_run(&sim, 6000);
        CU_ASSERT(client.ended && client.status >= 500);
        CU_ASSERT(strstr(client.message, "the log ends here: ") != NULL);
        CU_ASSERT(strstr(client.message, sim.nodes[holder].name) != NULL);
        sim_run(&sim, 12000);
        CU_ASSERT_EQUAL(sim.output_count, 0); /* also on the other side of the cut */
        sim_release(&sim);
    }
}

static void the_end_of_the_holders_agent_is_told(void)
{
    struct sim sim;
    size_t holder;
    begin(&sim, 6, &holder);
    client_ask(&sim, (holder + 1) % 3, "web", true);
    client_run(&sim, 5000);
    struct request request = {.kind = REQUEST_DETACH, .away_ms = DETACH_MS_DEFAULT};
    sim_request(&sim, holder, &request);
    client_run(&sim, 6000);
    CU_ASSERT(client.ended && client.status == 503);
    sim_release(&sim);
}

static void who_goes_away_ends_the_reading(void)
{
    for (size_t away = 0; away < 2; away++)
        for (int lost = 0; lost < 2; lost++) {
            struct sim sim;
            size_t holder;
            begin(&sim, 7, &holder);
            sim.print_bytes_per_ms = 1;
            client_ask(&sim, (holder + away) % 3, "web", true);
            client_run(&sim, 5000);
            CU_ASSERT_EQUAL(sim.output_count, 1);
            sim_cut_one_way(&sim, client.node, holder, lost && away);
            client_tell(&sim, true);
            sim_run(&sim, 100);
            sim_heal_cuts(&sim);
            sim_run(&sim, 2000);
            CU_ASSERT_EQUAL(sim.output_count, 0);
            sim_release(&sim);
        }
}

/* The asked agent has not heard yet that the child has moved. */
static void the_question_goes_on_to_where_the_child_is(void)
{
    struct sim sim;
    size_t holder, container = 0;
    begin(&sim, 8, &holder);
    size_t asked = (holder + 1) % 3, next = (holder + 2) % 3;
    story_request(&sim, holder, REQUEST_SET_UNSCHEDULABLE, sim.nodes[holder].name, true);
    sim_cut(&sim, asked, holder, true);
    sim_cut(&sim, asked, next, true);
    struct request request = {.kind = REQUEST_DELETE_CHILD};
    TEXT_SET(request.child.ns, "default");
    TEXT_SET(request.child.workload, "web");
    sim_request(&sim, holder, &request);
    sim_run(&sim, 700);
    CU_ASSERT_EQUAL_FATAL(story_where(&sim, "web", &container), next);
    CU_ASSERT_STRING_EQUAL(story_child(&sim, asked, "web", 0).node, sim.nodes[holder].name);
    sim_heal_cuts(&sim);
    client_ask(&sim, asked, "web", false);
    client_run(&sim, 20000);
    CU_ASSERT(client.ended && client.status == 200);
    check_text(sim.containers[container].container.id, 1 << 20);
    sim_release(&sim);
}

static void an_engine_that_breaks_or_hangs_is_told(void)
{
    struct sim sim;
    size_t holder;
    begin(&sim, 9, &holder);
    client_ask(&sim, (holder + 1) % 3, "web", true);
    client_run(&sim, 5000);
    sim_engine_state(&sim, holder, false);
    client_run(&sim, 3000);
    CU_ASSERT(client.ended && client.status == 503);
    CU_ASSERT(strstr(client.message, "the engine of n") != NULL);
    client_ask(&sim, (holder + 1) % 3, "web", true);
    client_run(&sim, 3000);
    CU_ASSERT(client.ended && client.status == 503 && client.text.bytes == 0);
    sim_engine_state(&sim, holder, true);
    sim.output_hangs = true;
    client_ask(&sim, holder, "web", false);
    client_run(&sim, 15000);
    CU_ASSERT(client.ended && client.status == 504);
    sim_release(&sim);
}

static void what_is_not_there_is_refused(void)
{
    struct sim sim;
    story_begin(&sim, 10, 3);
    client_ask(&sim, 0, "nobody", false);
    client_run(&sim, 1000);
    CU_ASSERT(client.ended && client.status == 404);
    sim.bad_image = "image:1";
    story_put(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 2000);
    client_ask(&sim, 1, "web", false);
    client_run(&sim, 1000);
    CU_ASSERT(client.ended && client.status == 400);
    sim_release(&sim);
    buffer_release(&client.text);
}

UNIT_MAIN("output", {"all of it comes from any node", all_of_it_comes_from_any_node},
          {"lost and doubled messages change nothing", lost_and_doubled_messages_change_nothing},
          {"who reads slowly stops the reading", who_reads_slowly_stops_the_reading},
          {"it is followed until the container ends", it_is_followed_until_the_container_ends},
          {"a quiet log begins all the same", a_quiet_log_begins_all_the_same},
          {"the death of the holder is told", the_death_of_the_holder_is_told},
          {"the end of the holders agent is told", the_end_of_the_holders_agent_is_told},
          {"who goes away ends the reading", who_goes_away_ends_the_reading},
          {"the question goes on to where the child is",
           the_question_goes_on_to_where_the_child_is},
          {"an engine that breaks or hangs is told", an_engine_that_breaks_or_hangs_is_told},
          {"what is not there is refused", what_is_not_there_is_refused})
