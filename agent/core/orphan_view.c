/* What is told of an orphan, read: apart from orphans.c, because who reads it need not be a node.
 */
#include <string.h>

#include "agent/core/request.h"

bool orphan_view_decode(struct reader *reader, struct orphan_view *ret_view)
{
    struct orphan_view *view = ret_view;
    *view = (struct orphan_view){.epoch = 0};
    if (reader_left(reader) == 0)
        return false;
    text_set_span(view->id, sizeof view->id, reader_span(reader, CONTAINER_ID_BYTES_MAX));
    text_set_span(view->child.ns, sizeof view->child.ns, reader_span(reader, NAME_BYTES_MAX));
    text_set_span(view->child.workload, sizeof view->child.workload,
                  reader_span(reader, NAME_BYTES_MAX));
    view->child.ordinal = (uint32_t)reader_count(reader, UINT32_MAX);
    text_set_span(view->uid, sizeof view->uid, reader_span(reader, UID_BYTES));
    view->epoch = reader_varint(reader);
    view->running = reader_u8(reader);
    view->condemned = reader_u8(reader);
    text_set_span(view->message, sizeof view->message, reader_span(reader, MESSAGE_BYTES_MAX));
    return !reader->failed;
}
