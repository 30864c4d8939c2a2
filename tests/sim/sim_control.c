/* The hand that starts, stops, kills, cuts and asks. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"
#include "tests/sim/sim_private.h"

/* --- Control --------------------------------------------------------------------------------- */

void sim_init(struct sim *sim, uint64_t seed, size_t nodes)
{
    *sim = (struct sim){.now_ms = 1000,
                        .random = random_of(seed),
                        .count = nodes,
                        .capacity = nodes + SIM_SPARE_NODES,
                        .seeds_max = 40,
                        .delay_ms_max = 2,
                        .start_ms = 200,
                        .stop_ms = 50,
                        .drain_timeout_ms = 25000,
                        .pull_ms = 20,
                        .engine_grace_ms = 60000,
                        .forget_after_ms = 86400000};
    sim->verbose = getenv("SIM_VERBOSE") != NULL;
    sim->nodes = xcalloc(sim->capacity, sizeof *sim->nodes);
    sim->deadlines = xcalloc(sim->capacity, sizeof *sim->deadlines);
    sim->replies = xcalloc(SIM_REPLIES_KEPT, sizeof *sim->replies);
    for (size_t i = 0; i < nodes; i++) {
        snprintf(sim->nodes[i].name, sizeof sim->nodes[i].name, "n%zu", i);
        snprintf(sim->nodes[i].address, sizeof sim->nodes[i].address, SIM_ADDRESS_PREFIX "%zu:7370",
                 i);
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

void sim_tear_disk(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    size_t synced = self->disk_count;
    while (synced > 0 && !self->disk[synced - 1].synced)
        synced--;
    size_t kept = synced + (size_t)random_below(&sim->random, self->disk_count - synced + 1);
    while (self->disk_count > kept)
        buffer_release(&self->disk[--self->disk_count].bytes);
    for (size_t i = synced; i < kept; i++)
        self->disk[i].synced = true;
}

void sim_disk_room(struct sim *sim, size_t index, uint64_t room_bytes)
{
    struct event disk = {.type = EVENT_DISK_STATE, .disk = {.room_bytes = room_bytes}};
    sim->nodes[index].room_bytes = room_bytes;
    sim_step(sim, index, &disk);
}

void sim_restore_synced(const struct sim *sim, size_t index, struct node *node)
{
    const struct sim_node *self = &sim->nodes[index];
    for (size_t i = 0; i < self->disk_count && self->disk[i].synced; i++)
        if (!node_restore(node, buffer_view(&self->disk[i].bytes)))
            abort();
}

/* What is durable now, to be put back later: an old image of the disk. */
static void sim_drop_copy(struct sim_node *self)
{
    for (size_t i = 0; i < self->copy_count; i++)
        buffer_release(&self->copy[i].bytes);
    free(self->copy);
    self->copy = NULL;
    self->copy_count = 0;
}

static struct sim_record *sim_duplicate(const struct sim_record *records, size_t count)
{
    struct sim_record *copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = (struct sim_record){.sequence = records[i].sequence, .synced = true};
        buffer_append(&copy[i].bytes, records[i].bytes.data, records[i].bytes.bytes);
    }
    return copy;
}

void sim_copy_disk(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    size_t synced = 0;
    sim_drop_copy(self);
    while (synced < self->disk_count && self->disk[synced].synced)
        synced++;
    self->copy = sim_duplicate(self->disk, synced);
    self->copy_count = synced;
}

void sim_restore_disk(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    assert(!self->node);
    if (!self->copy)
        return;
    sim_forget_disk(sim, index);
    free(self->disk);
    self->disk = sim_duplicate(self->copy, self->copy_count);
    self->disk_count = self->disk_capacity = self->copy_count;
}

void sim_release(struct sim *sim)
{
    for (size_t i = 0; i < sim->capacity; i++) {
        node_free(sim->nodes[i].node);
        sim_forget_disk(sim, i);
        free(sim->nodes[i].disk);
        free(sim->nodes[i].containers.items);
        sim_drop_copy(&sim->nodes[i]);
    }
    sim_network_release(sim);
    for (size_t i = 0; i < sim->queue_count; i++) {
        sim_event_release(sim->queue[i].event);
        free(sim->queue[i].event);
    }
    free(sim->queue);
    free(sim->nodes);
    free(sim->deadlines);
    free(sim->containers);
    free(sim->pages);
    free(sim->buckets);
    free(sim->replies);
    free(sim->outputs);
}

/* Somebody looks at it for the first time. */
static void sim_begin_look(struct sim *sim, size_t index)
{
    struct event look = {.type = EVENT_LOOK};
    uint64_t run = sim->nodes[index].run;
    uint64_t draw = placement_hash_pair(index, run);
    if (sim->nobody_looks)
        return;
    if (sim->look_ms_max == 0 || draw % 2 == 0)
        sim_step(sim, index, &look);
    else
        sim_push(sim, (struct sim_event){.at_ms = sim->now_ms + draw % sim->look_ms_max,
                                         .kind = SIM_LOOK,
                                         .node = index,
                                         .run = run});
}

void sim_start(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    assert(!self->node);
    size_t seed_count = sim->count < sim->seeds_max ? sim->count : sim->seeds_max;
    const char **seeds = xcalloc(seed_count, sizeof *seeds);
    for (size_t i = 0; i < seed_count; i++)
        seeds[i] = sim->nodes[i].address;
    struct node_config config = {
        .cluster = "sim",
        .node_name = self->name,
        .gossip_address = self->address,
        .api_address = "-",
        .advertise_host = self->name,
        .version = "sim",
        .zone = self->zone,
        .cpu_milli = self->cpu_milli,
        .memory_bytes = self->memory_bytes,
        .weight = 100,
        .seeds = seeds,
        .seed_count = sim->count > 1 ? seed_count : 0,
        .profile = PROFILE_LAN,
        .start_grace_ms = 30000,
        .drain_timeout_ms = sim->drain_timeout_ms,
        .engine_grace_ms = sim->engine_grace_ms,
        .forget_after_ms = sim->forget_after_ms,
        .detach_on_stop = sim->detach_on_stop,
        .discovers = sim->discovers,
        .random_seed = random_next(&sim->random),
        .fresh_replica = random_next(&sim->random) | 1,
    };
    self->node = node_new(&config);
    free(seeds);
    self->run++;
    self->operations = 0;
    self->exit_status = -1;
    self->frozen = false;
    for (size_t i = 0; i < self->disk_count; i++) {
        if (!node_restore(self->node, buffer_view(&self->disk[i].bytes)))
            abort();
        self->disk[i].synced = true; /* a log that is opened is synced */
    }
    if (sim->lazy_disk)
        sim_forget_disk(sim, index);
    struct event start = {.type = EVENT_START};
    sim_step(sim, index, &start);
    sim_begin_look(sim, index);
    struct event disk = {.type = EVENT_DISK_STATE, .disk = {.room_bytes = self->room_bytes}};
    sim_step(sim, index, &disk);
    if (!self->engine_dead)
        sim_engine_state(sim, index, true);
}

void sim_start_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        sim_start(sim, i);
}

/* As if it had been written and synced all along. */
static void sim_write_lazy_disk(struct sim *sim, size_t index)
{
    struct sim_node *self = &sim->nodes[index];
    sim_forget_disk(sim, index);
    self->disk_capacity = 1;
    self->disk = xrealloc(self->disk, sizeof *self->disk);
    self->disk[self->disk_count++] = (struct sim_record){.synced = true};
    node_disk(self->node, &self->disk[0].bytes);
}

void sim_kill(struct sim *sim, size_t index)
{
    if (sim->lazy_disk && sim->nodes[index].node)
        sim_write_lazy_disk(sim, index);
    node_free(sim->nodes[index].node);
    sim->nodes[index].node = NULL;
    sim->nodes[index].operations = 0;
    sim_deadline_changed(sim, index);
    sim_break(sim, index);
}

void sim_freeze(struct sim *sim, size_t index, bool frozen)
{
    sim->nodes[index].frozen = frozen;
    sim_deadline_changed(sim, index);
}

void sim_stop(struct sim *sim, size_t index)
{
    struct event stop = {.type = EVENT_STOP};
    sim_step(sim, index, &stop);
}

/* --- Requests -------------------------------------------------------------------------------- */

void sim_event(struct sim *sim, size_t index, struct event *event)
{
    sim_step(sim, index, event);
}

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
    const struct reply *reply = &sim->replies[id % SIM_REPLIES_KEPT];
    return id > 0 && reply->id == id ? reply : NULL;
}
