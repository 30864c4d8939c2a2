/* What rumours may do to whom, and what those make of garbage. */
#include <string.h>

#include "agent/core/swim_message.h"
#include "swim_net.h"
#include "unit.h"

/* `from` tells `to` that `accuser` finds `subject` suspect or dead, at its present incarnation. */
static void net_accuse(struct net *net, int from, int to, enum swim_rumour_kind kind, int subject,
                       int accuser)
{
    struct swim *swim = net->nodes[to].swim;
    struct swim_message message = {.kind = SWIM_GOSSIP,
                                   .incarnation = swim_incarnation(swim, node_name(from))};
    struct swim_rumour_text rumour = {.kind = kind,
                                      .name = span_text(node_name(subject)),
                                      .incarnation = swim_incarnation(swim, node_name(subject)),
                                      .accuser = span_text(node_name(accuser))};
    struct buffer buffer = {0};
    swim_message_encode(&buffer, &message);
    swim_rumour_encode(&buffer, &rumour);
    net_receive(net, &(struct packet){.from = from, .to = to, .body = buffer_view(&buffer)});
    net_carry_out(net, to); /* net_receive has freed the body */
}

static void an_unannounced_death_is_checked_first(void)
{
    for (int offset = 0; offset < 10; offset++) {
        struct net *net = net_new(4, 55);
        net_run(net, 5000 + 100 * (uint64_t)offset);
        uint64_t before = swim_incarnation(net->nodes[2].swim, "n2");
        net_accuse(net, 1, 0, RUMOUR_DEAD, 2, 1);
        CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_ALIVE);
        net_run(net, 200);
        CU_ASSERT_TRUE(net_all_alive(net));
        CU_ASSERT_TRUE(swim_incarnation(net->nodes[0].swim, "n2") > before);
        CU_ASSERT_EQUAL(net->false_deaths, 0);
        net_free(net);
    }
}

static void an_announced_death_is_believed(void)
{
    struct net *net = net_new(4, 56);
    net_run(net, 5000);
    net_freeze(net, 2, FOREVER);
    net_run(net, 400);
    net_accuse(net, 1, 0, RUMOUR_SUSPECT, 2, 1);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_SUSPECT);
    net_accuse(net, 1, 0, RUMOUR_DEAD, 2, 1);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_DEAD);
    net_free(net);
}

static void own_ears_are_believed_before_rumours(void)
{
    struct net *net = net_new(4, 57);
    net_run(net, 5000);
    uint64_t before = swim_incarnation(net->nodes[2].swim, "n2");
    swim_heard(net->nodes[0].swim, net->now_ms, "n2");
    net_accuse(net, 1, 0, RUMOUR_SUSPECT, 2, 1);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_ALIVE);
    net_run(net, 50); /* the accused is told, and contradicts */
    CU_ASSERT_TRUE(swim_incarnation(net->nodes[2].swim, "n2") > before);
    CU_ASSERT_TRUE(swim_incarnation(net->nodes[3].swim, "n2") > before);
    net_free(net);
}

static void the_dead_accuse_nobody(void)
{
    struct net *net = net_new(4, 58);
    net_run(net, 5000);
    net_kill(net, 1);
    net_run(net, 4000);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_DEAD);
    for (int round = 0; round < 20; round++) {
        net_run(net, 97);
        net_accuse(net, 1, 0, RUMOUR_SUSPECT, 2, 1);
        CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_ALIVE);
    }
    net_free(net);
}

/* Many accuse, the contradiction is lost on the way to us: we ask before we judge. */
static void nobody_is_judged_unasked(void)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct net *net = net_new(20, seed);
        net_run(net, 5000);
        for (int i = 1; i < 20; i++)
            net->cut[i][0] = true;
        net_run(net, 400);
        for (int accuser = 1; accuser <= 3; accuser++)
            net_accuse(net, accuser, 0, RUMOUR_SUSPECT, 5, accuser);
        net_run(net, 700);
        net->cut[5][0] = false;
        net_run(net, 1000);
        CU_ASSERT_EQUAL(net->dead_at_ms[0][5], 0);
        net_free(net);
    }
}

/* The suspicion began before the observer froze; afterwards the suspect has its full time again. */
static void a_suspicion_begins_anew_after_a_freeze(void)
{
    struct net *net = net_new(2, 59);
    net_run(net, 5000);
    net_freeze(net, 1, net->now_ms + 7500);
    net_run(net, 1800);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_SUSPECT);
    net_freeze(net, 0, net->now_ms + 5000);
    net_run(net, 8000);
    CU_ASSERT_EQUAL(net->dead_at_ms[0][1], 0);
    CU_ASSERT_TRUE(net_all_alive(net));
    net_free(net);
}

/* Bodies that are almost right, from members, strangers and ourselves. */
static void garbage_is_survived(void)
{
    struct net *net = net_new(6, 61);
    net_run(net, 2000);
    net_freeze(net, 5, FOREVER);
    unsigned good = 0, bad = 0;
    for (int round = 0; round < 60000; round++) {
        if (net->flying.count == 0 || round % 16 == 0)
            net_run(net, 10);
        if (net->flying.count == 0)
            continue;
        size_t pick = (size_t)random_below(&net->random, net->flying.count);
        struct span body = net->flying.items[pick].body;
        size_t bytes = (size_t)random_below(&net->random, body.bytes + 8);
        uint8_t *copy = xcalloc(1, bytes + 1);
        memcpy(copy, body.data, bytes < body.bytes ? bytes : body.bytes);
        for (uint64_t flips = random_below(&net->random, 6); bytes > 0 && flips > 0; flips--)
            copy[random_below(&net->random, bytes)] ^=
                (uint8_t)(1u << random_below(&net->random, 8));
        static const char *const senders[] = {"n0", "n1", "n2", "n5", "stranger", ""};
        const char *from = senders[random_below(&net->random, 6)];
        uint8_t payload[SWIM_PAYLOAD_BYTES];
        bool has_payload;
        struct swim *swim = net->nodes[round % 5].swim;
        bool fine = swim_receive(swim, net->now_ms, from, span_of(copy, bytes), &net->effects,
                                 &has_payload, payload);
        *(fine ? &good : &bad) += 1;
        effects_clear(&net->effects); /* what it answers may go anywhere */
        free(copy);
    }
    CU_ASSERT_TRUE(good > 1000 && bad > 1000);
    net_free(net);
}

UNIT_MAIN("swim_rumour",
          {"an unannounced death is checked first", an_unannounced_death_is_checked_first},
          {"an announced death is believed", an_announced_death_is_believed},
          {"own ears are believed before rumours", own_ears_are_believed_before_rumours},
          {"the dead accuse nobody", the_dead_accuse_nobody},
          {"nobody is judged unasked", nobody_is_judged_unasked},
          {"a suspicion begins anew after a freeze", a_suspicion_begins_anew_after_a_freeze},
          {"garbage is survived", garbage_is_survived})
