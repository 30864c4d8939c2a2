/* Answers in pieces over real sockets: as they come, as their client takes them, and how many one
 * may have. */
#include "api_server_world.h"

/* --- Answers in pieces ------------------------------------------------------------------------ */

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
    int fd = connect_unix(world->path);
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

/* --- What one client may have ----------------------------------------------------------------- */

enum { CHILD_STREAMS = 16 };

static int watch_as(const struct world *world, unsigned ordinal, int *ret_fd)
{
    char request[256];
    *ret_fd = connect_unix(world->child_path);
    snprintf(request, sizeof request,
             "GET " ROOT
             "/namespaces/default/names?watch=1&sendInitialEvents=false HTTP/1.1\r\n"
             "Host: x\r\nHordelet-Token: web-%u\r\n\r\n",
             ordinal);
    return exchange(*ret_fd, request);
}

static void client_is_a_greedy_child(struct world *world)
{
    int held[CHILD_STREAMS], other;
    for (size_t i = 0; i < CHILD_STREAMS; i++)
        CU_ASSERT_EQUAL(watch_as(world, 0, &held[i]), 200);
    CU_ASSERT_EQUAL(watch_as(world, 0, &other), 429);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Retry-After: 1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"retryAfterSeconds\":1"));
    close(other);
    CU_ASSERT_EQUAL(watch_as(world, 1, &other), 200); /* its neighbour */
    close(other);
    close(held[0]);
    while (watch_as(world, 0, &other) == 429) /* until the end has been noticed */
        close(other);
    close(other);
    for (size_t i = 1; i < CHILD_STREAMS; i++)
        close(held[i]);
}

static void a_child_has_few_streams_and_its_neighbour_as_many(void)
{
    world_run(client_is_a_greedy_child, false);
}

UNIT_MAIN("api server streams", {"an answer comes in pieces", an_answer_comes_in_pieces},
          {"a client that goes away is told of", a_client_that_goes_away_is_told_of},
          {"a client that stalls is cut off", a_client_that_stalls_is_cut_off},
          {"a stop ends streams in good order", a_stop_ends_streams_in_good_order},
          {"the head of a stream is all", the_head_of_a_stream_is_all},
          {"a child has few streams, and its neighbour as many",
           a_child_has_few_streams_and_its_neighbour_as_many})
