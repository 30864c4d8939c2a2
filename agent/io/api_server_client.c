/* Who asks, and how much of the agent that one may have.
 *
 * A client is the peer of a connection: an address (of IPv6 its /64, which one host has whole), the
 * uid at the other end of a unix socket, or, of the socket in the containers, the control group;
 * a request of somebody who has said who that is is counted there, wherever it comes from. Clients
 * share three things, and a greedy one takes them from nobody but itself:
 *
 *   - Connections. A client may hold as many as are free: the greedy one stops at half of all, the
 *     next one at half of the rest, and there is always room for one more. What is beyond that is
 *     answered 429 and closed; of those only EXCESS_MAX are even listened to.
 *   - Memory of answers that are not read: ANSWER_BYTES_MAX, and the answers of the turn in which
 *     that was passed. More requests get 429; those that wait already go on when it has read.
 *   - Time of the loop. In one turn requests are run for TURN_US; the others wait in a queue of
 *     their client's, and the next to run is of the client that has had the least time (start-time
 *     fair queueing: `virtual_us` is the time it has had, and who comes back after a pause begins
 *     at the present of the others). Between two turns the agent gossips. A client whose queue
 *     would take longer than WAIT_US, by what its requests have taken so far, gets 429 and how
 *     long to stay away. Cheap requests never wait that long: they are not limited at all. Of those
 *     that a client has sent without waiting for answers MHD takes one in a turn.
 *
 * Nobody is limited for the sake of a rate: who is alone may have all. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/io/api_server_private.h"
#include "placement/hash.h"

enum {
    EXCESS_MAX = 32,
    ANSWER_BYTES_MAX = 64 * 1024 * 1024,
    TURN_US = 10000,
    WAIT_US = 2000000,
    REQUESTS_MAX = 256, /* that wait for the node, of PENDING_REQUESTS_MAX of all */
    CHILD_REQUESTS_MAX = 16,
    STREAMS_MAX = 1024,
    CHILD_STREAMS_MAX = 16,
};

enum client_kind { CLIENT_ADDRESS = 1, CLIENT_UID, CLIENT_CONTAINER, CLIENT_TOKEN, CLIENT_USER };

/* --- The table -------------------------------------------------------------------------------- */

static struct client *client_get(struct api_server *server, enum client_kind kind, struct span name)
{
    uint64_t key =
        placement_hash_pair((uint64_t)kind, placement_hash((const char *)name.data, name.bytes));
    struct client **bucket = &server->clients[key % CLIENT_BUCKETS];
    for (struct client *client = *bucket; client; client = client->next)
        if (client->key == key) {
            client->users++;
            return client;
        }
    struct client *client = xcalloc(1, sizeof *client);
    client->key = key;
    client->users = 1;
    client->next = *bucket;
    *bucket = client;
    return client;
}

static void client_put(struct api_server *server, struct client *client)
{
    if (--client->users > 0)
        return;
    struct client **at = &server->clients[client->key % CLIENT_BUCKETS];
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    assert(!client->first && client->streams == 0 && client->answer_bytes == 0);
    free(client);
}

/* All processes of a container are in its control group, and no other's are. Empty: not seen from
 * here, as in a container of the agent's own. */
static size_t read_cgroup(pid_t pid, char *ret_text, size_t bytes_max)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, ret_text, bytes_max);
    if (fd >= 0)
        close(fd);
    return got > 0 ? (size_t)got : 0;
}

static struct client *client_of_unix(const struct connection *connection)
{
    const struct ucred *peer = &connection->peer;
    bool container = connection->listener->kind == LISTENER_CHILDREN && peer->pid > 0;
    char text[512];
    size_t bytes = container ? read_cgroup(peer->pid, text, sizeof text) : 0;
    if (bytes > 0)
        return client_get(connection->server, CLIENT_CONTAINER, span_of(text, bytes));
    return client_get(connection->server, CLIENT_UID, span_of(&peer->uid, sizeof peer->uid));
}

static struct client *client_of_peer(const struct connection *connection)
{
    union socket_address peer = {0};
    socklen_t bytes = sizeof peer;
    if (connection->listener->kind != LISTENER_TCP)
        return client_of_unix(connection);
    getpeername(connection->fd, &peer.any, &bytes);
    return client_get(connection->server, CLIENT_ADDRESS,
                      peer.any.sa_family == AF_INET6 ? span_of(&peer.v6.sin6_addr, 8)
                                                     : span_of(&peer.v4.sin_addr, 4));
}

/* --- Connections ------------------------------------------------------------------------------ */

void client_connected(struct connection *connection)
{
    struct listener *listener = connection->listener;
    struct client *client = connection->client = client_of_peer(connection);
    connection->excess = client->connections + listener->connection_count >= API_CONNECTIONS_MAX;
    listener->connection_count++;
    client->connections++;
    client->excess += connection->excess;
    if (client->excess > EXCESS_MAX)
        shutdown(connection->fd, SHUT_RDWR);
}

void client_disconnected(struct connection *connection)
{
    struct client *client = connection->client;
    connection->listener->connection_count--;
    client->connections--;
    client->excess -= connection->excess;
    client_put(connection->server, client);
}

/* --- Requests --------------------------------------------------------------------------------- */

void client_begin(struct exchange *exchange)
{
    const struct api_request *request = &exchange->request;
    exchange->client = exchange->connection->client;
    if (request->child)
        exchange->client = client_get(exchange->server, CLIENT_TOKEN,
                                      span_of(request->token_hash, sizeof request->token_hash));
    else if (request->principal)
        exchange->client =
            client_get(exchange->server, CLIENT_USER, span_text(request->principal->name));
    else
        exchange->client->users++;
}

void client_end(struct exchange *exchange)
{
    struct client *client = exchange->client;
    if (!client)
        return;
    client->streams -= exchange->stream.begun;
    client->answer_bytes -= exchange->answer_bytes;
    client_put(exchange->server, client);
}

static uint64_t client_wait_us(const struct client *client)
{
    return client->queued * client->mean_us;
}

static bool client_must_read(const struct client *client)
{
    return client->answer_bytes > ANSWER_BYTES_MAX;
}

const char *client_refuses(const struct exchange *exchange, unsigned *ret_seconds)
{
    const struct client *client = exchange->client;
    *ret_seconds = 1;
    if (exchange->connection->excess)
        return "this client has as many connections as are free for others: close some";
    if (client_must_read(client))
        return "this client has not read the answers to its other requests";
    if (client_wait_us(client) > WAIT_US) {
        *ret_seconds = 1 + (unsigned)(client_wait_us(client) / 1000000);
        return "too many expensive requests of this client wait already";
    }
    return NULL;
}

bool client_may_wait(const struct exchange *exchange)
{
    return exchange->client->pending <
           (exchange->listener->kind == LISTENER_CHILDREN ? CHILD_REQUESTS_MAX : REQUESTS_MAX);
}

bool client_may_stream(const struct exchange *exchange)
{
    return exchange->client->streams <
           (exchange->listener->kind == LISTENER_CHILDREN ? CHILD_STREAMS_MAX : STREAMS_MAX);
}

/* --- Turns ------------------------------------------------------------------------------------ */

bool client_runs_now(const struct exchange *exchange)
{
    return !exchange->client->first && exchange->server->turn_us < TURN_US;
}

void client_enqueue(struct exchange *exchange)
{
    struct api_server *server = exchange->server;
    struct client *client = exchange->client;
    if (!client->first) {
        client->queue_next = server->waiting;
        server->waiting = client;
        if (client->virtual_us < server->virtual_us)
            client->virtual_us = server->virtual_us;
    }
    *(client->first ? &client->last->queue_next : &client->first) = exchange;
    client->last = exchange;
    client->queued++;
}

/* Where the next to be run stands in the list; NULL: nobody waits, or but for themselves. */
static struct client **client_next(struct api_server *server)
{
    struct client **least = NULL;
    for (struct client **at = &server->waiting; *at; at = &(*at)->queue_next)
        if ((!client_must_read(*at) || server->stopping) &&
            (!least || (*at)->virtual_us < (*least)->virtual_us))
            least = at;
    return least;
}

/* NULL: nobody is to be run. */
static struct exchange *client_dequeue(struct api_server *server)
{
    struct client **least = client_next(server);
    if (!least)
        return NULL;
    struct client *client = *least;
    struct exchange *exchange = client->first;
    if (client->virtual_us < server->virtual_us) /* it had to read first: that is no merit */
        client->virtual_us = server->virtual_us;
    server->virtual_us = client->virtual_us;
    client->first = exchange->queue_next;
    client->queued--;
    exchange->queue_next = NULL;
    if (!client->first)
        *least = client->queue_next;
    return exchange;
}

/* Who has not waited, while nobody did, has taken nothing from anybody: it starts from the present.
 */
void client_charge(struct exchange *exchange, uint64_t took_us)
{
    struct client *client = exchange->client;
    struct api_server *server = exchange->server;
    if (client->virtual_us < server->virtual_us || !server->waiting)
        client->virtual_us = server->virtual_us;
    client->virtual_us += took_us;
    client->mean_us = client->mean_us ? (7 * client->mean_us + took_us) / 8 : took_us;
    server->turn_us += took_us;
}

static void turn_timer_fired(uv_timer_t *timer)
{
    (void)timer; /* it only ends the wait: clients_turn looks at the end of this turn */
}

/* The first that waits is run even if the turn is over: new ones do not keep it waiting for ever.
 */
void clients_turn(struct api_server *server)
{
    bool first = true;
    struct exchange *exchange;
    while ((first || server->turn_us < TURN_US) && (exchange = client_dequeue(server))) {
        first = false;
        exchange_run_queued(exchange);
    }
    server->turn_us = 0;
    if (client_next(server))
        uv_timer_start(&server->turn_timer, turn_timer_fired, 0, 0);
}

void clients_abort(struct api_server *server)
{
    struct exchange *exchange;
    while ((exchange = client_dequeue(server)))
        exchange_abort(exchange, "the agent is stopping; nothing was done");
}
