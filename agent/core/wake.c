/* When children are to be looked at again: a binary heap by wake_ms, so that thousands that wait
 * cost nothing until their time has come. A child knows its slot; one that stands here is not
 * freed (store_child_tidy). */
#include "agent/core/node_private.h"
#include "agent/core/supervise.h"

static void wake_place(struct supervision *supervision, size_t slot, struct child *child)
{
    supervision->wakes[slot - 1] = child;
    child->wake_slot = (uint32_t)slot;
}

static void wake_up(struct supervision *supervision, struct child *child)
{
    size_t slot = child->wake_slot;
    for (; slot > 1 && supervision->wakes[slot / 2 - 1]->wake_ms > child->wake_ms; slot /= 2)
        wake_place(supervision, slot, supervision->wakes[slot / 2 - 1]);
    wake_place(supervision, slot, child);
}

static void wake_down(struct supervision *supervision, struct child *child)
{
    size_t slot = child->wake_slot;
    for (;;) {
        size_t next = 2 * slot;
        if (next < supervision->wake_count &&
            supervision->wakes[next]->wake_ms < supervision->wakes[next - 1]->wake_ms)
            next++;
        if (next > supervision->wake_count ||
            supervision->wakes[next - 1]->wake_ms >= child->wake_ms)
            break;
        wake_place(supervision, slot, supervision->wakes[next - 1]);
        slot = next;
    }
    wake_place(supervision, slot, child);
}

static void wake_remove(struct supervision *supervision, struct child *child)
{
    struct child *last = supervision->wakes[--supervision->wake_count];
    size_t slot = child->wake_slot;
    child->wake_slot = 0;
    if (last == child)
        return;
    wake_place(supervision, slot, last);
    wake_up(supervision, last);
    wake_down(supervision, last);
}

void wake_update(struct supervision *supervision, struct child *child)
{
    if (child->wake_ms == UINT64_MAX) {
        if (child->wake_slot > 0)
            wake_remove(supervision, child);
        return;
    }
    if (child->wake_slot == 0) {
        if (supervision->wake_count == supervision->wake_capacity) {
            supervision->wake_capacity =
                supervision->wake_capacity ? 2 * supervision->wake_capacity : 64;
            supervision->wakes =
                xrealloc(supervision->wakes, supervision->wake_capacity * sizeof(struct child *));
        }
        wake_place(supervision, ++supervision->wake_count, child);
    }
    wake_up(supervision, child);
    wake_down(supervision, child);
}

struct child *wake_first(const struct supervision *supervision)
{
    return supervision->wake_count > 0 ? supervision->wakes[0] : NULL;
}
