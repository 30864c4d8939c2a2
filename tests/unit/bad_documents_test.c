/* Every malformed document of tests/bad, with the status and the exact message that a user gets.
 *
 * UPDATE=1 rewrites tests/bad/expected.json; read the difference as a user would. Runs from the
 * root. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/json.h"
#include "agent/codec/supervisor_json.h"
#include "agent/codec/workload_json.h"
#include "codec_support.h"
#include "unit.h"

static const char directory[] = "tests/bad", expected_path[] = "tests/bad/expected.json";

static int status_of(enum error_code code)
{
    switch (code) {
    case ERROR_MALFORMED:
        return 400;
    case ERROR_CONFLICT:
        return 409;
    case ERROR_TOO_LARGE:
        return 413;
    case ERROR_UNSUPPORTED_MEDIA:
        return 415;
    case ERROR_INVALID:
        return 422;
    default:
        return 500;
    }
}

/* What the API does with the documents of a body: each by its kind. */
static int accept_all(const struct documents *documents, struct error *err)
{
    for (size_t i = 0; i < documents->count; i++) {
        const struct document *document = &documents->items[i];
        struct workload workload = {0};
        struct supervisor supervisor = {0};
        bool is_supervisor = strcmp(document_kind(document->object), "Supervisor") == 0;
        int failed = is_supervisor ? supervisor_create(&supervisor, document, &write_one, err)
                                   : workload_create(&workload, document, &write_one, err);
        workload_release(&workload);
        supervisor_release(&supervisor);
        if (failed)
            return -1;
    }
    return 0;
}

static void check_file(cJSON *results, const char *name)
{
    char path[512];
    struct error err = {0};
    struct documents documents;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    char *text = support_read_file(path);
    const char *type = strstr(name, ".json") ? "application/json" : "application/yaml";
    int failed = documents_parse(&documents, type, span_text(text), &err);
    if (!failed)
        failed = accept_all(&documents, &err);
    if (!failed)
        printf("accepted: %s\n", path);
    CU_ASSERT(failed);
    documents_release(&documents);
    free(text);
    cJSON *result = json_add_object(results, name);
    json_add(result, "status", cJSON_CreateNumber(status_of(err.code)));
    json_add_text(result, "message", err.text);
}

static int is_document(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "expected.json") != 0;
}

static void compare(const cJSON *results, const cJSON *expected)
{
    const cJSON *result;
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *wanted = json_get(expected, result->string);
        char *got = cJSON_Print(result), *want = wanted ? cJSON_Print(wanted) : xstrdup("nothing");
        if (strcmp(got, want) != 0)
            printf("%s\n  got      %s\n  expected %s\n", result->string, got, want);
        CU_ASSERT_STRING_EQUAL(got, want);
        free(got);
        free(want);
    }
    CU_ASSERT_EQUAL(cJSON_GetArraySize(results), cJSON_GetArraySize(expected));
}

static void each_is_refused_with_its_message(void)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_document, alphasort);
    CU_ASSERT_FATAL(count >= 45);
    cleanup_json cJSON *results = json_new_object();
    for (int i = 0; i < count; i++) {
        check_file(results, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (getenv("UPDATE")) {
        FILE *file = fopen(expected_path, "w");
        char *text = cJSON_Print(results);
        fprintf(file, "%s\n", text);
        free(text);
        fclose(file);
    }
    char *text = support_read_file(expected_path);
    cleanup_json cJSON *expected = cJSON_Parse(text);
    free(text);
    compare(results, expected);
}

UNIT_MAIN("bad documents", {"each is refused with its message", each_is_refused_with_its_message})
