/* The table of members by name: agent/core/swim_names.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/swim_state.h"
#include "unit.h"

enum { MANY = 300 };

static char texts[MANY][16];
static struct swim_member members[MANY];
static bool there[MANY];

static void check_all(const struct swim_names *names)
{
    for (size_t i = 0; i < MANY; i++)
        CU_ASSERT_PTR_EQUAL(swim_names_find(names, span_text(texts[i])),
                            there[i] ? &members[i] : NULL);
}

/* Whatever comes and goes in whatever order: who is there is found, who is not is not. */
static void coming_and_going(void)
{
    struct swim_names names = {0};
    struct random random = random_of(7);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "n%zu", i);
        members[i] =
            (struct swim_member){.name = texts[i], .name_bytes = (uint8_t)strlen(texts[i])};
    }
    check_all(&names);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned step = 0; step < 40; step++) {
            size_t at = (size_t)random_below(&random, MANY);
            if (there[at])
                swim_names_remove(&names, &members[at]);
            else
                swim_names_add(&names, &members[at]);
            there[at] = !there[at];
        }
        check_all(&names);
    }
    CU_ASSERT_PTR_NULL(swim_names_find(&names, span_text("")));
    CU_ASSERT_PTR_NULL(swim_names_find(&names, span_of("n1\0", 3)));
    free(names.slots);
}

UNIT_MAIN("swim names", {"coming and going", coming_and_going})
