/* A container engine that runs nothing and answers at once, so that what a benchmark of real agents
 * shows is the agents' own time:
 *
 *     instant_engine SOCKET
 *
 * It knows of the Docker Engine API what agents ask: create, start, inspect, list, stop, kill,
 * wait, remove, pull; its stream of events stays silent, since nothing here ends by itself. Behind
 * it are no processes: it must never stand in for an engine in a test of behaviour. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { REQUEST_BYTES_MAX = 1 << 18, NAME_MAX_BYTES = 320, LIST_ENTRY_BYTES = 2048 };

struct client {
    int descriptor;
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

static void create(int descriptor, const char *name, const char *body)
{
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

/* path: ID/VERB, or ID alone. */
static void of_container(int descriptor, const char *method, const char *path)
{
    char *verb;
    size_t index = strtoul(path, &verb, 16);
    if (index >= container_count || containers[index].state == GONE) {
        answer(descriptor, 404, "{\"message\":\"no such container\"}");
        return;
    }
    enum state *state = &containers[index].state;
    if (strcmp(method, "DELETE") == 0)
        *state = GONE;
    else if (strncmp(verb, "/start", 6) == 0)
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

/* False: nothing whole is there. */
static bool take_next(struct client *client)
{
    client->request[client->bytes] = '\0';
    char *end = strstr(client->request, "\r\n\r\n");
    if (!end)
        return false;
    const char *length = strcasestr(client->request, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end + 4 - client->request) + body;
    if (client->bytes < whole)
        return false;
    char kept = client->request[whole];
    client->request[whole] = '\0';
    char *method = client->request, *path = strchr(method, ' ');
    if (path) {
        *path++ = '\0';
        take(client->descriptor, method, path, end + 4);
    }
    client->request[whole] = kept;
    memmove(client->request, client->request + whole, client->bytes - whole);
    client->bytes -= whole;
    return true;
}

static void client_read(struct client *client)
{
    ssize_t got = recv(client->descriptor, client->request + client->bytes,
                       REQUEST_BYTES_MAX - 1 - client->bytes, 0);
    if (got <= 0) {
        close(client->descriptor);
        free(client);
        return;
    }
    client->bytes += (size_t)got;
    while (take_next(client))
        ;
}

int main(int count, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: instant_engine SOCKET\n");
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
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) {
                client_read(events[i].data.ptr);
                continue;
            }
            struct client *client = calloc(1, sizeof *client);
            if (!client)
                abort();
            client->descriptor = accept(server, NULL, NULL);
            event.data.ptr = client;
            epoll_ctl(poll, EPOLL_CTL_ADD, client->descriptor, &event);
        }
    }
}
