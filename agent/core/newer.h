/* What agents of a later version say: newer.c */
#ifndef AGENT_CORE_NEWER_H
#define AGENT_CORE_NEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct node;

struct newer {
    uint64_t messages, message_ms; /* dropped; when it was told last */
    size_t values;                 /* of the map, as told */
    uint64_t value_ms;
};

bool newer_message(struct node *node, const struct event *event); /* true: it is of one, dropped */
void newer_tick(struct node *node);

#endif
