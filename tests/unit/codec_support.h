/* What the tests of documents share: reading files, parsing and creating in one line. */
#ifndef TESTS_CODEC_SUPPORT_H
#define TESTS_CODEC_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/supervisor_json.h"
#include "agent/codec/workload_json.h"
#include "unit.h"

static const uint8_t uid_one[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const struct write write_one = {
    .manager = "test", .now_ms = 1700000000000, .uid_bytes = uid_one};

/* Zero-terminated; the caller frees. NUL bytes end the text. */
static inline char *support_read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("cannot open %s\n", path);
        abort();
    }
    char *text = malloc(2 * 1024 * 1024);
    size_t bytes = fread(text, 1, 2 * 1024 * 1024 - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return text;
}

/* The first document of a YAML text (JSON is YAML). Prints the error and ends the program if there
 * is none. */
static inline struct documents support_parse(const char *text)
{
    struct documents documents;
    struct error err = {0};
    if (documents_parse(&documents, "application/yaml", span_text(text), &err) != 0) {
        printf("%s\n", err.text);
        abort();
    }
    return documents;
}

static inline struct workload support_create(const char *text)
{
    struct documents documents = support_parse(text);
    struct workload workload;
    struct error err = {0};
    if (workload_create(&workload, &documents.items[0], &write_one, &err) != 0) {
        printf("%s\n", err.text);
        abort();
    }
    documents_release(&documents);
    return workload;
}

#endif
