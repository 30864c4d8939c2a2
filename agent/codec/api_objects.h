/* The objects that clients read: workloads, children, names, supervisors, members, as design
 * section 10 shapes them.
 *
 * An api_item is one object of any resource, borrowed from the node until its next step. */
#ifndef AGENT_CODEC_API_OBJECTS_H
#define AGENT_CODEC_API_OBJECTS_H

#include "agent/codec/api_continue.h"
#include "agent/codec/api_selector.h"
#include "agent/codec/api_writer.h"
#include "agent/codec/metrics.h"
#include "agent/core/query.h"

/* On children and names, beside the workload's own labels. */
#define API_WORKLOAD_LABEL "hordelet.dev/workload"
#define API_RUN_TAG_MASK 0xffffffu

struct api_hub;

/* What the API needs to know of the world for one request. */
struct api_context {
    const struct node *node;
    const char *member; /* the name of this agent */
    uint32_t run_tag;   /* 24 random bits, fresh in every run */
    uint64_t wall_ms, mono_ms;
    struct api_hub *hub;         /* NULL: none */
    uint64_t request_id;         /* fresh, not 0: the id of the write, if this becomes one */
    uint8_t random[16];          /* fresh: the uid of what is created */
    const struct policy *policy; /* of this agent; NULL: everything is allowed */
    void (*read_vitals)(void *vitals_context, struct vitals *ret_vitals); /* NULL: nobody knows */
    void *vitals_context;
};

struct api_item {
    enum api_resource resource;
    enum api_resource shown; /* the same, or Kubernetes' kind for it */
    struct api_key key;
    char name[API_OBJECT_NAME_BYTES_MAX + 1]; /* metadata.name */
    uint64_t version; /* of what is shown: the last change of anything in it */
    uint64_t stored;  /* of what a write replaces: preconditions are held against it */
    union {
        struct workload_view workload;
        struct child_view child;
        struct name_view registered;
        struct meta_view meta;
        struct supervisor_view supervisor;
        struct member_view member;
    };
    /* Of a child or name: the document of its workload, and the labels in it. In a list most have
     * the document of the one before. */
    const char *labels_document;
    struct span labels;
};

bool api_item_get(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                  const char *ns, const char *name);
/* The first after *key in a namespace (empty: all); false at the end. */
bool api_item_next(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                   const char *ns, const struct api_key *key);
bool api_item_find(struct api_item *ret_item, const struct node *node, enum api_resource resource,
                   const struct api_key *key);
void api_item_labels(const struct api_item *item, struct api_labels *ret_labels);
void api_item_fields(const struct api_item *item, struct api_fields *ret_fields);
/* "" if it has none yet. */
void api_item_uid(const struct api_item *item, char ret_uid[UID_BYTES + 1]);
/* The same from its parts: the stored uid of a document or of a child's workload, and a number that
 * tells one life from the next: a child's epoch, a member's replica id. */
void api_uid_print(enum api_resource resource, const struct api_key *key, const char *uid,
                   uint64_t number, char ret_uid[UID_BYTES + 1]);
/* Appends `metadata` and its value. */
void api_item_metadata_write(const struct api_item *item, const struct api_context *context,
                             struct api_writer *writer);
/* Appends the object. key NULL: at the top or in an array. */
void api_item_write(const struct api_item *item, const struct api_context *context,
                    struct api_writer *writer, const char *key);
/* The same object with another document in place of the stored one: dryRun. version 0: no
 * resourceVersion. */
void api_document_write(const char *document, uint64_t version, uint32_t run_tag,
                        struct api_writer *writer,
                        const struct api_item *status_of /* NULL: no status */,
                        const struct node *node);
void api_scale_write(const struct api_item *item, uint32_t replicas,
                     const struct api_context *context, struct api_writer *writer);

/* resourceVersion: (feed position << 24) | tag of the run. */
enum { API_RESOURCE_VERSION_BYTES = 24 };
void api_resource_version_print(uint64_t position, uint32_t run_tag,
                                char ret_text[API_RESOURCE_VERSION_BYTES]);
/* False: not a number, or not of this run. */
bool api_resource_version_parse(uint64_t *ret_position, uint32_t run_tag, const char *text);

#endif
