/* Command lines: flags, kinds and names, suggestions, exit codes of wrong usage. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/cli/suggest.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"
#include "unit.h"

struct options {
    struct cli_options cli;
    const char *ns;
    struct text_list files;
    struct flag_count replicas;
    bool all, wait;
};

static const struct flag test_flags[] = {
    {"namespace", 'n', FLAG_TEXT, offsetof(struct options, ns), "NAMESPACE", "where"},
    {"filename", 'f', FLAG_LIST, offsetof(struct options, files), "FILE", "which"},
    {"replicas", 0, FLAG_COUNT, offsetof(struct options, replicas), "N", "how many"},
    {"all", 'A', FLAG_BOOL, offsetof(struct options, all), NULL, "all"},
    {"wait", 'w', FLAG_BOOL, offsetof(struct options, wait), NULL, "wait"},
    {0},
};
static const struct flag *const tables[FLAG_TABLES] = {test_flags, cli_flags};

enum { WORDS_MAX = 8 };

static int count_words(const char *const words[WORDS_MAX])
{
    int count = 0;
    while (count < WORDS_MAX && words[count])
        count++;
    return count;
}

static int parse(struct options *options, struct text_list *arguments, struct error *err,
                 const char *const words[WORDS_MAX])
{
    return flags_parse(tables, options, arguments, count_words(words), (char *const *)words, err);
}
#define WORDS(...) ((const char *const[WORDS_MAX]){__VA_ARGS__})

static void flags_and_arguments_mix(void)
{
    struct options options = {0};
    struct text_list arguments = {0};
    struct error err = {0};
    CU_ASSERT_EQUAL(parse(&options, &arguments, &err,
                          WORDS("a", "-nx", "-Aw", "-f", "-", "--filename=b", "-f=c", "-")),
                    0);
    CU_ASSERT_STRING_EQUAL(options.ns, "x");
    CU_ASSERT(options.all && options.wait);
    CU_ASSERT_EQUAL_FATAL(options.files.count, 3);
    CU_ASSERT_STRING_EQUAL(options.files.items[0], "-");
    CU_ASSERT_STRING_EQUAL(options.files.items[1], "b");
    CU_ASSERT_STRING_EQUAL(options.files.items[2], "c");
    CU_ASSERT_EQUAL_FATAL(arguments.count, 2);
    CU_ASSERT_STRING_EQUAL(arguments.items[1], "-");
    text_list_release(&arguments);
    CU_ASSERT_EQUAL(
        parse(&options, &arguments, &err,
              WORDS("--replicas", "0", "--wait=false", "--timeout=1m30s", "--", "--all")),
        0);
    CU_ASSERT(options.replicas.given && options.replicas.value == 0);
    CU_ASSERT(!options.wait && options.cli.timeout.given && options.cli.timeout.ms == 90000);
    CU_ASSERT_EQUAL_FATAL(arguments.count, 1);
    CU_ASSERT_STRING_EQUAL(arguments.items[0], "--all");
    text_list_release(&arguments);
    flags_release(tables, &options);
    CU_ASSERT_EQUAL(options.files.count, 0);
}

static void bad_flags_are_refused(void)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *text;
    } cases[] = {
        {{"--namespce", "x"}, "unknown flag --namespce: did you mean --namespace?"},
        {{"--zzzzzz=1"}, "unknown flag --zzzzzz"},
        {{"-x"}, "unknown flag -x"},
        {{"-Ax"}, "unknown flag -x"},
        {{"--namespace"}, "--namespace needs a value: --namespace NAMESPACE"},
        {{"-n", ""}, "--namespace: expected NAMESPACE, not an empty text"},
        {{"--all=yes"}, "--all is true or false, not \"yes\""},
        {{"--replicas", "-1"}, "--replicas: expected a whole number of 0 or more, not \"-1\""},
        {{"--replicas=1x"}, "--replicas: expected a whole number of 0 or more, not \"1x\""},
        {{"--replicas=99999999999"},
         "--replicas: expected a whole number of 0 or more, not \"99999999999\""},
        {{"--timeout", "5"},
         "--timeout: expected a duration such as 500ms, 30s or 1h30m, not \"5\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options options = {0};
        struct text_list arguments = {0};
        struct error err = {0};
        CU_ASSERT_EQUAL(parse(&options, &arguments, &err, cases[i].words), -1);
        CU_ASSERT_STRING_EQUAL(err.text, cases[i].text);
        text_list_release(&arguments);
        flags_release(tables, &options);
    }
}

static void suggestions_are_near(void)
{
    static const char *const words[] = {"apply", "get", "delete", "scale"};
    CU_ASSERT_EQUAL(suggest_distance("apply", "apply"), 0);
    CU_ASSERT_EQUAL(suggest_distance("aplpy", "apply"), 1);
    CU_ASSERT_EQUAL(suggest_distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(suggest_distance("", "abc"), 3);
    CU_ASSERT_EQUAL(suggest_distance("0123456789012345678901234567890123", "a"), SUGGEST_BYTES_MAX);
    CU_ASSERT_STRING_EQUAL(suggest("aply", words, 4), "apply");
    CU_ASSERT_STRING_EQUAL(suggest("DELTE", words, 4), "delete");
    CU_ASSERT_STRING_EQUAL(suggest("gte", words, 4), "get");
    CU_ASSERT_PTR_NULL(suggest("frobnicate", words, 4));
    CU_ASSERT_PTR_NULL(suggest("", words, 4));
}

static int parse_targets(struct targets *targets, struct error *err,
                         const char *const words[WORDS_MAX])
{
    struct text_list arguments = {0};
    for (int i = 0; i < count_words(words); i++)
        text_list_add(&arguments, words[i]);
    int result = targets_parse(targets, &arguments, err);
    text_list_release(&arguments);
    return result;
}

static void kinds_have_many_names(void)
{
    static const struct {
        const char *kind;
        enum api_resource resource;
    } cases[] = {
        {"workloads", API_WORKLOADS}, {"wl", API_WORKLOADS},
        {"Workload", API_WORKLOADS},  {"child", API_CHILDREN},
        {"ch", API_CHILDREN},         {"children.hordelet.dev", API_CHILDREN},
        {"name", API_NAMES},          {"sup", API_SUPERVISORS},
        {"MEMBERS", API_MEMBERS},
    };
    struct error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum api_resource resource = API_RESOURCE_COUNT;
        CU_ASSERT_EQUAL(target_resource(&resource, cases[i].kind, strlen(cases[i].kind), &err), 0);
        CU_ASSERT_EQUAL(resource, cases[i].resource);
    }
}

static void targets_are_understood(void)
{
    struct targets targets;
    struct error err = {0};
    CU_ASSERT_EQUAL(parse_targets(&targets, &err, WORDS("wl,ch")), 0);
    CU_ASSERT_EQUAL_FATAL(targets.count, 2);
    CU_ASSERT(targets.items[1].resource == API_CHILDREN && !targets.items[1].name);
    targets_release(&targets);
    CU_ASSERT_EQUAL(parse_targets(&targets, &err, WORDS("wl", "a", "b")), 0);
    CU_ASSERT_EQUAL_FATAL(targets.count, 2);
    CU_ASSERT_STRING_EQUAL(targets.items[1].name, "b");
    targets_release(&targets);
    CU_ASSERT_EQUAL(parse_targets(&targets, &err, WORDS("wl/a", "sup/b")), 0);
    CU_ASSERT_EQUAL_FATAL(targets.count, 2);
    CU_ASSERT_EQUAL(targets.items[1].resource, API_SUPERVISORS);
    targets_release(&targets);
}

static void bad_targets_are_refused(void)
{
    static const char *const cases[][WORDS_MAX] = {
        {0},    {"nothing"},   {"wl,"},        {""},       {"wl/"},
        {"/a"}, {"wl/a", "b"}, {"wl", "ch/a"}, {"wl", ""}, {"wl,ch", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct targets targets;
        struct error err = {0};
        CU_ASSERT_EQUAL(parse_targets(&targets, &err, cases[i]), -1);
        CU_ASSERT_EQUAL(err.code, ERROR_INVALID);
        CU_ASSERT_PTR_NULL(targets.items);
    }
}

/* None of these comes as far as an agent. What they print is not judged here. */
static void exit_codes_of_wrong_usage(void)
{
    static const char *const cases[][WORDS_MAX] = {
        {"hordelet", "nonsense"},
        {"hordelet", "logs"},
        {"hordelet", "--api"},
        {"hordelet", "get"},
        {"hordelet", "get", "wl,ch", "-w"},
        {"hordelet", "wait", "wl"},
        {"hordelet", "wait", "wl/a", "--for", "soon"},
        {"hordelet", "get", "wl", "-o", "xml"},
        {"hordelet", "apply"},
        {"hordelet", "apply", "x"},
        {"hordelet", "scale", "wl", "x"},
        {"hordelet", "delete", "wl"},
        {"hordelet", "delete", "members", "a"},
        {"hordelet", "join"},
        {"hordelet", "leave", "x"},
        {"hordelet", "detach", "x"},
        {"hordelet", "detach", "--for", "999ms"},
        {"hordelet", "detach", "--for", "61m"},
        {"hordelet", "lookup"},
        {"hordelet", "lookup", "Not_a_name"},
        {"hordelet", "get", "wl", "a", "-A"},
        {"hordelet", "--api", "x:y", "get", "wl"},
        {"hordelet", "version", "--timeout", "0"},
    };
    fflush(NULL);
    FILE *error_stream = stderr;
    stderr = fopen("/dev/null", "w");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *words[WORDS_MAX + 1];
        memcpy(words, cases[i], sizeof cases[i]);
        words[WORDS_MAX] = NULL;
        CU_ASSERT_EQUAL(cli_main(count_words(cases[i]), words), CLI_USAGE);
    }
    fclose(stderr);
    stderr = error_stream;
}

static void help_is_complete(void)
{
    struct buffer buffer = {0};
    help_print(NULL, &buffer);
    for (size_t i = 0; cli_verbs[i]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(terminal_text(&buffer), cli_verbs[i]->summary));
    for (size_t i = 0; cli_verbs[i]; i++) {
        buffer_clear(&buffer);
        help_print(cli_verbs[i], &buffer);
        for (const struct flag *flag = cli_verbs[i]->flags; flag && flag->name; flag++)
            CU_ASSERT_PTR_NOT_NULL(strstr(terminal_text(&buffer), flag->help));
    }
    buffer_release(&buffer);
}

UNIT_MAIN("cli flags", {"flags and arguments mix", flags_and_arguments_mix},
          {"bad flags are refused", bad_flags_are_refused},
          {"suggestions are near", suggestions_are_near},
          {"kinds have many names", kinds_have_many_names},
          {"targets are understood", targets_are_understood},
          {"bad targets are refused", bad_targets_are_refused},
          {"exit codes of wrong usage", exit_codes_of_wrong_usage},
          {"help is complete", help_is_complete})
