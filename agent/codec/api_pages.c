/* See api_pages.h. */
#include "agent/codec/api_pages.h"

#include <stdlib.h>
#include <string.h>

struct api_pages {
    struct api_rest rests[API_PAGES_MAX];
    uint64_t last; /* number */
};

/* --- One list --------------------------------------------------------------------------------- */

void api_rest_release(struct api_rest *rest)
{
    buffer_release(&rest->texts);
    buffer_release(&rest->keys);
    free(rest->items);
    *rest = (struct api_rest){0};
}

static size_t rest_bytes(const struct api_rest *rest)
{
    return rest->texts.bytes + rest->keys.bytes + rest->count * sizeof *rest->items;
}

static bool key_is(const struct api_rest *rest, uint32_t at, const struct api_key *key)
{
    const char *ns = (const char *)rest->keys.data + at;
    return strcmp(ns, key->ns) == 0 && strcmp(ns + strlen(ns) + 1, key->name) == 0;
}

void api_rest_add(struct api_rest *rest, const struct api_key *key)
{
    if (rest_bytes(rest) > API_PAGES_BYTES_MAX) {
        api_rest_release(rest);
        rest->too_large = true;
    }
    if (rest->too_large) {
        buffer_clear(&rest->texts);
        return;
    }
    if (rest->count == rest->capacity) {
        rest->capacity = rest->capacity ? 2 * rest->capacity : 64;
        rest->items = xrealloc(rest->items, rest->capacity * sizeof *rest->items);
    }
    struct api_rest_item *item = &rest->items[rest->count];
    *item = (struct api_rest_item){.end = (uint32_t)rest->texts.bytes, .ordinal = key->ordinal};
    if (rest->count > 0 && key_is(rest, item[-1].key_at, key)) { /* children of one workload */
        item->key_at = item[-1].key_at;
    } else {
        item->key_at = (uint32_t)rest->keys.bytes;
        buffer_append(&rest->keys, key->ns, strlen(key->ns) + 1);
        buffer_append(&rest->keys, key->name, strlen(key->name) + 1);
    }
    rest->count++;
}

struct span api_rest_text(const struct api_rest *rest, size_t index)
{
    size_t begin = index > 0 ? rest->items[index - 1].end : 0;
    return span_of(rest->texts.data + begin, rest->items[index].end - begin);
}

void api_rest_key(const struct api_rest *rest, size_t index, struct api_key *ret_key)
{
    const struct api_rest_item *item = &rest->items[index];
    const char *ns = (const char *)rest->keys.data + item->key_at;
    *ret_key = (struct api_key){.ordinal = item->ordinal};
    TEXT_SET(ret_key->ns, ns);
    TEXT_SET(ret_key->name, ns + strlen(ns) + 1);
}

/* --- All of them ------------------------------------------------------------------------------ */

struct api_pages *api_pages_new(void)
{
    return xcalloc(1, sizeof(struct api_pages));
}

void api_pages_free(struct api_pages *pages)
{
    for (size_t i = 0; pages && i < API_PAGES_MAX; i++)
        api_rest_release(&pages->rests[i]);
    free(pages);
}

static void pages_forget_late(struct api_pages *pages, uint64_t now_ms)
{
    for (size_t i = 0; i < API_PAGES_MAX; i++)
        if (pages->rests[i].number && pages->rests[i].forget_ms <= now_ms)
            api_rest_release(&pages->rests[i]);
}

/* The first to be forgotten; *ret_bytes: of all. */
static struct api_rest *pages_first(struct api_pages *pages, size_t *ret_bytes)
{
    struct api_rest *first = NULL;
    *ret_bytes = 0;
    for (size_t i = 0; i < API_PAGES_MAX; i++) {
        struct api_rest *rest = &pages->rests[i];
        *ret_bytes += rest_bytes(rest);
        if (rest->number && (!first || rest->forget_ms < first->forget_ms))
            first = rest;
    }
    return first;
}

static struct api_rest *pages_free_place(struct api_pages *pages)
{
    for (size_t i = 0; i < API_PAGES_MAX; i++)
        if (!pages->rests[i].number)
            return &pages->rests[i];
    return NULL;
}

uint64_t api_pages_keep(struct api_pages *pages, struct api_rest *rest, uint64_t now_ms)
{
    size_t bytes;
    struct api_rest *first;
    pages_forget_late(pages, now_ms);
    if (rest->too_large || rest_bytes(rest) > API_PAGES_BYTES_MAX) {
        api_rest_release(rest);
        return 0;
    }
    while ((first = pages_first(pages, &bytes)) &&
           (bytes + rest_bytes(rest) > API_PAGES_BYTES_MAX || !pages_free_place(pages)))
        api_rest_release(first);
    struct api_rest *place = pages_free_place(pages);
    *place = *rest;
    place->number = ++pages->last;
    place->forget_ms = now_ms + API_PAGES_MS;
    *rest = (struct api_rest){0};
    return place->number;
}

struct api_rest *api_pages_find(struct api_pages *pages, uint64_t number, uint64_t selection,
                                unsigned form, uint64_t now_ms)
{
    pages_forget_late(pages, now_ms);
    for (size_t i = 0; i < API_PAGES_MAX; i++) {
        struct api_rest *rest = &pages->rests[i];
        if (number && rest->number == number && rest->selection == selection && rest->form == form)
            return rest;
    }
    return NULL;
}

void api_pages_read(struct api_rest *rest, uint64_t now_ms)
{
    uint64_t soon_ms = now_ms + API_PAGES_READ_MS;
    rest->forget_ms = rest->forget_ms < soon_ms ? rest->forget_ms : soon_ms;
}
