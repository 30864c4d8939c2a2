/* An object against its table, and the completion of one that has passed. */
#ifndef AGENT_CODEC_SCHEMA_CHECK_H
#define AGENT_CODEC_SCHEMA_CHECK_H

#include "agent/codec/schema.h"
#include "agent/codec/schema_problems.h"

/* Records what is wrong with item at the current path. partial: nothing is required (the
 * configuration of a server-side apply). null counts as absent everywhere but in lists, as for the
 * API server. */
void schema_check(struct problems *problems, const struct schema_field *field, const cJSON *item,
                  bool partial);

/* Fills in defaults (not those of items of lists) and drops nulls of an object that has passed. The
 * opposite: drops what equals its default, in lists too; equal objects, one with defaults spelled
 * out, are equal afterwards. */
void schema_complete(const struct schema_field *field, cJSON *item);
void schema_strip(const struct schema_field *field, cJSON *item);

/* Sorts the keys of all objects, everywhere. */
void schema_sort_keys(cJSON *item);

#endif
