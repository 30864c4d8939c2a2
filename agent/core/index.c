/* The skip list of index.h. One idea: node level = number of trailing zero bits (by twos) of the
 * key's hash. */
#include "agent/core/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct index_node { /* there are millions: it is as small as it can be */
    struct table_item item;
    uint16_t key_bytes;
    uint16_t levels : 5;
    uint16_t key_at : 11; /* in the value; 0: it is behind the levels */
    void *value;
    struct index_node *next[]; /* one per level */
};

static int index_levels(uint32_t hash)
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

static struct span item_key(const struct table_item *item)
{
    return index_key((const struct index_node *)item);
}

static struct index_node *index_lookup(const struct index *index, struct span key, uint32_t hash)
{
    return (struct index_node *)table_find(&index->table, hash, key, item_key);
}

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

size_t index_count(const struct index *index)
{
    return index->table.count;
}

void *index_find(const struct index *index, struct span key)
{
    struct index_node *node = index_lookup(index, key, table_hash(key));
    return node ? node->value : NULL;
}

void *index_after(const struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    struct index_node *node = key.bytes > 0 ? index_lookup(index, key, table_hash(key)) : NULL;
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
    uint32_t hash = table_hash(key);
    assert(key.bytes <= UINT16_MAX && !index_lookup(index, key, hash));
    index_links(index, key, links);
    int levels = index_levels(hash);
    size_t copied_bytes = key_at > 0 ? 0 : key.bytes;
    struct index_node *node =
        xmalloc(sizeof *node + (size_t)levels * sizeof node->next[0] + copied_bytes);
    *node = (struct index_node){.value = value,
                                .item = {.hash = hash},
                                .key_bytes = (uint16_t)key.bytes,
                                .levels = (unsigned)levels & 31u,
                                .key_at = (unsigned)key_at & INDEX_KEY_AT_MAX};
    if (copied_bytes > 0)
        memcpy(node->next + levels, key.data, copied_bytes);
    table_add(&index->table, &node->item);
    for (int i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
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
    struct index_node *node = index_lookup(index, key, table_hash(key));
    if (!node)
        return NULL;
    table_remove(&index->table, &node->item);
    index_links(index, key, links);
    for (int i = 0; i < node->levels; i++)
        *links[i] = node->next[i];
    void *value = node->value;
    free(node);
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
    table_release(&index->table);
    memset(index, 0, sizeof *index);
}
