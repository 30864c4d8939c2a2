/* A growing list of borrowed texts: what a repeated flag was given, what is not a flag. */
#ifndef AGENT_CLI_TEXT_LIST_H
#define AGENT_CLI_TEXT_LIST_H

#include <stdlib.h>

#include "crdt/bytes.h"

/* Zeroed memory is an empty list. */
struct text_list {
    const char **items; /* owned, but not what they point to */
    size_t count;
};

static inline void text_list_add(struct text_list *list, const char *text)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = text;
}

static inline void text_list_release(struct text_list *list)
{
    free(list->items);
    *list = (struct text_list){0};
}

#endif
