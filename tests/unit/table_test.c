/* The hash table of agent/core/table.h, with hashes that collide and wrap at its end. */
#include "agent/core/table.h"

#include "agent/core/random.h"
#include "unit.h"

enum { MANY = 300, HASHES = 50 };

static struct table_item items[MANY];
static bool there[MANY];

/* How often it comes up among those of its hash. */
static size_t times_found(const struct table *table, const struct table_item *item)
{
    size_t times = 0, at = item->hash;
    const struct table_item *found;
    while ((found = table_next(table, item->hash, &at))) {
        CU_ASSERT_EQUAL(found->hash, item->hash);
        times += found == item;
    }
    return times;
}

static void check_all(const struct table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(times_found(table, &items[i]), there[i]);
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
        items[i].hash = UINT32_MAX - (uint32_t)random_below(&random, HASHES);
    check_all(&table);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned step = 0; step < 40; step++) {
            size_t at = (size_t)random_below(&random, MANY);
            if (there[at])
                table_remove(&table, &items[at]);
            else
                table_add(&table, &items[at]);
            there[at] = !there[at];
        }
        check_all(&table);
    }
    table_release(&table);
    CU_ASSERT_EQUAL(table.count, 0);
}

UNIT_MAIN("table", {"coming and going", coming_and_going})
