/* States that children leave: what a change of the map does to them (see store_feed.c). A record
 * says which state counts; pieces are only listed, their bytes stay in the map. */
#include "agent/core/store_private.h"

#include <stdlib.h>
#include <string.h>

void left_state_free(struct left_state *state)
{
    if (state)
        free(state->pieces);
    free(state);
}

static struct left_state *store_state_make(struct store *store, const struct child_id *id,
                                           struct child **ret_child)
{
    struct child *child = store_child_make(store, id);
    *ret_child = child;
    if (!child->state)
        child->state = xcalloc(1, sizeof *child->state);
    return child->state;
}

static void store_state_settle(struct store *store, struct child *child)
{
    if (!child->state->siblings && child->state->piece_count == 0) {
        left_state_free(child->state);
        child->state = NULL;
    }
    store->feed.position++;
    store_mark(store, child);
}

void store_apply_state(struct store *store, const struct key_parts *key,
                       const struct awmap_entry *entry)
{
    struct child *child;
    struct left_state *state = store_state_make(store, &key->child, &child);
    state->has_record = false;
    state->ahead_ms = 0;
    state->siblings = awmap_entry_count(entry);
    for (size_t i = 0; i < state->siblings; i++) {
        struct state_record record;
        if (!state_record_decode(&record, awmap_entry_sibling(entry, i).value)) {
            store->undecodable++;
            continue;
        }
        if (!state->has_record || state_record_compare(&record, &state->record, child->hash) > 0)
            state->record = record;
        state->has_record = true;
        if (record.id.epoch > child->epoch_max)
            child->epoch_max = record.id.epoch;
    }
    store_state_settle(store, child);
}

static size_t piece_find(const struct left_state *state, const struct key_parts *key)
{
    size_t at = 0;
    while (at < state->piece_count &&
           (memcmp(&state->pieces[at].id, &key->state, sizeof key->state) != 0 ||
            state->pieces[at].index != key->index))
        at++;
    return at;
}

void store_apply_piece(struct store *store, const struct key_parts *key,
                       const struct awmap_entry *entry)
{
    struct child *child;
    struct left_state *state = store_state_make(store, &key->child, &child);
    size_t at = piece_find(state, key);
    if (at < state->piece_count) {
        store->state_bytes -= state->pieces[at].bytes;
        state->pieces[at] = state->pieces[--state->piece_count];
    }
    if (awmap_entry_count(entry) > 0) {
        uint32_t bytes = (uint32_t)awmap_entry_sibling(entry, 0).value.bytes;
        state->pieces = xrealloc(state->pieces, (state->piece_count + 1) * sizeof *state->pieces);
        state->pieces[state->piece_count++] =
            (struct piece){.id = key->state, .index = key->index, .bytes = bytes};
        store->state_bytes += bytes;
    }
    store_state_settle(store, child);
}
