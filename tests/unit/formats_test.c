/* What agents of before have written is read for ever: golden bytes of each format and version of
 * the map's values and of the disk, and of the messages by which members, leases, electorates and
 * pushes get along, in tests/golden/formats.txt, one a line. A format is changed by a new version,
 * whose line is added; no line is ever changed or taken out.
 *
 *     FORMATS_WRITE=1 build/release/tests/formats_test      appends the lines that are missing */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/document.h"
#include "agent/core/electorate_private.h"
#include "agent/core/envelope.h"
#include "agent/core/lease.h"
#include "agent/core/node_private.h"
#include "agent/core/record.h"
#include "agent/core/swim_message.h"
#include "agent/io/disk_format.h"
#include "crdt/exchange.h"
#include "restored_node.h"

#define GOLDEN "tests/golden/formats.txt"
#define UID_EXAMPLE "0189d5d1-7a5c-4a0e-9a53-6f2c9e0b1a11"

enum { LINE_BYTES_MAX = 16 * 1024 };

/* ---- what is written: one example of each ---- */

static struct claim claim_example(void)
{
    struct claim claim = {.epoch = 300,
                          .replica = 0x0123456789abcdef,
                          .uid = UID_EXAMPLE,
                          .spec_hash = 77,
                          .state = CLAIM_CLAIMED};
    TEXT_SET(claim.node, "a");
    return claim;
}

static void make_claim(struct buffer *out)
{
    struct claim claim = claim_example();
    claim_encode(&claim, out);
}

static void make_claim_offer(struct buffer *out)
{
    struct claim claim = claim_example();
    struct offer offer = {.start_first = true, .replica = 5, .epoch = 301};
    TEXT_SET(offer.node, "b");
    claim.offer = &offer;
    claim_encode(&claim, out);
}

static void make_status(struct buffer *out)
{
    struct status status = {.uid = UID_EXAMPLE,
                            .epoch = 300,
                            .replica = 9,
                            .phase = CHILD_RUNNING,
                            .ready = true,
                            .restarts = 2,
                            .backoff_level = 3,
                            .spec_hash = 77,
                            .started_ms = 1700000000000,
                            .ready_ms = 1700000000500,
                            .has_exit_code = true,
                            .exit_code = -1};
    TEXT_SET(status.container_id, "abc");
    TEXT_SET(status.reason, "Error");
    TEXT_SET(status.message, "exit code 1");
    status_encode(&status, out);
}

static void make_name(struct buffer *out)
{
    static char value[] = "{\"tier\":\"gold\"}";
    struct name_record name = {.uid = UID_EXAMPLE,
                               .replica = 7,
                               .claim_epoch = 8,
                               .epoch = 9,
                               .port = 8080,
                               .value_set = true,
                               .value = value};
    TEXT_SET(name.owner.ns, "default");
    TEXT_SET(name.owner.workload, "web");
    TEXT_SET(name.node, "a");
    TEXT_SET(name.address, "10.0.0.1");
    name_record_encode(&name, out);
}

static void make_name_outside(struct buffer *out)
{
    static char key[] = "app", label[] = "db", value[] = "\"gold\"";
    struct label labels[] = {{key, label}};
    struct name_outside outside = {
        .owner = {1, 2, 3}, .ttl_ms = 30000, .labels = labels, .label_count = 1};
    struct name_record name = {
        .outside = &outside, .replica = 7, .epoch = 9, .port = 5432, .value = value};
    TEXT_SET(name.node, "a");
    TEXT_SET(name.address, "10.0.0.1");
    name_record_encode(&name, out);
}

static void member_example(struct buffer *out, int version)
{
    struct declined declined = {.epoch = 4, .until_ms = 1700000000000};
    struct member_record member = {.join_counter = 3,
                                   .replica = 1,
                                   .writer = 2,
                                   .weight = 100,
                                   .runtime_healthy = true,
                                   .wish = WISH_IN,
                                   .joined_ms = 1700000000123};
    TEXT_SET(declined.child.ns, "default");
    TEXT_SET(declined.child.workload, "web");
    TEXT_SET(declined.reason, "ImagePull");
    TEXT_SET(member.gossip_address, "10.0.0.1:7370");
    TEXT_SET(member.api_address, "127.0.0.1:7371");
    TEXT_SET(member.agent_version, "0.1.0");
    member.declined = &declined;
    member.declined_count = version >= 2;
    member.cordon.unschedulable = version >= 3;
    member.cordon.version = version >= 3 ? 6 : 0;
    member.cpu_milli = version >= 4 ? 4000 : 0;
    member_record_encode(&member, out);
}

static void make_member_1(struct buffer *out)
{
    member_example(out, 1);
}

static void make_member_2(struct buffer *out)
{
    member_example(out, 2);
}

static void make_member_3(struct buffer *out)
{
    member_example(out, 3);
}

static void make_member_4(struct buffer *out)
{
    member_example(out, 4);
}

static void workload_example(struct buffer *out, int version)
{
    static char document[] = "{\"kind\":\"Workload\"}";
    struct workload workload = workload_of("default", "web", 3);
    workload.document = document;
    workload.document_bytes = sizeof document - 1;
    workload.cpu_milli = version >= 3 ? 500 : 0;
    if (version >= 2)
        workload.probes[PROBE_READINESS] = (struct probe){.period_seconds = 10,
                                                          .timeout_seconds = 1,
                                                          .success_threshold = 1,
                                                          .failure_threshold = 3};
    workload_encode(&workload, out);
}

static void make_workload_1(struct buffer *out)
{
    workload_example(out, 1);
}

static void make_workload_2(struct buffer *out)
{
    workload_example(out, 2);
}

static void make_workload_3(struct buffer *out)
{
    workload_example(out, 3);
}

static void make_supervisor(struct buffer *out)
{
    static char document[] = "{}", members[][NAME_BYTES_MAX + 1] = {"a", "b", "c"};
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, "voters");
    TEXT_SET(supervisor.uid, UID_EXAMPLE);
    supervisor.members = members;
    supervisor.member_count = 3;
    supervisor.members_auto = false;
    supervisor.document = document;
    supervisor.document_bytes = 2;
    supervisor_encode(&supervisor, out);
}

static void make_meta(struct buffer *out)
{
    meta_encode("[1]", out);
}

static void make_state(struct buffer *out)
{
    struct state_record state = {.id = {300, 9, 5}, .uid = UID_EXAMPLE, .bytes = 3, .hash = 4};
    TEXT_SET(state.node, "a");
    state_record_encode(&state, out);
}

static void make_rebalance(struct buffer *out)
{
    struct rebalance rebalance = {.asked_ms = 1700000000000};
    TEXT_SET(rebalance.node, "a");
    rebalance_encode(&rebalance, out);
}

static void make_join(struct buffer *out)
{
    struct greeting greeting = {.replica = 1, .boot = 2};
    struct envelope envelope = {.type = MESSAGE_JOIN, .cluster = envelope_cluster("default")};
    struct buffer body = {0};
    TEXT_SET(greeting.address, "10.0.0.1:7370");
    TEXT_SET(greeting.contact, "10.0.0.2:7370");
    TEXT_SET(envelope.from, "a");
    greeting_encode(&greeting, &body);
    envelope.body = buffer_view(&body);
    envelope_encode(&envelope, out);
    buffer_release(&body);
}

static void make_swim(struct buffer *out)
{
    struct swim_message message = {.kind = SWIM_PING,
                                   .incarnation = 5,
                                   .sequence = 6,
                                   .has_payload = true,
                                   .address = span_text("10.0.0.1:7370")};
    struct swim_rumour_text rumour = {.kind = RUMOUR_SUSPECT,
                                      .name = span_text("b"),
                                      .incarnation = 7,
                                      .accuser = span_text("c")};
    memset(message.payload, 0xab, sizeof message.payload);
    swim_message_encode(out, &message);
    swim_rumour_encode(out, &rumour);
}

static void make_lease_ask(struct buffer *out)
{
    struct lease_item add = {.epoch = 4};
    struct lease_ask ask = {.term = {.version = 1},
                            .replica = 1,
                            .boot = 2,
                            .session = 3,
                            .number = 4,
                            .generation = 0,
                            .acceptor_session = 6,
                            .adds = &add,
                            .add_count = 1};
    TEXT_SET(ask.supervisor, "voters");
    TEXT_SET(add.child.ns, "default");
    TEXT_SET(add.child.workload, "single");
    lease_ask_encode(&ask, out);
}

static void make_lease_grant(struct buffer *out)
{
    struct lease_grant grant = {.term = {.version = 1},
                                .replica = 1,
                                .session = 2,
                                .holder_session = 3,
                                .number = 4,
                                .verdict = LEASE_EXTENDED,
                                .generation = 5};
    TEXT_SET(grant.supervisor, "voters");
    lease_grant_encode(&grant, out);
}

static struct electorate_record electorate_example(void)
{
    struct electorate_record record = {.term = {1, 2, 7}, .generation = 3, .old_count = 1};
    record.now = (struct electorate){
        .members = {{"a", 1}, {"b", 2}, {"c", 3}}, .count = 3, .lease_seconds = 5};
    record.olds[0] = (struct electorate){.members = {{"a", 1}}, .count = 1, .lease_seconds = 60};
    return record;
}

static void make_electorate(struct buffer *out)
{
    struct electorate_record record = electorate_example();
    electorate_record_encode(&record, out);
}

static void make_step(struct buffer *out)
{
    struct step_message step = {.kind = STEP_ACCEPT,
                                .replica = 1,
                                .era = 1,
                                .version = 2,
                                .ballot = {4, 1},
                                .has_record = true,
                                .record = electorate_example()};
    TEXT_SET(step.supervisor, "voters");
    step_encode(&step, out);
}

/* What an acceptor has granted. */
static void make_grants(struct buffer *out)
{
    struct lease_acceptor *acceptor = lease_acceptor_new(1);
    struct lease_item add = {.child = {.ns = "default", .workload = "single"}, .epoch = 4};
    struct lease_ask ask = {.supervisor = "voters",
                            .term = {1, 2, 7},
                            .replica = 1,
                            .boot = 2,
                            .session = 3,
                            .number = 4,
                            .adds = &add,
                            .add_count = 1};
    struct lease_asked asked = {.holder = "a", .replica = 9, .lease_ms = 5000, .may_record = true};
    struct lease_grant grant;
    CU_ASSERT(lease_acceptor_ask(acceptor, 1000, &ask, &asked, &grant, out));
    lease_grant_release(&grant);
    lease_acceptor_free(acceptor);
}

static struct awmap *map_example(void)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, 9, 0);
    awmap_put(map, span_text("k1"), span_text("one"), 5000);
    awmap_put(map, span_text("k2"), span_text("two"), 5001);
    awmap_remove(map, span_text("k2"));
    return map;
}

static void make_push(struct buffer *out)
{
    struct awmap *map = map_example();
    awmap_push_cut(map, 0, 65536, out);
    awmap_free(map);
}

static void make_entry(struct buffer *out)
{
    struct awmap *map = map_example();
    awmap_entry_record(awmap_next_any(map, NULL), out);
    awmap_free(map);
}

static void make_vectors(struct buffer *out)
{
    struct awmap *map = map_example();
    awmap_vectors_record(map, out);
    awmap_free(map);
}

/* All kinds of items that stand in a log: who it is, what it has granted and voted, a map. */
static void make_disk(struct buffer *out)
{
    struct node *node = node_called("a", 1);
    struct ballot_box *box = box_make(node, "voters");
    struct buffer item = {0};
    node->durable = (struct durable){.replica = 1, .writer = 2, .boot = 3, .counter_ceiling = 4};
    make_grants(&item);
    CU_ASSERT(lease_acceptor_restore(node->leases.acceptor, buffer_view(&item)));
    box->has_adopted = box->has_accepted = true;
    box->adopted = box->accepted = electorate_example();
    box->era = 1;
    box->version = 3;
    box->promised = (struct ballot){6, 2};
    box->accepted_ballot = (struct ballot){5, 1};
    buffer_clear(&item);
    make_entry(&item);
    CU_ASSERT(awmap_restore(node->map, buffer_view(&item)));
    node_disk(node, out);
    node_free(node);
    buffer_release(&item);
}

static void make_segment(struct buffer *out)
{
    disk_format_segment(out, 3);
    disk_format_record(out, 3, 8, span_text("one"));
    disk_format_record(out, 3, 9, span_text("two"));
}

static void make_snapshot(struct buffer *out)
{
    struct buffer records = {0};
    buffer_span(&records, span_text("one"));
    disk_format_snapshot(out, &(struct disk_snapshot_header){7, 2}, buffer_view(&records));
    buffer_release(&records);
}

/* ---- how it is read: written again, it is the same or of a later version ---- */

#define READ_AGAIN(kind, decode, encode, release)                   \
    static bool again_##kind(struct span value, struct buffer *out) \
    {                                                               \
        struct kind read;                                           \
        memset(&read, 0, sizeof read);                              \
        if (!decode(&read, value))                                  \
            return false;                                           \
        encode(&read, out);                                         \
        release(&read);                                             \
        return true;                                                \
    }
#define NOTHING(pointer) ((void)(pointer))

READ_AGAIN(status, status_decode, status_encode, NOTHING)
READ_AGAIN(name_record, name_record_decode, name_record_encode, name_record_release)
READ_AGAIN(member_record, member_record_decode, member_record_encode, member_record_release)
READ_AGAIN(workload, workload_decode, workload_encode, workload_release)
READ_AGAIN(supervisor, supervisor_decode, supervisor_encode, supervisor_release)
READ_AGAIN(state_record, state_record_decode, state_record_encode, NOTHING)
READ_AGAIN(electorate_record, electorate_record_decode, electorate_record_encode, NOTHING)
READ_AGAIN(step_message, step_decode, step_encode, NOTHING)
READ_AGAIN(rebalance, rebalance_decode, rebalance_encode, NOTHING)
READ_AGAIN(lease_ask, lease_ask_decode, lease_ask_encode, lease_ask_release)
READ_AGAIN(lease_grant, lease_grant_decode, lease_grant_encode, lease_grant_release)

static bool again_claim(struct span value, struct buffer *out)
{
    struct claim claim;
    struct offer offer;
    if (!claim_decode(&claim, &offer, value))
        return false;
    claim_encode(&claim, out);
    return true;
}

static bool again_meta(struct span value, struct buffer *out)
{
    char *meta = meta_decode(value);
    if (meta)
        meta_encode(meta, out);
    free(meta);
    return meta != NULL;
}

static bool again_join(struct span value, struct buffer *out)
{
    struct envelope envelope;
    struct greeting greeting;
    struct buffer body = {0};
    if (!envelope_decode(&envelope, value) || !greeting_decode(&greeting, envelope.body))
        return false;
    greeting_encode(&greeting, &body);
    envelope.body = buffer_view(&body);
    envelope_encode(&envelope, out);
    buffer_release(&body);
    return true;
}

static bool again_swim(struct span value, struct buffer *out)
{
    struct swim_message message;
    struct swim_rumour_text rumour;
    if (!swim_message_decode(&message, value))
        return false;
    struct reader reader = reader_of(message.rumours);
    swim_message_encode(out, &message);
    while (swim_rumour_decode(&reader, &rumour))
        swim_rumour_encode(out, &rumour);
    return true;
}

static bool again_push(struct span value, struct buffer *out)
{
    struct awmap *map = awmap_new();
    struct awmap_push_result result;
    bool good = awmap_push_apply(map, value, &result);
    if (good)
        awmap_vectors_record(map, out); /* it has become what the other one knew */
    awmap_free(map);
    struct buffer wanted = {0};
    make_vectors(&wanted);
    good &= span_equal(buffer_view(&wanted), buffer_view(out));
    buffer_clear(out);
    buffer_append(out, value.data, value.bytes);
    buffer_release(&wanted);
    return good;
}

static bool again_stored(struct span value, struct buffer *out)
{
    struct awmap *map = awmap_new();
    bool good = awmap_restore(map, value);
    awmap_free(map);
    buffer_append(out, value.data, value.bytes);
    return good;
}

static bool again_disk(struct span value, struct buffer *out)
{
    struct node *node = node_called("a", 1);
    bool good = node_restore(node, value);
    node_disk(node, out);
    node_free(node);
    return good;
}

static bool again_segment(struct span value, struct buffer *out)
{
    size_t offset = DISK_SEGMENT_HEADER_BYTES;
    uint64_t sequence;
    struct span record;
    const char *why;
    if (disk_read_segment(value, 3, NULL))
        return false;
    disk_format_segment(out, 3);
    while (disk_read_record(value, 3, &offset, &sequence, &record, &why) == DISK_READ_RECORD)
        disk_format_record(out, 3, sequence, record);
    return true;
}

static bool again_snapshot(struct span value, struct buffer *out)
{
    struct disk_snapshot_header header;
    struct span records;
    if (disk_read_snapshot(value, &header, &records, NULL))
        return false;
    disk_format_snapshot(out, &header, records);
    return true;
}

/* ---- the table, and the file ---- */

static const struct format {
    const char *name;
    void (*make)(struct buffer *out); /* NULL: nobody writes it any more */
    bool (*again)(struct span value, struct buffer *out);
    const char *becomes; /* what it is when written again; NULL: the same */
} formats[] = {
    {"claim-1", make_claim, again_claim, NULL},
    {"claim-2", make_claim_offer, again_claim, NULL},
    {"status-1", make_status, again_status, NULL},
    {"status-1-first", NULL, again_status, "status-1-of-nobody"},
    {"status-1-of-nobody", NULL, again_status, NULL},
    {"name-1", make_name, again_name_record, NULL},
    {"name-2", make_name_outside, again_name_record, NULL},
    {"member-1", make_member_1, again_member_record, NULL},
    {"member-2", make_member_2, again_member_record, NULL},
    {"member-3", make_member_3, again_member_record, NULL},
    {"member-4", make_member_4, again_member_record, NULL},
    {"workload-1", make_workload_1, again_workload, NULL},
    {"workload-2", make_workload_2, again_workload, NULL},
    {"workload-3", make_workload_3, again_workload, NULL},
    {"supervisor-1", make_supervisor, again_supervisor, NULL},
    {"electorate-1", make_electorate, again_electorate_record, NULL},
    {"meta-1", make_meta, again_meta, NULL},
    {"state-1", make_state, again_state_record, NULL},
    {"rebalance-1", make_rebalance, again_rebalance, NULL},
    {"join-1", make_join, again_join, NULL},
    {"swim-1", make_swim, again_swim, NULL},
    {"lease-ask-1", make_lease_ask, again_lease_ask, NULL},
    {"lease-grant-1", make_lease_grant, again_lease_grant, NULL},
    {"step-1", make_step, again_step_message, NULL},
    {"push-1", make_push, again_push, NULL},
    {"entry-1", make_entry, again_stored, NULL},
    {"vectors-1", make_vectors, again_stored, NULL},
    {"disk-1", make_disk, again_disk, NULL},
    {"segment-1", make_segment, again_segment, NULL},
    {"snapshot-1", make_snapshot, again_snapshot, NULL},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* The bytes of that name. False: no such line. */
static bool golden(const char *name, struct buffer *ret_bytes)
{
    static char line[LINE_BYTES_MAX];
    size_t bytes = strlen(name);
    FILE *file = fopen(GOLDEN, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, name, bytes) == 0 && line[bytes] == ' ';
    fclose(file);
    unsigned byte;
    for (const char *at = line + bytes + 1; found && sscanf(at, "%2x", &byte) == 1; at += 2)
        buffer_u8(ret_bytes, (uint8_t)byte);
    return found;
}

static void golden_add(const char *name, const struct buffer *bytes)
{
    FILE *file = fopen(GOLDEN, "ae");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "%s ", name);
    for (size_t i = 0; i < bytes->bytes; i++)
        fprintf(file, "%02x", bytes->data[i]);
    fprintf(file, "\n");
    fclose(file);
}

static void each_is_written_as_ever(void)
{
    const char *write = getenv("FORMATS_WRITE");
    for (size_t i = 0; i < FORMATS; i++) {
        struct buffer wanted = {0}, made = {0};
        bool there = golden(formats[i].name, &wanted);
        if (formats[i].make)
            formats[i].make(&made);
        if (!there && write && formats[i].make)
            golden_add(formats[i].name, &made);
        else if (!there ||
                 (formats[i].make && !span_equal(buffer_view(&wanted), buffer_view(&made))))
            printf("\n%s is %s\n", formats[i].name, there ? "written otherwise" : "missing");
        CU_ASSERT(there || write);
        CU_ASSERT(!there || !formats[i].make ||
                  span_equal(buffer_view(&wanted), buffer_view(&made)));
        buffer_release(&wanted);
        buffer_release(&made);
    }
}

static void each_is_read(void)
{
    for (size_t i = 0; i < FORMATS; i++) {
        struct buffer bytes = {0}, again = {0}, wanted = {0};
        CU_ASSERT(golden(formats[i].name, &bytes));
        CU_ASSERT(golden(formats[i].becomes ? formats[i].becomes : formats[i].name, &wanted));
        bool read = formats[i].again(buffer_view(&bytes), &again);
        bool same = span_equal(buffer_view(&again), buffer_view(&wanted));
        if (!read || !same)
            printf("\n%s is %s\n", formats[i].name, read ? "read as something else" : "not read");
        CU_ASSERT(read && same);
        buffer_release(&bytes);
        buffer_release(&again);
        buffer_release(&wanted);
    }
}

UNIT_MAIN("formats", {"written", each_is_written_as_ever}, {"read", each_is_read})
