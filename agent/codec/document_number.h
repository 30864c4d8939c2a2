/* Numbers printed exactly. cJSON compares what it prints to the value with a tolerance:
 * 9007199254740991 comes out as 9.00719925474099e+15, and 10^15 as 1e+15, which readers of integers
 * refuse. */
#ifndef AGENT_CODEC_DOCUMENT_NUMBER_H
#define AGENT_CODEC_DOCUMENT_NUMBER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

enum { NUMBER_TEXT_BYTES = 40 };

/* The shortest of 15 to 17 digits that reads back to the same value; whole numbers below 2^53
 * without an exponent. Returns text, which must have NUMBER_TEXT_BYTES. */
char *number_print(double number, char *text);

/* Replaces the numbers of a tree that cJSON would print otherwise by raw text. For trees that are
 * only printed. */
void numbers_make_exact(cJSON *item);

/* Equal values, numbers exactly (cJSON_Compare has a tolerance here too), members in any order. Two
 * NULLs are equal. */
bool values_equal(const cJSON *a, const cJSON *b);

#endif
