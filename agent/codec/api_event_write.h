/* An event that a member has noted, as Kubernetes' v1 Event or as the row of a Table. */
#ifndef AGENT_CODEC_API_EVENT_WRITE_H
#define AGENT_CODEC_API_EVENT_WRITE_H

#include "agent/codec/api_table.h"
#include "agent/core/journal.h"

struct found_event {
    struct journal_entry entry;
    struct span member; /* who noted it */
};

const char *api_event_kind(const struct found_event *event); /* of what it is about */
struct span api_event_namespace(const struct found_event *event);
const char *api_event_type(const struct found_event *event);
/* The uid that what it is about has now; empty if it is gone. */
void api_event_uid(const struct found_event *event, const struct api_context *context,
                   char ret_uid[UID_BYTES + 1]);
/* version: of this agent's journal, also for what another one has noted. key NULL: in an array. */
void api_event_write(const struct found_event *event, uint64_t version,
                     const struct api_context *context, struct api_writer *writer, const char *key);
void api_event_row(const struct found_event *event, uint64_t version,
                   const struct api_context *context, enum api_include include,
                   struct api_writer *writer);

#endif
