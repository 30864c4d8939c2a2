/* An aligned table of texts. Cells are escaped as they come in, so that a row is always one line.
 */
#ifndef AGENT_CLI_TEXT_TABLE_H
#define AGENT_CLI_TEXT_TABLE_H

#include "crdt/bytes.h"

enum { TEXT_TABLE_COLUMNS_MAX = 12 };

/* Set column_count, the rest zero. Cells come row by row, the titles first. */
struct text_table {
    size_t column_count;
    /* Columns whose words have a colour: green for what is well, yellow for what is on its way, red
     * for what is not. */
    bool coloured[TEXT_TABLE_COLUMNS_MAX];
    char **cells; /* owned */
    size_t count, capacity;
};

void text_table_add(struct text_table *table, const char *text); /* NULL or empty: shown as "-" */
/* Appends all whole rows; two blanks between columns, none at the end of a line. */
void text_table_print(const struct text_table *table, struct buffer *buffer);
void text_table_release(struct text_table *table);

#endif
