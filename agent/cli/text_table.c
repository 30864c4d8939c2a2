/* See text_table.h. */
#include "agent/cli/text_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/terminal.h"

void text_table_add(struct text_table *table, const char *text)
{
    struct buffer cell = {0};
    assert(table->column_count > 0 && table->column_count <= TEXT_TABLE_COLUMNS_MAX);
    terminal_escape(&cell, text && *text ? text : "-");
    buffer_u8(&cell, '\0');
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 64;
        table->cells = xrealloc(table->cells, table->capacity * sizeof *table->cells);
    }
    table->cells[table->count++] = (char *)cell.data;
}

/* "2/3" */
static const char *colour_of_count(const char *text)
{
    char *end;
    unsigned long some = strtoul(text, &end, 10);
    if (end == text || *end != '/')
        return NULL;
    return some == strtoul(end + 1, NULL, 10) ? "\033[32m" : "\033[33m";
}

/* NULL: as it is. */
static const char *colour_of(const char *text)
{
    static const struct {
        const char *word, *colour;
    } words[] = {
        {"Running", "\033[32m"},  {"Succeeded", "\033[32m"},        {"alive", "\033[32m"},
        {"yes", "\033[32m"},      {"Pending", "\033[33m"},          {"Pulling", "\033[33m"},
        {"Starting", "\033[33m"}, {"Stopping", "\033[33m"},         {"suspect", "\033[33m"},
        {"Failed", "\033[31m"},   {"CrashLoopBackOff", "\033[31m"}, {"dead", "\033[31m"},
        {"no", "\033[31m"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].word) == 0)
            return words[i].colour;
    return strncmp(text, "alive,", 6) == 0 ? "\033[33m" : colour_of_count(text);
}

void text_table_print(const struct text_table *table, struct buffer *buffer)
{
    size_t widths[TEXT_TABLE_COLUMNS_MAX] = {0};
    size_t columns = table->column_count;
    for (size_t i = 0; i < table->count; i++) {
        size_t width = terminal_columns(span_text(table->cells[i]));
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; i < table->count / columns * columns; i++) {
        const char *cell = table->cells[i];
        bool last = i % columns == columns - 1;
        size_t padding = widths[i % columns] - terminal_columns(span_text(cell)) + 2;
        const char *colour = table->coloured[i % columns] && i >= columns ? colour_of(cell) : NULL;
        terminal_printf(buffer, "%s%s%s%*s", colour ? colour : "", cell, colour ? "\033[0m" : "",
                        last ? 0 : (int)padding, last ? "" : " ");
        if (last)
            terminal_printf(buffer, "\n");
    }
}

void text_table_release(struct text_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct text_table){0};
}
