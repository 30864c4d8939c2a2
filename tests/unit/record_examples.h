/* Records with every field at a value of its own, texts as long as they may be. */
#ifndef TESTS_RECORD_EXAMPLES_H
#define TESTS_RECORD_EXAMPLES_H

#include <string.h>

#include "agent/core/record.h"
#include "placement/ring.h"

#define UID_EXAMPLE "0189d5d1-7a5c-4a0e-9a53-6f2c9e0b1a11"

static inline void fill(char *field, size_t field_bytes, char letter)
{
    memset(field, letter, field_bytes - 1);
    field[field_bytes - 1] = 0;
}
#define FILL(field, letter) fill((field), sizeof(field), (letter))

static inline struct claim example_claim(void)
{
    struct claim claim = {.epoch = RECORD_EPOCH_MAX,
                          .replica = 0x0123456789abcdef,
                          .uid = UID_EXAMPLE,
                          .spec_hash = 0xfedcba9876543210,
                          .state = CLAIM_FINISHED};
    FILL(claim.node, 'n');
    return claim;
}

static inline struct status example_status(void)
{
    struct status status = {.uid = UID_EXAMPLE,
                            .epoch = 12,
                            .replica = UINT64_MAX - 1,
                            .phase = CHILD_CRASH_LOOP_BACK_OFF,
                            .ready = true,
                            .restarts = UINT32_MAX,
                            .backoff_level = 64,
                            .spec_hash = UINT64_MAX,
                            .started_ms = 1700000000001,
                            .ready_ms = 1700000000002,
                            .finished_ms = 1700000000003,
                            .has_exit_code = true,
                            .exit_code = INT32_MIN};
    FILL(status.container_id, 'c');
    FILL(status.reason, 'r');
    FILL(status.message, 'm');
    return status;
}

static inline struct name_record example_name(void)
{
    struct name_record name = {.owner = {.ordinal = REPLICAS_MAX - 1},
                               .uid = UID_EXAMPLE,
                               .replica = 7,
                               .claim_epoch = 8,
                               .epoch = 9,
                               .port = UINT16_MAX,
                               .value_set = true,
                               .value = xstrdup("{\"tier\":\"gold\"}")};
    FILL(name.owner.ns, 's');
    FILL(name.owner.workload, 'w');
    FILL(name.node, 'n');
    FILL(name.address, 'a');
    return name;
}

static inline struct name_record example_outside(void)
{
    struct name_record name = {.outside = xcalloc(1, sizeof *name.outside),
                               .replica = 7,
                               .epoch = 9,
                               .port = 5432,
                               .value = xstrdup("\"gold\"")};
    struct name_outside *outside = name.outside;
    FILL(name.node, 'n');
    FILL(name.address, 'a');
    memset(outside->owner, 0xab, sizeof outside->owner);
    outside->ttl_ms = OUTSIDE_TTL_MS_MAX;
    outside->labels = xcalloc(LABELS_MAX, sizeof *outside->labels);
    outside->label_count = LABELS_MAX;
    for (size_t i = 0; i < LABELS_MAX; i++)
        outside->labels[i] = (struct label){xstrdup("app"), xstrdup("db")};
    return name;
}

static inline struct member_record example_member(void)
{
    struct member_record member = {.join_counter = 2000000000,
                                   .replica = 1,
                                   .writer = UINT64_MAX,
                                   .weight = RING_WEIGHT_MAX,
                                   .capacity = UINT32_MAX,
                                   .cordon = {.unschedulable = true},
                                   .wish = WISH_LEFT,
                                   .away_ms = DETACH_MS_MAX,
                                   .joined_ms = 1700000000123,
                                   .labels = xcalloc(2, sizeof(struct label)),
                                   .label_count = 2,
                                   .declined = xcalloc(2, sizeof(struct declined)),
                                   .declined_count = 2,
                                   .full = xcalloc(2, sizeof(struct full)),
                                   .full_count = 2};
    FILL(member.gossip_address, 'g');
    FILL(member.api_address, 'a');
    FILL(member.zone, 'z');
    FILL(member.agent_version, 'v');
    FILL(member.runtime_name, 'r');
    FILL(member.runtime_version, 's');
    member.labels[0] = (struct label){xstrdup("disk"), xstrdup("ssd")};
    member.labels[1] = (struct label){xstrdup("k"), xstrdup("")};
    member.declined[1] =
        (struct declined){{"default", "web", 3}, .epoch = 4, .until_ms = 1700000000456};
    TEXT_SET(member.declined[0].child.ns, "a");
    TEXT_SET(member.declined[0].child.workload, "b");
    FILL(member.declined[1].reason, 'i');
    FILL(member.full[0].supervisor, 's');
    FILL(member.full[0].reason, 'r');
    member.full[0].priority = INT32_MIN;
    member.full[1].priority = INT32_MAX;
    member.full[1].until_ms = UINT64_MAX;
    return member;
}

#endif
