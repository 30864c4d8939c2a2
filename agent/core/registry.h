/* Who holds a name: registry.c; names of outside processes: registry_outside.c; what users note
 * beside them: registry_meta.c */
#ifndef AGENT_CORE_REGISTRY_H
#define AGENT_CORE_REGISTRY_H

#include "agent/core/limits.h"
#include "crdt/dot.h"

struct child;
struct name_entry;
struct name_record;
struct node;
struct request;

void registry_update(struct node *node, struct child *child);
/* Whatever it replaces: the record says its epoch. */
struct dot registry_write(struct node *node, const char *ns, const char *name,
                          const struct name_record *record);
bool registry_is_live(const struct node *node, const struct name_entry *name);
/* The same for who knows better whether the member that holds it is lost. */
bool registry_would_live(const struct node *node, const struct name_entry *name, bool lost);
void registry_set_value(struct node *node, const struct request *request); /* by the child */
/* Somebody else who lives holds one of its names: the message says who. */
bool registry_conflicts(const struct node *node, const struct child *child,
                        char ret_message[MESSAGE_BYTES_MAX + 1]);
void registry_remove_all(struct node *node,
                         struct child *child); /* rank 0 cleans up after the dead */

/* --- registry_outside.c: names of outside processes ------------------------------------------- */

struct registry {
    uint64_t sweep_ms;   /* when the outside names are looked at again */
    uint64_t generation; /* of the membership, at the last look */
};

void outside_put(struct node *node, const struct request *request);
void outside_delete(struct node *node, const struct request *request);
void outside_tick(struct node *node);
uint64_t outside_deadline(const struct node *node);
void outside_thaw(struct node *node); /* we were away: nobody could renew with us */

/* --- registry_meta.c -------------------------------------------------------------------------- */

void meta_put(struct node *node, const struct request *request);
void meta_delete(struct node *node, const struct request *request);

#endif
