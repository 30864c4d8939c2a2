/* The skip list of index.h. One idea: node level = number of trailing zero bits (by twos) of the
 * key's hash. */
#include "agent/core/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

struct index_node {
    void *value;
    size_t key_bytes;
    uint8_t *key;
    int levels;
    struct index_node *next[];
};

static int index_levels(struct span key)
{
    uint64_t hash = placement_hash(key.data, key.bytes);
    int levels = 1;
    while (levels < INDEX_LEVELS && (hash & 3) == 0) {
        hash >>= 2;
        levels++;
    }
    return levels;
}

static struct span index_key(const struct index_node *node)
{
    return span_of(node->key, node->key_bytes);
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

void *index_find(const struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    index_links(index, key, links);
    struct index_node *node = *links[0];
    return node && span_equal(index_key(node), key) ? node->value : NULL;
}

void *index_after(const struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    index_links(index, key, links);
    struct index_node *node = *links[0];
    if (node && key.bytes > 0 && span_equal(index_key(node), key))
        node = node->next[0];
    return node ? node->value : NULL;
}

void index_insert(struct index *index, struct span key, void *value)
{
    struct index_node **links[INDEX_LEVELS];
    index_links(index, key, links);
    assert(!*links[0] || !span_equal(index_key(*links[0]), key));
    int levels = index_levels(key);
    struct index_node *node = xmalloc(sizeof *node + (size_t)levels * sizeof node->next[0]);
    node->value = value;
    node->key_bytes = key.bytes;
    node->key = xmemdup(key.data, key.bytes);
    node->levels = levels;
    for (int i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
    index->count++;
}

static void index_node_free(struct index_node *node)
{
    free(node->key);
    free(node);
}

void *index_remove(struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    index_links(index, key, links);
    struct index_node *node = *links[0];
    if (!node || !span_equal(index_key(node), key))
        return NULL;
    for (int i = 0; i < node->levels; i++)
        *links[i] = node->next[i];
    void *value = node->value;
    index_node_free(node);
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
        index_node_free(node);
        node = next;
    }
    memset(index, 0, sizeof *index);
}
