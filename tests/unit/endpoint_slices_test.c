/* EndpointSlices as a server lists them and tells of their changes. */
#include "agent/codec/endpoint_slices.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define META(name, version) \
    "\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}"
#define SLICE(name, version, endpoints, ports) \
    "{" META(name, version) ",\"endpoints\":[" endpoints "],\"ports\":[" ports "]}"
#define POD(address) \
    "{\"addresses\":[\"" address "\",\"10.9.9.9\"],\"conditions\":{\"ready\":false}}"
#define LIST(items)                                                                              \
    "{\"kind\":\"EndpointSliceList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items \
    "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define GOSSIP \
    "{\"name\":\"web\",\"port\":80},{\"name\":\"gossip\",\"protocol\":\"TCP\",\"port\":7400}"

static struct endpoint_slices slices;
static struct error err;

static int list(const char *text)
{
    return endpoint_slices_list(&slices, span_text(text), 7370, &err);
}

static enum endpoint_change change(const char *text)
{
    return endpoint_slices_change(&slices, span_text(text), 7370, &err);
}

static bool has(const char *address)
{
    for (size_t i = 0; i < slices.count; i++)
        for (size_t j = 0; j < slices.items[i].count; j++)
            if (strcmp(slices.items[i].addresses[j], address) == 0)
                return true;
    return false;
}

static void a_list_has_the_first_address_of_each_and_the_port_of_gossip(void)
{
    CU_ASSERT_FATAL(list(LIST(SLICE("a", "1", POD("10.0.0.1") "," POD("fd00::1"), GOSSIP) "," SLICE(
                        "b", "2", POD("10.0.0.2"),
                        "{\"name\":\"x\",\"port\":9}") "," SLICE("c", "3", POD("10.0.0.3"),
                                                                 "{\"port\":1},{\"port\":2}"))) ==
                    0);
    CU_ASSERT_STRING_EQUAL(slices.version, "7");
    CU_ASSERT_EQUAL(slices.address_count, 4);
    CU_ASSERT(has("10.0.0.1:7400") && has("[fd00::1]:7400"));
    CU_ASSERT(has("10.0.0.2:9"));    /* the only port */
    CU_ASSERT(has("10.0.0.3:7370")); /* which of the two, nobody says */
    CU_ASSERT(list(LIST("")) == 0 && slices.count == 0 && slices.address_count == 0);
}

static void what_is_no_address_is_left_out(void)
{
    CU_ASSERT(list(LIST(SLICE("a", "1",
                              POD("node.example.com") "," POD(
                                  "10.0.0.1/8") ",{},{\"addresses\":[]},"
                                                "{\"addresses\":[5]}," POD("10.0.0.4"),
                              "{\"name\":\"gossip\",\"protocol\":\"UDP\",\"port\":5},"
                              "{\"name\":\"gossip\",\"port\":70000}"))) == 0);
    CU_ASSERT_EQUAL(slices.address_count, 1);
    CU_ASSERT(has("10.0.0.4:7370"));
}

static void changes_follow(void)
{
    CU_ASSERT(list(LIST(SLICE("a", "1", POD("10.0.0.1"), GOSSIP))) == 0);
    CU_ASSERT_EQUAL(change(EVENT("ADDED", SLICE("b", "8", POD("10.0.0.2"), GOSSIP))),
                    ENDPOINT_CHANGED);
    CU_ASSERT_STRING_EQUAL(slices.version, "8");
    CU_ASSERT_EQUAL(change(EVENT("MODIFIED", SLICE("a", "9", POD("10.0.0.3"), GOSSIP))),
                    ENDPOINT_CHANGED);
    CU_ASSERT(has("10.0.0.2:7400") && has("10.0.0.3:7400") && !has("10.0.0.1:7400"));
    CU_ASSERT_EQUAL(change(EVENT("DELETED", SLICE("b", "10", "", ""))), ENDPOINT_CHANGED);
    CU_ASSERT(slices.count == 1 && slices.address_count == 1);
    CU_ASSERT_EQUAL(change(EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"50\"}}")),
                    ENDPOINT_BOOKMARK);
    CU_ASSERT_STRING_EQUAL(slices.version, "50");
}

static void what_is_refused_changes_nothing(void)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        EVENT("ADDED", "{}"),
        EVENT("RENAMED", SLICE("a", "1", "", "")),
        EVENT("ADDED", SLICE("a&b", "1", "", "")),
        EVENT("MODIFIED", SLICE("a", "1&watch=0", "", "")),
        EVENT("MODIFIED", SLICE("a", "", "", "")),
        EVENT("ERROR", "{\"code\":500,\"message\":\"oh\"}"),
    };
    CU_ASSERT(list(LIST(SLICE("a", "1", POD("10.0.0.1"), GOSSIP))) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.text[0] = '\0';
        CU_ASSERT_EQUAL(change(bad[i]), ENDPOINT_BAD);
        CU_ASSERT(err.text[0] != '\0');
        CU_ASSERT(list(bad[i]) < 0);
    }
    CU_ASSERT(list("{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"}}") < 0);
    CU_ASSERT_EQUAL(change(EVENT("ERROR", "{\"code\":410}")), ENDPOINT_EXPIRED);
    CU_ASSERT(has("10.0.0.1:7400") && slices.address_count == 1);
    CU_ASSERT_STRING_EQUAL(slices.version, "7");
}

/* More than is kept is cut, and said. */
static void a_list_is_bounded(void)
{
    struct buffer text = {0};
    char item[128];
    buffer_append(&text, LIST(""), strlen(LIST("")) - 2);
    for (int i = 0; i < 20; i++) {
        snprintf(item, sizeof item, "%s{\"metadata\":{\"name\":\"s%d\"},\"endpoints\":[",
                 i ? "," : "", i);
        buffer_append(&text, item, strlen(item));
        for (int j = 0; j < 1000; j++) {
            snprintf(item, sizeof item, "%s{\"addresses\":[\"10.%d.%d.%d\"]}", j ? "," : "", i,
                     j / 250, j % 250);
            buffer_append(&text, item, strlen(item));
        }
        buffer_append(&text, "]}", 2);
    }
    buffer_append(&text, "]}", 2);
    CU_ASSERT(endpoint_slices_list(&slices, buffer_view(&text), 7370, &err) == 0);
    CU_ASSERT_EQUAL(slices.address_count, ENDPOINT_ADDRESSES_MAX);
    CU_ASSERT(slices.cut);
    buffer_release(&text);
}

static void a_status_has_a_message(void)
{
    char text[8];
    endpoint_status_message(text, sizeof text, span_text("{\"message\":\"forbidden: x\"}"));
    CU_ASSERT_STRING_EQUAL(text, "forbidd");
    endpoint_status_message(text, sizeof text, span_text("<html>"));
    CU_ASSERT_STRING_EQUAL(text, "");
    endpoint_slices_release(&slices);
}

UNIT_MAIN("endpoint_slices", {"list", a_list_has_the_first_address_of_each_and_the_port_of_gossip},
          {"no address", what_is_no_address_is_left_out}, {"changes", changes_follow},
          {"refused", what_is_refused_changes_nothing}, {"bounded", a_list_is_bounded},
          {"status", a_status_has_a_message})
