/* The store as its own files see it. Private to store*.c. */
#ifndef AGENT_CORE_STORE_PRIVATE_H
#define AGENT_CORE_STORE_PRIVATE_H

#include <string.h>

#include "agent/core/store.h"

/* The key of an index by namespace and name; both empty: before all. */
struct pair_key {
    char text[2 * NAME_BYTES_MAX + 2];
    size_t bytes;
};

static inline struct pair_key pair_key(const char *ns, const char *name)
{
    struct pair_key key = {.bytes = 0};
    if (!*ns && !*name)
        return key;
    size_t ns_bytes = strlen(ns), name_bytes = strlen(name);
    memcpy(key.text, ns, ns_bytes + 1);
    memcpy(key.text + ns_bytes + 1, name, name_bytes);
    key.bytes = ns_bytes + 1 + name_bytes;
    return key;
}

static inline struct span pair_span(const struct pair_key *key)
{
    return span_of(key->text, key->bytes);
}

/* store.c */
void group_mark(struct store *store, struct group *group); /* all of its children */
struct group *store_group_make(struct store *store, const char *ns, const char *name);
void store_group_tidy(struct store *store, struct group *group); /* forgets it if it is empty */
void child_drop_statuses(struct child *child);

/* store_feed.c */
void store_feed_release(struct store *store);

/* store_member.c */
void store_apply_member(struct store *store, const char *name, const struct awmap_entry *entry);
void store_member_release(struct store *store);

/* store_names.c */
void store_apply_name(struct store *store, const struct key_parts *key,
                      const struct awmap_entry *entry);
void store_apply_meta(struct store *store, const struct key_parts *key,
                      const struct awmap_entry *entry);
void store_names_release(struct store *store);

/* store_state.c */
void store_apply_state(struct store *store, const struct key_parts *key,
                       const struct awmap_entry *entry);
void store_apply_piece(struct store *store, const struct key_parts *key,
                       const struct awmap_entry *entry);
void left_state_free(struct left_state *state); /* NULL is allowed */

#endif
