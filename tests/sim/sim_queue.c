/* What happens next: a heap of entries with completion times, and a heap of the nodes by the time
 * of their next tick. A node's deadline changes only when it is stepped, so nobody scans them. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_private.h"

/* --- Entries --------------------------------------------------------------------------------- */

static bool sim_before(const struct sim_entry *a, const struct sim_entry *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void sim_swap(struct sim_entry *a, struct sim_entry *b)
{
    struct sim_entry kept = *a;
    *a = *b;
    *b = kept;
}

void sim_push(struct sim *sim, struct sim_event event)
{
    if (sim->queue_count == sim->queue_capacity) {
        sim->queue_capacity = sim->queue_capacity ? 2 * sim->queue_capacity : 256;
        sim->queue = xrealloc(sim->queue, sim->queue_capacity * sizeof *sim->queue);
    }
    size_t at = sim->queue_count++;
    sim->queue[at] = (struct sim_entry){
        .at_ms = event.at_ms, .sequence = ++sim->sequence, .event = xmemdup(&event, sizeof event)};
    while (at > 0 && sim_before(&sim->queue[at], &sim->queue[(at - 1) / 2])) {
        sim_swap(&sim->queue[at], &sim->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

struct sim_event sim_pop(struct sim *sim)
{
    struct sim_event first = *sim->queue[0].event;
    free(sim->queue[0].event);
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

void sim_event_release(struct sim_event *event)
{
    if (event->bytes && --event->bytes->references == 0)
        free(event->bytes);
    if (event->operation)
        free((char *)event->operation->image);
    free(event->operation);
    free(event->container);
}

struct runtime_operation *sim_operation(const struct runtime_operation *operation)
{
    struct runtime_operation *copy = xmemdup(operation, sizeof *operation);
    copy->image = operation->image ? xstrdup(operation->image) : NULL;
    copy->document = NULL;
    copy->container = NULL;
    return copy;
}

/* --- Clocks ---------------------------------------------------------------------------------- */

uint64_t sim_local_ms(const struct sim_node *self, uint64_t world_ms)
{
    int64_t ahead = (int64_t)world_ms * self->drift_ppm / 1000000;
    return world_ms + (uint64_t)ahead;
}

uint64_t sim_world_ms(const struct sim_node *self, uint64_t local_ms)
{
    if (self->drift_ppm == 0 || local_ms >= UINT64_MAX / 2000000)
        return local_ms;
    uint64_t world_ms = local_ms * 1000000 / (uint64_t)(1000000 + self->drift_ppm);
    while (sim_local_ms(self, world_ms) < local_ms)
        world_ms++;
    return world_ms;
}

/* --- Ticks ----------------------------------------------------------------------------------- */

static bool sim_ticks_before(const struct sim *sim, size_t a, size_t b)
{
    uint64_t a_ms = sim->nodes[a].deadline_ms, b_ms = sim->nodes[b].deadline_ms;
    return a_ms != b_ms ? a_ms < b_ms : a < b;
}

static void sim_deadline_place(struct sim *sim, size_t slot, size_t index)
{
    sim->deadlines[slot - 1] = index;
    sim->nodes[index].deadline_slot = slot;
}

static void sim_deadline_move(struct sim *sim, size_t index)
{
    size_t slot = sim->nodes[index].deadline_slot;
    for (; slot > 1 && sim_ticks_before(sim, index, sim->deadlines[slot / 2 - 1]); slot /= 2)
        sim_deadline_place(sim, slot, sim->deadlines[slot / 2 - 1]);
    for (size_t next; (next = 2 * slot) <= sim->deadline_count; slot = next) {
        if (next < sim->deadline_count &&
            sim_ticks_before(sim, sim->deadlines[next], sim->deadlines[next - 1]))
            next++;
        if (!sim_ticks_before(sim, sim->deadlines[next - 1], index))
            break;
        sim_deadline_place(sim, slot, sim->deadlines[next - 1]);
    }
    sim_deadline_place(sim, slot, index);
}

void sim_deadline_changed(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    if (!self->node || self->frozen) {
        size_t slot = self->deadline_slot, last;
        if (slot == 0)
            return;
        self->deadline_slot = 0;
        last = sim->deadlines[--sim->deadline_count];
        if (last != index) {
            sim_deadline_place(sim, slot, last);
            sim_deadline_move(sim, last);
        }
        return;
    }
    self->deadline_ms = sim_world_ms(self, node_deadline(self->node));
    if (self->deadline_slot == 0)
        sim_deadline_place(sim, ++sim->deadline_count, index);
    sim_deadline_move(sim, index);
}

uint64_t sim_next(const struct sim *sim, size_t *ret_node)
{
    uint64_t next_ms = sim->queue_count > 0 ? sim->queue[0].at_ms : UINT64_MAX;
    *ret_node = SIZE_MAX;
    if (sim->deadline_count == 0)
        return next_ms;
    uint64_t deadline_ms = sim->nodes[sim->deadlines[0]].deadline_ms;
    if (deadline_ms < sim->now_ms)
        deadline_ms = sim->now_ms;
    if (deadline_ms >= next_ms)
        return next_ms;
    *ret_node = sim->deadlines[0];
    return deadline_ms;
}

void sim_numbers_add(struct sim_numbers *numbers, size_t number)
{
    if (numbers->count == numbers->capacity) {
        numbers->capacity = numbers->capacity ? 2 * numbers->capacity : 16;
        numbers->items = xrealloc(numbers->items, numbers->capacity * sizeof *numbers->items);
    }
    numbers->items[numbers->count++] = number;
}
