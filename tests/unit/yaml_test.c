/* YAML in and out: scalars as kubectl reads them, several documents, merge keys, limits. */
#include <time.h>

#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "codec_support.h"

/* The compact JSON of the first document, or the error. The caller frees. */
static char *json_of(const char *yaml)
{
    struct documents documents;
    struct error err = {0};
    if (yaml_parse(&documents, span_text(yaml), BODY_BYTES_MAX, &err) != 0)
        return xstrdup(err.text);
    char *text = documents.count > 0 ? json_print(documents.items[0].object) : xstrdup("nothing");
    documents_release(&documents);
    return text;
}

static void expect(const char *yaml, const char *json)
{
    char *got = json_of(yaml);
    if (strcmp(got, json) != 0)
        printf("%s\n  got      %s\n  expected %s\n", yaml, got, json);
    CU_ASSERT_STRING_EQUAL(got, json);
    free(got);
}

static void scalars_mean_what_kubectl_says(void)
{
    expect("[y, Y, yes, on, On, true, TRUE]", "[true,true,true,true,true,true,true]");
    expect("[n, NO, no, off, Off, false]", "[false,false,false,false,false,false]");
    expect("[~, null, Null, x]", "[null,null,null,\"x\"]");
    expect("['y', \"no\", 'null', '1', !!str 1, ! 2]", "[\"y\",\"no\",\"null\",\"1\",\"1\",\"2\"]");
    expect("[0x1F, 0o17, 017, 0b101, -0x10, +7, 1_000]", "[31,15,15,5,-16,7,1000]");
    expect("[1.5, .5, 1., 1e3, -1E-2, 09]", "[1.5,0.5,1,1000,-0.01,9]");
    expect("[1.2.3, 1:30, 2026-01-01, 10s, 0x, -, --1, 1e, e1, tRue, yEs]",
           "[\"1.2.3\",\"1:30\",\"2026-01-01\",\"10s\",\"0x\",\"-\",\"--1\",\"1e\",\"e1\",\"tRue\","
           "\"yEs\"]");
    expect("!!int 5", "5");
    expect("!!float 5", "5");
    expect("!!bool yes", "true");
    expect("[!!null '', !!null ~]", "[null,null]");
}

static void documents_are_several(void)
{
    struct documents documents;
    struct error err = {0};
    const char *text = "# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n---\n# nothing\n";
    CU_ASSERT_EQUAL_FATAL(yaml_parse(&documents, span_text(text), BODY_BYTES_MAX, &err), 0);
    CU_ASSERT_EQUAL(documents.count, 2);
    CU_ASSERT_EQUAL(json_get_integer(documents.items[1].object, "b", 0), 2);
    const struct mark *mark =
        marks_find(&documents.items[1].marks, json_get(documents.items[1].object, "b"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mark);
    CU_ASSERT_EQUAL(mark->line, 6);
    CU_ASSERT_EQUAL(mark->column, 4);
    documents_release(&documents);
}

static void aliases_and_merge_keys_copy(void)
{
    expect("{a: &x [1, 2], b: *x}", "{\"a\":[1,2],\"b\":[1,2]}");
    expect("base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\n",
           "{\"base\":{\"x\":1,\"z\":2},\"use\":{\"x\":1,\"z\":3}}");
    expect("a: {<<: [{x: 1}, {x: 2, w: 2}], z: 3}", "{\"a\":{\"x\":1,\"w\":2,\"z\":3}}");
    expect("a: {'<<': 1}", "{\"a\":{\"<<\":1}}");
    expect("a: {x: 1, x: 2}", "YAML: line 1, column 14: the key \"x\" was given before");
    expect("<<: &m {x: 1, w: &w [2]}\nx: 3\nm: *m\nv: *w",
           "{\"w\":[2],\"x\":3,\"m\":{\"x\":1,\"w\":[2]},\"v\":[2]}");
    expect("a: {<<: [&m {x: &x [1]}, {w: 2}], x: 3}\nb: [*x, *m]",
           "{\"a\":{\"w\":2,\"x\":3},\"b\":[[1],{\"x\":[1]}]}");
    expect("a: &a {b: *a}",
           "YAML: line 1, column 11: this alias has no anchor before it, or is inside of it");
}

static void an_alias_counts_with_its_height(void)
{
    struct buffer text = {0};
    char line[64];
    buffer_append(&text, "a0: &a0 [x]\n", 12);
    for (int i = 1; i < 80; i++) {
        int bytes = snprintf(line, sizeof line, "a%d: &a%d [*a%d]\n", i, i, i - 1);
        buffer_append(&text, line, (size_t)bytes);
    }
    buffer_u8(&text, 0);
    char *got = json_of((const char *)text.data);
    CU_ASSERT_STRING_EQUAL(got, "YAML: line 64, column 12: nested too deeply");
    free(got);
    buffer_release(&text);
}

static void depth_is_64(void)
{
    char text[200];
    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        char *got = json_of(text);
        CU_ASSERT_EQUAL(strcmp(got, text) == 0, depth == 64);
        free(got);
    }
}

/* 1 MiB of the worst there is, each in far less than the second that is promised (sanitizers
 * included). */
static void a_mebibyte_is_quick(void)
{
    static const char *const patterns[] = {
        "[",     "{a: ",    "- ",        "a",           "a,",       "[a],",   "? ",
        "*a ",   "&a ",     "!a ",       "'",           "\"",       "# x\n",  "a: b\n",
        "- a\n", "---\n",   "---\n{}\n", "|\n",         "a:\n ",    "\t",     "%",
        "-\n",   "{a: 1, ", "[[],",      "&a a\n---\n", "- &a a\n", "- *a\n", "\\u"};
    char *text = xmalloc(BODY_BYTES_MAX);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (int quoted = 0; quoted < 2; quoted++) {
            struct documents documents;
            struct error err = {0};
            size_t bytes = strlen(patterns[i]);
            for (size_t at = 0; at < BODY_BYTES_MAX; at++)
                text[at] = patterns[i][at % bytes];
            if (quoted)
                text[0] = '[';
            clock_t start = clock();
            yaml_parse(&documents, span_of(text, BODY_BYTES_MAX), BODY_BYTES_MAX, &err);
            documents_release(&documents);
            double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
            if (seconds > 1)
                printf("%.2f s for \"%s\"\n", seconds, patterns[i]);
            CU_ASSERT(seconds < 10);
        }
    }
    free(text);
    struct documents documents;
    struct error err = {0};
    CU_ASSERT_EQUAL(yaml_parse(&documents, span_text("a: b"), 3, &err), -1);
    CU_ASSERT_EQUAL(err.code, ERROR_TOO_LARGE);
}

static void printed_reads_back(void)
{
    static const char *const values[] = {
        "{}",
        "[]",
        "null",
        "1.5",
        "\"\"",
        "{\"a\":{},\"b\":[],\"c\":null,\"d\":true,\"e\":-1}",
        "{\"a\":[{\"b\":1,\"c\":[1,[2,[]],{\"d\":[]}]},\"x\"],\"z\":[[1,2],[3]]}",
        "[\"y\",\"no\",\"null\",\"~\",\"1\",\"0x1\",\"1_0\",\"1e3\",\".5\",\"-\",\"- a\",\"a: "
        "b\",\"a:\",\"a #b\",\"#a\"]",
        "[\" a\",\"a "
        "\",\"a\\nb\",\"\\t\",\"\\\"\",\"\\\\\",\"'\",\"<<\",\"=\",\"*a\",\"&a\",\"!a\",\"|\",\">"
        "\",\"%\",\"@\",\"`\"]",
        "[\"{a}\",\"[a]\",\"a,b\",\"?\",\"? "
        "a\",\"---\",\"...\",\"2026-01-01\",\"1:30\",\"10s\",\"1.36\",\"v1.2.3\"]",
        "[\"\\u00e4\\u2028\\ufeff\\u0085\\u00a0\\ud83d\\ude00\\u007f\\u0001\"]",
        "{\"true\":1,\"1\":2,\"a b\":3,\"a: b\":4,\"\":5,\"<<\":6}",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        cleanup_json cJSON *value = cJSON_Parse(values[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        char *yaml = yaml_print(value), *compact = json_print(value);
        if (strcmp(compact, "null") != 0)
            expect(yaml, compact);
        free(yaml);
        free(compact);
    }
}

/* A reader takes 1024 characters before a colon; quotes and escapes count. (fuzz_yaml) */
static void long_keys_read_back(void)
{
    static const char *const values[] = {"1", "[1,{\"a\":2}]", "{\"a\":{\"b\":[]}}"};
    static const struct {
        char letter;
        int bytes;
        const char *begin;
    } keys[] = {
        {'k', 1024, "- kk"}, {'k', 1025, "- ? kk"}, {'^', 1022, "- \"^"}, {'^', 1023, "- ? \"^"}};
    for (size_t i = 0; i < 12; i++) {
        char key[1100] = "", text[1200];
        memset(key, keys[i / 3].letter, (size_t)keys[i / 3].bytes);
        snprintf(text, sizeof text, "[{\"%s\":%s,\"b\":3}]", key, values[i % 3]);
        cleanup_json cJSON *value = cJSON_Parse(text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(value);
        char *yaml = yaml_print(value);
        CU_ASSERT(strncmp(yaml, keys[i / 3].begin, strlen(keys[i / 3].begin)) == 0);
        expect(yaml, text);
        free(yaml);
    }
}

static void numbers_are_printed_exactly(void)
{
    cleanup_json cJSON *value =
        cJSON_Parse("[9007199254740991,1000000000000000,0.1,0.30000000000000004,1e300,-2]");
    char *yaml = yaml_print(value);
    CU_ASSERT_STRING_EQUAL(
        yaml,
        "- 9007199254740991\n- 1000000000000000\n- 0.1\n- 0.30000000000000004\n- 1e+300\n- -2\n");
    free(yaml);
}

static void prints_as_kubectl_does(void)
{
    cleanup_json cJSON *value = cJSON_Parse(
        "{\"kind\":\"Workload\",\"spec\":{\"command\":[\"httpd\",\"-p\",\"80\"],\"ports\":[{"
        "\"name\":\"http\",\"port\":80}],"
        "\"image\":\"docker.io/library/busybox:1.36\",\"at\":\"2026-01-01T00:00:00Z\"}}");
    char *yaml = yaml_print(value);
    CU_ASSERT_STRING_EQUAL(
        yaml,
        "kind: Workload\nspec:\n  command:\n  - httpd\n  - \"-p\"\n  - \"80\"\n  ports:\n"
        "  - name: http\n    port: 80\n  image: docker.io/library/busybox:1.36\n"
        "  at: \"2026-01-01T00:00:00Z\"\n");
    free(yaml);
}

UNIT_MAIN("yaml", {"scalars mean what kubectl says", scalars_mean_what_kubectl_says},
          {"documents are several", documents_are_several},
          {"aliases and merge keys copy", aliases_and_merge_keys_copy},
          {"an alias counts with its height", an_alias_counts_with_its_height},
          {"depth is 64", depth_is_64}, {"a mebibyte is quick", a_mebibyte_is_quick},
          {"printed reads back", printed_reads_back}, {"long keys read back", long_keys_read_back},
          {"numbers are printed exactly", numbers_are_printed_exactly},
          {"prints as kubectl does", prints_as_kubectl_does})
