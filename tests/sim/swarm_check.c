/* What must hold at every moment, looked at from outside (see faults.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"
#include "placement/hash.h"
#include "tests/sim/faults.h"
#include "tests/sim/informer.h"

/* A write as it was met first: its dot, and what it said. */
struct write {
    struct dot dot;
    uint64_t content; /* never 0 */
};

enum { LIST_EVERY = 64 }; /* steps: a list takes longer than all else in one */

struct account {
    struct vector *seen;         /* of each node, as it was after its last step */
    struct vector *met;          /* by each node, in any of its runs */
    uint64_t *runs;              /* ... and of which run */
    struct informer **informers; /* of each node */
    uint64_t looks;              /* at them */
    uint64_t *informed;          /* ... and of which run, 0: none yet */
    struct vector old;           /* writers whose disk came back from an old image; counter 1 */
    struct write *writes;        /* open addressing by dot */
    size_t write_count, write_capacity;
};

static void broken(struct swarm *swarm, const char *what, const char *node, uint64_t replica,
                   uint64_t counter)
{
    if (swarm->sim.violations++ == 0)
        printf("\n[%llu] VIOLATION: %s: %s, dot %llx.%llu\n", (unsigned long long)swarm->sim.now_ms,
               what, node, (unsigned long long)replica, (unsigned long long)counter);
}

/* --- Knowledge only grows --------------------------------------------------------------------- */

/* What a running node has integrated of a replica never sinks, retired or not. */
static void check_seen(struct swarm *swarm, size_t index)
{
    struct account *account = swarm->account;
    const struct sim_node *self = &swarm->sim.nodes[index];
    struct vector *before = &account->seen[index];
    for (size_t i = 0; account->runs[index] == self->run && i < before->count; i++) {
        struct dot dot = before->items[i];
        if (awmap_known(self->node->map, dot.replica) < dot.counter)
            broken(swarm, "knowledge was lost", self->name, dot.replica, dot.counter);
    }
    account->runs[index] = self->run;
    vector_copy(before, awmap_seen(self->node->map));
    for (size_t i = 0; i < before->count; i++)
        vector_raise(&account->met[index], before->items[i].replica, before->items[i].counter);
}

/* --- Who watches is told of everything, once -------------------------------------------------- */

static void check_informer(struct swarm *swarm, size_t index)
{
    const struct sim_node *self = &swarm->sim.nodes[index];
    struct informer *informer = swarm->account->informers[index];
    if (!query_is_looked_at(self->node))
        return;
    if (swarm->account->informed[index] != self->run) {
        informer_list(informer, self->node);
        swarm->account->informed[index] = self->run;
        return;
    }
    const char *wrong = informer_watch(informer, self->node);
    if (!wrong && swarm->account->looks++ % LIST_EVERY == 0)
        wrong = informer_compare(informer, self->node);
    if (wrong)
        broken(swarm, wrong, self->name, 0, query_position(self->node));
}

const char *swarm_check_informers(const struct swarm *swarm)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < swarm->sim.count && !wrong; i++)
        if (swarm->sim.nodes[i].node && query_is_looked_at(swarm->sim.nodes[i].node))
            wrong = informer_compare(swarm->account->informers[i], swarm->sim.nodes[i].node);
    return wrong;
}

static void watch(struct sim *sim, size_t index)
{
    struct swarm *swarm = sim->watcher;
    if (!sim->nodes[index].node)
        return;
    check_informer(swarm, index);
    check_seen(swarm, index);
}

/* --- A dot names one write -------------------------------------------------------------------- */

static struct write *write_find(struct account *account, struct dot dot)
{
    size_t at = placement_hash_pair(dot.replica, dot.counter) & (account->write_capacity - 1);
    while (account->writes[at].content && !dot_equal(account->writes[at].dot, dot))
        at = (at + 1) & (account->write_capacity - 1);
    return &account->writes[at];
}

static void account_grow(struct account *account)
{
    struct write *old = account->writes;
    size_t count = account->write_capacity;
    account->write_capacity = count ? 2 * count : 1024;
    account->writes = xcalloc(account->write_capacity, sizeof *account->writes);
    for (size_t i = 0; i < count; i++)
        if (old[i].content)
            *write_find(account, old[i].dot) = old[i];
    free(old);
}

static void check_write(struct swarm *swarm, const char *node, struct span key,
                        struct awmap_sibling sibling)
{
    struct account *account = swarm->account;
    if (2 * account->write_count >= account->write_capacity)
        account_grow(account);
    uint64_t content = placement_hash_pair(placement_hash(key.data, key.bytes),
                                           placement_hash(sibling.value.data, sibling.value.bytes));
    content = placement_hash_pair(content, sibling.hlc) | 1;
    struct write *known = write_find(account, sibling.dot);
    if (!known->content) {
        *known = (struct write){sibling.dot, content};
        account->write_count++;
    } else if (known->content != content && vector_get(&account->old, sibling.dot.replica) == 0) {
        broken(swarm, "a dot names two writes", node, sibling.dot.replica, sibling.dot.counter);
    }
}

void swarm_check_writes(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->sim.count; i++) {
        const struct sim_node *self = &swarm->sim.nodes[i];
        if (!self->node)
            continue;
        const struct awmap *map = self->node->map;
        for (const struct awmap_entry *e = awmap_next(map, NULL); e; e = awmap_next(map, e))
            for (size_t j = 0; j < awmap_entry_count(e); j++)
                check_write(swarm, self->name, awmap_entry_key(e), awmap_entry_sibling(e, j));
    }
}

/* --- Nothing is acknowledged before it is durable --------------------------------------------- */

struct node *swarm_after_power_cut(struct swarm *swarm, size_t index)
{
    const struct sim_node *self = &swarm->sim.nodes[index];
    struct node_config config = {.cluster = "sim",
                                 .node_name = self->name,
                                 .gossip_address = self->address,
                                 .api_address = "-",
                                 .advertise_host = self->name,
                                 .version = "sim",
                                 .random_seed = 1,
                                 .fresh_replica = 1};
    struct node *after = node_new(&config);
    sim_restore_synced(&swarm->sim, index, after);
    return after;
}

void swarm_check_note_old_image(struct swarm *swarm, size_t index)
{
    struct node *image = swarm_after_power_cut(swarm, index);
    if (image->durable.restored)
        vector_raise(&swarm->account->old, image->durable.writer, 1);
    node_free(image);
}

static bool another_knows(const struct swarm *swarm, size_t index, struct dot written)
{
    for (size_t i = 0; i < swarm->sim.count; i++)
        if (i != index && vector_covers(&swarm->account->met[i], written))
            return true;
    return false;
}

/* What is answered well would survive a power cut of the node that answers, at this moment; and a
 * second member has had it, or the answer says that there is none. */
static void watch_reply(struct sim *sim, size_t index, const struct reply *reply)
{
    const struct sim_node *self = &sim->nodes[index];
    struct swarm *swarm = sim->watcher;
    struct dot written = reply->written;
    if (reply->status != 200 || written.counter == 0)
        return;
    struct node *after_power_cut = swarm_after_power_cut(swarm, index);
    if (!query_covers(after_power_cut, written))
        broken(swarm, "acknowledged before it was durable", self->name, written.replica,
               written.counter);
    node_free(after_power_cut);
    if (!reply->alone && !another_knows(swarm, index, written))
        broken(swarm, "acknowledged before a second member knew", self->name, written.replica,
               written.counter);
}

void swarm_check_begin(struct swarm *swarm)
{
    struct account *account = xcalloc(1, sizeof *account);
    account->seen = xcalloc(swarm->sim.count, sizeof *account->seen);
    account->met = xcalloc(swarm->sim.count, sizeof *account->met);
    account->runs = xcalloc(swarm->sim.count, sizeof *account->runs);
    account->informed = xcalloc(swarm->sim.count, sizeof *account->informed);
    account->informers = xcalloc(swarm->sim.count, sizeof(struct informer *));
    for (size_t i = 0; i < swarm->sim.count; i++)
        account->informers[i] = informer_new();
    swarm->account = account;
    swarm->sim.watcher = swarm;
    swarm->sim.watch = watch;
    swarm->sim.watch_reply = watch_reply;
}

void swarm_check_end(struct swarm *swarm)
{
    struct account *account = swarm->account;
    for (size_t i = 0; i < swarm->sim.count; i++) {
        vector_release(&account->seen[i]);
        vector_release(&account->met[i]);
        informer_free(account->informers[i]);
    }
    vector_release(&account->old);
    free(account->seen);
    free(account->met);
    free(account->runs);
    free(account->informers);
    free(account->informed);
    free(account->writes);
    free(account);
    swarm->account = NULL;
}
