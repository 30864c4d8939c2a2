/* What the drivers have counted and what the kernel knows of this process (see agent_vitals.h). */
#include "agent/io/agent_vitals.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t process_resident_bytes(void)
{
    uint64_t total_pages, resident_pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &total_pages, &resident_pages) != 2)
        resident_pages = 0;
    fclose(file);
    return resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Without ".", ".." and the directory's own. */
static uint64_t process_open_descriptors(void)
{
    uint64_t entries = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    while (readdir(directory))
        entries++;
    closedir(directory);
    return entries > 3 ? entries - 3 : 0;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void vitals_of_process(struct vitals *vitals)
{
    struct rusage usage;
    struct rlimit limit;
    vitals->resident_bytes = process_resident_bytes();
    vitals->open_descriptors = process_open_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        vitals->descriptors_max = limit.rlim_cur;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        vitals->cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

void agent_vitals(struct vitals *ret_vitals, const struct loop *loop, const struct disk *disk,
                  const struct peers *peers)
{
    struct peers_statistics gossip = peers_statistics(peers);
    struct disk_statistics log = disk_statistics(disk);
    struct loop_statistics turns = loop_statistics(loop);
    *ret_vitals = (struct vitals){
        .gossip_sent = gossip.sent,
        .gossip_sent_bytes = gossip.sent_bytes,
        .gossip_received = gossip.received,
        .gossip_received_bytes = gossip.received_bytes,
        .gossip_dropped = gossip.dropped_full + gossip.dropped_stale + gossip.dropped_unsent,
        .gossip_broken = gossip.broken,
        .gossip_links = gossip.connected,
        .log_records = log.records,
        .log_bytes = log.bytes,
        .log_batches = log.batches,
        .log_failures = log.failures,
        .snapshots = log.snapshots,
        .log_room_bytes = log.room_bytes,
        .loop_turns = turns.turns,
        .loop_steps = turns.steps,
        .loop_late_max_ms = turns.late_max_ms,
        .loop_thaws = turns.thaws,
    };
    for (int kind = 0; kind < SEAL_KIND_COUNT; kind++)
        ret_vitals->gossip_refused += gossip.refused[kind];
    _Static_assert(sizeof ret_vitals->gossip_keys == sizeof gossip.key_ids, "as many keys");
    memcpy(ret_vitals->gossip_keys, gossip.key_ids, sizeof gossip.key_ids);
    ret_vitals->gossip_key_count = gossip.key_count;
    vitals_of_process(ret_vitals);
}

void agent_vitals_discovery(struct vitals *vitals, const struct discovery *discovery)
{
    static const char *const names[] = {
        [DISCOVERY_DNS] = "dns", [DISCOVERY_KUBERNETES] = "kubernetes"};
    _Static_assert((int)DISCOVERY_SOURCE_COUNT <= (int)VITALS_DISCOVERY_MAX, "room for all");
    struct discovery_statistics statistics = discovery_statistics(discovery);
    for (int i = 0; i < DISCOVERY_SOURCE_COUNT; i++)
        if (statistics.sources[i].asked)
            vitals->discovery[vitals->discovery_count++] = (struct vitals_discovery){
                names[i], statistics.sources[i].answered, statistics.sources[i].failed,
                statistics.sources[i].addresses};
}
