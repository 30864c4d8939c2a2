/* Label and field selectors, continue tokens. */
#include "unit.h"

#include <string.h>

#include "agent/codec/api_continue.h"
#include "agent/codec/api_selector.h"

static const struct api_labels *labels(void)
{
    static struct api_labels set;
    set.count = 0;
    api_labels_add(&set, span_text("app"), span_text("web"));
    api_labels_add(&set, span_text("example.com/tier"), span_text("gold"));
    api_labels_add(&set, span_text("empty"), span_text(""));
    return &set;
}

static void selects(const char *text, bool expected)
{
    struct api_label_selector selector;
    struct error err = {0};
    int result = api_label_selector_parse(&selector, text, &err);
    if (result < 0)
        printf("%s: %s\n", text, err.text);
    CU_ASSERT_EQUAL(result, 0);
    if (result < 0)
        return;
    bool matches = api_label_selector_matches(&selector, labels());
    if (matches != expected)
        printf("%s: %d\n", text, matches);
    CU_ASSERT_EQUAL(matches, expected);
}

static void labels_are_selected(void)
{
    selects("", true);
    selects("  ", true);
    selects("app=web", true);
    selects("app == web", true);
    selects("app=other", false);
    selects("app!=web", false);
    selects("app != other", true);
    selects("absent!=web", true);
    selects("absent=web", false);
    selects("app", true);
    selects("absent", false);
    selects("!absent", true);
    selects("! app", false);
    selects("app in (web,api)", true);
    selects("app in ( api , db )", false);
    selects("app notin (api)", true);
    selects("app notin (web)", false);
    selects("absent notin (web)", true);
    selects("absent in (web)", false);
    selects("app=web,example.com/tier in (gold,silver),!absent", true);
    selects("app=web,example.com/tier=silver", false);
    selects("empty=", true);
    selects("empty=,app=web", true);
    selects("empty in ()", true);
    selects("app in (,web)", true);
    selects("in in (in)", false);
}

static void bad_label_selectors_are_refused(void)
{
    static const char *const bad[] = {
        "=web",    "app=web,",     ",",     "app=web app", "app in web", "app in (web",
        "app ~ x", "app in (a;b)", "!",     "!app=web",    "/x=1",       "a/b/c=1",
        "x/=1",    "app=a/b",      "app>1", "app is (x)",  "\xff=1",     "app=web,,x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct api_label_selector selector;
        struct error err = {0};
        int result = api_label_selector_parse(&selector, bad[i], &err);
        if (result == 0)
            printf("accepted: %s\n", bad[i]);
        CU_ASSERT_EQUAL(result, -1);
        CU_ASSERT_EQUAL(err.code, ERROR_MALFORMED);
    }
}

static void selectors_are_bounded(void)
{
    static struct api_label_selector selector;
    struct error err = {0};
    char text[4096] = "";
    for (int i = 0; i <= API_REQUIREMENTS_MAX; i++)
        strcat(text, i ? ",a" : "a");
    CU_ASSERT_EQUAL(api_label_selector_parse(&selector, text, &err), -1);
    strcpy(text, "a in (b");
    for (int i = 0; i < API_SELECTOR_VALUES_MAX; i++)
        strcat(text, ",b");
    CU_ASSERT_EQUAL(api_label_selector_parse(&selector, text, &err), -1);
}

static void fields_are_selected(void)
{
    struct api_field_selector selector;
    struct error err = {0};
    struct api_fields fields = {
        {[API_FIELD_NAME] = "web-0", [API_FIELD_PHASE] = "Running", [API_FIELD_NODE] = "a"}};
    static const struct {
        const char *text;
        bool matches;
    } table[] = {{"", true},
                 {"metadata.name=web-0", true},
                 {"metadata.name==web-0,status.phase!=Pending", true},
                 {"status.phase=Pending", false},
                 {"spec.supervisor=", true},
                 {"status.node!=a", false},
                 {"metadata.name=web-0,", true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_CHILDREN, table[i].text, &err), 0);
        CU_ASSERT_EQUAL(api_field_selector_matches(&selector, &fields), table[i].matches);
    }
}

static void members_of_a_value_are_fields(void)
{
    struct api_field_selector selector;
    struct error err = {0};
    struct api_fields fields = {{[API_FIELD_VALUE] =
                                     "{\"tier\":\"gold\",\"weight\":3,\"on\":true,\"none\":null,"
                                     "\"at\":{\"zone\":\"b\\u0022c\",\"list\":[1,2]},\"tiers\":1}",
                                 [API_FIELD_OWNER] = "default/db/0"}};
    static const struct {
        const char *text;
        bool matches;
    } table[] = {{"spec.value.tier=gold", true},
                 {"spec.value.tier=silver", false},
                 {"spec.value.tier!=silver,spec.value.weight=3", true},
                 {"spec.value.on=true", true},
                 {"spec.value.at.zone=b\"c", true},
                 {"spec.value.none=", true},
                 {"spec.value.absent=", true},
                 {"spec.value.absent.deeper=", true},
                 {"spec.value.tier.deeper=gold", false},
                 {"spec.value.tie=gold", false},
                 {"spec.value=gold", false},
                 {"status.owner=default/db/0", true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_NAMES, table[i].text, &err), 0);
        CU_ASSERT_EQUAL(api_field_selector_matches(&selector, &fields), table[i].matches);
    }
    fields.values[API_FIELD_VALUE] = "\"gold\"";
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_METAS, "spec.value=gold", &err), 0);
    CU_ASSERT_TRUE(api_field_selector_matches(&selector, &fields));
    fields.values[API_FIELD_VALUE] = NULL;
    CU_ASSERT_FALSE(api_field_selector_matches(&selector, &fields));
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_CHILDREN, "spec.value.a=b", &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "field label not supported: spec.value.a");
}

static void unknown_fields_are_refused(void)
{
    struct api_field_selector selector;
    struct error err = {0};
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_CHILDREN, "spec.color=red", &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "field label not supported: spec.color");
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_MEMBERS, "metadata.namespace=x", &err),
                    -1);
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_WORKLOADS, "status.node=x", &err), -1);
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_WORKLOADS, "metadata.name", &err), -1);
    CU_ASSERT_EQUAL(api_field_selector_parse(&selector, API_WORKLOADS, "=x", &err), -1);
}

static void a_token_comes_back(void)
{
    static const struct api_key keys[] = {
        {"default", "web", 0}, {"n", "w", UINT32_MAX}, {"abc", "abcd", 12}};
    static const struct api_pin pins[] = {{0}, {1, 2, 3}, {1ull << 60, 1ull << 60, UINT32_MAX}};
    struct api_pin pin;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char token[API_CONTINUE_BYTES];
        struct api_key key = {0};
        struct error err = {0};
        api_continue_print(API_CHILDREN, "", &keys[i], &pins[i], token);
        CU_ASSERT_EQUAL(
            strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            strlen(token));
        CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_CHILDREN, "", token, &err), 0);
        CU_ASSERT_STRING_EQUAL(key.ns, keys[i].ns);
        CU_ASSERT_STRING_EQUAL(key.name, keys[i].name);
        CU_ASSERT_EQUAL(key.ordinal, keys[i].ordinal);
        CU_ASSERT_EQUAL(pin.list, pins[i].list);
        CU_ASSERT_EQUAL(pin.index, pins[i].index);
        CU_ASSERT_EQUAL(pin.run_tag, pins[i].run_tag);
        CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_WORKLOADS, "", token, &err), -1);
        CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_CHILDREN, "default", token, &err), -1);
    }
}

static void a_forged_token_is_refused(void)
{
    static const char *const bad[] = {
        "x", "!!!!", "MTp3b3JrbG9hZHM", "MTo6Ojo6", "AAAA",
        /* 1:children::n:a/b:0:0:0:0, ...:web:4294967296:0:0:0 and ...:0:0:0:-1 */
        "MTpjaGlsZHJlbjo6bjphL2I6MDowOjA6MA", "MTpjaGlsZHJlbjo6bjp3ZWI6NDI5NDk2NzI5NjowOjA6MA",
        "MTpjaGlsZHJlbjo6bjp3ZWI6MDowOjA6LTE"};
    char token[4096];
    memset(token, 'A', sizeof token - 1);
    token[sizeof token - 1] = 0;
    struct api_key key;
    struct api_pin pin;
    struct error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_CHILDREN, "", bad[i], &err), -1);
    CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_CHILDREN, "", token, &err), -1);
    CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_CHILDREN, "",
                                       "MTpjaGlsZHJlbjo6bjp3ZWI6MDowOjA6MA", &err),
                    0);
}

static void the_longest_token_fits(void)
{
    struct api_key key = {.ordinal = UINT32_MAX}, back;
    char ns[NAME_BYTES_MAX + 1], token[API_CONTINUE_BYTES];
    struct error err = {0};
    memset(key.ns, 'n', NAME_BYTES_MAX);
    memset(key.name, 'w', NAME_BYTES_MAX);
    memcpy(ns, key.ns, sizeof ns);
    struct api_pin pin = {UINT64_MAX / 2, UINT64_MAX / 2, UINT32_MAX};
    api_continue_print(API_CHILDREN, ns, &key, &pin, token);
    CU_ASSERT_EQUAL(api_continue_parse(&back, &pin, API_CHILDREN, ns, token, &err), 0);
    CU_ASSERT_STRING_EQUAL(back.name, key.name);
}

UNIT_MAIN("api selectors", {"labels are selected", labels_are_selected},
          {"bad label selectors are refused", bad_label_selectors_are_refused},
          {"selectors are bounded", selectors_are_bounded},
          {"fields are selected", fields_are_selected},
          {"members of a value are fields", members_of_a_value_are_fields},
          {"unknown fields are refused", unknown_fields_are_refused},
          {"a token comes back", a_token_comes_back},
          {"a forged token is refused", a_forged_token_is_refused},
          {"the longest token fits", the_longest_token_fits})
