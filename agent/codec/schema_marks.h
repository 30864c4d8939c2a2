/* Where in its source each value of a parsed document stood, for messages like "(line 7, column
 * 13)".
 *
 * A mark belongs to the cJSON item itself, not to a path: it is exact whatever the keys look like,
 * and an item that was not parsed from text (a default, the result of a patch) simply has none.
 * Only YAML makes marks. */
#ifndef AGENT_CODEC_SCHEMA_MARKS_H
#define AGENT_CODEC_SCHEMA_MARKS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

struct mark {
    const cJSON *item;
    uint32_t line, column; /* both from 1 */
};

/* Zeroed memory is an empty set. Sorted by address once it is complete. */
struct marks {
    struct mark *items; /* owned */
    size_t count, capacity;
};

void marks_release(struct marks *marks); /* frees and zeroes */
void marks_add(struct marks *marks, const cJSON *item, uint32_t line, uint32_t column);
void marks_sort(struct marks *marks);
/* NULL if there is none; marks may be NULL. O(log n). */
const struct mark *marks_find(const struct marks *marks, const cJSON *item);

#endif
