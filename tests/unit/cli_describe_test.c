/* agent/cli/describe.h, and what complete.h offers. */
#include <string.h>

#include "agent/cli/complete.h"
#include "agent/cli/describe.h"
#include "agent/cli/terminal.h"
#include "tests/unit.h"

static cJSON *parse(const char *text)
{
    struct error err = {0};
    cJSON *json = json_parse(span_text(text), 1 << 20, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return json;
}

static void a_child_is_described_with_its_owners(void)
{
    struct buffer out = {0};
    cJSON *child = parse(
        "{\"metadata\":{\"name\":\"web-0\",\"namespace\":\"shop\",\"labels\":{\"b\":\"1\",\"a\":"
        "\"2\\u001b\"}},\"spec\":{\"workload\":\"web\",\"ordinal\":0,\"supervisor\":\"back\"},"
        "\"status\":{\"phase\":\"Running\",\"ready\":false,\"reason\":\"NotReady\",\"message\":"
        "\"GET /: 500\",\"epoch\":3,\"startedAt\":\"1970-01-01T00:00:01.000Z\","
        "\"conditions\":[{\"type\":\"NameConflict\",\"status\":\"True\",\"reason\":\"NameHeld\","
        "\"message\":\"held\"}]}}");
    cJSON *names = json_new_array();
    struct described described = {.resource = API_CHILDREN,
                                  .object = child,
                                  .related = {{"Names", API_NAMES, names}},
                                  .related_count = 1,
                                  .now_ms = 6000};
    describe_print(&out, &described);
    CU_ASSERT_STRING_EQUAL(terminal_text(&out),
                           "Name:             web-0\n"
                           "Namespace:        shop\n"
                           "Kind:             Child\n"
                           "Owned by:         workload/web of supervisor/back\n"
                           "Labels:           b=1\n"
                           "                  a=2\\x1b\n"
                           "Phase:            Running\n"
                           "Ready:            no\n"
                           "Reason:           NotReady\n"
                           "Message:          GET /: 500\n"
                           "Epoch:            3\n"
                           "Started:          1970-01-01T00:00:01.000Z (5s ago)\n"
                           "Conditions:\n"
                           "  TYPE          STATUS  REASON    MESSAGE\n"
                           "  NameConflict  True    NameHeld  held\n"
                           "Names:            none\n"
                           "Events:           could not be had\n");
    buffer_release(&out);
    cJSON_Delete(child);
    cJSON_Delete(names);
}

static void a_name_leads_to_its_owner(void)
{
    static const char *const owners[] = {"shop/web/12", "token/0011223344556677"};
    static const char *const lines[] = {"Owned by:         child/web-12 of workload/web\n",
                                        "Owned by:         an outside process, token/00112233445566"
                                        "77\n"};
    for (size_t i = 0; i < 2; i++) {
        struct buffer out = {0};
        cJSON *name = json_new_object();
        json_add_text(json_add_object(name, "status"), "owner", owners[i]);
        struct described described = {.resource = API_NAMES, .object = name};
        describe_print(&out, &described);
        CU_ASSERT_PTR_NOT_NULL(strstr(terminal_text(&out), lines[i]));
        buffer_release(&out);
        cJSON_Delete(name);
    }
}

/* The agent is none: names are not offered. */
static void check_words(const char *line, const char *wanted)
{
    struct buffer out = {0}, words = {0};
    struct invocation invocation = {.verb = &verb_completion};
    complete(&invocation, line, &out);
    const char *text = terminal_text(&out);
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        terminal_printf(&words, "%.*s ", (int)strcspn(at, "\t"), at);
    if (strcmp(terminal_text(&words), wanted) != 0)
        printf("  \"%s\": \"%s\", not \"%s\"\n", line, terminal_text(&words), wanted);
    CU_ASSERT_STRING_EQUAL(terminal_text(&words), wanted);
    buffer_release(&out);
    buffer_release(&words);
}

static void words_come_from_the_tables_of_help(void)
{
    check_words("hordelet unc", "uncordon ");
    check_words("hordelet get --output=",
                "--output=json --output=name --output=wide --output=yaml ");
    check_words("hordelet events -o ", "json yaml ");
    check_words("hordelet get sup", "supervisors ");
    check_words("hordelet --api http://127.0.0.1:9 descr", "describe ");
    check_words("hordelet scale workload web --rep", "--replicas ");
    check_words("hordelet get --namespace ", "");
    check_words("hordelet apply -f ", ":files ");
    check_words("hordelet nonsense ", "");
    check_words("hordelet help unr", "unregister ");
    check_words("hordelet completion ", "bash zsh fish ");
}

UNIT_MAIN("describe and complete",
          {"a child is described with its owners", a_child_is_described_with_its_owners},
          {"a name leads to its owner", a_name_leads_to_its_owner},
          {"words come from the tables of help", words_come_from_the_tables_of_help})
