/* Claims, statuses, names, members as bytes; and the two orders that settle a conflict. */
#include "agent/core/kept.h"
#include "agent/core/record.h"

#include <string.h>

#include "agent/core/random.h"
#include "placement/ring.h"
#include "unit.h"

#define UID_EXAMPLE "0189d5d1-7a5c-4a0e-9a53-6f2c9e0b1a11"

/* --- Examples: every field at a value of its own, texts as long as they may be --- */

static void fill(char *field, size_t field_bytes, char letter)
{
    memset(field, letter, field_bytes - 1);
    field[field_bytes - 1] = 0;
}
#define FILL(field, letter) fill((field), sizeof(field), (letter))

static struct claim example_claim(void)
{
    struct claim claim = {.epoch = RECORD_EPOCH_MAX,
                          .replica = 0x0123456789abcdef,
                          .uid = UID_EXAMPLE,
                          .spec_hash = 0xfedcba9876543210,
                          .state = CLAIM_FINISHED};
    FILL(claim.node, 'n');
    return claim;
}

static struct status example_status(void)
{
    struct status status = {.uid = UID_EXAMPLE,
                            .epoch = 12,
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

static struct name_record example_name(void)
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

static struct name_record example_outside(void)
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

static struct member_record example_member(void)
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

/* --- Round trips --- */

static void an_offer_survives_the_round_trip_and_leaves_the_claim_as_it_is(void)
{
    struct claim claim = example_claim(), read;
    struct offer in = {.state = OFFER_WITHDRAWN, .start_first = true, .replica = UINT64_MAX};
    struct offer out;
    struct buffer bytes = {0}, plain = {0};
    claim.epoch = 7;
    FILL(in.node, 's');
    in.epoch = 8;
    claim_encode(&claim, &plain);
    CU_ASSERT_FALSE(offer_decode(&out, buffer_view(&plain)));
    claim_encode_offer(&claim, &in, &bytes);
    CU_ASSERT_TRUE(claim_decode(&read, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(claim_compare(&read, &claim, 1), 0);
    CU_ASSERT_TRUE(offer_decode(&out, buffer_view(&bytes)));
    CU_ASSERT(out.state == in.state && out.start_first && out.replica == in.replica);
    CU_ASSERT(out.epoch == 8 && strcmp(out.node, in.node) == 0);
    for (size_t cut = 0; cut < bytes.bytes; cut++) {
        CU_ASSERT_FALSE(claim_decode(&read, span_of(bytes.data, cut)));
        CU_ASSERT_FALSE(offer_decode(&out, span_of(bytes.data, cut)));
    }
    bytes.bytes = 0;
    in.epoch = 7; /* it must be greater */
    claim_encode_offer(&claim, &in, &bytes);
    CU_ASSERT_FALSE(claim_decode(&read, buffer_view(&bytes)));
    CU_ASSERT_FALSE(offer_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
    buffer_release(&plain);
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
        struct buffer bytes = {0};
        in.state = (enum claim_state)state;
        claim_encode(&in, &bytes);
        CU_ASSERT_TRUE(claim_decode(&out, buffer_view(&bytes)));
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

static int sign(int order)
{
    return (order > 0) - (order < 0);
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

static void states_are_ordered_by_their_claims_then_by_time(void)
{
    struct random random = random_of(16);
    for (int round = 0; round < 20000; round++) {
        struct state_record records[2] = {0};
        for (int i = 0; i < 2; i++) {
            records[i].id =
                (struct state_id){1 + random_below(&random, 2), 1 + random_below(&random, 2),
                                  random_below(&random, 3)};
            TEXT_SET(records[i].node, random_below(&random, 2) ? "a" : "b");
        }
        const struct state_record *a = &records[0], *b = &records[1];
        int order = state_record_compare(a, b, 77);
        CU_ASSERT_EQUAL(sign(state_record_compare(b, a, 77)), -sign(order));
        bool same = strcmp(a->node, b->node) == 0 && a->id.replica == b->id.replica;
        if (a->id.epoch != b->id.epoch) {
            CU_ASSERT_EQUAL(order > 0, a->id.epoch > b->id.epoch);
        } else if (same) {
            int later = (a->id.stamp > b->id.stamp) - (a->id.stamp < b->id.stamp);
            CU_ASSERT_EQUAL(sign(order), later);
        }
    }
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

/* --- Damage --- */

static const union {
    struct claim claim;
    struct status status;
    struct name_record name;
    struct member_record member;
} zero;

/* One encoding, decoded as all four kinds: what is refused is zeroed, what is taken encodes to
 * bytes that mean the same. */
static void try_claim(struct span bytes, struct buffer *a, struct buffer *b)
{
    struct claim claim;
    memset(&claim, 0xee, sizeof claim);
    if (!claim_decode(&claim, bytes)) {
        CU_ASSERT_EQUAL(memcmp(&claim, &zero.claim, sizeof claim), 0);
        return;
    }
    claim_encode(&claim, a);
    CU_ASSERT_TRUE(claim_decode(&claim, buffer_view(a)));
    claim_encode(&claim, b);
}

static void try_status(struct span bytes, struct buffer *a, struct buffer *b)
{
    struct status status;
    memset(&status, 0xee, sizeof status);
    if (!status_decode(&status, bytes)) {
        CU_ASSERT_EQUAL(memcmp(&status, &zero.status, sizeof status), 0);
        return;
    }
    status_encode(&status, a);
    CU_ASSERT_TRUE(status_decode(&status, buffer_view(a)));
    status_encode(&status, b);
}

static void try_name(struct span bytes, struct buffer *a, struct buffer *b)
{
    struct name_record name;
    memset(&name, 0xee, sizeof name);
    if (!name_record_decode(&name, bytes)) {
        CU_ASSERT_EQUAL(memcmp(&name, &zero.name, sizeof name), 0);
        return;
    }
    name_record_encode(&name, a);
    name_record_release(&name);
    CU_ASSERT_TRUE(name_record_decode(&name, buffer_view(a)));
    name_record_encode(&name, b);
    name_record_release(&name);
}

static void try_member(struct span bytes, struct buffer *a, struct buffer *b)
{
    struct member_record member;
    memset(&member, 0xee, sizeof member);
    if (!member_record_decode(&member, bytes)) {
        CU_ASSERT_EQUAL(memcmp(&member, &zero.member, sizeof member), 0);
        return;
    }
    member_record_encode(&member, a);
    member_record_release(&member);
    CU_ASSERT_TRUE(member_record_decode(&member, buffer_view(a)));
    member_record_encode(&member, b);
    member_record_release(&member);
}

static void try_all(const uint8_t *data, size_t bytes)
{
    static void (*const tries[])(struct span, struct buffer *, struct buffer *) = {
        try_claim, try_status, try_name, try_member};
    uint8_t *exact = malloc(bytes ? bytes : 1); /* so that a sanitizer sees the end */
    memcpy(exact, data, bytes);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct buffer a = {0}, b = {0};
        tries[i](span_of(exact, bytes), &a, &b);
        CU_ASSERT_TRUE(span_equal(buffer_view(&a), buffer_view(&b)));
        buffer_release(&a);
        buffer_release(&b);
    }
    free(exact);
}

static void damage(const struct buffer *good)
{
    for (size_t bytes = 0; bytes <= good->bytes; bytes++)
        try_all(good->data, bytes);
    for (size_t bit = 0; bit < 8 * good->bytes; bit++) {
        good->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_all(good->data, good->bytes);
        good->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

enum { EXAMPLES = 5 };

/* Appends the n-th kind's example. */
static void encode_example(size_t kind, struct buffer *bytes)
{
    struct claim claim = example_claim();
    struct status status = example_status();
    struct name_record name = example_name();
    struct name_record outside = example_outside();
    struct member_record member = example_member();
    if (kind == 0)
        claim_encode(&claim, bytes);
    else if (kind == 1)
        status_encode(&status, bytes);
    else if (kind == 2)
        name_record_encode(&name, bytes);
    else if (kind == 3)
        member_record_encode(&member, bytes);
    else
        name_record_encode(&outside, bytes);
    name_record_release(&name);
    name_record_release(&outside);
    member_record_release(&member);
}

static void damaged_bytes_do_no_harm(void)
{
    for (size_t kind = 0; kind < EXAMPLES; kind++) {
        struct buffer bytes = {0};
        encode_example(kind, &bytes);
        damage(&bytes);
        buffer_release(&bytes);
    }
}

static void an_epoch_near_the_end_of_counting_is_refused(void)
{
    struct claim in = example_claim(), out;
    struct buffer bytes = {0};
    in.epoch = RECORD_EPOCH_MAX + 1;
    claim_encode(&in, &bytes);
    CU_ASSERT_FALSE(claim_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(out.epoch, 0);
    buffer_release(&bytes);
}

static bool decodes(size_t kind, struct span bytes)
{
    struct claim claim;
    struct status status;
    struct name_record name = {0};
    struct member_record member = {0};
    bool good = kind == 0   ? claim_decode(&claim, bytes)
                : kind == 1 ? status_decode(&status, bytes)
                : kind == 3 ? member_record_decode(&member, bytes)
                            : name_record_decode(&name, bytes);
    name_record_release(&name);
    member_record_release(&member);
    return good;
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

static void truncated_overlong_and_newer_values_are_refused(void)
{
    for (size_t kind = 0; kind < EXAMPLES; kind++) {
        struct buffer bytes = {0};
        encode_example(kind, &bytes);
        CU_ASSERT_TRUE(decodes(kind, buffer_view(&bytes)));
        for (size_t length = 0; length < bytes.bytes; length++)
            CU_ASSERT_FALSE(decodes(kind, span_of(bytes.data, length)));
        buffer_u8(&bytes, 0);
        CU_ASSERT_FALSE(decodes(kind, buffer_view(&bytes)));
        bytes.bytes--;
        for (int version = 0; version < 256; version++) {
            bytes.data[0] = (uint8_t)version;
            /* what follows is of version 2 in a member, and does not read as 1 */
            CU_ASSERT_EQUAL(decodes(kind, buffer_view(&bytes)), version == (kind >= 3 ? 2 : 1));
        }
        buffer_release(&bytes);
    }
}

/* --- Fields beyond their bounds --- */

static bool claim_passes(struct claim claim)
{
    struct buffer bytes = {0};
    claim_encode(&claim, &bytes);
    bool good = decodes(0, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void claims_beyond_their_bounds_are_refused(void)
{
    struct claim claim = example_claim();
    claim.epoch = 1;
    CU_ASSERT_TRUE(claim_passes(claim));
    claim.epoch = 0;
    CU_ASSERT_FALSE(claim_passes(claim));
    claim.epoch = 1;
    claim.state = (enum claim_state)(CLAIM_FINISHED + 1);
    CU_ASSERT_FALSE(claim_passes(claim));
}

static bool status_passes(struct status status)
{
    struct buffer bytes = {0};
    status_encode(&status, &bytes);
    bool good = decodes(1, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void statuses_beyond_their_bounds_are_refused(void)
{
    struct status status = example_status();
    CU_ASSERT_TRUE(status_passes(status));
    status.phase = (enum child_phase)(CHILD_CRASH_LOOP_BACK_OFF + 1);
    CU_ASSERT_FALSE(status_passes(status));
    status = example_status();
    status.backoff_level = 65;
    CU_ASSERT_FALSE(status_passes(status));
}

static bool name_passes(struct name_record *name)
{
    struct buffer bytes = {0};
    name_record_encode(name, &bytes);
    bool good = decodes(2, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void names_beyond_their_bounds_are_refused(void)
{
    struct name_record name = example_name();
    CU_ASSERT_TRUE(name_passes(&name));
    name.owner.ordinal = REPLICAS_MAX + 1;
    CU_ASSERT_FALSE(name_passes(&name));
    name.owner.ordinal = 0;
    free(name.value);
    name.value = xcalloc(1, VALUE_BYTES_MAX + 2);
    memset(name.value, '1', VALUE_BYTES_MAX + 1);
    CU_ASSERT_FALSE(name_passes(&name));
    name.value[VALUE_BYTES_MAX] = 0;
    CU_ASSERT_TRUE(name_passes(&name));
    name_record_release(&name);
}

static void outside_names_beyond_their_bounds_are_refused(void)
{
    struct name_record name = example_outside();
    CU_ASSERT_TRUE(name_passes(&name));
    name.outside->ttl_ms = OUTSIDE_TTL_MS_MAX + 1;
    CU_ASSERT_FALSE(name_passes(&name));
    name.outside->ttl_ms = OUTSIDE_TTL_MS_MIN - 1;
    CU_ASSERT_FALSE(name_passes(&name));
    name.outside->ttl_ms = OUTSIDE_TTL_MS_MIN;
    name.claim_epoch = 1; /* it has no claim */
    CU_ASSERT_FALSE(name_passes(&name));
    name.claim_epoch = 0;
    name.epoch = RECORD_EPOCH_MAX + 1;
    CU_ASSERT_FALSE(name_passes(&name));
    name_record_release(&name);
}

/* The owner becomes a child in the store and a key in the map: what is no child id is garbage. */
static void names_of_no_child_are_refused(void)
{
    static const char *const parts[][2] = {{"", ""},     {"", "web"},        {"default", ""},
                                           {"A", "web"}, {"default", "a/b"}, {"a b", "web"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct name_record name = example_name();
        TEXT_SET(name.owner.ns, parts[i][0]);
        TEXT_SET(name.owner.workload, parts[i][1]);
        CU_ASSERT_FALSE(name_passes(&name));
        name_record_release(&name);
    }
}

static bool member_passes(const struct member_record *member)
{
    struct buffer bytes = {0};
    member_record_encode(member, &bytes);
    bool good = decodes(3, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void members_beyond_their_bounds_are_refused(void)
{
    struct member_record member = example_member();
    CU_ASSERT_TRUE(member_passes(&member));
    member.join_counter++;
    CU_ASSERT_FALSE(member_passes(&member));
    member.join_counter--;
    member.weight++;
    CU_ASSERT_FALSE(member_passes(&member));
    member.weight--;
    member.wish = (enum member_wish)(WISH_LEFT + 1);
    CU_ASSERT_FALSE(member_passes(&member));
    member.wish = WISH_IN;
    member.away_ms++;
    CU_ASSERT_FALSE(member_passes(&member));
    member.away_ms = 0;
    member.declined[0].child.ordinal = REPLICAS_MAX + 1;
    CU_ASSERT_FALSE(member_passes(&member));
    member.declined[0].child.ordinal = 0;
    CU_ASSERT_TRUE(member_passes(&member));
    member_record_release(&member);
}

static void lists_of_members_are_bounded(void)
{
    for (size_t more = 0; more <= 1; more++) {
        struct member_record member = {.declined_count = MEMBER_DECLINED_MAX + more};
        member.declined = xcalloc(member.declined_count, sizeof *member.declined);
        for (size_t i = 0; i < member.declined_count; i++) {
            TEXT_SET(member.declined[i].child.ns, "default");
            TEXT_SET(member.declined[i].child.workload, "web");
        }
        CU_ASSERT_EQUAL(member_passes(&member), more == 0);
        member_record_release(&member);
        member.full_count = MEMBER_FULL_MAX + more;
        member.full = xcalloc(member.full_count, sizeof *member.full);
        CU_ASSERT_EQUAL(member_passes(&member), more == 0);
        member_record_release(&member);
        member.label_count = LABELS_MAX + more;
        member.labels = xcalloc(member.label_count, sizeof *member.labels);
        for (size_t i = 0; i < member.label_count; i++)
            member.labels[i] = (struct label){xstrdup("k"), xstrdup("v")};
        CU_ASSERT_EQUAL(member_passes(&member), more == 0);
        member_record_release(&member);
    }
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

static void texts_hold_no_zero_bytes_and_fit_their_fields(void)
{
    static const struct span nodes[] = {{(const uint8_t *)"a\0b", 3}, {(const uint8_t *)"a\0", 2}};
    char long_node[NAME_BYTES_MAX + 1];
    memset(long_node, 'n', sizeof long_node);
    for (size_t i = 0; i < 4; i++) {
        struct span node = i < 2 ? nodes[i] : span_of(long_node, NAME_BYTES_MAX + 3 - i);
        struct buffer bytes = {0};
        buffer_u8(&bytes, 1);
        buffer_varint(&bytes, 1);
        buffer_span(&bytes, node);
        buffer_u64(&bytes, 1);
        buffer_text(&bytes, UID_EXAMPLE);
        buffer_u64(&bytes, 1);
        buffer_u8(&bytes, CLAIM_CLAIMED);
        CU_ASSERT_EQUAL(decodes(0, buffer_view(&bytes)), i == 3);
        buffer_release(&bytes);
    }
}

/* --- The order of claims --- */

static struct claim random_claim(struct random *random)
{
    static const char *const nodes[] = {"a", "b", "c", "node-10"};
    struct claim claim = {.epoch = 1 + random_below(random, 2),
                          .replica = 1 + random_below(random, 2),
                          .state = (enum claim_state)random_below(random, 4)};
    TEXT_SET(claim.node, nodes[random_below(random, 4)]);
    return claim;
}

static bool claim_same(const struct claim *a, const struct claim *b)
{
    return a->epoch == b->epoch && a->replica == b->replica && a->state == b->state &&
           strcmp(a->node, b->node) == 0;
}

static void the_order_of_claims_is_total(void)
{
    struct random random = random_of(11);
    for (int round = 0; round < 100000; round++) {
        struct claim a = random_claim(&random), b = random_claim(&random),
                     c = random_claim(&random);
        uint64_t hash = random_below(&random, 50) * 0x9e3779b97f4a7c15;
        int ab = claim_compare(&a, &b, hash), bc = claim_compare(&b, &c, hash);
        CU_ASSERT_EQUAL(sign(claim_compare(&b, &a, hash)), -sign(ab));
        CU_ASSERT_EQUAL(ab == 0, claim_same(&a, &b));
        CU_ASSERT_EQUAL(claim_compare(&a, &a, hash), 0);
        CU_ASSERT_TRUE(!(ab > 0 && bc >= 0) || claim_compare(&a, &c, hash) > 0);
        CU_ASSERT_TRUE(!(ab < 0 && bc <= 0) || claim_compare(&a, &c, hash) < 0);
        if (a.epoch != b.epoch)
            CU_ASSERT_EQUAL(ab > 0, a.epoch > b.epoch);
    }
}

/* Epoch, then the ring, then the replica; the spec, the uid and the state have no say before. */
static void claims_are_ordered_by_epoch_ring_and_replica(void)
{
    for (uint64_t hash = 1; hash < 1000; hash++) {
        struct claim a = {.epoch = 5, .node = "a", .replica = 9, .state = CLAIM_PULLING};
        struct claim b = {.epoch = 5, .node = "b", .replica = 1, .state = CLAIM_CLAIMED};
        uint64_t place = hash * 0x9e3779b97f4a7c15;
        bool a_is_first = ring_first_of_two(place, "a", "b") < 0;
        CU_ASSERT_EQUAL(claim_compare(&a, &b, place) > 0, a_is_first);
        b.spec_hash = UINT64_MAX;
        TEXT_SET(b.uid, UID_EXAMPLE);
        CU_ASSERT_EQUAL(claim_compare(&a, &b, place) > 0, a_is_first);
        b.epoch = 6;
        CU_ASSERT_TRUE(claim_compare(&a, &b, place) < 0);
        TEXT_SET(b.node, "a");
        b.epoch = 5;
        CU_ASSERT_TRUE(claim_compare(&a, &b, place) < 0); /* the smaller replica wins */
    }
}

/* Both nodes win about half of the children: no name is always the greater. */
static void the_ring_is_fair_to_both_names(void)
{
    int won = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct child_id id = {.ns = "default", .workload = "web", .ordinal = i};
        struct claim a = {.epoch = 1, .node = "a"}, b = {.epoch = 1, .node = "b"};
        won += claim_compare(&a, &b, child_id_hash(&id)) > 0;
    }
    CU_ASSERT_TRUE(won > 300 && won < 700);
}

/* --- The order of names --- */

/* Some of outside owners: their tokens live as long as the program. */
static struct name_record random_name(struct random *random)
{
    static const char *const nodes[] = {"a", "b", "c"};
    static struct name_outside owners[2] = {{.owner = {1}}, {.owner = {2}}};
    struct name_record name = {.owner = {.ns = "default", .workload = "web"},
                               .epoch = 1 + random_below(random, 2),
                               .claim_epoch = 1 + random_below(random, 2),
                               .replica = 1 + random_below(random, 2)};
    name.owner.ordinal = (uint32_t)random_below(random, 3);
    TEXT_SET(name.node, nodes[random_below(random, 3)]);
    if (random_below(random, 3) == 0) {
        name.outside = &owners[random_below(random, 2)];
        name.owner = (struct child_id){.ordinal = 0};
        name.claim_epoch = 0;
    }
    return name;
}

static void the_order_of_names_is_antisymmetric(void)
{
    struct random random = random_of(12);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        const char *name = random_below(&random, 2) ? "web" : "db";
        int ab = name_record_compare(&a, &b, name);
        CU_ASSERT_EQUAL(sign(name_record_compare(&b, &a, name)), -sign(ab));
        CU_ASSERT_EQUAL(name_record_compare(&a, &a, name), 0);
        if (a.epoch != b.epoch)
            CU_ASSERT_EQUAL(ab > 0, a.epoch > b.epoch);
    }
}

static void the_order_of_names_is_transitive(void)
{
    struct random random = random_of(13);
    int broken = 0;
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random),
                           c = random_name(&random);
        broken += name_record_compare(&a, &b, "web") > 0 &&
                  name_record_compare(&b, &c, "web") > 0 && name_record_compare(&a, &c, "web") <= 0;
    }
    CU_ASSERT_EQUAL(broken, 0);
}

static void two_copies_of_one_child_are_ordered_by_their_claims(void)
{
    struct random random = random_of(14);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        if (a.outside || b.outside)
            continue;
        a.epoch = b.epoch;
        a.owner = b.owner;
        struct claim claim_a = {.epoch = a.claim_epoch, .replica = a.replica};
        struct claim claim_b = {.epoch = b.claim_epoch, .replica = b.replica};
        TEXT_SET(claim_a.node, a.node);
        TEXT_SET(claim_b.node, b.node);
        int order = claim_compare(&claim_a, &claim_b, child_id_hash(&a.owner));
        CU_ASSERT_EQUAL(sign(name_record_compare(&a, &b, "web")), sign(order));
    }
}

/* What an endpoint or a value says decides nothing: both sides must come to the same end. */
static void names_are_ordered_by_nothing_else(void)
{
    struct random random = random_of(15);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        int order = sign(name_record_compare(&a, &b, "web"));
        char value[] = "1";
        a.value = value;
        a.port = 80;
        TEXT_SET(a.address, "10.0.0.1");
        TEXT_SET(a.uid, UID_EXAMPLE);
        CU_ASSERT_EQUAL(sign(name_record_compare(&a, &b, "web")), order);
    }
}

UNIT_MAIN("record",
          {"an epoch near the end of counting is refused",
           an_epoch_near_the_end_of_counting_is_refused},
          {"a claim survives the round trip", a_claim_survives_the_round_trip},
          {"a status survives the round trip", a_status_survives_the_round_trip},
          {"a name survives the round trip", a_name_survives_the_round_trip},
          {"an offer survives the round trip and leaves the claim as it is",
           an_offer_survives_the_round_trip_and_leaves_the_claim_as_it_is},
          {"a rebalance survives the round trip", a_rebalance_survives_the_round_trip},
          {"an outside name survives the round trip", an_outside_name_survives_the_round_trip},
          {"a state survives the round trip", a_state_survives_the_round_trip},
          {"states are ordered by their claims, then by time",
           states_are_ordered_by_their_claims_then_by_time},
          {"a value of meta survives the round trip", a_value_of_meta_survives_the_round_trip},
          {"outside names beyond their bounds are refused",
           outside_names_beyond_their_bounds_are_refused},
          {"a member survives the round trip", a_member_survives_the_round_trip},
          {"a kept name is copied as far as it goes", a_kept_name_is_copied_as_far_as_it_goes},
          {"truncated, overlong and newer values are refused",
           truncated_overlong_and_newer_values_are_refused},
          {"claims beyond their bounds are refused", claims_beyond_their_bounds_are_refused},
          {"statuses beyond their bounds are refused", statuses_beyond_their_bounds_are_refused},
          {"names beyond their bounds are refused", names_beyond_their_bounds_are_refused},
          {"names of no child are refused", names_of_no_child_are_refused},
          {"members beyond their bounds are refused", members_beyond_their_bounds_are_refused},
          {"lists of members are bounded", lists_of_members_are_bounded},
          {"version 1 of a member is read and written", version_1_of_a_member_is_read_and_written},
          {"a member tells what it has", a_member_tells_what_it_has},
          {"texts hold no zero bytes and fit their fields",
           texts_hold_no_zero_bytes_and_fit_their_fields},
          {"the order of claims is total", the_order_of_claims_is_total},
          {"claims are ordered by epoch, ring and replica",
           claims_are_ordered_by_epoch_ring_and_replica},
          {"the ring is fair to both names", the_ring_is_fair_to_both_names},
          {"the order of names is antisymmetric", the_order_of_names_is_antisymmetric},
          {"the order of names is transitive", the_order_of_names_is_transitive},
          {"two copies of one child are ordered by their claims",
           two_copies_of_one_child_are_ordered_by_their_claims},
          {"names are ordered by nothing else", names_are_ordered_by_nothing_else},
          {"damaged bytes do no harm", damaged_bytes_do_no_harm})
