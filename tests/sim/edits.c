/* Users in the swarm: edits one after another per workload, each on a node that has seen the one
 * before, and an account of what was acknowledged. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/faults.h"

static struct edit next_edit; /* what the next put is to say */

static const char *next_supervisor;

static void set_edit(struct workload *workload)
{
    TEXT_SET(workload->supervisor, next_supervisor);
    workload->cpu_milli = strcmp(next_supervisor, SWARM_RANDOM) == 0 ? 100 : 0; /* all fit */
    workload->spec_hash = next_edit.spec_hash;
    workload->generation = next_edit.spec_hash;
    workload->restart = next_edit.restart;
    workload->update = next_edit.update;
    workload->max_unavailable = next_edit.max_unavailable;
    for (size_t i = 0; i < PROBE_KIND_COUNT; i++)
        if (next_edit.probes & 1u << i)
            workload->probes[i] = (struct probe){.period_seconds = 1 + next_edit.probes / 4,
                                                 .timeout_seconds = 1,
                                                 .success_threshold = 1,
                                                 .failure_threshold = 2};
    TEXT_SET(workload->uid, next_edit.uid);
}

static void ledger_uncertain(struct ledger *ledger)
{
    if (ledger->uncertain_count < EDITS_MAX)
        ledger->uncertain[ledger->uncertain_count++] = ledger->pending;
    ledger->request = 0;
}

/* --- Who has what was acknowledged ------------------------------------------------------------ */

/* While it runs a node learns; when its run has ended it has what is durable on its disk. */
static void look_at_holder(struct swarm *swarm, size_t index)
{
    const struct sim_node *self = &swarm->sim.nodes[index];
    bool same_run = self->node && self->run == swarm->looked_runs[index];
    uint64_t run = self->node ? self->run : UINT64_MAX;
    if (!self->node && swarm->looked_runs[index] == UINT64_MAX)
        return;
    struct node *rest = self->node ? NULL : swarm_after_power_cut(swarm, index);
    for (size_t i = 0; i < WORKLOADS; i++) {
        struct ledger *ledger = &swarm->ledgers[i];
        bool has =
            ledger->written.counter && query_covers(rest ? rest : self->node, ledger->written);
        ledger->holders[index] = has || (same_run && ledger->holders[index]);
    }
    node_free(rest);
    swarm->looked_runs[index] = run;
}

static void look_at_holders(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->sim.count; i++)
        look_at_holder(swarm, i);
    for (size_t i = 0; i < WORKLOADS; i++) {
        bool held = false;
        for (size_t j = 0; j < swarm->sim.count; j++)
            held = held || swarm->ledgers[i].holders[j];
        swarm->ledgers[i].excused |= swarm->ledgers[i].written.counter && !held;
    }
}

/* --- What was answered ------------------------------------------------------------------------ */

static void settle_answers(struct swarm *swarm)
{
    for (size_t i = 0; i < WORKLOADS; i++) {
        struct ledger *ledger = &swarm->ledgers[i];
        const struct sim_node *asked = &swarm->sim.nodes[ledger->node];
        if (!ledger->request)
            continue;
        const struct reply *reply = sim_reply(&swarm->sim, ledger->request);
        if (reply && swarm->sim.verbose)
            printf("[%6llu] user < w%zu: %d %s\n", (unsigned long long)swarm->sim.now_ms, i,
                   reply->status, reply->message);
        if (reply && reply->status == 200) {
            ledger->known = ledger->pending;
            ledger->written = reply->written;
            ledger->excused = false;
            memset(ledger->holders, 0, sizeof ledger->holders);
            ledger->holders[ledger->node] = true;
            ledger->request = 0;
        } else if (reply && reply->status != 504 && reply->status != 507) {
            ledger->request = 0; /* refused: nothing changed */
        } else if (reply || !asked->node || asked->run != ledger->run) {
            ledger_uncertain(ledger);
        }
    }
}

void swarm_settle_edits(struct swarm *swarm)
{
    settle_answers(swarm);
    look_at_holders(swarm);
}

/* A node that knows the last acknowledged edit writes the next one. */
void swarm_edit(struct swarm *swarm, size_t index)
{
    struct sim *sim = &swarm->sim;
    size_t which = (size_t)random_below(&swarm->random, WORKLOADS);
    struct ledger *ledger = &swarm->ledgers[which];
    struct workload_view view;
    char name[16];
    snprintf(name, sizeof name, "w%zu", which);
    if (ledger->request ||
        (ledger->written.counter && !query_covers(sim->nodes[index].node, ledger->written)))
        return;
    bool exists = query_workload(sim->nodes[index].node, "default", name, &view);
    next_edit = (struct edit){.replicas = (uint32_t)random_below(&swarm->random, 7),
                              .spec_hash = 1 + random_below(&swarm->random, 3),
                              .deleted = random_below(&swarm->random, 4) == 0,
                              .max_unavailable = 1};
    if (swarm->updates) {
        next_edit.update = random_below(&swarm->kinds, 3) ? UPDATE_ROLLING : UPDATE_RECREATE;
        next_edit.max_unavailable += (uint32_t)random_below(&swarm->kinds, 3);
    }
    if (swarm->probes) /* of a spec, as its hash says */
        next_edit.probes = (uint32_t)(next_edit.spec_hash * 5 + swarm->seed) % 16;
    if (swarm->restarts) /* of a life: who has ended for good does not rise for another policy */
        next_edit.restart =
            exists ? view.workload->restart : (enum restart_policy)random_below(&swarm->kinds, 3);
    if (exists)
        TEXT_SET(next_edit.uid, view.workload->uid);
    else
        snprintf(next_edit.uid, sizeof next_edit.uid, "u%llu", (unsigned long long)++swarm->uids);
    if (sim->verbose)
        printf("[%6llu] user > w%zu, asking n%zu: %s, replicas %u, spec %llu, uid %s\n",
               (unsigned long long)sim->now_ms, which, index, next_edit.deleted ? "delete" : "put",
               next_edit.replicas, (unsigned long long)next_edit.spec_hash, next_edit.uid);
    next_supervisor = !swarm->strategies || which < 2 ? SUPERVISOR_DEFAULT
                      : which == 2                    ? SWARM_RANDOM
                                                      : SWARM_VOTERS;
    ledger->pending = next_edit;
    ledger->node = index;
    ledger->run = sim->nodes[index].run;
    ledger->request = next_edit.deleted
                          ? sim_delete_workload(sim, index, name)
                          : sim_put_workload(sim, index, name, next_edit.replicas, set_edit);
}

static bool edit_is_seen(const struct edit *edit, bool exists, const struct workload_view *view)
{
    if (edit->deleted || !edit->uid[0])
        return !exists;
    return exists && view->workload->replicas == edit->replicas &&
           view->workload->spec_hash == edit->spec_hash &&
           strcmp(view->workload->uid, edit->uid) == 0;
}

bool swarm_edits_are_kept(struct swarm *swarm)
{
    for (size_t i = 0; i < WORKLOADS; i++) {
        const struct ledger *ledger = &swarm->ledgers[i];
        struct workload_view view;
        char name[16];
        snprintf(name, sizeof name, "w%zu", i);
        bool exists = query_workload(swarm->sim.nodes[0].node, "default", name, &view);
        bool seen = edit_is_seen(&ledger->known, exists, &view) ||
                    (ledger->request && edit_is_seen(&ledger->pending, exists, &view));
        for (size_t j = 0; j < ledger->uncertain_count && !seen; j++)
            seen = edit_is_seen(&ledger->uncertain[j], exists, &view);
        if (!seen && !ledger->excused) {
            printf("\n%s: acknowledged %s with %u replicas, spec %llu, uid %s; now %s %u\n", name,
                   ledger->known.deleted ? "deletion" : "put", ledger->known.replicas,
                   (unsigned long long)ledger->known.spec_hash, ledger->known.uid,
                   exists ? "replicas" : "absent", exists ? view.workload->replicas : 0);
            return false;
        }
    }
    return true;
}
