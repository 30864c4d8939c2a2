/* What the watches and lists of one agent share. Optional: without it all works, and costs more.
 *
 *   - Renderings: the JSON of an object in a version, so that a change is written once for however
 *     many watch it. The last API_RENDERINGS_MAX of them, each of at most API_RENDERING_BYTES_MAX.
 *   - Selections: which objects a list with a selector has named, or a watch with one has told of.
 *     Whoever watches from there must hear when one of them leaves the selection, and of no other:
 *     what an object was like before is kept nowhere else. The last API_SELECTIONS_MAX, of at most
 *     API_SELECTED_MAX objects each; a watch that does not find its own begins with 410 if anything
 *     has changed in between.
 *   - Pages: what is left of lists that are read page by page (api_pages.h). */
#ifndef AGENT_CODEC_API_HUB_H
#define AGENT_CODEC_API_HUB_H

#include "agent/codec/api_known.h"
#include "agent/codec/api_pages.h"

enum {
    API_RENDERINGS_MAX = 256, /* more than one turn of the loop changes, mostly */
    API_RENDERING_BYTES_MAX = 8 * 1024,
    API_SELECTIONS_MAX = 64,
    API_SELECTED_MAX = 8192,
};

struct api_hub;

/* What is listed or watched: the resource, the namespace and both selectors, as one hash. */
uint64_t api_hub_selection(unsigned resource, const char *ns, const char *name,
                           const char *label_selector, const char *field_selector);

struct api_hub *api_hub_new(void);
void api_hub_free(struct api_hub *hub);
struct api_pages *api_hub_pages(struct api_hub *hub);
/* Empty: not there. form tells renderings of the same version apart. Borrowed until the next put.
 */
struct span api_hub_rendering(const struct api_hub *hub, uint64_t version, unsigned form);
void api_hub_put_rendering(struct api_hub *hub, uint64_t version, unsigned form, struct span text);
/* Copies. */
void api_hub_keep(struct api_hub *hub, uint64_t selection, uint64_t position,
                  const struct api_known *known);
/* NULL: not kept (any more). */
const struct api_known *api_hub_find(const struct api_hub *hub, uint64_t selection,
                                     uint64_t position);

#endif
