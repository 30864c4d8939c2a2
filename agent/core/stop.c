/* How a node ends: it drains (SIGTERM, leave), or it detaches: goes, while its containers live on.
 *
 * Who drains stops its children and hands each over; who detaches says in its member record for how
 * long it will be away (the others: absence.c) and decides nothing any more. Its claims stay as
 * they are, so its next run finds its containers and goes on with them. Both end once a second
 * member knows the last thing that was written, or after a bounded time. */
#include "agent/core/stop.h"

#include <assert.h>

#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/output.h"
#include "agent/core/requests.h"
#include "agent/core/supervise.h"

enum {
    LAST_WORD_MS = 2000,    /* how long we wait for a peer to know our last word */
    DRAIN_MARGIN_MS = 5000, /* beyond the drain timeout, for an engine that does not answer */
    /* A new run compares before it writes: one that is to go at once waits for that first. */
    DETACH_LIMIT_MS = SYNC_BEFORE_WRITE_MS + LAST_WORD_MS,
};

bool node_is_stopping(const struct node *node)
{
    return node->stop_requests > 0 || node->leaving || node->detach.away_ms;
}

/* --- Beginning ------------------------------------------------------------------------------- */

void stop_detach(struct node *node, uint64_t away_ms)
{
    assert(away_ms >= DETACH_MS_MIN && away_ms <= DETACH_MS_MAX);
    node->detach = (struct detach){.away_ms = away_ms, .began_ms = node->now.mono_ms};
    effects_trace(node->effects,
                  "detaches: containers run on, and the others leave them to us for %llu ms",
                  (unsigned long long)away_ms);
    membership_set_wish(node, WISH_DETACHED);
}

void stop_begin(struct node *node)
{
    bool stopping = node_is_stopping(node);
    if (++node->stop_requests > 1) {
        effects_trace(node->effects, "told twice to stop: stops at once");
        effects_exit(node->effects, 1);
        node->stopped = true;
        return;
    }
    if (stopping) {
        effects_trace(node->effects, "told to stop: does so already");
        return;
    }
    if (node->detach_on_stop) {
        stop_detach(node, DETACH_MS_DEFAULT);
        return;
    }
    effects_trace(node->effects,
                  "drains: children are stopped and handed over, for at most %llu ms",
                  (unsigned long long)node->drain_timeout_ms);
    membership_set_wish(node, WISH_DRAINING);
    supervise_drain(node);
}

/* --- Ending ---------------------------------------------------------------------------------- */

static bool stop_last_word_is_known(const struct node *node)
{
    struct dot last = {.replica = awmap_writer(node->map),
                       .counter = awmap_writer_counter(node->map)};
    return !sync_has_alive_peer(node->sync) || sync_acknowledged(node->sync, last);
}

static bool stop_is_detached(struct node *node)
{
    struct detach *detach = &node->detach;
    bool written = durable_may_write(node) && !node->membership.record_dirty;
    detach->known = written && stop_last_word_is_known(node);
    return detach->known || node->now.mono_ms >= detach->began_ms + DETACH_LIMIT_MS;
}

/* What was to be done before the end is done, or time is up. */
static bool stop_is_drained(struct node *node)
{
    const struct supervision *supervision = &node->supervision;
    uint64_t limit_ms = supervision->drain_ms + node->drain_timeout_ms + DRAIN_MARGIN_MS;
    if (node->drained_ms == 0) {
        bool late = node->now.mono_ms >= limit_ms;
        if (!supervise_is_drained(node) && !late)
            return false;
        if (late)
            effects_trace(node->effects, "stops although not everything could be handed over");
        node->drained_ms = node->now.mono_ms;
        if (node->leaving && durable_may_write(node))
            membership_set_wish(node, WISH_LEFT);
        return false;
    }
    if (node->now.mono_ms >= node->drained_ms + LAST_WORD_MS)
        return true;
    bool unwritten = node->membership.record_dirty && durable_may_write(node);
    return !unwritten && stop_last_word_is_known(node);
}

void stop_tick(struct node *node)
{
    if (node->stopped || !(node->detach.away_ms || node->supervision.draining))
        return;
    if (node->detach.away_ms ? !stop_is_detached(node) : !stop_is_drained(node))
        return;
    requests_end(node);
    output_end(node);
    durable_end(node);
    effects_trace(node->effects, "%s",
                  !node->detach.away_ms ? "stopped in good order"
                  : node->detach.known  ? "stopped; its containers run on"
                                       : "stopped; its containers run on, and nobody has confirmed "
                                         "that it knows");
    effects_exit(node->effects, 0);
    node->stopped = true;
}
