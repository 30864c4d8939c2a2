/* The columns of `get`, of each resource: what kubectl is told of in Tables (api_table.c writes
 * their cells from views) and what `hordelet get` shows (agent/cli/columns.c, from JSON). The one
 * list of them; tests/unit/columns_test.c compares the cells. */
#ifndef AGENT_CODEC_API_COLUMNS_H
#define AGENT_CODEC_API_COLUMNS_H

#include "agent/codec/api_routes.h"

struct api_column {
    const char *name, *type; /* string, integer */
    unsigned priority;       /* 0: always; 1: with -o wide */
    const char *description;
};

enum { API_COLUMNS_MAX = 12 };

/* Ended by one without a name. resource: API_SHOWN_COUNT for events. */
const struct api_column *api_columns(unsigned resource);

#endif
