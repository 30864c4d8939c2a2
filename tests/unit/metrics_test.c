/* What /metrics says of a node whose state is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/metrics.h"
#include "restored_node.h"

/* Zero-terminated; the caller releases it. */
static struct buffer scrape(const struct node *node, const struct vitals *vitals)
{
    struct buffer out = {0};
    metrics_write(&out, node, vitals);
    buffer_u8(&out, 0);
    return out;
}

static bool says(const struct buffer *out, const char *line)
{
    char framed[256];
    snprintf(framed, sizeof framed, "\n%s\n", line);
    bool found = strstr((const char *)out->data, framed) != NULL;
    if (!found)
        printf("\nmissing: %s\n", line);
    return found;
}

static void put_claim(struct awmap *disk, uint32_t ordinal, const char *node,
                      enum claim_state state)
{
    struct claim claim = claim_of(node, 1);
    claim.state = state;
    disk_put_claim(disk, child_id_of("default", "web", ordinal), claim);
}

static void children_and_members_are_counted(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 5);
    disk_member(disk, "a");
    disk_member(disk, "b");
    disk_member(disk, "c");
    put_claim(disk, 0, "b", CLAIM_CLAIMED);
    put_claim(disk, 1, "b", CLAIM_CLAIMED);
    put_claim(disk, 2, "c", CLAIM_RELEASED);
    struct rig rig = rig_start(disk, "a");
    rig_hear(&rig, "b");
    struct buffer out = scrape(rig.node, NULL);
    CU_ASSERT(says(&out, "hordelet_members{phase=\"alive\"} 2"));
    CU_ASSERT(says(&out, "hordelet_members{phase=\"uninitialized\"} 1"));
    CU_ASSERT(says(&out, "hordelet_total_members_count 3"));
    CU_ASSERT(says(&out, "hordelet_alive_members_count 2"));
    CU_ASSERT(says(&out, "hordelet_events_total{reason=\"AgentStarted\"} 1"));
    CU_ASSERT(says(&out, "hordelet_workloads 1"));
    size_t others = query_supervised(rig.node, SUPERVISOR_DEFAULT).global -
                    query_supervised(rig.node, SUPERVISOR_DEFAULT).local;
    CU_ASSERT_EQUAL(others, 2);
    CU_ASSERT(
        says(&out, "hordelet_supervised_process_count{supervisor=\"quorum\",scope=\"global\"} 0"));
    CU_ASSERT(says(&out, "hordelet_quorum{supervisor=\"quorum\"} 0")); /* it has no electorate */
    CU_ASSERT(says(&out, "hordelet_electorate_version{supervisor=\"quorum\"} 0"));
    CU_ASSERT(says(&out, "hordelet_leases{supervisor=\"quorum\",state=\"held\"} 0"));
    CU_ASSERT(says(&out, "hordelet_lease_renewals_total{supervisor=\"quorum\"} 0"));
    CU_ASSERT(says(&out, "hordelet_leases_lost_total{supervisor=\"quorum\"} 0"));
    CU_ASSERT_EQUAL(strstr((const char *)out.data, "hordelet_lease_left_milliseconds{"), NULL);
    CU_ASSERT(says(&out, "hordelet_lease_grants 0"));
    CU_ASSERT_EQUAL(strstr((const char *)out.data, "process_cpu_seconds_total"), NULL);
    buffer_release(&out);
    rig_free(&rig);
}

static uint64_t digest_of(const char *workload)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", workload, 1);
    struct rig rig = rig_start(disk, "a");
    struct buffer out = scrape(rig.node, NULL);
    const char *line = strstr((const char *)out.data, "\nhordelet_map_digest ");
    uint64_t digest = line ? strtoull(line + strlen("\nhordelet_map_digest "), NULL, 10) : 0;
    buffer_release(&out);
    rig_free(&rig);
    return digest;
}

/* Alerts compare it: the same for the same content, another for another, and exact in a double. */
static void the_digest_tells_maps_apart(void)
{
    CU_ASSERT(digest_of("web") != 0);
    CU_ASSERT_EQUAL(digest_of("web"), digest_of("web"));
    CU_ASSERT(digest_of("web") != digest_of("api"));
    CU_ASSERT(digest_of("web") < UINT64_C(1) << 53);
}

/* All phases together are all children; each sample belongs to a family that was announced. */
static void the_text_is_well_formed(void)
{
    struct awmap *disk = disk_new();
    disk_workload(disk, "default", "web", 7);
    disk_member(disk, "b");
    struct rig rig = rig_start(disk, "a");
    struct vitals vitals = {
        .gossip_sent = 17, .discovery = {{"dns", 41, 2, 3}}, .discovery_count = 1, .cpu_s = 1.5};
    struct buffer out = scrape(rig.node, &vitals);
    CU_ASSERT(says(&out, "hordelet_gossip_sent_messages_total 17"));
    CU_ASSERT(says(&out, "process_cpu_seconds_total 1.50"));
    CU_ASSERT(says(&out, "hordelet_discovery_addresses{source=\"dns\"} 3"));
    CU_ASSERT(says(&out, "hordelet_discovery_answers_total{source=\"dns\",result=\"failed\"} 2"));
    char family[128] = "";
    size_t children = 0, samples = 0;
    for (char *line = strtok((char *)out.data, "\n"); line; line = strtok(NULL, "\n")) {
        size_t count;
        if (sscanf(line, "# TYPE %127s", family) == 1 || strncmp(line, "# HELP ", 7) == 0)
            continue;
        CU_ASSERT(strncmp(line, family, strlen(family)) == 0);
        CU_ASSERT(strchr("{ ", line[strlen(family)]) != NULL);
        samples++;
        if (strcmp(family, "hordelet_children") == 0 && sscanf(strchr(line, ' '), "%zu", &count))
            children += count;
    }
    CU_ASSERT_EQUAL(children, 7);
    CU_ASSERT(samples > 30);
    buffer_release(&out);
    rig_free(&rig);
}

UNIT_MAIN("metrics", {"children and members are counted", children_and_members_are_counted},
          {"the digest tells maps apart", the_digest_tells_maps_apart},
          {"the text is well formed", the_text_is_well_formed})
