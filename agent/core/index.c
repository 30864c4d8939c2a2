/* The skip list of index.h, and the table over it. One idea for each: node level = number of
 * trailing zero bits (by twos) of the key's hash; slot = its leading bits, or the next free one. */
#include "agent/core/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

enum { SLOTS_MIN = 8 };

struct index_node { /* there are millions: it is as small as it can be */
    void *value;
    uint32_t hash; /* the upper half */
    uint16_t key_bytes;
    uint16_t levels : 5;
    uint16_t key_at : 11;      /* in the value; 0: it is behind the levels */
    struct index_node *next[]; /* one per level */
};

static int index_levels(uint64_t hash)
{
    int levels = 1;
    while (levels < INDEX_LEVELS && (hash & 3) == 0) {
        hash >>= 2;
        levels++;
    }
    return levels;
}

static struct span index_key(const struct index_node *node)
{
    const void *key = node->next + node->levels;
    if (node->key_at > 0)
        key = (const char *)node->value + node->key_at;
    return span_of(key, node->key_bytes);
}

/* --- The table ------------------------------------------------------------------------------- */

/* Of the node of this key, or the free one where its search ends. */
static size_t index_slot(const struct index *index, struct span key, uint32_t hash)
{
    size_t mask = index->slot_count - 1, at = hash & mask;
    while (index->slots[at] &&
           (index->slots[at]->hash != hash || !span_equal(index_key(index->slots[at]), key)))
        at = (at + 1) & mask;
    return at;
}

static void index_place(struct index *index, struct index_node *node)
{
    size_t mask = index->slot_count - 1, at = node->hash & mask;
    while (index->slots[at])
        at = (at + 1) & mask;
    index->slots[at] = node;
}

/* Those behind it, up to the next free slot, are placed anew: one may stand there because of it. */
static void index_displace(struct index *index, const struct index_node *node)
{
    size_t mask = index->slot_count - 1, at = node->hash & mask;
    while (index->slots[at] != node)
        at = (at + 1) & mask;
    index->slots[at] = NULL;
    for (at = (at + 1) & mask; index->slots[at]; at = (at + 1) & mask) {
        struct index_node *behind = index->slots[at];
        index->slots[at] = NULL;
        index_place(index, behind);
    }
}

static uint32_t index_hash(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static struct index_node *index_lookup(const struct index *index, struct span key)
{
    if (index->count == 0)
        return NULL;
    uint32_t hash = index_hash(placement_hash(key.data, key.bytes));
    return index->slots[index_slot(index, key, hash)];
}

/* Two thirds are taken at most. */
static void index_grow(struct index *index)
{
    if (3 * (index->count + 1) <= 2 * index->slot_count)
        return;
    free(index->slots);
    index->slot_count = index->slot_count ? 2 * index->slot_count : SLOTS_MIN;
    index->slots = xcalloc(index->slot_count, sizeof(struct index_node *));
    for (struct index_node *node = index->heads[0]; node; node = node->next[0])
        index_place(index, node);
}

/* --- The list -------------------------------------------------------------------------------- */

/* Links into which a node with this key belongs: link[i] points to the first node of level i that
 * is not smaller. */
static void index_links(const struct index *index, struct span key,
                        struct index_node **links[INDEX_LEVELS])
{
    struct index_node **level = (struct index_node **)index->heads;
    for (int i = INDEX_LEVELS - 1; i >= 0; i--) {
        struct index_node **link = &level[i];
        while (*link && span_compare(index_key(*link), key) < 0) {
            level = (*link)->next;
            link = &level[i];
        }
        links[i] = link;
    }
}

void *index_find(const struct index *index, struct span key)
{
    struct index_node *node = index_lookup(index, key);
    return node ? node->value : NULL;
}

void *index_after(const struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    struct index_node *node = key.bytes > 0 ? index_lookup(index, key) : NULL;
    if (node) {
        node = node->next[0];
    } else {
        index_links(index, key, links);
        node = *links[0];
    }
    return node ? node->value : NULL;
}

/* key_at 0: the key is copied. */
static void index_add(struct index *index, struct span key, size_t key_at, void *value)
{
    struct index_node **links[INDEX_LEVELS];
    uint64_t hash = placement_hash(key.data, key.bytes);
    index_grow(index);
    size_t slot = index_slot(index, key, index_hash(hash));
    assert(!index->slots[slot] && key.bytes <= UINT16_MAX);
    index_links(index, key, links);
    int levels = index_levels(hash);
    size_t copied_bytes = key_at > 0 ? 0 : key.bytes;
    struct index_node *node =
        xmalloc(sizeof *node + (size_t)levels * sizeof node->next[0] + copied_bytes);
    *node = (struct index_node){.value = value,
                                .hash = index_hash(hash),
                                .key_bytes = (uint16_t)key.bytes,
                                .levels = (unsigned)levels & 31u,
                                .key_at = (unsigned)key_at & INDEX_KEY_AT_MAX};
    if (copied_bytes > 0)
        memcpy(node->next + levels, key.data, copied_bytes);
    index->slots[slot] = node;
    for (int i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
    index->count++;
}

void index_insert(struct index *index, struct span key, void *value)
{
    index_add(index, key, 0, value);
}

void index_insert_own(struct index *index, struct span key, void *value)
{
    size_t key_at = (size_t)(key.data - (const uint8_t *)value);
    assert(key_at > 0 && key_at <= INDEX_KEY_AT_MAX);
    index_add(index, key, key_at, value);
}

void *index_remove(struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    struct index_node *node = index_lookup(index, key);
    if (!node)
        return NULL;
    index_displace(index, node);
    index_links(index, key, links);
    for (int i = 0; i < node->levels; i++)
        *links[i] = node->next[i];
    void *value = node->value;
    free(node);
    index->count--;
    return value;
}

void index_release(struct index *index, void (*free_value)(void *))
{
    struct index_node *node = index->heads[0];
    while (node) {
        struct index_node *next = node->next[0];
        if (free_value)
            free_value(node->value);
        free(node);
        node = next;
    }
    free(index->slots);
    memset(index, 0, sizeof *index);
}
