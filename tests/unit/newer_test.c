/* What a later version says: agent/core/newer.c. */
#include "agent/core/newer.h"

#include "restored_node.h"

/* Steps; how often it has told something with these words. */
static size_t step(struct rig *rig, const struct event *event, const char *words)
{
    struct effects effects = {0};
    size_t told = 0;
    node_step(rig->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++)
        told += effects.items[i].type == EFFECT_TRACE && strstr(effects.items[i].trace, words);
    effects_release(&effects);
    return told;
}

static void a_message_of_a_later_version_is_dropped_and_told_once_a_minute(void)
{
    struct rig rig = rig_start(disk_new(), "a");
    uint8_t message[] = {ENVELOPE_VERSION + 1, 1, 2, 3};
    size_t told = 0;
    for (int second = 0; second < 90; second++, rig.now_ms += 1000) {
        struct event event = rig_event(&rig, EVENT_MESSAGE);
        event.message.bytes = span_of(message, sizeof message);
        event.message.from = "10.0.0.9:7370";
        told += step(&rig, &event, "version 2 from 10.0.0.9:7370");
    }
    CU_ASSERT_EQUAL(told, 2);
    rig_free(&rig);
}

static void damage_is_no_later_version(void)
{
    struct rig rig = rig_start(disk_new(), "a");
    uint8_t message[] = {ENVELOPE_VERSION, 1, 2, 3};
    struct event event = rig_event(&rig, EVENT_MESSAGE);
    event.message.bytes = span_of(message, sizeof message);
    CU_ASSERT_EQUAL(step(&rig, &event, "version"), 0);
    event.message.bytes = span_of(message, 0);
    CU_ASSERT_EQUAL(step(&rig, &event, "version"), 0);
    rig_free(&rig);
}

/* Also one that our own disk had, and never one twice. */
static void values_that_cannot_be_read_are_told_once_a_minute(void)
{
    struct awmap *disk = disk_new();
    struct buffer value = {0};
    buffer_u8(&value, UINT8_MAX);
    disk_put(disk, key_workload("default", "web"), value);
    struct rig rig = rig_start(disk, "a");
    size_t told = 0, again = 0;
    for (int second = 0; second < 90; second++, rig.now_ms += 1000) {
        struct event tick = rig_event(&rig, EVENT_TICK);
        told += step(&rig, &tick, "cannot read");
    }
    CU_ASSERT_EQUAL(told, 1);
    for (int second = 0; second < 90; second++, rig.now_ms += 1000) {
        struct event tick = rig_event(&rig, EVENT_TICK);
        rig.node->store.undecodable++; /* another one has come */
        again += step(&rig, &tick, "cannot read");
    }
    CU_ASSERT_EQUAL(again, 2);
    rig_free(&rig);
}

UNIT_MAIN("newer",
          {"a message of a later version is dropped, and told once a minute",
           a_message_of_a_later_version_is_dropped_and_told_once_a_minute},
          {"damage is no later version", damage_is_no_later_version},
          {"values that cannot be read are told once a minute",
           values_that_cannot_be_read_are_told_once_a_minute})
