/* Documents out of files: where a text is cut, what is read of a document, what becomes of bad
 * ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/manifest.h"
#include "agent/cli/terminal.h"
#include "unit.h"

static void check_pieces(const char *text, const size_t *lines, size_t count)
{
    struct manifest_piece piece;
    size_t at = 0, line = 0, found = 0, bytes = 0;
    while (manifest_piece_next(span_text(text), &at, &line, &piece)) {
        if (found < count)
            CU_ASSERT_EQUAL(piece.line, lines[found]);
        found++;
        bytes += piece.text.bytes;
    }
    CU_ASSERT_EQUAL(found, count);
    CU_ASSERT_EQUAL(bytes, strlen(text)); /* nothing is lost */
}

static void texts_are_cut_at_markers(void)
{
    check_pieces("", NULL, 0);
    check_pieces("a: 1", (size_t[]){0}, 1);
    check_pieces("a: 1\n---\nb: 2\n", (size_t[]){0, 1}, 2);
    check_pieces("# x\n%YAML 1.1\n---\na: 1\n...\n# y\n---\nb: 2", (size_t[]){0, 5}, 2);
    check_pieces("---\n---\n---\n", (size_t[]){0, 1, 2}, 3);
    check_pieces("a: |\n  ---\n  x\n----\n---x\n--- b", (size_t[]){0, 5}, 2);
    check_pieces("a: 1\r\n---\r\nb: 2\r\n", (size_t[]){0, 1}, 2);
}

static const char *body_of(struct manifests *manifests, size_t index)
{
    return terminal_text(&manifests->items[index].body);
}

static void documents_keep_their_lines(void)
{
    struct manifests manifests = {0};
    manifests_parse(
        &manifests, "f",
        span_text("kind: Workload\nmetadata: {name: web, namespace: ns}\n---\n# nothing\n---\n"
                  "kind: Supervisor\nmetadata: {name: s}\n"));
    CU_ASSERT_EQUAL_FATAL(manifests.count, 2);
    CU_ASSERT_EQUAL(manifests.items[0].resource, API_WORKLOADS);
    CU_ASSERT_STRING_EQUAL(manifests.items[0].name, "web");
    CU_ASSERT_STRING_EQUAL(manifests.items[0].ns, "ns");
    CU_ASSERT_STRING_EQUAL(body_of(&manifests, 0),
                           "kind: Workload\nmetadata: {name: web, namespace: ns}\n");
    CU_ASSERT_EQUAL(manifests.items[1].resource, API_SUPERVISORS);
    CU_ASSERT_STRING_EQUAL(manifests.items[1].ns, "");
    CU_ASSERT_STRING_EQUAL(body_of(&manifests, 1),
                           "\n\n\n\n---\nkind: Supervisor\nmetadata: {name: s}\n");
    manifests_release(&manifests);
}

static void json_and_lists_are_read(void)
{
    struct manifests manifests = {0};
    manifests_parse(
        &manifests, "f",
        span_text(
            "\xef\xbb\xbf {\"kind\":\"Workload\",\"metadata\":{\"name\":\"\\ud83d\\ude00\"}}\n---\n"
            "kind: List\nitems:\n- {kind: Workload, metadata: {name: a}}\n- {kind: Pod}\n"
            "- {kind: Supervisor, metadata: {name: b}}\n"));
    CU_ASSERT_EQUAL_FATAL(manifests.count, 4);
    CU_ASSERT_STRING_EQUAL(manifests.items[0].name, "\xf0\x9f\x98\x80");
    CU_ASSERT_STRING_EQUAL(body_of(&manifests, 1),
                           "{\"kind\":\"Workload\",\"metadata\":{\"name\":\"a\"}}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(manifests.items[2].problem);
    CU_ASSERT_EQUAL(strncmp(manifests.items[2].problem, "items[1]: kind: \"Pod\"", 21), 0);
    CU_ASSERT_STRING_EQUAL(manifests.items[3].name, "b");
    manifests_release(&manifests);
    manifests_parse(&manifests, "f",
                    span_text("{\"kind\":\"WorkloadList\",\"items\":[{\"kind\":\"Workload\","
                              "\"metadata\":{\"name\":\"a\"}}]}"));
    CU_ASSERT_EQUAL_FATAL(manifests.count, 1);
    CU_ASSERT_STRING_EQUAL(manifests.items[0].name, "a");
    manifests_release(&manifests);
}

static void bad_documents_do_not_hide_good_ones(void)
{
    static const char *const bad[] = {
        "kind: Worklod\nmetadata: {name: x}\n",
        "metadata: {name: x}\n",
        "kind: Workload\n",
        "kind: Workload\nmetadata: {name: 5}\n",
        "kind: Workload\nmetadata: {name: x, namespace: n}\n",
        "a: [1\n",
        "{\"a\":\n",
        "- 1\n",
        "text\n",
        "kind: Workload\nmetadata: {name: \"\"}\n",
        "a: \xff\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct manifests manifests = {0};
        struct buffer text = {0};
        terminal_printf(&text, "%s---\nkind: Workload\nmetadata: {name: good}\n", bad[i]);
        manifests_parse(&manifests, "f", buffer_view(&text));
        CU_ASSERT_EQUAL_FATAL(manifests.count, 2);
        CU_ASSERT_PTR_NOT_NULL(manifests.items[0].problem);
        CU_ASSERT_PTR_NULL(manifests.items[1].problem);
        CU_ASSERT_STRING_EQUAL(manifests.items[1].name, "good");
        manifests_release(&manifests);
        buffer_release(&text);
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void directories_are_read_by_name(void)
{
    static const char *const names[] = {"b.yaml", "a.yml", "c.json", "d.txt", ".e.yaml"};
    char directory[] = "/tmp/hordelet-manifest-XXXXXX", path[200];
    struct manifests manifests = {0};
    struct error err = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    struct text_list paths = {0};
    text_list_add(&paths, directory);
    CU_ASSERT_EQUAL(manifests_read_all(&manifests, &paths, &err), -1);
    write_file(directory, names[0], "kind: Workload\nmetadata: {name: b}\n");
    write_file(directory, names[1], "kind: Workload\nmetadata: {name: a}\n");
    write_file(directory, names[2], "{\"kind\":\"Workload\",\"metadata\":{\"name\":\"c\"}}");
    write_file(directory, names[3], "not read");
    write_file(directory, names[4], "not read");
    CU_ASSERT_EQUAL(manifests_read_all(&manifests, &paths, &err), 0);
    CU_ASSERT_EQUAL_FATAL(manifests.count, 3);
    CU_ASSERT_STRING_EQUAL(manifests.items[0].name, "a");
    CU_ASSERT_STRING_EQUAL(manifests.items[1].name, "b");
    CU_ASSERT_STRING_EQUAL(manifests.items[2].name, "c");
    manifests_release(&manifests);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    CU_ASSERT_EQUAL(manifests_read_all(&manifests, &paths, &err), -1);
    CU_ASSERT_EQUAL(err.code, ERROR_IO);
    text_list_release(&paths);
}

UNIT_MAIN("cli manifest", {"texts are cut at markers", texts_are_cut_at_markers},
          {"documents keep their lines", documents_keep_their_lines},
          {"JSON and lists are read", json_and_lists_are_read},
          {"bad documents do not hide good ones", bad_documents_do_not_hide_good_ones},
          {"directories are read by name", directories_are_read_by_name})
