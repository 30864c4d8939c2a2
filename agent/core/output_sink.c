/* What a container has printed, at the agent that was asked for it. It need not be the agent that
 * has the container: the question goes to the holder of the child's claim, and on from there if the
 * child has moved meanwhile, proxyMessageTTL times at most; the pieces come straight from the
 * holder over the bulk channel.
 *
 *   client <- EFFECT_REPLY -- sink <- MESSAGE_OUTPUT ------ source <- EVENT_RUNTIME_OUTPUT --
 * engine
 *          -- EVENT_CLIENT -> sink -- MESSAGE_OUTPUT_TAKEN -> source -- EFFECT_OUTPUT ------>
 *
 * Messages may be lost: each piece has its offset, the sink tells once a second (and every quarter
 * of a window) how far it has come, and the source sends again what is missing. What the client has
 * not taken is at most a window; beyond that the source grants the engine nothing more, and a slow
 * reader stops the reading. Silence of OUTPUT_SILENT_MS, or the holder's death, ends the answer
 * with a message. A holder that is this agent itself is spoken to without messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/output.h"
#include "agent/core/ranking.h"
#include "agent/core/requests.h"

enum {
    TELL_EVERY_MS = 1000,
    TELL_BYTES = OUTPUT_WINDOW_BYTES / 4,
    OUTPUT_SILENT_MS = 5000,
};
_Static_assert(OUTPUT_WINDOW_BYTES + OUTPUT_SLACK_BYTES < STREAM_WINDOW_BYTES,
               "what is on its way fits into the queue of the client");

struct output_sink {
    struct output_question question;
    char holder[NAME_BYTES_MAX + 1]; /* who sends it; empty: nobody has answered yet */
    uint64_t received, taken;        /* offsets: by us, and by the client */
    uint64_t told_received, told_taken;
    uint64_t heard_ms, tell_ms;
    bool begun; /* the client has got a piece: a failure can only cut it off */
};

void output_sink_free(struct output_sink *sink)
{
    free(sink);
}

static struct pending *sink_pending(struct node *node, uint64_t request)
{
    for (size_t i = 0; i < node->requests.count; i++)
        if (node->requests.items[i].id == request && node->requests.items[i].output)
            return &node->requests.items[i];
    return NULL;
}

static bool sink_is_served_here(const struct node *node, const struct output_sink *sink)
{
    return strcmp(sink->holder, node->name) == 0;
}

void output_sink_served_here(struct node *node, uint64_t request)
{
    struct pending *pending = sink_pending(node, request);
    if (pending)
        TEXT_SET(pending->output->holder, node->name);
}

/* --- Answering -------------------------------------------------------------------------------- */

static const char *status_reason(int status)
{
    return status == 400   ? "BadRequest"
           : status == 404 ? "NotFound"
           : status == 429 ? "TooManyRequests"
           : status == 504 ? "Timeout"
                           : "ServiceUnavailable";
}

static void sink_reply(struct node *node, const struct pending *pending,
                       const struct output_piece *piece)
{
    struct reply reply = {
        .id = pending->id, .status = piece->last ? piece->status : 200, .more = !piece->last};
    if (reply.status >= 300) {
        TEXT_SET(reply.reason, status_reason(reply.status));
        TEXT_SET(reply.message, piece->message);
    }
    uint8_t *bytes = effects_alloc(node->effects, piece->bytes.bytes + 1);
    if (piece->bytes.bytes > 0)
        memcpy(bytes, piece->bytes.data, piece->bytes.bytes);
    reply.found = span_of(bytes, piece->bytes.bytes);
    effects_reply(node->effects, &reply);
    pending->output->begun = true;
}

/* The answer ends here, and the source is told, wherever it is. */
static void sink_fail(struct node *node, struct pending *pending, int status, const char *message)
{
    struct output_piece piece = {.request = pending->id, .last = true, .status = status};
    struct output_sink *sink = pending->output;
    TEXT_SET(piece.message, message);
    if (sink->holder[0])
        output_send_taken(node, sink->holder, pending->id, sink->received, sink->taken, true);
    sink_reply(node, pending, &piece);
    requests_drop(node, pending);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static uint32_t sink_hops(const struct node *node, const struct child *child)
{
    struct supervisor supervisor;
    const char *name = child->group->workload.supervisor;
    return ranking_supervisor(node, name, &supervisor) ? supervisor.proxy_message_ttl : 1;
}

void output_begin(struct node *node, const struct request *request)
{
    const struct child *child = store_child(&node->store, &request->child);
    size_t readers = 0;
    for (size_t i = 0; i < node->requests.count; i++)
        readers += node->requests.items[i].output != NULL;
    if (!child || (!child_is_wanted(child) && !child->claim)) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such child");
        return;
    }
    if (readers >= OUTPUT_READERS_MAX) {
        requests_reply(node, request->id, 429, "TooManyRequests",
                       "too many logs are being read through this agent; ask another one");
        return;
    }
    struct output_sink *sink = xcalloc(1, sizeof *sink);
    struct pending *pending = requests_add(node, request);
    pending->deadline_ms = UINT64_MAX; /* it has its own */
    pending->output = sink;
    sink->question = (struct output_question){.request = request->id,
                                              .hops = sink_hops(node, child),
                                              .child = request->child,
                                              .wish = request->output};
    TEXT_SET(sink->question.reader, node->name);
    sink->heard_ms = node->now.mono_ms;
    sink->tell_ms = node->now.mono_ms + TELL_EVERY_MS;
    struct output_question question = sink->question;
    output_ask(node, &question); /* may answer at once: the pending request may be gone */
}

/* --- Taking ----------------------------------------------------------------------------------- */

static void piece_skip(struct output_piece *piece, uint64_t bytes)
{
    if (bytes == 0)
        return; /* there may be no bytes at all, not even a pointer */
    piece->offset += bytes;
    piece->bytes = span_of(piece->bytes.data + bytes, piece->bytes.bytes - (size_t)bytes);
}

bool output_sink_take(struct node *node, const char *from, const struct output_piece *taken)
{
    struct pending *pending = sink_pending(node, taken->request);
    struct output_piece piece = *taken;
    if (!pending)
        return false;
    struct output_sink *sink = pending->output;
    if (!sink->holder[0])
        text_set(sink->holder, sizeof sink->holder, from);
    if (strcmp(sink->holder, from) != 0)
        return false;
    sink->heard_ms = node->now.mono_ms;
    if (piece.offset > sink->received || piece.offset + piece.bytes.bytes < sink->received) {
        sink->tell_ms = node->now.mono_ms; /* something is missing, or this was here already */
        return true;
    }
    piece_skip(&piece, sink->received - piece.offset);
    sink->received += piece.bytes.bytes;
    if (piece.last && piece.status >= 300 && piece.bytes.bytes > 0) {
        struct output_piece before = piece; /* what it had to say comes first */
        before.last = false;
        sink_reply(node, pending, &before);
        piece_skip(&piece, piece.bytes.bytes);
    }
    if (piece.bytes.bytes > 0 || piece.last || !sink->begun)
        sink_reply(node, pending, &piece);
    if (sink->received - sink->told_received >= TELL_BYTES)
        sink->tell_ms = node->now.mono_ms;
    if (!piece.last)
        return true;
    if (!sink_is_served_here(node, sink))
        output_send_taken(node, sink->holder, pending->id, sink->received, sink->taken, true);
    requests_drop(node, pending);
    return true;
}

void output_client(struct node *node, const struct pending *pending, const struct event *event)
{
    struct output_sink *sink = pending->output;
    sink->taken += event->client.taken_bytes;
    if (!sink->holder[0])
        return;
    if (sink_is_served_here(node, sink))
        output_source_heard(node, node->name, pending->id, sink->received, sink->taken,
                            event->client.gone);
    else if (event->client.gone)
        output_send_taken(node, sink->holder, pending->id, sink->received, sink->taken, true);
    else if (sink->taken - sink->told_taken >= TELL_BYTES)
        sink->tell_ms = node->now.mono_ms;
}

void output_sink_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    struct output_piece piece = {.request = reader_varint(&reader)};
    piece.offset = reader_varint(&reader);
    piece.last = reader_u8(&reader);
    piece.status = (int)reader_count(&reader, 599);
    text_set_span(piece.message, sizeof piece.message, reader_span(&reader, MESSAGE_BYTES_MAX));
    piece.bytes = reader_take(&reader, reader_left(&reader));
    if (reader.failed || piece.bytes.bytes > OUTPUT_PIECE_BYTES_MAX)
        return;
    if (!output_sink_take(node, envelope->from, &piece))
        output_send_taken(node, envelope->from, piece.request, 0, 0, true);
}

/* A source here needs to be told nothing; a client that waits for the first byte, that it may. */
static uint64_t sink_tell_ms(const struct node *node, const struct output_sink *sink)
{
    return sink_is_served_here(node, sink) && sink->begun ? UINT64_MAX : sink->tell_ms;
}

/* --- Time ------------------------------------------------------------------------------------- */

static void sink_tell(struct node *node, struct pending *pending)
{
    struct output_sink *sink = pending->output;
    struct output_question question = sink->question;
    sink->tell_ms = node->now.mono_ms + TELL_EVERY_MS;
    sink->told_received = sink->received;
    sink->told_taken = sink->taken;
    if (!sink->holder[0])
        output_ask(node, &question);
    else if (sink_is_served_here(node, sink))
        sink_reply(node, pending,
                   &(struct output_piece){.last = false}); /* nothing yet, but soon */
    else
        output_send_taken(node, sink->holder, pending->id, sink->received, sink->taken, false);
}

/* False: it has failed, and is gone. */
static bool sink_is_alive(struct node *node, struct pending *pending)
{
    const struct output_sink *sink = pending->output;
    char message[MESSAGE_BYTES_MAX + 1];
    const char *holder = sink->holder;
    if (holder[0] && sink_is_served_here(node, sink))
        return true;
    bool lost = holder[0] && !member_phase_is_reachable(member_phase(node, holder));
    if (!lost && node->now.mono_ms < sink->heard_ms + OUTPUT_SILENT_MS)
        return true;
    if (lost)
        snprintf(message, sizeof message, "the log ends here: its node %s is %s", holder,
                 member_phase_text(node, holder));
    else
        snprintf(message, sizeof message, "the log ends here: no answer from %s",
                 holder[0] ? holder : "the child's node");
    sink_fail(node, pending, lost ? 503 : 504, message);
    return false;
}

void output_sinks_tick(struct node *node)
{
    for (size_t i = node->requests.count; i-- > 0;) {
        if (i >= node->requests.count || !node->requests.items[i].output)
            continue;
        struct pending *pending = &node->requests.items[i];
        if (sink_is_alive(node, pending) &&
            node->now.mono_ms >= sink_tell_ms(node, pending->output))
            sink_tell(node, pending);
    }
}

uint64_t output_sinks_deadline(const struct node *node)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < node->requests.count; i++) {
        const struct output_sink *sink = node->requests.items[i].output;
        if (sink && sink_tell_ms(node, sink) < deadline)
            deadline = sink_tell_ms(node, sink);
    }
    return deadline;
}
