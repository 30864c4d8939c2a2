/* The two clocks. Only the shell reads them; the core is told. */
#ifndef AGENT_IO_CLOCK_H
#define AGENT_IO_CLOCK_H

#include "agent/core/event.h"

/* CLOCK_BOOTTIME and CLOCK_REALTIME: a suspended machine's sleep counts as time gone by. */
struct instant clock_now(void);
uint64_t clock_mono_ms(void);

#endif
