/* Opening a data directory: what survived, in order, and where the log goes on. Synchronous; before
 * the loop runs. */
#ifndef AGENT_IO_DISK_LOAD_H
#define AGENT_IO_DISK_LOAD_H

#include "agent/core/error.h"
#include "crdt/bytes.h"

/* Each record that survived, oldest first. False: not understood (reported, and then skipped). */
typedef bool (*disk_restore_function)(void *context, struct span record);
/* One line for a person: what was found damaged, and what was done about it. */
typedef void (*disk_report_function)(void *context, const char *line);

struct disk_callbacks {
    disk_restore_function restore;
    disk_report_function report;
    void *context;
};

struct disk_loaded {
    uint64_t sequence;         /* of the last record that survived; 0: none */
    uint64_t segment;          /* the log goes on in this one */
    uint64_t offset;           /* at this byte; 0: it is to be made */
    uint64_t snapshot_segment; /* where the log goes on after `snapshot`; 0: there is none */
    size_t records;
};

/* Makes the directory if need be (0700) and takes its lock. *ret_directory and *ret_lock are
 * descriptors for the caller to close, the lock last. */
int disk_lock(const char *path, int *ret_directory, int *ret_lock, struct error *err);

/* Fails when the directory cannot be read, or when a file was written by a newer version, which is
 * left untouched. Damage is not a failure: it is reported and repaired. */
int disk_load(int directory, const struct disk_callbacks *callbacks, struct disk_loaded *ret_loaded,
              struct error *err);

/* Deletes the segments below this one. Returns how many. */
size_t disk_delete_segments_below(int directory, uint64_t segment);
void disk_segment_name(uint64_t segment, char *ret_name, size_t bytes);

enum { DISK_NAME_BYTES_MAX = 40 };
#define DISK_SNAPSHOT "snapshot"
#define DISK_SNAPSHOT_PREVIOUS "snapshot.previous"
#define DISK_SNAPSHOT_TEMPORARY "snapshot.tmp"

#endif
