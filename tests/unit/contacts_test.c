/* Whom an agent greets: what its disk remembers, what users name, what discovery suggests. */
#include <stdio.h>

#include "restored_node.h"

/* Greetings of a rig's first ticks, to members NAME:1; asked[i] of the member m00 + i. */
static size_t greeted(size_t members, uint64_t seed, bool asked[static 100])
{
    struct awmap *disk = disk_new();
    char name[4];
    for (size_t i = 0; i < members; i++) {
        snprintf(name, sizeof name, "m%02zu", i);
        disk_member(disk, name);
    }
    struct rig rig = rig_start_seeded(disk, "a", seed);
    struct event tick = rig_event(&rig, EVENT_TICK);
    rig_step(&rig, &tick);
    size_t count = 0;
    memset(asked, 0, 100 * sizeof *asked);
    for (size_t i = 0; i < rig.effects.count; i++) {
        const struct effect *effect = &rig.effects.items[i];
        struct envelope envelope;
        if (effect->type != EFFECT_SEND || !envelope_decode(&envelope, effect->send.bytes) ||
            envelope.type != MESSAGE_JOIN)
            continue;
        size_t member = (size_t)atoi(effect->send.address + 1);
        CU_ASSERT_TRUE_FATAL(member < members);
        count += !asked[member];
        asked[member] = true;
    }
    rig_free(&rig);
    return count;
}

static void few_are_all_greeted(void)
{
    bool asked[100];
    CU_ASSERT_EQUAL(greeted(1, 1, asked), 1);
    CU_ASSERT_EQUAL(greeted(16, 1, asked), 16);
}

/* Each welcome is a comparison with somebody, and a comparison is as long as there are members. */
static void of_many_some_are_greeted_by_lot(void)
{
    size_t times[100] = {0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        bool asked[100];
        CU_ASSERT_EQUAL(greeted(100, seed, asked), 16);
        for (size_t i = 0; i < 100; i++)
            times[i] += asked[i];
    }
    for (size_t i = 0; i < 100; i++) /* 16 on the average */
        CU_ASSERT_TRUE(times[i] > 1 && times[i] < 40);
}

/* Discovery suggests s00:1 and so on; a later suggestion replaces the one before. */
static void suggest(struct rig *rig, size_t count)
{
    static char texts[SUGGESTED_MAX][8];
    const char *addresses[SUGGESTED_MAX];
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "s%02zu:1", i);
        addresses[i] = texts[i];
    }
    struct event event = rig_event(rig, EVENT_SUGGESTED);
    event.suggested.addresses = addresses;
    event.suggested.count = count;
    rig_step(rig, &event);
}

/* `hordelet join`. True: it is taken, and waits for a welcome. */
static bool join(struct rig *rig, const char *address)
{
    rig->reply = (struct reply){.id = 0};
    rig_request(rig,
                (struct request){.kind = REQUEST_JOIN, .addresses = &address, .address_count = 1});
    return rig->reply.id == 0;
}

/* Of each kind there are as many as there may be, whichever came first. */
static void what_users_name_and_what_is_suggested_has_room_of_its_own(void)
{
    for (int first = 0; first < 2; first++) {
        struct rig rig = rig_start(disk_new(), "a");
        size_t joined = 0;
        if (first == 0)
            suggest(&rig, SUGGESTED_MAX);
        for (size_t i = 0; i < 2 * CONTACTS_MAX; i++) {
            char address[16];
            snprintf(address, sizeof address, "j%zu:1", i);
            joined += join(&rig, address);
        }
        if (first == 1)
            suggest(&rig, SUGGESTED_MAX);
        CU_ASSERT_EQUAL(joined, CONTACTS_MAX);
        CU_ASSERT_EQUAL(rig.node->membership.contact_count, CONTACTS_MAX + SUGGESTED_MAX);
        rig_free(&rig);
    }
}

/* What a user has named stays when it is suggested no more. */
static void what_is_named_and_suggested_is_a_contact_for_good(void)
{
    for (int first = 0; first < 2; first++) {
        struct rig rig = rig_start(disk_new(), "a");
        if (first == 0)
            suggest(&rig, 1);
        CU_ASSERT_TRUE(join(&rig, "s00:1"));
        if (first == 1)
            suggest(&rig, 1);
        suggest(&rig, 0);
        CU_ASSERT_PTR_NOT_NULL(membership_contact(rig.node, "s00:1"));
        rig_free(&rig);
    }
}

UNIT_MAIN("contacts", {"few are all greeted", few_are_all_greeted},
          {"of many, some are greeted, by lot", of_many_some_are_greeted_by_lot},
          {"what users name and what is suggested has room of its own",
           what_users_name_and_what_is_suggested_has_room_of_its_own},
          {"what is named and suggested is a contact for good",
           what_is_named_and_suggested_is_a_contact_for_good})
