/* The simulated engine: containers that appear, end, and are told of, or not. Its faults are
 * percentages in struct sim. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_private.h"

static bool sim_chance(struct sim *sim, uint32_t percent)
{
    return percent > 0 && random_below(&sim->random, 100) < percent;
}

/* --- Finding --------------------------------------------------------------------------------- */

/* An id is "c" and one more than the index. */
struct sim_container *sim_container(struct sim *sim, size_t engine, const char *id)
{
    size_t number = id[0] == 'c' ? strtoul(id + 1, NULL, 10) : 0;
    if (number == 0 || number > sim->container_count ||
        sim->containers[number - 1].engine != engine)
        return NULL;
    return &sim->containers[number - 1];
}

size_t sim_bucket(const struct sim *sim, const struct child_id *child)
{
    return sim->bucket_count > 0 ? sim->buckets[child_id_hash(child) & (sim->bucket_count - 1)]
                                 : SIZE_MAX;
}

static void sim_bucket_add(struct sim *sim, size_t index)
{
    struct sim_container *at = &sim->containers[index];
    size_t bucket = child_id_hash(&at->container.child) & (sim->bucket_count - 1);
    at->next = sim->buckets[bucket];
    sim->buckets[bucket] = index;
}

/* Its child is known now. Those that are gone are not found any more once the buckets grow. */
static void sim_container_known(struct sim *sim, struct sim_container *made)
{
    size_t index = (size_t)(made - sim->containers);
    sim_numbers_add(&sim->nodes[made->engine].containers, index);
    if (index < sim->bucket_count) {
        sim_bucket_add(sim, index);
        return;
    }
    sim->bucket_count = sim->bucket_count ? 2 * sim->bucket_count : 64;
    sim->buckets = xrealloc(sim->buckets, sim->bucket_count * sizeof *sim->buckets);
    memset(sim->buckets, 0xff, sim->bucket_count * sizeof *sim->buckets);
    for (size_t i = 0; i <= index; i++)
        if (sim->containers[i].container.state != CONTAINER_GONE)
            sim_bucket_add(sim, i);
}

/* The containers of an engine; those that are gone are struck from its list. */
static struct sim_numbers *sim_containers_of(struct sim *sim, size_t engine)
{
    struct sim_numbers *list = &sim->nodes[engine].containers;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (sim->containers[list->items[i]].container.state != CONTAINER_GONE)
            list->items[kept++] = list->items[i];
    list->count = kept;
    return list;
}

void sim_violation(struct sim *sim, const char *what, const struct container *container)
{
    if (sim->violations++ == 0)
        printf("\n[%llu] VIOLATION: %s: %s/%u epoch %llu uid %s on %s\n",
               (unsigned long long)sim->now_ms, what, container->child.workload,
               container->child.ordinal, (unsigned long long)container->epoch, container->uid,
               container->node);
}

/* --- Telling --------------------------------------------------------------------------------- */

void sim_hint(struct sim *sim, const struct sim_container *at)
{
    const struct sim_node *self = &sim->nodes[at->engine];
    if (!self->node || at->foreign || self->engine_dead || sim_chance(sim, sim->lose_hint_percent))
        return;
    sim_push(sim, (struct sim_event){.kind = SIM_CONTAINER,
                                     .node = at->engine,
                                     .run = self->run,
                                     .at_ms = sim->now_ms,
                                     .container = xmemdup(&at->container, sizeof at->container)});
}

void sim_list(struct sim *sim, size_t index)
{
    struct sim_numbers *here = sim_containers_of(sim, index);
    struct container *list = xcalloc(here->count + 1, sizeof *list);
    struct event event = {.type = EVENT_RUNTIME_LIST, .list = {.containers = list}};
    size_t hidden = here->count > 0 && sim_chance(sim, sim->lie_percent)
                        ? (size_t)random_below(&sim->random, here->count)
                        : SIZE_MAX;
    for (size_t i = 0; i < here->count; i++) {
        struct sim_container *at = &sim->containers[here->items[i]];
        if (i == hidden)
            at->unlisted_until_ms = UINT64_MAX;
        else if (at->unlisted_until_ms == UINT64_MAX)
            at->unlisted_until_ms = sim->now_ms;
        if (!at->foreign && i != hidden)
            list[event.list.count++] = at->container;
    }
    sim_step(sim, index, &event);
    free(list);
}

/* --- Containers ------------------------------------------------------------------------------ */

static void sim_tell(struct sim *sim, const struct sim_container *at, const char *what)
{
    char line[2 * NAME_BYTES_MAX + 64];
    const struct container *container = &at->container;
    if (!sim->listener || at->foreign)
        return;
    snprintf(line, sizeof line, "(engine) %s/%u %s, epoch %llu", container->child.workload,
             container->child.ordinal, what, (unsigned long long)container->epoch);
    sim->listener(sim, at->engine, line);
}

void sim_end_container(struct sim *sim, struct sim_container *at, int exit_code)
{
    sim_tell(sim, at, "has ended");
    at->container.state = CONTAINER_EXITED;
    at->container.exit_code = exit_code;
    at->container.finished_ms = SIM_WALL_MS + sim->now_ms;
}

/* No engine runs two containers of one child; those that come true after their agent had given
 * them up, or that were asked for while a list had left the other out, are the exception. */
static void sim_check_created(struct sim *sim, const struct sim_container *made, uint64_t asked_ms)
{
    const struct child_id *child = &made->container.child;
    for (size_t i = sim_bucket(sim, child); i != SIZE_MAX; i = sim->containers[i].next) {
        const struct sim_container *other = &sim->containers[i];
        if (other != made && other->engine == made->engine && !other->late && !made->late &&
            asked_ms >= other->unlisted_until_ms && other->container.state == CONTAINER_RUNNING &&
            child_id_compare(&other->container.child, &made->container.child) == 0)
            sim_violation(sim, "a second container on one engine", &made->container);
    }
}

static struct sim_container *sim_container_add(struct sim *sim)
{
    if (sim->container_count == sim->container_capacity) {
        sim->container_capacity = sim->container_capacity ? 2 * sim->container_capacity : 64;
        sim->containers =
            xrealloc(sim->containers, sim->container_capacity * sizeof *sim->containers);
    }
    struct sim_container *made = &sim->containers[sim->container_count++];
    *made = (struct sim_container){.engine = 0};
    snprintf(made->container.id, sizeof made->container.id, "c%llu",
             (unsigned long long)sim->container_count);
    return made;
}

/* The engine's name for it is the child and the epoch: an ended one of that name makes room, a
 * running one of this uid is the one that is wanted, any other refuses. */
static struct sim_container *sim_create(struct sim *sim, const struct sim_event *asked, bool late)
{
    const struct runtime_operation *operation = asked->operation;
    for (size_t i = sim_bucket(sim, &operation->child); i != SIZE_MAX;
         i = sim->containers[i].next) {
        struct container *old = &sim->containers[i].container;
        if (sim->containers[i].engine != asked->node || old->state == CONTAINER_GONE ||
            child_id_compare(&old->child, &operation->child) != 0 || old->epoch != operation->epoch)
            continue;
        if (old->state == CONTAINER_RUNNING)
            return strcmp(old->uid, operation->uid) == 0 ? &sim->containers[i] : NULL;
        old->state = CONTAINER_GONE;
    }
    struct sim_container *made = sim_container_add(sim);
    struct container *container = &made->container;
    made->engine = asked->node;
    made->late = late || asked->run != sim->nodes[asked->node].run;
    container->child = operation->child;
    TEXT_SET(container->uid, operation->uid);
    TEXT_SET(container->node, sim->nodes[asked->node].name);
    container->replica = operation->replica;
    container->epoch = operation->epoch;
    container->spec_hash = operation->spec_hash;
    TEXT_SET(container->supervisor, operation->supervisor);
    container->guarded = operation->guarded;
    container->state = CONTAINER_RUNNING;
    container->started_ms = SIM_WALL_MS + sim->now_ms;
    container->port_count = 1;
    container->ports[0] = (struct container_port){
        .container_port = 80, .host_port = (uint16_t)(30000 + sim->container_count % 30000)};
    sim_container_known(sim, made);
    sim_check_created(sim, made, asked->asked_ms);
    sim_tell(sim, made, "runs");
    if (container->guarded)
        sim_guard_begin(sim, made);
    return made;
}

size_t sim_add_foreign(struct sim *sim, size_t index, const char *orphan)
{
    struct sim_container *made = sim_container_add(sim);
    made->engine = index;
    made->untouchable = true;
    made->foreign = !orphan;
    made->container.state = CONTAINER_RUNNING;
    made->container.epoch = 7;
    if (orphan) {
        TEXT_SET(made->container.child.ns, "default");
        TEXT_SET(made->container.child.workload, orphan);
        TEXT_SET(made->container.node, sim->nodes[index].name);
        TEXT_SET(made->container.uid, orphan);
    }
    sim_container_known(sim, made);
    return sim->container_count - 1;
}

/* --- Operations ------------------------------------------------------------------------------ */

void sim_runtime_ask(struct sim *sim, size_t index, const struct runtime_operation *operation)
{
    if (operation->kind == RUNTIME_OUTPUT) {
        sim_output_ask(sim, index, operation);
        return;
    }
    uint64_t wait_ms = operation->kind == RUNTIME_START  ? sim->start_ms
                       : operation->kind == RUNTIME_STOP ? sim->stop_ms
                       : operation->kind == RUNTIME_PULL ? sim->pull_ms
                                                         : 1;
    struct sim_event event = {.kind = SIM_RUNTIME,
                              .node = index,
                              .run = sim->nodes[index].run,
                              .asked_ms = sim->now_ms,
                              .engine_boot = sim->nodes[index].engine_boot};
    event.at_ms = sim->now_ms + wait_ms + random_below(&sim->random, 10);
    if (sim->slow_ms_max > 0)
        event.at_ms += random_below(&sim->random, sim->slow_ms_max);
    if (operation->kind == RUNTIME_STOP && operation->stop_ms != SHUTDOWN_INFINITY &&
        sim_chance(sim, sim->stubborn_percent))
        event.at_ms += operation->stop_ms;
    if (operation->kind == RUNTIME_START && operation->guarded)
        sim_guard_start(sim, index, operation);
    event.operation = sim_operation(operation);
    sim->nodes[index].operations += operation->kind != RUNTIME_PROBE;
    sim->probes += operation->kind == RUNTIME_PROBE;
    sim->started += operation->kind == RUNTIME_START;
    sim_push(sim, event);
}

static void sim_fail(struct sim_event *done, enum runtime_result result, const char *message)
{
    done->result = result;
    done->message = message;
}

static struct sim_container *sim_start_due(struct sim *sim, const struct sim_event *asked,
                                           struct sim_event *done)
{
    if (sim_chance(sim, sim->late_percent)) {
        struct sim_event late = *asked;
        late.kind = SIM_LATE;
        late.operation = sim_operation(asked->operation);
        late.at_ms = sim->now_ms + random_below(&sim->random, 3000);
        sim_push(sim, late);
        sim_fail(done, RUNTIME_TIMED_OUT, "the engine took too long");
        return NULL;
    }
    struct sim_container *at = sim_create(sim, asked, false);
    if (!at)
        sim_fail(done, RUNTIME_FAILED, "the name is in use");
    return at;
}

static struct sim_container *sim_stop_due(struct sim *sim, const struct sim_event *asked)
{
    struct sim_container *at = sim_container(sim, asked->node, asked->operation->container_id);
    if (at && at->untouchable)
        sim_violation(sim, "a stranger's container was touched", &at->container);
    if (at && asked->operation->kind == RUNTIME_REMOVE)
        at->container.state = CONTAINER_GONE;
    else if (at && at->container.state == CONTAINER_RUNNING)
        sim_end_container(sim, at, 137);
    return at;
}

/* Nothing changes by it, and nothing is told of the container but the answer. */
static void sim_probe_due(struct sim *sim, const struct sim_event *asked, struct sim_event *done)
{
    const struct runtime_operation *operation = asked->operation;
    const struct sim_container *at = sim_container(sim, asked->node, operation->container_id);
    if (!at || at->container.state != CONTAINER_RUNNING) {
        sim_fail(done, RUNTIME_FAILED, "it does not run");
        return;
    }
    uint64_t up_ms = SIM_WALL_MS + sim->now_ms - at->container.started_ms;
    bool unready = at->unready || up_ms < sim->ready_ms ||
                   (sim->unready_hash && at->container.spec_hash == sim->unready_hash);
    if (operation->probe == PROBE_LIVENESS ? at->hung : unready)
        sim_fail(done, RUNTIME_UNHEALTHY,
                 up_ms < sim->ready_ms ? "cannot connect" : "HTTP status 503");
}

void sim_runtime_due(struct sim *sim, struct sim_event *asked)
{
    struct sim_node *self = &sim->nodes[asked->node];
    struct sim_event done = {
        .kind = SIM_DONE, .node = asked->node, .run = asked->run, .at_ms = sim->now_ms};
    struct sim_container *at = NULL;
    enum runtime_kind kind = asked->operation->kind;
    bool list_fails = kind == RUNTIME_LIST && sim_chance(sim, sim->list_fail_percent);
    if (self->engine_dead || list_fails || asked->engine_boot != self->engine_boot ||
        sim_chance(sim, sim->fail_percent))
        sim_fail(&done, RUNTIME_FAILED, "the engine does not answer");
    else if (kind == RUNTIME_START && self->refused_hash &&
             asked->operation->spec_hash == self->refused_hash)
        sim_fail(&done, RUNTIME_REFUSED, "spec.hostNetwork: is not allowed by this agent");
    else if (kind == RUNTIME_START)
        at = sim_start_due(sim, asked, &done);
    else if (kind == RUNTIME_STOP || kind == RUNTIME_REMOVE)
        at = sim_stop_due(sim, asked);
    else if (kind == RUNTIME_PROBE)
        sim_probe_due(sim, asked, &done);
    else if (kind == RUNTIME_PULL && sim->bad_image &&
             strcmp(asked->operation->image, sim->bad_image) == 0 &&
             (!sim->bad_image_node || sim->bad_image_node == self))
        sim_fail(&done, RUNTIME_IMAGE_MISSING, "no such image");
    if (at && sim_chance(sim, sim->lie_percent))
        sim_fail(&done, RUNTIME_FAILED, "it has failed, says the engine, that has done it");
    else if (at)
        done.container = xmemdup(&at->container, sizeof at->container);
    done.operation = asked->operation; /* handed on */
    asked->operation = NULL;
    sim_push(sim, done);
    if (at)
        sim_hint(sim, at);
}

void sim_runtime_done(struct sim *sim, struct sim_event *done)
{
    struct event event = {.type = EVENT_RUNTIME_DONE,
                          .done = {.id = done->operation->id,
                                   .result = done->result,
                                   .message = done->message,
                                   .container = done->container}};
    if (sim->nodes[done->node].run != done->run)
        return;
    sim->nodes[done->node].operations -= done->operation->kind != RUNTIME_PROBE;
    if (done->operation->kind == RUNTIME_LIST && done->result == RUNTIME_OK)
        sim_list(sim, done->node);
    sim_step(sim, done->node, &event);
}

void sim_runtime_late(struct sim *sim, struct sim_event *late)
{
    if (late->engine_boot != sim->nodes[late->node].engine_boot)
        return;
    struct sim_container *made = sim_create(sim, late, true);
    if (made)
        sim_hint(sim, made);
}

/* --- Its life -------------------------------------------------------------------------------- */

void sim_engine_state(struct sim *sim, size_t index, bool healthy)
{
    struct event runtime = {.type = EVENT_RUNTIME_STATE,
                            .runtime = {.healthy = healthy,
                                        .name = "sim",
                                        .version = "1",
                                        .message = healthy ? NULL : "connection refused"}};
    sim->nodes[index].engine_dead = !healthy;
    if (healthy)
        sim_list(sim, index);
    sim_step(sim, index, &runtime);
}

void sim_kill_engine(struct sim *sim, size_t index)
{
    const struct sim_numbers *here = sim_containers_of(sim, index);
    sim->nodes[index].engine_boot++;
    for (size_t i = 0; i < here->count; i++) {
        struct sim_container *at = &sim->containers[here->items[i]];
        if (!at->untouchable && at->container.state == CONTAINER_RUNNING)
            sim_end_container(sim, at, 137);
    }
}

void sim_exit(struct sim *sim, size_t container, int exit_code)
{
    sim_end_container(sim, &sim->containers[container], exit_code);
    sim_hint(sim, &sim->containers[container]);
}

void sim_vanish(struct sim *sim, size_t container)
{
    sim->containers[container].container.state = CONTAINER_GONE;
    sim_hint(sim, &sim->containers[container]);
}
