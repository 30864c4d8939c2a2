/* The API server over real sockets, with a fake node. The client is a thread that speaks plain
 * bytes; the loop is ended when it has finished. Nothing sleeps: replies that come late come when
 * the client has asked the next thing. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/io/api_server.h"
#include "api_fake_query.h"

#define ROOT "/apis/hordelet.dev/v1"

/* --- A node that replies at once, or only when it is told to ---------------------------------- */

static struct {
    bool hold; /* replies are kept until a request for the member "b" */
    struct reply held[64];
    size_t held_count;
    size_t looks;
} fake;

/* Who waits for a quorum is answered in pieces: "one " and "two " at once, more at each release. */
static struct {
    bool on;
    uint64_t id;
    size_t piece_bytes, pieces; /* of a release; 0 bytes: the end */
    size_t taken_bytes;         /* as told */
    size_t gone;
    int releases;
} fed;

static void feed(struct effects *effects, size_t bytes, const char *text, bool more)
{
    struct reply reply = {.id = fed.id, .status = 200, .more = more};
    char *found = effects_alloc(effects, bytes);
    memset(found, 'x', bytes);
    if (text)
        memcpy(found, text, bytes);
    reply.found = span_of(found, bytes);
    effects_reply(effects, &reply);
}

static void feed_begin(const struct request *request, struct effects *effects)
{
    fed.id = request->id;
    feed(effects, 4, "one ", true);
    feed(effects, 4, "two ", true);
}

void node_step(struct node *node, const struct event *event, struct effects *effects)
{
    if (event->type == EVENT_CLIENT) {
        CU_ASSERT_EQUAL(event->client.id, fed.id);
        fed.taken_bytes += event->client.taken_bytes;
        fed.gone += event->client.gone;
    }
    fake.looks += event->type == EVENT_LOOK;
    if (event->type != EVENT_REQUEST)
        return;
    if (fed.on && event->request->kind == REQUEST_WAIT_QUORUM) {
        feed_begin(event->request, effects);
        return;
    }
    for (size_t i = 0; fed.on && i < fed.pieces; i++)
        feed(effects, fed.piece_bytes, NULL, fed.piece_bytes > 0);
    struct reply reply = fake_step(node, event->request);
    bool release = event->request->kind == REQUEST_SET_UNSCHEDULABLE;
    if (fake.hold && !release) {
        fake.held[fake.held_count++] = reply;
        return;
    }
    for (size_t i = 0; release && i < fake.held_count; i++)
        effects_reply(effects, &fake.held[i]);
    if (release)
        fake.held_count = 0;
    effects_reply(effects, &reply);
}

uint64_t node_deadline(const struct node *node)
{
    (void)node;
    return UINT64_MAX / 2;
}

/* --- Server and client ------------------------------------------------------------------------ */

struct world {
    struct loop *loop;
    struct node *node;
    struct api_server *server;
    char directory[64], path[96];
    uv_async_t finished;
    pthread_t thread;
    void (*client)(struct world *world);
};

static void *world_client(void *cls)
{
    struct world *world = cls;
    world->client(world);
    uv_async_send(&world->finished);
    return NULL;
}

static void world_finished(uv_async_t *async)
{
    struct world *world = async->data;
    uv_close((uv_handle_t *)async, NULL);
    loop_stop(world->loop);
}

static void world_open(struct world *world)
{
    *world = (struct world){0};
    fake.hold = false;
    fake.held_count = 0;
    memset(&fed, 0, sizeof fed);
    strcpy(world->directory, "/tmp/api_server_test.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(world->directory));
    snprintf(world->path, sizeof world->path, "%s/api.sock", world->directory);
    world->node = fake_node_new();
    fake_add_workload(world->node, "default", "web", 3, "{\"app\":\"web\"}");
    fake_add_children(world->node, "b");
    world->loop = loop_new();
    loop_set_node(world->loop, world->node);
    struct api_server_options options = {
        .tcp_host = "127.0.0.1", .unix_path = world->path, .member = "a"};
    struct error err = {0};
    world->server = api_server_new(world->loop, &options, &err);
    if (!world->server)
        printf("%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->server);
    loop_set_sink(world->loop, EFFECT_REPLY, api_server_reply_sink, world->server);
}

static void world_close(struct world *world)
{
    api_server_free(world->server);
    CU_ASSERT_TRUE(loop_settle(world->loop, 1000));
    loop_free(world->loop);
    fake_node_free(world->node);
    CU_ASSERT_NOT_EQUAL(access(world->path, F_OK), 0);
    rmdir(world->directory);
}

/* Runs the loop until the client has finished. */
static void world_run(void (*client)(struct world *world), bool hold)
{
    struct world world;
    world_open(&world);
    fake.hold = hold;
    world.client = client;
    uv_async_init(loop_uv(world.loop), &world.finished, world_finished);
    world.finished.data = &world;
    pthread_create(&world.thread, NULL, world_client, &world);
    loop_run(world.loop);
    pthread_join(world.thread, NULL);
    api_server_stop(world.server);
    world_close(&world);
}

static int connect_tcp(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(api_server_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){10, 0}, sizeof(struct timeval));
    return fd;
}

static int connect_unix(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, world->path);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put_bytes = send(fd, data, bytes, MSG_NOSIGNAL);
        if (put_bytes <= 0)
            return; /* the server answered early and closed */
        data += put_bytes;
        bytes -= (size_t)put_bytes;
    }
}

/* Reads one answer; returns its status, 0 if the connection ended before. */
static int take(int fd, char *ret_answer, size_t answer_bytes)
{
    size_t bytes = 0, wanted = answer_bytes - 1;
    while (bytes < wanted) {
        ssize_t got = recv(fd, ret_answer + bytes, wanted - bytes, 0);
        if (got <= 0)
            break;
        bytes += (size_t)got;
        ret_answer[bytes] = '\0';
        const char *body = strstr(ret_answer, "\r\n\r\n");
        const char *length = strcasestr(ret_answer, "content-length:");
        if (body && length && length < body)
            wanted = (size_t)(body + 4 - ret_answer) + strtoul(length + 15, NULL, 10);
        else if (body)
            break;
        if (wanted > answer_bytes - 1)
            wanted = answer_bytes - 1;
    }
    ret_answer[bytes] = '\0';
    int status = 0;
    return sscanf(ret_answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static char answer[256 * 1024];

static int exchange(int fd, const char *request)
{
    put(fd, request, strlen(request));
    return take(fd, answer, sizeof answer);
}

static int exchange_once(const struct world *world, const char *request)
{
    int fd = connect_tcp(world);
    int status = exchange(fd, request);
    close(fd);
    return status;
}

#define GET_WEB "GET " ROOT "/namespaces/default/workloads/web HTTP/1.1\r\nHost: x\r\n\r\n"
#define PATCH(path, body, length)                                            \
    "PATCH " ROOT path                                                       \
    " HTTP/1.1\r\nHost: x\r\nContent-Type: application/merge-patch+json\r\n" \
    "Content-Length: " length "\r\n\r\n" body
#define SCALE_WEB \
    PATCH("/namespaces/default/workloads/web/scale", "{\"spec\":{\"replicas\":5}}", "23")
#define RELEASE PATCH("/members/b", "{\"spec\":{\"unschedulable\":true}}", "31")

/* --- Tests ------------------------------------------------------------------------------------ */

static void client_reads(struct world *world)
{
    int fd = connect_tcp(world);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(exchange(fd, GET_WEB), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"name\":\"web\""));
    CU_ASSERT_PTR_NOT_NULL(strcasestr(answer, "content-type: application/json"));
    close(fd);
    fd = connect_unix(world);
    CU_ASSERT_EQUAL(exchange(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    CU_ASSERT_EQUAL(exchange_once(world, "GET /livez HTTP/1.1\r\n\r\n"), 400); /* RFC 9112, 3.2 */
    close(fd);
    struct stat status;
    CU_ASSERT_EQUAL(stat(world->path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
}

static void both_listeners_serve(void)
{
    world_run(client_reads, false);
}

static void client_asks_for_health(struct world *world)
{
    CU_ASSERT_EQUAL(exchange_once(world, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    CU_ASSERT_EQUAL(exchange_once(world, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
}

/* Whose answer needs more than health: the node hears of that first, and once. */
static void the_node_hears_that_somebody_looks(void)
{
    fake.looks = 0;
    world_run(client_asks_for_health, false);
    CU_ASSERT_EQUAL(fake.looks, 0);
    world_run(client_reads, false);
    CU_ASSERT_EQUAL(fake.looks, 1);
}

static void client_writes(struct world *world)
{
    int fd = connect_tcp(world);
    CU_ASSERT_EQUAL(exchange(fd, SCALE_WEB), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Hordelet-Written: 77."));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"replicas\":5"));
    CU_ASSERT_EQUAL(exchange(fd, GET_WEB), 200);
    CU_ASSERT_EQUAL(
        exchange(fd,
                 "PATCH " ROOT
                 "/members/b HTTP/1.1\r\nHost: x\r\nContent-Type: application/merge-patch+json\r\n"
                 "Transfer-Encoding: chunked\r\n\r\nf\r\n{\"spec\":{\"unsch\r\n"
                 "10\r\nedulable\":true}}\r\n0\r\n\r\n"),
        200);
    close(fd);
}

static void writes_are_answered(void)
{
    world_run(client_writes, false);
}

static void put_scale(int fd, int replicas)
{
    char body[64], request[512];
    int bytes = snprintf(body, sizeof body, "{\"spec\":{\"replicas\":%d}}", replicas);
    snprintf(request, sizeof request,
             "PATCH " ROOT
             "/namespaces/default/workloads/web/scale HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
             "Content-Type: application/merge-patch+json\r\n\r\n%s",
             bytes, body);
    put(fd, request, strlen(request));
}

static void client_waits(struct world *world)
{
    int slow[20];
    for (int i = 0; i < 20; i++) {
        slow[i] = connect_tcp(world);
        put_scale(slow[i], 10 + i);
    }
    while (exchange_once(world, GET_WEB) == 200 && !strstr(answer, "\"replicas\":29"))
        ; /* until all twenty have been stepped; others are served meanwhile */
    for (int i = 0; i < 20; i += 3)
        close(slow[i]); /* goes away while it is suspended */
    CU_ASSERT_EQUAL(exchange_once(world, RELEASE), 200);
    for (int i = 0; i < 20; i++) {
        if (i % 3 == 0)
            continue;
        char expected[32];
        snprintf(expected, sizeof expected, "\"replicas\":%d}", 10 + i);
        CU_ASSERT_EQUAL(take(slow[i], answer, sizeof answer), 200);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, expected));
        close(slow[i]);
    }
}

static void late_replies_find_their_clients(void)
{
    world_run(client_waits, true);
}

enum { LEFT = 5 };
static int left[LEFT];

static void client_is_left(struct world *world)
{
    for (int i = 0; i < LEFT; i++) {
        left[i] = connect_tcp(world);
        put_scale(left[i], 5 + i);
        char expected[32];
        snprintf(expected, sizeof expected, "\"replicas\":%d", 5 + i);
        while (exchange_once(world, GET_WEB) == 200 && !strstr(answer, expected))
            ; /* it is being waited for when the server stops */
    }
}

/* The server has stopped: whoever was waiting has been told, nobody hangs. */
static void a_stop_answers_what_is_in_flight(void)
{
    world_run(client_is_left, true);
    for (int i = 0; i < LEFT; i++) {
        CU_ASSERT_EQUAL(take(left[i], answer, sizeof answer), 503);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "ServiceUnavailable"));
        close(left[i]);
    }
}

static void client_sends_nonsense(struct world *world)
{
    CU_ASSERT_EQUAL(exchange_once(world, "GET /livez%00 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
    CU_ASSERT_EQUAL(
        exchange_once(world, "GET " ROOT "/members/a%00/../../etc HTTP/1.1\r\nHost: x\r\n\r\n"),
        400);
    CU_ASSERT_EQUAL(
        exchange_once(
            world,
            "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
            "\r\n0\r\n\r\n"),
        400);
    CU_ASSERT_EQUAL(
        exchange_once(
            world,
            "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        400);
    CU_ASSERT_EQUAL(
        exchange_once(world, "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
        400);
    CU_ASSERT_EQUAL(
        exchange_once(world,
                      "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"),
        413);
    CU_ASSERT_EQUAL(exchange_once(world, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    int fd = connect_tcp(world);
    CU_ASSERT_EQUAL(
        exchange(fd, "HEAD " ROOT "/members HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        200);
    close(fd);
    CU_ASSERT_EQUAL(exchange_once(world, "OPTIONS " ROOT "/members HTTP/1.1\r\nHost: x\r\n\r\n"),
                    204);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Allow: GET, HEAD"));
    exchange_once(world, "\x01\x02\x03\r\n\r\n");
    exchange_once(world, "GET\r\n\r\n");
    for (int i = 0; i < 50; i++) { /* half a request, then gone */
        fd = connect_tcp(world);
        put(fd, SCALE_WEB, (size_t)(i * 4) % strlen(SCALE_WEB));
        close(fd);
    }
    CU_ASSERT_EQUAL(exchange_once(world, GET_WEB), 200);
}

static void bad_requests_do_no_harm(void)
{
    world_run(client_sends_nonsense, false);
}

static void client_sends_much(struct world *world)
{
    size_t bytes = 2 * BODY_BYTES_MAX;
    char *body = xmalloc(bytes);
    char head[128];
    memset(body, ' ', bytes);
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int excess = 0; excess < 2; excess++) {
            size_t count = BODY_BYTES_MAX + (excess ? 1 : 0);
            int fd = connect_tcp(world);
            snprintf(head, sizeof head,
                     "POST " ROOT
                     "/supervisors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
            put(fd, head, strlen(head));
            snprintf(head, sizeof head,
                     chunked ? "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                             : "Content-Length: %zu\r\n\r\n",
                     count);
            put(fd, head, strlen(head));
            put(fd, body, count);
            if (chunked)
                put(fd, "\r\n0\r\n\r\n", 7);
            CU_ASSERT_EQUAL(take(fd, answer, sizeof answer), excess ? 413 : 400);
            close(fd);
        }
    }
    free(body);
}

static void a_large_body_is_refused(void)
{
    world_run(client_sends_much, false);
}

static void client_pipelines(struct world *world)
{
    int fd = connect_tcp(world);
    char requests[40 * 64] = "";
    for (int i = 0; i < 40; i++)
        strcat(requests, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    put(fd, requests, strlen(requests));
    size_t bytes = 0, count = 0;
    while (bytes < sizeof answer - 1 && count < 40) {
        ssize_t got = recv(fd, answer + bytes, sizeof answer - 1 - bytes, 0);
        if (got <= 0)
            break;
        bytes += (size_t)got;
        answer[bytes] = '\0';
        count = 0;
        for (const char *at = answer; (at = strstr(at, "HTTP/1.1 200")); at++)
            count++;
    }
    CU_ASSERT_EQUAL(count, 40);
    close(fd);
}

static void pipelined_requests_are_answered(void)
{
    world_run(client_pipelines, false);
}

/* --- Answers in pieces -------------------------------------------------------------------------
 */

#define GET_QUORUM "GET " ROOT "/supervisors/default/quorum HTTP/1.1\r\nHost: x\r\n\r\n"

/* Reads until the text has come. */
static bool take_until(int fd, const char *text)
{
    size_t bytes = 0;
    answer[0] = '\0';
    while (!strstr(answer, text)) {
        ssize_t got = recv(fd, answer + bytes, sizeof answer - 1 - bytes, 0);
        if (got <= 0)
            return false;
        bytes += (size_t)got;
        answer[bytes] = '\0';
    }
    return true;
}

static void release_pieces(const struct world *world, size_t pieces, size_t bytes)
{
    char *kept = xstrdup(answer);
    fed.pieces = pieces;
    fed.piece_bytes = bytes;
    int fd = connect_tcp(world);
    put_scale(fd, ++fed.releases); /* what changes nothing does not reach the node */
    CU_ASSERT_EQUAL(take(fd, answer, sizeof answer), 200);
    close(fd);
    fed.pieces = 0;
    strcpy(answer, kept);
    free(kept);
}

static void client_takes_pieces(struct world *world)
{
    int fd = connect_tcp(world);
    fed.on = true;
    put(fd, GET_QUORUM, strlen(GET_QUORUM));
    CU_ASSERT_TRUE(take_until(fd, "one two "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "HTTP/1.1 200"));
    CU_ASSERT_PTR_NOT_NULL(strcasestr(answer, "transfer-encoding: chunked"));
    for (int i = 0; i < 50; i++) {
        release_pieces(world, 1, 3);
        CU_ASSERT_TRUE(take_until(fd, "xxx"));
    }
    release_pieces(world, 1, 0);
    CU_ASSERT_TRUE(take_until(fd, "0\r\n\r\n"));
    CU_ASSERT_EQUAL(exchange(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    close(fd);
}

static void an_answer_comes_in_pieces(void)
{
    world_run(client_takes_pieces, false);
    CU_ASSERT_EQUAL(fed.taken_bytes, 8 + 50 * 3);
    CU_ASSERT_EQUAL(fed.gone, 0);
}

static void client_leaves_streams(struct world *world)
{
    fed.on = true;
    int fd = connect_tcp(world);
    put(fd, GET_QUORUM, strlen(GET_QUORUM));
    CU_ASSERT_TRUE(take_until(fd, "one two "));
    close(fd); /* while its stream is suspended: found out without a byte to write */
    while (__atomic_load_n(&fed.gone, __ATOMIC_SEQ_CST) == 0)
        CU_ASSERT_EQUAL_FATAL(exchange_once(world, GET_WEB), 200);
    release_pieces(world, 1, 3); /* nobody is there */
}

static void a_client_that_goes_away_is_told_of(void)
{
    world_run(client_leaves_streams, false);
    CU_ASSERT_EQUAL(fed.gone, 1);
}

static void client_stalls(struct world *world)
{
    fed.on = true;
    int fd = connect_unix(world);
    put(fd, GET_QUORUM, strlen(GET_QUORUM));
    CU_ASSERT_TRUE(take_until(fd, "one two "));
    while (fed.gone == 0) /* the kernel takes some, then the window fills */
        release_pieces(world, 4, 64 * 1024);
    CU_ASSERT_EQUAL(exchange_once(world, GET_WEB), 200);
    size_t bytes = 0;
    for (ssize_t got; (got = recv(fd, answer, sizeof answer - 1, 0)) > 0; bytes += (size_t)got) {
        answer[got] = '\0';
        if (strstr(answer, "reads too slowly"))
            break;
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "hordelet: cut off: the client reads too slowly\n"));
    CU_ASSERT(bytes > STREAM_WINDOW_BYTES);
    close(fd);
}

static void a_client_that_stalls_is_cut_off(void)
{
    world_run(client_stalls, false);
    CU_ASSERT_EQUAL(fed.gone, 1);
}

static int left_stream;

static void client_leaves_a_stream_open(struct world *world)
{
    fed.on = true;
    left_stream = connect_tcp(world);
    put(left_stream, GET_QUORUM, strlen(GET_QUORUM));
    CU_ASSERT_TRUE(take_until(left_stream, "one two "));
}

static void a_stop_ends_streams_in_good_order(void)
{
    world_run(client_leaves_a_stream_open, false);
    CU_ASSERT_TRUE(take_until(left_stream, "0\r\n\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "hordelet: the agent is stopping\n"));
    close(left_stream);
}

static void client_asks_for_the_head(struct world *world)
{
    fed.on = true;
    int fd = connect_tcp(world);
    const char *head = "HEAD " ROOT "/supervisors/default/quorum HTTP/1.1\r\nHost: x\r\n\r\n";
    put(fd, head, strlen(head));
    CU_ASSERT_TRUE(take_until(fd, "\r\n\r\n"));
    CU_ASSERT_EQUAL(exchange(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    close(fd);
}

static void the_head_of_a_stream_is_all(void)
{
    world_run(client_asks_for_the_head, false);
    CU_ASSERT_EQUAL(fed.gone, 1);
}

static void addresses_that_do_not_work_are_named(void)
{
    struct world world;
    struct error err = {0};
    world_open(&world);
    struct api_server_options taken = {
        .tcp_host = "127.0.0.1", .tcp_port = api_server_port(world.server), .member = "x"};
    CU_ASSERT_PTR_NULL(api_server_new(world.loop, &taken, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another process listens there"));
    struct api_server_options alive = {
        .tcp_host = "127.0.0.1", .unix_path = world.path, .member = "x"};
    CU_ASSERT_PTR_NULL(api_server_new(world.loop, &alive, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another agent serves it"));
    struct api_server_options missing = {.unix_path = "/nonexistent/api.sock", .member = "x"};
    CU_ASSERT_PTR_NULL(api_server_new(world.loop, &missing, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/api.sock"));
    struct api_server_options foreign = {.tcp_host = "192.0.2.1", .tcp_port = 1, .member = "x"};
    CU_ASSERT_PTR_NULL(api_server_new(world.loop, &foreign, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "192.0.2.1:1"));
    api_server_stop(world.server);
    world_close(&world);
}

static void a_stale_socket_is_replaced(void)
{
    struct world world;
    struct error err = {0};
    world_open(&world);
    char stale[128];
    snprintf(stale, sizeof stale, "%s/stale.sock", world.directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    struct api_server_options options = {.unix_path = stale, .member = "x"};
    struct api_server *second = api_server_new(world.loop, &options, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    api_server_stop(second);
    api_server_free(second);
    CU_ASSERT_NOT_EQUAL(access(stale, F_OK), 0);
    FILE *file = fopen(stale, "w");
    fclose(file);
    CU_ASSERT_PTR_NULL(
        api_server_new(world.loop, &options, &err)); /* somebody's file is not ours to remove */
    CU_ASSERT_EQUAL(access(stale, F_OK), 0);
    unlink(stale);
    api_server_stop(world.server);
    world_close(&world);
}

UNIT_MAIN("api server", {"both listeners serve", both_listeners_serve},
          {"the node hears that somebody looks", the_node_hears_that_somebody_looks},
          {"writes are answered", writes_are_answered},
          {"late replies find their clients", late_replies_find_their_clients},
          {"a stop answers what is in flight", a_stop_answers_what_is_in_flight},
          {"bad requests do no harm", bad_requests_do_no_harm},
          {"a large body is refused", a_large_body_is_refused},
          {"pipelined requests are answered", pipelined_requests_are_answered},
          {"an answer comes in pieces", an_answer_comes_in_pieces},
          {"a client that goes away is told of", a_client_that_goes_away_is_told_of},
          {"a client that stalls is cut off", a_client_that_stalls_is_cut_off},
          {"a stop ends streams in good order", a_stop_ends_streams_in_good_order},
          {"the head of a stream is all", the_head_of_a_stream_is_all},
          {"addresses that do not work are named", addresses_that_do_not_work_are_named},
          {"a stale socket is replaced", a_stale_socket_is_replaced})
