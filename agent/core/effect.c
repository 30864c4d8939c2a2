/* The list of effects of one step, with the memory they point to.
 *
 * The idea: an arena. Whatever an effect needs is copied into chunks that live exactly as long as
 * the list's content, so nobody owns a single effect and clearing is one call.
 * Invariant: `chunks` is a list, newest first; only the newest has room that is still given out. */
#include "agent/core/effect.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EFFECTS_CHUNK_BYTES = 16 * 1024, /* a usual step fits one */
    EFFECTS_KEEP_COUNT = 256,        /* a list longer than this is given back by clear */
    EFFECTS_FIRST_COUNT = 16,
    EFFECTS_ALIGNMENT = _Alignof(max_align_t),
};

struct effects_chunk {
    struct effects_chunk *next;
    size_t used, capacity;
    _Alignas(max_align_t) uint8_t data[];
};

static void effects_free_chunks(struct effects_chunk *chunk)
{
    while (chunk) {
        struct effects_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void effects_release(struct effects *effects)
{
    if (!effects)
        return;
    effects_free_chunks(effects->chunks);
    free(effects->items);
    *effects = (struct effects){0};
}

/* Keeps one chunk of the usual size, so that a node at rest does not allocate at all. */
void effects_clear(struct effects *effects)
{
    struct effects_chunk *kept = NULL;
    while (effects->chunks) {
        struct effects_chunk *chunk = effects->chunks;
        effects->chunks = chunk->next;
        if (!kept && chunk->capacity == EFFECTS_CHUNK_BYTES) {
            kept = chunk;
            kept->next = NULL;
            kept->used = 0;
        } else {
            free(chunk);
        }
    }
    effects->chunks = kept;
    effects->count = 0;
    if (effects->capacity > EFFECTS_KEEP_COUNT) {
        free(effects->items);
        effects->items = NULL;
        effects->capacity = 0;
    }
}

static void effects_add_chunk(struct effects *effects, size_t bytes)
{
    size_t capacity = bytes > EFFECTS_CHUNK_BYTES ? bytes : EFFECTS_CHUNK_BYTES;
    struct effects_chunk *chunk = xmalloc(sizeof *chunk + capacity);
    chunk->used = 0;
    chunk->capacity = capacity;
    chunk->next = effects->chunks;
    effects->chunks = chunk;
}

void *effects_alloc(struct effects *effects, size_t bytes)
{
    assert(bytes < SIZE_MAX / 2);
    size_t room = (bytes + EFFECTS_ALIGNMENT - 1) / EFFECTS_ALIGNMENT * EFFECTS_ALIGNMENT;
    struct effects_chunk *chunk = effects->chunks;
    if (!chunk || chunk->capacity - chunk->used < room) {
        effects_add_chunk(effects, room);
        chunk = effects->chunks;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += room;
    memset(memory, 0, room);
    return memory;
}

static const void *effects_copy(struct effects *effects, const void *data, size_t bytes)
{
    void *copy = effects_alloc(effects, bytes);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    return copy;
}

const char *effects_text(struct effects *effects, const char *text)
{
    return text ? effects_copy(effects, text, strlen(text) + 1) : NULL;
}

static struct span effects_span(struct effects *effects, struct span span)
{
    return (struct span){effects_copy(effects, span.data, span.bytes), span.bytes};
}

struct effect *effects_append(struct effects *effects, enum effect_type type)
{
    if (effects->count == effects->capacity) {
        size_t capacity = effects->capacity ? 2 * effects->capacity : EFFECTS_FIRST_COUNT;
        effects->items = xrealloc(effects->items, capacity * sizeof *effects->items);
        effects->capacity = capacity;
    }
    struct effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

void effects_send(struct effects *effects, const char *address, enum channel channel,
                  struct span bytes)
{
    const char *to = effects_text(effects, address);
    struct span copy = effects_span(effects, bytes);
    struct effect *effect = effects_append(effects, EFFECT_SEND);
    effect->send.address = to;
    effect->send.channel = channel;
    effect->send.bytes = copy;
}

void effects_reconnect(struct effects *effects, const char *address)
{
    const char *to = effects_text(effects, address);
    effects_append(effects, EFFECT_RECONNECT)->peer.address = to;
}

void effects_disconnect(struct effects *effects, const char *address)
{
    const char *to = effects_text(effects, address);
    effects_append(effects, EFFECT_DISCONNECT)->peer.address = to;
}

void effects_log(struct effects *effects, uint64_t sequence, struct span record)
{
    struct span copy = effects_span(effects, record);
    struct effect *effect = effects_append(effects, EFFECT_LOG);
    effect->log.sequence = sequence;
    effect->log.record = copy;
}

void effects_reply(struct effects *effects, const struct reply *reply)
{
    const struct reply *copy = effects_copy(effects, reply, sizeof *reply);
    effects_append(effects, EFFECT_REPLY)->reply = copy;
}

struct runtime_operation *effects_runtime(struct effects *effects)
{
    struct runtime_operation *operation = effects_alloc(effects, sizeof *operation);
    effects_append(effects, EFFECT_RUNTIME)->runtime = operation;
    return operation;
}

void effects_guard(struct effects *effects, const struct guard_page *page)
{
    const struct guard_page *copy = effects_copy(effects, page, sizeof *page);
    effects_append(effects, EFFECT_GUARD)->guard = copy;
}

void effects_output(struct effects *effects, uint64_t id, size_t bytes, bool cancel)
{
    struct effect *effect = effects_append(effects, EFFECT_OUTPUT);
    effect->output.id = id;
    effect->output.bytes = bytes;
    effect->output.cancel = cancel;
}

void effects_trace(struct effects *effects, const char *format, ...)
{
    assert(format);
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t bytes = length > 0 ? (size_t)length + 1 : 1;
    char *line = effects_alloc(effects, bytes);
    vsnprintf(line, bytes, format, again);
    va_end(again);
    effects_append(effects, EFFECT_TRACE)->trace = line;
}

void effects_exit(struct effects *effects, int status)
{
    effects_append(effects, EFFECT_EXIT)->exit_status = status;
}
