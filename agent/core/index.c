/* The skip list of index.h, and the table over it. One idea for each: node level = number of
 * trailing zero bits (by twos) of the key's hash; bucket = its leading bits. */
#include "agent/core/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

enum { BUCKETS_MIN = 8 };

struct index_node { /* there are millions: it is as small as it can be */
    void *value;
    struct index_node *chain; /* the next one in its bucket */
    uint32_t hash;            /* the upper half */
    uint16_t key_bytes;
    uint8_t levels;
    struct index_node *next[]; /* one per level; then the key's bytes */
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
    return span_of(node->next + node->levels, node->key_bytes);
}

/* --- The table ------------------------------------------------------------------------------- */

static struct index_node **index_bucket(const struct index *index, uint32_t hash)
{
    return &index->buckets[hash & (index->bucket_count - 1)];
}

/* What points to the node of this key in its chain, or to the chain's end. */
static struct index_node **index_chain(const struct index *index, struct span key, uint32_t hash)
{
    struct index_node **link = index_bucket(index, hash);
    while (*link && ((*link)->hash != hash || !span_equal(index_key(*link), key)))
        link = &(*link)->chain;
    return link;
}

static uint32_t index_hash(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static struct index_node *index_lookup(const struct index *index, struct span key)
{
    if (index->count == 0)
        return NULL;
    return *index_chain(index, key, index_hash(placement_hash(key.data, key.bytes)));
}

static void index_grow(struct index *index)
{
    if (index->count < index->bucket_count)
        return;
    free(index->buckets);
    index->bucket_count = index->bucket_count ? 2 * index->bucket_count : BUCKETS_MIN;
    index->buckets = xcalloc(index->bucket_count, sizeof(struct index_node *));
    for (struct index_node *node = index->heads[0]; node; node = node->next[0]) {
        struct index_node **bucket = index_bucket(index, node->hash);
        node->chain = *bucket;
        *bucket = node;
    }
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

void index_insert(struct index *index, struct span key, void *value)
{
    struct index_node **links[INDEX_LEVELS];
    uint64_t hash = placement_hash(key.data, key.bytes);
    index_grow(index);
    struct index_node **chain = index_chain(index, key, index_hash(hash));
    assert(!*chain && key.bytes <= UINT16_MAX);
    index_links(index, key, links);
    int levels = index_levels(hash);
    struct index_node *node =
        xmalloc(sizeof *node + (size_t)levels * sizeof node->next[0] + key.bytes);
    *node = (struct index_node){.value = value,
                                .hash = index_hash(hash),
                                .key_bytes = (uint16_t)key.bytes,
                                .levels = (uint8_t)levels};
    if (key.bytes > 0)
        memcpy(node->next + levels, key.data, key.bytes);
    *chain = node;
    for (int i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
    index->count++;
}

void *index_remove(struct index *index, struct span key)
{
    struct index_node **links[INDEX_LEVELS];
    struct index_node *node = index_lookup(index, key);
    if (!node)
        return NULL;
    *index_chain(index, key, node->hash) = node->chain;
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
    free(index->buckets);
    memset(index, 0, sizeof *index);
}
