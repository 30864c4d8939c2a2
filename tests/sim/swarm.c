/* Random faults from a seed, then a healed world that must come to rest: every wanted child once,
 * nothing else, all maps alike, nothing acknowledged lost, nothing in flight, a quiet network.
 *
 *     swarm [--seed N] [--seeds N] [--nodes N] [--jobs N] [--twice] [--first] [--verbose]
 *
 * Each run begins with its seed and options, and that line with --verbose is all it takes to see it
 * again; the last line sums up. Exit status: 0 clean, 3 a safety violation, 4 no liveness (the
 * healed world did not come to rest in time), 134 an assertion of the core. --twice runs every seed
 * twice and compares all that the nodes did. --first ends with the first seed that fails. With
 * --jobs processes share the seeds. */
#include "tests/sim/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/core/node_private.h"

enum { STATUS_CLEAN = 0, STATUS_USAGE = 2, STATUS_SAFETY = 3, STATUS_LIVENESS = 4 };

enum {
    MOVES_MS = 1500000,
    MOVES_STILL_MS = 15000,
    QUIET_MS = 10000,
    QUIET_BYTES = 500,       /* per node and second */
    QUIET_LEASE_BYTES = 250, /* a request or an answer, to one voter, three times a lease */
    QUIET_TICKS = 40,
    QUIET_PROBE_TICKS = 2, /* a probe is begun and it ends */
    QUIET_LEASE_TICKS = 3, /* it is asked for, counted, and watched; three times a lease */
    JOBS_MAX = 64,
};

struct options {
    uint64_t seed, seeds, nodes, jobs;
    bool twice, first, verbose;
};

/* --- What must come to rest ------------------------------------------------------------------- */

static bool swarm_is_quiet(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    uint64_t bytes[SWARM_NODES_MAX], ticks[SWARM_NODES_MAX], started = sim->started;
    uint64_t probes = sim->probes;
    bool quiet = true;
    for (size_t i = 0; i < sim->count; i++) {
        bytes[i] = sim->nodes[i].sent_bytes;
        ticks[i] = sim->nodes[i].ticks;
    }
    sim_run(sim, QUIET_MS);
    uint64_t ticks_max = QUIET_TICKS + QUIET_PROBE_TICKS * (sim->probes - probes) * 1000 / QUIET_MS;
    if (swarm->strategies)
        ticks_max += QUIET_LEASE_TICKS * 3 / swarm->lease_seconds;
    uint64_t bytes_max =
        QUIET_BYTES +
        (swarm->strategies ? 2 * sim->count * QUIET_LEASE_BYTES * 3 / swarm->lease_seconds : 0);
    for (size_t i = 0; i < sim->count; i++) {
        bytes[i] = (sim->nodes[i].sent_bytes - bytes[i]) * 1000 / QUIET_MS;
        ticks[i] = (sim->nodes[i].ticks - ticks[i]) * 1000 / QUIET_MS;
        if (bytes[i] <= bytes_max && ticks[i] <= ticks_max)
            continue;
        printf("%s sends %llu bytes/s and ticks %llu times a second at rest\n", sim->nodes[i].name,
               (unsigned long long)bytes[i], (unsigned long long)ticks[i]);
        quiet = false;
    }
    if (sim->started != started)
        printf("something was started at rest\n");
    return quiet && sim->started == started;
}

static bool strangers_live(struct sim *sim)
{
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].untouchable &&
            sim->containers[i].container.state != CONTAINER_RUNNING)
            return false;
    return true;
}

/* Every node sees every update as done, unless some of its children have no room. */
static bool updates_are_complete(const struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++) {
        struct workload_view view;
        const struct node *node = sim->nodes[i].node;
        for (bool more = query_workload_next(node, NULL, "", "", &view); more;
             more = query_workload_next(node, NULL, view.workload->ns, view.workload->name, &view))
            if ((view.late || (view.workload->replicas > 0 && !view.complete)) &&
                (sim->max_children == 0 || view.running == view.workload->replicas))
                return false;
    }
    return true;
}

/* Nobody sees a child that belongs elsewhere, and is not passive about it, or on its way. */
static bool moves_are_over(struct sim *sim)
{
    static const char *const names[] = {SUPERVISOR_DEFAULT, SWARM_RANDOM, SWARM_VOTERS};
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < 3; j++) {
            struct node *node = sim->nodes[i].node;
            if (store_rebalance(&node->store, names[j]))
                return false;
            if (!redistribute_is_on(node, names[j]))
                continue;
            struct survey survey = redistribute_survey(node, names[j], UINT32_MAX);
            if (survey.wanted + survey.under_way > 0)
                return false;
        }
    return true;
}

/* A move may fail, since a lease must run out first: the child is free meanwhile, comes back, and
 * is not judged at once. */
static bool moves_end(struct sim *sim)
{
    uint64_t end_ms = sim->now_ms + MOVES_MS, started;
    do {
        started = sim->started;
        if (sim->now_ms >= end_ms || !sim_until(sim, moves_are_over, end_ms - sim->now_ms) ||
            !sim_until(sim, sim_is_converged, 700000))
            return false;
        sim_run(sim, MOVES_STILL_MS);
    } while (sim->started != started);
    return true;
}

struct verdict {
    int status;
    const char *what; /* NULL: nothing */
};

static struct verdict swarm_rest(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    if (!sim_until(sim, sim_all_alive, 60000))
        return (struct verdict){STATUS_LIVENESS, "not all alive"};
    for (int i = 0; swarm->strategies && !sim_electorate_is_settled(sim, SWARM_VOTERS); i++) {
        if (i % 100 == 99 && sim_electorate_is_lost(sim, SWARM_VOTERS)) {
            struct request request = {.kind = REQUEST_FORCE_ELECTORATE}; /* no lease is left */
            TEXT_SET(request.name, SWARM_VOTERS);
            sim_request(sim, 0, &request);
        }
        if (i == 400)
            return (struct verdict){STATUS_LIVENESS, "the electorate is not settled"};
        sim_run(sim, 1000);
    }
    if (!sim_until(sim, sim_is_converged, 700000)) /* back-off and declines may be minutes long */
        return (struct verdict){STATUS_LIVENESS, "not converged"};
    if (swarm->moves && !moves_end(sim))
        return (struct verdict){STATUS_LIVENESS, "moves do not end"};
    for (int i = 0; swarm->strategies && !sim_electorate_is_settled(sim, SWARM_VOTERS); i++) {
        if (i == 300)
            return (struct verdict){STATUS_LIVENESS, "the electorate is not settled"};
        sim_run(sim, 1000);
    }
    if (!sim_until(sim, sim_is_converged, 700000))
        return (struct verdict){STATUS_LIVENESS, "not converged after moves"};
    if (!sim_until(sim, sim_is_still, 10000))
        return (struct verdict){STATUS_LIVENESS, "operations in flight"};
    if (!sim_until(sim, sim_maps_are_equal, 20000))
        return (struct verdict){STATUS_LIVENESS, "maps differ"};
    swarm_settle_edits(swarm);
    if (!swarm_edits_are_kept(swarm))
        return (struct verdict){STATUS_SAFETY, "an acknowledged edit is lost"};
    sim_run(sim, 5000); /* last statuses */
    if (!swarm_is_quiet(swarm))
        return (struct verdict){STATUS_LIVENESS, "not quiet"};
    if (!sim_is_converged(sim))
        return (struct verdict){STATUS_LIVENESS, "not at rest"};
    if (!updates_are_complete(sim))
        return (struct verdict){STATUS_LIVENESS, "an update is not complete"};
    const char *wrong = swarm_check_informers(swarm);
    if (wrong)
        return (struct verdict){STATUS_SAFETY, wrong};
    return (struct verdict){STATUS_CLEAN, NULL};
}

static bool swarm_is_safe(struct swarm *swarm)
{
    swarm_check_writes(swarm);
    return swarm->sim.violations == 0 && strangers_live(&swarm->sim);
}

/* --- One run ---------------------------------------------------------------------------------- */

static struct verdict swarm_play(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    sim_start_all(sim);
    sim_run(sim, random_below(&swarm->random, 4000));
    if (swarm->moves)
        swarm_set_members(swarm, 0, SUPERVISOR_DEFAULT, 0);
    if (swarm->strategies) {
        swarm_set_members(swarm, 0, SWARM_RANDOM, 0);
        swarm_set_members(swarm, 0, SWARM_VOTERS, (UINT64_C(1) << sim->count) - 1);
    }
    size_t faults = 10 + (size_t)random_below(&swarm->random, 60);
    for (size_t i = 0; i < faults; i++) {
        swarm_fault(swarm);
        sim_run(sim, random_below(&swarm->random, 1500));
        swarm_settle_edits(swarm);
        for (size_t j = 0; j < sim->count; j++)
            if (sim->nodes[j].node)
                node_check(sim->nodes[j].node);
        if (!swarm_is_safe(swarm))
            return (struct verdict){STATUS_SAFETY, "violation"};
    }
    swarm_heal(swarm);
    struct verdict verdict = swarm_rest(swarm);
    if (!swarm_is_safe(swarm))
        verdict = (struct verdict){STATUS_SAFETY, "violation"};
    return verdict;
}

struct outcome {
    int status;
    uint64_t simulated_ms, hash;
};

static struct outcome swarm_run(const struct options *options, uint64_t seed)
{
    struct swarm swarm;
    swarm_begin(&swarm, seed, options->nodes);
    swarm.sim.verbose |= options->verbose;
    swarm_print_options(&swarm);
    struct verdict verdict = swarm_play(&swarm);
    if (verdict.what) {
        printf("FAILED seed %llu: %s\n", (unsigned long long)seed, verdict.what);
        if (options->verbose)
            sim_print(&swarm.sim);
    }
    struct outcome outcome = {verdict.status, swarm.sim.now_ms, swarm.sim.trace_hash};
    swarm_release(&swarm);
    return outcome;
}

/* --- Many ------------------------------------------------------------------------------------- */

/* Every jobs-th seed, beginning with the first-th. Returns the worst status met first. */
static int run_share(const struct options *options, uint64_t first)
{
    int status = STATUS_CLEAN;
    uint64_t simulated_ms = 0, count = 0;
    for (uint64_t i = first; i < options->seeds && !(status && options->first);
         i += options->jobs) {
        struct outcome outcome = swarm_run(options, options->seed + i);
        if (options->twice && swarm_run(options, options->seed + i).hash != outcome.hash) {
            printf("FAILED seed %llu: two runs differ\n", (unsigned long long)(options->seed + i));
            outcome.status = STATUS_SAFETY;
        }
        status = status ? status : outcome.status;
        simulated_ms += outcome.simulated_ms;
        count++;
    }
    printf("%llu seeds, %.1f simulated hours, %s\n", (unsigned long long)count,
           (double)simulated_ms / 3600000.0, status ? "NOT clean" : "clean");
    fflush(stdout);
    return status;
}

static int run_jobs(const struct options *options)
{
    pid_t jobs[JOBS_MAX];
    int status = STATUS_CLEAN;
    for (uint64_t i = 0; i < options->jobs; i++) {
        jobs[i] = fork();
        if (jobs[i] == 0)
            _exit(run_share(options, i));
    }
    for (uint64_t i = 0; i < options->jobs; i++) {
        int ended;
        if (jobs[i] < 0 || waitpid(jobs[i], &ended, 0) < 0)
            return STATUS_USAGE;
        int own = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
        status = status ? status : own;
    }
    return status;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: swarm [--seed N] [--seeds N] [--nodes 2..%d] [--jobs 1..%d] [--twice] "
            "[--first] [--verbose]\n",
            SWARM_NODES_MAX, JOBS_MAX);
    return STATUS_USAGE;
}

static uint64_t *number_of(struct options *options, const char *flag)
{
    return strcmp(flag, "--seed") == 0    ? &options->seed
           : strcmp(flag, "--seeds") == 0 ? &options->seeds
           : strcmp(flag, "--nodes") == 0 ? &options->nodes
           : strcmp(flag, "--jobs") == 0  ? &options->jobs
                                          : NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .seeds = 100, .jobs = 1};
    for (int i = 1; i < argc; i++) {
        uint64_t *number = number_of(&options, argv[i]);
        if (strcmp(argv[i], "--twice") == 0)
            options.twice = true;
        else if (strcmp(argv[i], "--first") == 0)
            options.first = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            options.verbose = true;
        else if (number && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else
            return usage();
    }
    if (options.nodes == 1 || options.nodes > SWARM_NODES_MAX || options.jobs < 1 ||
        options.jobs > JOBS_MAX)
        return usage();
    return options.jobs == 1 ? run_share(&options, 0) : run_jobs(&options);
}
