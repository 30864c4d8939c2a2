/* hordelet-guard as bytes within this program: one binary is all that is installed. */
#ifndef AGENT_IO_GUARD_PROGRAM_H
#define AGENT_IO_GUARD_PROGRAM_H

#include "crdt/bytes.h"

struct span guard_program(void);

#endif
