/* The failure detector's bytes. */
#include <string.h>

#include "agent/core/swim_message.h"
#include "unit.h"

static void message_round_trip(const struct swim_message *message)
{
    struct buffer buffer = {0};
    swim_message_encode(&buffer, message);
    struct swim_rumour_text told = {.kind = RUMOUR_SUSPECT,
                                    .name = span_text("x"),
                                    .incarnation = 9,
                                    .accuser = span_text("y")};
    swim_rumour_encode(&buffer, &told);
    struct swim_message got;
    CU_ASSERT_TRUE_FATAL(swim_message_decode(&got, buffer_view(&buffer)));
    CU_ASSERT_TRUE(got.kind == message->kind && got.sequence == message->sequence);
    CU_ASSERT_EQUAL(got.incarnation, message->incarnation);
    CU_ASSERT_EQUAL(got.shutting_down, message->shutting_down);
    CU_ASSERT_EQUAL(got.stranger, message->stranger);
    CU_ASSERT_EQUAL(got.subject_incarnation, message->subject_incarnation);
    CU_ASSERT_EQUAL(got.wait_ms, message->wait_ms);
    CU_ASSERT_TRUE(span_equal(got.subject, message->subject));
    CU_ASSERT_TRUE(span_equal(got.address, message->address));
    CU_ASSERT_EQUAL(memcmp(got.payload, message->payload, SWIM_PAYLOAD_BYTES), 0);
    struct reader reader = reader_of(got.rumours);
    struct swim_rumour_text heard;
    CU_ASSERT_TRUE(swim_rumour_decode(&reader, &heard));
    CU_ASSERT_TRUE(heard.kind == told.kind && heard.incarnation == told.incarnation);
    CU_ASSERT_TRUE(span_equal(heard.name, told.name) && span_equal(heard.accuser, told.accuser));
    CU_ASSERT_FALSE(swim_rumour_decode(&reader, &heard));
    /* cut short anywhere it is garbage, or a message without the rumour */
    for (size_t bytes = 0; bytes < buffer.bytes; bytes++) {
        struct span cut = {buffer.data, bytes};
        if (swim_message_decode(&got, cut))
            CU_ASSERT_EQUAL(got.rumours.bytes, 0);
    }
    buffer_release(&buffer);
}

static void messages_survive_encoding(void)
{
    uint64_t incarnation = UINT64_C(7) << 32 | 3;
    struct swim_message messages[] = {
        {.kind = SWIM_PING,
         .sequence = 300,
         .has_payload = true,
         .payload = "0123456789abcde",
         .address = span_text("host:7"),
         .shutting_down = true},
        {.kind = SWIM_ACK, .sequence = 16383, .has_payload = true, .payload = "x"},
        {.kind = SWIM_ACK, .sequence = 5, .stranger = true},
        {.kind = SWIM_PING_REQ, .sequence = 1, .subject = span_text("b"), .wait_ms = 225},
        {.kind = SWIM_RELAY_ACK,
         .sequence = 2,
         .subject = span_text("b"),
         .subject_incarnation = SWIM_INCARNATION_MAX - 1},
        {.kind = SWIM_NACK, .sequence = 3, .subject = span_text("b")},
        {.kind = SWIM_GOSSIP},
        {.kind = SWIM_ASK, .sequence = 7},
        {.kind = SWIM_ASK_DEAD, .sequence = 8},
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        messages[i].incarnation = incarnation;
        message_round_trip(&messages[i]);
    }
}

UNIT_MAIN("swim_message", {"messages survive encoding", messages_survive_encoding})
