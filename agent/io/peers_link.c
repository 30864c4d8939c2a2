/* Sending to one address.
 *
 * At most one message is with nng, the rest waits here, where it can still be dropped: nng's own
 * buffer would keep it through an outage and deliver it as if it were news (SENDBUF is 0). A
 * message that has waited for LINK_STALE_MS is dropped when its turn comes, one that finds no
 * connection for WIRE_SEND_TIMEOUT_MS comes back from nng and is dropped. Where messages are sealed
 * (seal.h) they wait here for the ticket, and are sealed when their turn comes.
 *
 * Invariants: everything here belongs to the loop's thread. `sending` from wire_send until its note
 * has been taken, or the wire. */
#include "agent/io/peers_link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct link *link_new(struct wire_notes *notes, const char *address, enum channel channel,
                      const char *url, struct seal *seal, uint64_t now_ms)
{
    struct link *link = xcalloc(1, sizeof *link);
    link->seal = seal;
    TEXT_SET(link->address, address);
    TEXT_SET(link->url, url);
    link->channel = channel;
    link->notes = notes;
    link->wired_ms = now_ms;
    link->wire = wire_new(notes, link, url);
    if (link->wire)
        return link;
    free(link);
    return NULL;
}

static nng_msg *link_queue_take(struct link *link, uint64_t *ret_queued_ms)
{
    assert(link->queue_count > 0);
    struct link_message *oldest = &link->queue[link->queue_first];
    link->queue_first = (link->queue_first + 1) % LINK_MESSAGES_MAX;
    link->queue_count--;
    link->queue_bytes -= nng_msg_len(oldest->message);
    *ret_queued_ms = oldest->queued_ms;
    return oldest->message;
}

static nng_msg *message_new(size_t bytes)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, bytes))
        abort(); /* out of memory: as in xmalloc */
    return message;
}

/* The next one that may go. NULL: none. */
static nng_msg *link_next(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    if (link->control_count > 0) {
        nng_msg *control = link->controls[0];
        memmove(link->controls, link->controls + 1, --link->control_count * sizeof *link->controls);
        return control;
    }
    while (link->queue_count > 0 && (!link->seal || link->stream.ready)) {
        uint64_t queued_ms;
        nng_msg *message = link_queue_take(link, &queued_ms);
        if (queued_ms + LINK_STALE_MS >= now_ms) {
            if (link->seal)
                seal_message(link->seal, &link->stream, nng_msg_body(message),
                             nng_msg_len(message));
            return message;
        }
        statistics->dropped_stale++;
        nng_msg_free(message);
    }
    return NULL;
}

static void link_send_next(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    bool ready = link->wire && !link->worn && !link->sending;
    nng_msg *message = ready ? link_next(link, now_ms, statistics) : NULL;
    if (!message)
        return;
    size_t bytes = nng_msg_len(message);
    link->sending = wire_send(link->wire, message);
    if (link->sending) {
        statistics->sent_bytes += bytes;
        return;
    }
    statistics->dropped_unsent++; /* the news that the wire is worn is on its way to us */
    nng_msg_free(message);
}

void link_send_control(struct link *link, struct span frame, uint64_t now_ms,
                       struct link_statistics *statistics)
{
    if (link->control_count == LINK_CONTROLS_MAX) {
        statistics->dropped_full++;
        return;
    }
    nng_msg *message = message_new(frame.bytes);
    memcpy(nng_msg_body(message), frame.data, frame.bytes);
    link->controls[link->control_count++] = message;
    link->used_ms = now_ms;
    link_send_next(link, now_ms, statistics);
}

static void link_hello(struct link *link, const char *own_address, uint64_t now_ms,
                       struct link_statistics *statistics)
{
    struct buffer frame = {0};
    if (link->hello_ms != 0 && now_ms < link->hello_ms + LINK_HELLO_AGAIN_MS)
        return;
    link->hello_ms = now_ms;
    seal_hello(link->seal, &link->stream, own_address, &frame);
    link_send_control(link, buffer_view(&frame), now_ms, statistics);
    buffer_release(&frame);
}

bool link_take_ticket(struct link *link, const struct seal_frame *ticket, uint64_t now_ms,
                      struct link_statistics *statistics)
{
    if (!seal_stream_take(&link->stream, ticket))
        return false;
    link_send_next(link, now_ms, statistics);
    return true;
}

void link_send(struct link *link, struct span bytes, const char *own_address, uint64_t now_ms,
               struct link_statistics *statistics)
{
    size_t bytes_max = link->channel == CHANNEL_BULK ? LINK_BULK_BYTES_MAX : LINK_GOSSIP_BYTES_MAX;
    while (link->queue_count == LINK_MESSAGES_MAX ||
           (link->queue_count > 0 && link->queue_bytes + bytes.bytes > bytes_max)) {
        uint64_t queued_ms;
        nng_msg_free(link_queue_take(link, &queued_ms));
        statistics->dropped_full++;
    }
    nng_msg *message = message_new(bytes.bytes + (link->seal ? SEAL_BYTES : 0));
    if (bytes.bytes)
        memcpy((uint8_t *)nng_msg_body(message) + (link->seal ? SEAL_HEAD_BYTES : 0), bytes.data,
               bytes.bytes);
    size_t slot = (link->queue_first + link->queue_count) % LINK_MESSAGES_MAX;
    link->queue[slot] = (struct link_message){message, now_ms};
    link->queue_count++;
    link->queue_bytes += nng_msg_len(message);
    link->used_ms = now_ms;
    if (link->seal && !link->stream.ready)
        link_hello(link, own_address, now_ms, statistics);
    link_send_next(link, now_ms, statistics);
}

void link_sent(struct link *link, int result, uint64_t now_ms, struct link_statistics *statistics)
{
    assert(link->sending);
    link->sending = false;
    if (result)
        statistics->dropped_unsent++;
    else
        statistics->sent++;
    link_send_next(link, now_ms, statistics);
}

struct wire *link_take_wire(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    struct wire *wire = link->wire;
    link->wire = NULL;
    link->worn = link->connected = link->stream.ready = false;
    link->hello_ms = 0;
    statistics->dropped_unsent += link->sending;
    link->sending = false;
    uint64_t pause_ms = 2 * link->pause_ms;
    if (now_ms >= link->wired_ms + LINK_PAUSE_MS_MAX)
        pause_ms = 0;
    else if (pause_ms < LINK_PAUSE_MS_MIN)
        pause_ms = LINK_PAUSE_MS_MIN;
    link->pause_ms = pause_ms < LINK_PAUSE_MS_MAX ? pause_ms : LINK_PAUSE_MS_MAX;
    link->dial_ms = now_ms + link->pause_ms;
    if (wire)
        wire_abandon(wire);
    return wire;
}

bool link_dial(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    if (link->wire)
        return true;
    if (now_ms < link->dial_ms)
        return false;
    link->wire = wire_new(link->notes, link, link->url);
    link->wired_ms = now_ms;
    link->dial_ms = now_ms + LINK_PAUSE_MS_MAX; /* should there be no descriptor left */
    if (link->wire)
        link_send_next(link, now_ms, statistics);
    return link->wire;
}

void link_free(struct link *link)
{
    assert(!link->wire);
    while (link->queue_count > 0) {
        uint64_t queued_ms;
        nng_msg_free(link_queue_take(link, &queued_ms));
    }
    while (link->control_count > 0)
        nng_msg_free(link->controls[--link->control_count]);
    free(link);
}
