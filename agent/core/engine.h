/* What was asked of the engine and has not ended: engine.c */
#ifndef AGENT_CORE_ENGINE_H
#define AGENT_CORE_ENGINE_H

#include "agent/core/effect.h"
#include "agent/core/ident.h"

struct child;
struct local_container;
struct node;
struct output_wish;

struct operation {
    uint64_t id;
    enum runtime_kind kind;
    struct child_id child;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
    char image[IMAGE_BYTES_MAX + 1];
    enum probe_kind probe;
};

enum {
    OPERATIONS_MAX = RUNTIME_STARTS_IN_FLIGHT_MAX + RUNTIME_STOPS_IN_FLIGHT_MAX +
                     RUNTIME_PULLS_IN_FLIGHT_MAX + RUNTIME_PROBES_IN_FLIGHT_MAX +
                     RUNTIME_OUTPUTS_IN_FLIGHT_MAX + 4
};

/* child: NULL: of none. */
struct operation *engine_begin(struct node *node, enum runtime_kind kind,
                               const struct child *child);
struct operation *engine_find(struct node *node, uint64_t id);
void engine_end(struct node *node, struct operation *operation);
void engine_start(struct node *node, struct child *child);
void engine_pull(struct node *node, struct child *child);
void engine_stop(struct node *node, struct child *child, struct local_container *container,
                 uint64_t stop_ms);
void engine_remove(struct node *node, struct child *child, struct local_container *container);
/* Returns the operation's id. */
uint64_t engine_probe(struct node *node, struct child *child,
                      const struct local_container *container, enum probe_kind kind,
                      uint64_t timeout_ms);
/* Returns the operation's id. */
uint64_t engine_output(struct node *node, const struct child *child, const char *container_id,
                       const struct output_wish *wish);
/* STOP or REMOVE of a container of no child. Returns the operation's id. */
uint64_t engine_end_orphan(struct node *node, enum runtime_kind kind, const char *container_id,
                           uint64_t stop_ms);
void engine_list(struct node *node);
void engine_abandon(struct node *node, uint64_t id); /* its end will concern no child any more */

#endif
