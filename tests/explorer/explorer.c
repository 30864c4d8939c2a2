/* Visits every state of a small world of leases (lease_world.h), breadth first.
 *
 *     explorer [--states N] [SCENE...]
 *
 * Each scene ends when there is no new state left, or at N of them, and says how many it has seen.
 * A violation is told action by action, the shortest way there; the exit status is 3 then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "tests/explorer/lease_world.h"

enum { STATES_DEFAULT = 100000, NONE = UINT32_MAX, EXIT_VIOLATION = 3 };

static const struct scene scenes[] = {
    {.name = "loss", .drift = {-1, 1, 1}, .epoch_max = 2},
    {.name = "again", .drift = {-1, 1, 1}, .epoch_max = 3, .asked_at_once = true},
    {.name = "again-crash",
     .drift = {-1, 1, 1},
     .epoch_max = 3,
     .crashes = 1,
     .asked_at_once = true},
    {.name = "late", .drift = {-1, 1, 1}, .epoch_max = 2, .messages_max = 1},
    {.name = "late-fast", .drift = {1, -1, -1}, .epoch_max = 2, .messages_max = 1},
    {.name = "late-answers",
     .drift = {-1, 1, 1},
     .epoch_max = 2,
     .messages_max = 2,
     .terse = true,
     .asked_at_once = true},
    {.name = "twice", .drift = {-1, 1, 1}, .epoch_max = 2, .messages_max = 2, .copies = true},
    {.name = "crash", .drift = {-1, 1, 1}, .epoch_max = 2, .crashes = 1},
    {.name = "slow-disk", .drift = {-1, 1, 1}, .epoch_max = 1, .crashes = 1, .slow_disks = true},
    {.name = "lost-disk", .drift = {-1, 1, 1}, .epoch_max = 2, .wipes = 1},
    {.name = "step", .drift = {-1, 1, 1, 1}, .epoch_max = 2, .terse = true, .step = true},
};

struct known { /* a state that was met, by its hash */
    uint64_t hashes[2];
    uint32_t id;
};

struct search {
    const struct scene *scene;
    struct known *table; /* open addressing, at most half full */
    size_t slots;
    uint32_t *parents; /* by id */
    uint16_t *actions; /* ... that led there */
    uint32_t count, limit;
    uint64_t steps;
    struct buffer now, next; /* states of this depth and of the next: id, length, bytes */
    bool full;
};

/* True: it is new. */
static bool search_add(struct search *search, struct span state, uint32_t parent, uint16_t action)
{
    uint64_t one = hash_bytes(1, state);
    uint64_t two = hash_bytes(2, state);
    size_t at = one & (search->slots - 1);
    for (; search->table[at].id != NONE; at = (at + 1) & (search->slots - 1))
        if (search->table[at].hashes[0] == one && search->table[at].hashes[1] == two)
            return false;
    if (search->count == search->limit) {
        search->full = true;
        return false;
    }
    uint32_t id = search->count++;
    search->table[at] = (struct known){{one, two}, id};
    search->parents[id] = parent;
    search->actions[id] = action;
    buffer_u32(&search->next, id);
    buffer_span(&search->next, state);
    return true;
}

/* --- What is told ----------------------------------------------------------------------------- */

static void tell_way(const struct search *search, uint32_t id, uint16_t last)
{
    uint16_t way[4096];
    size_t count = 0;
    way[count++] = last;
    for (; search->parents[id] != NONE && count < sizeof way; id = search->parents[id])
        way[count++] = search->actions[id];
    struct buffer state = {0}, next = {0};
    world_first(search->scene, &state);
    while (count > 0) {
        uint16_t action = way[--count];
        printf("    %s\n", world_tell(search->scene, buffer_view(&state), action));
        world_act(search->scene, buffer_view(&state), action, &next);
        struct buffer before = state;
        state = next;
        next = before;
    }
    buffer_release(&state);
    buffer_release(&next);
}

/* --- The search ------------------------------------------------------------------------------- */

static const char *const violations[OUTCOME_COUNT] = {
    [OUTCOME_TWO_COPIES] = "two copies of a guarded child",
    [OUTCOME_EPOCH_AGAIN] = "an epoch has come again",
    [OUTCOME_KEPT_FOR_NOTHING] = "what was given up is renewed",
};

/* False: a violation was found. */
static bool search_from(struct search *search, uint32_t id, struct span state, struct buffer *next)
{
    uint16_t actions[WORLD_ACTIONS_MAX];
    size_t count = world_actions(search->scene, state, actions);
    for (size_t i = 0; i < count; i++) {
        enum outcome outcome = world_act(search->scene, state, actions[i], next);
        search->steps++;
        if (violations[outcome]) {
            printf("VIOLATION: %s; the way there:\n", violations[outcome]);
            tell_way(search, id, actions[i]);
            return false;
        }
        search_add(search, buffer_view(next), id, actions[i]);
    }
    return true;
}

static bool search_depth(struct search *search, struct buffer *scratch)
{
    struct reader reader = reader_of(buffer_view(&search->now));
    while (reader_left(&reader) > 0) {
        uint32_t id = reader_u32(&reader);
        struct span state = reader_span(&reader, 1 << 16);
        if (!search_from(search, id, state, scratch))
            return false;
    }
    return true;
}

static bool search_run(struct search *search)
{
    struct buffer scratch = {0};
    unsigned depth = 0;
    bool good = true;
    world_first(search->scene, &scratch);
    search_add(search, buffer_view(&scratch), NONE, 0);
    while (good && search->next.bytes > 0 && !search->full) {
        struct buffer done = search->now;
        search->now = search->next;
        search->next = done;
        buffer_clear(&search->next);
        good = search_depth(search, &scratch);
        depth++;
    }
    printf("%s: %u states, %llu steps, to depth %u%s\n", search->scene->name, search->count,
           (unsigned long long)search->steps, depth,
           !good          ? ""
           : search->full ? ", where the limit was met; no violation"
                          : ": all there are; no violation");
    fflush(stdout);
    buffer_release(&scratch);
    return good;
}

static bool explore(const struct scene *scene, uint32_t limit)
{
    struct search search = {.scene = scene, .limit = limit, .slots = 1024};
    while (search.slots < 2 * (size_t)limit)
        search.slots *= 2;
    search.table = xmalloc(search.slots * sizeof *search.table);
    for (size_t i = 0; i < search.slots; i++)
        search.table[i].id = NONE;
    search.parents = xcalloc(limit, sizeof *search.parents);
    search.actions = xcalloc(limit, sizeof *search.actions);
    bool good = search_run(&search);
    buffer_release(&search.now);
    buffer_release(&search.next);
    free(search.table);
    free(search.parents);
    free(search.actions);
    return good;
}

static bool is_chosen(const struct scene *scene, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], scene->name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    uint32_t limit = STATES_DEFAULT;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--states") == 0) {
        limit = (uint32_t)strtoul(argv[2], NULL, 10);
        first = 3;
    }
    if (limit == 0) {
        fprintf(stderr, "usage: explorer [--states N] [SCENE...]\n");
        return 2;
    }
    bool good = true;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        if (is_chosen(&scenes[i], argv + first, argc - first))
            good &= explore(&scenes[i], limit);
    return good ? 0 : EXIT_VIOLATION;
}
