/* The hash table of agent/core/table.h, with hashes that collide and wrap at its end. */
#include "agent/core/table.h"

#include "agent/core/random.h"
#include "unit.h"

enum { MANY = 300, HASHES = 50 };

struct thing {
    struct table_item item;
    uint32_t key;
};

static struct thing things[MANY];
static bool there[MANY];

static struct span thing_key(const struct table_item *item)
{
    const struct thing *thing = (const struct thing *)item;
    return span_of(&thing->key, sizeof thing->key);
}

static void check_all(const struct table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < MANY; i++) {
        const struct table_item *item = &things[i].item;
        CU_ASSERT_PTR_EQUAL(table_find(table, item->hash, thing_key(item), thing_key),
                            there[i] ? item : NULL);
        count += there[i];
    }
    CU_ASSERT_EQUAL(table->count, count);
}

/* Whatever comes and goes in whatever order: who is there is found, who is not is not. The hashes
 * end in ones, so that of any size the last slots are full and the search goes on at the first. */
static void coming_and_going(void)
{
    struct table table = {0};
    struct random random = random_of(7);
    for (size_t i = 0; i < MANY; i++)
        things[i] =
            (struct thing){.item = {.hash = UINT32_MAX - (uint32_t)random_below(&random, HASHES)},
                           .key = (uint32_t)i};
    check_all(&table);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned step = 0; step < 40; step++) {
            size_t at = (size_t)random_below(&random, MANY);
            if (there[at])
                table_remove(&table, &things[at].item);
            else
                table_add(&table, &things[at].item);
            there[at] = !there[at];
        }
        check_all(&table);
    }
    table_release(&table);
    CU_ASSERT_EQUAL(table.count, 0);
}

UNIT_MAIN("table", {"coming and going", coming_and_going})
