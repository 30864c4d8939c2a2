/* The transport, over the loopback: what is sent arrives in order, what cannot be sent is dropped
 * and not kept, a broken connection is told of, and garbage hurts nobody.
 *
 * The node is a fake that asks for what the test puts into `wanted` and remembers what it is told.
 * The agent under test reaches itself as "localhost", which is not the address that it believes to
 * be its own; other peers are bare nng sockets. */
#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/io/clock.h"
#include "agent/io/peers.h"
#include "agent/io/peers_link.h"
#include "unit.h"

enum { WAIT_MS = 10000 };

struct node {
    struct loop *loop;
    struct peers *peers;
    char own[64], by_name[64]; /* addresses */
    uint16_t port;
    struct effect wanted; /* once */
    bool wants;
    unsigned sent, received, broken;
    size_t bytes;
    unsigned last, out_of_order; /* of numbered messages */
    unsigned greeted;            /* up to this number they do not count */
    char broken_address[ADDRESS_BYTES_MAX + 1];
    char from[ADDRESS_BYTES_MAX + 1];
    bool (*until)(void);
    uv_timer_t too_long, again;
    bool timed_out;
};

static struct node node;

void node_step(struct node *self, const struct event *event, struct effects *effects)
{
    if (event->type == EVENT_MESSAGE) {
        unsigned number = 0;
        if (event->message.bytes.bytes >= sizeof number)
            memcpy(&number, event->message.bytes.data, sizeof number);
        bool counts = number > self->greeted;
        self->received += counts;
        self->bytes += counts ? event->message.bytes.bytes : 0;
        TEXT_SET(self->from, event->message.from);
        self->out_of_order += number < self->last;
        self->last = number;
    } else if (event->type == EVENT_PEER_BROKEN) {
        self->broken++;
        TEXT_SET(self->broken_address, event->peer.address);
    }
    if (self->wants)
        *effects_append(effects, self->wanted.type) = self->wanted;
    self->wants = false;
}

uint64_t node_deadline(const struct node *self)
{
    (void)self;
    return UINT64_MAX;
}

static void node_turn(void *context)
{
    (void)context;
    if (node.until && node.until())
        loop_stop(node.loop);
}

static void node_too_long(uv_timer_t *timer)
{
    (void)timer;
    node.timed_out = true;
    loop_stop(node.loop);
}

/* Turns until it is so; bounded. */
static void run_until(bool (*until)(void))
{
    node.until = until;
    uv_timer_start(&node.too_long, node_too_long, WAIT_MS, 0);
    loop_run(node.loop);
    uv_timer_stop(&node.too_long);
    CU_ASSERT_FALSE_FATAL(node.timed_out);
}

static void want(struct effect effect)
{
    node.wanted = effect;
    node.wants = true;
    loop_submit(node.loop, &(struct event){.type = EVENT_TICK});
}

/* A numbered message. */
static void want_send(const char *address, enum channel channel, size_t bytes)
{
    static uint8_t body[BULK_CHUNK_BYTES_MAX];
    node.sent++;
    memcpy(body, &node.sent, sizeof node.sent);
    struct effect effect = {.type = EFFECT_SEND};
    effect.send.address = address;
    effect.send.channel = channel;
    effect.send.bytes = span_of(body, bytes);
    want(effect);
}

static void want_peer(enum effect_type type, const char *address)
{
    struct effect effect = {.type = type};
    effect.peer.address = address;
    want(effect);
}

static const char *key_file;

/* Two ports that nobody has, and the agent there. */
static void begin_with(uint64_t idle_ms)
{
    static uint16_t next;
    memset(&node, 0, sizeof node);
    node.loop = loop_new();
    loop_set_node(node.loop, &node);
    loop_set_deferred(node.loop, node_turn, NULL);
    uv_timer_init(loop_uv(node.loop), &node.too_long);
    uv_timer_init(loop_uv(node.loop), &node.again);
    if (next == 0)
        next = (uint16_t)(10000 +
                          getpid() % 10000); /* and the bare peer's: below the ephemeral ones */
    for (int attempt = 0; attempt < 100; attempt++) {
        struct error error = {0};
        node.port = next++;
        snprintf(node.own, sizeof node.own, "127.0.0.1:%u", node.port);
        snprintf(node.by_name, sizeof node.by_name, "localhost:%u", node.port);
        struct peers_options options = {
            .listen = node.own, .advertised = node.own, .idle_ms = idle_ms, .key_file = key_file};
        if (peers_open(&node.peers, node.loop, &options, &error) == 0)
            return;
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "--gossip 127.0.0.1"));
        CU_ASSERT_FATAL(peers_stop(node.peers));
        CU_ASSERT_FATAL(uv_run(loop_uv(node.loop), UV_RUN_NOWAIT) == 0);
        peers_free(node.peers);
    }
    CU_FAIL_FATAL("no free port");
}

static void begin(void)
{
    begin_with(0);
}

/* The agent has a key, of which a file is all that there is. */
static void begin_sealed(void)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    char path[] = "/tmp/peers_test.XXXXXX";
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, key, strlen(key)) == (ssize_t)strlen(key));
    key_file = path;
    begin();
    key_file = NULL;
    close(file);
    unlink(path);
}

static void end(void)
{
    CU_ASSERT_FATAL(peers_stop(node.peers));
    uv_close((uv_handle_t *)&node.too_long, NULL);
    uv_close((uv_handle_t *)&node.again, NULL);
    CU_ASSERT_FATAL(loop_settle(node.loop, WAIT_MS));
    peers_free(node.peers);
    loop_free(node.loop);
}

/* nng frees what it has closed on a thread of its own, some of it after the process has ended;
 * nng_fini, which would wait for that, hangs at times in this version. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}

/* ---- a bare peer ---- */

static nng_socket listen_bare(const char *address, uint16_t port)
{
    char url[64];
    nng_socket socket;
    CU_ASSERT_EQUAL_FATAL(nng_pull0_open(&socket), 0);
    snprintf(url, sizeof url, "tcp://%s:%u", address, port);
    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, WAIT_MS);
    CU_ASSERT_EQUAL_FATAL(nng_listen(socket, url, NULL, 0), 0);
    return socket;
}

static uint16_t bare_port(void)
{
    return (uint16_t)(node.port + 10000);
}

static const char *bare_address(void)
{
    static char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", bare_port());
    return address;
}

/* The number in the next message, or -1. */
static int receive_bare(nng_socket socket)
{
    nng_msg *message;
    if (nng_recvmsg(socket, &message, 0))
        return -1;
    unsigned number = 0;
    memcpy(&number, nng_msg_body(message), sizeof number);
    nng_msg_free(message);
    return (int)number;
}

/* A message comes to it: again and again, for nng gives one up that this process was away for. */
static void reach_bare(nng_socket bare, enum channel channel)
{
    int got = 0;
    nng_socket_set_ms(bare, NNG_OPT_RECVTIMEO, 2 * WIRE_SEND_TIMEOUT_MS);
    for (int tries = 0; tries < WAIT_MS / WIRE_SEND_TIMEOUT_MS && got <= 0; tries++) {
        want_send(bare_address(), channel, 200);
        do
            got = receive_bare(bare);
        while (got > 0 && got != (int)node.sent);
    }
    CU_ASSERT_FATAL(got > 0);
}

static int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(raw, (const struct sockaddr *)&address, sizeof address), 0);
    return raw;
}

/* ---- conditions to wait for ---- */

static unsigned goal;

static bool received_goal(void)
{
    return node.received >= goal;
}

static bool connected_goal(void)
{
    return peers_statistics(node.peers).connected == goal;
}

/* Also by the queue, where this process was away for longer than LINK_STALE_MS. */
static bool unsent_goal(void)
{
    struct peers_statistics statistics = peers_statistics(node.peers);
    return statistics.dropped_unsent + statistics.dropped_stale >= goal;
}

static bool sent_goal(void)
{
    return peers_statistics(node.peers).sent >= goal;
}

static bool broken_goal(void)
{
    return node.broken >= goal;
}

static void run_until_goal(bool (*until)(void), unsigned count)
{
    goal = count;
    run_until(until);
}

static void say_again(uv_timer_t *timer)
{
    want_send(node.by_name, *(const enum channel *)timer->data, 200);
}

/* A message comes to ourselves, so a sealed link has its ticket. Again and again: nng gives up what
 * this process was away for, and the next hello goes with the next message. */
static void greet(enum channel channel)
{
    node.received = 0;
    node.again.data = &channel;
    uv_timer_start(&node.again, say_again, 0, 2 * LINK_HELLO_AGAIN_MS);
    run_until_goal(received_goal, 1);
    uv_timer_stop(&node.again);
    node.greeted = node.sent;
    node.received = 0;
    node.bytes = 0;
}

/* ---- tests ---- */

static void a_message_arrives(void)
{
    begin();
    want_send(node.by_name, CHANNEL_GOSSIP, 200);
    run_until_goal(received_goal, 1);
    CU_ASSERT_EQUAL(node.bytes, 200);
    CU_ASSERT_EQUAL(strncmp(node.from, "127.0.0.1:", 10), 0);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 1);
    run_until_goal(sent_goal, 1);
    CU_ASSERT(peers_is_idle(node.peers));
    end();
}

static void many_arrive_in_order(void)
{
    begin();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 200; i++)
            want_send(node.by_name, CHANNEL_GOSSIP, 200);
        run_until_goal(received_goal, node.sent);
    }
    CU_ASSERT_EQUAL(node.received, 4000);
    CU_ASSERT_EQUAL(node.out_of_order, 0);
    end();
}

static void bulk_has_its_own_way(void)
{
    begin();
    for (int i = 0; i < 40; i++)
        want_send(node.by_name, CHANNEL_BULK, BULK_CHUNK_BYTES_MAX);
    want_send(node.by_name, CHANNEL_GOSSIP, 200);
    run_until_goal(received_goal, 41);
    CU_ASSERT_EQUAL(node.bytes, 40 * BULK_CHUNK_BYTES_MAX + 200);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 2);
    end();
}

static void nothing_is_sent_to_oneself_or_nowhere(void)
{
    begin();
    want_send(node.own, CHANNEL_GOSSIP, 200);
    want_send(node.own, CHANNEL_BULK, 200);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).dropped_unsent, 0);
    want_send("nonsense", CHANNEL_GOSSIP, 200);
    want_send("127.0.0.1:65535", CHANNEL_BULK, 200); /* there is no port two above */
    CU_ASSERT_EQUAL(peers_statistics(node.peers).dropped_unsent, 2);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 0);
    end();
}

static void a_broken_connection_is_told_of(void)
{
    begin();
    nng_socket bare = listen_bare("127.0.0.1", bare_port());
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    run_until_goal(connected_goal, 1);
    CU_ASSERT_EQUAL(receive_bare(bare), 1);
    CU_ASSERT_EQUAL(node.broken, 0);
    nng_close(bare);
    run_until_goal(broken_goal, 1);
    CU_ASSERT_STRING_EQUAL(node.broken_address, bare_address());
    /* It redials by itself. */
    bare = listen_bare("127.0.0.1", bare_port());
    run_until_goal(connected_goal, 1);
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    CU_ASSERT_EQUAL(receive_bare(bare), 2);
    nng_close(bare);
    end();
}

/* It is asked again, with pauses that grow: here is one that does not take what we send. */
static void who_hangs_up_at_once_is_dialled_with_pauses(void)
{
    char url[64];
    nng_socket bare;
    begin();
    CU_ASSERT_EQUAL_FATAL(nng_push0_open(&bare), 0);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", bare_port());
    CU_ASSERT_EQUAL_FATAL(nng_listen(bare, url, NULL, 0), 0);
    uint64_t began_ms = clock_mono_ms();
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    run_until_goal(broken_goal, 4);
    CU_ASSERT(clock_mono_ms() - began_ms >= LINK_PAUSE_MS_MIN * (1 + 2 + 4));
    nng_close(bare);
    end();
}

static bool no_links_goal(void)
{
    return peers_statistics(node.peers).links == 0;
}

/* Above the mesh's size most peers are asked once and then not for long: their connections go, and
 * nobody is told that one broke. The loop turns only where links are to be closed: the messages are
 * sent and received by nng's threads, however slowly. */
static void unused_connections_are_closed(void)
{
    begin_with(200);
    nng_socket bare = listen_bare("127.0.0.1", bare_port());
    nng_socket bulk = listen_bare("127.0.0.1", (uint16_t)(bare_port() + PEERS_BULK_PORT_OFFSET));
    reach_bare(bare, CHANNEL_GOSSIP);
    reach_bare(bulk, CHANNEL_BULK);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 2);
    run_until(no_links_goal);
    reach_bare(bare, CHANNEL_GOSSIP);
    CU_ASSERT_EQUAL(node.broken, 0);
    nng_close(bare);
    nng_close(bulk);
    end();
}

static void what_cannot_be_sent_is_not_kept(void)
{
    begin();
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    run_until_goal(unsent_goal, 2);
    nng_socket bare = listen_bare("127.0.0.1", bare_port());
    run_until_goal(connected_goal, 1);
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    CU_ASSERT_EQUAL(receive_bare(bare), 3);
    CU_ASSERT_EQUAL(node.broken, 0);
    nng_close(bare);
    end();
}

static bool settled_goal(void)
{
    struct peers_statistics statistics = peers_statistics(node.peers);
    return statistics.sent + statistics.dropped_unsent + statistics.dropped_stale == goal;
}

static void the_queue_is_bounded_and_the_oldest_go(void)
{
    begin();
    nng_socket bare = listen_bare("127.0.0.1", bare_port());
    for (int i = 0; i < 1000; i++)
        want_send(bare_address(), CHANNEL_GOSSIP, 200);
    /* One is with nng, the last 256 wait. */
    CU_ASSERT_EQUAL(peers_statistics(node.peers).dropped_full, 1000 - 256 - 1);
    run_until_goal(settled_goal, 1 + 256);
    /* On a slow machine some have become too old. */
    for (uint64_t left = peers_statistics(node.peers).sent; left > 0; left--) {
        int number = receive_bare(bare);
        CU_ASSERT(number == 1 || number > 1000 - 256);
    }
    nng_close(bare);
    end();
}

static void reconnect_makes_a_new_connection(void)
{
    begin();
    nng_socket bare = listen_bare("127.0.0.1", bare_port());
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    CU_ASSERT_EQUAL(receive_bare(bare), 1);
    want_peer(EFFECT_RECONNECT, bare_address());
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 0);
    want_send(bare_address(), CHANNEL_GOSSIP, 200);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 1);
    CU_ASSERT_EQUAL(receive_bare(bare), 2);
    want_peer(EFFECT_DISCONNECT, bare_address());
    want_peer(EFFECT_DISCONNECT, "127.0.0.1:9"); /* never heard of */
    CU_ASSERT_EQUAL(peers_statistics(node.peers).links, 0);
    CU_ASSERT_EQUAL(node.broken, 0); /* what we close ourselves is not broken */
    nng_close(bare);
    end();
}

static void links_to_a_dead_host_can_be_made_anew_for_ever(void)
{
    begin();
    for (int i = 0; i < 100; i++) {
        want_send(bare_address(), CHANNEL_GOSSIP, 200);
        want_send(bare_address(), CHANNEL_BULK, 200);
        want_peer(EFFECT_RECONNECT, bare_address());
    }
    greet(CHANNEL_GOSSIP);
    end();
}

static void garbage_hurts_nobody(void)
{
    begin();
    uint8_t garbage[4096];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t)(i * 37 + 11);
    /* A handshake of PUSH, then a message that says to be 2^56 bytes long. */
    static const uint8_t huge[] = {0, 'S', 'P', 0, 0, 0x50, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'};
    for (uint16_t port = node.port; port <= node.port + PEERS_BULK_PORT_OFFSET; port += 2) {
        int noise = raw_connect(port), liar = raw_connect(port), silent = raw_connect(port);
        (void)!write(noise, garbage, sizeof garbage);
        (void)!write(liar, huge, sizeof huge);
        want_send(node.by_name, CHANNEL_GOSSIP, 200);
        want_send(node.by_name, CHANNEL_BULK, 200);
        run_until_goal(received_goal, node.sent);
        close(noise);
        close(liar);
        close(silent);
    }
    CU_ASSERT_EQUAL(node.received, 4);
    end();
}

static void too_long_a_message_is_refused(void)
{
    begin();
    char url[80];
    snprintf(url, sizeof url, "tcp://%s", node.own);
    nng_socket bare;
    CU_ASSERT_EQUAL_FATAL(nng_push0_open(&bare), 0);
    CU_ASSERT_EQUAL_FATAL(nng_dial(bare, url, NULL, 0), 0);
    nng_msg *message;
    CU_ASSERT_EQUAL_FATAL(nng_msg_alloc(&message, GOSSIP_BYTES_MAX + 1), 0);
    CU_ASSERT_EQUAL_FATAL(nng_sendmsg(bare, message, 0), 0);
    want_send(node.by_name, CHANNEL_GOSSIP, 200);
    run_until_goal(received_goal, 1);
    CU_ASSERT_EQUAL(node.bytes, 200);
    nng_close(bare);
    end();
}

static void a_port_that_is_taken_is_an_error(void)
{
    begin();
    struct peers *second;
    struct error error = {0};
    struct peers_options options = {.listen = node.own, .advertised = node.own};
    CU_ASSERT_EQUAL(peers_open(&second, node.loop, &options, &error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, node.own));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "in use"));
    CU_ASSERT(peers_stop(second));
    end();
    peers_free(second);
}

static void sealed_messages_arrive_in_order(void)
{
    begin_sealed();
    greet(CHANNEL_GOSSIP);
    for (int i = 0; i < 100; i++)
        want_send(node.by_name, CHANNEL_GOSSIP, 200);
    run_until_goal(received_goal, 100);
    CU_ASSERT_EQUAL(node.out_of_order, 0);
    CU_ASSERT_EQUAL(node.bytes, 100 * 200);
    greet(CHANNEL_BULK);
    for (int i = 0; i < 20; i++)
        want_send(node.by_name, CHANNEL_BULK, BULK_CHUNK_BYTES_MAX);
    run_until_goal(received_goal, 20);
    CU_ASSERT_EQUAL(node.bytes, 20 * BULK_CHUNK_BYTES_MAX);
    CU_ASSERT_EQUAL(peers_statistics(node.peers).key_count, 1);
    end();
}

static bool plain_goal(void)
{
    return peers_statistics(node.peers).refused[SEAL_PLAIN] >= goal;
}

static void what_is_not_sealed_is_refused(void)
{
    char url[128];
    nng_socket bare;
    begin_sealed();
    snprintf(url, sizeof url, "tcp://%s", node.own);
    CU_ASSERT_EQUAL_FATAL(nng_push0_open(&bare), 0);
    CU_ASSERT_EQUAL_FATAL(nng_dial(bare, url, NULL, 0), 0);
    CU_ASSERT_EQUAL(nng_send(bare, (void *)"a plain one", 11, 0), 0);
    run_until_goal(plain_goal, 1);
    CU_ASSERT_EQUAL(node.received, 0);
    greet(CHANNEL_GOSSIP); /* what is sealed still comes */
    nng_close(bare);
    end();
}

UNIT_MAIN("peers", {"a message arrives", a_message_arrives},
          {"many arrive in order", many_arrive_in_order},
          {"bulk has its own way", bulk_has_its_own_way},
          {"nothing is sent to oneself or nowhere", nothing_is_sent_to_oneself_or_nowhere},
          {"a broken connection is told of", a_broken_connection_is_told_of},
          {"who hangs up at once is dialled with pauses",
           who_hangs_up_at_once_is_dialled_with_pauses},
          {"unused connections are closed", unused_connections_are_closed},
          {"what cannot be sent is not kept", what_cannot_be_sent_is_not_kept},
          {"the queue is bounded and the oldest go", the_queue_is_bounded_and_the_oldest_go},
          {"reconnect makes a new connection", reconnect_makes_a_new_connection},
          {"links to a dead host can be made anew for ever",
           links_to_a_dead_host_can_be_made_anew_for_ever},
          {"garbage hurts nobody", garbage_hurts_nobody},
          {"too long a message is refused", too_long_a_message_is_refused},
          {"a port that is taken is an error", a_port_that_is_taken_is_an_error},
          {"sealed messages arrive in order", sealed_messages_arrive_in_order},
          {"what is not sealed is refused", what_is_not_sealed_is_refused})
