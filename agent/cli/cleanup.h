/* Scope macros for the command line client, which must not include those of agent/io. */
#ifndef AGENT_CLI_CLEANUP_H
#define AGENT_CLI_CLEANUP_H

#include <stdlib.h>

#include "crdt/bytes.h"

static inline void cli_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

#define cleanup_free __attribute__((cleanup(cli_cleanup_free)))
#define cleanup_buffer __attribute__((cleanup(buffer_release)))

#endif
