/* Do two maps say the same, key by key? Looked at from outside: digests are what is tested. */
#ifndef TESTS_LAWS_SAME_CONTENT_H
#define TESTS_LAWS_SAME_CONTENT_H

#include "crdt/awmap.h"

static inline bool same_content(const struct awmap *a, const struct awmap *b)
{
    const struct awmap_entry *x = awmap_next(a, NULL), *y = awmap_next(b, NULL);
    for (; x && y; x = awmap_next(a, x), y = awmap_next(b, y)) {
        if (!span_equal(awmap_entry_key(x), awmap_entry_key(y)) ||
            awmap_entry_count(x) != awmap_entry_count(y))
            return false;
        for (size_t i = 0; i < awmap_entry_count(x); i++) {
            struct awmap_sibling s = awmap_entry_sibling(x, i), t = awmap_entry_sibling(y, i);
            if (!dot_equal(s.dot, t.dot) || s.hlc != t.hlc || !span_equal(s.value, t.value))
                return false;
        }
    }
    return !x && !y;
}

#endif
