/* What the core costs: whole nodes, stepped in this process (loopback.h). Times are those of
 * node_step alone; a real agent adds its sockets and its disk (agent.py).
 *
 *     core_bench [SECTION...]      steps idle failover children puts fresh differ large */
#include <stdio.h>
#include <string.h>

#include "agent/core/key.h"
#include "agent/core/record.h"
#include "tests/bench/bench.h"
#include "tests/bench/loopback.h"

enum { REPEATS = 5 };

static size_t wanted_running; /* of running_all */

static bool running_all(struct loopback *loopback)
{
    size_t running = 0;
    for (size_t i = 0; i < loopback->count; i++)
        if (loopback->nodes[i].node)
            running += loopback->nodes[i].container_count; /* none of them ends here */
    return running >= wanted_running;
}

/* Nodes that see each other, and children of one workload that all run. */
static void cluster_begin(struct loopback *loopback, size_t nodes, uint32_t children)
{
    loopback_init(loopback, nodes);
    loopback_start_all(loopback);
    wanted_running = children;
    if (children > 0)
        loopback_put(loopback, 0, "web", children);
    if (!loopback_until(loopback, running_all, 120000))
        printf("! only %zu of %u children run\n", loopback_running(loopback), children);
    loopback_run(loopback, 5000);
}

static double busiest_ns(const struct loopback *loopback)
{
    double most = 0;
    for (size_t i = 0; i < loopback->count; i++)
        if (loopback->nodes[i].node && loopback->nodes[i].busy_ns > most)
            most = loopback->nodes[i].busy_ns;
    return most;
}

static double longest_step_ns(const struct loopback *loopback)
{
    double most = 0;
    for (size_t i = 0; i < loopback->count; i++)
        if (loopback->nodes[i].node && loopback->nodes[i].longest_step_ns > most)
            most = loopback->nodes[i].longest_step_ns;
    return most;
}

static uint64_t sent_bytes(const struct loopback *loopback)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < loopback->count; i++)
        bytes += loopback->nodes[i].sent_bytes;
    return bytes;
}

/* --- Steps ----------------------------------------------------------------------------------- */

static void bench_steps(void)
{
    enum { NODES = 100, CHILDREN = 1000, IDLE_MS = 20000 };
    struct loopback loopback;
    cluster_begin(&loopback, NODES, CHILDREN);
    loopback_reset(&loopback);
    loopback_run(&loopback, IDLE_MS);
    double busy_ns = 0, steps = 0, bytes = (double)sent_bytes(&loopback);
    for (size_t i = 0; i < NODES; i++) {
        busy_ns += loopback.nodes[i].busy_ns;
        steps += (double)loopback.nodes[i].steps;
    }
    bench_line("node-steps, 100 nodes, 1,000 children, idle",
               bench_text("%.0f k/s", steps / busy_ns * 1e6), "-", "-", "-");
    bench_line("  a core of one node, idle",
               bench_text("%.3f %%", busy_ns / NODES / IDLE_MS / 1e6 * 100),
               "Serf 0.18 %, Swarm 0.4-0.7 %", "0.1 %", "-");
    bench_line("  application bytes a node sends, idle",
               bench_text("%.0f B/s", bytes / NODES / IDLE_MS * 1e3), "-", "1,000 B/s", "-");
    loopback_release(&loopback);
}

/* --- Idle ------------------------------------------------------------------------------------ */

/* Names, claims and statuses count alike: the keys of a third as many children. */
static void idle_bytes(size_t nodes, const char *peer)
{
    enum { KEYS = 10000, IDLE_MS = 60000 };
    struct loopback loopback;
    cluster_begin(&loopback, nodes, KEYS / 3);
    loopback_reset(&loopback);
    loopback_run(&loopback, IDLE_MS);
    double bytes = (double)sent_bytes(&loopback) / IDLE_MS * 1e3;
    bench_line(bench_text("idle bytes of a node, %zu nodes, %zu keys", nodes,
                          query_counts(loopback.nodes[0].node).keys),
               bench_text("%.0f B/s", bytes / (double)nodes), peer, "1,000 B/s, 300 at 3", "-");
    loopback_release(&loopback);
}

/* Names in a random order, so that the caches of the processor help as little as they will in an
 * agent that does other things as well; or one name again and again. */
static double lookups_per_us(const struct node *node, unsigned distinct)
{
    enum { LOOKUPS = 500000, NAMES = 10000 };
    static char names[NAMES][16];
    double us[REPEATS];
    size_t found = 0;
    for (unsigned i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof names[i], "web-%u", i);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = bench_cpu_ns();
        for (unsigned i = 0; i < LOOKUPS; i++) {
            struct name_view view;
            found += query_name(node, "default", names[i * UINT64_C(7919) % distinct], &view);
        }
        us[repeat] = (bench_cpu_ns() - begin) / 1e3;
    }
    return (double)found / REPEATS / bench_median(us, REPEATS);
}

/* One dependent read of memory that no cache holds: each lookup needs a few. */
static double memory_read_ns(void)
{
    enum { PLACES = 1 << 22, READS = 1000000 };
    uint32_t *next = malloc(PLACES * sizeof *next), at = 0;
    for (uint32_t i = 0; i < PLACES; i++) /* one cycle through all, at odds with any prefetcher */
        next[i] = (uint32_t)((i * UINT64_C(2654435761) + 12345) % PLACES);
    double begin = bench_cpu_ns();
    for (int i = 0; i < READS; i++)
        at = next[at];
    double took = (bench_cpu_ns() - begin) / READS;
    free(next);
    return at == UINT32_MAX ? 0 : took;
}

static void idle_lookups(struct loopback *loopback)
{
    const struct node *node = loopback->nodes[0].node;
    bench_line("lookup of a name in the core, the same / any of 10,000",
               bench_text("%.2f / %.2f M/s", lookups_per_us(node, 1), lookups_per_us(node, 10000)),
               "Horde 0.86 local, 0.014 far", "10 M/s",
               bench_text("%.1f M/s: one cache miss", 1e3 / memory_read_ns()));
}

/* A member is cordoned and uncordoned: nothing moves, everything is thought over. */
static void idle_membership_change(struct loopback *loopback, const char *what, const char *goal)
{
    double blocked_ns[2 * REPEATS], total_ns[2 * REPEATS];
    for (int i = 0; i < 2 * REPEATS; i++) {
        struct request request = {.kind = REQUEST_SET_UNSCHEDULABLE, .flag = i % 2 == 0};
        TEXT_SET(request.name, loopback->nodes[2].name);
        loopback_reset(loopback);
        loopback_request(loopback, 0, &request);
        loopback_run(loopback, 500);
        blocked_ns[i] = longest_step_ns(loopback);
        total_ns[i] = busiest_ns(loopback);
    }
    bench_line(bench_text("one membership change, %s: a node is blocked", what),
               bench_text("%.2f ms (%.2f in all)", bench_median(blocked_ns, 2 * REPEATS) / 1e6,
                          bench_median(total_ns, 2 * REPEATS) / 1e6),
               "Horde 1 s at 10k", goal, "-");
}

static void bench_idle(void)
{
    enum { CHILDREN = 10000, IDLE_MS = 30000 };
    struct loopback loopback;
    size_t before = bench_heap_bytes();
    cluster_begin(&loopback, 3, 0);
    double empty = (double)(bench_heap_bytes() - before) / 3;
    loopback_release(&loopback);
    before = bench_heap_bytes();
    cluster_begin(&loopback, 3, CHILDREN);
    size_t ours = 0; /* the engine's table is not the node's */
    for (size_t i = 0; i < 3; i++)
        ours += loopback.nodes[i].container_capacity * sizeof(struct container);
    double full = (double)(bench_heap_bytes() - before - ours) / 3;
    bench_line("heap of a node, 0 / 10,000 children of 3 nodes",
               bench_text("%.1f / %.1f MB", empty / 1e6, full / 1e6), "Horde 50 / 178 MB",
               "10 / 25 MB (USS)", "-");
    loopback_reset(&loopback);
    loopback_run(&loopback, IDLE_MS);
    const struct loopback_node *self = &loopback.nodes[0];
    bench_line("a step at 10,000 children, idle: mean / longest",
               bench_text("%.1f us / %.2f ms", self->busy_ns / (double)self->steps / 1e3,
                          longest_step_ns(&loopback) / 1e6),
               "-", "- / 2 ms", "-");
    bench_line("  a core of one node, idle",
               bench_text("%.3f %%", self->busy_ns / IDLE_MS / 1e6 * 100),
               "Serf 0.18 %, Swarm 0.4-0.7 %", "0.1 %", "-");
    idle_lookups(&loopback);
    idle_membership_change(&loopback, "10,000 children", "2 ms");
    loopback_release(&loopback);
    idle_bytes(2, "Horde 19,000 B/s");
    idle_bytes(3, "Horde 37,000, Serf 290 B/s");
    idle_bytes(5, "Horde 74,000 B/s");
}

/* --- Failover -------------------------------------------------------------------------------- */

enum { LOST_NODE = 2 };

static bool verdict_known(struct loopback *loopback)
{
    return loopback_sees(loopback, 0, LOST_NODE, "dead") ||
           loopback_sees(loopback, 1, LOST_NODE, "dead");
}

/* From the begin of the turn in which the first survivor calls it dead: that turn also decides. */
static double failover_once(uint32_t children, double *ret_blocked_ns)
{
    struct loopback loopback;
    cluster_begin(&loopback, 3, children);
    size_t left = loopback.nodes[0].container_count + loopback.nodes[1].container_count;
    loopback_kill(&loopback, LOST_NODE);
    loopback_run(&loopback, 100);
    loopback.nodes[0].longest_step_ns = loopback.nodes[1].longest_step_ns = 0;
    loopback_until(&loopback, verdict_known, 30000);
    double before[2], issued_ns = 0;
    for (size_t i = 0; i < 2; i++)
        before[i] = loopback_sees(&loopback, i, LOST_NODE, "dead")
                        ? loopback.nodes[i].busy_before_turn_ns
                        : loopback.nodes[i].busy_ns;
    bool all = loopback_until(&loopback, running_all, 10000);
    for (size_t i = 0; i < 2; i++)
        if (loopback.nodes[i].busy_at_start_ns - before[i] > issued_ns)
            issued_ns = loopback.nodes[i].busy_at_start_ns - before[i];
    if (!all)
        printf("! %zu of %zu lost children run again\n", loopback_running(&loopback) - left,
               children - left);
    *ret_blocked_ns = longest_step_ns(&loopback);
    loopback_release(&loopback);
    return issued_ns;
}

static void failover(uint32_t children, const char *peer, const char *goal)
{
    double issued_ns[REPEATS], blocked_ns[REPEATS];
    for (int i = 0; i < REPEATS; i++)
        issued_ns[i] = failover_once(children, &blocked_ns[i]);
    bench_line(bench_text("verdict to last start issued, %u children", children),
               bench_text("%.2f ms (step %.2f ms)", bench_median(issued_ns, REPEATS) / 1e6,
                          bench_median(blocked_ns, REPEATS) / 1e6),
               peer, goal, "-");
}

static void bench_failover(void)
{
    failover(300, "Horde 28 ms, all running", "5 ms");
    failover(1000, "Horde 58 ms", "10 ms");
    failover(3000, "Horde 188 ms", "30 ms");
}

/* --- Children -------------------------------------------------------------------------------- */

/* One node, an engine that answers at once: claim, start, status, name. */
static void bench_children(void)
{
    enum { CHILDREN = 10000 };
    double seconds[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct loopback loopback;
        cluster_begin(&loopback, 1, 0);
        wanted_running = CHILDREN;
        loopback_reset(&loopback);
        loopback_put(&loopback, 0, "web", CHILDREN);
        loopback_until(&loopback, running_all, 120000);
        loopback_run(&loopback, 2000);
        seconds[repeat] = loopback.nodes[0].busy_ns / 1e9;
        loopback_release(&loopback);
    }
    bench_line("children claimed, started and named on one node, 10,000",
               bench_text("%.1f k/s", CHILDREN / bench_median(seconds, REPEATS) / 1e3),
               "Horde 2.5-5.5 k/s (start_child)", "20 k/s", "-");
}

/* --- Puts ------------------------------------------------------------------------------------ */

static uint64_t puts_expected;

static bool puts_answered(struct loopback *loopback)
{
    return loopback->nodes[0].replies_good + loopback->nodes[0].replies_bad >= puts_expected;
}

static double puts_once(struct loopback *loopback, unsigned callers, unsigned puts)
{
    loopback_reset(loopback);

    puts_expected = 0;
    for (unsigned i = 0; i < puts; i += callers) {
        for (unsigned j = i; j < i + callers; j++) {
            char name[32];
            snprintf(name, sizeof name, "w%u", j);
            loopback_put(loopback, 0, name, 0);
        }
        puts_expected += callers;
        loopback_until(loopback, puts_answered, 10000);
    }
    if (loopback->nodes[0].replies_good != puts)
        printf("! %llu of %u puts were good\n", (unsigned long long)loopback->nodes[0].replies_good,
               puts);
    return busiest_ns(loopback) / 1e9;
}

static void bench_puts(void)
{
    enum { PUTS = 10000 };
    double one[REPEATS], fifty[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct loopback loopback;
        cluster_begin(&loopback, 3, 0);
        one[repeat] = puts_once(&loopback, 1, PUTS);
        fifty[repeat] = puts_once(&loopback, 50, PUTS);
        loopback_release(&loopback);
    }
    bench_line("puts of workloads acknowledged by a peer, 1 caller",
               bench_text("%.1f k/s", PUTS / bench_median(one, REPEATS) / 1e3),
               "Horde 2.5 k/s (start_child)", "-", "-");
    bench_line("puts of workloads acknowledged by a peer, 50 callers",
               bench_text("%.1f k/s", PUTS / bench_median(fifty, REPEATS) / 1e3), "Horde 5.5 k/s",
               "20 k/s", "-");
}

/* --- A fresh replica ------------------------------------------------------------------------- */

/* Takes the value. Returns the bytes of key and value. */
static size_t disk_put(struct awmap *disk, struct key key, struct buffer value)
{
    size_t bytes = key.bytes + value.bytes;
    uint64_t hlc = (uint64_t)(awmap_writer_counter(disk) + 1) << 16;
    awmap_put(disk, key_span(&key), buffer_view(&value), hlc);
    awmap_changed_clear(disk);
    buffer_release(&value);
    return bytes;
}

static size_t disk_put_workload(struct awmap *disk, const char *name, uint32_t replicas)
{
    struct workload workload;
    struct buffer value = {0};
    loopback_workload(&workload, name, replicas);
    workload_encode(&workload, &value);
    return disk_put(disk, key_workload(workload.ns, name), value);
}

/* Claim and status of a child that has ended for good, so that nothing is to be run. */
static size_t disk_put_child(struct awmap *disk, uint32_t ordinal)
{
    struct child_id id = {.ns = "default", .workload = "job", .ordinal = ordinal};
    struct workload workload;
    loopback_workload(&workload, "job", 0);
    struct claim claim = {.epoch = 1,
                          .node = "node-7",
                          .replica = 7,
                          .spec_hash = workload.spec_hash,
                          .state = CLAIM_FINISHED};
    struct status status = {.epoch = 1,
                            .phase = CHILD_SUCCEEDED,
                            .spec_hash = workload.spec_hash,
                            .started_ms = 1700000000000,
                            .finished_ms = 1700000001000,
                            .has_exit_code = true};
    TEXT_SET(claim.uid, workload.uid);
    TEXT_SET(status.uid, workload.uid);
    struct buffer values[2] = {0};
    claim_encode(&claim, &values[0]);
    status_encode(&status, &values[1]);
    return disk_put(disk, key_claim(&id), values[0]) + disk_put(disk, key_status(&id), values[1]);
}

static struct awmap *disk_of(unsigned keys, size_t *ret_content)
{
    struct awmap *disk = awmap_new();
    awmap_set_writer(disk, 999, 0);
    *ret_content = disk_put_workload(disk, "job", keys / 2);
    for (unsigned i = 0; i < keys / 2; i++)
        *ret_content += disk_put_child(disk, i);
    return disk;
}

static bool maps_equal(struct loopback *loopback)
{
    return query_digest(loopback->nodes[0].node) == query_digest(loopback->nodes[1].node);
}

static void fresh_once(const struct awmap *disk, double *ret_ms, double *ret_bytes)
{
    struct loopback loopback;
    loopback_init(&loopback, 2);
    loopback_start(&loopback, 0, disk);
    loopback_run(&loopback, 12000); /* it waits for peers that its disk may know, and settles */
    loopback_reset(&loopback);
    double begin = bench_cpu_ns();
    loopback_start(&loopback, 1, NULL);
    if (!loopback_until(&loopback, maps_equal, 10000))
        printf("! %zu keys arrived\n", query_counts(loopback.nodes[1].node).keys);
    *ret_ms = (bench_cpu_ns() - begin) / 1e6;
    *ret_bytes = (double)sent_bytes(&loopback);
    loopback_release(&loopback);
}

static void fresh(unsigned keys, const char *peer, const char *goal)
{
    size_t content;
    double ms[REPEATS], bytes[REPEATS];
    struct awmap *disk = disk_of(keys, &content);
    for (int i = 0; i < REPEATS; i++)
        fresh_once(disk, &ms[i], &bytes[i]);
    double sent = bench_median(bytes, REPEATS);
    bench_line(bench_text("a fresh node catches up, %u keys of %zu B", keys, content / keys),
               bench_text("%.0f ms, %.2f MB (%.2fx)", bench_median(ms, REPEATS), sent / 1e6,
                          sent / (double)content),
               peer, goal, "-");
    awmap_free(disk);
}

static void bench_fresh(void)
{
    fresh(10000, "delta_crdt 146 ms, 5.5 MB", "20 ms, 1.1x");
    fresh(30000, "delta_crdt 572 ms, 20 MB", "60 ms, 1.1x");
    fresh(150000, "-", "500 ms, 1.1x");
}

/* --- Ten differ ------------------------------------------------------------------------------ */

/* The second node comes back with a disk on which five keys are missing and five are that the first
 * has never seen. From its first message, which asks to join, to equal maps: one round trip is the
 * greeting's, and its bytes and both member records are counted too. */
static void bench_differ(void)
{
    enum { KEYS = 30000, DELAY_MS = 50 };
    size_t content;
    double ms[REPEATS], bytes[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct awmap *disks[2] = {disk_of(KEYS, &content), disk_of(KEYS, &content)};
        struct loopback loopback;
        loopback_init(&loopback, 2);
        loopback.delay_ms = DELAY_MS;
        for (size_t i = 0; i < 2; i++) {
            awmap_set_writer(disks[i], 990 + i, 0);
            for (unsigned j = 0; j < 5; j++) {
                char name[32];
                snprintf(name, sizeof name, "new-%u", 2 * j + (unsigned)i);
                disk_put_workload(disks[i], name, 0);
            }
        }
        loopback_start(&loopback, 0, disks[0]);
        loopback_run(&loopback, 20000 + (uint64_t)repeat * 130);
        loopback_reset(&loopback);
        loopback_start(&loopback, 1, disks[1]);
        if (!loopback_until(&loopback, maps_equal, 20000))
            printf("! the maps still differ\n");
        ms[repeat] = (double)(loopback.now_ms - loopback.first_sent_ms);
        bytes[repeat] = (double)sent_bytes(&loopback);
        loopback_release(&loopback);
        awmap_free(disks[0]);
        awmap_free(disks[1]);
    }
    bench_line(bench_text("two nodes of %d keys differ in ten: join to equal", KEYS),
               bench_text("%.1f RTT, %.1f KB", bench_median(ms, REPEATS) / (2 * DELAY_MS),
                          bench_median(bytes, REPEATS) / 1e3),
               "delta_crdt 9.2 ms, 372 KB", "1 + 2 RTT, 4 KB", "-");
}

/* --- Large ----------------------------------------------------------------------------------- */

static void bench_large(void)
{
    enum { CHILDREN = 150000 };
    struct loopback loopback;
    loopback_init(&loopback, 3);
    loopback_start_all(&loopback);
    wanted_running = CHILDREN;
    double begin = bench_cpu_ns();
    loopback_put(&loopback, 0, "web", CHILDREN / 2);
    loopback_put(&loopback, 0, "job", CHILDREN / 2);
    if (!loopback_until(&loopback, running_all, 120000))
        printf("! only %zu of %d children run\n", loopback_running(&loopback), CHILDREN);
    loopback_run(&loopback, 5000);
    bench_line("150,000 children on 3 nodes: apply to all running",
               bench_text("%.1f s (busiest %.1f s)", (bench_cpu_ns() - begin) / 1e9,
                          busiest_ns(&loopback) / 1e9),
               "-", "-", "-");
    loopback_reset(&loopback);
    loopback_run(&loopback, 20000);
    bench_line("a step at 150,000 children, idle: longest",
               bench_text("%.2f ms", longest_step_ns(&loopback) / 1e6), "-", "-", "-");
    idle_membership_change(&loopback, "150,000 children", "-");
    loopback_release(&loopback);
}

int main(int count, char **names)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } sections[] = {{"steps", bench_steps},       {"idle", bench_idle},
                    {"failover", bench_failover}, {"children", bench_children},
                    {"puts", bench_puts},         {"fresh", bench_fresh},
                    {"differ", bench_differ},     {"large", bench_large}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        bool asked = count == 1;
        for (int j = 1; j < count; j++)
            asked = asked || strcmp(names[j], sections[i].name) == 0;
        if (asked)
            sections[i].run();
    }
    return 0;
}
