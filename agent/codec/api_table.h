/* Kubernetes' Tables: what `kubectl get` shows, with the columns that we choose.
 *
 *   Accept: application/json;as=Table;v=v1;g=meta.k8s.io      ?includeObject=Metadata|Object|None
 *
 * One table of columns per resource; a cell is written from the view, so that a list of 10,000
 * costs what their text does. */
#ifndef AGENT_CODEC_API_TABLE_H
#define AGENT_CODEC_API_TABLE_H

#include "agent/codec/api_objects.h"

#define API_META_GROUP_VERSION "meta.k8s.io/v1"

enum api_include { API_INCLUDE_METADATA, API_INCLUDE_OBJECT, API_INCLUDE_NONE };

/* In which form objects are asked for. Zeroed memory: as they are. */
struct api_shape {
    bool table;
    enum api_include include; /* of a table's rows */
};

/* Begins "{ kind, apiVersion, columnDefinitions, rows: [". Rows follow, then api_table_end; what
 * else belongs to it may be written before its last bracket. resource: API_SHOWN_COUNT for events.
 */
void api_table_begin(struct api_writer *writer, unsigned resource);
void api_table_end_rows(struct api_writer *writer);
void api_table_row(const struct api_item *item, const struct api_context *context,
                   enum api_include include, struct api_writer *writer);
/* The row of something of which only the name is known: its cells are empty. Ends inside of
 * "object: { kind, apiVersion, metadata: {". */
void api_table_row_begin_gone(struct api_writer *writer, unsigned resource, const char *name);

/* In its shape: the object, or a Table of one row. */
void api_shape_write(struct api_shape shape, const struct api_item *item,
                     const struct api_context *context, struct api_writer *writer);
/* Tells renderings of one object apart: api_hub.h. */
unsigned api_shape_form(struct api_shape shape, enum api_resource shown);

#endif
