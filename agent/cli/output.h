/* Objects as -o json, -o yaml and -o name show them. */
#ifndef AGENT_CLI_OUTPUT_H
#define AGENT_CLI_OUTPUT_H

#include "agent/codec/api_routes.h"
#include "agent/codec/json.h"

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_YAML, OUTPUT_JSON, OUTPUT_NAME };

/* text NULL: OUTPUT_TABLE. ERROR_INVALID: there is no such format. */
int output_format_parse(enum output_format *ret_format, const char *text, struct error *err);
/* yaml or json. */
void output_object(struct buffer *buffer, enum output_format format, const cJSON *object);
/* Indented by two, a newline at the end. */
void output_json(struct buffer *buffer, const cJSON *value);
/* "workload/web" and a newline. */
void output_name(struct buffer *buffer, enum api_resource resource, const cJSON *object);
/* A List of these items, which are taken, as apply reads it back. */
cJSON *output_list(cJSON *items);
/* What a verb has done, as -o asks for it: one object as it is, several as a List; of names a line
 * each. Takes the items. */
void output_items(enum output_format format, cJSON *items);
/* As output_format_parse, for verbs that print no table of objects. */
int output_format_parse_objects(enum output_format *ret_format, const char *text,
                                struct error *err);
/* Takes away what only machines read (managedFields), as kubectl does. */
void output_trim(cJSON *object);
/* Writes to stdout; what goes wrong is found when the program ends. */
void output_flush(struct buffer *buffer);

#endif
