/* Sealed messages: who has a key is understood, and nobody else; nothing counts twice, nor for
 * another, nor after a change of a single bit. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/io/seal.h"
#include "unit.h"

static const char own[] = "10.0.0.1:7370";

static struct key_ring ring_of(unsigned first, unsigned count)
{
    struct key_ring ring = {.count = count};
    for (unsigned i = 0; i < count; i++) {
        memset(ring.keys[i].bytes, (int)(first + i), KEY_BYTES);
        ring.keys[i].id = first + i;
    }
    return ring;
}

static struct seal *seal_with(unsigned first, unsigned count)
{
    CU_ASSERT_FATAL(sodium_init() >= 0);
    struct seal *seal = seal_new();
    struct key_ring ring = ring_of(first, count);
    seal_set_ring(seal, &ring);
    return seal;
}

static enum seal_kind opened(struct seal *seal, const struct buffer *frame, struct seal_frame *ret)
{
    seal_open(seal, buffer_view(frame), ret);
    return ret->kind;
}

/* Hello and ticket, as they ought to be. */
static void meet(struct seal *sender, struct seal *receiver, struct seal_stream *stream)
{
    struct buffer hello = {0}, ticket = {0};
    struct seal_frame frame;
    seal_hello(sender, stream, own, &hello);
    CU_ASSERT_EQUAL(opened(receiver, &hello, &frame), SEAL_HELLO);
    CU_ASSERT_STRING_EQUAL(frame.address, own);
    seal_ticket(receiver, &frame, &ticket);
    CU_ASSERT_EQUAL(opened(sender, &ticket, &frame), SEAL_TICKET);
    CU_ASSERT_TRUE(seal_stream_take(stream, &frame));
    CU_ASSERT_FALSE(seal_stream_take(stream, &frame)); /* it has one */
    buffer_release(&hello);
    buffer_release(&ticket);
}

static struct buffer sealed(const struct seal *seal, struct seal_stream *stream, const char *text)
{
    struct buffer frame = {0};
    size_t bytes = strlen(text) + SEAL_BYTES;
    buffer_reserve(&frame, bytes);
    memcpy(frame.data + SEAL_HEAD_BYTES, text, strlen(text));
    frame.bytes = bytes;
    seal_message(seal, stream, frame.data, bytes);
    return frame;
}

static enum seal_kind told(struct seal *sender, struct seal_stream *stream, struct seal *receiver)
{
    struct seal_frame ret;
    struct buffer frame = sealed(sender, stream, "well met");
    enum seal_kind kind = opened(receiver, &frame, &ret);
    if (kind == SEAL_MESSAGE)
        CU_ASSERT_TRUE(span_equal(ret.body, span_text("well met")));
    buffer_release(&frame);
    return kind;
}

static void test_messages_of_any_length(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1);
    struct seal_stream stream = {0};
    struct seal_frame frame;
    static const char *const texts[] = {"", "x",
                                        "a longer one, of more than a block of the cipher"};
    meet(a, b, &stream);
    for (size_t i = 0; i < 3; i++) {
        struct buffer message = sealed(a, &stream, texts[i]);
        CU_ASSERT_EQUAL(message.bytes, strlen(texts[i]) + SEAL_BYTES);
        CU_ASSERT_TRUE(!texts[i][0] ||
                       !memmem(message.data, message.bytes, texts[i], strlen(texts[i])) || i == 1);
        CU_ASSERT_EQUAL(opened(b, &message, &frame), SEAL_MESSAGE);
        CU_ASSERT_TRUE(span_equal(frame.body, span_text(texts[i])));
        buffer_release(&message);
    }
    seal_free(a);
    seal_free(b);
}

static void test_each_flipped_bit_is_noticed(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1);
    struct seal_stream stream = {0};
    struct seal_frame frame;
    meet(a, b, &stream);
    struct buffer message = sealed(a, &stream, "pay 10");
    for (size_t bit = 0; bit < 8 * message.bytes; bit++) {
        message.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum seal_kind kind = opened(b, &message, &frame);
        CU_ASSERT_TRUE(kind == SEAL_PLAIN || kind == SEAL_KEY || kind == SEAL_FORGED);
        message.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bytes = 0; bytes < message.bytes; bytes++) {
        seal_open(b, span_of(message.data, bytes), &frame);
        CU_ASSERT_TRUE(frame.kind == SEAL_PLAIN || frame.kind == SEAL_FORGED);
    }
    CU_ASSERT_EQUAL(opened(b, &message, &frame), SEAL_MESSAGE); /* none of that has used it up */
    buffer_release(&message);
    seal_free(a);
    seal_free(b);
}

static void test_nothing_counts_twice_or_elsewhere(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1), *c = seal_with(1, 1);
    struct seal_stream stream = {0};
    struct seal_frame frame;
    meet(a, b, &stream);
    struct buffer first = sealed(a, &stream, "first"), second = sealed(a, &stream, "second");
    CU_ASSERT_EQUAL(opened(b, &second, &frame), SEAL_MESSAGE);
    CU_ASSERT_EQUAL(opened(b, &second, &frame), SEAL_REPLAYED);
    CU_ASSERT_EQUAL(opened(b, &first, &frame), SEAL_REPLAYED); /* overtaken: lost */
    CU_ASSERT_EQUAL(opened(c, &first, &frame), SEAL_STALE);
    CU_ASSERT_EQUAL(opened(a, &first, &frame), SEAL_STALE);
    seal_free(b);
    b = seal_with(1, 1); /* another run of it */
    CU_ASSERT_EQUAL(opened(b, &first, &frame), SEAL_STALE);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_STALE);
    meet(a, b, &stream);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    buffer_release(&first);
    buffer_release(&second);
    seal_free(a);
    seal_free(b);
    seal_free(c);
}

/* A recorded hello, said again and again, pushes out nobody who is heard; a recorded ticket is for
 * nobody. */
static void test_hellos_and_tickets_said_again(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1);
    struct seal_stream stream = {0}, other = {0};
    struct seal_frame frame;
    struct buffer hello = {0}, ticket = {0};
    meet(a, b, &stream);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    seal_hello(a, &other, own, &hello);
    for (int i = 0; i < 2 * SEAL_TICKETS_WAITING_MAX; i++) {
        buffer_clear(&ticket);
        CU_ASSERT_EQUAL(opened(b, &hello, &frame), SEAL_HELLO);
        seal_ticket(b, &frame, &ticket);
    }
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    CU_ASSERT_EQUAL(opened(a, &ticket, &frame), SEAL_TICKET);
    CU_ASSERT_FALSE(seal_stream_take(&stream, &frame));
    struct seal_stream never = {0};
    CU_ASSERT_FALSE(seal_stream_take(&never, &frame));
    CU_ASSERT_TRUE(seal_stream_take(&other, &frame));
    CU_ASSERT_EQUAL(told(a, &other, b), SEAL_MESSAGE);
    seal_hello(a, &other, own, &hello); /* of a connection made anew */
    CU_ASSERT_FALSE(seal_stream_take(&other, &frame));
    buffer_release(&hello);
    buffer_release(&ticket);
    seal_free(a);
    seal_free(b);
}

static void test_tickets_are_bounded(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1);
    struct seal_stream first = {0}, kept = {0};
    meet(a, b, &first);
    meet(a, b, &kept);
    CU_ASSERT_EQUAL(told(a, &first, b), SEAL_MESSAGE);
    for (int i = 0; i < SEAL_TICKETS_MAX; i++) {
        struct seal_stream stream = {0};
        CU_ASSERT_EQUAL(told(a, &kept, b), SEAL_MESSAGE);
        meet(a, b, &stream);
        CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    }
    CU_ASSERT_EQUAL(told(a, &first, b), SEAL_STALE); /* not heard of for the longest time */
    CU_ASSERT_EQUAL(told(a, &kept, b), SEAL_MESSAGE);
    seal_free(a);
    seal_free(b);
}

static void test_a_key_is_replaced_without_a_pause(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(1, 1);
    struct seal_stream stream = {0};
    struct key_ring both = ring_of(1, 2), turned = both, new_only = ring_of(2, 1);
    turned.keys[0] = both.keys[1], turned.keys[1] = both.keys[0];
    meet(a, b, &stream);
    seal_set_ring(a, &turned);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_KEY); /* the first step is left out */
    seal_set_ring(b, &both);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    seal_set_ring(a, &both);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    seal_set_ring(a, &turned);
    seal_set_ring(b, &new_only);
    CU_ASSERT_EQUAL(told(a, &stream, b), SEAL_MESSAGE);
    seal_free(a);
    seal_free(b);
}

static void test_strangers(void)
{
    struct seal *a = seal_with(1, 1), *b = seal_with(2, 1);
    struct seal_stream stream = {0};
    struct seal_frame frame;
    struct buffer hello = {0};
    seal_hello(a, &stream, own, &hello);
    CU_ASSERT_EQUAL(opened(b, &hello, &frame), SEAL_KEY);
    hello.data[1] = 2; /* the id of b's key */
    CU_ASSERT_EQUAL(opened(b, &hello, &frame), SEAL_FORGED);
    buffer_clear(&hello);
    buffer_append(&hello, "an envelope that is not sealed, long enough for a whole frame", 61);
    CU_ASSERT_EQUAL(opened(b, &hello, &frame), SEAL_PLAIN);
    for (int kind = SEAL_PLAIN; kind < SEAL_KIND_COUNT; kind++)
        CU_ASSERT_PTR_NOT_NULL(seal_refusal((enum seal_kind)kind));
    buffer_release(&hello);
    seal_free(a);
    seal_free(b);
}

/* ---- files of keys ---- */

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static int load(struct key_ring *ring, const char *text, mode_t mode, struct error *err)
{
    char path[] = "/tmp/seal_test.XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
    close(fd);
    int result = key_ring_load(ring, path, err);
    unlink(path);
    return result;
}

static void test_key_files(void)
{
    static const struct {
        const char *text, *problem;
        mode_t mode;
    } bad[] = {
        {"", "no key in it", 0600},
        {"# nothing\n\n", "no key in it", 0600},
        {KEY_A "\n" KEY_A "\n", ":2: the same key", 0600},
        {"c2hvcnQ=\n", ":1: not 32 bytes", 0600},
        {"# old\n" KEY_A "AAAA\n", ":2: not 32 bytes", 0600},
        {KEY_A, "everybody may read it", 0644},
    };
    struct key_ring ring = {.count = 0};
    struct error err = {0};
    CU_ASSERT_EQUAL(load(&ring, "# new\n" KEY_B " # of May\r\n\n" KEY_A, 0640, &err), 0);
    CU_ASSERT_EQUAL(ring.count, 2);
    CU_ASSERT_EQUAL(ring.keys[0].bytes[0], 32);
    CU_ASSERT_EQUAL(ring.keys[1].bytes[31], 31);
    CU_ASSERT_NOT_EQUAL(ring.keys[0].id, ring.keys[1].id);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_EQUAL(load(&ring, bad[i].text, bad[i].mode, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad[i].problem));
        CU_ASSERT_EQUAL(ring.count, 2); /* as it was */
    }
    CU_ASSERT_EQUAL(key_ring_load(&ring, "/nowhere/key", &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nowhere/key: No such file"));
}

UNIT_MAIN("seal", {"messages of any length", test_messages_of_any_length},
          {"each flipped bit is noticed", test_each_flipped_bit_is_noticed},
          {"nothing counts twice or elsewhere", test_nothing_counts_twice_or_elsewhere},
          {"hellos and tickets said again", test_hellos_and_tickets_said_again},
          {"tickets are bounded", test_tickets_are_bounded},
          {"a key is replaced without a pause", test_a_key_is_replaced_without_a_pause},
          {"strangers", test_strangers}, {"key files", test_key_files})
