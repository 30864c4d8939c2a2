/* Lists in pages: one content whatever changes meanwhile, and what happens when it is gone. */
#include "unit.h"

#include "agent/codec/api_hub.h"
#include "agent/codec/api_pages.h"
#include "api_ask.h"

#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io"
#define CHILDREN ROOT "/children"

static char version[64], token[API_CONTINUE_BYTES], names[512];

static void begin_paging(void)
{
    begin();
    hub = api_hub_new();
    mono_ms = 1000;
}

static void end_paging(void)
{
    api_hub_free(hub);
    hub = NULL;
    end();
}

static void note_names(void)
{
    for (int i = 0; i < cJSON_GetArraySize(at("items")); i++) {
        char path[64];
        snprintf(path, sizeof path, "items.%d.metadata.name", i);
        strcat(strcat(names, text(path)), " ");
    }
    strcpy(token, text("metadata.continue"));
}

static void first_page(const char *target)
{
    names[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(get(target), 200);
    strcpy(version, text("metadata.resourceVersion"));
    note_names();
    CU_ASSERT_NOT_EQUAL(token[0], '\0');
}

static int next_page(const char *target)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "%s%ccontinue=%s", target, strchr(target, '?') ? '&' : '?',
             token);
    int status = get(whole);
    if (status == 200)
        note_names();
    return status;
}

static void change_all(void)
{
    fake_delete_workload(node, "default", "web");
    fake_add_workload(node, "default", "new", 2, "{\"app\":\"web\"}");
    fake_add_children(node, "b");
    node->position += 10;
}

static void all_pages_show_one_content(void)
{
    begin_paging();
    first_page(CHILDREN "?limit=2");
    CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), 3);
    change_all();
    CU_ASSERT_EQUAL(next_page(CHILDREN "?limit=2"), 200);
    CU_ASSERT_STRING_EQUAL(text("metadata.resourceVersion"), version);
    CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), 1);
    CU_ASSERT_EQUAL(number("items.1.spec.ordinal"), 2);
    CU_ASSERT_EQUAL(next_page(CHILDREN), 200); /* the limit may change */
    CU_ASSERT_STRING_EQUAL(text("metadata.resourceVersion"), version);
    CU_ASSERT_STRING_EQUAL(names, "api-0 web-0 web-1 web-2 web-0 ");
    CU_ASSERT_STRING_EQUAL(token, "");
    end_paging();
}

static void tables_and_selections_have_pages_of_their_own(void)
{
    begin_paging();
    first_page(CHILDREN "?limit=1&labelSelector=app=web");
    CU_ASSERT_PTR_NULL(at("metadata.remainingItemCount"));
    CU_ASSERT_EQUAL(next_page(CHILDREN "?limit=1&labelSelector=app=api"), 410);
    first_page(CHILDREN "?limit=1&labelSelector=app=web");
    change_all();
    CU_ASSERT_EQUAL(next_page(CHILDREN "?labelSelector=app=web"), 200);
    CU_ASSERT_STRING_EQUAL(names, "web-0 web-1 web-2 web-0 ");
    CU_ASSERT_EQUAL(
        ask((struct api_request){.method = "GET", .target = CHILDREN "?limit=2", .accept = TABLE}),
        200);
    strcpy(token, text("metadata.continue"));
    CU_ASSERT_EQUAL(next_page(CHILDREN), 410); /* not as a table */
    end_paging();
}

/* Everybody who lists with a selector may watch from there: also with a list in pages. */
static void a_selection_is_remembered_also_in_pages(void)
{
    begin_paging();
    first_page(CHILDREN "?limit=1&labelSelector=app=web");
    const struct api_known *known =
        api_hub_find(hub, api_hub_selection(API_CHILDREN, "", "", "app=web", NULL), node->position);
    CU_ASSERT_PTR_NOT_NULL_FATAL(known);
    CU_ASSERT_EQUAL(known->count, 4);
    end_paging();
}

static void expect_gone_and_go_on(const char *rest)
{
    CU_ASSERT_EQUAL(next_page(CHILDREN "?limit=2"), 410);
    CU_ASSERT_STRING_EQUAL(text("reason"), "Expired");
    names[0] = '\0';
    strcpy(token, text("metadata.continue"));
    CU_ASSERT_EQUAL(next_page(CHILDREN), 200);
    CU_ASSERT_STRING_EQUAL(names, rest);
}

static void what_is_gone_is_410_with_a_way_on(void)
{
    begin_paging();
    first_page(CHILDREN "?limit=2");
    mono_ms += API_PAGES_MS - 1;
    CU_ASSERT_EQUAL(next_page(CHILDREN "?limit=1"), 200);
    mono_ms += 1;
    expect_gone_and_go_on("web-2 web-0 ");
    first_page(CHILDREN "?limit=2"); /* read to its end, and once more */
    char kept[API_CONTINUE_BYTES];
    strcpy(kept, token);
    CU_ASSERT_EQUAL(next_page(CHILDREN), 200);
    strcpy(token, kept);
    CU_ASSERT_EQUAL(next_page(CHILDREN), 200);
    mono_ms += API_PAGES_READ_MS;
    strcpy(token, kept);
    expect_gone_and_go_on("web-1 web-2 web-0 ");
    first_page(CHILDREN "?limit=2"); /* the oldest of too many */
    strcpy(kept, token);
    for (int i = 0; i < API_PAGES_MAX; i++) {
        mono_ms++;
        first_page(CHILDREN "?limit=2");
    }
    strcpy(token, kept);
    expect_gone_and_go_on("web-1 web-2 web-0 ");
    first_page(CHILDREN "?limit=2"); /* another agent's */
    api_hub_free(hub);
    hub = api_hub_new();
    expect_gone_and_go_on("web-1 web-2 web-0 ");
    end_paging();
}

static void what_is_too_large_is_not_kept(void)
{
    struct api_pages *pages = api_pages_new();
    struct api_rest rest = {0};
    struct api_key key = {.ns = "default", .name = "web"}, back;
    char mebibyte[1024 * 1024];
    memset(mebibyte, 'x', sizeof mebibyte);
    for (size_t i = 0; i < 15; i++, key.ordinal++) {
        buffer_append(&rest.texts, mebibyte, sizeof mebibyte);
        api_rest_add(&rest, &key);
    }
    CU_ASSERT_EQUAL(api_rest_text(&rest, 14).bytes, sizeof mebibyte);
    api_rest_key(&rest, 14, &back);
    CU_ASSERT_STRING_EQUAL(back.name, "web");
    CU_ASSERT_EQUAL(back.ordinal, 14);
    uint64_t first = api_pages_keep(pages, &rest, 0);
    CU_ASSERT_PTR_NOT_NULL(api_pages_find(pages, first, 0, 0, 1));
    for (size_t i = 0; i < 3; i++) { /* pushes the first one out */
        buffer_append(&rest.texts, mebibyte, sizeof mebibyte);
        api_rest_add(&rest, &key);
    }
    CU_ASSERT_NOT_EQUAL(api_pages_keep(pages, &rest, 1), 0);
    CU_ASSERT_PTR_NULL(api_pages_find(pages, first, 0, 0, 1));
    for (size_t i = 0; i < 20; i++) {
        buffer_append(&rest.texts, mebibyte, sizeof mebibyte);
        api_rest_add(&rest, &key);
        CU_ASSERT(rest.texts.bytes <= API_PAGES_BYTES_MAX + sizeof mebibyte);
    }
    CU_ASSERT_TRUE(rest.too_large);
    CU_ASSERT_EQUAL(api_pages_keep(pages, &rest, 2), 0);
    api_pages_free(pages);
}

/* Two thirds of it would fit by then: it is read without, as it was begun. */
static void a_list_that_was_too_large_is_not_tried_again(void)
{
    enum { COUNT = 400, TEXT_BYTES = 60000 };
    char document[TEXT_BYTES + 200], big[TEXT_BYTES + 1], image[] = "busybox";
    struct api_key key;
    struct api_pin pin;
    struct error err = {0};
    begin_paging();
    memset(big, 'x', TEXT_BYTES);
    big[TEXT_BYTES] = '\0';
    snprintf(document, sizeof document,
             "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Workload\",\"metadata\":{"
             "\"annotations\":{\"a\":\"%s\"}},\"spec\":{}}",
             big);
    for (int i = 0; i < COUNT; i++) {
        struct workload value = {.document = document, .image = image};
        value.document_bytes = strlen(document);
        TEXT_SET(value.ns, "large");
        snprintf(value.name, sizeof value.name, "w%03d", i);
        fake_put_workload(node, &value);
    }
    CU_ASSERT_EQUAL(get(ROOT "/namespaces/large/workloads?limit=100"), 200);
    strcpy(token, text("metadata.continue"));
    for (int page = 1; page < 4; page++) {
        char target[512];
        CU_ASSERT_EQUAL(number("metadata.remainingItemCount"), COUNT - 100 * page);
        CU_ASSERT_EQUAL(api_continue_parse(&key, &pin, API_WORKLOADS, "large", token, &err), 0);
        CU_ASSERT_EQUAL(pin.list, 0);
        snprintf(target, sizeof target, ROOT "/namespaces/large/workloads?limit=100&continue=%s",
                 token);
        CU_ASSERT_EQUAL(get(target), 200);
        CU_ASSERT_EQUAL(cJSON_GetArraySize(at("items")), 100);
        strcpy(token, text("metadata.continue"));
    }
    CU_ASSERT_STRING_EQUAL(token, "");
    end_paging();
}

UNIT_MAIN("lists in pages", {"all pages show one content", all_pages_show_one_content},
          {"tables and selections have pages of their own",
           tables_and_selections_have_pages_of_their_own},
          {"a selection is remembered also in pages", a_selection_is_remembered_also_in_pages},
          {"what is gone is 410 with a way on", what_is_gone_is_410_with_a_way_on},
          {"what is too large is not kept", what_is_too_large_is_not_kept},
          {"a list that was too large is not tried again",
           a_list_that_was_too_large_is_not_tried_again})
