/* The list of effects: order, copies, and memory that lives until clear. */
#include <stdio.h>
#include <string.h>

#include "agent/core/effect.h"
#include "unit.h"

static void empty_is_zeroed_memory(void)
{
    struct effects effects = {0};
    effects_clear(&effects);
    CU_ASSERT_EQUAL(effects.count, 0);
    effects_release(&effects);
    effects_release(&effects);
    effects_release(NULL);
}

static void order_is_kept_and_all_is_copied(void)
{
    struct effects effects = {0};
    char address[] = "a:1", record[] = "rec";
    uint8_t bytes[] = {1, 2, 3};
    struct reply reply = {.id = 7, .status = 200};
    effects_send(&effects, address, CHANNEL_BULK, span_of(bytes, sizeof bytes));
    effects_log(&effects, 9, span_text(record));
    effects_reply(&effects, &reply);
    effects_reconnect(&effects, address);
    effects_disconnect(&effects, address);
    effects_trace(&effects, "%s is %d", "x", 5);
    effects_runtime(&effects)->id = 11;
    struct guard_page page = {.epoch = 4, .deadline_ms = 5};
    effects_guard(&effects, &page);
    effects_exit(&effects, 3);
    page.deadline_ms = 0;
    memset(address, 'z', 3);
    memset(record, 'z', 3);
    memset(bytes, 0, sizeof bytes);
    reply.id = 0;

    static const enum effect_type types[] = {EFFECT_SEND,      EFFECT_LOG,        EFFECT_REPLY,
                                             EFFECT_RECONNECT, EFFECT_DISCONNECT, EFFECT_TRACE,
                                             EFFECT_RUNTIME,   EFFECT_GUARD,      EFFECT_EXIT};
    CU_ASSERT_EQUAL_FATAL(effects.count, sizeof types / sizeof *types);
    for (size_t i = 0; i < effects.count; i++)
        CU_ASSERT_EQUAL(effects.items[i].type, types[i]);
    CU_ASSERT_STRING_EQUAL(effects.items[0].send.address, "a:1");
    CU_ASSERT_EQUAL(effects.items[0].send.channel, CHANNEL_BULK);
    CU_ASSERT_TRUE(span_equal(effects.items[0].send.bytes, span_of("\1\2\3", 3)));
    CU_ASSERT_EQUAL(effects.items[1].log.sequence, 9);
    CU_ASSERT_TRUE(span_equal(effects.items[1].log.record, span_text("rec")));
    CU_ASSERT_EQUAL(effects.items[2].reply->id, 7);
    CU_ASSERT_STRING_EQUAL(effects.items[3].peer.address, "a:1");
    CU_ASSERT_STRING_EQUAL(effects.items[4].peer.address, "a:1");
    CU_ASSERT_STRING_EQUAL(effects.items[5].trace, "x is 5");
    CU_ASSERT_EQUAL(effects.items[6].runtime->id, 11);
    CU_ASSERT_EQUAL(effects.items[7].guard->deadline_ms, 5);
    CU_ASSERT_EQUAL(effects.items[8].exit_status, 3);
    effects_release(&effects);
}

/* Thousands of effects, some larger than a chunk: what was handed out first must not move. */
static void memory_lives_until_clear(void)
{
    struct effects effects = {0};
    for (int round = 0; round < 3; round++) {
        const char *first = effects_text(&effects, "first");
        for (size_t i = 0; i < 3000; i++) {
            size_t bytes = i % 100 == 0 ? 40000 : i % 70;
            uint8_t *memory = effects_alloc(&effects, bytes);
            CU_ASSERT_EQUAL((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t k = 0; k < bytes; k += 97)
                CU_ASSERT_EQUAL(memory[k], 0);
            memset(memory, 0xff, bytes);
            effects_trace(&effects, "line %zu", i);
        }
        CU_ASSERT_STRING_EQUAL(first, "first");
        CU_ASSERT_STRING_EQUAL(effects.items[2999].trace, "line 2999");
        CU_ASSERT_EQUAL(effects.count, 3000);
        effects_clear(&effects);
        CU_ASSERT_EQUAL(effects.count, 0);
    }
    effects_release(&effects);
}

static void empty_spans_and_absent_texts(void)
{
    struct effects effects = {0};
    effects_send(&effects, "a:1", CHANNEL_GOSSIP, (struct span){0});
    CU_ASSERT_EQUAL(effects.items[0].send.bytes.bytes, 0);
    CU_ASSERT_PTR_NULL(effects_text(&effects, NULL));
    effects_trace(&effects, "%s", "");
    CU_ASSERT_STRING_EQUAL(effects.items[1].trace, "");
    effects_release(&effects);
}

UNIT_MAIN("effect", {"empty is zeroed memory", empty_is_zeroed_memory},
          {"order is kept and all is copied", order_is_kept_and_all_is_copied},
          {"memory lives until clear", memory_lives_until_clear},
          {"empty spans and absent texts", empty_spans_and_absent_texts})
