/* Positions of parsed values: an array sorted by the address of the value, searched by halves. */
#include "agent/codec/schema_marks.h"

#include <stdlib.h>

#include "crdt/bytes.h"

void marks_release(struct marks *marks)
{
    free(marks->items);
    *marks = (struct marks){0};
}

void marks_add(struct marks *marks, const cJSON *item, uint32_t line, uint32_t column)
{
    if (marks->count == marks->capacity) {
        marks->capacity = marks->capacity == 0 ? 64 : marks->capacity * 2;
        marks->items = xrealloc(marks->items, marks->capacity * sizeof *marks->items);
    }
    marks->items[marks->count++] = (struct mark){item, line, column};
}

static int mark_compare(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t)((const struct mark *)left)->item;
    uintptr_t b = (uintptr_t)((const struct mark *)right)->item;
    return (a > b) - (a < b);
}

static int mark_compare_position(const void *left, const void *right)
{
    const struct mark *a = left, *b = right;
    int order = mark_compare(a, b);
    if (order != 0)
        return order;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

/* A value that was deleted while parsing (the copy behind a merge key) leaves a mark, and its
 * address may be used again by a later value: the last position is the one that is alive. */
void marks_sort(struct marks *marks)
{
    size_t kept = 0;
    if (marks->count < 2)
        return;
    qsort(marks->items, marks->count, sizeof *marks->items, mark_compare_position);
    for (size_t i = 1; i < marks->count; i++) {
        if (marks->items[i].item != marks->items[kept].item)
            kept++;
        marks->items[kept] = marks->items[i];
    }
    marks->count = kept + 1;
}

const struct mark *marks_find(const struct marks *marks, const cJSON *item)
{
    if (marks == NULL || marks->count == 0)
        return NULL;
    struct mark wanted = {item, 0, 0};
    return bsearch(&wanted, marks->items, marks->count, sizeof *marks->items, mark_compare);
}
