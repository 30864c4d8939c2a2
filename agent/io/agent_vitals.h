/* The program's part of /metrics: what the drivers have counted, and what the kernel says of this
 * process. */
#ifndef AGENT_IO_AGENT_VITALS_H
#define AGENT_IO_AGENT_VITALS_H

#include "agent/codec/metrics.h"
#include "agent/io/discovery.h"
#include "agent/io/disk.h"
#include "agent/io/loop.h"
#include "agent/io/peers.h"

/* Fills in all but discovery, the API's part and the start time. What cannot be read stays 0. */
void agent_vitals(struct vitals *ret_vitals, const struct loop *loop, const struct disk *disk,
                  const struct peers *peers);
void agent_vitals_discovery(struct vitals *vitals, const struct discovery *discovery);

#endif
