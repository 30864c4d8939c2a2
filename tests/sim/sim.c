/* The simulated world: time, the disk, what is done with effects. Effects become queue entries with
 * completion times; entries become events. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"
#include "tests/sim/sim_private.h"

/* --- Effects --------------------------------------------------------------------------------- */

static void sim_log(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    sim_push(sim, (struct sim_event){.kind = SIM_LOG_SYNCED,
                                     .node = index,
                                     .run = self->run,
                                     .at_ms = sim->now_ms + random_below(&sim->random, 5),
                                     .log_sequence = effect->log.sequence});
    if (sim->lazy_disk)
        return;
    if (self->disk_count == self->disk_capacity) {
        self->disk_capacity = self->disk_capacity ? 2 * self->disk_capacity : 64;
        self->disk = xrealloc(self->disk, self->disk_capacity * sizeof *self->disk);
    }
    struct sim_record *record = &self->disk[self->disk_count++];
    *record = (struct sim_record){.sequence = effect->log.sequence};
    buffer_append(&record->bytes, effect->log.record.data, effect->log.record.bytes);
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

static void sim_hash(struct sim *sim, uint64_t what, struct span bytes)
{
    uint64_t hash = placement_hash_pair(sim->trace_hash, what ^ sim->now_ms);
    sim->trace_hash = placement_hash_pair(hash, placement_hash(bytes.data, bytes.bytes));
}

static void sim_hash_effect(struct sim *sim, size_t index, const struct effect *effect)
{
    uint64_t what = (uint64_t)effect->type << 32 | index;
    struct span bytes = span_of(NULL, 0);
    if (effect->type == EFFECT_SEND)
        bytes = effect->send.bytes;
    else if (effect->type == EFFECT_LOG)
        bytes = effect->log.record;
    else if (effect->type == EFFECT_TRACE)
        bytes = span_text(effect->trace);
    sim_hash(sim, what, bytes);
}

static void sim_effect(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    if (sim->watch)
        sim_hash_effect(sim, index, effect);
    switch (effect->type) {
    case EFFECT_SEND:
        sim_send(sim, index, effect);
        break;
    case EFFECT_LOG:
        sim_log(sim, index, effect);
        break;
    case EFFECT_SNAPSHOT:
        if (!sim->lazy_disk)
            sim_snapshot(sim, index, effect);
        break;
    case EFFECT_REPLY:
        sim->replies[effect->reply->id % SIM_REPLIES_KEPT] = *effect->reply;
        sim->replies[effect->reply->id % SIM_REPLIES_KEPT].found = span_of(NULL, 0);
        if (sim->watch_reply)
            sim->watch_reply(sim, index, effect->reply);
        break;
    case EFFECT_RUNTIME:
        sim_runtime_ask(sim, index, effect->runtime);
        break;
    case EFFECT_OUTPUT:
        sim_output_flow(sim, index, effect);
        break;
    case EFFECT_GUARD:
        sim_guard_write(sim, index, effect->guard);
        break;
    case EFFECT_TRACE:
        if (sim->verbose)
            printf("[%6llu] %s > %s\n", (unsigned long long)sim->now_ms, self->name, effect->trace);
        if (sim->listener)
            sim->listener(sim, index, effect->trace);
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
    event->now.mono_ms = sim_local_ms(self, sim->now_ms);
    event->now.wall_ms = SIM_WALL_MS + sim->now_ms + (uint64_t)self->wall_offset_ms;
    self->ticks += event->type == EVENT_TICK;
    struct effects effects = {0};
    node_step(self->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++)
        sim_effect(sim, index, &effects.items[i]);
    effects_release(&effects);
    sim_deadline_changed(sim, index);
    if (sim->watch)
        sim->watch(sim, index);
    if (self->exit_status >= 0)
        sim_kill(sim, index);
}

/* --- Running --------------------------------------------------------------------------------- */

/* What lies before a synced record is synced. */
static void sim_synced(struct sim_node *self, uint64_t sequence)
{
    for (size_t i = self->disk_count; i-- > 0 && !self->disk[i].synced;)
        self->disk[i].synced = self->disk[i].sequence <= sequence;
}

static void sim_due(struct sim *sim, struct sim_event *due)
{
    struct sim_node *self = &sim->nodes[due->node];
    struct event event = {0};
    switch (due->kind) {
    case SIM_DELIVER:
        sim_deliver(sim, due);
        break;
    case SIM_LOG_SYNCED:
        if (self->disk_stuck && self->run == due->run) {
            struct sim_event later = *due;
            later.at_ms = sim->now_ms + 20;
            sim_push(sim, later);
            break;
        }
        if (self->run == due->run)
            sim_synced(self, due->log_sequence);
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
    case SIM_GUARD:
    case SIM_GUARD_KILL:
        sim_guard_due(sim, due);
        break;
    case SIM_OUTPUT:
        sim_output_due(sim, due);
        break;
    case SIM_CONTAINER:
        event.type = EVENT_RUNTIME_CONTAINER;
        event.container = due->container;
        if (self->run == due->run)
            sim_step(sim, due->node, &event);
        break;
    case SIM_LOOK:
        event.type = EVENT_LOOK;
        if (self->run == due->run)
            sim_step(sim, due->node, &event);
        break;
    case SIM_BROKEN:
        event.type = EVENT_PEER_BROKEN;
        event.peer.address = sim->nodes[due->from].address;
        sim_step(sim, due->node, &event);
        break;
    }
}

/* The engine and the guards go on while the agent is frozen. */
static bool sim_is_of_agent(enum sim_kind kind)
{
    return kind != SIM_RUNTIME && kind != SIM_LATE && kind != SIM_GUARD && kind != SIM_GUARD_KILL;
}

/* Work comes to an end: who wants tick upon tick without any time passing would spin for real. */
static void sim_tick(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    struct event tick = {.type = EVENT_TICK};
    self->spins = self->spun_ms == sim->now_ms ? self->spins + 1 : 0;
    self->spun_ms = sim->now_ms;
    assert(self->spins < SIM_SPINS_MAX);
    sim_step(sim, index, &tick);
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
            sim_tick(sim, index);
            continue;
        }
        struct sim_event due = sim_pop(sim);
        if (sim->nodes[due.node].frozen && sim_is_of_agent(due.kind)) {
            due.at_ms = sim->now_ms + 10; /* it reads its mail when it thaws */
            sim_push(sim, due);
            continue;
        }
        sim_due(sim, &due);
        sim_event_release(&due);
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
