/* Positions: what a replica knows, said in few bytes.
 *
 *     position  head, known, rest (u64)
 *
 * The one idea: `known` names the replicas that may still write, and those that were retired last;
 * `rest` is the sum over all other retired ones. Two replicas differ in their retired tables for
 * the moments in which they retire the same one; what they differ in then is named. If after all
 * the rests differ, nothing is assumed of what is not named: the peer counts as behind, and a full
 * comparison makes the tables agree. So a position stays small however many nodes there were. */
#include <string.h>

#include "crdt/exchange.h"
#include "crdt/record.h"

void awmap_position_encode(const struct awmap *map, const struct vector *about,
                           struct buffer *buffer)
{
    struct vector known = {0};
    vector_copy(&known, &map->seen);
    for (size_t i = 0; i < AWMAP_RECENT_RETIRED; i++)
        vector_raise(&known, map->recent[i], vector_get(&map->retired, map->recent[i]));
    for (uint32_t i = 0; about && i < about->count && known.count < VECTOR_COUNT_MAX; i++) {
        uint64_t replica = about->items[i].replica;
        vector_raise(&known, replica, vector_get(&map->retired, replica));
    }
    body_begin(buffer, BODY_POSITION);
    vector_encode(&known, buffer);
    buffer_u64(buffer, map_rest(map, &known));
    vector_release(&known);
}

uint64_t map_rest(const struct awmap *map, const struct vector *named)
{
    uint64_t rest = map->retired_sum;
    for (uint32_t i = 0; i < named->count; i++) {
        uint64_t replica = named->items[i].replica;
        rest -= hash_known((struct dot){replica, vector_get(&map->retired, replica)});
    }
    return rest;
}

bool awmap_position_decode(struct awmap_position *ret_position, struct span bytes)
{
    struct reader reader = reader_of(bytes);
    bool good = body_open(&reader, BODY_POSITION) && vector_decode(&ret_position->known, &reader);
    ret_position->rest = reader_u64(&reader);
    return good && reader_done(&reader);
}

void awmap_position_release(struct awmap_position *position)
{
    vector_release(&position->known);
}

bool awmap_position_equals(const struct awmap *map, const struct awmap_position *position)
{
    uint64_t sum = position->rest;
    for (uint32_t i = 0; i < position->known.count; i++)
        sum += hash_known(position->known.items[i]);
    return sum == map->known_sum;
}

bool awmap_position_rest_equals(const struct awmap *map, const struct awmap_position *position)
{
    return position->rest == map_rest(map, &position->known);
}

static bool vector_names(const struct vector *vector, uint64_t replica)
{
    return vector_get(vector, replica) > 0;
}

bool awmap_position_covers(const struct awmap *map, const struct awmap_position *position)
{
    return awmap_position_equals(map, position) ||
           (awmap_position_rest_equals(map, position) &&
            vector_covers_all(&position->known, &map->seen));
}

bool awmap_position_is_covered(const struct awmap *map, const struct awmap_position *position)
{
    for (uint32_t i = 0; i < position->known.count; i++) {
        if (!awmap_covers(map, position->known.items[i]))
            return false;
    }
    return true;
}

/* What of the retired the position does not name, and its rest does not answer for. */
static bool position_reaches_retired(const struct awmap *map, const struct awmap_position *position,
                                     bool rest_equals)
{
    uint32_t named = 0;
    for (uint32_t i = 0; i < position->known.count; i++) {
        struct dot item = position->known.items[i];
        uint64_t retired = vector_get(&map->retired, item.replica);
        if (retired > item.counter)
            return false;
        named += retired > 0;
    }
    return rest_equals || named == map->retired.count;
}

bool position_reaches_horizon(const struct awmap *map, struct awmap_position *position)
{
    bool rest_equals = awmap_position_rest_equals(map, position);
    bool reaches = position_reaches_retired(map, position, rest_equals);
    for (uint32_t i = 0; rest_equals && i < map->seen.count; i++) {
        uint64_t replica = map->seen.items[i].replica;
        if (!vector_names(&position->known, replica))
            vector_raise(&position->known, replica, vector_get(&map->retired, replica));
    }
    return reaches && vector_covers_all(&position->known, &map->horizon);
}
