/* Lists of items in the order of their last change (see feed.h). */
#include "agent/core/feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void list_unlink(struct feed_list *list, struct feed_item *item)
{
    *(item->previous ? &item->previous->next : &list->first) = item->next;
    *(item->next ? &item->next->previous : &list->last) = item->previous;
    item->previous = item->next = NULL;
}

static void list_append(struct feed_list *list, struct feed_item *item)
{
    item->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = item;
    list->last = item;
}

static struct feed_item *item_new(const struct feed_key *key)
{
    size_t ns_bytes = strlen(key->ns) + 1, name_bytes = strlen(key->name) + 1;
    struct feed_item *item = xcalloc(1, sizeof *item + ns_bytes + name_bytes);
    memcpy(item->ns, key->ns, ns_bytes);
    item->name_at = (uint8_t)ns_bytes;
    memcpy(item->ns + ns_bytes, key->name, name_bytes);
    item->ordinal = key->ordinal;
    return item;
}

static void item_free(struct feed_item *item)
{
    free(item->gone);
    free(item);
}

const char *feed_name(const struct feed_item *item)
{
    return item->ns + item->name_at;
}

void feed_open(struct feed *feed)
{
    feed->open = true;
}

bool feed_show(struct feed *feed, enum feed_resource resource, struct feed_item **item,
               const struct feed_key *key, uint64_t shown)
{
    struct feed_list *list = &feed->lists[resource];
    if (!feed->open || (*item && (*item)->shown == shown))
        return false;
    if (*item) {
        list_unlink(list, *item);
    } else {
        *item = item_new(key);
        list->count++;
        (*item)->since = feed->position + 1;
    }
    (*item)->version = ++feed->position;
    (*item)->shown = shown;
    list_append(list, *item);
    return true;
}

static void list_drop_oldest_gone(struct feed_list *list)
{
    struct feed_item *item = list->first_gone;
    list->first_gone = item->gone->next;
    list->gone_count--;
    list->compacted = item->version;
    list_unlink(list, item);
    item_free(item);
}

bool feed_hide(struct feed *feed, enum feed_resource resource, struct feed_item **ret_item,
               const char *uid, uint64_t number)
{
    struct feed_list *list = &feed->lists[resource];
    struct feed_item *item = *ret_item;
    if (!item)
        return false;
    *ret_item = NULL;
    list_unlink(list, item);
    item->version = ++feed->position;
    item->gone = xcalloc(1, sizeof *item->gone + strlen(uid) + 1);
    item->gone->number = number;
    memcpy(item->gone->uid, uid, strlen(uid) + 1);
    list_append(list, item);
    *(list->first_gone ? &list->last_gone->gone->next : &list->first_gone) = item;
    list->last_gone = item;
    list->count--;
    if (++list->gone_count > FEED_GONE_MAX)
        list_drop_oldest_gone(list);
    return true;
}

size_t feed_after(const struct feed *feed, enum feed_resource resource, uint64_t position,
                  const struct feed_item **ret_items, size_t max)
{
    const struct feed_list *list = &feed->lists[resource];
    const struct feed_item *at = list->first;
    if (!at || list->last->version <= position)
        return 0;
    if (at->version <= position)
        for (at = list->last; at->previous->version > position; at = at->previous)
            ;
    size_t count = 0;
    for (; at && count < max; at = at->next)
        ret_items[count++] = at;
    return count;
}

void feed_release(struct feed *feed)
{
    for (size_t i = 0; i < FEED_RESOURCE_COUNT; i++)
        while (feed->lists[i].first) {
            struct feed_item *item = feed->lists[i].first;
            list_unlink(&feed->lists[i], item);
            item_free(item);
        }
    *feed = (struct feed){0};
}
