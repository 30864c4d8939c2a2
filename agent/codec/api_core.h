/* Children as Kubernetes' Pods and members as its Nodes, for clients that know only these.
 * Read-only views: what is written is the workload. Fields mean what Kubernetes says; what nobody
 * here knows is left out. */
#ifndef AGENT_CODEC_API_CORE_H
#define AGENT_CODEC_API_CORE_H

#include "agent/codec/api_objects.h"

const char *api_pod_phase(enum child_phase phase); /* Pending, Running, Succeeded, Failed */
/* As api_item_write; the item is a child or a member. */
void api_pod_write(const struct api_item *item, const struct api_context *context,
                   struct api_writer *writer, const char *key);
void api_node_write(const struct api_item *item, const struct api_context *context,
                    struct api_writer *writer, const char *key);
/* Appends the name of its container: spec.container.name, or the workload's. */
void api_pod_container_name(const struct api_item *item, char ret_name[NAME_BYTES_MAX + 1]);
/* "10.0.0.1" of "10.0.0.1:7370", "fd00::1" of "[fd00::1]:7370". */
void api_address_host(const char *address, char *ret_host, size_t bytes);
/* Where the node of a child is; "" if it has none, or nobody knows. */
void api_pod_host(const struct api_item *item, const struct api_context *context, char *ret_host,
                  size_t bytes);

#endif
