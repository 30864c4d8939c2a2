/* Errors: the failure branch in one line, context in front, never an overflow. */
#include <string.h>

#include "agent/core/error.h"
#include "unit.h"

static void set_and_wrap(void)
{
    struct error err = {0};
    CU_ASSERT_EQUAL(error_set(&err, ERROR_INVALID, "replicas must be 1..%d", 10), -1);
    CU_ASSERT_EQUAL(err.code, ERROR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.text, "replicas must be 1..10");
    CU_ASSERT_EQUAL(error_wrap(&err, "line %d", 3), -1);
    CU_ASSERT_EQUAL(err.code, ERROR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.text, "line 3: replicas must be 1..10");
    error_set(&err, ERROR_IO, "again: %s", err.text);
    CU_ASSERT_EQUAL(err.code, ERROR_IO);
    CU_ASSERT_STRING_EQUAL(err.text, "again: line 3: replicas must be 1..10");
}

static void nobody_listens(void)
{
    CU_ASSERT_EQUAL(error_set(NULL, ERROR_IO, "lost"), -1);
    CU_ASSERT_EQUAL(error_wrap(NULL, "lost"), -1);
}

static void long_texts_are_cut(void)
{
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct error err = {0};
    error_set(&err, ERROR_MALFORMED, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    CU_ASSERT_STRING_EQUAL(err.text + sizeof err.text - 5, "x...");
    error_wrap(&err, "head");
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    CU_ASSERT_EQUAL(strncmp(err.text, "head: xxx", 9), 0);
    error_wrap(&err, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
}

UNIT_MAIN("error", {"set and wrap", set_and_wrap}, {"nobody listens", nobody_listens},
          {"long texts are cut", long_texts_are_cut})
