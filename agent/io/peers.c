/* The transport between agents.
 *
 *     gossip port --PULL--> inbox --+                   EFFECT_SEND --+--> link per address
 *       bulk port --PULL--> inbox --+--> EVENT_MESSAGE                +--> link per address, bulk
 *
 * nng's threads fill the inboxes and leave notes at the links; uv_async wakes the loop, whose
 * thread takes both. PUSH and PULL, because among nng's patterns only they are directed, ordered
 * and never drop silently. Bulk has sockets of its own, and gossip is taken first: a probe never
 * waits behind a chunk, neither on the wire nor here.
 *
 * A link is opened by the first send to an address. Its connection's end is EVENT_PEER_BROKEN, and
 * it is given another wire: at once, or, where connections do not last, after a pause. One that is
 * not used any more is closed, which is no news: the next send opens another. Closing a wire may
 * block in nng, so the closer's thread does it.
 *
 * Invariants: one link per address and channel. A wire is a link's, or with the closer, or freed.
 * Everything here belongs to the loop's thread. */
#include "agent/io/peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/log.h"
#include "agent/io/peers_closer.h"
#include "agent/io/peers_inbox.h"
#include "agent/io/peers_keys.h"
#include "agent/io/peers_link.h"

enum {
    GOSSIP_MESSAGES_PER_WAKE = 2 * INBOX_MESSAGES_MAX,
    BULK_MESSAGES_PER_WAKE = 64,
    REDIAL_INTERVAL_MS = LINK_PAUSE_MS_MIN,
    REFUSALS_TOLD_EVERY_MS = 60000,
};

struct peers {
    struct loop *loop;
    char advertised[ADDRESS_BYTES_MAX + 1], listen[ADDRESS_BYTES_MAX + 1];
    uv_async_t wake;
    uv_timer_t idle;   /* runs only while there are links */
    uv_timer_t redial; /* ... that have no wire */
    uint64_t idle_ms;
    struct inbox inboxes[2]; /* by channel */
    struct wire_notes notes;
    struct link *links; /* O(count) to find one: a few dozen, at most hundreds */
    struct closer closer;
    struct keys keys;
    uint64_t refusal_told_ms[SEAL_KIND_COUNT]; /* 0: never */
    struct link_statistics sent;
    struct peers_statistics statistics;
    bool stopped;
};

/* ---- addresses ---- */

/* "tcp://host:port" of a gossip address for this channel. False: it is not host:port. */
static bool peers_url(const char *address, enum channel channel, char *ret_url, size_t bytes)
{
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (channel == CHANNEL_BULK)
        port += PEERS_BULK_PORT_OFFSET;
    if (!colon || colon == address || *end != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    int length = snprintf(ret_url, bytes, "tcp://%.*s:%lu", (int)(colon - address), address, port);
    return length > 0 && (size_t)length < bytes;
}

/* "ip:port" of the sender's end of a connection, for traces. NULL if it is gone. */
static const char *peers_sender(nng_msg *message, char *text, size_t bytes)
{
    nng_sockaddr address;
    if (nng_pipe_get_addr(nng_msg_get_pipe(message), NNG_OPT_REMADDR, &address))
        return NULL;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char host[64] = "?";
    uint16_t port = 0;
    if (address.s_family == NNG_AF_INET) {
        v4.sin_addr.s_addr = address.s_in.sa_addr;
        port = address.s_in.sa_port;
        uv_ip4_name(&v4, host, sizeof host);
    } else if (address.s_family == NNG_AF_INET6) {
        memcpy(&v6.sin6_addr, address.s_in6.sa_addr, sizeof v6.sin6_addr);
        port = address.s_in6.sa_port;
        uv_ip6_name(&v6, host, sizeof host);
    }
    snprintf(text, bytes, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, ntohs(port));
    return text;
}

/* ---- links ---- */

static struct link *peers_find(const struct peers *peers, const char *address, enum channel channel)
{
    for (struct link *link = peers->links; link; link = link->next)
        if (link->channel == channel && strcmp(link->address, address) == 0)
            return link;
    return NULL;
}

static void peers_close_idle(uv_timer_t *timer);

static struct link *peers_open_link(struct peers *peers, const char *address, enum channel channel)
{
    char url[LINK_URL_BYTES_MAX];
    if (!peers_url(address, channel, url, sizeof url))
        return NULL;
    struct link *link = link_new(&peers->notes, address, channel, url, peers->keys.seal,
                                 loop_now(peers->loop).mono_ms);
    if (!link)
        return NULL;
    link->next = peers->links;
    peers->links = link;
    if (!uv_is_active((uv_handle_t *)&peers->idle))
        uv_timer_start(&peers->idle, peers_close_idle, peers->idle_ms, 0);
    return link;
}

/* If closes hang the wire stays as it is, and is asked to be closed again. */
static bool peers_close_wire(struct peers *peers, struct link *link)
{
    if (link->wire && closer_is_full(&peers->closer) && !peers->stopped)
        return false;
    struct wire *wire = link_take_wire(link, loop_now(peers->loop).mono_ms, &peers->sent);
    if (wire)
        closer_take(&peers->closer, wire);
    return true;
}

/* False: closes hang. */
static bool peers_close_link(struct peers *peers, struct link *link)
{
    if (!peers_close_wire(peers, link))
        return false;
    struct link **at = &peers->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link_free(link);
    return true;
}

static bool peers_close(struct peers *peers, const char *address, enum channel channel)
{
    struct link *link = peers_find(peers, address, channel);
    return link && peers_close_link(peers, link);
}

static void peers_redial(uv_timer_t *timer)
{
    struct peers *peers = timer->data;
    uint64_t now_ms = loop_now(peers->loop).mono_ms;
    bool again = false;
    for (struct link *link = peers->links; link; link = link->next) {
        bool stuck = link->worn && !peers_close_wire(peers, link);
        again |= stuck || !link_dial(link, now_ms, &peers->sent);
    }
    if (again)
        uv_timer_start(timer, peers_redial, REDIAL_INTERVAL_MS, 0);
}

static void peers_close_idle(uv_timer_t *timer)
{
    struct peers *peers = timer->data;
    uint64_t now_ms = loop_now(peers->loop).mono_ms;
    struct link *next;
    for (struct link *link = peers->links; link; link = next) {
        next = link->next;
        if (link->used_ms + peers->idle_ms <= now_ms)
            peers_close_link(peers, link);
    }
    if (peers->links)
        uv_timer_start(timer, peers_close_idle, peers->idle_ms, 0);
}

/* ---- effects ---- */

static void peers_send(void *context, const struct effect *effect)
{
    struct peers *peers = context;
    const char *address = effect->send.address;
    struct span bytes = effect->send.bytes;
    if (peers->stopped || strcmp(address, peers->advertised) == 0)
        return;
    assert(bytes.bytes <= GOSSIP_BYTES_MAX); /* the receiver would end the connection */
    struct link *link = peers_find(peers, address, effect->send.channel);
    if (!link)
        link = peers_open_link(peers, address, effect->send.channel);
    if (link)
        link_send(link, bytes, peers->advertised, loop_now(peers->loop).mono_ms, &peers->sent);
    else
        peers->sent.dropped_unsent++;
}

static void peers_reconnect(void *context, const struct effect *effect)
{
    struct peers *peers = context;
    peers->statistics.reconnects += peers_close(peers, effect->peer.address, CHANNEL_GOSSIP);
    peers_close(peers, effect->peer.address, CHANNEL_BULK);
}

/* ---- what nng's threads have left for us ---- */

static void peers_tell_broken(struct peers *peers, const struct link *link)
{
    char address[ADDRESS_BYTES_MAX + 1];
    TEXT_SET(address, link->address); /* the node may ask to close this very link */
    peers->statistics.broken++;
    struct event event = {.type = EVENT_PEER_BROKEN};
    event.peer.address = address;
    loop_submit(peers->loop, &event);
}

static void peers_take_notes(struct peers *peers)
{
    struct wire_note note;
    bool broken = false;
    for (struct wire *wire; (wire = wire_notes_take(&peers->notes, &note));) {
        struct link *link = wire->link;
        link->connected = note.connected;
        link->worn |= note.broken;
        broken |= note.broken;
        if (note.sent)
            link_sent(link, note.result, loop_now(peers->loop).mono_ms, &peers->sent);
        if (note.broken)
            peers_tell_broken(peers, link);
    }
    if (broken)
        peers_redial(&peers->redial);
}

/* ---- what is sealed ---- */

/* Who cannot be understood is hung up on: one of us with an old ticket asks for a new one then. */
static void peers_refuse(struct peers *peers, nng_msg *message, enum seal_kind kind)
{
    uint64_t now_ms = loop_now(peers->loop).mono_ms, *told_ms = &peers->refusal_told_ms[kind];
    peers->statistics.refused[kind]++;
    if (*told_ms == 0 || now_ms >= *told_ms + REFUSALS_TOLD_EVERY_MS) {
        char text[ADDRESS_BYTES_MAX + 1];
        const char *from = peers_sender(message, text, sizeof text);
        log_print(LOG_WARNING, "refused: a message from %s %s", from ? from : "who has hung up",
                  seal_refusal(kind));
        *told_ms = now_ms;
    }
    nng_pipe_close(nng_msg_get_pipe(message));
}

static void peers_answer_hello(struct peers *peers, const struct seal_frame *hello)
{
    struct link *link = peers_find(peers, hello->address, CHANNEL_GOSSIP);
    struct buffer frame = {0};
    if (!link)
        link = peers_open_link(peers, hello->address, CHANNEL_GOSSIP);
    if (!link)
        return;
    seal_ticket(peers->keys.seal, hello, &frame);
    link_send_control(link, buffer_view(&frame), loop_now(peers->loop).mono_ms, &peers->sent);
    buffer_release(&frame);
}

static void peers_take_ticket(struct peers *peers, const struct seal_frame *ticket)
{
    uint64_t now_ms = loop_now(peers->loop).mono_ms;
    for (struct link *link = peers->links; link; link = link->next)
        if (link_take_ticket(link, ticket, now_ms, &peers->sent))
            return;
}

/* False: there is nothing in it for the node. */
static bool peers_open_frame(struct peers *peers, nng_msg *message, struct span *bytes)
{
    struct seal_frame frame;
    seal_open(peers->keys.seal, *bytes, &frame);
    *bytes = frame.body;
    if (frame.kind == SEAL_HELLO)
        peers_answer_hello(peers, &frame);
    else if (frame.kind == SEAL_TICKET)
        peers_take_ticket(peers, &frame);
    else if (frame.kind != SEAL_MESSAGE)
        peers_refuse(peers, message, frame.kind);
    return frame.kind == SEAL_MESSAGE;
}

static bool peers_take_message(struct peers *peers, struct inbox *inbox)
{
    nng_msg *message = inbox_take(inbox);
    if (!message)
        return false;
    char from[ADDRESS_BYTES_MAX + 1];
    struct span bytes = span_of(nng_msg_body(message), nng_msg_len(message));
    peers->statistics.received++;
    peers->statistics.received_bytes += bytes.bytes;
    if (!peers->keys.seal || peers_open_frame(peers, message, &bytes)) {
        struct event event = {.type = EVENT_MESSAGE};
        event.message.bytes = bytes;
        event.message.from = peers_sender(message, from, sizeof from);
        loop_submit(peers->loop, &event);
    }
    nng_msg_free(message);
    return true;
}

/* uv_async_send coalesces, so all that is there is taken. But the loop must turn, too: where nng's
 * threads fill an inbox as fast as it is emptied, the rest is for the next wake. */
static void peers_woken(uv_async_t *wake)
{
    struct peers *peers = wake->data;
    if (peers->stopped)
        return;
    peers_take_notes(peers);
    int gossip = 0, bulk = 0;
    while (gossip < GOSSIP_MESSAGES_PER_WAKE &&
           peers_take_message(peers, &peers->inboxes[CHANNEL_GOSSIP]))
        gossip++;
    while (bulk < BULK_MESSAGES_PER_WAKE &&
           peers_take_message(peers, &peers->inboxes[CHANNEL_BULK]))
        bulk++;
    if (gossip == GOSSIP_MESSAGES_PER_WAKE || bulk == BULK_MESSAGES_PER_WAKE)
        uv_async_send(wake);
}

/* ---- life ---- */

static int peers_listen(struct peers *peers, struct error *err)
{
    char gossip[LINK_URL_BYTES_MAX], bulk[LINK_URL_BYTES_MAX];
    if (!peers_url(peers->listen, CHANNEL_GOSSIP, gossip, sizeof gossip) ||
        !peers_url(peers->listen, CHANNEL_BULK, bulk, sizeof bulk))
        return error_set(err, ERROR_INVALID, "--gossip %s: not HOST:PORT", peers->listen);
    size_t bytes_max = GOSSIP_BYTES_MAX + (peers->keys.seal ? SEAL_BYTES : 0);
    if (inbox_open(&peers->inboxes[CHANNEL_GOSSIP], gossip, bytes_max, &peers->wake, err) ||
        inbox_open(&peers->inboxes[CHANNEL_BULK], bulk, bytes_max, &peers->wake, err))
        return error_wrap(err, "--gossip %s (two ports are used: this one and this one + %d)",
                          peers->listen, PEERS_BULK_PORT_OFFSET);
    return 0;
}

int peers_open(struct peers **ret_peers, struct loop *loop, const struct peers_options *options,
               struct error *err)
{
    struct peers *peers = xcalloc(1, sizeof *peers);
    peers->loop = loop;
    peers->idle_ms = options->idle_ms ? options->idle_ms : PEERS_IDLE_MS;
    TEXT_SET(peers->advertised, options->advertised);
    TEXT_SET(peers->listen, options->listen);
    uv_async_init(loop_uv(loop), &peers->wake, peers_woken);
    uv_timer_init(loop_uv(loop), &peers->idle);
    uv_timer_init(loop_uv(loop), &peers->redial);
    peers->wake.data = peers->idle.data = peers->redial.data = peers;
    wire_notes_init(&peers->notes, &peers->wake);
    closer_start(&peers->closer);
    *ret_peers = peers;
    if (keys_open(&peers->keys, loop, options->key_file, err) || peers_listen(peers, err))
        return -1;
    loop_set_sink(loop, EFFECT_SEND, peers_send, peers);
    loop_set_sink(loop, EFFECT_RECONNECT, peers_reconnect, peers);
    loop_set_sink(loop, EFFECT_DISCONNECT, peers_reconnect, peers);
    return 0;
}

bool peers_is_idle(const struct peers *peers)
{
    for (const struct link *link = peers->links; link; link = link->next)
        if (link->connected && (link->sending || link->queue_count > 0))
            return false;
    return true;
}

void peers_read_keys(struct peers *peers)
{
    keys_read_again(&peers->keys);
}

bool peers_stop(struct peers *peers)
{
    if (!peers || peers->stopped)
        return true;
    peers->stopped = true;
    while (peers->links)
        peers_close_link(peers, peers->links);
    keys_close(&peers->keys);
    uv_close((uv_handle_t *)&peers->idle, NULL);
    uv_close((uv_handle_t *)&peers->redial, NULL);
    if (!closer_end(&peers->closer, peers->inboxes, 2)) {
        log_line(LOG_INFO, "a connection does not close; left to the kernel");
        return false;
    }
    /* Only now is there no thread left that could wake us. */
    uv_close((uv_handle_t *)&peers->wake, NULL);
    return true;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < 2; i++)
        inbox_release(&peers->inboxes[i]);
    wire_notes_release(&peers->notes);
    keys_release(&peers->keys);
    free(peers);
}

struct peers_statistics peers_statistics(const struct peers *peers)
{
    struct peers_statistics statistics = peers->statistics;
    statistics.sent = peers->sent.sent;
    statistics.sent_bytes = peers->sent.sent_bytes;
    statistics.dropped_full = peers->sent.dropped_full;
    statistics.dropped_stale = peers->sent.dropped_stale;
    statistics.dropped_unsent = peers->sent.dropped_unsent;
    statistics.key_count = peers->keys.ring.count;
    for (size_t i = 0; i < peers->keys.ring.count; i++)
        statistics.key_ids[i] = peers->keys.ring.keys[i].id;
    for (const struct link *link = peers->links; link; link = link->next) {
        statistics.links++;
        statistics.connected += link->connected;
    }
    return statistics;
}
