/* The docker driver against an engine that lies: docker_driver_faults DIR (for its socket)
 *
 * A small server on threads of its own answers each request as the present fault demands. Under
 * every fault each operation must end once, not well, and in time; the driver must say that the
 * engine is not healthy (where the fault concerns it), stay small, and find back when the fault is
 * over. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "docker_driver.h"

enum fault {
    FAULT_NONE,
    FAULT_CLOSE,      /* accepts and closes */
    FAULT_SILENCE,    /* accepts, reads, says nothing */
    FAULT_GARBAGE,    /* no HTTP */
    FAULT_HTML,       /* HTTP, but no JSON */
    FAULT_ERROR,      /* 500 without a body */
    FAULT_HALF,       /* a head and half a body, then silence */
    FAULT_CUT,        /* less body than was said */
    FAULT_HEADERS,    /* headers without end */
    FAULT_BODY,       /* a body without end */
    FAULT_TOO_NEW,    /* speaks only API 1.50 */
    FAULT_LIST_ERROR, /* the list fails, all else works */
    FAULT_LIST_GARBAGE,
    FAULT_EVENTS_ENDLESS, /* one line without end */
    FAULT_EVENTS_GARBAGE, /* many lines of nonsense: not fatal */
    FAULT_INSPECT_ERROR,  /* one container cannot be inspected: not fatal */
    FAULT_COUNT,
};

static const char *const names[FAULT_COUNT] = {
    "none",         "close",          "silence",        "garbage",
    "html",         "error",          "half",           "cut",
    "headers",      "body",           "too new",        "list error",
    "list garbage", "events endless", "events garbage", "inspect error",
};

static atomic_int fault;
static atomic_int streamed; /* the fault that the newest stream of events began under, or: */
enum { NO_STREAM = -1 };    /* none since fault_set */

/* ---- the server ---- */

#define ID "4f29547a43334ad2dd6755cbdda371a45e79239a40d9128324c442a08f2a25e1"
#define LABELS                                                                            \
    "\"Labels\":{\"dev.hordelet.cluster\":\"check\",\"dev.hordelet.node\":\"n1\","        \
    "\"dev.hordelet.child\":\"default/web/0\",\"dev.hordelet.uid\":\"u\",\"dev.hordelet." \
    "epoch\":\"1\"}"

static bool say(int fd, const char *text)
{
    size_t bytes = strlen(text);
    return send(fd, text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static void answer(int fd, int status, const char *body)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status,
             strlen(body));
    say(fd, head);
    say(fd, body);
}

static void flood(int fd, const char *begin, char byte)
{
    char block[16384];
    memset(block, byte, sizeof block);
    if (say(fd, begin))
        while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
            continue;
}

/* True: the connection is to be closed. */
static bool misbehave(int fd, int now)
{
    switch (now) {
    case FAULT_CLOSE:
        return true;
    case FAULT_SILENCE:
        pause();
        return true;
    case FAULT_GARBAGE:
        say(fd, "\x01\x02 this is no HTTP\n\n");
        return true;
    case FAULT_HALF:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ApiVersion\":\"1.");
        pause();
        return true;
    case FAULT_CUT:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ApiVersion\":\"1.41\"}");
        return true;
    case FAULT_HEADERS:
        for (say(fd, "HTTP/1.1 200 OK\r\n"); say(fd, "X-Endless: 01234567890123456789\r\n");)
            continue;
        return true;
    default: /* FAULT_BODY */
        flood(fd, "HTTP/1.1 200 OK\r\n\r\n", '[');
        return true;
    }
}

static bool events(int fd, int now)
{
    atomic_store(&streamed, now);
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    if (now == FAULT_EVENTS_ENDLESS)
        flood(fd, "{", 'x');
    for (int i = 0; now == FAULT_EVENTS_GARBAGE && i < 2000; i++)
        say(fd, i % 2 ? "{\"Action\":7}\n" : "\xff\xfe[[[\n\n");
    while (atomic_load(&fault) == now)
        usleep(20000);
    return true;
}

static bool pull(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 250; i++) {
        char line[128];
        snprintf(line, sizeof line,
                 "{\"status\":\"Downloading\",\"id\":\"aaa\",\"progressDetail\":{\"current\":%d,"
                 "\"total\":250000000}}\r\n",
                 i * 1000000);
        say(fd, line);
        usleep(10000);
    }
    say(fd,
        "{\"errorDetail\":{\"message\":\"x\"},\"error\":\"filesystem layer verification failed\"}");
    return true;
}

static bool respond(int fd, const char *request, int now)
{
    bool bad_list = now == FAULT_LIST_ERROR || now == FAULT_LIST_GARBAGE;
    if (now >= FAULT_CLOSE && now <= FAULT_BODY && now != FAULT_HTML && now != FAULT_ERROR)
        return misbehave(fd, now);
    if (strstr(request, "/images/create"))
        return pull(fd);
    if (strstr(request, "/events"))
        return events(fd, now);
    if (now == FAULT_HTML)
        answer(fd, 200, "<html>hello</html>");
    else if (now == FAULT_ERROR)
        answer(fd, 500, "");
    else if (strstr(request, "/version"))
        answer(fd, 200,
               now == FAULT_TOO_NEW
                   ? "{\"ApiVersion\":\"1.60\",\"MinAPIVersion\":\"1.50\",\"Version\":\"99\"}"
                   : "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\",\"Version\":\"1\"}");
    else if (strstr(request, "/_ping"))
        answer(fd, 200, "OK");
    else if (strstr(request, "/containers/json") && bad_list)
        answer(fd, now == FAULT_LIST_ERROR ? 500 : 200, "[{\"Id\":\"abc\"},{\"I");
    else if (strstr(request, "/containers/json"))
        answer(fd, 200, "[{\"Id\":\"" ID "\",\"State\":\"exited\"," LABELS "}]");
    else if (strstr(request, ID "/json") && now != FAULT_INSPECT_ERROR)
        answer(fd, 200,
               "{\"Id\":\"" ID
               "\",\"State\":{\"Status\":\"exited\",\"ExitCode\":7},\"Config\":{" LABELS "}}");
    else
        answer(fd, strstr(request, ID "/json") ? 500 : 404, "{\"message\":\"nothing here\"}");
    return false;
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char request[65536];
    for (bool closing = false; !closing;) {
        size_t bytes = 0;
        for (request[0] = 0; !strstr(request, "\r\n\r\n"); request[bytes] = 0) {
            ssize_t more = recv(fd, request + bytes, sizeof request - 1 - bytes, 0);
            if (more <= 0)
                goto end;
            bytes += (size_t)more;
        }
        closing = respond(fd, request, atomic_load(&fault));
        /* A body that came later would be taken for a request: close after each POST. */
        closing |= strncmp(request, "POST", 4) == 0;
    }
end:
    close(fd);
    return NULL;
}

static void *accept_all(void *argument)
{
    int listener = (int)(intptr_t)argument;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else
            close(fd);
    }
    return NULL;
}

static bool server_start(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    return bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
           listen(listener, 64) == 0 &&
           pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) == 0;
}

/* ---- the checks ---- */

static struct runtime *runtime;

static struct runtime_operation start_operation(void)
{
    struct runtime_operation operation = operation_of(RUNTIME_START, "web");
    operation.document = "{\"spec\":{\"container\":{\"image\":\"i\"}}}";
    operation.timeout_ms = 1500;
    return operation;
}

static struct runtime_operation probe_operation(void)
{
    static const struct container container = {.address = "127.0.0.1"};
    struct runtime_operation operation = operation_of(RUNTIME_PROBE, "web");
    operation.document =
        "{\"spec\":{\"container\":{\"readinessProbe\":{\"exec\":{\"command\":[\"true\"]}}}}}";
    operation.container = &container;
    return operation;
}

static void fault_set(int kind)
{
    atomic_store(&streamed, NO_STREAM);
    atomic_store(&fault, kind);
}

/* A stream ends when the server sees the fault change. One that begins only after that would stay:
 * hence nobody goes on before the stream that belongs to the present fault has begun. */
static void check_recovery(void)
{
    fault_set(FAULT_NONE);
    CHECK(WAIT_FOR(seen.healthy && atomic_load(&streamed) == FAULT_NONE, SOON_MS));
    CHECK(seen.listed_count == 1 && seen.listed[0].exit_code == 7);
}

/* All kinds of operations at once. */
static void check_fatal(int kind)
{
    fault_set(kind);
    struct runtime_operation operations[] = {probe_operation(),
                                             start_operation(),
                                             operation_of(RUNTIME_STOP, "web"),
                                             operation_of(RUNTIME_REMOVE, "web"),
                                             operation_of(RUNTIME_PULL, "web"),
                                             operation_of(RUNTIME_LIST, "web")};
    enum { COUNT = sizeof operations / sizeof *operations };
    for (int i = 0; i < COUNT; i++) {
        operations[i].timeout_ms = 1500;
        operations[i].image = "i";
        TEXT_SET(operations[i].container_id, ID);
        runtime_submit(runtime, &operations[i]);
    }
    uint64_t begin_ms = now_ms();
    for (int i = 0; i < COUNT; i++) {
        const struct done *done = &seen.done[operations[i].id];
        bool whole = kind < FAULT_TOO_NEW && kind != FAULT_HTML; /* no answer is good */
        CHECK(WAIT_FOR(done->times == 1, SOON_MS));
        CHECK(!whole || done->result != RUNTIME_OK);
        CHECK(done->result != RUNTIME_UNHEALTHY); /* the engine's fault is not the container's */
        CHECK((done->result == RUNTIME_OK) == (done->message[0] == 0));
    }
    CHECK(now_ms() - begin_ms < 3 * 1500); /* all at once, not each after the other */
}

/* Once from the first answer on, once in the middle of a healthy life. */
static void check_fault(const char *endpoint, int kind)
{
    fprintf(stderr, "%s\n", names[kind]);
    check_fatal(kind);
    CHECK(WAIT_FOR(!seen.healthy, 40000));
    check_recovery();
    runtime_release(runtime);
    fault_set(kind);
    runtime = driver_new(endpoint, "n1");
    CHECK(WAIT_FOR(!seen.healthy, 12000));
    check_recovery();
}

static void check_stream_begins(int kind)
{
    fault_set(kind);
    CHECK(WAIT_FOR(atomic_load(&streamed) == kind, SOON_MS));
}

static void check_nuisances(void)
{
    check_stream_begins(FAULT_EVENTS_ENDLESS);
    CHECK(WAIT_FOR(strcmp(seen.message, "events: the answer has too long a body") == 0, SOON_MS));
    check_recovery();
    check_stream_begins(FAULT_EVENTS_GARBAGE); /* the driver bears it */
    unsigned lists = seen.lists, failures_before = seen.unhealthy_count;
    CHECK(WAIT_FOR(seen.lists > lists + 1 && seen.healthy, SOON_MS));
    CHECK(seen.unhealthy_count == failures_before);
    check_stream_begins(FAULT_INSPECT_ERROR); /* and this */
    CHECK(
        WAIT_FOR(seen.healthy && seen.listed_count == 1 && seen.listed[0].exit_code == 0, SOON_MS));
    CHECK(seen.listed[0].state == CONTAINER_EXITED);
    check_recovery();
}

static void check_pull(void)
{
    struct runtime_operation operation = operation_of(RUNTIME_PULL, "web");
    operation.image = "some/image:1";
    operation.pull = PULL_ALWAYS;
    unsigned progresses = seen.progresses;
    const struct done *done = finish(runtime, &operation);
    CHECK(done->result == RUNTIME_FAILED);
    CHECK(strcmp(done->message, "pull: filesystem layer verification failed") == 0);
    CHECK(seen.progresses - progresses >= 2 && seen.progresses - progresses <= 4);
    fprintf(stderr, "  %s\n", seen.progress);
    CHECK(strstr(seen.progress, "pulling layer 1 of 1, ") != NULL);
}

int main(int count, char **arguments)
{
    char path[108], endpoint[160];
    if (count != 2) {
        fprintf(stderr, "usage: %s DIR\n", arguments[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(path, sizeof path, "%s/lies.sock", arguments[1]);
    snprintf(endpoint, sizeof endpoint, "unix://%s", path);
    uv_loop_init(&loop);
    if (!server_start(path))
        return 77;
    runtime = driver_new(endpoint, "n1");
    check_recovery();
    for (int kind = FAULT_CLOSE; kind <= FAULT_LIST_GARBAGE; kind++)
        check_fault(endpoint, kind);
    check_nuisances();
    check_pull();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "%ld MB at most\n", usage.ru_maxrss / 1024);
    for (uint64_t id = 1; id < next_id; id++)
        CHECK(seen.done[id].times == 1);
    driver_release(runtime);
    uv_loop_close(&loop);
    unlink(path);
    return conclude();
}
