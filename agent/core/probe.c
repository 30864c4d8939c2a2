/* Readiness and liveness of the containers that run here, as in Kubernetes: a probe is asked for
 * every periodSeconds, and what counts is several answers of a kind in a row.
 *
 *   ready      without a readinessProbe: as soon as it runs. With one: after successThreshold good
 *              answers, until failureThreshold bad ones
 *   unhealthy  after failureThreshold bad answers of the livenessProbe: it is stopped, and judged
 *              as one that has failed by itself (child_restart.c)
 *
 * The driver carries probes out; only an answer of the container counts. What the engine could not
 * find out, and what was asked before this agent was away for a moment, says nothing.
 *
 * The probes of a document are those of containers of its spec hash. A container that waits for its
 * replacement keeps the readiness that it was last seen with. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/engine.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/supervise.h"

enum { PROBE_SAY_PACE_MS = 10000 };

static const struct probe *probe_of(const struct child *child,
                                    const struct local_container *container, enum probe_kind kind)
{
    const struct workload *workload = &child->group->workload;
    const struct probe *probe = &workload->probes[kind];
    bool its_own = container->container.spec_hash == workload->spec_hash;
    return its_own && probe->period_seconds > 0 ? probe : NULL;
}

static void probe_set_ready(struct node *node, struct local_container *container, bool ready)
{
    if (container->ready == ready)
        return;
    container->ready = ready;
    container->ready_ms = ready ? node->now.wall_ms : 0;
    local_say(&container->probe_message, "");
}

/* A container that the agent before this one has started is as ready as it was then. */
static void probe_meet(struct node *node, struct child *child, struct local_container *container)
{
    const struct status *status = child->status;
    bool probed = child->group->workload.probes[PROBE_READINESS].period_seconds > 0;
    bool told = status && status_is_of(status, child->claim) && status->phase == CHILD_RUNNING &&
                strcmp(status->container_id, container->container.id) == 0;
    container->met = true;
    probe_set_ready(node, container, told ? status->ready : !probed);
    if (container->ready)
        container->ready_ms = told ? status->ready_ms : container->container.started_ms;
}

static void probe_look(struct node *node, struct child *child, struct local_container *container,
                       enum probe_kind kind)
{
    const struct probe *probe = probe_of(child, container, kind);
    struct probing *probing = &container->probing[kind];
    if (!probe || probing->operation || !node->supervision.engine_healthy)
        return;
    if (probing->next_ms == 0)
        probing->next_ms =
            child->local->running_since_ms + probe->initial_delay_seconds * UINT64_C(1000);
    if (node->now.mono_ms < probing->next_ms) {
        child_wake(child, probing->next_ms);
        return;
    }
    if (!supervise_probe_turn(node, child))
        return;
    probing->next_ms = node->now.mono_ms + probe->period_seconds * UINT64_C(1000);
    probing->operation =
        engine_probe(node, child, container, kind, probe->timeout_seconds * UINT64_C(1000));
}

void child_probe(struct node *node, struct child *child, struct local_container *container)
{
    if (!container->met)
        probe_meet(node, child, container);
    if (!child->group->workload.probes[PROBE_READINESS].period_seconds &&
        container->container.spec_hash == child->group->workload.spec_hash)
        probe_set_ready(node, container, true);
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++)
        probe_look(node, child, container, (enum probe_kind)kind);
    child->local->probe_turn = false;
}

/* --- Answers --------------------------------------------------------------------------------- */

static void probe_tell(struct node *node, const struct child *child, const char *what,
                       const char *message)
{
    effects_trace(node->effects, "%s/%s/%u is %s%s%s", child->group->ns, child->group->name,
                  child->ordinal, what, message[0] ? ": " : "", message);
    note_child(node, child, message[0], message[0] ? "Unhealthy" : "Ready", "is %s%s%s", what,
               message[0] ? ": " : "", message);
}

/* Each new text is a write: one that is another each time is not told as often as it is asked. */
static void probe_say(const struct node *node, struct local_container *container,
                      const char *message)
{
    if (container->unhealthy || (container->probe_message &&
                                 node->now.mono_ms < container->probe_said_ms + PROBE_SAY_PACE_MS))
        return;
    local_say(&container->probe_message, message);
    container->probe_said_ms = node->now.mono_ms;
}

static void probe_judge_readiness(struct node *node, struct child *child,
                                  struct local_container *container, const struct probe *probe,
                                  const char *message)
{
    const struct probing *probing = &container->probing[PROBE_READINESS];
    bool ready = container->ready ? probing->failures < probe->failure_threshold
                                  : probing->successes >= probe->success_threshold;
    if (ready != container->ready) {
        probe_set_ready(node, container, ready);
        probe_tell(node, child, ready ? "ready" : "not ready", ready ? "" : message);
    }
    if (!ready && probing->failures > 0)
        probe_say(node, container, message);
}

static void probe_judge_liveness(struct node *node, struct child *child,
                                 struct local_container *container, const struct probe *probe,
                                 const char *message)
{
    if (container->unhealthy ||
        container->probing[PROBE_LIVENESS].failures < probe->failure_threshold)
        return;
    container->unhealthy = true;
    local_say(&container->probe_message, message);
    probe_tell(node, child, "unhealthy", message);
}

void probe_done(struct node *node, struct child *child, const struct operation *operation,
                const struct event *event)
{
    struct local_container *container = local_find(child->local, operation->container_id);
    if (!container || container->probing[operation->probe].operation != operation->id)
        return;
    struct probing *probing = &container->probing[operation->probe];
    const struct probe *probe = probe_of(child, container, operation->probe);
    bool good = event->done.result == RUNTIME_OK;
    probing->operation = 0;
    if (!probe || container->stopping || container->container.state != CONTAINER_RUNNING ||
        (!good && event->done.result != RUNTIME_UNHEALTHY))
        return;
    probing->successes = good ? probing->successes + 1 : 0;
    probing->failures = good ? 0 : probing->failures + 1;
    const char *message = event->done.message ? event->done.message : "";
    if (operation->probe == PROBE_READINESS)
        probe_judge_readiness(node, child, container, probe, message);
    else
        probe_judge_liveness(node, child, container, probe, message);
}

/* We were away: what was asked before the gap timed out for that. */
void probe_thaw(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    for (size_t i = 0; i < supervision->operation_count; i++) {
        const struct operation *operation = &supervision->operations[i];
        struct child *child =
            operation->kind == RUNTIME_PROBE ? store_child(&node->store, &operation->child) : NULL;
        struct local_container *container =
            child && child->local ? local_find(child->local, operation->container_id) : NULL;
        if (!container || container->probing[operation->probe].operation != operation->id)
            continue;
        container->probing[operation->probe].operation = 0;
        store_mark(&node->store, child);
    }
}
