/* The journals of all members, for one who asks: each alive one is asked at once for its newest
 * entries, and the answer goes out when all have come, or GATHER_MS after, naming who was silent.
 *
 * Nothing is kept of it, nothing is repeated: a lost question or answer is a silent member.
 * Bounds: GATHERINGS_MAX at a time, and GATHER_BYTES_MAX of entries in each, of which every member
 * may fill an equal share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/requests.h"

enum {
    GATHER_MS = 1000,
    GATHERINGS_MAX = 8,
    GATHER_BYTES_MAX = 4 * 1024 * 1024,
    GATHER_SHARE_BYTES_MAX = 128 * 1024, /* of one member: within a bulk chunk */
    GATHER_SHARE_BYTES_MIN = 512,        /* some entries, however many the members */
};

struct gathering {
    struct buffer found;                /* see reply.found */
    char (*silent)[NAME_BYTES_MAX + 1]; /* who has not answered yet */
    size_t silent_count;
};

void gathering_free(struct gathering *gathering)
{
    if (!gathering)
        return;
    buffer_release(&gathering->found);
    free(gathering->silent);
    free(gathering);
}

static void gathering_add(struct gathering *gathering, const char *member, struct span entries)
{
    buffer_text(&gathering->found, member);
    buffer_span(&gathering->found, entries);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static size_t share_bytes(size_t members)
{
    size_t share = GATHER_BYTES_MAX / (members + 1);
    if (share > GATHER_SHARE_BYTES_MAX)
        return GATHER_SHARE_BYTES_MAX;
    return share > GATHER_SHARE_BYTES_MIN ? share : GATHER_SHARE_BYTES_MIN;
}

static void gathering_ask(struct node *node, struct gathering *gathering, uint64_t id)
{
    const struct index *members = &node->membership.members;
    struct buffer body = {0};
    buffer_varint(&body, id);
    buffer_varint(&body, share_bytes(index_count(members)));
    gathering->silent = xcalloc(index_count(members), sizeof *gathering->silent);
    for (const struct member *m = index_after(members, span_text("")); m;
         m = index_after(members, span_text(m->name))) {
        if (!member_phase_is_reachable(swim_phase(node->swim, m->name)))
            continue;
        memcpy(gathering->silent[gathering->silent_count++], m->name, strlen(m->name) + 1);
        node_send(node, m->address, MESSAGE_EVENTS_ASK, &body);
    }
    buffer_release(&body);
}

void gather_begin(struct node *node, const struct request *request)
{
    size_t others = 0;
    for (size_t i = 0; i < node->requests.count; i++)
        others += node->requests.items[i].gathering != NULL;
    if (others == GATHERINGS_MAX) {
        requests_reply(node, request->id, 429, "TooManyRequests",
                       "the members are being asked for their events already; try again");
        return;
    }
    struct gathering *gathering = xcalloc(1, sizeof *gathering);
    struct pending *pending = requests_add(node, request);
    pending->gathering = gathering;
    pending->deadline_ms = node->now.mono_ms + GATHER_MS;
    gathering_ask(node, gathering, request->id);
    struct buffer own = {0};
    journal_encode(&node->journal, node->now.mono_ms,
                   share_bytes(index_count(&node->membership.members)), &own);
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
    struct gathering *gathering = NULL;
    for (size_t i = 0; i < node->requests.count && !gathering; i++)
        if (node->requests.items[i].id == id)
            gathering = node->requests.items[i].gathering;
    for (size_t i = 0; gathering && i < gathering->silent_count; i++) {
        if (strcmp(gathering->silent[i], from) != 0)
            continue;
        size_t last = --gathering->silent_count;
        memmove(gathering->silent[i], gathering->silent[last], sizeof gathering->silent[i]);
        gathering_add(gathering, from, entries);
        return;
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

bool gather_is_over(struct node *node, const struct pending *pending, struct reply *reply)
{
    const struct gathering *gathering = pending->gathering;
    if (gathering->silent_count > 0 && node->now.mono_ms < pending->deadline_ms)
        return false;
    uint8_t *found = effects_alloc(node->effects, gathering->found.bytes);
    memcpy(found, gathering->found.data, gathering->found.bytes);
    reply->found = span_of(found, gathering->found.bytes);
    silent_print(gathering, reply->message, sizeof reply->message);
    return true;
}
