/* A container engine that runs nothing and answers at once, so that what a benchmark of real agents
 * shows is the agents' own time:
 *
 *     instant_engine SOCKET [slow=MS] [fail=PERCENT] [drop=PERCENT] [seed=N]
 *
 * It knows of the Docker Engine API what agents ask: create, start, inspect, list, stop, kill,
 * wait, remove, pull; its stream of events stays silent, since nothing here ends by itself. Behind
 * it are no processes: of how containers behave it shows nothing.
 *
 * With faults it is an engine in trouble, for tests of many agents: each answer is held back up to
 * slow milliseconds, that many of 100 creates and starts fail, and that many of 100 requests end
 * with a broken connection, half of them after they were carried out. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { REQUEST_BYTES_MAX = 1 << 18, NAME_MAX_BYTES = 320, LIST_ENTRY_BYTES = 2048 };

struct client {
    int descriptor;
    uint64_t due_ms;              /* of the answer to the request that is here; 0: none is */
    struct client *before, *next; /* all of them */
    size_t bytes;
    char request[REQUEST_BYTES_MAX];
};

enum state { GONE, CREATED, RUNNING, EXITED };
static const char *const state_names[] = {"removed", "created", "running", "exited"};

struct container {
    enum state state;
    char name[NAME_MAX_BYTES];
    char labels[1024]; /* the JSON object, as it came */
};

static struct container *containers; /* one's id is its index, as 12 hexadecimal digits */
static size_t container_count, container_capacity;

static struct client *clients;

/* --- Faults ---------------------------------------------------------------------------------- */

static struct {
    uint64_t slow, fail, drop, seed;
} faults = {.seed = 1};

static uint64_t random_below(uint64_t bound)
{
    faults.seed = faults.seed * 6364136223846793005u + 1442695040888963407u;
    return (faults.seed >> 33) % bound;
}

static bool strikes(uint64_t percent)
{
    return percent > 0 && random_below(100) < percent;
}

static uint64_t now_ms(void)
{
    return (uint64_t)(bench_now_ns() / 1e6);
}

static bool faults_read(int count, char **options)
{
    for (int i = 0; i < count; i++) {
        const char *value = strchr(options[i], '=');
        uint64_t number = value ? strtoul(value + 1, NULL, 10) : 0;
        if (strncmp(options[i], "slow=", 5) == 0)
            faults.slow = number;
        else if (strncmp(options[i], "fail=", 5) == 0)
            faults.fail = number;
        else if (strncmp(options[i], "drop=", 5) == 0)
            faults.drop = number;
        else if (strncmp(options[i], "seed=", 5) == 0)
            faults.seed = number;
        else
            return false;
    }
    return true;
}

/* --- Answers --------------------------------------------------------------------------------- */

static void send_all(int descriptor, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(descriptor, data, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return; /* the reader sees the end of it */
        data += sent > 0 ? sent : 0;
        bytes -= sent > 0 ? (size_t)sent : 0;
    }
}

static void answer(int descriptor, int status, const char *body)
{
    static char text[4096];
    int bytes = snprintf(text, sizeof text,
                         "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         status, status == 204 ? 0 : strlen(body));
    if (status == 204)
        body = "";
    if ((size_t)bytes + strlen(body) < sizeof text) { /* one segment if it fits */
        memcpy(text + bytes, body, strlen(body) + 1);
        send_all(descriptor, text, (size_t)bytes + strlen(body));
        return;
    }
    send_all(descriptor, text, (size_t)bytes);
    send_all(descriptor, body, strlen(body));
}

static void answer_list(int descriptor)
{
    char *body = malloc(container_count * LIST_ENTRY_BYTES + 3);
    size_t bytes = 0;
    if (!body)
        abort();
    body[bytes++] = '[';
    for (size_t i = 0; i < container_count; i++)
        if (containers[i].state != GONE)
            bytes += (size_t)snprintf(body + bytes, LIST_ENTRY_BYTES,
                                      "%s{\"Id\":\"%012zx\",\"Names\":[\"/%s\"],\"State\":\"%s\","
                                      "\"Labels\":%s}",
                                      bytes > 1 ? "," : "", i, containers[i].name,
                                      state_names[containers[i].state], containers[i].labels);
    memcpy(body + bytes, "]", 2);
    answer(descriptor, 200, body);
    free(body);
}

static void answer_inspection(int descriptor, size_t index)
{
    static char body[LIST_ENTRY_BYTES];
    const struct container *at = &containers[index];
    snprintf(body, sizeof body,
             "{\"Id\":\"%012zx\",\"Name\":\"/%s\",\"State\":{\"Status\":\"%s\",\"Running\":%s,"
             "\"ExitCode\":0,\"StartedAt\":\"2026-01-01T00:00:00Z\"},\"Config\":{\"Labels\":%s},"
             "\"HostConfig\":{\"NetworkMode\":\"host\"}}",
             index, at->name, state_names[at->state], at->state == RUNNING ? "true" : "false",
             at->labels);
    answer(descriptor, 200, body);
}

/* --- Requests -------------------------------------------------------------------------------- */

/* Copies the flat object that follows "Labels". */
static void copy_labels(char *ret_labels, size_t room, const char *body)
{
    const char *begin = strstr(body, "\"Labels\":{"), *end = begin ? strchr(begin, '}') : NULL;
    size_t bytes = end ? (size_t)(end + 1 - (begin + 9)) : 0;
    if (!end || bytes >= room) {
        snprintf(ret_labels, room, "{}");
        return;
    }
    memcpy(ret_labels, begin + 9, bytes);
    ret_labels[bytes] = '\0';
}

/* Of the container that has this name. */
static size_t find(const char *name, size_t bytes)
{
    for (size_t i = 0; i < container_count; i++)
        if (containers[i].state != GONE && strncmp(containers[i].name, name, bytes) == 0 &&
            containers[i].name[bytes] == '\0')
            return i;
    return container_count;
}

static void create(int descriptor, const char *name, const char *body)
{
    /* Only an agent that has not heard the answer creates twice. */
    if (faults.drop > 0 && find(name, strcspn(name, " &")) < container_count) {
        answer(descriptor, 409, "{\"message\":\"the name is in use\"}");
        return;
    }
    if (strikes(faults.fail)) {
        answer(descriptor, 500, "{\"message\":\"out of luck\"}");
        return;
    }
    if (container_count == container_capacity) {
        container_capacity = container_capacity ? 2 * container_capacity : 1024;
        containers = realloc(containers, container_capacity * sizeof *containers);
        if (!containers)
            abort();
    }
    struct container *made = &containers[container_count];
    made->state = CREATED;
    snprintf(made->name, sizeof made->name, "%.*s", (int)strcspn(name, " &"), name);
    copy_labels(made->labels, sizeof made->labels, body);
    char text[64];
    snprintf(text, sizeof text, "{\"Id\":\"%012zx\",\"Warnings\":[]}", container_count++);
    answer(descriptor, 201, text);
}

/* path: ID/VERB, or ID alone; also a name for the ID. */
static void of_container(int descriptor, const char *method, const char *path)
{
    const char *verb = path + strcspn(path, "/? ");
    char *end;
    size_t index = strtoul(path, &end, 16);
    if (end != verb)
        index = find(path, (size_t)(verb - path));
    if (index >= container_count || containers[index].state == GONE) {
        answer(descriptor, 404, "{\"message\":\"no such container\"}");
        return;
    }
    enum state *state = &containers[index].state;
    if (strcmp(method, "DELETE") == 0)
        *state = GONE;
    else if (strncmp(verb, "/start", 6) == 0 && strikes(faults.fail)) {
        answer(descriptor, 500, "{\"message\":\"out of luck\"}");
        return;
    } else if (strncmp(verb, "/start", 6) == 0)
        *state = RUNNING;
    else if (strncmp(verb, "/stop", 5) == 0 || strncmp(verb, "/kill", 5) == 0)
        *state = EXITED;
    else if (strncmp(verb, "/json", 5) == 0) {
        answer_inspection(descriptor, index);
        return;
    } else if (strncmp(verb, "/wait", 5) == 0) {
        answer(descriptor, 200, "{\"StatusCode\":0}");
        return;
    }
    answer(descriptor, 204, "");
}

static void take(int descriptor, const char *method, const char *path, const char *body)
{
    static const char version[] =
        "{\"Version\":\"1\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":"
        "\"1.12\",\"Components\":[{\"Name\":\"Instant\"}]}";
    static const char stream[] = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";
    if (strncmp(path, "/v1.", 4) == 0)
        path = strchr(path + 1, '/') ? strchr(path + 1, '/') : path;
    if (strncmp(path, "/version", 8) == 0)
        answer(descriptor, 200, version);
    else if (strncmp(path, "/events", 7) == 0)
        send_all(descriptor, stream, sizeof stream - 1);
    else if (strncmp(path, "/containers/json", 16) == 0)
        answer_list(descriptor);
    else if (strncmp(path, "/containers/create?name=", 24) == 0)
        create(descriptor, path + 24, body);
    else if (strncmp(path, "/containers/", 12) == 0)
        of_container(descriptor, method, path + 12);
    else
        answer(descriptor, 200, "{}"); /* ping, images */
}

static void take_or_drop(struct client *client, const char *method, const char *path,
                         const char *body)
{
    bool dropped = strikes(faults.drop);
    if (!dropped || strikes(50))
        take(dropped ? -1 : client->descriptor, method, path, body);
    if (dropped)
        shutdown(client->descriptor, SHUT_RDWR);
}

/* Bytes of the request that is here as a whole, or 0. */
static size_t whole_request(struct client *client, char **ret_end)
{
    client->request[client->bytes] = '\0';
    char *end = strstr(client->request, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(client->request, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end + 4 - client->request) + body;
    *ret_end = end;
    return client->bytes < whole ? 0 : whole;
}

/* False: nothing whole is there, or it has to wait. */
static bool take_next(struct client *client)
{
    char *end;
    size_t whole = whole_request(client, &end);
    if (whole == 0)
        return false;
    if (faults.slow > 0 && client->due_ms == 0)
        client->due_ms = now_ms() + 1 + random_below(faults.slow);
    if (client->due_ms > now_ms())
        return false;
    client->due_ms = 0;
    char kept = client->request[whole];
    client->request[whole] = '\0';
    char *method = client->request, *path = strchr(method, ' ');
    if (path) {
        *path++ = '\0';
        take_or_drop(client, method, path, end + 4);
    }
    client->request[whole] = kept;
    memmove(client->request, client->request + whole, client->bytes - whole);
    client->bytes -= whole;
    return true;
}

static void client_take(int server, int poll)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->descriptor = accept(server, NULL, NULL);
    client->next = clients;
    if (clients)
        clients->before = client;
    clients = client;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(poll, EPOLL_CTL_ADD, client->descriptor, &event);
}

static void client_close(struct client *client)
{
    *(client->before ? &client->before->next : &clients) = client->next;
    if (client->next)
        client->next->before = client->before;
    close(client->descriptor);
    free(client);
}

/* Answers what is due. Milliseconds until the next, or -1. */
static int clients_wake(void)
{
    uint64_t next = UINT64_MAX, now = now_ms();
    for (struct client *client = clients; client; client = client->next) {
        while (client->due_ms && client->due_ms <= now && take_next(client))
            ;
        if (client->due_ms && client->due_ms < next)
            next = client->due_ms;
    }
    return next == UINT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

static void client_read(struct client *client)
{
    ssize_t got = recv(client->descriptor, client->request + client->bytes,
                       REQUEST_BYTES_MAX - 1 - client->bytes, 0);
    if (got <= 0) {
        client_close(client);
        return;
    }
    client->bytes += (size_t)got;
    while (take_next(client))
        ;
}

int main(int count, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count < 2 || strlen(arguments[1]) >= sizeof address.sun_path ||
        !faults_read(count - 2, arguments + 2)) {
        fprintf(stderr,
                "usage: instant_engine SOCKET [slow=MS] [fail=PERCENT] [drop=PERCENT] "
                "[seed=N]\n");
        return 2;
    }
    memcpy(address.sun_path, arguments[1], strlen(arguments[1]));
    int server = socket(AF_UNIX, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64) ||
        epoll_ctl(poll, EPOLL_CTL_ADD, server, &event)) {
        perror("instant_engine");
        return 1;
    }
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, faults.slow ? clients_wake() : -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                client_read(events[i].data.ptr);
            else
                client_take(server, poll);
        }
    }
}
