/* The API server over real sockets: its listeners, requests as they should and should not be, late
 * replies, and how it stops. */
#include "api_server_world.h"

/* --- Requests --------------------------------------------------------------------------------- */

static void client_reads(struct world *world)
{
    int fd = connect_tcp(world);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(exchange(fd, GET_WEB), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"name\":\"web\""));
    CU_ASSERT_PTR_NOT_NULL(strcasestr(answer, "content-type: application/json"));
    close(fd);
    fd = connect_unix(world->path);
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

enum { PIPELINED = 200 };

static void client_pipelines(struct world *world)
{
    int fd = connect_tcp(world);
    char requests[PIPELINED * 40] = "";
    for (int i = 0; i < PIPELINED; i++)
        strcat(requests, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    put(fd, requests, strlen(requests));
    size_t bytes = 0, count = 0;
    while (bytes < sizeof answer - 1 && count < PIPELINED) {
        ssize_t got = recv(fd, answer + bytes, sizeof answer - 1 - bytes, 0);
        if (got <= 0)
            break;
        bytes += (size_t)got;
        answer[bytes] = '\0';
        count = 0;
        for (const char *at = answer; (at = strstr(at, "HTTP/1.1 200")); at++)
            count++;
    }
    CU_ASSERT_EQUAL(count, PIPELINED);
    close(fd);
}

/* Between any two of them the loop turns: libmicrohttpd takes one each time that it is run. */
static void pipelined_requests_are_answered_one_in_a_turn(void)
{
    world_run(client_pipelines, false);
    CU_ASSERT(world_turns >= PIPELINED);
}

/* --- Listeners -------------------------------------------------------------------------------- */

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
          {"pipelined requests are answered, one in a turn",
           pipelined_requests_are_answered_one_in_a_turn},
          {"addresses that do not work are named", addresses_that_do_not_work_are_named},
          {"a stale socket is replaced", a_stale_socket_is_replaced})
