/* The rest of lists that are read in pages, as it was when the first page was: all pages of a list
 * have one resourceVersion and show one content, whatever changes meanwhile.
 *
 * Kept is the text of the objects, of API_PAGES_MAX lists and API_PAGES_BYTES_MAX at most; the
 * oldest go first, all after API_PAGES_MS, and those that were read to their end soon after that (a
 * client may ask for its last page again). Whoever asks for what is gone gets 410 and a token that
 * goes on with what is there now (api_continue.h). */
#ifndef AGENT_CODEC_API_PAGES_H
#define AGENT_CODEC_API_PAGES_H

#include "agent/codec/api_continue.h"

enum {
    API_PAGES_MAX = 16,
    API_PAGES_BYTES_MAX = 16 * 1024 * 1024,
    API_PAGES_MS = 300000,
    API_PAGES_READ_MS = 10000,
};

struct api_rest_item {
    uint32_t end;    /* of its text */
    uint32_t key_at; /* in keys: "NAMESPACE\0NAME\0" */
    uint32_t ordinal;
};

/* Zeroed memory: an empty one, to be filled. */
struct api_rest {
    uint64_t number; /* 0: it is not kept */
    uint64_t selection;
    unsigned form;
    uint64_t position; /* of the feed */
    uint64_t forget_ms;
    struct buffer texts, keys;
    struct api_rest_item *items;
    size_t count, capacity;
    bool too_large; /* nothing is in it, and nothing will be */
};

/* The object is what has been appended to rest->texts since the last one. */
void api_rest_add(struct api_rest *rest, const struct api_key *key);
struct span api_rest_text(const struct api_rest *rest, size_t index);
void api_rest_key(const struct api_rest *rest, size_t index, struct api_key *ret_key);
void api_rest_release(struct api_rest *rest);

struct api_pages;
struct api_pages *api_pages_new(void);
void api_pages_free(struct api_pages *pages); /* NULL is fine */
/* Takes the rest. Its number; 0: it was too large, and is gone. */
uint64_t api_pages_keep(struct api_pages *pages, struct api_rest *rest, uint64_t now_ms);
/* Borrowed until the next keep; NULL: gone, or another list's. */
struct api_rest *api_pages_find(struct api_pages *pages, uint64_t number, uint64_t selection,
                                unsigned form, uint64_t now_ms);
/* The last page has been read. */
void api_pages_read(struct api_rest *rest, uint64_t now_ms);

#endif
