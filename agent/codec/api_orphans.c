/* members/NAME/orphans: containers on a member's engine that are ours by their labels, and of
 * nobody that is known. GET lists them, DELETE begins their end and lists what there was
 * (agent/core/orphans.c). */
#include <string.h>

#include "agent/codec/api_call_private.h"

int api_orphans(struct api_call *call, const struct api_context *context)
{
    struct api_item item;
    if (!api_item_get(&item, context->node, API_MEMBERS, "", call->route.name))
        return api_failure_not_found(&call->failure, API_MEMBERS, call->route.name);
    bool dry_run = false;
    if (call->route.verb == API_DELETE && api_call_dry_run(call, &dry_run) < 0)
        return -1;
    call->submit.kind = REQUEST_ORPHANS;
    call->submit.flag = call->route.verb == API_DELETE && !dry_run;
    TEXT_SET(call->submit.name, call->route.name);
    return API_SUBMIT;
}

static void orphan_write(const struct orphan_view *orphan, struct api_writer *writer)
{
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "containerID", orphan->id);
    api_writer_text(writer, "namespace", orphan->child.ns);
    api_writer_text(writer, "workload", orphan->child.workload);
    api_writer_unsigned(writer, "ordinal", orphan->child.ordinal);
    api_writer_text(writer, "uid", orphan->uid);
    api_writer_unsigned(writer, "epoch", orphan->epoch);
    api_writer_bool(writer, "running", orphan->running);
    api_writer_bool(writer, "ending", orphan->condemned);
    api_writer_text_unless_empty(writer, "message", orphan->message);
    api_writer_close(writer, '}');
}

void api_orphans_answer(struct api_call *call, const struct reply *reply)
{
    struct reader reader = reader_of(reply->found);
    struct api_writer writer = api_call_answer(call, 200);
    struct orphan_view orphan;
    uint64_t count = reader_varint(&reader), told = 0;
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "apiVersion", API_GROUP_VERSION);
    api_writer_text(&writer, "kind", "OrphanList");
    api_writer_open(&writer, "items", '[');
    for (; orphan_view_decode(&reader, &orphan); told++)
        orphan_write(&orphan, &writer);
    api_writer_close(&writer, ']');
    api_writer_open(&writer, "metadata", '{');
    if (count > told)
        api_writer_unsigned(&writer, "remainingItemCount", count - told);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
}
