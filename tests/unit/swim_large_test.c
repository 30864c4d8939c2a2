/* The failure detector where each asks a few only (swim_circle.c), and many are lost at once. */
#include "unit.h"

#include "swim_net.h"

enum { LARGE = 100 };

/* Pairs of one who lives and one who does not, and is not known to be dead. */
static size_t pairs_missed(const struct net *net)
{
    size_t missed = 0;
    for (int i = 0; i < net->count; i++)
        for (int k = 0; k < net->count; k++)
            missed +=
                net->nodes[i].up && !net->nodes[k].up && net_phase(net, i, k) != PLACEMENT_DEAD;
    return missed;
}

static struct net *net_lose(int lost, uint64_t seed)
{
    struct net *net = net_new(LARGE, seed);
    net_run(net, 10000);
    CU_ASSERT_TRUE(net_all_alive(net));
    for (int i = 0; i < lost; i++)
        net_kill(net, i * 37 % LARGE);
    return net;
}

/* News of the dead go by way of the dead, and end. Who has not heard of one has no other way to
 * learn of it than from those who have: it asks only its own few. And where nearly all are gone,
 * each who is left takes itself for the slow one and gives everybody time. */
static void every_death_comes_to_all(void)
{
    static const struct {
        int lost;
        uint64_t within_ms;
    } losses[] = {{10, 6000}, {50, 6000}, {66, 9000}, {75, 13000}, {85, 22000}, {95, 300000}};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct net *net = net_lose(losses[i].lost, seed);
            net_run(net, losses[i].within_ms);
            CU_ASSERT_EQUAL(pairs_missed(net), 0);
            CU_ASSERT_EQUAL(net->false_deaths, 0);
            net_free(net);
        }
}

UNIT_MAIN("swim, large", {"every death comes to all", every_death_comes_to_all})
