#include "tests/bench/loopback.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

#define WALL_MS 1700000000000ull

/* --- Effects --------------------------------------------------------------------------------- */

static struct loopback_item *loopback_deliver(struct loopback *loopback, size_t to)
{
    struct loopback_node *self = &loopback->nodes[to];
    if (self->inbox_count == self->inbox_capacity) {
        self->inbox_capacity = self->inbox_capacity ? 2 * self->inbox_capacity : 64;
        self->inbox = xrealloc(self->inbox, self->inbox_capacity * sizeof *self->inbox);
    }
    struct loopback_item *item = &self->inbox[self->inbox_count++];
    *item = (struct loopback_item){.due_ms = loopback->now_ms};
    return item;
}

static void loopback_send(struct loopback *loopback, size_t from, const struct effect *effect)
{
    struct loopback_node *self = &loopback->nodes[from];
    const char *number = strrchr(effect->send.address, ':');
    size_t to = number ? (size_t)atoi(number + 1) - 1 : SIZE_MAX;
    if (loopback->first_sent_ms == 0)
        loopback->first_sent_ms = loopback->now_ms;
    self->sent_messages++;
    self->sent_bytes += effect->send.bytes.bytes;
    if (to >= loopback->count || self->mute || loopback->nodes[to].mute ||
        !loopback->nodes[to].node)
        return;
    struct loopback_item *item = loopback_deliver(loopback, to);
    item->due_ms += loopback->delay_ms;
    item->from = from;
    buffer_append(&item->message, effect->send.bytes.data, effect->send.bytes.bytes);
}

static void loopback_effect(struct loopback *loopback, size_t index, const struct effect *effect)
{
    struct loopback_node *self = &loopback->nodes[index];
    switch (effect->type) {
    case EFFECT_SEND:
        loopback_send(loopback, index, effect);
        break;
    case EFFECT_LOG:
        self->log_asked = effect->log.sequence;
        break;
    case EFFECT_REPLY:
        if (effect->reply->status == 200)
            self->replies_good++;
        else
            self->replies_bad++;
        break;
    case EFFECT_RUNTIME:
        loopback_deliver(loopback, index)->operation = *effect->runtime;
        if (effect->runtime->kind == RUNTIME_START) {
            self->starts++;
            self->busy_at_start_ns = self->busy_ns;
        }
        break;
    default:
        break;
    }
}

void loopback_step(struct loopback *loopback, size_t index, struct event *event)
{
    struct loopback_node *self = &loopback->nodes[index];
    struct effects effects = {0};
    event->now = (struct instant){loopback->now_ms, WALL_MS + loopback->now_ms};
    double begin = bench_cpu_ns();
    node_step(self->node, event, &effects);
    double took = bench_cpu_ns() - begin;
    self->busy_ns += took;
    self->steps++;
    if (took > self->longest_step_ns)
        self->longest_step_ns = took;
    for (size_t i = 0; i < effects.count; i++)
        loopback_effect(loopback, index, &effects.items[i]);
    effects_release(&effects);
}

/* --- The engine ------------------------------------------------------------------------------ */

static void loopback_list(struct loopback *loopback, size_t index)
{
    struct loopback_node *self = &loopback->nodes[index];
    struct event event = {.type = EVENT_RUNTIME_LIST,
                          .list = {self->containers, self->container_count}};
    loopback_step(loopback, index, &event);
}

static struct container *loopback_create(struct loopback_node *self,
                                         const struct runtime_operation *asked)
{
    if (self->container_count == self->container_capacity) {
        self->container_capacity = self->container_capacity ? 2 * self->container_capacity : 64;
        self->containers =
            xrealloc(self->containers, self->container_capacity * sizeof *self->containers);
    }
    struct container *made = &self->containers[self->container_count++];
    *made = (struct container){.child = asked->child,
                               .epoch = asked->epoch,
                               .replica = asked->replica,
                               .spec_hash = asked->spec_hash,
                               .state = CONTAINER_RUNNING,
                               .started_ms = WALL_MS};
    snprintf(made->id, sizeof made->id, "c%llu", (unsigned long long)asked->id);
    TEXT_SET(made->uid, asked->uid);
    TEXT_SET(made->node, self->name);
    TEXT_SET(made->supervisor, asked->supervisor);
    return made;
}

static void loopback_done(struct loopback *loopback, size_t index,
                          const struct runtime_operation *asked)
{
    struct loopback_node *self = &loopback->nodes[index];
    struct event event = {.type = EVENT_RUNTIME_DONE, .done = {.id = asked->id}};
    struct container told;
    if (asked->kind == RUNTIME_LIST)
        loopback_list(loopback, index);
    if (asked->kind == RUNTIME_START)
        event.done.container = loopback_create(self, asked);
    bool ends = asked->kind == RUNTIME_STOP || asked->kind == RUNTIME_REMOVE;
    for (size_t i = 0; ends && i < self->container_count; i++) {
        if (strcmp(self->containers[i].id, asked->container_id) != 0)
            continue;
        told = self->containers[i];
        told.state = asked->kind == RUNTIME_STOP ? CONTAINER_EXITED : CONTAINER_GONE;
        self->containers[i] = told;
        if (asked->kind == RUNTIME_REMOVE)
            self->containers[i] = self->containers[--self->container_count];
        event.done.container = &told;
        break;
    }
    loopback_step(loopback, index, &event);
}

/* --- Turns ----------------------------------------------------------------------------------- */

static void loopback_take(struct loopback *loopback, size_t index, struct loopback_item *item)
{
    if (item->message.bytes > 0) {
        struct event event = {.type = EVENT_MESSAGE,
                              .message = {.bytes = buffer_view(&item->message),
                                          .from = loopback->nodes[item->from].address}};
        loopback_step(loopback, index, &event);
        buffer_release(&item->message);
    } else {
        loopback_done(loopback, index, &item->operation);
    }
}

/* False: the node had nothing to do. */
static bool loopback_turn(struct loopback *loopback, size_t index)
{
    struct loopback_node *self = &loopback->nodes[index];
    if (!self->node)
        return false;
    bool busy = false;
    self->busy_before_turn_ns = self->busy_ns;
    size_t due = 0, count = self->inbox_count; /* what comes during the turn waits for the next */
    while (due < count && self->inbox[due].due_ms <= loopback->now_ms) {
        struct loopback_item item = self->inbox[due++];
        loopback_take(loopback, index, &item);
    }
    memmove(self->inbox, self->inbox + due, (self->inbox_count - due) * sizeof *self->inbox);
    self->inbox_count -= due;
    if (self->log_told < self->log_asked) {
        struct event synced = {.type = EVENT_LOG_SYNCED, .log_synced = {self->log_asked}};
        self->log_told = self->log_asked;
        loopback_step(loopback, index, &synced);
        busy = true;
    }
    if (node_deadline(self->node) <= loopback->now_ms) {
        struct event tick = {.type = EVENT_TICK};
        loopback_step(loopback, index, &tick);
        busy = true;
    }
    return busy || due > 0;
}

static uint64_t loopback_next_ms(const struct loopback *loopback)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < loopback->count; i++) {
        const struct loopback_node *self = &loopback->nodes[i];
        if (!self->node)
            continue;
        if (node_deadline(self->node) < next_ms)
            next_ms = node_deadline(self->node);
        if (self->inbox_count > 0 && self->inbox[0].due_ms < next_ms)
            next_ms = self->inbox[0].due_ms;
    }
    return next_ms > loopback->now_ms ? next_ms : loopback->now_ms;
}

bool loopback_until(struct loopback *loopback, bool (*condition)(struct loopback *loopback),
                    uint64_t timeout_ms)
{
    uint64_t end_ms = loopback->now_ms + timeout_ms;
    for (;;) {
        bool busy = false;
        for (size_t i = 0; i < loopback->count; i++) {
            if (!loopback_turn(loopback, i))
                continue;
            busy = true;
            if (condition && condition(loopback))
                return true;
        }
        if (busy)
            continue;
        uint64_t next_ms = loopback_next_ms(loopback);
        if (next_ms > end_ms) {
            loopback->now_ms = end_ms;
            return condition && condition(loopback);
        }
        loopback->now_ms = next_ms;
    }
}

void loopback_run(struct loopback *loopback, uint64_t duration_ms)
{
    loopback_until(loopback, NULL, duration_ms);
}

/* --- Life ------------------------------------------------------------------------------------ */

void loopback_init(struct loopback *loopback, size_t nodes)
{
    *loopback = (struct loopback){.now_ms = 1000, .count = nodes};
    loopback->nodes = xcalloc(nodes, sizeof *loopback->nodes);
    for (size_t i = 0; i < nodes; i++) {
        snprintf(loopback->nodes[i].name, sizeof loopback->nodes[i].name, "n%zu", i);
        snprintf(loopback->nodes[i].address, sizeof loopback->nodes[i].address, "127.0.0.1:%zu",
                 i + 1);
    }
}

void loopback_kill(struct loopback *loopback, size_t index)
{
    struct loopback_node *self = &loopback->nodes[index];
    node_free(self->node);
    self->node = NULL;
    for (size_t i = 0; i < self->inbox_count; i++)
        buffer_release(&self->inbox[i].message);
    self->inbox_count = 0;
}

void loopback_release(struct loopback *loopback)
{
    for (size_t i = 0; i < loopback->count; i++) {
        loopback_kill(loopback, i);
        free(loopback->nodes[i].inbox);
        free(loopback->nodes[i].containers);
    }
    free(loopback->nodes);
}

static void restore_item(struct node *node, char type, const struct buffer *item)
{
    struct buffer record = {0};
    buffer_u8(&record, (uint8_t)type);
    buffer_span(&record, buffer_view(item));
    if (!node_restore(node, buffer_view(&record)))
        abort();
    buffer_release(&record);
}

static void restore(struct node *node, const struct awmap *disk)
{
    struct buffer item = {0};
    for (const struct awmap_entry *e = awmap_next_any(disk, NULL); e; e = awmap_next_any(disk, e)) {
        buffer_clear(&item);
        awmap_entry_record(e, &item);
        restore_item(node, 'E', &item);
    }
    buffer_clear(&item);
    awmap_vectors_record(disk, &item);
    restore_item(node, 'V', &item);
    buffer_release(&item);
}

void loopback_start(struct loopback *loopback, size_t index, const struct awmap *disk)
{
    struct loopback_node *self = &loopback->nodes[index];
    const char *seed = loopback->nodes[0].address;
    struct node_config config = {.cluster = "bench",
                                 .node_name = self->name,
                                 .gossip_address = self->address,
                                 .api_address = self->address,
                                 .advertise_host = "127.0.0.1",
                                 .version = "bench",
                                 .seeds = &seed,
                                 .seed_count = index > 0,
                                 .start_grace_ms = 30000,
                                 .drain_timeout_ms = 25000,
                                 .engine_grace_ms = 60000,
                                 .forget_after_ms = 86400000,
                                 .random_seed = 4711 + index,
                                 .fresh_replica = 100 + index};
    self->node = node_new(&config);
    self->log_asked = self->log_told = 0;
    if (disk)
        restore(self->node, disk);
    struct event start = {.type = EVENT_START};
    struct event room = {.type = EVENT_DISK_STATE, .disk = {.room_bytes = UINT64_C(1) << 40}};
    struct event engine = {.type = EVENT_RUNTIME_STATE,
                           .runtime = {.healthy = true, .name = "bench", .version = "1"}};
    struct event look = {.type = EVENT_LOOK};
    loopback_step(loopback, index, &start);
    loopback_step(loopback, index, &look);
    loopback_step(loopback, index, &room);
    loopback_list(loopback, index);
    loopback_step(loopback, index, &engine);
}

bool loopback_sees(struct loopback *loopback, size_t index, size_t other, const char *phase)
{
    struct member_view view;
    const struct node *node = loopback->nodes[index].node;
    return query_member(node, loopback->nodes[other].name, &view) && strcmp(view.phase, phase) == 0;
}

void loopback_start_all(struct loopback *loopback)
{
    for (size_t i = 0; i < loopback->count; i++)
        loopback_start(loopback, i, NULL);
    loopback_run(loopback, 5000);
    for (size_t i = 0; i < loopback->count; i++)
        if (!loopback_sees(loopback, i, loopback->count - 1 - i, "alive"))
            printf("! %s does not see all the others\n", loopback->nodes[i].name);
}

void loopback_reset(struct loopback *loopback)
{
    loopback->first_sent_ms = 0;
    for (size_t i = 0; i < loopback->count; i++) {
        struct loopback_node *self = &loopback->nodes[i];
        self->busy_ns = self->longest_step_ns = self->busy_at_start_ns = 0;
        self->steps = self->starts = self->sent_messages = self->sent_bytes = 0;
        self->replies_good = self->replies_bad = 0;
    }
}

/* --- Requests -------------------------------------------------------------------------------- */

void loopback_request(struct loopback *loopback, size_t index, struct request *request)
{
    request->id = ++loopback->last_request;
    struct event event = {.type = EVENT_REQUEST, .request = request};
    loopback_step(loopback, index, &event);
}

void loopback_workload(struct workload *workload, const char *name, uint32_t replicas)
{
    static char image[] = "busybox:1.36";
    static char document[] =
        "{\"apiVersion\":\"hordelet.dev/"
        "v1\",\"kind\":\"Workload\",\"metadata\":{\"name\":\"bench\","
        "\"namespace\":\"default\"},\"spec\":{\"replicas\":1,\"template\":{\"image\":"
        "\"busybox:1.36\",\"command\":[\"sleep\",\"1000\"]}}}";
    *workload = (struct workload){.generation = 1,
                                  .replicas = replicas,
                                  .shutdown_ms = 5000,
                                  .max_unavailable = 1,
                                  .ttl_seconds_after_finished = -1,
                                  .image = image,
                                  .spec_hash = 1,
                                  .document = document,
                                  .document_bytes = sizeof document - 1};
    TEXT_SET(workload->ns, "default");
    TEXT_SET(workload->name, name);
    TEXT_SET(workload->uid, "01234567-89ab-cdef-0123-456789abcdef");
    TEXT_SET(workload->supervisor, SUPERVISOR_DEFAULT);
}

void loopback_put(struct loopback *loopback, size_t index, const char *name, uint32_t replicas)
{
    struct workload workload;
    loopback_workload(&workload, name, replicas);
    struct request request = {.kind = REQUEST_PUT_WORKLOAD, .workload = &workload};
    loopback_request(loopback, index, &request);
}

size_t loopback_running(const struct loopback *loopback)
{
    size_t running = 0;
    for (size_t i = 0; i < loopback->count; i++)
        for (size_t j = 0; loopback->nodes[i].node && j < loopback->nodes[i].container_count; j++)
            running += loopback->nodes[i].containers[j].state == CONTAINER_RUNNING;
    return running;
}
