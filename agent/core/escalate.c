/* onIntensityExceeded: escalate. What a supervisor of OTP does: the restarts of all its children on
 * one node count together, and more than maxRestarts in maxSeconds end it: all its children on that
 * node stop and are given up.
 *
 * It is bounded by what the children keep: who crashed waits at its own back-off level wherever it
 * goes next, so it cannot take node after node with it at full speed. The node that has given up
 * takes none of them for a while, unless nobody else has by then. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/node_private.h"

enum { ESCALATED_AWAY_MS = 5000 };

struct intensity {
    uint64_t window_ms; /* when the first restart that counts was */
    uint32_t count;
    uint64_t away_until_ms;
};

static struct intensity *intensity_make(struct node *node, const char *supervisor)
{
    struct index *all = &node->supervision.intensities;
    struct intensity *intensity = index_find(all, span_text(supervisor));
    if (!intensity) {
        intensity = xcalloc(1, sizeof *intensity);
        index_insert(all, span_text(supervisor), intensity);
    }
    return intensity;
}

static void escalate(struct node *node, const char *name)
{
    const struct holder *holder = index_find(&node->store.holders, span_text(node->name));
    size_t given_up = 0;
    for (size_t i = 0; holder && i < holder->children.count; i++) {
        struct child *child = holder->children.items[i];
        if (!child_is_wanted(child) || !claim_is_ours(node, child->claim) ||
            child->claim->state > CLAIM_CLAIMED ||
            strcmp(child->group->workload.supervisor, name) != 0)
            continue;
        struct local *local = local_make(child);
        if (local->stop == STOP_NONE)
            local->stop = STOP_RELEASE;
        store_mark(&node->store, child);
        given_up++;
    }
    node->dirty = true;
    effects_trace(node->effects, "supervisor %s: too many restarts here: gives up its %zu children",
                  name, given_up);
}

void escalate_count(struct node *node, const char *name, const struct supervisor *supervisor)
{
    struct intensity *intensity = intensity_make(node, name);
    if (intensity->count == 0 ||
        node->now.mono_ms - intensity->window_ms > supervisor->max_seconds * 1000ull) {
        intensity->window_ms = node->now.mono_ms;
        intensity->count = 0;
    }
    if (++intensity->count <= supervisor->max_restarts)
        return;
    intensity->count = 0;
    intensity->away_until_ms = node->now.mono_ms + ESCALATED_AWAY_MS;
    escalate(node, name);
}

uint64_t escalate_away_ms(const struct node *node, const char *supervisor)
{
    const struct intensity *intensity =
        index_find(&node->supervision.intensities, span_text(supervisor));
    return intensity ? intensity->away_until_ms : 0;
}
