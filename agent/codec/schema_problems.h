/* Collecting what is wrong with a document, with the path and position of each problem.
 *
 *     spec.container.ports[0].containerPort: must be 1..65535, not 70000 (line 14, column 24)
 *
 * Up to DOCUMENT_PROBLEMS_MAX are told, joined by "; ", then "and N more". */
#ifndef AGENT_CODEC_SCHEMA_PROBLEMS_H
#define AGENT_CODEC_SCHEMA_PROBLEMS_H

#include "agent/codec/document_json.h"

struct problems {
    const struct marks *marks; /* NULL: no positions */
    char path[512];            /* of the value being looked at; cut if it does not fit */
    size_t path_bytes;
    unsigned count; /* found */
    unsigned told;
    char text[960]; /* leaves room in struct error for "; and 12345 more" */
    size_t text_bytes;
};

void problems_init(struct problems *problems, const struct marks *marks);

/* Step down; the result is what path_pop takes to step up again. */
size_t path_push_field(struct problems *problems, const char *name);
size_t path_push_index(struct problems *problems, unsigned index);
size_t path_push_key(struct problems *problems,
                     const char *key); /* any text: quoted where it must be */
void path_pop(struct problems *problems, size_t mark);

/* Records a problem at the current path. item gives the position; NULL: none. */
void problem(struct problems *problems, const cJSON *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same one step further down. */
void problem_field(struct problems *problems, const char *name, const cJSON *item,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* 0 if there were none; else the code with all of them. */
int problems_result(const struct problems *problems, enum error_code code, struct error *err);

enum { SHOWN_BYTES = 64 };
/* A value as messages show it: "three", 70000, true, null, an object, a list. Short, one line,
 * valid UTF-8. Returns text, which must have SHOWN_BYTES. */
const char *shown(const cJSON *item, char *text);
const char *shown_text(const char *source, char *text);

#endif
