/* The simulated world. Effects become queue entries with completion times; entries become events.
 */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sim_kind { SIM_DELIVER, SIM_LOG_SYNCED, SIM_RUNTIME, SIM_BROKEN };

struct sim_event {
    uint64_t at_ms, sequence;
    enum sim_kind kind;
    size_t node; /* who gets it */
    size_t from;
    uint64_t run; /* of the receiver at the time of asking; 0: any */
    struct buffer bytes;
    uint64_t log_sequence;
    struct runtime_operation operation;
    char image[IMAGE_BYTES_MAX + 1];
};

static void sim_step(struct sim *sim, size_t index, struct event *event);

/* --- The queue
 * --------------------------------------------------------------------------------------------- */

static bool sim_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void sim_swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

static void sim_push(struct sim *sim, struct sim_event event)
{
    if (sim->queue_count == sim->queue_capacity) {
        sim->queue_capacity = sim->queue_capacity ? 2 * sim->queue_capacity : 256;
        sim->queue = xrealloc(sim->queue, sim->queue_capacity * sizeof *sim->queue);
    }
    event.sequence = ++sim->sequence;
    size_t at = sim->queue_count++;
    sim->queue[at] = event;
    while (at > 0 && sim_before(&sim->queue[at], &sim->queue[(at - 1) / 2])) {
        sim_swap(&sim->queue[at], &sim->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct sim_event sim_pop(struct sim *sim)
{
    struct sim_event first = sim->queue[0];
    sim->queue[0] = sim->queue[--sim->queue_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < sim->queue_count && sim_before(&sim->queue[child], &sim->queue[least]))
                least = child;
        if (least == at)
            return first;
        sim_swap(&sim->queue[at], &sim->queue[least]);
        at = least;
    }
}

/* --- Effects
 * -----------------------------------------------------------------------------------------------
 */

static size_t sim_find(const struct sim *sim, const char *address)
{
    for (size_t i = 0; i < sim->count; i++)
        if (strcmp(sim->nodes[i].address, address) == 0)
            return i;
    return SIZE_MAX;
}

static void sim_send(struct sim *sim, size_t from, const struct effect *effect)
{
    size_t to = sim_find(sim, effect->send.address);
    sim->nodes[from].sent_messages++;
    sim->nodes[from].sent_bytes += effect->send.bytes.bytes;
    if (to == SIZE_MAX || sim->cut[from][to] || random_below(&sim->random, 100) < sim->loss_percent)
        return;
    size_t copies = random_below(&sim->random, 100) < sim->duplicate_percent ? 2 : 1;
    for (size_t i = 0; i < copies; i++) {
        struct sim_event event = {.kind = SIM_DELIVER, .node = to, .from = from};
        event.at_ms = sim->now_ms + sim->delay_ms_min +
                      random_below(&sim->random, sim->delay_ms_max - sim->delay_ms_min + 1);
        buffer_append(&event.bytes, effect->send.bytes.data, effect->send.bytes.bytes);
        sim_push(sim, event);
    }
}

static void sim_log(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    if (self->disk_count == self->disk_capacity) {
        self->disk_capacity = self->disk_capacity ? 2 * self->disk_capacity : 64;
        self->disk = xrealloc(self->disk, self->disk_capacity * sizeof *self->disk);
    }
    struct sim_record *record = &self->disk[self->disk_count++];
    *record = (struct sim_record){.sequence = effect->log.sequence};
    buffer_append(&record->bytes, effect->log.record.data, effect->log.record.bytes);
    sim_push(sim, (struct sim_event){.kind = SIM_LOG_SYNCED,
                                     .node = index,
                                     .run = self->run,
                                     .at_ms = sim->now_ms + random_below(&sim->random, 5),
                                     .log_sequence = effect->log.sequence});
}

static void sim_snapshot(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    for (size_t i = 0; i < self->disk_count; i++)
        buffer_release(&self->disk[i].bytes);
    self->disk_count = 0;
    struct reader reader = reader_of(effect->snapshot.records);
    while (reader_left(&reader) > 0) {
        struct span record = reader_span(&reader, effect->snapshot.records.bytes);
        struct effect item = {.log = {.sequence = effect->snapshot.sequence, .record = record}};
        sim_log(sim, index, &item);
        self->disk[self->disk_count - 1].synced = true;
    }
}

static void sim_runtime(struct sim *sim, size_t index, const struct runtime_operation *operation)
{
    uint64_t wait_ms = operation->kind == RUNTIME_START  ? sim->start_ms
                       : operation->kind == RUNTIME_STOP ? sim->stop_ms
                       : operation->kind == RUNTIME_PULL ? sim->pull_ms
                                                         : 1;
    struct sim_event event = {
        .kind = SIM_RUNTIME, .node = index, .run = sim->nodes[index].run, .operation = *operation};
    event.at_ms = sim->now_ms + wait_ms + random_below(&sim->random, 10);
    if (operation->image)
        TEXT_SET(event.image, operation->image);
    event.operation.image = event.operation.document = NULL;
    sim_push(sim, event);
}

static void sim_effect(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_node *self = &sim->nodes[index];
    switch (effect->type) {
    case EFFECT_SEND:
        sim_send(sim, index, effect);
        break;
    case EFFECT_LOG:
        sim_log(sim, index, effect);
        break;
    case EFFECT_SNAPSHOT:
        sim_snapshot(sim, index, effect);
        break;
    case EFFECT_REPLY:
        if (sim->reply_count == sim->reply_capacity) {
            sim->reply_capacity = sim->reply_capacity ? 2 * sim->reply_capacity : 64;
            sim->replies = xrealloc(sim->replies, sim->reply_capacity * sizeof *sim->replies);
        }
        sim->replies[sim->reply_count++] = *effect->reply;
        break;
    case EFFECT_RUNTIME:
        sim_runtime(sim, index, effect->runtime);
        break;
    case EFFECT_TRACE:
        if (sim->verbose)
            printf("[%6llu] %s > %s\n", (unsigned long long)sim->now_ms, self->name, effect->trace);
        break;
    case EFFECT_EXIT:
        self->exit_status = effect->exit_status;
        break;
    case EFFECT_RECONNECT:
    case EFFECT_DISCONNECT:
        break;
    }
}

static void sim_step(struct sim *sim, size_t index, struct event *event)
{
    struct sim_node *self = &sim->nodes[index];
    if (!self->node)
        return;
    event->now.mono_ms = sim->now_ms;
    event->now.wall_ms = 1700000000000ull + sim->now_ms + self->wall_offset_ms;
    struct effects effects = {0};
    node_step(self->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++)
        sim_effect(sim, index, &effects.items[i]);
    effects_release(&effects);
    if (self->exit_status >= 0)
        sim_kill(sim, index);
}

/* --- The engine
 * -------------------------------------------------------------------------------------------- */

static struct sim_container *sim_container(struct sim *sim, size_t engine, const char *id)
{
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].engine == engine && strcmp(sim->containers[i].container.id, id) == 0)
            return &sim->containers[i];
    return NULL;
}

static void sim_tell(struct sim *sim, size_t index, const struct container *container)
{
    struct event event = {.type = EVENT_RUNTIME_CONTAINER, .container = container};
    sim_step(sim, index, &event);
}

static struct sim_container *sim_create(struct sim *sim, const struct sim_event *asked)
{
    const struct runtime_operation *operation = &asked->operation;
    for (size_t i = 0; i < sim->container_count;
         i++) { /* an ended one of the same name makes room */
        struct container *old = &sim->containers[i].container;
        if (sim->containers[i].engine == asked->node &&
            child_id_compare(&old->child, &operation->child) == 0 &&
            old->epoch == operation->epoch && old->state != CONTAINER_GONE) {
            if (old->state == CONTAINER_RUNNING)
                return &sim->containers[i];
            old->state = CONTAINER_GONE;
        }
    }
    if (sim->container_count == sim->container_capacity) {
        sim->container_capacity = sim->container_capacity ? 2 * sim->container_capacity : 64;
        sim->containers =
            xrealloc(sim->containers, sim->container_capacity * sizeof *sim->containers);
    }
    struct sim_container *made = &sim->containers[sim->container_count++];
    *made = (struct sim_container){.engine = asked->node};
    struct container *container = &made->container;
    snprintf(container->id, sizeof container->id, "c%llu",
             (unsigned long long)++sim->last_container);
    container->child = operation->child;
    TEXT_SET(container->uid, operation->uid);
    TEXT_SET(container->node, sim->nodes[asked->node].name);
    container->replica = operation->replica;
    container->epoch = operation->epoch;
    container->spec_hash = operation->spec_hash;
    TEXT_SET(container->supervisor, operation->supervisor);
    container->state = CONTAINER_RUNNING;
    container->started_ms = 1700000000000ull + sim->now_ms;
    container->port_count = 1;
    container->ports[0] = (struct container_port){
        .container_port = 80, .host_port = (uint16_t)(30000 + sim->last_container)};
    return made;
}

static void sim_list(struct sim *sim, size_t index)
{
    struct container *list = xcalloc(sim->container_count + 1, sizeof *list);
    struct event event = {.type = EVENT_RUNTIME_LIST, .list = {.containers = list}};
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].engine == index &&
            sim->containers[i].container.state != CONTAINER_GONE)
            list[event.list.count++] = sim->containers[i].container;
    sim_step(sim, index, &event);
    free(list);
}

static void sim_end_container(struct sim *sim, struct sim_container *at, int exit_code)
{
    at->container.state = CONTAINER_EXITED;
    at->container.exit_code = exit_code;
    at->container.finished_ms = 1700000000000ull + sim->now_ms;
}

static void sim_runtime_due(struct sim *sim, struct sim_event *asked)
{
    struct sim_node *self = &sim->nodes[asked->node];
    struct event event = {.type = EVENT_RUNTIME_DONE,
                          .done = {.id = asked->operation.id, .result = RUNTIME_OK}};
    struct sim_container *at = sim_container(sim, asked->node, asked->operation.container_id);
    struct container shown;
    if (self->engine_dead) {
        event.done.result = RUNTIME_FAILED;
        event.done.message = "the engine does not answer";
    } else if (asked->operation.kind == RUNTIME_START) {
        at = sim_create(sim, asked);
    } else if (asked->operation.kind == RUNTIME_STOP && at &&
               at->container.state == CONTAINER_RUNNING) {
        sim_end_container(sim, at, 137);
    } else if (asked->operation.kind == RUNTIME_REMOVE && at) {
        at->container.state = CONTAINER_GONE;
    } else if (asked->operation.kind == RUNTIME_PULL && sim->bad_image &&
               strcmp(asked->image, sim->bad_image) == 0) {
        event.done.result = RUNTIME_IMAGE_MISSING;
        event.done.message = "no such image";
    } else if (asked->operation.kind == RUNTIME_LIST && self->run == asked->run) {
        sim_list(sim, asked->node);
    }
    if (!self->node || self->run != asked->run)
        return;
    if (at) {
        shown = at->container;
        event.done.container = &shown;
    }
    sim_step(sim, asked->node, &event);
}

/* --- Running
 * -----------------------------------------------------------------------------------------------
 */

static void sim_due(struct sim *sim, struct sim_event *due)
{
    struct sim_node *self = &sim->nodes[due->node];
    struct event event = {0};
    switch (due->kind) {
    case SIM_DELIVER:
        event.type = EVENT_MESSAGE;
        event.message.bytes = buffer_view(&due->bytes);
        event.message.from = sim->nodes[due->from].address;
        if (!sim->cut[due->from][due->node])
            sim_step(sim, due->node, &event);
        break;
    case SIM_LOG_SYNCED:
        for (size_t i = 0; i < self->disk_count && self->run == due->run; i++)
            self->disk[i].synced |= self->disk[i].sequence <= due->log_sequence;
        event.type = EVENT_LOG_SYNCED;
        event.log_synced.sequence = due->log_sequence;
        if (self->run == due->run)
            sim_step(sim, due->node, &event);
        break;
    case SIM_RUNTIME:
        sim_runtime_due(sim, due);
        break;
    case SIM_BROKEN:
        event.type = EVENT_PEER_BROKEN;
        event.peer.address = sim->nodes[due->from].address;
        sim_step(sim, due->node, &event);
        break;
    }
    buffer_release(&due->bytes);
}

/* The next moment at which something happens, and to whom a tick is due then (SIZE_MAX: the queue's
 * first entry). */
static uint64_t sim_next(const struct sim *sim, size_t *ret_node)
{
    uint64_t next_ms = sim->queue_count > 0 ? sim->queue[0].at_ms : UINT64_MAX;
    *ret_node = SIZE_MAX;
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i].node || sim->nodes[i].frozen)
            continue;
        uint64_t deadline_ms = node_deadline(sim->nodes[i].node);
        if (deadline_ms < sim->now_ms)
            deadline_ms = sim->now_ms;
        if (deadline_ms < next_ms) {
            next_ms = deadline_ms;
            *ret_node = i;
        }
    }
    return next_ms;
}

static void sim_run_until(struct sim *sim, uint64_t end_ms)
{
    for (;;) {
        size_t index;
        uint64_t next_ms = sim_next(sim, &index);
        if (next_ms > end_ms)
            break;
        if (next_ms > sim->now_ms)
            sim->now_ms = next_ms;
        if (index != SIZE_MAX) {
            struct event tick = {.type = EVENT_TICK};
            sim_step(sim, index, &tick);
            continue;
        }
        struct sim_event due = sim_pop(sim);
        if (sim->nodes[due.node].frozen && due.kind != SIM_RUNTIME) {
            due.at_ms = sim->now_ms + 10; /* it reads its mail when it thaws */
            sim_push(sim, due);
            continue;
        }
        sim_due(sim, &due);
    }
    sim->now_ms = end_ms;
}

void sim_run(struct sim *sim, uint64_t duration_ms)
{
    sim_run_until(sim, sim->now_ms + duration_ms);
}

bool sim_until(struct sim *sim, bool (*condition)(struct sim *sim), uint64_t timeout_ms)
{
    uint64_t end_ms = sim->now_ms + timeout_ms;
    while (!condition(sim)) {
        if (sim->now_ms >= end_ms)
            return false;
        sim_run(sim, 10);
    }
    return true;
}

/* --- Control
 * -----------------------------------------------------------------------------------------------
 */

void sim_init(struct sim *sim, uint64_t seed, size_t nodes)
{
    assert(nodes <= SIM_NODES_MAX);
    *sim = (struct sim){.now_ms = 1000,
                        .random = random_of(seed),
                        .count = nodes,
                        .delay_ms_max = 2,
                        .start_ms = 200,
                        .stop_ms = 50,
                        .pull_ms = 20};
    sim->verbose = getenv("SIM_VERBOSE") != NULL;
    for (size_t i = 0; i < nodes; i++) {
        snprintf(sim->nodes[i].name, sizeof sim->nodes[i].name, "n%zu", i);
        snprintf(sim->nodes[i].address, sizeof sim->nodes[i].address, "10.0.0.%zu:7370", i);
        sim->nodes[i].exit_status = -1;
        sim->nodes[i].room_bytes = 1 << 30;
    }
}

void sim_forget_disk(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    for (size_t i = 0; i < self->disk_count; i++)
        buffer_release(&self->disk[i].bytes);
    self->disk_count = 0;
}

void sim_drop_unsynced(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    while (self->disk_count > 0 && !self->disk[self->disk_count - 1].synced)
        buffer_release(&self->disk[--self->disk_count].bytes);
}

void sim_release(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        node_free(sim->nodes[i].node);
        sim_forget_disk(sim, i);
        free(sim->nodes[i].disk);
    }
    for (size_t i = 0; i < sim->queue_count; i++)
        buffer_release(&sim->queue[i].bytes);
    free(sim->queue);
    free(sim->containers);
    free(sim->replies);
}

void sim_start(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    assert(!self->node);
    const char *seeds[SIM_NODES_MAX];
    for (size_t i = 0; i < sim->count; i++)
        seeds[i] = sim->nodes[i].address;
    struct node_config config = {
        .cluster = "sim",
        .node_name = self->name,
        .gossip_address = self->address,
        .api_address = "-",
        .advertise_host = self->name,
        .version = "sim",
        .weight = 100,
        .seeds = seeds,
        .seed_count = sim->count > 1 ? sim->count : 0,
        .profile = PROFILE_LAN,
        .start_grace_ms = 30000,
        .drain_timeout_ms = 25000,
        .engine_grace_ms = 60000,
        .forget_after_ms = 86400000,
        .random_seed = random_next(&sim->random),
        .fresh_replica = random_next(&sim->random) | 1,
    };
    self->node = node_new(&config);
    self->run++;
    self->exit_status = -1;
    self->frozen = false;
    for (size_t i = 0; i < self->disk_count; i++)
        if (!node_restore(self->node, buffer_view(&self->disk[i].bytes)))
            abort();
    struct event start = {.type = EVENT_START};
    sim_step(sim, index, &start);
    struct event disk = {.type = EVENT_DISK_STATE, .disk = {.room_bytes = self->room_bytes}};
    sim_step(sim, index, &disk);
    if (self->engine_dead)
        return;
    sim_list(sim, index);
    struct event runtime = {.type = EVENT_RUNTIME_STATE,
                            .runtime = {.healthy = true, .name = "sim", .version = "1"}};
    sim_step(sim, index, &runtime);
}

void sim_start_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        sim_start(sim, i);
}

void sim_kill(struct sim *sim, size_t index)
{
    node_free(sim->nodes[index].node);
    sim->nodes[index].node = NULL;
    for (size_t i = 0; i < sim->count; i++)
        if (i != index && !sim->cut[i][index])
            sim_push(sim,
                     (struct sim_event){
                         .kind = SIM_BROKEN, .node = i, .from = index, .at_ms = sim->now_ms + 1});
}

void sim_kill_engine(struct sim *sim, size_t index)
{
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].engine == index &&
            sim->containers[i].container.state == CONTAINER_RUNNING)
            sim_end_container(sim, &sim->containers[i], 137);
}

void sim_freeze(struct sim *sim, size_t index, bool frozen)
{
    sim->nodes[index].frozen = frozen;
}

void sim_cut(struct sim *sim, size_t a, size_t b, bool cut)
{
    sim->cut[a][b] = sim->cut[b][a] = cut;
}

void sim_stop(struct sim *sim, size_t index)
{
    struct event stop = {.type = EVENT_STOP};
    sim_step(sim, index, &stop);
}

void sim_exit(struct sim *sim, size_t container, int exit_code)
{
    struct sim_container *at = &sim->containers[container];
    sim_end_container(sim, at, exit_code);
    struct container shown = at->container;
    sim_tell(sim, at->engine, &shown);
}

/* --- Requests
 * ---------------------------------------------------------------------------------------------- */

uint64_t sim_request(struct sim *sim, size_t index, struct request *request)
{
    request->id = ++sim->last_request;
    struct event event = {.type = EVENT_REQUEST, .request = request};
    sim_step(sim, index, &event);
    return request->id;
}

uint64_t sim_put_workload(struct sim *sim, size_t index, const char *name, uint32_t replicas,
                          void (*adjust)(struct workload *workload))
{
    struct workload_port port = {.name = "http", .container_port = 80};
    char image[] = "image:1", document[] = "{}";
    struct workload workload = {.generation = 1,
                                .replicas = replicas,
                                .shutdown_ms = 5000,
                                .max_unavailable = 1,
                                .ttl_seconds_after_finished = -1,
                                .image = image,
                                .spec_hash = 1,
                                .ports = &port,
                                .port_count = 1,
                                .document = document,
                                .document_bytes = 2};
    TEXT_SET(workload.ns, "default");
    TEXT_SET(workload.name, name);
    TEXT_SET(workload.uid, name);
    TEXT_SET(workload.supervisor, "default");
    if (adjust)
        adjust(&workload);
    struct request request = {.kind = REQUEST_PUT_WORKLOAD, .workload = &workload};
    return sim_request(sim, index, &request);
}

uint64_t sim_delete_workload(struct sim *sim, size_t index, const char *name)
{
    struct request request = {.kind = REQUEST_DELETE_WORKLOAD};
    TEXT_SET(request.ns, "default");
    TEXT_SET(request.name, name);
    return sim_request(sim, index, &request);
}

const struct reply *sim_reply(const struct sim *sim, uint64_t id)
{
    for (size_t i = 0; i < sim->reply_count; i++)
        if (sim->replies[i].id == id)
            return &sim->replies[i];
    return NULL;
}

/* --- Checking
 * ---------------------------------------------------------------------------------------------- */

static size_t sim_copies(const struct sim *sim, const struct child_id *id, size_t *ret_engine)
{
    size_t copies = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].container.state == CONTAINER_RUNNING &&
            child_id_compare(&sim->containers[i].container.child, id) == 0) {
            copies++;
            *ret_engine = sim->containers[i].engine;
        }
    return copies;
}

size_t sim_running(const struct sim *sim, const char *workload, size_t *ret_duplicates)
{
    size_t running = 0, duplicates = 0;
    for (size_t i = 0; i < sim->container_count; i++) {
        const struct container *at = &sim->containers[i].container;
        size_t engine;
        if (at->state != CONTAINER_RUNNING || strcmp(at->child.workload, workload) != 0)
            continue;
        running++;
        duplicates += sim_copies(sim, &at->child, &engine) > 1;
    }
    if (ret_duplicates)
        *ret_duplicates = duplicates;
    return running;
}

static bool sim_node_agrees(struct sim *sim, size_t index)
{
    struct child_view view;
    const struct node *node = sim->nodes[index].node;
    size_t wanted = 0, running = 0, names = 0;
    for (bool more = query_child_next(node, NULL, NULL, &view); more;) {
        size_t engine = SIZE_MAX;
        if (!view.workload || view.phase != CHILD_RUNNING ||
            sim_copies(sim, &view.id, &engine) != 1 ||
            strcmp(view.node, sim->nodes[engine].name) != 0)
            return false;
        wanted++;
        struct child_id after = view.id;
        more = query_child_next(node, NULL, &after, &view);
    }
    struct name_view name;
    char at[NAME_BYTES_MAX + 1] = "", ns[NAME_BYTES_MAX + 1] = "";
    while (query_name_next(node, NULL, ns, at, &name)) {
        names++;
        TEXT_SET(ns, name.ns);
        TEXT_SET(at, name.name);
    }
    for (size_t i = 0; i < sim->container_count; i++)
        running += sim->containers[i].container.state == CONTAINER_RUNNING;
    return running == wanted && names == wanted;
}

bool sim_is_converged(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && !sim_node_agrees(sim, i))
            return false;
    return true;
}

bool sim_all_alive(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < sim->count; j++) {
            struct member_view view;
            if (!sim->nodes[i].node || !sim->nodes[j].node)
                continue;
            if (!query_member(sim->nodes[i].node, sim->nodes[j].name, &view) ||
                strcmp(view.phase, "alive") != 0)
                return false;
        }
    return true;
}

void sim_print(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct child_view child;
        struct member_view member;
        if (!sim->nodes[i].node)
            continue;
        printf("%s at %llu:", sim->nodes[i].name, (unsigned long long)sim->now_ms);
        for (bool more = query_member_next(sim->nodes[i].node, "", &member); more;
             more = query_member_next(sim->nodes[i].node, member.name, &member))
            printf(" %s %s", member.name, member.phase);
        struct query_counts counts = query_counts(sim->nodes[i].node);
        printf("; keys %zu names %zu\n", counts.keys, counts.names);
        for (bool more = query_child_next(sim->nodes[i].node, NULL, NULL, &child); more;) {
            printf("    %s/%u %s%s on %s epoch %llu %s %s\n", child.id.workload, child.id.ordinal,
                   child.workload ? "" : "(unwanted) ", child_phase_name(child.phase), child.node,
                   (unsigned long long)child.epoch, child.reason, child.message);
            struct child_id after = child.id;
            more = query_child_next(sim->nodes[i].node, NULL, &after, &child);
        }
    }
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].container.state == CONTAINER_RUNNING)
            printf("    runs on n%zu: %s/%u epoch %llu uid %s\n", sim->containers[i].engine,
                   sim->containers[i].container.child.workload,
                   sim->containers[i].container.child.ordinal,
                   (unsigned long long)sim->containers[i].container.epoch,
                   sim->containers[i].container.uid);
}
