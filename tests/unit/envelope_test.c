/* Frames and greetings: from strangers, so nothing in them is taken on trust. */
#include "agent/core/envelope.h"

#include <string.h>

#include "unit.h"

static struct buffer frame(enum message_type type, const char *from, struct span body)
{
    struct buffer bytes = {0};
    struct envelope envelope = {.type = type, .cluster = 0xc0ffee11, .body = body};
    TEXT_SET(envelope.from, from);
    envelope_encode(&envelope, &bytes);
    return bytes;
}

static struct greeting example_greeting(void)
{
    struct greeting greeting = {.replica = 0xfedcba9876543210, .boot = 41};
    memset(greeting.address, 'a', ADDRESS_BYTES_MAX);
    TEXT_SET(greeting.contact, "10.0.0.1:7370");
    TEXT_SET(greeting.reason, "NodeNameTaken");
    memset(greeting.message, 'm', MESSAGE_BYTES_MAX);
    return greeting;
}

static void every_type_of_message_survives_the_round_trip(void)
{
    for (int type = MESSAGE_SWIM; type < MESSAGE_TYPE_END; type++) {
        struct buffer bytes = frame((enum message_type)type, "node-1", span_of("bo\0dy", 5));
        struct envelope out;
        CU_ASSERT_TRUE(envelope_decode(&out, buffer_view(&bytes)));
        CU_ASSERT_EQUAL((int)out.type, type);
        CU_ASSERT_EQUAL(out.cluster, 0xc0ffee11);
        CU_ASSERT_STRING_EQUAL(out.from, "node-1");
        CU_ASSERT_TRUE(span_equal(out.body, span_of("bo\0dy", 5)));
        buffer_release(&bytes);
    }
    struct buffer bytes = frame(MESSAGE_SWIM, "a", span_of(NULL, 0));
    struct envelope out;
    CU_ASSERT_TRUE(envelope_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(out.body.bytes, 0);
    buffer_release(&bytes);
}

static bool decodes_with(size_t at, uint8_t value)
{
    struct buffer bytes = frame(MESSAGE_SYNC, "node-1", span_text("body"));
    struct envelope out;
    bytes.data[at] = value;
    bool good = envelope_decode(&out, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void other_versions_and_types_are_refused(void)
{
    CU_ASSERT_TRUE(decodes_with(0, 1));
    CU_ASSERT_FALSE(decodes_with(0, 0));
    CU_ASSERT_FALSE(decodes_with(0, 2));
    CU_ASSERT_FALSE(decodes_with(0, 255));
    CU_ASSERT_FALSE(decodes_with(1, 0));
    CU_ASSERT_FALSE(decodes_with(1, MESSAGE_TYPE_END));
    CU_ASSERT_FALSE(decodes_with(1, 255));
    CU_ASSERT_TRUE(decodes_with(1, MESSAGE_TYPE_END - 1));
}

/* `from` becomes a key, a peer, a line of the log: it is a node name or nothing. */
static void senders_without_a_proper_name_are_refused(void)
{
    static const struct span names[] = {
        {(const uint8_t *)"", 0},     {(const uint8_t *)"A", 1},   {(const uint8_t *)"a/b", 3},
        {(const uint8_t *)"-a", 2},   {(const uint8_t *)"a-", 2},  {(const uint8_t *)"a\0", 2},
        {(const uint8_t *)"a\0b", 3}, {(const uint8_t *)"a b", 3}, {(const uint8_t *)"\xff", 1},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buffer bytes = {0};
        struct envelope out;
        buffer_u8(&bytes, 1);
        buffer_u8(&bytes, MESSAGE_SWIM);
        buffer_u32(&bytes, 0);
        buffer_span(&bytes, names[i]);
        CU_ASSERT_FALSE(envelope_decode(&out, buffer_view(&bytes)));
        buffer_release(&bytes);
    }
    char name[NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    for (size_t length = NAME_BYTES_MAX; length <= NAME_BYTES_MAX + 1; length++) {
        struct buffer bytes = {0};
        struct envelope out;
        buffer_u8(&bytes, 1);
        buffer_u8(&bytes, MESSAGE_SWIM);
        buffer_u32(&bytes, 0);
        buffer_span(&bytes, span_of(name, length));
        CU_ASSERT_EQUAL(envelope_decode(&out, buffer_view(&bytes)), length == NAME_BYTES_MAX);
        buffer_release(&bytes);
    }
}

/* Decodes a copy of exactly these bytes, as both kinds. What passes encodes to the same again. */
static void try_both(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1); /* so that a sanitizer sees the end */
    memcpy(exact, data, bytes);
    struct envelope envelope, again;
    struct greeting greeting, greeting_again;
    struct buffer buffer = {0};
    if (envelope_decode(&envelope, span_of(exact, bytes))) {
        envelope_encode(&envelope, &buffer);
        CU_ASSERT_TRUE(envelope_decode(&again, buffer_view(&buffer)));
        CU_ASSERT_TRUE(envelope.type == again.type && envelope.cluster == again.cluster &&
                       strcmp(envelope.from, again.from) == 0 &&
                       span_equal(envelope.body, again.body));
    }
    buffer_clear(&buffer);
    if (greeting_decode(&greeting, span_of(exact, bytes))) {
        CU_ASSERT_TRUE(greeting.replica != 0 && greeting.address[0]);
        greeting_encode(&greeting, &buffer);
        CU_ASSERT_TRUE(greeting_decode(&greeting_again, buffer_view(&buffer)));
        CU_ASSERT_EQUAL(memcmp(&greeting, &greeting_again, sizeof greeting), 0);
    }
    buffer_release(&buffer);
    free(exact);
}

static void damage(struct buffer *bytes)
{
    for (size_t length = 0; length < bytes->bytes; length++)
        try_both(bytes->data, length);
    for (size_t bit = 0; bit < 8 * bytes->bytes; bit++) {
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_both(bytes->data, bytes->bytes);
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void damaged_frames_do_no_harm(void)
{
    struct buffer body = {0};
    struct greeting greeting = example_greeting();
    greeting_encode(&greeting, &body);
    damage(&body);
    struct buffer bytes = frame(MESSAGE_JOIN, "node-1", buffer_view(&body));
    damage(&bytes);
    buffer_release(&bytes);
    buffer_release(&body);
}

static void frames_cut_before_their_body_are_refused(void)
{
    struct buffer bytes = frame(MESSAGE_SWIM, "node-1", span_of(NULL, 0));
    struct envelope out;
    for (size_t length = 0; length < bytes.bytes; length++)
        CU_ASSERT_FALSE(envelope_decode(&out, span_of(bytes.data, length)));
    buffer_release(&bytes);
}

static void greetings_survive_the_round_trip(void)
{
    struct greeting in = example_greeting(), out;
    struct buffer bytes = {0};
    greeting_encode(&in, &bytes);
    CU_ASSERT_TRUE(greeting_decode(&out, buffer_view(&bytes)));
    CU_ASSERT_EQUAL(memcmp(&in, &out, sizeof in), 0);
    for (size_t length = 0; length < bytes.bytes; length++)
        CU_ASSERT_FALSE(greeting_decode(&out, span_of(bytes.data, length)));
    buffer_u8(&bytes, 0);
    CU_ASSERT_FALSE(greeting_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
}

static bool greets(const struct greeting *greeting)
{
    struct buffer bytes = {0};
    struct greeting out;
    greeting_encode(greeting, &bytes);
    bool good = greeting_decode(&out, buffer_view(&bytes));
    buffer_release(&bytes);
    return good;
}

static void greetings_need_a_replica_and_an_address(void)
{
    struct greeting greeting = {.replica = 1};
    TEXT_SET(greeting.address, "h:1");
    CU_ASSERT_TRUE(greets(&greeting));
    greeting.replica = 0;
    CU_ASSERT_FALSE(greets(&greeting));
    greeting.replica = 1;
    TEXT_SET(greeting.address, "");
    CU_ASSERT_FALSE(greets(&greeting));
}

static void greetings_hold_no_zero_bytes(void)
{
    struct buffer bytes = {0};
    struct greeting out;
    buffer_u64(&bytes, 1);
    buffer_varint(&bytes, 1);
    buffer_span(&bytes, span_of("h\0:1", 4));
    for (int i = 0; i < 3; i++)
        buffer_text(&bytes, "");
    CU_ASSERT_FALSE(greeting_decode(&out, buffer_view(&bytes)));
    buffer_release(&bytes);
}

static void clusters_have_different_numbers(void)
{
    CU_ASSERT_EQUAL(envelope_cluster("default"), envelope_cluster("default"));
    CU_ASSERT_NOT_EQUAL(envelope_cluster("default"), envelope_cluster("defaulu"));
    CU_ASSERT_NOT_EQUAL(envelope_cluster("a"), envelope_cluster("b"));
}

UNIT_MAIN("envelope",
          {"every type of message survives the round trip",
           every_type_of_message_survives_the_round_trip},
          {"other versions and types are refused", other_versions_and_types_are_refused},
          {"senders without a proper name are refused", senders_without_a_proper_name_are_refused},
          {"frames cut before their body are refused", frames_cut_before_their_body_are_refused},
          {"greetings survive the round trip", greetings_survive_the_round_trip},
          {"greetings need a replica and an address", greetings_need_a_replica_and_an_address},
          {"greetings hold no zero bytes", greetings_hold_no_zero_bytes},
          {"clusters have different numbers", clusters_have_different_numbers},
          {"damaged frames do no harm", damaged_frames_do_no_harm})
