/* The ordered map against the most naive one: a sorted array. */
#include "agent/core/index.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "unit.h"

enum { KEY_BYTES = 4, TWIN_MAX = 4096 };

struct twin_item {
    uint8_t key[KEY_BYTES];
    size_t bytes;
    uint64_t *value;
};

struct twin {
    struct twin_item items[TWIN_MAX];
    size_t count;
};

static struct twin twin;
static uint64_t values[TWIN_MAX];

static struct span item_key(const struct twin_item *item)
{
    return span_of(item->key, item->bytes);
}

static size_t twin_position(struct span key)
{
    size_t at = 0;
    while (at < twin.count && span_compare(item_key(&twin.items[at]), key) < 0)
        at++;
    return at;
}

static bool twin_has(size_t at, struct span key)
{
    return at < twin.count && span_equal(item_key(&twin.items[at]), key);
}

static void twin_insert(size_t at, struct span key, uint64_t *value)
{
    memmove(twin.items + at + 1, twin.items + at, (twin.count - at) * sizeof *twin.items);
    struct twin_item item = {.bytes = key.bytes, .value = value};
    memcpy(item.key, key.data, key.bytes);
    twin.items[at] = item;
    twin.count++;
}

static void twin_remove(size_t at)
{
    twin.count--;
    memmove(twin.items + at, twin.items + at + 1, (twin.count - at) * sizeof *twin.items);
}

/* Short keys of few letters, zero among them: many collisions, many prefixes of one another. */
static struct span random_key(struct random *random, uint8_t data[KEY_BYTES])
{
    size_t bytes = 1 + (size_t)random_below(random, KEY_BYTES);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(random_below(random, 5) * 63);
    return span_of(data, bytes);
}

/* From first to last by index_after, all that the twin has and no more. */
static bool walks_like_the_twin(const struct index *index)
{
    bool same = index_count(index) == twin.count &&
                index_after(index, span_of("", 0)) == (twin.count ? twin.items[0].value : NULL);
    for (size_t i = 0; i < twin.count; i++) {
        void *next = i + 1 < twin.count ? twin.items[i + 1].value : NULL;
        same = same && index_after(index, item_key(&twin.items[i])) == next &&
               index_find(index, item_key(&twin.items[i])) == twin.items[i].value;
    }
    return same;
}

static void one_operation(struct index *index, struct random *random, bool grow)
{
    uint8_t data[KEY_BYTES];
    struct span key = random_key(random, data);
    size_t at = twin_position(key);
    bool there = twin_has(at, key);
    uint64_t *value = &values[random_below(random, TWIN_MAX)];
    CU_ASSERT_PTR_EQUAL(index_find(index, key), there ? twin.items[at].value : NULL);
    size_t after = there ? at + 1 : at;
    CU_ASSERT_PTR_EQUAL(index_after(index, key),
                        after < twin.count ? twin.items[after].value : NULL);
    if (!there && (grow || random_below(random, 4) == 0)) {
        index_insert(index, key, value);
        twin_insert(at, key, value);
        memset(data, 0xee, sizeof data); /* the index has its own copy */
    } else if (there && (!grow || random_below(random, 4) == 0)) {
        CU_ASSERT_PTR_EQUAL(index_remove(index, key), twin.items[at].value);
        twin_remove(at);
    } else if (!there) {
        CU_ASSERT_PTR_NULL(index_remove(index, key));
    }
}

static void random_operations_agree_with_a_sorted_array(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct random random = random_of(seed);
        struct index index = {0};
        twin.count = 0;
        for (int i = 0; i < 6000; i++) {
            one_operation(&index, &random, i / 1500 % 2 == 0);
            if (i % 250 == 0)
                CU_ASSERT_TRUE(walks_like_the_twin(&index));
        }
        while (twin.count > 0) {
            size_t at = (size_t)random_below(&random, twin.count);
            CU_ASSERT_PTR_EQUAL(index_remove(&index, item_key(&twin.items[at])),
                                twin.items[at].value);
            twin_remove(at);
        }
        CU_ASSERT_TRUE(walks_like_the_twin(&index));
        index_release(&index, NULL);
    }
}

/* Of some the key is in the value, of others it is copied: they are found alike. */
static void a_value_may_have_its_own_key(void)
{
    struct named {
        uint32_t number;
        char name[8];
    } many[200];
    struct index index = {0};
    for (uint32_t i = 0; i < 200; i++) {
        many[i].number = i;
        snprintf(many[i].name, sizeof many[i].name, "n%03u", i);
        if (i % 2 == 0)
            index_insert_own(&index, span_text(many[i].name), &many[i]);
        else
            index_insert(&index, span_text(many[i].name), &many[i]);
    }
    for (uint32_t i = 0; i < 200; i += 3)
        CU_ASSERT_PTR_EQUAL(index_remove(&index, span_text(many[i].name)), &many[i]);
    const struct named *last = NULL;
    for (uint32_t i = 0; i < 200; i++) {
        struct named *expected = i % 3 == 0 ? NULL : &many[i];
        CU_ASSERT_PTR_EQUAL(index_find(&index, span_text(many[i].name)), expected);
        if (!expected)
            continue;
        CU_ASSERT_PTR_EQUAL(index_after(&index, span_text(last ? last->name : "")), expected);
        last = expected;
    }
    index_release(&index, NULL);
}

static void zeroed_memory_is_empty(void)
{
    struct index index = {0};
    CU_ASSERT_PTR_NULL(index_find(&index, span_text("a")));
    CU_ASSERT_PTR_NULL(index_after(&index, span_text("")));
    CU_ASSERT_PTR_NULL(index_after(&index, span_text("a")));
    CU_ASSERT_PTR_NULL(index_remove(&index, span_text("a")));
    CU_ASSERT_EQUAL(index_count(&index), 0);
    index_release(&index, free);
}

static void after_needs_no_key_that_is_there(void)
{
    struct index index = {0};
    char b[] = "b", ba[] = "ba", d[] = "d";
    index_insert(&index, span_text("d"), d);
    index_insert(&index, span_text("ba"), ba);
    index_insert(&index, span_text("b"), b);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_text("")), b);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_text("a")), b);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_text("b")), ba);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_of("b\0", 2)), ba);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_text("ba")), d);
    CU_ASSERT_PTR_EQUAL(index_after(&index, span_text("c")), d);
    CU_ASSERT_PTR_NULL(index_after(&index, span_text("d")));
    CU_ASSERT_PTR_NULL(index_find(&index, span_text("c")));
    index_release(&index, NULL);
}

static int freed;

static void count_and_free(void *value)
{
    freed++;
    free(value);
}

static void release_frees_each_value_once_and_empties(void)
{
    struct index index = {0};
    for (uint32_t i = 0; i < 1000; i++)
        index_insert(&index, span_of(&i, sizeof i), malloc(1));
    CU_ASSERT_EQUAL(index_count(&index), 1000);
    freed = 0;
    index_release(&index, count_and_free);
    CU_ASSERT_EQUAL(freed, 1000);
    CU_ASSERT_EQUAL(index_count(&index), 0);
    CU_ASSERT_PTR_NULL(index_after(&index, span_text("")));
    index_insert(&index, span_text("again"), &index);
    CU_ASSERT_PTR_EQUAL(index_find(&index, span_text("again")), &index);
    index_release(&index, NULL);
}

/* A list would need 2 * 10^10 comparisons for this: the test program has no such time. */
static void many_keys_do_not_make_it_slow(void)
{
    enum { MANY = 200000 };
    struct index index = {0};
    char key[16];
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%08x", i * 2654435761u);
        index_insert(&index, span_text(key), key);
    }
    CU_ASSERT_EQUAL(index_count(&index), MANY);
    size_t found = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%08x", i * 2654435761u);
        found += index_remove(&index, span_text(key)) != NULL;
    }
    CU_ASSERT_EQUAL(found, MANY);
    CU_ASSERT_EQUAL(index_count(&index), 0);
    index_release(&index, NULL);
}

UNIT_MAIN("index", {"zeroed memory is empty", zeroed_memory_is_empty},
          {"a value may have its own key", a_value_may_have_its_own_key},
          {"random operations agree with a sorted array",
           random_operations_agree_with_a_sorted_array},
          {"after needs no key that is there", after_needs_no_key_that_is_there},
          {"release frees each value once and empties", release_frees_each_value_once_and_empties},
          {"many keys do not make it slow", many_keys_do_not_make_it_slow})
