/* A server on real sockets in front of the fake node of api_fake_query.h. The client is a thread
 * that speaks plain bytes; the loop is ended when it has finished. Nothing sleeps: replies that
 * come late come when the client has asked the next thing. */
#ifndef TESTS_UNIT_API_SERVER_WORLD_H
#define TESTS_UNIT_API_SERVER_WORLD_H

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
#include "unit.h"

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

static inline void feed(struct effects *effects, size_t bytes, const char *text, bool more)
{
    struct reply reply = {.id = fed.id, .status = 200, .more = more};
    char *found = effects_alloc(effects, bytes);
    memset(found, 'x', bytes);
    if (text)
        memcpy(found, text, bytes);
    reply.found = span_of(found, bytes);
    effects_reply(effects, &reply);
}

static inline void feed_begin(const struct request *request, struct effects *effects)
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
    char directory[64], path[96], child_path[96];
    uv_async_t finished;
    pthread_t thread;
    void (*client)(struct world *world);
};

static inline void *world_client(void *cls)
{
    struct world *world = cls;
    world->client(world);
    uv_async_send(&world->finished);
    return NULL;
}

static inline void world_finished(uv_async_t *async)
{
    struct world *world = async->data;
    uv_close((uv_handle_t *)async, NULL);
    loop_stop(world->loop);
}

/* "web-N" is the token of the child of that name. */
static inline bool verify_child(void *context, const char *token, struct api_identity *ret_identity)
{
    unsigned ordinal;
    (void)context;
    if (sscanf(token, "web-%u", &ordinal) != 1)
        return false;
    *ret_identity = (struct api_identity){.child = {"default", "web", ordinal},
                                          .uid = "00000000-0000-4000-8000-000000000000",
                                          .epoch = 1};
    return true;
}

static inline void world_open(struct world *world)
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
    snprintf(world->child_path, sizeof world->child_path, "%s/child.sock", world->directory);
    struct api_server_options options = {.tcp_host = "127.0.0.1",
                                         .unix_path = world->path,
                                         .child_path = world->child_path,
                                         .verify = verify_child,
                                         .member = "b"};
    struct error err = {0};
    world->server = api_server_new(world->loop, &options, &err);
    if (!world->server)
        printf("%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->server);
    loop_set_sink(world->loop, EFFECT_REPLY, api_server_reply_sink, world->server);
}

static inline void world_close(struct world *world)
{
    api_server_free(world->server);
    CU_ASSERT_TRUE(loop_settle(world->loop, 1000));
    loop_free(world->loop);
    fake_node_free(world->node);
    CU_ASSERT_NOT_EQUAL(access(world->path, F_OK), 0);
    rmdir(world->directory);
}

static uint64_t world_turns; /* of the loop, in the last world_run */

/* Runs the loop until the client has finished. */
static inline void world_run(void (*client)(struct world *world), bool hold)
{
    struct world world;
    world_open(&world);
    fake.hold = hold;
    world.client = client;
    uv_async_init(loop_uv(world.loop), &world.finished, world_finished);
    world.finished.data = &world;
    pthread_create(&world.thread, NULL, world_client, &world);
    loop_run(world.loop);
    world_turns = loop_statistics(world.loop).turns;
    pthread_join(world.thread, NULL);
    api_server_stop(world.server);
    world_close(&world);
}

static inline int connect_tcp(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(api_server_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){10, 0}, sizeof(struct timeval));
    return fd;
}

static inline int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, path);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void put(int fd, const char *data, size_t bytes)
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
static inline int take(int fd, char *ret_answer, size_t answer_bytes)
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

static inline int exchange(int fd, const char *request)
{
    put(fd, request, strlen(request));
    return take(fd, answer, sizeof answer);
}

static inline int exchange_once(const struct world *world, const char *request)
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

static inline void put_scale(int fd, int replicas)
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

#endif
