/* Records whose bytes are damaged, or whose fields are beyond their bounds. */
#include <stdlib.h>
#include <string.h>

#include "record_examples.h"
#include "unit.h"

/* --- Damage --- */

static const union {
    struct claim claim;
    struct offer offer;
    struct status status;
    struct name_record name;
    struct member_record member;
} zero;

/* One encoding, decoded as all four kinds: what is refused is zeroed, what is taken encodes to
 * bytes that mean the same. */
static void try_claim(struct span bytes, struct buffer *a, struct buffer *b)
{
    struct claim claim;
    struct offer offer;
    memset(&claim, 0xee, sizeof claim);
    memset(&offer, 0xee, sizeof offer);
    if (!claim_decode(&claim, &offer, bytes)) {
        CU_ASSERT_EQUAL(memcmp(&claim, &zero.claim, sizeof claim), 0);
        CU_ASSERT_EQUAL(memcmp(&offer, &zero.offer, sizeof offer), 0);
        return;
    }
    claim_encode(&claim, a);
    CU_ASSERT_TRUE(claim_decode(&claim, &offer, buffer_view(a)));
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
    struct offer offer;
    struct buffer bytes = {0};
    in.epoch = RECORD_EPOCH_MAX + 1;
    claim_encode(&in, &bytes);
    CU_ASSERT_FALSE(claim_decode(&out, &offer, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(out.epoch, 0);
    buffer_release(&bytes);
}

static bool decodes(size_t kind, struct span bytes)
{
    struct claim claim;
    struct offer offer;
    struct status status;
    struct name_record name = {0};
    struct member_record member = {0};
    bool good = kind == 0   ? claim_decode(&claim, &offer, bytes)
                : kind == 1 ? status_decode(&status, bytes)
                : kind == 3 ? member_record_decode(&member, bytes)
                            : name_record_decode(&name, bytes);
    name_record_release(&name);
    member_record_release(&member);
    return good;
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

UNIT_MAIN("record_damage", {"damaged bytes do no harm", damaged_bytes_do_no_harm},
          {"an epoch near the end of counting is refused",
           an_epoch_near_the_end_of_counting_is_refused},
          {"truncated, overlong and newer values are refused",
           truncated_overlong_and_newer_values_are_refused},
          {"claims beyond their bounds are refused", claims_beyond_their_bounds_are_refused},
          {"statuses beyond their bounds are refused", statuses_beyond_their_bounds_are_refused},
          {"names beyond their bounds are refused", names_beyond_their_bounds_are_refused},
          {"outside names beyond their bounds are refused",
           outside_names_beyond_their_bounds_are_refused},
          {"names of no child are refused", names_of_no_child_are_refused},
          {"members beyond their bounds are refused", members_beyond_their_bounds_are_refused},
          {"lists of members are bounded", lists_of_members_are_bounded},
          {"texts hold no zero bytes and fit their fields",
           texts_hold_no_zero_bytes_and_fit_their_fields})
