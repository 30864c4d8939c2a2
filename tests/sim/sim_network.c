/* The simulated network: messages with delay, loss and copies, cuts of any shape, and who would
 * hold a connection to whom. */
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"
#include "tests/sim/sim_private.h"

enum {
    NUMBER_AT = sizeof SIM_ADDRESS_PREFIX - 1, /* of the node's number in its address */
    LINK_IDLE_MS = 10000,                      /* as the program's transport has it */
    OUTBOX_MS = 1500,                          /* of a link's capacity; what comes then is lost */
};

/* The address that sim_init gave tells the number; a story may have given another. */
static size_t sim_find(const struct sim *sim, const char *address)
{
    size_t at = strlen(address) > NUMBER_AT ? strtoul(address + NUMBER_AT, NULL, 10) : 0;
    if (at < sim->count && strcmp(sim->nodes[at].address, address) == 0)
        return at;
    for (size_t i = 0; i < sim->count; i++)
        if (strcmp(sim->nodes[i].address, address) == 0)
            return i;
    return SIZE_MAX;
}

/* --- Messages -------------------------------------------------------------------------------- */

static struct sim_bytes *sim_bytes(struct span span)
{
    struct sim_bytes *bytes = xmalloc(sizeof *bytes + span.bytes);
    *bytes = (struct sim_bytes){.bytes = span.bytes};
    if (span.bytes > 0)
        memcpy(bytes->data, span.data, span.bytes);
    return bytes;
}

/* Some pairs are far from each other, whatever else happens. */
static bool sim_link_is_slow(const struct sim *sim, size_t from, size_t to)
{
    return sim->slow_link_percent > 0 &&
           placement_hash_pair(from, to) % 100 < sim->slow_link_percent;
}

/* When the last byte is out; 0: too much waits already, and it is lost. */
static uint64_t sim_outbox(struct sim *sim, struct sim_node *self, size_t bytes)
{
    if (sim->bytes_per_ms == 0)
        return sim->now_ms;
    uint64_t begin_ms = self->outbox_end_ms > sim->now_ms ? self->outbox_end_ms : sim->now_ms;
    if (begin_ms > sim->now_ms + OUTBOX_MS)
        return 0;
    self->outbox_end_ms = begin_ms + bytes / sim->bytes_per_ms;
    return self->outbox_end_ms;
}

void sim_send(struct sim *sim, size_t from, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[from];
    size_t to = sim_find(sim, effect->send.address);
    self->sent_messages++;
    self->sent_bytes += effect->send.bytes.bytes;
    if (to == SIZE_MAX)
        return;
    if (!self->sent_ms)
        self->sent_ms = xcalloc(sim->capacity, sizeof *self->sent_ms);
    self->sent_ms[to] = (uint32_t)sim->now_ms;
    if (sim_is_cut(sim, from, to) || random_below(&sim->random, 100) < sim->loss_percent)
        return;
    uint64_t sent_ms = sim_outbox(sim, self, effect->send.bytes.bytes);
    if (sent_ms == 0)
        return;
    if (sim_link_is_slow(sim, from, to))
        sent_ms += sim->slow_link_ms;
    size_t copies = random_below(&sim->random, 100) < sim->duplicate_percent ? 2 : 1;
    struct sim_bytes *bytes = sim_bytes(effect->send.bytes);
    for (size_t i = 0; i < copies; i++) {
        struct sim_event event = {.kind = SIM_DELIVER, .node = to, .from = from, .bytes = bytes};
        event.at_ms = sent_ms + sim->delay_ms_min +
                      random_below(&sim->random, sim->delay_ms_max - sim->delay_ms_min + 1);
        bytes->references++;
        sim_push(sim, event);
    }
}

void sim_deliver(struct sim *sim, const struct sim_event *due)
{
    struct event event = {.type = EVENT_MESSAGE};
    event.message.bytes = span_of(due->bytes->data, due->bytes->bytes);
    event.message.from = sim->nodes[due->from].address;
    if (!sim_is_cut(sim, due->from, due->node))
        sim_step(sim, due->node, &event);
}

/* --- Cuts ------------------------------------------------------------------------------------ */

void sim_cut_one_way(struct sim *sim, size_t from, size_t to, bool cut)
{
    struct sim_node *self = &sim->nodes[from];
    if (!self->cut && cut)
        self->cut = xcalloc(sim->capacity / 64 + 1, sizeof *self->cut);
    if (cut)
        self->cut[to / 64] |= UINT64_C(1) << to % 64;
    else if (self->cut)
        self->cut[to / 64] &= ~(UINT64_C(1) << to % 64);
}

void sim_cut(struct sim *sim, size_t a, size_t b, bool cut)
{
    sim_cut_one_way(sim, a, b, cut);
    sim_cut_one_way(sim, b, a, cut);
}

bool sim_is_cut(const struct sim *sim, size_t from, size_t to)
{
    const uint64_t *cut = sim->nodes[from].cut;
    return cut && (cut[to / 64] >> to % 64 & 1);
}

void sim_heal_cuts(struct sim *sim)
{
    for (size_t i = 0; i < sim->capacity; i++) {
        free(sim->nodes[i].cut);
        sim->nodes[i].cut = NULL;
    }
}

/* --- Connections ----------------------------------------------------------------------------- */

static bool sim_has_link(const struct sim *sim, size_t from, size_t to, uint64_t idle_ms)
{
    const uint32_t *sent_ms = sim->nodes[from].sent_ms;
    return sent_ms && sent_ms[to] > 0 && sent_ms[to] + idle_ms > sim->now_ms;
}

size_t sim_links(const struct sim *sim, size_t index, uint64_t idle_ms)
{
    size_t links = 0;
    for (size_t i = 0; i < sim->count; i++)
        links += sim_has_link(sim, index, i, idle_ms);
    return links;
}

void sim_break(struct sim *sim, size_t index)
{
    for (size_t i = 0; i < sim->count; i++)
        if (i != index && !sim_is_cut(sim, i, index) && sim_has_link(sim, i, index, LINK_IDLE_MS))
            sim_push(sim,
                     (struct sim_event){
                         .kind = SIM_BROKEN, .node = i, .from = index, .at_ms = sim->now_ms + 1});
}

void sim_network_release(struct sim *sim)
{
    sim_heal_cuts(sim);
    for (size_t i = 0; i < sim->capacity; i++)
        free(sim->nodes[i].sent_ms);
}
