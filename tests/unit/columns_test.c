/* One list of columns, two who fill them: the agent's Tables, from views, and `hordelet get`, from
 * the JSON of the same objects. Cell by cell they show the same. */
#include "unit.h"

#include "agent/cli/columns.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/codec/api_columns.h"
#include "api_ask.h"

#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io"

static void add_cell(struct text_table *table, const cJSON *cell)
{
    char number[32];
    snprintf(number, sizeof number, "%.0f", cJSON_GetNumberValue(cell));
    text_table_add(table, cJSON_IsNumber(cell) ? number : cJSON_GetStringValue(cell));
}

/* What kubectl would show of the answer. */
static void print_table(struct buffer *to, bool wide)
{
    const cJSON *columns = at("columnDefinitions"), *column, *row;
    struct text_table table = {0};
    cJSON_ArrayForEach(column, columns)
    {
        char title[64] = "";
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(column, "name"));
        bool shown = wide || cJSON_GetNumberValue(cJSON_GetObjectItem(column, "priority")) == 0;
        for (size_t i = 0; shown && name[i]; i++)
            title[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
        if (shown) {
            table.column_count++;
            text_table_add(&table, title);
        }
    }
    cJSON_ArrayForEach(row, at("rows"))
    {
        const cJSON *cells = cJSON_GetObjectItem(row, "cells");
        CU_ASSERT_EQUAL(cJSON_GetArraySize(cells), cJSON_GetArraySize(columns));
        for (size_t i = 0; i < table.column_count; i++)
            add_cell(&table, cJSON_GetArrayItem(cells, (int)i));
    }
    text_table_print(&table, to);
    text_table_release(&table);
}

/* Those with -o wide stand behind the others: which ones are shown is a prefix. */
static void wide_columns_are_the_last(void)
{
    for (unsigned resource = 0; resource <= API_SHOWN_COUNT; resource++)
        for (const struct api_column *column = api_columns(resource); column[1].name; column++)
            CU_ASSERT(column[0].priority <= column[1].priority);
}

static void compare(enum api_resource resource, bool wide)
{
    struct buffer table = {0}, ours = {0};
    char target[128];
    struct columns_options options = {.wide = wide, .now_ms = context_of().wall_ms};
    snprintf(target, sizeof target, ROOT "/%s", api_resources[resource].plural);
    CU_ASSERT_EQUAL(ask((struct api_request){.method = "GET", .target = target, .accept = TABLE}),
                    200);
    print_table(&table, wide);
    CU_ASSERT_EQUAL(get(target), 200);
    CU_ASSERT(cJSON_GetArraySize(at("items")) > 0);
    columns_print(&ours, resource, at("items"), &options);
    CU_ASSERT_STRING_EQUAL(terminal_text(&ours), terminal_text(&table));
    if (strcmp(terminal_text(&ours), terminal_text(&table)) != 0)
        printf("%s\n%s%s\n", target, terminal_text(&ours), terminal_text(&table));
    buffer_release(&table);
    buffer_release(&ours);
}

static void both_show_the_same(void)
{
    begin();
    send("PUT", ROOT "/namespaces/default/metas/m", JSON,
         "{\"apiVersion\":\"hordelet.dev/v1\",\"kind\":\"Meta\",\"metadata\":{\"name\":\"m\"},"
         "\"spec\":{\"value\":\"a text\"}}");
    for (unsigned resource = 0; resource < API_RESOURCE_COUNT; resource++) {
        compare((enum api_resource)resource, false);
        compare((enum api_resource)resource, true);
    }
    end();
}

UNIT_MAIN("columns", {"both show the same", both_show_the_same},
          {"wide columns are the last", wide_columns_are_the_last})
