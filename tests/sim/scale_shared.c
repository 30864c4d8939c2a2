/* Room for millions of copies: what many nodes hold alike is one in this process.
 *
 * The linker puts these functions in the place of crdt/block.c's, kept.c's and ring.c's (--wrap,
 * see tests/CMakeLists.txt): states of entries, decoded claims, statuses, names and members, and
 * rings of equal members are looked up by content and counted. Nothing else of a node is shared:
 * tables, indexes, keys, children, members, failure detectors are each node's own. The agent has
 * none of this; its own memory is measured with one node (tests/bench). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/kept.h"
#include "crdt/awmap_private.h"
#include "placement/hash.h"
#include "placement/ring.h"
#include "tests/sim/scale_shared.h"

struct shared {
    struct shared *next; /* in its bucket */
    uint64_t hash;
    size_t references, bytes;
    void *value;
    uint8_t content[]; /* by which it is found */
};

struct shared_table {
    struct shared **buckets;
    size_t count, capacity; /* a power of two */
};

struct shared_value { /* before each value that is given out */
    struct shared *shared;
    _Alignas(16) uint8_t value[];
};

static struct shared_table table;
static struct buffer content;

size_t scale_shared_count(void)
{
    return table.count;
}

static void table_grow(void)
{
    size_t capacity = table.capacity ? 2 * table.capacity : 1024;
    struct shared **buckets = xcalloc(capacity, sizeof *buckets);
    for (size_t i = 0; i < table.capacity; i++)
        for (struct shared *at = table.buckets[i], *next; at; at = next) {
            next = at->next;
            at->next = buckets[at->hash & (capacity - 1)];
            buckets[at->hash & (capacity - 1)] = at;
        }
    free(table.buckets);
    table.buckets = buckets;
    table.capacity = capacity;
}

/* The one of this content, with one reference more; value NULL: it is new. */
static struct shared *shared_take(void)
{
    uint64_t hash = placement_hash(content.data, content.bytes);
    if (table.count >= table.capacity)
        table_grow();
    struct shared **bucket = &table.buckets[hash & (table.capacity - 1)];
    for (struct shared *at = *bucket; at; at = at->next)
        if (at->hash == hash && at->bytes == content.bytes &&
            memcmp(at->content, content.data, content.bytes) == 0) {
            at->references++;
            return at;
        }
    struct shared *made = xmalloc(sizeof *made + content.bytes);
    *made = (struct shared){.next = *bucket, .hash = hash, .references = 1, .bytes = content.bytes};
    memcpy(made->content, content.data, content.bytes);
    *bucket = made;
    table.count++;
    return made;
}

static void shared_remove(struct shared *shared)
{
    struct shared **at = &table.buckets[shared->hash & (table.capacity - 1)];
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    free(shared);
    table.count--;
}

/* Values know where they belong. */
static void *value_room(struct shared *shared, size_t bytes)
{
    struct shared_value *value = xmalloc(sizeof *value + bytes);
    value->shared = shared;
    shared->value = value->value;
    return shared->value;
}

static void *value_new(struct shared *shared, const void *data, size_t bytes)
{
    return memcpy(value_room(shared, bytes), data, bytes);
}

static struct shared_value *value_of(const void *data)
{
    return (struct shared_value *)((const uint8_t *)data - offsetof(struct shared_value, value));
}

/* True: that was the last reference, and the caller frees the value. */
static bool value_drop(const void *data)
{
    struct shared_value *value = value_of(data);
    if (--value->shared->references > 0)
        return false;
    shared_remove(value->shared);
    return true;
}

/* --- States of entries ----------------------------------------------------------------------- */

struct block *__wrap_block_new(uint64_t hash, struct span key, const struct state *state);
void __wrap_block_free(struct block *block);

struct block *__wrap_block_new(uint64_t hash, struct span key, const struct state *state)
{
    buffer_clear(&content);
    buffer_u8(&content, 'b');
    buffer_span(&content, key);
    buffer_u32(&content, state->live_count);
    buffer_append(&content, state->context, state->context_count * sizeof *state->context);
    for (uint32_t i = 0; i < state->live_count; i++) {
        const struct live *live = &state->live[i];
        buffer_u64(&content, live->hlc);
        buffer_u32(&content, live->at);
        buffer_u32(&content, live->value_bytes);
        buffer_append(&content, live->value, live->value_bytes);
    }
    struct shared *shared = shared_take();
    if (!shared->value)
        block_write(value_room(shared, block_bytes(key, state)), hash, key, state);
    return shared->value;
}

void __wrap_block_free(struct block *block)
{
    if (value_drop(block))
        free(value_of(block));
}

/* --- Claims, statuses, names, members --------------------------------------------------------- */

const struct claim *__wrap_kept_claim(struct span value);
const struct claim *__wrap_kept_claim_of(const struct claim *claim);
void __wrap_kept_claim_drop(const struct claim *claim);
const struct status *__wrap_kept_status(struct span value);
void __wrap_kept_status_drop(const struct status *status);
const struct status *__real_kept_status(struct span value);
void __real_kept_status_drop(const struct status *status);
const struct name_record *__wrap_kept_name(struct span value);
void __wrap_kept_name_drop(const struct name_record *record);
const struct name_record *__real_kept_name(struct span value);
void __real_kept_name_drop(const struct name_record *record);
const struct member_record *__wrap_kept_member(struct span value);
void __wrap_kept_member_drop(const struct member_record *record);
const struct member_record *__real_kept_member(struct span value);
void __real_kept_member_drop(const struct member_record *record);

static struct shared *shared_record(uint8_t kind, struct span value)
{
    buffer_clear(&content);
    buffer_u8(&content, kind);
    buffer_append(&content, value.data, value.bytes);
    return shared_take();
}

/* With room for an offer behind it, whether or not there is one. */
const struct claim *__wrap_kept_claim(struct span value)
{
    struct shared *shared = shared_record('c', value);
    if (shared->value)
        return shared->value;
    struct {
        struct claim claim;
        struct offer offer;
    } decoded, *kept;
    if (!claim_decode(&decoded.claim, &decoded.offer, value)) {
        shared_remove(shared);
        return NULL;
    }
    kept = value_new(shared, &decoded, sizeof decoded);
    if (kept->claim.offer)
        kept->claim.offer = &kept->offer;
    return &kept->claim;
}

const struct claim *__wrap_kept_claim_of(const struct claim *claim)
{
    struct buffer value = {0};
    claim_encode(claim, &value);
    const struct claim *kept = __wrap_kept_claim(buffer_view(&value));
    assert(kept);
    buffer_release(&value);
    return kept;
}

void __wrap_kept_claim_drop(const struct claim *claim)
{
    if (claim && value_drop(claim))
        free(value_of(claim));
}

const struct status *__wrap_kept_status(struct span value)
{
    struct shared *shared = shared_record('s', value);
    if (shared->value)
        return shared->value;
    const struct status *status = __real_kept_status(value);
    if (!status) {
        shared_remove(shared);
        return NULL;
    }
    struct status copy;
    status_copy(&copy, status);
    __real_kept_status_drop(status);
    return value_new(shared, &copy, sizeof copy);
}

void __wrap_kept_status_drop(const struct status *status)
{
    if (status && value_drop(status))
        free(value_of(status));
}

const struct name_record *__wrap_kept_name(struct span value)
{
    struct shared *shared = shared_record('n', value);
    if (shared->value)
        return shared->value;
    struct name_record record;
    if (!name_record_decode(&record, value)) {
        shared_remove(shared);
        return NULL;
    }
    return value_new(shared, &record, sizeof record);
}

void __wrap_kept_name_drop(const struct name_record *record)
{
    if (!record || !value_drop(record))
        return;
    free(record->value);
    name_outside_free(record->outside);
    free(value_of(record));
}

const struct member_record *__wrap_kept_member(struct span value)
{
    struct shared *shared = shared_record('m', value);
    if (shared->value)
        return shared->value;
    struct member_record record;
    if (!member_record_decode(&record, value)) {
        shared_remove(shared);
        return NULL;
    }
    return value_new(shared, &record, sizeof record);
}

void __wrap_kept_member_drop(const struct member_record *record)
{
    if (!record || !value_drop(record))
        return;
    struct member_record lists = *record;
    member_record_release(&lists);
    free(value_of(record));
}

/* --- Rings ----------------------------------------------------------------------------------- */

void __wrap_ring_build(struct ring *ring, const struct ring_member *members, size_t count);
void __wrap_ring_release(struct ring *ring);
void __real_ring_build(struct ring *ring, const struct ring_member *members, size_t count);
void __real_ring_release(struct ring *ring);

enum { RINGS_MAX = 4096 };
static struct shared_ring {
    struct ring ring;
    struct shared *shared;
} rings[RINGS_MAX];

static struct shared_ring *ring_place(const struct ring_point *points)
{
    for (size_t i = 0; i < RINGS_MAX; i++)
        if (rings[i].ring.points == points)
            return &rings[i];
    abort();
}

void __wrap_ring_build(struct ring *ring, const struct ring_member *members, size_t count)
{
    __wrap_ring_release(ring);
    buffer_clear(&content);
    buffer_u8(&content, 'r');
    for (size_t i = 0; i < count; i++) {
        buffer_text(&content, members[i].name);
        buffer_u32(&content, members[i].weight);
    }
    struct shared *shared = shared_take();
    if (!shared->value) {
        struct ring made = {0};
        __real_ring_build(&made, members, count);
        if (!made.points) { /* nobody: nothing to share */
            shared_remove(shared);
            *ring = made;
            return;
        }
        struct shared_ring *place = ring_place(NULL);
        *place = (struct shared_ring){.ring = made, .shared = shared};
        shared->value = place;
    }
    *ring = ((struct shared_ring *)shared->value)->ring;
}

void __wrap_ring_release(struct ring *ring)
{
    if (ring && ring->points) {
        struct shared_ring *place = ring_place(ring->points);
        if (--place->shared->references == 0) {
            shared_remove(place->shared);
            __real_ring_release(&place->ring);
        }
    }
    if (ring)
        *ring = (struct ring){0};
}
