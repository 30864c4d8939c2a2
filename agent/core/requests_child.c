/* Users' DELETE of a child: done by its holder, whoever was asked; with terminate it is a write,
 * which is acknowledged like any other. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/requests.h"

static void child_stop_encode(struct buffer *body, uint64_t id, const struct child_id *child,
                              bool terminate)
{
    buffer_varint(body, id);
    buffer_text(body, child->ns);
    buffer_text(body, child->workload);
    buffer_varint(body, child->ordinal);
    buffer_u8(body, terminate);
}

/* Done by the holder, here or elsewhere. To terminate is to claim it as finished, before its
 * container has ended: what is acknowledged outlives this agent. Returns that write, or none. */
static struct dot child_stop_here(struct node *node, struct child *child, bool terminate)
{
    struct dot dot = {0};
    struct local *local = local_make(child);
    if (terminate && child_is_wanted(child)) {
        local->stop = STOP_NONE;
        local->finished_ms = node->now.wall_ms;
        dot = child_finish(node, child, child->group->workload.spec_hash, child->claim->epoch,
                           "deleted", TERMINATED_MESSAGE);
    } else {
        local->stop = STOP_RELEASE;
    }
    store_mark(&node->store, child);
    node->dirty = true;
    return dot;
}

/* Nobody runs it. To terminate it is to claim it as finished; one that has finished and is deleted
 * runs again (Horde's restart_child). Both are writes like any other. */
static void request_end_unheld(struct node *node, const struct request *request,
                               struct child *child)
{
    const struct workload *workload = &child->group->workload;
    if (child_is_over(child) == request->flag || !child_is_wanted(child)) {
        requests_reply(node, request->id, 200, "", "");
        return;
    }
    if (requests_refuse_write(node, request))
        return;
    struct local *local = local_make(child);
    local->finished_ms = node->now.wall_ms;
    uint64_t epoch = child->epoch_max + 1;
    struct dot dot = {0};
    if (request->flag)
        dot = child_finish(node, child, workload->spec_hash, epoch, "deleted", TERMINATED_MESSAGE);
    else
        dot = claim_write(node, child, CLAIM_RELEASED, epoch, workload->spec_hash);
    store_mark(&node->store, child);
    node->dirty = true;
    requests_written(node, request, dot);
}

void request_delete_child(struct node *node, const struct request *request)
{
    struct child *child = store_child(&node->store, &request->child);
    if (!child || (!child_is_wanted(child) && !child->claim)) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such child");
        return;
    }
    bool held = child->claim && child->claim->state <= CLAIM_CLAIMED &&
                !claim_holder_is_lost(node, child->claim);
    if (!held) {
        request_end_unheld(node, request, child);
        return;
    }
    if (claim_is_ours(node, child->claim)) {
        if (request->flag && requests_refuse_write(node, request))
            return;
        struct dot dot = child_stop_here(node, child, request->flag);
        if (dot.counter)
            requests_written(node, request, dot);
        else
            requests_reply(node, request->id, 200, "", "");
        return;
    }
    const struct member *holder = member_find(node, child->claim->node);
    if (!holder) {
        requests_reply(node, request->id, 503, "ServiceUnavailable",
                       "its holder cannot be reached");
        return;
    }
    requests_add(node, request);
    struct buffer body = {0};
    child_stop_encode(&body, request->id, &request->child, request->flag);
    node_send(node, holder->address, MESSAGE_CHILD_STOP, &body);
    buffer_release(&body);
}

static void requests_on_child_stop(struct node *node, const struct envelope *envelope,
                                   struct reader *reader, uint64_t id)
{
    struct child_id child_id = {.ordinal = 0};
    struct span ns = reader_span(reader, NAME_BYTES_MAX),
                workload = reader_span(reader, NAME_BYTES_MAX);
    child_id.ordinal = (uint32_t)reader_count(reader, REPLICAS_MAX);
    bool terminate = reader_u8(reader);
    const struct member *asker = member_find(node, envelope->from);
    if (!reader_done(reader) || !asker)
        return;
    text_set_span(child_id.ns, sizeof child_id.ns, ns);
    text_set_span(child_id.workload, sizeof child_id.workload, workload);
    struct child *child = store_child(&node->store, &child_id);
    struct dot dot = {0};
    if (terminate && (!durable_may_write(node) || !durable_has_room(node)))
        return; /* no answer is the asker's "try again" */
    if (child && child->claim && claim_is_ours(node, child->claim) &&
        child->claim->state <= CLAIM_CLAIMED)
        dot = child_stop_here(node, child, terminate);
    node->user_writes |= dot.counter > 0;
    struct buffer body = {0};
    buffer_varint(&body, id);
    buffer_u64(&body, dot.replica);
    buffer_varint(&body, dot.counter);
    node_send(node, asker->address, MESSAGE_CHILD_STOPPED, &body);
    buffer_release(&body);
}

void requests_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    uint64_t id = reader_varint(&reader);
    if (envelope->type == MESSAGE_CHILD_STOP) {
        requests_on_child_stop(node, envelope, &reader, id);
        return;
    }
    struct dot dot = {.replica = reader_u64(&reader)};
    dot.counter = reader_varint(&reader);
    for (size_t i = 0; i < node->requests.count && reader_done(&reader); i++) {
        struct pending *pending = &node->requests.items[i];
        if (pending->id != id || pending->kind != REQUEST_DELETE_CHILD)
            continue;
        pending->after = dot; /* answered when it is here: then a second member knows */
        pending->answered = true;
        return;
    }
}
