/* The journals of all members, for one who asks: each alive one is asked at once for its newest
 * entries, and the answer goes out when all have come, or GATHER_MS after, naming who was silent.
 *
 * Nothing is kept of it, nothing is repeated: a lost question or answer is a silent member.
 * Bounds: GATHERINGS_MAX at a time, and GATHER_BYTES_MAX of entries in each, of which every member
 * may fill an equal share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

enum {
    GATHER_MS = 1000,
    GATHERINGS_MAX = 8,
    GATHER_BYTES_MAX = 4 * 1024 * 1024,
    GATHER_SHARE_BYTES_MAX = 128 * 1024, /* of one member: within a bulk chunk */
    GATHER_SHARE_BYTES_MIN = 512,        /* some entries, however many the members */
};

struct gathering {
    uint64_t id, deadline_ms;
    struct buffer found;                /* see reply.found */
    char (*silent)[NAME_BYTES_MAX + 1]; /* who has not answered yet */
    size_t silent_count;
};

static void gathering_add(struct gathering *gathering, const char *member, struct span entries)
{
    buffer_text(&gathering->found, member);
    buffer_span(&gathering->found, entries);
}

static void gathering_drop(struct gatherings *gatherings, size_t index)
{
    buffer_release(&gatherings->items[index].found);
    free(gatherings->items[index].silent);
    gatherings->items[index] = gatherings->items[--gatherings->count];
}

/* --- Asking ---------------------------------------------------------------------------------- */

static size_t share_bytes(size_t members)
{
    size_t share = GATHER_BYTES_MAX / (members + 1);
    if (share > GATHER_SHARE_BYTES_MAX)
        return GATHER_SHARE_BYTES_MAX;
    return share > GATHER_SHARE_BYTES_MIN ? share : GATHER_SHARE_BYTES_MIN;
}

static void gathering_ask(struct node *node, struct gathering *gathering)
{
    const struct index *members = &node->membership.members;
    struct buffer body = {0};
    buffer_varint(&body, gathering->id);
    buffer_varint(&body, share_bytes(members->count));
    gathering->silent = xcalloc(members->count, sizeof *gathering->silent);
    for (const struct member *m = index_after(members, span_text("")); m;
         m = index_after(members, span_text(m->name))) {
        if (!member_phase_is_reachable(swim_phase(node->swim, m->name)))
            continue;
        memcpy(gathering->silent[gathering->silent_count++], m->name, strlen(m->name) + 1);
        node_send(node, m->address, MESSAGE_EVENTS_ASK, &body);
    }
    buffer_release(&body);
}

void gather_begin(struct node *node, uint64_t request)
{
    struct gatherings *gatherings = &node->gatherings;
    if (gatherings->count == GATHERINGS_MAX) {
        requests_reply(node, request, 429, "TooManyRequests",
                       "the members are being asked for their events already; try again");
        return;
    }
    if (!gatherings->items)
        gatherings->items = xcalloc(GATHERINGS_MAX, sizeof *gatherings->items);
    struct gathering *gathering = &gatherings->items[gatherings->count++];
    struct buffer own = {0};
    *gathering = (struct gathering){.id = request, .deadline_ms = node->now.mono_ms + GATHER_MS};
    gathering_ask(node, gathering);
    journal_encode(&node->journal, node->now.mono_ms, share_bytes(node->membership.members.count),
                   &own);
    gathering_add(gathering, node->name, buffer_view(&own));
    buffer_release(&own);
}

/* --- Being asked, and hearing ---------------------------------------------------------------- */

static void gather_answer(struct node *node, const char *from, uint64_t id, size_t bytes_max)
{
    const struct member *asker = member_find(node, from);
    if (!asker || !asker->address[0])
        return;
    struct buffer body = {0};
    buffer_varint(&body, id);
    journal_encode(&node->journal, node->now.mono_ms, bytes_max, &body);
    node_send_bulk(node, asker->address, MESSAGE_EVENTS, &body);
    buffer_release(&body);
}

static void gather_hear(struct node *node, const char *from, uint64_t id, struct span entries)
{
    for (size_t i = 0; i < node->gatherings.count; i++) {
        struct gathering *gathering = &node->gatherings.items[i];
        for (size_t j = 0; gathering->id == id && j < gathering->silent_count; j++) {
            if (strcmp(gathering->silent[j], from) != 0)
                continue;
            size_t last = --gathering->silent_count;
            memmove(gathering->silent[j], gathering->silent[last], sizeof gathering->silent[j]);
            gathering_add(gathering, from, entries);
            return;
        }
    }
}

void gather_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    uint64_t id = reader_varint(&reader);
    if (envelope->type == MESSAGE_EVENTS_ASK) {
        size_t bytes_max = reader_count(&reader, GATHER_SHARE_BYTES_MAX);
        if (reader_done(&reader))
            gather_answer(node, envelope->from, id, bytes_max);
        return;
    }
    struct span entries = reader_take(&reader, reader_left(&reader));
    if (!reader.failed && entries.bytes <= GATHER_SHARE_BYTES_MAX)
        gather_hear(node, envelope->from, id, entries);
}

/* --- Answering ------------------------------------------------------------------------------- */

/* As many names as there is room for. */
static void silent_print(const struct gathering *gathering, char *ret_text, size_t bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < gathering->silent_count; i++) {
        size_t left = gathering->silent_count - i;
        if (at + NAME_BYTES_MAX + 32 > bytes) {
            snprintf(ret_text + at, bytes - at, " and %zu more", left);
            return;
        }
        at += (size_t)snprintf(ret_text + at, bytes - at, "%s%s", i ? ", " : "",
                               gathering->silent[i]);
    }
}

void gather_settle(struct node *node)
{
    struct gatherings *gatherings = &node->gatherings;
    for (size_t i = 0; i < gatherings->count; i++) {
        struct gathering *gathering = &gatherings->items[i];
        bool over = gathering->silent_count == 0 || node->stopped ||
                    node->now.mono_ms >= gathering->deadline_ms;
        if (!over)
            continue;
        struct reply reply = {.id = gathering->id, .status = 200};
        uint8_t *found = effects_alloc(node->effects, gathering->found.bytes);
        memcpy(found, gathering->found.data, gathering->found.bytes);
        reply.found = span_of(found, gathering->found.bytes);
        silent_print(gathering, reply.message, sizeof reply.message);
        effects_reply(node->effects, &reply);
        gathering_drop(gatherings, i--);
    }
}

uint64_t gather_deadline(const struct node *node)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < node->gatherings.count; i++)
        if (node->gatherings.items[i].deadline_ms < deadline_ms)
            deadline_ms = node->gatherings.items[i].deadline_ms;
    return deadline_ms;
}

void gather_release(struct node *node)
{
    while (node->gatherings.count > 0)
        gathering_drop(&node->gatherings, 0);
    free(node->gatherings.items);
}
