/* The data directory: what the node must not forget (design section 13).
 *
 * EFFECT_LOG appends a record; EVENT_LOG_SYNCED says how far the log is durable. EFFECT_SNAPSHOT
 * replaces what was logged so far. EVENT_DISK_STATE tells the node at the start, when the log
 * cannot be written, and when its room changes. */
#ifndef AGENT_IO_DISK_H
#define AGENT_IO_DISK_H

#include "agent/io/disk_load.h"
#include "agent/io/loop.h"

struct disk;

/* Locks and loads the directory; every record that survived goes to callbacks->restore, oldest
 * first. Damage is reported and repaired; failure means that the agent must not run on this
 * directory. */
int disk_open(struct disk **ret_disk, const char *path, const struct disk_callbacks *callbacks,
              struct error *err);
/* Becomes the sink of EFFECT_LOG and EFFECT_SNAPSHOT. Borrows the loop. The first EVENT_DISK_STATE
 * comes from the loop. */
void disk_start(struct disk *disk, struct loop *loop);

/* All that was logged is durable, or the disk fails. A snapshot may still be on its way: it is not
 * needed. */
bool disk_is_idle(const struct disk *disk);
/* Closes the handles; a job that runs goes on, and loop_settle waits for it. */
void disk_stop(struct disk *disk);
void disk_free(struct disk *disk); /* after loop_settle has returned true, or without disk_start */

/* For /metrics. */
struct disk_statistics {
    uint64_t records, bytes, batches, snapshots, failures;
    uint64_t room_bytes, pending_bytes;
    bool failed;
};
struct disk_statistics disk_statistics(const struct disk *disk);

enum { DISK_RETRY_MS = 1000, DISK_PENDING_BYTES_MAX = 64 * 1024 * 1024 };

#endif
