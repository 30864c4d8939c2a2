/* A small world for the failure detector: a deterministic network of many detectors with virtual
 * time, delay, loss, cuts, freezes and kills. Nothing here sleeps; every figure is a matter of the
 * seed. */
#ifndef TESTS_UNIT_SWIM_NET_H
#define TESTS_UNIT_SWIM_NET_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/random.h"
#include "agent/core/swim.h"

enum { NODES_MAX = 200, START_MS = 1000, GRACE_MS = 30000 };
#define FOREVER UINT64_MAX

/* --- the world ----------------------------------------------------------------------------- */

struct packet {
    uint64_t at_ms, order;
    int from, to;
    struct span body; /* owned */
};

struct queue {
    struct packet *items;
    size_t count, capacity;
};

struct net_node {
    struct swim *swim;
    bool up;
    uint64_t boot;
    uint64_t frozen_until_ms; /* 0: it runs */
    uint64_t deadline_ms;
    struct queue inbox; /* what arrived while it was frozen */
    uint64_t sent_count, sent_bytes, reconnects;
    uint64_t pause_next_ms;
};

struct net {
    int count;
    uint64_t now_ms, order;
    struct random random;
    uint64_t delay_ms_max;
    unsigned loss_percent;
    uint64_t pause_every_ms; /* 0: nobody is paused; else the mean time between pauses of a node */
    bool cut[NODES_MAX][NODES_MAX]; /* from, to */
    struct queue flying;            /* a heap */
    struct net_node nodes[NODES_MAX];
    uint64_t dead_at_ms[NODES_MAX][NODES_MAX]; /* observer, subject; 0: not */
    unsigned false_deaths;
    struct effects effects;
};

static inline bool packet_before(const struct packet *a, const struct packet *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static inline void queue_push(struct queue *queue, struct packet packet)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? 2 * queue->capacity : 64;
        queue->items = xrealloc(queue->items, queue->capacity * sizeof *queue->items);
    }
    size_t i = queue->count++;
    for (; i > 0 && packet_before(&packet, &queue->items[(i - 1) / 2]); i = (i - 1) / 2)
        queue->items[i] = queue->items[(i - 1) / 2];
    queue->items[i] = packet;
}

static inline struct packet queue_pop(struct queue *queue)
{
    struct packet first = queue->items[0], last = queue->items[--queue->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count &&
            packet_before(&queue->items[child + 1], &queue->items[child]))
            child++;
        if (!packet_before(&queue->items[child], &last))
            break;
        queue->items[i] = queue->items[child];
        i = child;
    }
    if (queue->count > 0)
        queue->items[i] = last;
    return first;
}

static inline void queue_drop(struct queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        free((void *)(uintptr_t)queue->items[i].body.data);
    free(queue->items);
    *queue = (struct queue){0};
}

static inline const char *node_name(int index)
{
    static char names[NODES_MAX][16];
    snprintf(names[index], sizeof names[index], "n%d", index);
    return names[index];
}

static inline void net_send(struct net *net, int from, const char *address, struct span body)
{
    struct net_node *node = &net->nodes[from];
    int to = atoi(address + 1);
    node->sent_count++;
    node->sent_bytes += body.bytes;
    bool lost = random_below(&net->random, 100) < net->loss_percent;
    if (lost || net->cut[from][to])
        return;
    uint64_t delay_ms = 1 + random_below(&net->random, net->delay_ms_max);
    queue_push(&net->flying, (struct packet){.at_ms = net->now_ms + delay_ms,
                                             .order = net->order++,
                                             .from = from,
                                             .to = to,
                                             .body = {xmemdup(body.data, body.bytes), body.bytes}});
}

static inline void net_note_changes(struct net *net, int index)
{
    const char *names[NODES_MAX];
    size_t count = swim_changes(net->nodes[index].swim, names, NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        int subject = atoi(names[i] + 1);
        if (swim_phase(net->nodes[index].swim, names[i]) != PLACEMENT_DEAD)
            continue;
        if (net->dead_at_ms[index][subject] == 0)
            net->dead_at_ms[index][subject] = net->now_ms;
        if (net->nodes[subject].up && net->nodes[subject].frozen_until_ms != FOREVER)
            net->false_deaths++;
    }
}

/* What the shell does after each step, and the tick that may be due. */
static inline void net_carry_out(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    while (swim_deadline(node->swim) <= net->now_ms)
        swim_tick(node->swim, net->now_ms, &net->effects);
    for (size_t i = 0; i < net->effects.count; i++) {
        const struct effect *effect = &net->effects.items[i];
        if (effect->type == EFFECT_SEND)
            net_send(net, index, effect->send.address, effect->send.bytes);
        else if (effect->type == EFFECT_RECONNECT)
            node->reconnects++;
    }
    effects_clear(&net->effects);
    net_note_changes(net, index);
    node->deadline_ms = swim_deadline(node->swim);
}

static inline void net_receive(struct net *net, const struct packet *packet)
{
    uint8_t payload[SWIM_PAYLOAD_BYTES];
    bool has_payload;
    bool good = swim_receive(net->nodes[packet->to].swim, net->now_ms, node_name(packet->from),
                             packet->body, &net->effects, &has_payload, payload);
    CU_ASSERT_TRUE(good);
    free((void *)(uintptr_t)packet->body.data);
}

static inline void net_deliver(struct net *net)
{
    struct packet packet = queue_pop(&net->flying);
    struct net_node *node = &net->nodes[packet.to];
    if (!node->up) {
        free((void *)(uintptr_t)packet.body.data);
    } else if (node->frozen_until_ms > 0) {
        queue_push(&node->inbox, packet);
    } else {
        net_receive(net, &packet);
        net_carry_out(net, packet.to);
    }
}

/* As the shell does: thaw first if the turn is late, then all that waits, then the tick. */
static inline void net_wake(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    node->frozen_until_ms = 0;
    if (net->now_ms > node->deadline_ms + FROZEN_AFTER_MS)
        swim_thaw(node->swim, net->now_ms);
    while (node->inbox.count > 0) {
        struct packet packet = queue_pop(&node->inbox);
        net_receive(net, &packet);
    }
    net_carry_out(net, index);
}

static inline void net_start(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    struct swim_config config = {.self_name = node_name(index),
                                 .self_address = node_name(index),
                                 .boot = ++node->boot,
                                 .start_grace_ms = GRACE_MS,
                                 .seed = random_next(&net->random)};
    node->swim = swim_new(&config, net->now_ms);
    for (int i = 0; i < net->count; i++)
        swim_add(node->swim, node_name(i), node_name(i));
    node->up = true;
    node->frozen_until_ms = 0;
    net_carry_out(net, index);
}

static inline struct net *net_new(int count, uint64_t seed)
{
    struct net *net = xcalloc(1, sizeof *net);
    net->count = count;
    net->now_ms = START_MS;
    net->random = random_of(seed);
    net->delay_ms_max = 3;
    for (int i = 0; i < count; i++)
        net_start(net, i);
    return net;
}

static inline void net_free(struct net *net)
{
    queue_drop(&net->flying);
    for (int i = 0; i < net->count; i++) {
        queue_drop(&net->nodes[i].inbox);
        swim_free(net->nodes[i].swim);
    }
    effects_release(&net->effects);
    free(net);
}

static inline void net_plan_pause(struct net *net, struct net_node *node)
{
    node->pause_next_ms = net->now_ms + 1 + random_below(&net->random, 2 * net->pause_every_ms);
}

/* When this node next does something by itself. */
static inline uint64_t node_next(struct net *net, struct net_node *node)
{
    if (!node->up)
        return FOREVER;
    if (node->frozen_until_ms > 0)
        return node->frozen_until_ms;
    if (net->pause_every_ms > 0 && node->pause_next_ms == 0)
        net_plan_pause(net, node);
    bool pauses = net->pause_every_ms > 0 && node->pause_next_ms < node->deadline_ms;
    return pauses ? node->pause_next_ms : node->deadline_ms;
}

static inline void net_step_node(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    if (node->frozen_until_ms > 0) {
        net_wake(net, index);
    } else if (net->pause_every_ms > 0 && node->pause_next_ms <= net->now_ms) {
        node->frozen_until_ms = net->now_ms + 1 + random_below(&net->random, 1000);
        net_plan_pause(net, node);
    } else {
        net_carry_out(net, index);
    }
}

static inline void net_run(struct net *net, uint64_t ms)
{
    uint64_t end_ms = net->now_ms + ms;
    for (;;) {
        int next = -1;
        uint64_t at_ms = net->flying.count > 0 ? net->flying.items[0].at_ms : FOREVER;
        for (int i = 0; i < net->count; i++) {
            uint64_t node_ms = node_next(net, &net->nodes[i]);
            if (node_ms < at_ms) {
                at_ms = node_ms;
                next = i;
            }
        }
        if (at_ms > end_ms)
            break;
        if (at_ms > net->now_ms)
            net->now_ms = at_ms;
        if (next < 0)
            net_deliver(net);
        else
            net_step_node(net, next);
    }
    net->now_ms = end_ms;
}

static inline void net_kill(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    node->up = false;
    swim_free(node->swim);
    node->swim = NULL;
}

/* The kernel's news to all who were connected. */
static inline void net_hint(struct net *net, int index)
{
    for (int i = 0; i < net->count; i++) {
        if (!net->nodes[i].up || net->nodes[i].frozen_until_ms > 0)
            continue;
        swim_hint_broken(net->nodes[i].swim, net->now_ms, node_name(index), &net->effects);
        net_carry_out(net, i);
    }
}

static inline void net_freeze(struct net *net, int index, uint64_t until_ms)
{
    net->nodes[index].frozen_until_ms = until_ms;
}

/* Both ways between the first `count` nodes and the rest. */
static inline void net_split(struct net *net, int count, bool cut)
{
    for (int i = 0; i < count; i++)
        for (int k = count; k < net->count; k++)
            net->cut[i][k] = net->cut[k][i] = cut;
}

static inline enum placement_phase net_phase(const struct net *net, int observer, int subject)
{
    return swim_phase(net->nodes[observer].swim, node_name(subject));
}

static inline bool net_all_see(const struct net *net, int subject, enum placement_phase phase)
{
    for (int i = 0; i < net->count; i++)
        if (i != subject && net->nodes[i].up && net->nodes[i].frozen_until_ms == 0 &&
            net_phase(net, i, subject) != phase)
            return false;
    return true;
}

static inline bool net_all_alive(const struct net *net)
{
    for (int i = 0; i < net->count; i++)
        if (net->nodes[i].up && !net_all_see(net, i, PLACEMENT_ALIVE))
            return false;
    return true;
}

/* Time until the last living observer has called it dead, from `since`; FOREVER if one has not. */
static inline uint64_t net_detection_ms(const struct net *net, int subject, uint64_t since_ms)
{
    uint64_t last_ms = 0;
    for (int i = 0; i < net->count; i++) {
        if (i == subject || !net->nodes[i].up || net->nodes[i].frozen_until_ms > 0)
            continue;
        uint64_t at_ms = net->dead_at_ms[i][subject];
        if (at_ms < since_ms)
            return FOREVER;
        if (at_ms - since_ms > last_ms)
            last_ms = at_ms - since_ms;
    }
    return last_ms;
}

#endif
