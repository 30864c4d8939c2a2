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
/* What a verb does, one object after the other: a line for each as soon as it is done, or, with -o,
 * what the agent has answered, at the end. Zeroed memory: lines. */
struct output_done {
    enum output_format format; /* OUTPUT_TABLE: lines */
    cJSON *answers;            /* owned */
};
int output_done_begin(struct output_done *done, const char *format, struct error *err);
/* Takes the answer. "workload/web scaled" */
void output_done_add(struct output_done *done, enum api_resource resource, const char *name,
                     const char *what, cJSON *answer);
/* As output_done_add, with a line of its own, without a newline. */
void output_done_line(struct output_done *done, enum api_resource resource, const char *name,
                      const char *line, cJSON *answer);
void output_done_end(struct output_done *done);
/* Without a word, where there was nothing to tell. */
void output_done_release(struct output_done *done);
#define cleanup_output_done __attribute__((cleanup(output_done_release)))
#define CLI_FLAG_OUTPUT_DONE(options_struct)                                  \
    {                                                                         \
        "output", 'o', FLAG_TEXT, offsetof(options_struct, output), "FORMAT", \
            "json, yaml or name: what the agent has answered, at the end"     \
    }
/* Takes away what only machines read (managedFields), as kubectl does. */
void output_trim(cJSON *object);
/* stdout is a terminal that knows colours, and nobody has said NO_COLOR. */
bool output_has_colours(void);
/* Writes to stdout; what goes wrong is found when the program ends. */
void output_flush(struct buffer *buffer);

#endif
