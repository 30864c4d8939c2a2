/* What a container here has printed, on its way to who reads it: see output_sink.c.
 *
 * A source is one operation of the engine and one reader. It keeps what is not known to have
 * arrived, and goes back to there if a second brings no news; it grants the engine what the client
 * has taken, so kept and queued bytes together are at most a window and what the driver has in its
 * hands. It ends with the operation, when the reader says that nobody reads any more, or when
 * nothing was heard of the reader for READER_SILENT_MS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/engine.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/output.h"

enum {
    RESEND_MS = 1000,
    READER_SILENT_MS = 10000,
    ENGINE_SILENT_MS = 10000, /* of one that has only to read what is there */
    GRANT_BYTES_MIN = OUTPUT_WINDOW_BYTES / 8,
};

/* --- Telling ---------------------------------------------------------------------------------- */

static void output_send(struct node *node, const char *reader, const struct output_piece *piece)
{
    const struct member *member = member_find(node, reader);
    if (!member || !member->address[0])
        return;
    struct buffer body = {0};
    buffer_varint(&body, piece->request);
    buffer_varint(&body, piece->offset);
    buffer_u8(&body, piece->last);
    buffer_varint(&body, (uint64_t)piece->status);
    buffer_text(&body, piece->message);
    buffer_append(&body, piece->bytes.data, piece->bytes.bytes);
    node_send_bulk(node, member->address, MESSAGE_OUTPUT, &body);
    buffer_release(&body);
}

/* False: nobody reads it any more. What goes to another agent is believed to be read. */
static bool output_tell(struct node *node, const char *reader, const struct output_piece *piece)
{
    if (strcmp(reader, node->name) == 0)
        return output_sink_take(node, node->name, piece);
    output_send(node, reader, piece);
    return true;
}

static void output_refuse(struct node *node, const struct output_question *question, int status,
                          const char *message)
{
    struct output_piece piece = {.request = question->request, .last = true, .status = status};
    TEXT_SET(piece.message, message);
    output_tell(node, question->reader, &piece);
}

void output_send_taken(struct node *node, const char *holder, uint64_t request, uint64_t received,
                       uint64_t taken, bool gone)
{
    const struct member *member = member_find(node, holder);
    if (strcmp(holder, node->name) == 0) {
        output_source_heard(node, node->name, request, received, taken, gone);
        return;
    }
    if (!member || !member->address[0])
        return;
    struct buffer body = {0};
    buffer_varint(&body, request);
    buffer_varint(&body, received);
    buffer_varint(&body, taken);
    buffer_u8(&body, gone);
    node_send(node, member->address, MESSAGE_OUTPUT_TAKEN, &body);
    buffer_release(&body);
}

/* --- Sources ---------------------------------------------------------------------------------- */

static struct output_source *source_of(struct node *node, const char *reader, uint64_t request)
{
    for (size_t i = 0; i < node->outputs.source_count; i++)
        if (node->outputs.sources[i].request == request &&
            strcmp(node->outputs.sources[i].reader, reader) == 0)
            return &node->outputs.sources[i];
    return NULL;
}

static struct output_source *source_by_operation(struct node *node, uint64_t operation)
{
    for (size_t i = 0; i < node->outputs.source_count; i++)
        if (operation && node->outputs.sources[i].operation == operation)
            return &node->outputs.sources[i];
    return NULL;
}

static void source_drop(struct node *node, struct output_source *source)
{
    if (source->operation)
        effects_output(node->effects, source->operation, 0, true);
    buffer_release(&source->kept);
    *source = node->outputs.sources[--node->outputs.source_count];
}

static uint64_t source_end(const struct output_source *source)
{
    return source->kept_from + source->kept.bytes;
}

static void source_acknowledge(struct output_source *source, uint64_t received)
{
    if (received <= source->kept_from || received > source_end(source))
        return;
    size_t bytes = (size_t)(received - source->kept_from);
    source->kept.bytes -= bytes;
    memmove(source->kept.data, source->kept.data + bytes, source->kept.bytes);
    source->kept_from = received;
    if (source->sent < received)
        source->sent = received;
}

/* One piece; the last one has what is left and says how it ended. False: the source is gone. */
static bool source_send_piece(struct node *node, struct output_source *source, size_t bytes,
                              bool last)
{
    struct output_piece piece = {.request = source->request,
                                 .offset = source->sent,
                                 .last = last,
                                 .status = last ? source->status : 0};
    bool here = strcmp(source->reader, node->name) == 0;
    piece.bytes = span_of(source->kept.data + (source->sent - source->kept_from), bytes);
    if (last)
        TEXT_SET(piece.message, source->message);
    source->sent += bytes;
    source->sent_ms = node->now.mono_ms;
    source->last_sent = last;
    bool read = output_tell(node, source->reader, &piece);
    if (here && (!read || last)) {
        source_drop(node, source);
        return false;
    }
    if (here)
        source_acknowledge(source, source->sent);
    return true;
}

static void source_pump(struct node *node, struct output_source *source)
{
    for (;;) {
        size_t bytes = (size_t)(source_end(source) - source->sent);
        bool last = source->ended && bytes <= OUTPUT_PIECE_BYTES_MAX;
        if (source->last_sent || (bytes == 0 && !last))
            return;
        bytes = bytes < OUTPUT_PIECE_BYTES_MAX ? bytes : OUTPUT_PIECE_BYTES_MAX;
        if (!source_send_piece(node, source, bytes, last))
            return;
    }
}

static void source_fail(struct node *node, struct output_source *source, int status,
                        const char *message)
{
    if (source->operation)
        effects_output(node->effects, source->operation, 0, true);
    source->operation = 0;
    source->ended = true;
    source->status = status;
    TEXT_SET(source->message, message);
    source_pump(node, source);
}

/* --- Questions -------------------------------------------------------------------------------- */

/* The one of the claim, or the newest that is left of those before it. */
static const struct container *output_container(const struct node *node, const struct child *child)
{
    const struct local_container *found = child_container(node, child);
    const struct local *local = child->local;
    for (size_t i = 0; !found && local && i < local->container_count; i++)
        if (local->containers[i].container.state != CONTAINER_GONE &&
            (!found || local->containers[i].container.epoch > found->container.epoch))
            found = &local->containers[i];
    return found ? &found->container : NULL;
}

static void source_open(struct node *node, const struct output_question *question,
                        const struct child *child)
{
    struct outputs *outputs = &node->outputs;
    const struct container *container = output_container(node, child);
    char message[MESSAGE_BYTES_MAX + 1];
    if (source_of(node, question->reader, question->request)) {
        /* Asked again before our answer was there, if we had one. */
        output_source_heard(node, question->reader, question->request, 0, 0, false);
        return;
    }
    if (!container || !node->supervision.engine_healthy) {
        snprintf(message, sizeof message,
                 container ? "the engine of %s does not answer"
                           : "it has no container on %s yet, or none any "
                             "more",
                 node->name);
        output_refuse(node, question, container ? 503 : 400, message);
        return;
    }
    if (outputs->source_count == RUNTIME_OUTPUTS_IN_FLIGHT_MAX) {
        snprintf(message, sizeof message, "too many logs are being read on %s; try again later",
                 node->name);
        output_refuse(node, question, 429, message);
        return;
    }
    if (!outputs->sources)
        outputs->sources = xcalloc(RUNTIME_OUTPUTS_IN_FLIGHT_MAX, sizeof *outputs->sources);
    struct output_source *source = &outputs->sources[outputs->source_count++];
    *source = (struct output_source){.request = question->request,
                                     .follow = question->wish.follow,
                                     .granted = OUTPUT_WINDOW_BYTES,
                                     .heard_ms = node->now.mono_ms,
                                     .engine_ms = node->now.mono_ms};
    TEXT_SET(source->reader, question->reader);
    source->operation = engine_output(node, child, container->id, &question->wish);
    effects_output(node->effects, source->operation, OUTPUT_WINDOW_BYTES, false);
    if (strcmp(question->reader, node->name) == 0)
        output_sink_served_here(node, question->request);
}

static void question_encode(const struct output_question *question, struct buffer *body)
{
    buffer_text(body, question->reader);
    buffer_varint(body, question->request);
    buffer_varint(body, question->hops);
    buffer_text(body, question->child.ns);
    buffer_text(body, question->child.workload);
    buffer_varint(body, question->child.ordinal);
    buffer_u8(body, (uint8_t)(question->wish.follow | question->wish.timestamps << 1));
    buffer_varint(body, question->wish.tail);
    buffer_varint(body, question->wish.since_seconds);
}

static bool question_decode(struct output_question *ret_question, struct reader *reader)
{
    struct output_question *question = ret_question;
    *question = (struct output_question){.hops = 0};
    text_set_span(question->reader, sizeof question->reader, reader_span(reader, NAME_BYTES_MAX));
    question->request = reader_varint(reader);
    question->hops = (uint32_t)reader_count(reader, UINT32_MAX);
    text_set_span(question->child.ns, sizeof question->child.ns,
                  reader_span(reader, NAME_BYTES_MAX));
    text_set_span(question->child.workload, sizeof question->child.workload,
                  reader_span(reader, NAME_BYTES_MAX));
    question->child.ordinal = (uint32_t)reader_count(reader, REPLICAS_MAX);
    uint8_t flags = reader_u8(reader);
    question->wish.follow = flags & 1;
    question->wish.timestamps = flags & 2;
    question->wish.tail = (uint32_t)reader_count(reader, UINT32_MAX);
    question->wish.since_seconds = (uint32_t)reader_count(reader, UINT32_MAX);
    return reader_done(reader);
}

void output_ask(struct node *node, struct output_question *question)
{
    const struct child *child = store_child(&node->store, &question->child);
    char message[MESSAGE_BYTES_MAX + 1] = "nobody runs it yet";
    if (!child || !child->claim) {
        output_refuse(node, question, child ? 400 : 404,
                      child ? message : "there is no such child");
        return;
    }
    const char *holder = child->claim->node;
    if (strcmp(holder, node->name) == 0) {
        source_open(node, question, child);
        return;
    }
    const struct member *member = member_find(node, holder);
    bool reachable = member && member_phase_is_reachable(member_phase(node, holder));
    if (!reachable || question->hops == 0) {
        snprintf(message, sizeof message,
                 reachable ? "it moves too fast: %s is said to have it now"
                           : "its node %s cannot be reached",
                 holder);
        output_refuse(node, question, 503, message);
        return;
    }
    question->hops--;
    struct buffer body = {0};
    question_encode(question, &body);
    node_send(node, member->address, MESSAGE_OUTPUT_ASK, &body);
    buffer_release(&body);
}

/* --- What is heard of the reader -------------------------------------------------------------- */

static void source_grant(struct node *node, struct output_source *source)
{
    uint64_t granted = source->taken + OUTPUT_WINDOW_BYTES;
    if (!source->operation || granted < source->granted + GRANT_BYTES_MIN)
        return;
    effects_output(node->effects, source->operation, (size_t)(granted - source->granted), false);
    source->engine_ms = node->now.mono_ms;
    source->granted = granted;
}

void output_source_heard(struct node *node, const char *reader, uint64_t request, uint64_t received,
                         uint64_t taken, bool gone)
{
    struct output_source *source = source_of(node, reader, request);
    if (!source)
        return;
    if (gone) {
        source_drop(node, source);
        return;
    }
    source->heard_ms = node->now.mono_ms;
    source_acknowledge(source, received);
    if (taken > source->taken && taken <= source->kept_from)
        source->taken = taken;
    source_grant(node, source);
    if (strcmp(reader, node->name) == 0)
        return;
    if (node->now.mono_ms >= source->sent_ms + RESEND_MS &&
        (source->kept_from < source->sent || source->last_sent)) {
        source->sent = source->kept_from;
        source->last_sent = false;
        source_pump(node, source);
    } else if (source->kept_from == source->sent && !source->last_sent) {
        source_send_piece(node, source, 0, false); /* we are here, and there is nothing new */
    }
}

void output_source_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    struct output_question question;
    if (envelope->type == MESSAGE_OUTPUT_ASK) {
        bool known =
            question_decode(&question, &reader) &&
            (member_find(node, question.reader) || strcmp(question.reader, node->name) == 0);
        if (known)
            output_ask(node, &question);
        return;
    }
    uint64_t request = reader_varint(&reader), received = reader_varint(&reader);
    uint64_t taken = reader_varint(&reader);
    bool gone = reader_u8(&reader);
    if (reader_done(&reader))
        output_source_heard(node, envelope->from, request, received, taken, gone);
}

/* --- What is heard of the engine -------------------------------------------------------------- */

void output_from_engine(struct node *node, const struct event *event)
{
    struct output_source *source = source_by_operation(node, event->output.id);
    if (!source)
        return;
    source->engine_ms = node->now.mono_ms;
    buffer_append(&source->kept, event->output.bytes.data, event->output.bytes.bytes);
    source_pump(node, source);
}

void output_done(struct node *node, const struct operation *operation, const struct event *event)
{
    struct output_source *source = source_by_operation(node, operation->id);
    if (!source)
        return;
    source->operation = 0;
    source->ended = true;
    source->status = event->done.result == RUNTIME_OK ? 200 : 503;
    if (event->done.message)
        snprintf(source->message, sizeof source->message, "the engine of %.63s: %.160s", node->name,
                 event->done.message);
    source_pump(node, source);
}

/* --- Time ------------------------------------------------------------------------------------- */

static uint64_t source_deadline(const struct node *node, const struct output_source *source)
{
    uint64_t deadline = UINT64_MAX;
    if (strcmp(source->reader, node->name) != 0)
        deadline = source->heard_ms + READER_SILENT_MS;
    bool engine_owes = source->operation && !source->follow && source_end(source) < source->granted;
    if (engine_owes && source->engine_ms + ENGINE_SILENT_MS < deadline)
        deadline = source->engine_ms + ENGINE_SILENT_MS;
    return deadline;
}

static void source_tick(struct node *node, struct output_source *source)
{
    char message[MESSAGE_BYTES_MAX + 1];
    if (node->now.mono_ms < source_deadline(node, source))
        return;
    if (strcmp(source->reader, node->name) != 0 &&
        node->now.mono_ms >= source->heard_ms + READER_SILENT_MS) {
        source_drop(node, source);
        return;
    }
    snprintf(message, sizeof message, "the engine of %s does not answer", node->name);
    source_fail(node, source, 504, message);
}

void output_tick(struct node *node)
{
    output_sinks_tick(node);
    for (size_t i = node->outputs.source_count; i-- > 0;)
        if (i < node->outputs.source_count)
            source_tick(node, &node->outputs.sources[i]);
}

uint64_t output_deadline(const struct node *node)
{
    uint64_t deadline = output_sinks_deadline(node);
    for (size_t i = 0; i < node->outputs.source_count; i++) {
        uint64_t own = source_deadline(node, &node->outputs.sources[i]);
        deadline = own < deadline ? own : deadline;
    }
    return deadline;
}

/* --- The end ---------------------------------------------------------------------------------- */

void output_end(struct node *node)
{
    char message[MESSAGE_BYTES_MAX + 1];
    snprintf(message, sizeof message, "the log ends here: the agent of %s stops", node->name);
    while (node->outputs.source_count > 0) {
        struct output_source *source = &node->outputs.sources[0];
        size_t before = node->outputs.source_count;
        source->last_sent = false;
        source_fail(node, source, 503, message);
        if (node->outputs.source_count == before)
            source_drop(node, source);
    }
}

void output_release(struct node *node)
{
    for (size_t i = 0; i < node->outputs.source_count; i++)
        buffer_release(&node->outputs.sources[i].kept);
    free(node->outputs.sources);
}
