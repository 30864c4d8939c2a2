/* A network of sync machines over real maps, in virtual time, for sync_test.c and sync_law_test.c.
 *
 * Messages wait in a list ordered by arrival, then by number. Delay is fixed or random (random
 * delays reorder), messages are lost, doubled and cut off by side. Each node hears the summary of a
 * random reachable peer once a second, as probes would bring it. Everything follows from the seed.
 */
#ifndef TESTS_SYNC_NETWORK_H
#define TESTS_SYNC_NETWORK_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/random.h"
#include "agent/core/sync_private.h"

enum { NODES_MAX = 48 };

struct net_message {
    uint64_t at_ms, number;
    int from, to;
    size_t bytes;
    uint8_t *body;
};

struct net;
struct net_node {
    struct net *net;
    char name[32];
    struct awmap *map;
    struct sync *sync;
    uint64_t hlc;
    int side; /* nodes of different sides do not hear each other */
    bool down;
    struct buffer disk; /* records, each a length and its bytes */
};

struct net {
    uint64_t now_ms;
    struct random random;
    struct net_node nodes[NODES_MAX];
    int count;
    struct net_message *queue; /* a heap */
    size_t queue_count, queue_capacity;
    uint64_t number;
    uint64_t delay_min_ms, delay_max_ms;
    unsigned loss_percent, double_percent;
    bool summaries;
    uint64_t summary_ms;
    uint64_t messages, bytes, kinds[16], kind_bytes[16];
    int lose_kind; /* lose the next lose_count messages of this kind */
    int lose_count;
    size_t purge; /* tombstones dropped after each message */
};

/* --- The queue --- */

static inline bool net_before(const struct net_message *a, const struct net_message *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static inline void net_push_message(struct net *net, struct net_message message)
{
    if (net->queue_count == net->queue_capacity) {
        net->queue_capacity = net->queue_capacity ? 2 * net->queue_capacity : 64;
        net->queue = xrealloc(net->queue, net->queue_capacity * sizeof *net->queue);
    }
    size_t at = net->queue_count++;
    while (at > 0 && net_before(&message, &net->queue[(at - 1) / 2])) {
        net->queue[at] = net->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    net->queue[at] = message;
}

static inline struct net_message net_pop_message(struct net *net)
{
    struct net_message first = net->queue[0], last = net->queue[--net->queue_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= net->queue_count)
            break;
        if (child + 1 < net->queue_count && net_before(&net->queue[child + 1], &net->queue[child]))
            child++;
        if (!net_before(&net->queue[child], &last))
            break;
        net->queue[at] = net->queue[child];
        at = child;
    }
    net->queue[at] = last;
    return first;
}

static inline int net_find(const struct net *net, const char *name)
{
    for (int i = 0; i < net->count; i++) {
        if (strcmp(net->nodes[i].name, name) == 0)
            return i;
    }
    return -1;
}

static inline bool net_loses(struct net *net, int kind)
{
    if (net->lose_count > 0 && net->lose_kind == kind) {
        net->lose_count--;
        return true;
    }
    return random_below(&net->random, 100) < net->loss_percent;
}

static inline void net_send(void *context, const char *address, enum channel channel,
                            struct span body, struct effects *effects)
{
    struct net_node *node = context;
    struct net *net = node->net;
    (void)channel;
    (void)effects;
    int kind = body.data[1];
    net->messages++;
    net->bytes += body.bytes;
    net->kinds[kind]++;
    net->kind_bytes[kind] += body.bytes;
    assert(body.bytes <= GOSSIP_BYTES_MAX);
    unsigned copies = random_below(&net->random, 100) < net->double_percent ? 2 : 1;
    for (; copies > 0; copies--) {
        if (net_loses(net, kind))
            continue;
        uint64_t spread_ms = net->delay_max_ms - net->delay_min_ms + 1;
        net_push_message(net, (struct net_message){
                                  .at_ms = net->now_ms + net->delay_min_ms +
                                           random_below(&net->random, spread_ms),
                                  .number = net->number++,
                                  .from = (int)(node - net->nodes),
                                  .to = net_find(net, address),
                                  .bytes = body.bytes,
                                  .body = xmemdup(body.data, body.bytes),
                              });
    }
}

/* --- Nodes --- */

static inline void net_start_node(struct net *net, int index, uint64_t replica, uint64_t counter)
{
    struct net_node *node = &net->nodes[index];
    awmap_set_writer(node->map, replica, counter);
    node->sync = sync_new(node->map, random_next(&net->random));
    sync_set_self(node->sync, node->name);
    sync_set_send(node->sync, net_send, node);
    node->down = false;
}

static inline struct net *net_new(int count, uint64_t seed)
{
    struct net *net = xcalloc(1, sizeof *net);
    net->random = random_of(seed);
    net->count = count;
    net->now_ms = 1000000;
    net->delay_min_ms = net->delay_max_ms = 5;
    for (int i = 0; i < count; i++) {
        struct net_node *node = &net->nodes[i];
        node->net = net;
        snprintf(node->name, sizeof node->name, "node-%02d", i);
        node->map = awmap_new();
        net_start_node(net, i, (uint64_t)i + 1, 0);
    }
    return net;
}

static inline void net_free(struct net *net)
{
    while (net->queue_count > 0)
        free(net_pop_message(net).body);
    for (int i = 0; i < net->count; i++) {
        sync_free(net->nodes[i].sync);
        awmap_free(net->nodes[i].map);
        buffer_release(&net->nodes[i].disk);
    }
    free(net->queue);
    free(net);
}

static inline void net_know(struct net *net, int a, int b, bool alive)
{
    sync_set_peer(net->nodes[a].sync, net->nodes[b].name, net->nodes[b].name, alive);
}

static inline bool net_reach(const struct net *net, int a, int b)
{
    return a != b && !net->nodes[a].down && !net->nodes[b].down &&
           net->nodes[a].side == net->nodes[b].side;
}

/* Everybody learns who is alive; whoever comes back is compared with, as the core does. */
static inline void net_meet(struct net *net, bool compare)
{
    for (int a = 0; a < net->count; a++) {
        for (int b = 0; b < net->count; b++) {
            if (a == b || net->nodes[a].down)
                continue;
            struct sync_peer *peer = sync_peer_find(net->nodes[a].sync, net->nodes[b].name);
            bool alive = net_reach(net, a, b), fresh = alive && !(peer && sync_peer_is_alive(peer));
            net_know(net, a, b, alive);
            if (compare && fresh)
                sync_compare(net->nodes[a].sync, net->now_ms, net->nodes[b].name, NULL);
        }
    }
}

/* What a clean snapshot would hold. */
static inline void net_save(struct net *net, int index)
{
    struct net_node *node = &net->nodes[index];
    struct buffer record = {0};
    buffer_clear(&node->disk);
    const struct awmap_entry *entry = NULL;
    while ((entry = awmap_next_any(node->map, entry)) != NULL) {
        buffer_clear(&record);
        awmap_entry_record(entry, &record);
        buffer_span(&node->disk, buffer_view(&record));
    }
    buffer_clear(&record);
    awmap_vectors_record(node->map, &record);
    buffer_span(&node->disk, buffer_view(&record));
    buffer_release(&record);
}

static inline void net_stop(struct net *net, int index)
{
    net->nodes[index].down = true;
}

/* From what was saved last, or from nothing: an old image writes under a fresh id. */
static inline void net_restart(struct net *net, int index, bool emptied, uint64_t fresh_replica)
{
    struct net_node *node = &net->nodes[index];
    sync_free(node->sync);
    awmap_free(node->map);
    node->map = awmap_new();
    struct reader reader = reader_of(buffer_view(&node->disk));
    while (!emptied && reader_left(&reader) > 0) {
        bool good = awmap_restore(node->map, reader_span(&reader, SIZE_MAX));
        assert(good);
        (void)good;
    }
    awmap_changed_clear(node->map);
    net_start_node(net, index, fresh_replica, 0);
}

static inline void net_settle_feed(struct net *net, int index)
{
    awmap_changed_clear(net->nodes[index].map);
    if (net->purge > 0)
        awmap_purge(net->nodes[index].map, net->purge);
}

static inline struct dot net_put(struct net *net, int index, const char *key, const char *value)
{
    struct net_node *node = &net->nodes[index];
    struct dot dot = awmap_put(node->map, span_text(key), span_text(value), ++node->hlc);
    net_settle_feed(net, index);
    return dot;
}

static inline void net_remove(struct net *net, int index, const char *key)
{
    awmap_remove(net->nodes[index].map, span_text(key));
    net_settle_feed(net, index);
}

static inline void net_fill(struct net *net, int index, const char *prefix, int count)
{
    char key[64], value[128];
    memset(value, 'v', 100);
    value[100] = 0;
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "%s/%06d", prefix, i);
        awmap_put(net->nodes[index].map, span_text(key), span_text(value), ++net->nodes[index].hlc);
    }
    net_settle_feed(net, index);
}

static inline void net_share(struct net *net, int index, bool ack)
{
    sync_push(net->nodes[index].sync, net->now_ms, ack, NULL);
}

static inline bool net_has(const struct net *net, int index, const char *key)
{
    return awmap_find(net->nodes[index].map, span_text(key)) != NULL;
}

static inline bool net_covers(const struct net *net, int index, struct dot dot)
{
    return vector_covers(awmap_seen(net->nodes[index].map), dot);
}

static inline bool net_equal(const struct net *net)
{
    int first = -1;
    struct awmap_digest one = {0};
    for (int i = 0; i < net->count; i++) {
        if (net->nodes[i].down)
            continue;
        struct awmap_digest digest = awmap_digest(net->nodes[i].map);
        if (first >= 0 && memcmp(&one, &digest, sizeof one) != 0)
            return false;
        one = digest;
        first = i;
    }
    return true;
}

/* --- Time --- */

static inline void net_deliver(struct net *net, struct net_message message)
{
    struct net_node *to = &net->nodes[message.to];
    if (net_reach(net, message.from, message.to)) {
        bool good = sync_receive(to->sync, net->now_ms, net->nodes[message.from].name,
                                 span_of(message.body, message.bytes), NULL);
        assert(good || net->loss_percent + net->double_percent > 0);
        (void)good;
        net_settle_feed(net, message.to);
    }
    free(message.body);
}

static inline void net_note_summary(struct net *net, int from, int to)
{
    uint8_t summary[16];
    struct awmap_digest digest = awmap_digest(net->nodes[from].map);
    awmap_digest_summary(&digest, summary);
    sync_note_summary(net->nodes[to].sync, net->now_ms, net->nodes[from].name, summary, NULL);
}

/* A probe and its answer, each with a summary; instantly, which is as good as any other time. */
static inline void net_summaries(struct net *net)
{
    for (int a = 0; a < net->count; a++) {
        int b = (int)random_below(&net->random, (uint64_t)net->count);
        if (!net_reach(net, a, b))
            continue;
        net_note_summary(net, a, b);
        net_note_summary(net, b, a);
    }
}

static inline uint64_t net_deadline(const struct net *net)
{
    uint64_t first_ms = net->summaries ? net->summary_ms : UINT64_MAX;
    if (net->queue_count > 0 && net->queue[0].at_ms < first_ms)
        first_ms = net->queue[0].at_ms;
    for (int i = 0; i < net->count; i++) {
        uint64_t node_ms = net->nodes[i].down ? UINT64_MAX : sync_deadline(net->nodes[i].sync);
        if (node_ms < first_ms)
            first_ms = node_ms;
    }
    return first_ms;
}

static inline void net_tick(struct net *net)
{
    for (int i = 0; i < net->count; i++) {
        struct net_node *node = &net->nodes[i];
        if (node->down || sync_deadline(node->sync) > net->now_ms)
            continue;
        sync_tick(node->sync, net->now_ms, NULL);
        assert(sync_deadline(node->sync) > net->now_ms); /* or the loop would spin */
        net_settle_feed(net, i);
    }
    if (net->summaries && net->summary_ms <= net->now_ms) {
        net->summary_ms = net->now_ms + 1000;
        net_summaries(net);
    }
}

static inline void net_run(struct net *net, uint64_t ms)
{
    uint64_t end_ms = net->now_ms + ms;
    for (;;) {
        uint64_t next_ms = net_deadline(net);
        if (next_ms > end_ms)
            break;
        if (next_ms > net->now_ms)
            net->now_ms = next_ms;
        if (net->queue_count > 0 && net->queue[0].at_ms <= net->now_ms)
            net_deliver(net, net_pop_message(net));
        else
            net_tick(net);
    }
    net->now_ms = end_ms;
}

/* Runs until all are equal. Returns how long it took, or UINT64_MAX after max_ms. */
static inline uint64_t net_run_until_equal(struct net *net, uint64_t max_ms)
{
    uint64_t begin_ms = net->now_ms;
    while (net->now_ms - begin_ms < max_ms) {
        if (net_equal(net))
            return net->now_ms - begin_ms;
        net_run(net, 1);
    }
    return UINT64_MAX;
}

static inline void net_count_from_here(struct net *net)
{
    net->messages = net->bytes = 0;
    memset(net->kinds, 0, sizeof net->kinds);
    memset(net->kind_bytes, 0, sizeof net->kind_bytes);
}

#endif
