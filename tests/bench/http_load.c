/* A load generator for the agents' API, and the limits of the machine it runs on.
 *
 *     http_load HOST PORT CONNECTIONS SECONDS METHOD PATH [BODY]
 *         HOST may be the path of a Unix socket; then PORT means nothing.
 *         Keep-alive connections, one request at a time on each. "%u" in path and body is the
 *         number of the request. Prints: requests per second, p50 and p99 in microseconds, good
 *         (2xx) and bad answers.
 *     http_load limits DIRECTORY
 *         Prints microseconds: append of 512 bytes and fdatasync there; a round trip of 64 bytes
 *         over a TCP connection to another process of this host.
 *
 * One thread and epoll: it must be faster than what it measures. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { CONNECTIONS_MAX = 1000, ANSWER_BYTES_MAX = 1 << 20, LATENCIES_MAX = 4000000 };

struct connection {
    int descriptor;
    double began_ns;
    char *answer;
    size_t bytes;
};

struct load {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    const char *method, *path, *body;
    struct connection connections[CONNECTIONS_MAX];
    int count, epoll;
    unsigned next, good, bad;
    double *latencies_us;
    size_t latency_count;
    bool over; /* no new requests */
};

__attribute__((noreturn)) static void fail(const char *what)
{
    fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- One request ----------------------------------------------------------------------------- */

/* The format comes from the command line: only %u is replaced, and nothing else means anything. */
static size_t expand(char *text, size_t room, const char *format, unsigned number)
{
    size_t bytes = 0;
    for (; *format && bytes + 12 < room; format++) {
        if (format[0] == '%' && format[1] == 'u') {
            bytes += (size_t)snprintf(text + bytes, room - bytes, "%u", number);
            format++;
        } else {
            text[bytes++] = *format;
        }
    }
    text[bytes] = '\0';
    return bytes;
}

static void request_send(struct load *load, struct connection *connection)
{
    static char path[1024], body[65536], text[70000];
    unsigned number = load->next++;
    expand(path, sizeof path, load->path, number);
    size_t body_bytes = load->body ? expand(body, sizeof body, load->body, number) : 0;
    int bytes = snprintf(text, sizeof text,
                         "%s %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         load->method, path, body_bytes, body_bytes ? body : "");
    connection->bytes = 0;
    connection->began_ns = bench_now_ns();
    if (send(connection->descriptor, text, (size_t)bytes, MSG_NOSIGNAL) != bytes)
        fail("send");
}

static void connection_open(struct load *load, struct connection *connection)
{
    int one = 1;
    connection->descriptor = socket(load->address.ss_family, SOCK_STREAM, 0);
    if (connect(connection->descriptor, (struct sockaddr *)&load->address, load->address_bytes))
        fail("connect");
    if (load->address.ss_family == AF_INET)
        setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->descriptor, &event);
}

/* The answer is whole: all that its Content-Length promises. */
static bool answer_is_whole(const struct connection *connection)
{
    const char *end = memmem(connection->answer, connection->bytes, "\r\n\r\n", 4);
    if (!end)
        return false;
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return connection->bytes >= (size_t)(end + 4 - connection->answer) + body;
}

static void connection_read(struct load *load, struct connection *connection)
{
    ssize_t got = recv(connection->descriptor, connection->answer + connection->bytes,
                       ANSWER_BYTES_MAX - 1 - connection->bytes, 0);
    if (got <= 0) { /* the server may end a connection between two requests */
        close(connection->descriptor);
        connection_open(load, connection);
        load->bad++;
        request_send(load, connection);
        return;
    }
    connection->bytes += (size_t)got;
    connection->answer[connection->bytes] = '\0';
    if (!answer_is_whole(connection))
        return;
    if (load->latency_count < LATENCIES_MAX)
        load->latencies_us[load->latency_count++] = (bench_now_ns() - connection->began_ns) / 1e3;
    if (connection->bytes > 9 && connection->answer[9] == '2')
        load->good++;
    else if (load->bad++ == 0)
        fprintf(stderr, "http_load: %.300s\n", connection->answer);
    if (!load->over)
        request_send(load, connection);
}

static void load_address(struct load *load, const char *host, const char *port)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    bool is_path = host[0] == '/' && strlen(host) < sizeof path.sun_path;
    if (is_path)
        memcpy(path.sun_path, host, strlen(host));
    else if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail(host);
    load->address_bytes = is_path ? sizeof path : sizeof address;
    memcpy(&load->address, is_path ? (void *)&path : (void *)&address, load->address_bytes);
}

static int run_load(char **arguments)
{
    static struct load load;
    load_address(&load, arguments[0], arguments[1]);
    load.count = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    load.method = arguments[4];
    load.path = arguments[5];
    load.body = arguments[6];
    load.epoll = epoll_create1(0);
    load.latencies_us = malloc(LATENCIES_MAX * sizeof *load.latencies_us);
    if (load.count < 1 || load.count > CONNECTIONS_MAX || !load.latencies_us)
        fail("arguments");
    double begin = bench_now_ns();
    for (int i = 0; i < load.count; i++) {
        load.connections[i].answer = malloc(ANSWER_BYTES_MAX);
        connection_open(&load, &load.connections[i]);
        request_send(&load, &load.connections[i]);
    }
    while (!load.over) {
        struct epoll_event events[64];
        int count = epoll_wait(load.epoll, events, 64, 1000);
        load.over = bench_now_ns() - begin > seconds * 1e9;
        for (int i = 0; i < count; i++)
            connection_read(&load, events[i].data.ptr);
    }
    double took = (bench_now_ns() - begin) / 1e9;
    double p99 =
        load.latency_count ? bench_percentile(load.latencies_us, load.latency_count, 99) : 0;
    printf("%.1f %.0f %.0f %u %u\n", load.good / took,
           load.latency_count ? load.latencies_us[load.latency_count / 2] : 0, p99, load.good,
           load.bad);
    return 0;
}

/* --- Limits ---------------------------------------------------------------------------------- */

static double sync_us(const char *directory)
{
    enum { SYNCS = 300 };
    char path[512], record[512] = {1};
    snprintf(path, sizeof path, "%s/limit", directory);
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 || posix_fallocate(file, 0, SYNCS * (off_t)sizeof record) || fsync(file))
        fail(path);
    double begin = bench_now_ns();
    for (int i = 0; i < SYNCS; i++)
        if (write(file, record, sizeof record) != sizeof record || fdatasync(file) != 0)
            fail(path);
    double mean = (bench_now_ns() - begin) / 1e3 / SYNCS; /* a rate is limited by the mean */
    close(file);
    unlink(path);
    return mean;
}

static double round_trip_us(void)
{
    enum { ROUNDS = 2000 };
    static double took[ROUNDS];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int one = 1;
    char text[64] = {0};
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&address, bytes) || listen(server, 1) ||
        getsockname(server, (struct sockaddr *)&address, &bytes))
        fail("listen");
    pid_t child = fork();
    if (child == 0) {
        int peer = accept(server, NULL, NULL);
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        while (recv(peer, text, sizeof text, MSG_WAITALL) > 0)
            send(peer, text, sizeof text, MSG_NOSIGNAL);
        _exit(0);
    }
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&address, bytes))
        fail("connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = bench_now_ns();
        send(client, text, sizeof text, MSG_NOSIGNAL);
        recv(client, text, sizeof text, MSG_WAITALL);
        took[i] = (bench_now_ns() - begin) / 1e3;
    }
    close(client);
    waitpid(child, NULL, 0);
    return bench_median(took, ROUNDS);
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "limits") == 0) {
        printf("%.1f %.1f\n", sync_us(arguments[2]), round_trip_us());
        return 0;
    }
    if (count == 7 || count == 8)
        return run_load(arguments + 1);
    fprintf(stderr,
            "usage: http_load HOST PORT CONNECTIONS SECONDS METHOD PATH [BODY]\n"
            "       http_load limits DIRECTORY\n");
    return 2;
}
