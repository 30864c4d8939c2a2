/* Claims, statuses, names, members and states as bytes, and read again. */
#include "agent/core/record.h"

#include <string.h>

#include "agent/core/kept.h"
#include "record_examples.h"
#include "unit.h"

static void an_offer_survives_the_round_trip_and_leaves_the_claim_as_it_is(void)
{
    struct claim claim = example_claim(), read;
    struct offer in = {.state = OFFER_WITHDRAWN, .start_first = true, .replica = UINT64_MAX};
    struct offer out;
    struct buffer bytes = {0};
    claim.epoch = 7;
    FILL(in.node, 's');
    in.epoch = 8;
    claim_encode(&claim, &bytes);
    CU_ASSERT_TRUE(claim_decode(&read, &out, buffer_view(&bytes)));
    CU_ASSERT_PTR_NULL(read.offer);
    bytes.bytes = 0;
    claim.offer = &in;
    claim_encode(&claim, &bytes);
    CU_ASSERT_TRUE(claim_decode(&read, &out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(claim_compare(&read, &claim, 1), 0);
    CU_ASSERT_PTR_EQUAL(read.offer, &out);
    CU_ASSERT(out.state == in.state && out.start_first && out.replica == in.replica);
    CU_ASSERT(out.epoch == 8 && strcmp(out.node, in.node) == 0);
    for (size_t cut = 0; cut < bytes.bytes; cut++)
        CU_ASSERT_FALSE(claim_decode(&read, &out, span_of(bytes.data, cut)));
    bytes.bytes = 0;
    in.epoch = 7; /* it must be greater */
    claim_encode(&claim, &bytes);
    CU_ASSERT_FALSE(claim_decode(&read, &out, buffer_view(&bytes)));
    CU_ASSERT_PTR_NULL(read.offer);
    CU_ASSERT_EQUAL(out.epoch, 0);
    buffer_release(&bytes);
}

static void a_rebalance_survives_the_round_trip(void)
{
    struct rebalance in = {.asked_ms = 1700000000001}, out;
    struct buffer bytes = {0};
    FILL(in.node, 'n');
    rebalance_encode(&in, &bytes);
    CU_ASSERT_TRUE(rebalance_decode(&out, buffer_view(&bytes)));
    CU_ASSERT(out.asked_ms == in.asked_ms && strcmp(out.node, in.node) == 0);
    for (size_t cut = 0; cut < bytes.bytes; cut++)
        CU_ASSERT_FALSE(rebalance_decode(&out, span_of(bytes.data, cut)));
    buffer_release(&bytes);
}

static void a_claim_survives_the_round_trip(void)
{
    for (int state = CLAIM_PULLING; state <= CLAIM_FINISHED; state++) {
        struct claim in = example_claim(), out;
        struct offer offer;
        struct buffer bytes = {0};
        in.state = (enum claim_state)state;
        claim_encode(&in, &bytes);
        CU_ASSERT_TRUE(claim_decode(&out, &offer, buffer_view(&bytes)));
        CU_ASSERT_EQUAL(out.epoch, RECORD_EPOCH_MAX);
        CU_ASSERT_STRING_EQUAL(out.node, in.node);
        CU_ASSERT_EQUAL(out.replica, in.replica);
        CU_ASSERT_STRING_EQUAL(out.uid, UID_EXAMPLE);
        CU_ASSERT_EQUAL(out.spec_hash, in.spec_hash);
        CU_ASSERT_EQUAL((int)out.state, state);
        buffer_release(&bytes);
    }
}

static void a_status_survives_the_round_trip(void)
{
    struct status in = example_status(), out;
    struct buffer bytes = {0};
    status_encode(&in, &bytes);
    CU_ASSERT_TRUE(status_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_STRING_EQUAL(out.uid, UID_EXAMPLE);
    CU_ASSERT_EQUAL(out.epoch, 12);
    CU_ASSERT_EQUAL(out.replica, in.replica);
    CU_ASSERT_EQUAL(out.phase, CHILD_CRASH_LOOP_BACK_OFF);
    CU_ASSERT_TRUE(out.ready);
    CU_ASSERT_EQUAL(out.restarts, UINT32_MAX);
    CU_ASSERT_EQUAL(out.backoff_level, 64);
    CU_ASSERT_EQUAL(out.spec_hash, UINT64_MAX);
    CU_ASSERT_EQUAL(out.started_ms, 1700000000001);
    CU_ASSERT_EQUAL(out.ready_ms, 1700000000002);
    CU_ASSERT_EQUAL(out.finished_ms, 1700000000003);
    CU_ASSERT_TRUE(out.has_exit_code);
    CU_ASSERT_EQUAL(out.exit_code, INT32_MIN);
    CU_ASSERT_EQUAL(strlen(out.container_id), CONTAINER_ID_BYTES_MAX);
    CU_ASSERT_STRING_EQUAL(out.reason, in.reason);
    CU_ASSERT_STRING_EQUAL(out.message, in.message);
    in.ready = false; /* the two flags do not mix */
    buffer_clear(&bytes);
    status_encode(&in, &bytes);
    CU_ASSERT_TRUE(status_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_TRUE(!out.ready && out.has_exit_code);
    buffer_release(&bytes);
}

static void a_status_is_of_the_claim_that_it_names(void)
{
    struct claim claim = {.epoch = 7, .replica = 9, .uid = UID_EXAMPLE};
    struct status status = {.epoch = 7, .replica = 9, .uid = UID_EXAMPLE};
    CU_ASSERT_TRUE(status_is_of(&status, &claim));
    status.replica = 0; /* of an agent of before, which did not say */
    CU_ASSERT_TRUE(status_is_of(&status, &claim));
    status.replica = 8;
    CU_ASSERT_FALSE(status_is_of(&status, &claim));
    status.replica = 9;
    status.epoch = 8;
    CU_ASSERT_FALSE(status_is_of(&status, &claim));
    status.epoch = 7;
    TEXT_SET(status.uid, "another");
    CU_ASSERT_FALSE(status_is_of(&status, &claim));
}

static void a_name_survives_the_round_trip(void)
{
    struct name_record in = example_name(), out;
    struct buffer bytes = {0};
    name_record_encode(&in, &bytes);
    CU_ASSERT_TRUE(name_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(child_id_compare(&out.owner, &in.owner), 0);
    CU_ASSERT_STRING_EQUAL(out.uid, UID_EXAMPLE);
    CU_ASSERT_STRING_EQUAL(out.node, in.node);
    CU_ASSERT_EQUAL(out.replica, 7);
    CU_ASSERT_EQUAL(out.claim_epoch, 8);
    CU_ASSERT_EQUAL(out.epoch, 9);
    CU_ASSERT_STRING_EQUAL(out.address, in.address);
    CU_ASSERT_EQUAL(out.port, UINT16_MAX);
    CU_ASSERT_STRING_EQUAL(out.value, in.value);
    CU_ASSERT_TRUE(out.value_set);
    name_record_release(&out);
    name_record_release(&in);
    in = example_name();
    free(in.value);
    in.value = NULL;
    buffer_clear(&bytes);
    name_record_encode(&in, &bytes);
    CU_ASSERT_TRUE(name_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_PTR_NULL(out.value);
    buffer_release(&bytes);
}

static void an_outside_name_survives_the_round_trip(void)
{
    struct name_record in = example_outside(), out;
    struct buffer bytes = {0};
    char owner[CHILD_ID_TEXT_BYTES_MAX];
    name_record_encode(&in, &bytes);
    CU_ASSERT_TRUE_FATAL(name_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_PTR_NOT_NULL_FATAL(out.outside);
    CU_ASSERT_EQUAL(memcmp(out.outside->owner, in.outside->owner, OWNER_HASH_BYTES), 0);
    CU_ASSERT_EQUAL(out.outside->ttl_ms, OUTSIDE_TTL_MS_MAX);
    CU_ASSERT_EQUAL(out.outside->label_count, LABELS_MAX);
    CU_ASSERT_STRING_EQUAL(out.outside->labels[LABELS_MAX - 1].value, "db");
    CU_ASSERT_STRING_EQUAL(out.owner.ns, "");
    CU_ASSERT_STRING_EQUAL(out.value, "\"gold\"");
    CU_ASSERT_EQUAL(out.epoch, 9);
    name_owner_print(&out, owner, sizeof owner);
    CU_ASSERT_STRING_EQUAL(owner, "token/abababababababab");
    name_record_release(&out);
    name_record_release(&in);
    buffer_release(&bytes);
}

static void a_value_of_meta_survives_the_round_trip(void)
{
    struct buffer bytes = {0};
    meta_encode("{\"limit\":3}", &bytes);
    char *value = meta_decode(buffer_view(&bytes));
    CU_ASSERT_STRING_EQUAL(value, "{\"limit\":3}");
    free(value);
    for (size_t length = 0; length < bytes.bytes; length++)
        CU_ASSERT_PTR_NULL(meta_decode(span_of(bytes.data, length)));
    buffer_u8(&bytes, 0);
    CU_ASSERT_PTR_NULL(meta_decode(buffer_view(&bytes)));
    buffer_release(&bytes);
}

static struct state_record example_state(void)
{
    struct state_record state = {.id = {RECORD_EPOCH_MAX, UINT64_MAX, 7},
                                 .uid = UID_EXAMPLE,
                                 .bytes = STATE_BYTES_MAX,
                                 .hash = 9};
    FILL(state.node, 'n');
    return state;
}

static void a_state_survives_the_round_trip(void)
{
    struct state_record in = example_state(), out;
    struct buffer bytes = {0};
    state_record_encode(&in, &bytes);
    CU_ASSERT_TRUE(state_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(memcmp(&out.id, &in.id, sizeof in.id), 0);
    CU_ASSERT_STRING_EQUAL(out.node, in.node);
    CU_ASSERT_STRING_EQUAL(out.uid, in.uid);
    CU_ASSERT_TRUE(out.bytes == in.bytes && out.hash == in.hash);
    for (size_t length = 0; length < bytes.bytes; length++)
        CU_ASSERT_FALSE(state_record_decode(&out, span_of(bytes.data, length)));
    CU_ASSERT_EQUAL(out.id.epoch, 0);
    in.bytes = STATE_BYTES_MAX + 1;
    buffer_clear(&bytes);
    state_record_encode(&in, &bytes);
    CU_ASSERT_FALSE(state_record_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
}

static void check_member(const struct member_record *out, const struct member_record *in)
{
    CU_ASSERT_EQUAL(out->join_counter, in->join_counter);
    CU_ASSERT_EQUAL(out->replica, in->replica);
    CU_ASSERT_EQUAL(out->writer, in->writer);
    CU_ASSERT_STRING_EQUAL(out->gossip_address, in->gossip_address);
    CU_ASSERT_STRING_EQUAL(out->api_address, in->api_address);
    CU_ASSERT_STRING_EQUAL(out->zone, in->zone);
    CU_ASSERT_EQUAL(out->weight, in->weight);
    CU_ASSERT_EQUAL(out->capacity, in->capacity);
    CU_ASSERT_EQUAL(out->cordon.unschedulable, in->cordon.unschedulable);
    CU_ASSERT_EQUAL(out->cordon.drains, in->cordon.drains);
    CU_ASSERT_EQUAL(out->cordon.version, in->cordon.version);
    CU_ASSERT_EQUAL(out->wish, in->wish);
    CU_ASSERT_EQUAL(out->away_ms, in->away_ms);
    CU_ASSERT_STRING_EQUAL(out->agent_version, in->agent_version);
    CU_ASSERT_STRING_EQUAL(out->runtime_name, in->runtime_name);
    CU_ASSERT_STRING_EQUAL(out->runtime_version, in->runtime_version);
    CU_ASSERT_EQUAL(out->runtime_healthy, in->runtime_healthy);
    CU_ASSERT_EQUAL(out->joined_ms, in->joined_ms);
    CU_ASSERT_EQUAL_FATAL(out->label_count, in->label_count);
    for (size_t i = 0; i < in->label_count; i++) {
        CU_ASSERT_STRING_EQUAL(out->labels[i].key, in->labels[i].key);
        CU_ASSERT_STRING_EQUAL(out->labels[i].value, in->labels[i].value);
    }
    CU_ASSERT_EQUAL_FATAL(out->declined_count, in->declined_count);
    for (size_t i = 0; i < in->declined_count; i++) {
        CU_ASSERT_EQUAL(child_id_compare(&out->declined[i].child, &in->declined[i].child), 0);
        CU_ASSERT_EQUAL(out->declined[i].epoch, in->declined[i].epoch);
        CU_ASSERT_EQUAL(out->declined[i].until_ms, in->declined[i].until_ms);
        CU_ASSERT_STRING_EQUAL(out->declined[i].reason, in->declined[i].reason);
    }
    CU_ASSERT_EQUAL_FATAL(out->full_count, in->full_count);
    for (size_t i = 0; i < in->full_count; i++) {
        CU_ASSERT_STRING_EQUAL(out->full[i].supervisor, in->full[i].supervisor);
        CU_ASSERT_STRING_EQUAL(out->full[i].reason, in->full[i].reason);
        CU_ASSERT_EQUAL(out->full[i].priority, in->full[i].priority);
        CU_ASSERT_EQUAL(out->full[i].until_ms, in->full[i].until_ms);
    }
}

static void a_member_survives_the_round_trip(void)
{
    for (int flags = 0; flags < 8; flags++) {
        struct member_record in = example_member(), out;
        struct buffer bytes = {0};
        in.cordon.unschedulable = flags & 1;
        in.runtime_healthy = flags & 2;
        if (flags & 4)
            in.cordon = (struct cordon){.unschedulable = true, .drains = flags & 1, .version = 7};
        member_record_encode(&in, &bytes);
        CU_ASSERT_TRUE_FATAL(member_record_decode(&out, buffer_view(&bytes)));
        check_member(&out, &in);
        member_record_release(&in);
        member_record_release(&out);
        buffer_release(&bytes);
    }
}

/* It is as long as its texts need: a plain copy of the struct reads beyond it, which the sanitizers
 * see only if no other allocation follows. */
static void a_kept_name_is_copied_as_far_as_it_goes(void)
{
    struct name_record in = example_name(), copy;
    struct buffer bytes = {0}, again = {0};
    TEXT_SET(in.address, "a");
    name_record_encode(&in, &bytes);
    const struct name_record *kept = kept_name(buffer_view(&bytes));
    CU_ASSERT_FATAL(kept != NULL);
    memset(&copy, 0xff, sizeof copy);
    name_copy(&copy, kept);
    CU_ASSERT_EQUAL(copy.address[sizeof copy.address - 1], 0);
    name_record_encode(&copy, &again);
    CU_ASSERT_TRUE(span_equal(buffer_view(&bytes), buffer_view(&again)));
    kept_name_drop(kept);
    name_record_release(&in);
    buffer_release(&bytes);
    buffer_release(&again);
}

/* Version 1 is what agents before this one write and can read: it stays as long as nothing is
 * refused, and what they declined is understood. */
static void version_1_of_a_member_is_read_and_written(void)
{
    struct member_record in = {.join_counter = 3, .replica = 1, .writer = 2, .weight = 100}, out;
    struct buffer bytes = {0};
    member_record_encode(&in, &bytes);
    CU_ASSERT_EQUAL(bytes.data[0], 1);
    CU_ASSERT_EQUAL(bytes.data[bytes.bytes - 1], 0); /* how many it declined */
    CU_ASSERT_TRUE(member_record_decode(&out, buffer_view(&bytes)));
    member_record_release(&out);
    bytes.data[bytes.bytes - 1] = 1;
    buffer_text(&bytes, "default");
    buffer_text(&bytes, "web");
    buffer_varint(&bytes, 7);  /* ordinal */
    buffer_varint(&bytes, 4);  /* epoch */
    buffer_varint(&bytes, 99); /* until */
    CU_ASSERT_TRUE_FATAL(member_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL_FATAL(out.declined_count, 1);
    CU_ASSERT_EQUAL(out.declined[0].child.ordinal, 7);
    CU_ASSERT_EQUAL(out.declined[0].until_ms, 99);
    CU_ASSERT_STRING_EQUAL(out.declined[0].reason, "");
    CU_ASSERT_EQUAL(out.full_count, 0);
    struct buffer again = {0};
    member_record_encode(&out, &again);
    CU_ASSERT_EQUAL(again.data[0], 2);
    member_record_release(&out);
    buffer_release(&again);
    buffer_release(&bytes);
}

/* Only who tells what it has needs version 4. */
static void a_member_tells_what_it_has(void)
{
    struct member_record in = {.join_counter = 3, .replica = 1, .writer = 2, .weight = 100}, out;
    struct buffer bytes = {0};
    in.memory_bytes = UINT64_C(1) << 34;
    member_record_encode(&in, &bytes);
    CU_ASSERT_EQUAL(bytes.data[0], 4);
    CU_ASSERT_TRUE_FATAL(member_record_decode(&out, buffer_view(&bytes)));
    CU_ASSERT(out.cpu_milli == 0 && out.memory_bytes == in.memory_bytes);
    CU_ASSERT_EQUAL(out.cordon.version, 0);
    member_record_release(&out);
    in.cpu_milli = CPU_MILLI_MAX + 1;
    bytes.bytes = 0;
    member_record_encode(&in, &bytes);
    CU_ASSERT_FALSE(member_record_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
}

UNIT_MAIN("record",
          {"an offer survives the round trip and leaves the claim as it is",
           an_offer_survives_the_round_trip_and_leaves_the_claim_as_it_is},
          {"a rebalance survives the round trip", a_rebalance_survives_the_round_trip},
          {"a claim survives the round trip", a_claim_survives_the_round_trip},
          {"a status survives the round trip", a_status_survives_the_round_trip},
          {"a status is of the claim that it names", a_status_is_of_the_claim_that_it_names},
          {"a name survives the round trip", a_name_survives_the_round_trip},
          {"an outside name survives the round trip", an_outside_name_survives_the_round_trip},
          {"a value of meta survives the round trip", a_value_of_meta_survives_the_round_trip},
          {"a state survives the round trip", a_state_survives_the_round_trip},
          {"a member survives the round trip", a_member_survives_the_round_trip},
          {"a kept name is copied as far as it goes", a_kept_name_is_copied_as_far_as_it_goes},
          {"version 1 of a member is read and written", version_1_of_a_member_is_read_and_written},
          {"a member tells what it has", a_member_tells_what_it_has})
