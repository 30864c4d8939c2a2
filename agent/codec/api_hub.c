#include "agent/codec/api_hub.h"

#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

struct rendering {
    uint64_t version; /* 0: none */
    unsigned form;
    struct buffer text;
};

struct selection {
    uint64_t hash, position; /* hash 0: none */
    struct api_known known;
};

struct api_hub {
    struct rendering renderings[API_RENDERINGS_MAX]; /* by version */
    struct selection selections[API_SELECTIONS_MAX]; /* the oldest at next_selection */
    size_t next_selection;
    struct api_pages *pages;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return placement_hash_pair(hash, text ? placement_hash(text, strlen(text)) : 0);
}

uint64_t api_hub_selection(unsigned resource, const char *ns, const char *name,
                           const char *label_selector, const char *field_selector)
{
    uint64_t hash = hash_text(hash_text(resource, ns), name);
    return hash_text(hash_text(hash, label_selector), field_selector) | 1;
}

struct api_hub *api_hub_new(void)
{
    struct api_hub *hub = xcalloc(1, sizeof *hub);
    hub->pages = api_pages_new();
    return hub;
}

struct api_pages *api_hub_pages(struct api_hub *hub)
{
    return hub->pages;
}

void api_hub_free(struct api_hub *hub)
{
    if (!hub)
        return;
    for (size_t i = 0; i < API_RENDERINGS_MAX; i++)
        buffer_release(&hub->renderings[i].text);
    for (size_t i = 0; i < API_SELECTIONS_MAX; i++)
        api_known_release(&hub->selections[i].known);
    api_pages_free(hub->pages);
    free(hub);
}

struct span api_hub_rendering(const struct api_hub *hub, uint64_t version, unsigned form)
{
    const struct rendering *at = &hub->renderings[version % API_RENDERINGS_MAX];
    return at->version == version && at->form == form ? buffer_view(&at->text) : (struct span){0};
}

void api_hub_put_rendering(struct api_hub *hub, uint64_t version, unsigned form, struct span text)
{
    struct rendering *at = &hub->renderings[version % API_RENDERINGS_MAX];
    if (text.bytes > API_RENDERING_BYTES_MAX)
        return;
    at->version = version;
    at->form = form;
    buffer_clear(&at->text);
    buffer_append(&at->text, text.data, text.bytes);
}

void api_hub_keep(struct api_hub *hub, uint64_t selection, uint64_t position,
                  const struct api_known *known)
{
    if (known->count > API_SELECTED_MAX)
        return;
    struct selection *at = &hub->selections[hub->next_selection];
    hub->next_selection = (hub->next_selection + 1) % API_SELECTIONS_MAX;
    at->hash = selection;
    at->position = position;
    api_known_copy(&at->known, known);
}

const struct api_known *api_hub_find(const struct api_hub *hub, uint64_t selection,
                                     uint64_t position)
{
    for (size_t i = 0; i < API_SELECTIONS_MAX; i++)
        if (hub->selections[i].hash == selection && hub->selections[i].position == position)
            return &hub->selections[i].known;
    return NULL;
}
