/* Writing the files of the data directory. Blocking: called by one worker thread at a time, which
 * owns the writer then. Functions return 0 or an errno. */
#ifndef AGENT_IO_DISK_WRITER_H
#define AGENT_IO_DISK_WRITER_H

#include "agent/io/disk_format.h"
#include "agent/io/disk_load.h"

#define DISK_ROOM_BYTES (8 * 1024 * 1024ull) /* kept allocated beyond the log's tail */

struct disk_writer {
    int directory;      /* borrowed */
    int file;           /* the open segment, or -1 */
    uint64_t segment;   /* its number */
    uint64_t offset;    /* where the next batch goes */
    uint64_t allocated; /* bytes of the file that the file system has promised us */
    bool no_promises;   /* this file system cannot allocate in advance */
};

void disk_writer_init(struct disk_writer *writer, int directory, const struct disk_loaded *loaded);
void disk_writer_release(struct disk_writer *writer);

/* Appends whole records and makes them durable. A segment other than the open one is begun. On
 * failure nothing has happened as far as a reader of the log can tell; the same batch may be tried
 * again. */
int disk_writer_append(struct disk_writer *writer, uint64_t segment, struct span batch);
/* Allocates ahead what is missing to DISK_ROOM_BYTES, or as much as there is. *ret_room is 0 to
 * DISK_ROOM_BYTES. Fails only if there is no segment and none can be made. */
int disk_writer_make_room(struct disk_writer *writer, uint64_t *ret_room);

/* Makes this the snapshot, durably; the one before becomes `snapshot.previous`. */
int disk_write_snapshot(int directory, struct span file);

#endif
