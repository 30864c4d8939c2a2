/* The feed against its promise: whoever lists once and then takes in what comes after always knows
 * what is there, whatever else happens, and hears of nothing twice. */
#include "agent/core/feed.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "unit.h"

static struct feed feed;
static struct feed_item *items[26];

static bool show(char letter, uint64_t hash)
{
    char name[2] = {letter};
    struct feed_key key = {.ns = "default", .name = name};
    return feed_show(&feed, FEED_NAMES, &items[letter - 'a'], &key, hash);
}

static bool hide(char letter)
{
    return feed_hide(&feed, FEED_NAMES, &items[letter - 'a'], "uid", 7);
}

/* "a5 -b6": a's version is 5, and b went with version 6. */
static const char *after(uint64_t position)
{
    static char text[512];
    const struct feed_item *found[32];
    size_t count = feed_after(&feed, FEED_NAMES, position, found, 32), at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s%u", i ? " " : "",
                               found[i]->gone ? "-" : "", feed_name(found[i]),
                               (unsigned)found[i]->version);
    return text;
}

static void end(void)
{
    feed_release(&feed);
    memset(items, 0, sizeof items);
}

static void nothing_is_kept_before_somebody_looks(void)
{
    CU_ASSERT_FALSE(show('a', 1) || hide('a'));
    CU_ASSERT_PTR_NULL(items[0]);
    feed_open(&feed);
    CU_ASSERT_STRING_EQUAL(after(0), "");
    CU_ASSERT_TRUE(show('a', 1));
    CU_ASSERT_STRING_EQUAL(after(0), "a1");
    end();
}

static void what_changed_stands_last(void)
{
    feed_open(&feed);
    CU_ASSERT_STRING_EQUAL(after(0), "");
    CU_ASSERT_TRUE(show('a', 1) && show('b', 1) && show('c', 1));
    CU_ASSERT_STRING_EQUAL(after(0), "a1 b2 c3");
    CU_ASSERT_FALSE(show('b', 1)); /* nothing that is seen has changed */
    CU_ASSERT_STRING_EQUAL(after(1), "b2 c3");
    CU_ASSERT_TRUE(show('a', 2));
    CU_ASSERT_STRING_EQUAL(after(0), "b2 c3 a4");
    CU_ASSERT_STRING_EQUAL(after(3), "a4");
    CU_ASSERT_STRING_EQUAL(after(4), "");
    CU_ASSERT_EQUAL(items[0]->since, 1);
    const struct feed_item *found[2];
    CU_ASSERT_EQUAL(feed_after(&feed, FEED_NAMES, 0, found, 2), 2);
    CU_ASSERT_EQUAL(found[1]->version, 3);
    CU_ASSERT_EQUAL(feed_after(&feed, FEED_CHILDREN, 0, found, 2), 0);
    end();
}

static void what_went_is_told_and_may_come_again(void)
{
    feed_open(&feed);
    CU_ASSERT_FALSE(hide('a'));
    show('a', 1);
    show('b', 1);
    CU_ASSERT_TRUE(hide('a'));
    CU_ASSERT_PTR_NULL(items[0]);
    CU_ASSERT_STRING_EQUAL(after(1), "b2 -a3");
    show('a', 1);
    CU_ASSERT_STRING_EQUAL(after(1), "b2 -a3 a4"); /* both are told, in this order */
    CU_ASSERT_EQUAL(items[0]->since, 4);
    const struct feed_item *found[4];
    feed_after(&feed, FEED_NAMES, 2, found, 4);
    CU_ASSERT_TRUE(found[0]->gone && found[0]->since == 1 && found[0]->gone->number == 7);
    CU_ASSERT_STRING_EQUAL(found[0]->gone->uid, "uid");
    end();
}

static void the_oldest_of_the_gone_are_forgotten(void)
{
    feed_open(&feed);
    show('b', 1);
    for (unsigned i = 0; i < FEED_GONE_MAX; i++) {
        show('a', i);
        hide('a');
    }
    CU_ASSERT_EQUAL(feed.lists[FEED_NAMES].compacted, 0);
    show('a', 1);
    hide('a');
    CU_ASSERT_EQUAL(feed.lists[FEED_NAMES].compacted, 3); /* who stands there has missed nothing */
    CU_ASSERT_EQUAL(feed.lists[FEED_NAMES].gone_count, FEED_GONE_MAX);
    CU_ASSERT_EQUAL(items[1]->version, 1);
    end();
}

/* One who is told in pieces, as a watch does it: known[i] is the version that it has, 0 for none.
 */
struct client {
    uint64_t position, complete, known[26];
    bool told[26]; /* of, since `complete` */
};

static void client_is_told(struct client *client)
{
    const struct feed_item *item;
    if (feed_after(&feed, FEED_NAMES, client->position, &item, 1) == 0) {
        client->complete = feed.position;
        memset(client->told, 0, sizeof client->told);
        return;
    }
    int letter = feed_name(item)[0] - 'a';
    uint64_t *known = &client->known[letter];
    bool was_there = client->told[letter] || item->since <= client->complete;
    CU_ASSERT_TRUE(item->version > client->position && item->version > *known);
    client->position = item->version;
    if (item->gone && !was_there)
        return;
    CU_ASSERT_EQUAL(was_there, *known != 0); /* ADDED or MODIFIED, and never DELETED of nothing */
    *known = item->gone ? 0 : item->version;
    client->told[letter] = !item->gone;
}

static void who_lists_and_follows_knows_all(void)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct random random = random_of(seed);
        struct client clients[4] = {{0}};
        feed_open(&feed);
        for (int step = 0; step < 400; step++) {
            char letter = (char)('a' + random_below(&random, 6));
            if (random_below(&random, 3) == 0)
                hide(letter);
            else
                show(letter, random_below(&random, 3));
            struct client *client = &clients[random_below(&random, 4)];
            if (random_below(&random, 20) == 0) { /* lists anew */
                *client = (struct client){.position = feed.position, .complete = feed.position};
                for (int i = 0; i < 26; i++)
                    client->known[i] = items[i] ? items[i]->version : 0;
            }
            client_is_told(client);
        }
        for (int i = 0; i < 4; i++) {
            for (int step = 0; step < 400; step++)
                client_is_told(&clients[i]);
            for (int j = 0; j < 26; j++)
                CU_ASSERT_EQUAL(clients[i].known[j], items[j] ? items[j]->version : 0);
        }
        end();
    }
}

UNIT_MAIN("feed", {"nothing is kept before somebody looks", nothing_is_kept_before_somebody_looks},
          {"what changed stands last", what_changed_stands_last},
          {"what went is told and may come again", what_went_is_told_and_may_come_again},
          {"the oldest of the gone are forgotten", the_oldest_of_the_gone_are_forgotten},
          {"who lists and follows knows all", who_lists_and_follows_knows_all})
