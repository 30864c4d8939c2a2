/* A CUnit program in two lines.
 *
 *     static void it_holds(void) { CU_ASSERT_EQUAL(1 + 1, 2); }
 *     UNIT_MAIN("arithmetic", {"it holds", it_holds})
 *
 * Exit status 0 only when every assertion of every test held. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdlib.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

static inline int unit_run(const char *suite_name, const struct unit_test *tests, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        CU_add_test(suite, tests[i].name, tests[i].run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(suite_name, ...)                                                       \
    int main(void)                                                                       \
    {                                                                                    \
        static const struct unit_test unit_tests[] = {__VA_ARGS__};                      \
        return unit_run(suite_name, unit_tests, sizeof unit_tests / sizeof *unit_tests); \
    }

#endif
