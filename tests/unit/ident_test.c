/* Identities: one text per child, names as DNS wants them, fields that never overflow. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/ident.h"
#include "agent/core/random.h"
#include "placement/hash.h"
#include "unit.h"

static void child_ids_survive_print_and_parse(void)
{
    static const char *const texts[] = {"default/web/0", "a/b/4294967295", "0-0/x1/10"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct child_id id, again;
        char text[CHILD_ID_TEXT_BYTES_MAX];
        CU_ASSERT_TRUE_FATAL(child_id_parse(&id, texts[i]));
        child_id_print(&id, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, texts[i]);
        CU_ASSERT_EQUAL(child_id_hash(&id), placement_hash(text, strlen(text)));
        CU_ASSERT_TRUE(child_id_parse(&again, text) && child_id_compare(&id, &again) == 0);
    }
}

static void the_longest_child_id_fits(void)
{
    struct child_id id = {.ordinal = UINT32_MAX};
    memset(id.ns, 'n', NAME_BYTES_MAX);
    memset(id.workload, 'w', NAME_BYTES_MAX);
    char text[CHILD_ID_TEXT_BYTES_MAX];
    child_id_print(&id, text, sizeof text);
    struct child_id again;
    CU_ASSERT_TRUE(child_id_parse(&again, text));
    CU_ASSERT_EQUAL(child_id_compare(&id, &again), 0);
}

static void what_is_no_child_id(void)
{
    static const char *const bad[] = {"",
                                      "web",
                                      "default/web",
                                      "default/web/",
                                      "a/b/01",
                                      "a/b/-1",
                                      "a/b/+1",
                                      "a/b/1 ",
                                      "a/b/1/2",
                                      "a//1",
                                      "/b/1",
                                      "A/b/1",
                                      "a/b_c/1",
                                      "a/b/x",
                                      "a/b/4294967296",
                                      "a/-b/1",
                                      "a/b/99999999999999999999999"};
    struct child_id id = {.ns = "kept"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(child_id_parse(&id, bad[i]));
    char text[200];
    memset(text, 'a', sizeof text);
    memcpy(text + NAME_BYTES_MAX + 1, "/b/1", 5);
    CU_ASSERT_FALSE(child_id_parse(&id, text));
    CU_ASSERT_TRUE(child_id_parse(&id, text + 1));
    CU_ASSERT_EQUAL(strlen(id.ns), NAME_BYTES_MAX);
}

static void order_is_by_namespace_name_number(void)
{
    static const char *const sorted[] = {"a/a/2", "a/a/10", "a/b/0", "a/bb/0", "b/a/0"};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            struct child_id a, b;
            child_id_parse(&a, sorted[i]);
            child_id_parse(&b, sorted[k]);
            int order = child_id_compare(&a, &b);
            CU_ASSERT_EQUAL((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

static void names_are_dns1123_labels(void)
{
    static const char *const good[] = {"a", "0", "a-b", "node-1", "x9"};
    static const char *const bad[] = {"", "-", "-a", "a-", "A", "a.b", "a_b", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CU_ASSERT_TRUE(name_is_dns1123(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(name_is_dns1123(bad[i]));
    char text[NAME_BYTES_MAX + 2] = {0};
    memset(text, 'a', NAME_BYTES_MAX);
    CU_ASSERT_TRUE(name_is_dns1123(text));
    text[NAME_BYTES_MAX] = 'a';
    CU_ASSERT_FALSE(name_is_dns1123(text));
}

static void fields_are_cut_between_characters(void)
{
    char field[5];
    TEXT_SET(field, "abc");
    CU_ASSERT_STRING_EQUAL(field, "abc");
    TEXT_SET(field, "abcdef");
    CU_ASSERT_STRING_EQUAL(field, "abcd");
    TEXT_SET(field, "abc\xc3\xa4");
    CU_ASSERT_STRING_EQUAL(field, "abc");
    TEXT_SET(field, "\xf0\x9f\x98\x80xyz");
    CU_ASSERT_STRING_EQUAL(field, "\xf0\x9f\x98\x80");
    TEXT_SET(field, "a\xf0\x9f\x98\x80");
    CU_ASSERT_STRING_EQUAL(field, "a");
    TEXT_SET(field, "\x80\x80\x80\x80\x80\x80");
    CU_ASSERT_EQUAL(strlen(field), 4);
    TEXT_SET(field, NULL);
    CU_ASSERT_STRING_EQUAL(field, "");
    text_set_span(field, sizeof field, span_of("a\0b", 3));
    CU_ASSERT_STRING_EQUAL(field, "a");
    text_set_span(field, sizeof field, (struct span){0});
    CU_ASSERT_STRING_EQUAL(field, "");
    field[0] = 'k';
    text_set(field, 0, "x");
    CU_ASSERT_EQUAL(field[0], 'k');
}

static void an_owned_text_is_replaced(void)
{
    char *text = NULL;
    text_replace(&text, "long before");
    CU_ASSERT_STRING_EQUAL(text, "long before");
    text_replace(&text, text);
    CU_ASSERT_STRING_EQUAL(text, "long before");
    text_replace(&text, text + 5); /* a part of itself */
    CU_ASSERT_STRING_EQUAL(text, "before");
    free(text);
}

static void random_is_even_and_repeats(void)
{
    struct random a = random_of(42), b = random_of(42), c = random_of(43);
    CU_ASSERT_EQUAL(random_next(&a), random_next(&b));
    CU_ASSERT_NOT_EQUAL(random_next(&a), random_next(&c));
    unsigned counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[random_below(&a, 6)]++;
    for (int i = 0; i < 6; i++)
        CU_ASSERT_TRUE(counts[i] > 9500 && counts[i] < 10500);
    CU_ASSERT_EQUAL(random_below(&a, 1), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_TRUE(random_below(&a, UINT64_MAX / 2 + 2) <= UINT64_MAX / 2 + 1);
}

UNIT_MAIN("ident", {"child ids survive print and parse", child_ids_survive_print_and_parse},
          {"the longest child id fits", the_longest_child_id_fits},
          {"what is no child id", what_is_no_child_id},
          {"order is by namespace, name, number", order_is_by_namespace_name_number},
          {"names are DNS-1123 labels", names_are_dns1123_labels},
          {"fields are cut between characters", fields_are_cut_between_characters},
          {"an owned text is replaced", an_owned_text_is_replaced},
          {"random is even and repeats", random_is_even_and_repeats})
