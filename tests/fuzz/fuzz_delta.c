/* The bodies that replicas exchange and the records they keep: push, walk, full comparison,
 * position, entry, vectors. A body that is refused changes nothing; one that is taken leaves a map
 * whose invariants hold, and taking it again changes nothing more. */
#include "crdt/exchange.h"
#include "tests/fuzz/fuzz.h"

static struct awmap *small_map(void)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, 7, 0);
    for (uint8_t i = 0; i < 6; i++) {
        uint8_t key[2] = {'k', i};
        awmap_put(map, span_of(key, 2), span_of(key, 2), 1000 + i);
    }
    uint8_t gone[2] = {'k', 3};
    awmap_remove(map, span_of(gone, 2));
    awmap_changed_clear(map);
    return map;
}

enum kind { PUSH, WALK, FULL, RECORD, POSITION, KIND_COUNT };

static bool apply(struct awmap *map, enum kind kind, struct span body)
{
    struct awmap_push_result result;
    struct awmap_walk_intake walk = {0};
    struct awmap_full_intake full = {0};
    bool last;
    switch (kind) {
    case PUSH:
        return awmap_push_apply(map, body, &result);
    case WALK:
        return awmap_walk_apply(map, &walk, body, &last);
    case FULL: {
        bool taken = awmap_full_apply(map, &full, body, &last);
        awmap_full_intake_release(&full);
        return taken;
    }
    case RECORD:
        return awmap_restore(map, body);
    default:
        return false;
    }
}

/* What a peer that says it is there would be sent, and that the peer can read it. */
static void answer_position(struct awmap *map, struct span position)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    bool behind, last = false;
    struct awmap *peer = awmap_new();
    struct buffer body = {0};
    if (awmap_walk_begin(&walk, map, position, &behind) && !behind) {
        for (int bodies = 0; !walk.done; bodies++) {
            fuzz_require(bodies < 100, "a walk over six keys ends");
            buffer_clear(&body);
            awmap_walk_cut(&walk, map, 64, &body);
            fuzz_require(awmap_walk_apply(peer, &intake, buffer_view(&body), &last),
                         "what is cut can be read");
        }
        fuzz_require(last, "the last body says so");
    }
    awmap_walk_release(&walk);
    awmap_check(peer);
    awmap_free(peer);
    buffer_release(&body);
}

static bool digests_equal(const struct awmap_digest *a, const struct awmap_digest *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = span_of(data, bytes);
    enum kind kind = (enum kind)fuzz_choice(&input, KIND_COUNT);
    /* A record is only restored before there is a writer. */
    struct awmap *map = kind == RECORD ? awmap_new() : small_map();
    struct awmap_digest before = awmap_digest(map);
    if (kind == POSITION) {
        answer_position(map, input);
    } else if (apply(map, kind, input)) {
        struct awmap_digest once = awmap_digest(map), twice;
        awmap_changed_clear(map);
        fuzz_require(apply(map, kind, input), "what was taken is taken again");
        twice = awmap_digest(map);
        fuzz_require(digests_equal(&once, &twice), "joining twice is joining once");
    } else {
        struct awmap_digest after = awmap_digest(map);
        fuzz_require(digests_equal(&before, &after), "what is refused changes nothing");
        fuzz_require(awmap_changed_count(map) == 0, "what is refused feeds nothing");
    }
    awmap_check(map);
    awmap_free(map);
    return 0;
}
