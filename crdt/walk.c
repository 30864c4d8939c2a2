/* Walk: what a peer lacks, by the index of each replica above the peer's `seen`.
 *
 *     body      head, number, chain (u64), last (u8), entries, claim count, claims
 *     claim     replica (u64), low, high - low; in ascending order of the replicas
 *
 * The one idea: when the receiver has all keys whose latest dot of replica r is above `low`, then
 * it lacks nothing of r that the sender had integrated when the walk began. So "r, from low to
 * high" is claimed once, with the body that reaches the end of r's index (MIDWALK), items above the
 * sender's own `seen` included (WALKEND): such an item may hide the only trace of a covered dot.
 *
 * Why entries may change between bodies: a change gives an item a greater counter, hence a place
 * further on in the same index. A tombstone that is dropped meanwhile leaves the index; the horizon
 * tells, the walk ends there without claims, and the receiver asks again (WALKHORIZON). So it does
 * for a context that is struck or a replica retired meanwhile. What the cursor has passed counts,
 * too: the horizon may rise to a key's old dot when the key itself has moved ahead of the cursor.
 *
 * A claim carries its `low` and each body a hash of the one before it: bodies of another session or
 * for another receiver raise nothing. */
#include <assert.h>

#include "crdt/exchange.h"
#include "crdt/record.h"

static const uint64_t walk_chain_seed = UINT64_C(0x452821e638d01377);

/* --- The sender ------------------------------------------------------------------------------ */

bool awmap_walk_begin(struct awmap_walk *walk, const struct awmap *map, struct span bytes,
                      bool *ret_behind)
{
    struct awmap_position position = {0};
    if (!awmap_position_decode(&position, bytes)) {
        awmap_position_release(&position);
        return false;
    }
    *ret_behind = !position_reaches_horizon(map, &position);
    if (*ret_behind) {
        awmap_position_release(&position);
        return true;
    }
    awmap_walk_release(walk);
    walk->peer = position.known;
    for (uint32_t i = 0; i < map->seen.count; i++) {
        struct dot item = map->seen.items[i];
        if (!vector_covers(&walk->peer, item))
            vector_raise(&walk->start, item.replica, item.counter);
    }
    walk->chain = hash_vector(hash_vector(walk_chain_seed, &walk->peer), &walk->start);
    return true;
}

void awmap_walk_release(struct awmap_walk *walk)
{
    vector_release(&walk->peer);
    vector_release(&walk->start);
    *walk = (struct awmap_walk){0};
}

/* One body being cut. */
struct walk_body {
    struct awmap_walk *walk;
    const struct awmap *map;
    struct buffer *buffer;
    size_t begin, bytes_max;
    struct encoder encoder;
    struct vector claims;
    size_t entry_count;
};

/* At least one thing goes into each body, whatever its size. */
static bool walk_fits(const struct walk_body *body, size_t more_bytes)
{
    size_t bytes = body->buffer->bytes - body->begin + more_bytes +
                   (size_t)CLAIM_BYTES_MAX * body->claims.count;
    return bytes <= body->bytes_max || body->entry_count + body->claims.count == 0;
}

/* An entry that an earlier replica's section of this walk has sent is not sent again. It was, if
 * its dot of that replica lies between the peer's position and this walk's start: the map held that
 * very dot when the walk began, so the section met it there, and what it sent had all that the
 * claims of this walk speak of. */
static bool walk_has_sent(const struct awmap_walk *walk, const struct awmap_entry *entry,
                          uint64_t replica)
{
    struct state state = entry_state(entry);
    for (uint32_t i = 0; i < state.context_count && state.context[i].replica < replica; i++) {
        struct dot dot = state.context[i];
        if (vector_covers(&walk->start, dot) && !vector_covers(&walk->peer, dot))
            return true;
    }
    return false;
}

/* From the cursor to the end of one replica's index. False: the body is full. */
static bool walk_section(struct walk_body *body, uint64_t replica)
{
    struct awmap_walk *walk = body->walk;
    const struct sorted *index = index_of(body->map, replica);
    if (!index)
        return true;
    struct place place = sorted_seek(index, walk->cursor.counter + 1, span_of(NULL, 0));
    const struct slot *slot = sorted_at(index, place);
    for (; slot; slot = sorted_step(index, &place)) {
        if (!walk_has_sent(walk, slot->entry, replica)) {
            if (!walk_fits(body, entry_bytes_max(slot->entry)))
                return false;
            entries_put(&body->encoder, slot->entry, body->buffer);
            body->entry_count++;
        }
        walk->cursor.counter = slot->order;
    }
    return true;
}

/* Runs through the sections until the body is full or the walk is done. */
static void walk_sections(struct walk_body *body)
{
    struct awmap_walk *walk = body->walk;
    for (uint32_t i = 0; i < walk->start.count; i++) {
        struct dot end = walk->start.items[i];
        if (end.replica < walk->cursor.replica)
            continue;
        if (end.replica > walk->cursor.replica)
            walk->cursor = (struct dot){end.replica, vector_get(&walk->peer, end.replica)};
        if (map_horizon(body->map, end.replica) > vector_get(&walk->peer, end.replica))
            break; /* WALKHORIZON */
        if (!walk_section(body, end.replica) || !walk_fits(body, CLAIM_BYTES_MAX))
            return;
        vector_raise(&body->claims, end.replica, end.counter);
        /* A section that has ended must not be entered again by the next body. */
        if (i + 1 < walk->start.count) {
            uint64_t next = walk->start.items[i + 1].replica;
            walk->cursor = (struct dot){next, vector_get(&walk->peer, next)};
        }
    }
    walk->done = true;
}

static void walk_claims(const struct walk_body *body)
{
    buffer_varint(body->buffer, body->claims.count);
    for (uint32_t i = 0; i < body->claims.count; i++) {
        struct dot claim = body->claims.items[i];
        uint64_t low = vector_get(&body->walk->peer, claim.replica);
        buffer_u64(body->buffer, claim.replica);
        buffer_varint(body->buffer, low);
        buffer_varint(body->buffer, claim.counter - low);
    }
}

void awmap_walk_cut(struct awmap_walk *walk, const struct awmap *map, size_t bytes_max,
                    struct buffer *buffer)
{
    assert(!walk->done);
    struct walk_body body = {.walk = walk, .map = map, .buffer = buffer, .bytes_max = bytes_max};
    body.begin = buffer->bytes;
    body_begin(buffer, BODY_WALK);
    buffer_varint(buffer, walk->number++);
    buffer_u64(buffer, walk->chain);
    size_t last_at = buffer->bytes;
    buffer_u8(buffer, 0);
    walk_sections(&body);
    buffer->data[last_at] = walk->done;
    entries_end(buffer);
    walk_claims(&body);
    struct span whole = span_of(buffer->data + body.begin, buffer->bytes - body.begin);
    walk->chain = hash_bytes(walk_chain_seed, whole);
    encoder_release(&body.encoder);
    vector_release(&body.claims);
}

/* --- The receiver ---------------------------------------------------------------------------- */

struct walk_head {
    uint64_t number, chain;
    uint8_t last;
};

static bool walk_open(struct reader *reader, struct walk_head *ret_head)
{
    bool ours = body_open(reader, BODY_WALK);
    ret_head->number = reader_count(reader, UINT32_MAX);
    ret_head->chain = reader_u64(reader);
    ret_head->last = reader_u8(reader);
    return ours && !reader->failed && ret_head->last <= 1;
}

/* With a NULL map the claims are only checked. */
static bool walk_claims_apply(struct awmap *map, struct reader *reader)
{
    size_t count = reader_count(reader, VECTOR_COUNT_MAX);
    uint64_t before = 0; /* one claim a replica: of two the second could make the first hold */
    for (size_t i = 0; i < count; i++) {
        struct dot claim = {.replica = reader_u64(reader)};
        uint64_t low = reader_varint(reader);
        uint64_t more = reader_varint(reader);
        if (reader->failed || claim.replica <= before || low > DOT_COUNTER_MAX || more == 0 ||
            more > DOT_COUNTER_MAX - low)
            return false;
        before = claim.replica;
        claim.counter = low + more;
        if (map && awmap_known(map, claim.replica) >= low)
            map_raise_seen(map, claim);
    }
    return reader_done(reader);
}

/* True: the body continues an unbroken walk, and its claims hold. */
static bool walk_follows(struct awmap_walk_intake *intake, const struct walk_head *head,
                         struct span body)
{
    if (head->number < intake->next)
        return false; /* a repetition: it changes nothing about the others */
    bool follows =
        head->number == intake->next && (head->number == 0 || head->chain == intake->chain);
    intake->broken |= !follows;
    if (!follows)
        return false;
    intake->next++;
    intake->chain = hash_bytes(walk_chain_seed, body);
    return !intake->broken;
}

bool awmap_walk_apply(struct awmap *map, struct awmap_walk_intake *intake, struct span body,
                      bool *ret_last)
{
    struct reader reader = reader_of(body);
    struct walk_head head;
    if (!walk_open(&reader, &head))
        return false;
    struct reader checked = reader;
    bool news = false;
    if (!entries_apply(NULL, &checked, &news) || !walk_claims_apply(NULL, &checked))
        return false;
    bool joined = entries_apply(map, &reader, &news);
    intake->broken |= !joined;
    bool follows = walk_follows(intake, &head, body);
    if (joined)
        walk_claims_apply(follows ? map : NULL, &reader);
    *ret_last = head.last == 1;
    return joined;
}
