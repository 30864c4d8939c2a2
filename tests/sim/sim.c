/* The simulated world: time, the network, the disk. Effects become queue entries with completion
 * times; entries become events. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_private.h"

/* --- The queue ------------------------------------------------------------------------------- */

static bool sim_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void sim_swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void sim_push(struct sim *sim, struct sim_event event)
{
    if (sim->queue_count == sim->queue_capacity) {
        sim->queue_capacity = sim->queue_capacity ? 2 * sim->queue_capacity : 256;
        sim->queue = xrealloc(sim->queue, sim->queue_capacity * sizeof *sim->queue);
    }
    event.sequence = ++sim->sequence;
    size_t at = sim->queue_count++;
    sim->queue[at] = event;
    while (at > 0 && sim_before(&sim->queue[at], &sim->queue[(at - 1) / 2])) {
        sim_swap(&sim->queue[at], &sim->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct sim_event sim_pop(struct sim *sim)
{
    struct sim_event first = sim->queue[0];
    sim->queue[0] = sim->queue[--sim->queue_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < sim->queue_count && sim_before(&sim->queue[child], &sim->queue[least]))
                least = child;
        if (least == at)
            return first;
        sim_swap(&sim->queue[at], &sim->queue[least]);
        at = least;
    }
}

/* --- Effects --------------------------------------------------------------------------------- */

static size_t sim_find(const struct sim *sim, const char *address)
{
    for (size_t i = 0; i < sim->count; i++)
        if (strcmp(sim->nodes[i].address, address) == 0)
            return i;
    return SIZE_MAX;
}

static void sim_send(struct sim *sim, size_t from, const struct effect *effect)
{
    size_t to = sim_find(sim, effect->send.address);
    sim->nodes[from].sent_messages++;
    sim->nodes[from].sent_bytes += effect->send.bytes.bytes;
    if (to == SIZE_MAX || sim->cut[from][to] || random_below(&sim->random, 100) < sim->loss_percent)
        return;
    size_t copies = random_below(&sim->random, 100) < sim->duplicate_percent ? 2 : 1;
    for (size_t i = 0; i < copies; i++) {
        struct sim_event event = {.kind = SIM_DELIVER, .node = to, .from = from};
        event.at_ms = sim->now_ms + sim->delay_ms_min +
                      random_below(&sim->random, sim->delay_ms_max - sim->delay_ms_min + 1);
        buffer_append(&event.bytes, effect->send.bytes.data, effect->send.bytes.bytes);
        sim_push(sim, event);
    }
}

static void sim_log(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    if (self->disk_count == self->disk_capacity) {
        self->disk_capacity = self->disk_capacity ? 2 * self->disk_capacity : 64;
        self->disk = xrealloc(self->disk, self->disk_capacity * sizeof *self->disk);
    }
    struct sim_record *record = &self->disk[self->disk_count++];
    *record = (struct sim_record){.sequence = effect->log.sequence};
    buffer_append(&record->bytes, effect->log.record.data, effect->log.record.bytes);
    sim_push(sim, (struct sim_event){.kind = SIM_LOG_SYNCED,
                                     .node = index,
                                     .run = self->run,
                                     .at_ms = sim->now_ms + random_below(&sim->random, 5),
                                     .log_sequence = effect->log.sequence});
}

static void sim_snapshot(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    for (size_t i = 0; i < self->disk_count; i++)
        buffer_release(&self->disk[i].bytes);
    self->disk_count = 0;
    struct reader reader = reader_of(effect->snapshot.records);
    while (reader_left(&reader) > 0) {
        struct span record = reader_span(&reader, effect->snapshot.records.bytes);
        struct effect item = {.log = {.sequence = effect->snapshot.sequence, .record = record}};
        sim_log(sim, index, &item);
        self->disk[self->disk_count - 1].synced = true;
    }
}

static void sim_effect(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    switch (effect->type) {
    case EFFECT_SEND:
        sim_send(sim, index, effect);
        break;
    case EFFECT_LOG:
        sim_log(sim, index, effect);
        break;
    case EFFECT_SNAPSHOT:
        sim_snapshot(sim, index, effect);
        break;
    case EFFECT_REPLY:
        if (sim->reply_count == sim->reply_capacity) {
            sim->reply_capacity = sim->reply_capacity ? 2 * sim->reply_capacity : 64;
            sim->replies = xrealloc(sim->replies, sim->reply_capacity * sizeof *sim->replies);
        }
        sim->replies[sim->reply_count++] = *effect->reply;
        break;
    case EFFECT_RUNTIME:
        sim_runtime_ask(sim, index, effect->runtime);
        break;
    case EFFECT_TRACE:
        if (sim->verbose)
            printf("[%6llu] %s > %s\n", (unsigned long long)sim->now_ms, self->name, effect->trace);
        break;
    case EFFECT_EXIT:
        self->exit_status = effect->exit_status;
        break;
    case EFFECT_RECONNECT:
    case EFFECT_DISCONNECT:
        break;
    }
}

void sim_step(struct sim *sim, size_t index, struct event *event)
{
    struct sim_node *self = &sim->nodes[index];
    if (!self->node)
        return;
    event->now.mono_ms = sim->now_ms;
    event->now.wall_ms = SIM_WALL_MS + sim->now_ms + (uint64_t)self->wall_offset_ms;
    self->ticks += event->type == EVENT_TICK;
    struct effects effects = {0};
    node_step(self->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++)
        sim_effect(sim, index, &effects.items[i]);
    effects_release(&effects);
    if (self->exit_status >= 0)
        sim_kill(sim, index);
}

/* --- Running --------------------------------------------------------------------------------- */

static void sim_due(struct sim *sim, struct sim_event *due)
{
    struct sim_node *self = &sim->nodes[due->node];
    struct event event = {0};
    switch (due->kind) {
    case SIM_DELIVER:
        event.type = EVENT_MESSAGE;
        event.message.bytes = buffer_view(&due->bytes);
        event.message.from = sim->nodes[due->from].address;
        if (!sim->cut[due->from][due->node])
            sim_step(sim, due->node, &event);
        break;
    case SIM_LOG_SYNCED:
        for (size_t i = 0; i < self->disk_count && self->run == due->run; i++)
            self->disk[i].synced |= self->disk[i].sequence <= due->log_sequence;
        event.type = EVENT_LOG_SYNCED;
        event.log_synced.sequence = due->log_sequence;
        if (self->run == due->run)
            sim_step(sim, due->node, &event);
        break;
    case SIM_RUNTIME:
        sim_runtime_due(sim, due);
        break;
    case SIM_DONE:
        sim_runtime_done(sim, due);
        break;
    case SIM_LATE:
        sim_runtime_late(sim, due);
        break;
    case SIM_CONTAINER:
        event.type = EVENT_RUNTIME_CONTAINER;
        event.container = due->container;
        if (self->run == due->run)
            sim_step(sim, due->node, &event);
        break;
    case SIM_BROKEN:
        event.type = EVENT_PEER_BROKEN;
        event.peer.address = sim->nodes[due->from].address;
        sim_step(sim, due->node, &event);
        break;
    }
    buffer_release(&due->bytes);
    free(due->container);
}

/* The next moment at which something happens, and to whom a tick is due then (SIZE_MAX: the queue's
 * first entry). */
static uint64_t sim_next(const struct sim *sim, size_t *ret_node)
{
    uint64_t next_ms = sim->queue_count > 0 ? sim->queue[0].at_ms : UINT64_MAX;
    *ret_node = SIZE_MAX;
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i].node || sim->nodes[i].frozen)
            continue;
        uint64_t deadline_ms = node_deadline(sim->nodes[i].node);
        if (deadline_ms < sim->now_ms)
            deadline_ms = sim->now_ms;
        if (deadline_ms < next_ms) {
            next_ms = deadline_ms;
            *ret_node = i;
        }
    }
    return next_ms;
}

static void sim_run_until(struct sim *sim, uint64_t end_ms)
{
    for (;;) {
        size_t index;
        uint64_t next_ms = sim_next(sim, &index);
        if (next_ms > end_ms)
            break;
        if (next_ms > sim->now_ms)
            sim->now_ms = next_ms;
        if (index != SIZE_MAX) {
            struct event tick = {.type = EVENT_TICK};
            sim_step(sim, index, &tick);
            continue;
        }
        struct sim_event due = sim_pop(sim);
        if (sim->nodes[due.node].frozen && due.kind != SIM_RUNTIME && due.kind != SIM_LATE) {
            due.at_ms = sim->now_ms + 10; /* it reads its mail when it thaws */
            sim_push(sim, due);
            continue;
        }
        sim_due(sim, &due);
    }
    sim->now_ms = end_ms;
}

void sim_run(struct sim *sim, uint64_t duration_ms)
{
    sim_run_until(sim, sim->now_ms + duration_ms);
}

bool sim_until(struct sim *sim, bool (*condition)(struct sim *sim), uint64_t timeout_ms)
{
    uint64_t end_ms = sim->now_ms + timeout_ms;
    while (!condition(sim)) {
        if (sim->now_ms >= end_ms)
            return false;
        sim_run(sim, 10);
    }
    return true;
}
