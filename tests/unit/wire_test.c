/* A peer that hangs up just as something has been sent: what nng then does with freed memory must
 * not be reached (peers_wire.h). Each wire gets one connection, from a listener that reads a few
 * messages and closes; where the rule is broken this crashes within a few hundred connections. And
 * nng's further connections are hung up on without a word to the owner. And an end does not wait
 * for a close that hangs. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/io/peers_closer.h"
#include "unit.h"

enum { WIRES = 8, SERVERS = 4, CONNECTIONS = 3000, MESSAGE_BYTES = 100, HEAD_BYTES = 8 };

static struct {
    uv_loop_t loop;
    uv_async_t wake;
    struct wire_notes notes;
    int listener;
    char url[64];
    struct wire *wires[WIRES];
    bool sending[WIRES];
    unsigned opened, broken, sent, refused;
} test;

/* Speaks as a PULL socket does. */
static bool serve_head(int connection)
{
    static const uint8_t head[HEAD_BYTES] = {0, 'S', 'P', 0, 0, 0x51, 0, 0};
    uint8_t bytes[HEAD_BYTES];
    return send(connection, head, sizeof head, MSG_NOSIGNAL) == (ssize_t)sizeof head &&
           recv(connection, bytes, sizeof bytes, MSG_WAITALL) == (ssize_t)sizeof bytes;
}

/* Takes one to four messages, and goes, sometimes with a reset. */
static void serve_one(int connection, unsigned turn)
{
    uint8_t bytes[HEAD_BYTES + MESSAGE_BYTES];
    bool alive = serve_head(connection);
    for (unsigned i = 0; alive && i <= turn % 4; i++)
        alive = recv(connection, bytes, sizeof bytes, MSG_WAITALL) == (ssize_t)sizeof bytes;
    struct linger reset = {.l_onoff = turn % 8 < 4};
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(connection);
}

static void *serve(void *argument)
{
    (void)argument;
    int connection;
    for (unsigned turn = 0; (connection = accept(test.listener, NULL, NULL)) >= 0; turn++)
        serve_one(connection, turn);
    return NULL;
}

static void listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    test.listener = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_FATAL(bind(test.listener, (struct sockaddr *)&address, sizeof address) == 0);
    CU_ASSERT_FATAL(listen(test.listener, 64) == 0);
    getsockname(test.listener, (struct sockaddr *)&address, &bytes);
    snprintf(test.url, sizeof test.url, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

/* nng loses what it was given for a pipe that had just been closed, and some of what it was
 * dialling when a socket is closed: about 10 KB in every 50 of these connections. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}

/* Nothing of a wire is read after its pipe has gone, so a place may be used again at once. */
static void place_open(size_t i)
{
    test.wires[i] = wire_new(&test.notes, (struct link *)&test.wires[i], test.url);
    CU_ASSERT_PTR_NOT_NULL_FATAL(test.wires[i]);
    test.sending[i] = false;
    test.opened++;
}

static void place_close(size_t i)
{
    wire_abandon(test.wires[i]);
    wire_free(test.wires[i]);
    test.wires[i] = NULL;
}

static void place_send(size_t i)
{
    nng_msg *message;
    CU_ASSERT_FATAL(nng_msg_alloc(&message, MESSAGE_BYTES) == 0);
    test.sending[i] = wire_send(test.wires[i], message);
    if (test.sending[i])
        return;
    test.refused++;
    nng_msg_free(message);
}

static void take_notes(uv_async_t *wake)
{
    struct wire_note note;
    (void)wake;
    for (struct wire *wire; (wire = wire_notes_take(&test.notes, &note));) {
        size_t i = (size_t)((struct wire **)wire->link - test.wires);
        CU_ASSERT_PTR_EQUAL_FATAL(test.wires[i], wire);
        if (note.sent) {
            CU_ASSERT(test.sending[i]);
            test.sending[i] = false;
            test.sent += note.result == 0;
        }
        if (note.broken) {
            test.broken++;
            place_close(i);
            if (test.opened < CONNECTIONS)
                place_open(i);
        }
        if (test.wires[i] && !test.sending[i])
            place_send(i);
    }
    if (test.broken == CONNECTIONS)
        uv_stop(&test.loop);
}

static void begin(void)
{
    uv_loop_init(&test.loop);
    uv_async_init(&test.loop, &test.wake, take_notes);
    wire_notes_init(&test.notes, &test.wake);
    listen_somewhere();
}

static void end(void)
{
    close(test.listener);
    uv_close((uv_handle_t *)&test.wake, NULL);
    uv_run(&test.loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&test.loop), 0);
    wire_notes_release(&test.notes);
}

/* An owner that is slow to take a worn wire away would count, and be told of, each connection that
 * nng makes meanwhile. It dials the third only after it has told of the second's end. */
static void a_wire_breaks_once(void)
{
    struct wire_note note;
    unsigned broken = 0;
    begin();
    place_open(0);
    for (int i = 0; i < 3; i++) {
        int connection = accept(test.listener, NULL, NULL);
        CU_ASSERT_FATAL(connection >= 0);
        serve_head(connection);
        close(connection);
        while (i > 0 && wire_notes_take(&test.notes, &note))
            broken += note.broken;
    }
    CU_ASSERT_EQUAL(broken, 1);
    place_send(0);
    CU_ASSERT(!test.sending[0] && test.refused == 1); /* never on a pipe that is gone */
    place_close(0);
    end();
}

/* What cannot go on here is the wire's callback, for which nng waits. */
static void a_close_that_hangs_is_not_waited_for(void)
{
    struct closer closer = {0};
    begin();
    place_open(0);
    place_send(0);
    CU_ASSERT_FATAL(test.sending[0]);
    wire_abandon(test.wires[0]);
    closer_start(&closer);
    uv_mutex_lock(&test.notes.mutex);
    closer_take(&closer, test.wires[0]);
    uint64_t began_ns = uv_hrtime();
    CU_ASSERT(!closer_end(&closer, NULL, 0));
    CU_ASSERT(uv_hrtime() - began_ns >= CLOSER_END_MS * UINT64_C(1000000));
    uv_mutex_unlock(&test.notes.mutex);
    CU_ASSERT(closer_end(&closer, NULL, 0));
    end();
}

static void who_hangs_up_hurts_nobody(void)
{
    pthread_t servers[SERVERS];
    begin();
    test.opened = 0;
    for (size_t i = 0; i < SERVERS; i++)
        CU_ASSERT_FATAL(pthread_create(&servers[i], NULL, serve, NULL) == 0);
    for (size_t i = 0; i < WIRES; i++) {
        place_open(i);
        place_send(i);
    }
    uv_run(&test.loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(test.broken, CONNECTIONS);
    CU_ASSERT(test.sent >= CONNECTIONS);
    shutdown(test.listener, SHUT_RDWR);
    for (size_t i = 0; i < SERVERS; i++)
        pthread_join(servers[i], NULL);
    end();
}

UNIT_MAIN("wire", {"a wire breaks once", a_wire_breaks_once},
          {"a close that hangs is not waited for", a_close_that_hangs_is_not_waited_for},
          {"who hangs up just as something was sent hurts nobody", who_hangs_up_hurts_nobody})
