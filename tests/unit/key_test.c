/* Keys of the map: one text for one thing, and anything else is not ours. */
#include "agent/core/key.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "unit.h"

#define NAME_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_64 "a234567890123456789012345678901234567890123456789012345678901234"

static struct key_parts parse(const char *text)
{
    return key_parse(span_text(text));
}

static struct key print(const struct key_parts *parts)
{
    switch (parts->kind) {
    case KEY_WORKLOAD:
        return key_workload(parts->ns, parts->name);
    case KEY_SUPERVISOR:
        return key_supervisor(parts->name);
    case KEY_CLAIM:
        return key_claim(&parts->child);
    case KEY_STATUS:
        return key_status(&parts->child);
    case KEY_NAME:
        return key_name(parts->ns, parts->name);
    case KEY_META:
        return key_meta(parts->ns, parts->name);
    case KEY_STATE:
        return key_state(&parts->child);
    case KEY_PIECE:
        return key_piece(&parts->child, &parts->state, parts->index);
    case KEY_MEMBER:
        return key_member(parts->name);
    case KEY_REBALANCE:
        return key_rebalance(parts->name);
    case KEY_ELECTORATE:
        return key_electorate(parts->name);
    case KEY_UNKNOWN:
        break;
    }
    return (struct key){.bytes = 0};
}

static void the_texts_are_those_of_the_design(void)
{
    struct child_id id = {.ns = "default", .workload = "web", .ordinal = 3};
    CU_ASSERT_STRING_EQUAL(key_workload("default", "web").text, "w/default/web");
    CU_ASSERT_STRING_EQUAL(key_supervisor("quorum").text, "s/quorum");
    CU_ASSERT_STRING_EQUAL(key_claim(&id).text, "c/default/web/3");
    CU_ASSERT_STRING_EQUAL(key_status(&id).text, "t/default/web/3");
    CU_ASSERT_STRING_EQUAL(key_name("default", "web-0").text, "n/default/web-0");
    struct state_id state = {.epoch = 2, .replica = UINT64_MAX, .stamp = 0x1a};
    CU_ASSERT_STRING_EQUAL(key_state(&id).text, "h/default/web/3");
    CU_ASSERT_STRING_EQUAL(key_piece(&id, &state, 7).text,
                           "x/default/web/3/2/ffffffffffffffff/1a/7");
    CU_ASSERT_STRING_EQUAL(key_meta("default", "limits").text, "r/default/limits");
    CU_ASSERT_STRING_EQUAL(key_member("node-1").text, "m/node-1");
    CU_ASSERT_STRING_EQUAL(key_rebalance("quorum").text, "b/quorum");
    CU_ASSERT_STRING_EQUAL(key_electorate("quorum").text, "e/quorum");
    struct key key = key_member("node-1");
    CU_ASSERT_TRUE(span_equal(key_span(&key), span_text("m/node-1")));
}

static void each_kind_is_parsed_into_its_parts(void)
{
    struct key_parts parts = parse("w/default/web");
    CU_ASSERT_EQUAL(parts.kind, KEY_WORKLOAD);
    CU_ASSERT_STRING_EQUAL(parts.ns, "default");
    CU_ASSERT_STRING_EQUAL(parts.name, "web");
    parts = parse("n/prod/db-0");
    CU_ASSERT_EQUAL(parts.kind, KEY_NAME);
    CU_ASSERT_STRING_EQUAL(parts.ns, "prod");
    CU_ASSERT_STRING_EQUAL(parts.name, "db-0");
    parts = parse("r/prod/limits");
    CU_ASSERT_EQUAL(parts.kind, KEY_META);
    CU_ASSERT_STRING_EQUAL(parts.ns, "prod");
    CU_ASSERT_STRING_EQUAL(parts.name, "limits");
    parts = parse("x/prod/db/17/2/ffffffffffffffff/1a/7");
    CU_ASSERT_EQUAL(parts.kind, KEY_PIECE);
    CU_ASSERT_STRING_EQUAL(parts.child.workload, "db");
    CU_ASSERT_EQUAL(parts.child.ordinal, 17);
    CU_ASSERT_TRUE(parts.state.epoch == 2 && parts.state.replica == UINT64_MAX);
    CU_ASSERT_TRUE(parts.state.stamp == 0x1a && parts.index == 7);
    static const char *const bad[] = {"x/prod/db/17/2/f/1a/8",
                                      "x/prod/db/17/2/f/1a/",
                                      "x/prod/db/17/2/f/1a",
                                      "x/prod/db/17/02/f/1a/7",
                                      "x/prod/db/17/2/F/1a/7",
                                      "x/prod/db/17/2/f/1a/7/",
                                      "x/prod/db/17/2/10000000000000000/1a/7"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(parse(bad[i]).kind, KEY_UNKNOWN);
    parts = parse("h/prod/db/17");
    CU_ASSERT_EQUAL(parts.kind, KEY_STATE);
    parts = parse("c/prod/db/17");
    CU_ASSERT_EQUAL(parts.kind, KEY_CLAIM);
    CU_ASSERT_STRING_EQUAL(parts.child.ns, "prod");
    CU_ASSERT_STRING_EQUAL(parts.child.workload, "db");
    CU_ASSERT_EQUAL(parts.child.ordinal, 17);
    parts = parse("t/prod/db/0");
    CU_ASSERT_EQUAL(parts.kind, KEY_STATUS);
    CU_ASSERT_EQUAL(parts.child.ordinal, 0);
    parts = parse("s/default");
    CU_ASSERT_EQUAL(parts.kind, KEY_SUPERVISOR);
    CU_ASSERT_STRING_EQUAL(parts.name, "default");
    parts = parse("m/a");
    CU_ASSERT_EQUAL(parts.kind, KEY_MEMBER);
    CU_ASSERT_STRING_EQUAL(parts.name, "a");
}

static void the_longest_keys_survive_the_round_trip(void)
{
    struct child_id id = {.ns = NAME_63, .workload = NAME_63, .ordinal = UINT32_MAX};
    struct key keys[] = {key_workload(NAME_63, NAME_63),
                         key_supervisor(NAME_63),
                         key_claim(&id),
                         key_status(&id),
                         key_name(NAME_63, NAME_63),
                         key_member(NAME_63),
                         key_electorate(NAME_63)};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CU_ASSERT_EQUAL(keys[i].bytes, strlen(keys[i].text));
        struct key_parts parts = key_parse(key_span(&keys[i]));
        CU_ASSERT_EQUAL(parts.kind, KEY_WORKLOAD + i);
        CU_ASSERT_STRING_EQUAL(print(&parts).text, keys[i].text);
    }
}

static const char *const strangers[] = {
    "",
    "w",
    "w/",
    "/",
    "//",
    "w//",
    "w/a",
    "w/a/",
    "w//a",
    "w/a/b/",
    "w/a/b/c",
    "w/A/b",
    "w/a/B",
    "w/-a/b",
    "w/a/b-",
    "w/a/b.c",
    "w/a/b c",
    "w a/b",
    "W/a/b",
    "x/a/b",
    "x/a",
    "s/",
    "s/a/b",
    "s//a",
    "s/A",
    "s/a-",
    "s/a_b",
    "m/",
    "m/a/b",
    "m/a.example.org",
    "n/a",
    "n/a/",
    "n//a",
    "n/a/b/c",
    "c/a",
    "c/a/b",
    "c/a/b/",
    "c/a/b/01",
    "c/a/b/00",
    "c/a/b/-1",
    "c/a/b/+1",
    "c/a/b/1x",
    "c/a/b/ 1",
    "c/a/b/0x1",
    "c/a/b/1/",
    "c/a/b/1/2",
    "c//b/1",
    "c/a//1",
    "c/A/b/1",
    "t/a/b",
    "t/a/b/1 ",
    "t/a/b/1e3",
    "t/a/b/1\n",
    "w/a/b\n",
    " w/a/b",
    "c/a/b/4294967296",
    "t/a/b/99999999999999999999",
    "w/a/b\xc3\xa4",
    "s/" NAME_64,
    "m/" NAME_64,
    "w/a/" NAME_64,
    "w/" NAME_64 "/a",
    "n/a/" NAME_64,
    "c/" NAME_64 "/b/1",
    "c/a/" NAME_64 "/1",
    "w/" NAME_63 "/" NAME_63 "x",
};

static void what_is_not_ours_is_unknown(void)
{
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (parse(strangers[i]).kind != KEY_UNKNOWN) {
            CU_FAIL("taken for a key");
            printf("\n  %s\n", strangers[i]);
        }
}

static void zero_bytes_and_great_lengths_are_unknown(void)
{
    CU_ASSERT_EQUAL(key_parse(span_of("w/a/b\0", 6)).kind, KEY_UNKNOWN);
    CU_ASSERT_EQUAL(key_parse(span_of("w/a\0/b", 6)).kind, KEY_UNKNOWN);
    CU_ASSERT_EQUAL(key_parse(span_of("s\0a", 3)).kind, KEY_UNKNOWN);
    char text[1024];
    memset(text, 'a', sizeof text);
    memcpy(text, "s/", 2);
    for (size_t bytes = 2 + NAME_BYTES_MAX + 1; bytes <= sizeof text; bytes++)
        CU_ASSERT_EQUAL(key_parse(span_of(text, bytes)).kind, KEY_UNKNOWN);
    CU_ASSERT_EQUAL(key_parse(span_of(text, 2 + NAME_BYTES_MAX)).kind, KEY_SUPERVISOR);
}

/* One text for one thing: whatever is taken for a key prints as the very same bytes. Two keys for
 * one child would be two claims on it. */
static bool prints_as_it_was(struct span span)
{
    uint8_t *exact = malloc(span.bytes ? span.bytes : 1); /* so that a sanitizer sees the end */
    memcpy(exact, span.data, span.bytes);
    struct key_parts parts = key_parse(span_of(exact, span.bytes));
    struct key key = print(&parts);
    bool same = parts.kind == KEY_UNKNOWN || span_equal(key_span(&key), span);
    free(exact);
    return same;
}

static void a_key_has_one_text(void)
{
    static const char alphabet[] = "wsctnm//////ab0123456789-\0\xff";
    struct random random = random_of(7);
    for (int round = 0; round < 200000; round++) {
        char text[16];
        size_t bytes = (size_t)random_below(&random, sizeof text + 1);
        for (size_t i = 0; i < bytes; i++)
            text[i] = alphabet[random_below(&random, sizeof alphabet)];
        if (bytes > 1 && round % 2)
            text[1] = '/';
        CU_ASSERT_TRUE(prints_as_it_was(span_of(text, bytes)));
    }
}

static void damaged_keys_are_another_key_or_none(void)
{
    static const char *const good[] = {"w/default/web", "s/quorum",        "c/default/web/30",
                                       "t/prod/db/0",   "n/default/web-0", "m/node-1"};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        char text[32];
        size_t bytes = strlen(good[k]);
        memcpy(text, good[k], bytes);
        for (size_t at = 0; at < bytes; at++) {
            CU_ASSERT_TRUE(prints_as_it_was(span_of(text, at)));
            for (int value = 0; value < 256; value++) {
                text[at] = (char)value;
                CU_ASSERT_TRUE(prints_as_it_was(span_of(text, bytes)));
            }
            text[at] = good[k][at];
        }
    }
}

UNIT_MAIN("key", {"the texts are those of the design", the_texts_are_those_of_the_design},
          {"each kind is parsed into its parts", each_kind_is_parsed_into_its_parts},
          {"the longest keys survive the round trip", the_longest_keys_survive_the_round_trip},
          {"what is not ours is unknown", what_is_not_ours_is_unknown},
          {"zero bytes and great lengths are unknown", zero_bytes_and_great_lengths_are_unknown},
          {"a key has one text", a_key_has_one_text},
          {"damaged keys are another key or none", damaged_keys_are_another_key_or_none})
