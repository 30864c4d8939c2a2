/* Writing the files of the data directory.
 *
 * The log is written ahead of its need for space: DISK_ROOM_BYTES beyond the tail are allocated, so
 * that on a disk that others have filled renewals and stops can still be recorded for a while, and
 * so that a sync need not wait for the file's size to be written as well.
 *
 * A batch that failed is written again as a whole, at the same place. That matters: after a failed
 * fdatasync the kernel takes the pages for clean, and only writing them anew makes a later
 * fdatasync mean something. */
#include "agent/io/disk_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/io/cleanup.h"

enum { ROOM_STEP_BYTES_MIN = 64 * 1024 };

void disk_writer_init(struct disk_writer *writer, int directory, const struct disk_loaded *loaded)
{
    *writer = (struct disk_writer){.directory = directory, .file = -1, .segment = loaded->segment};
    if (loaded->offset == 0)
        return; /* the first append makes it */
    char name[DISK_NAME_BYTES_MAX];
    disk_segment_name(loaded->segment, name, sizeof name);
    writer->file = openat(directory, name, O_WRONLY | O_CLOEXEC);
    writer->offset = writer->allocated = loaded->offset;
}

static void disk_writer_close(struct disk_writer *writer)
{
    if (writer->file < 0)
        return;
    (void)!ftruncate(writer->file,
                     (off_t)writer->offset); /* gives the room back; not needed for reading */
    close(writer->file);
    writer->file = -1;
}

void disk_writer_release(struct disk_writer *writer)
{
    disk_writer_close(writer);
}

static int disk_write_at(int file, struct span bytes, uint64_t offset)
{
    while (bytes.bytes > 0) {
        ssize_t written = pwrite(file, bytes.data, bytes.bytes, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes.data += written;
        bytes.bytes -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

static int disk_sync_directory(int directory)
{
    return fsync(directory) ? errno : 0;
}

/* A new segment exists for a reader only once its header is durable; until then it is made again
 * from nothing. */
static int disk_segment_create(const struct disk_writer *writer, uint64_t segment, int *ret_file)
{
    char name[DISK_NAME_BYTES_MAX];
    disk_segment_name(segment, name, sizeof name);
    cleanup_close int file =
        openat(writer->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    struct buffer header = {0};
    disk_format_segment(&header, segment);
    int error = disk_write_at(file, buffer_view(&header), 0);
    buffer_release(&header);
    if (!error && fdatasync(file))
        error = errno;
    if (!error)
        error = disk_sync_directory(writer->directory);
    if (!error)
        *ret_file = take_descriptor(&file);
    return error;
}

static int disk_writer_begin(struct disk_writer *writer, uint64_t segment)
{
    int file = -1;
    int error = disk_segment_create(writer, segment, &file);
    if (error == ENOSPC && writer->file >= 0) {
        disk_writer_close(writer); /* its room is what there is */
        error = disk_segment_create(writer, segment, &file);
    }
    if (error)
        return error;
    /* The new room is taken before the old is given back: nobody gets in between. */
    uint64_t allocated = DISK_SEGMENT_HEADER_BYTES;
    if (!writer->no_promises &&
        fallocate(file, 0, DISK_SEGMENT_HEADER_BYTES, (off_t)DISK_ROOM_BYTES) == 0)
        allocated += DISK_ROOM_BYTES;
    disk_writer_close(writer);
    writer->file = file;
    writer->segment = segment;
    writer->offset = DISK_SEGMENT_HEADER_BYTES;
    writer->allocated = allocated;
    return 0;
}

int disk_writer_append(struct disk_writer *writer, uint64_t segment, struct span batch)
{
    int error = 0;
    if (writer->file < 0 || writer->segment != segment)
        error = disk_writer_begin(writer, segment);
    if (!error)
        error = disk_write_at(writer->file, batch, writer->offset);
    if (!error && fdatasync(writer->file))
        error = errno;
    if (error)
        return error;
    writer->offset += batch.bytes;
    if (writer->allocated < writer->offset)
        writer->allocated = writer->offset;
    return 0;
}

static uint64_t disk_free_bytes(int directory)
{
    struct statvfs status;
    if (fstatvfs(directory, &status))
        return 0;
    return (uint64_t)status.f_bavail * status.f_frsize;
}

/* Allocates half as much again as is needed, so that not every batch has to. */
static void disk_writer_allocate(struct disk_writer *writer)
{
    uint64_t wanted = writer->offset + DISK_ROOM_BYTES + DISK_ROOM_BYTES / 2;
    uint64_t step = wanted - writer->allocated;
    while (writer->allocated < wanted && step >= ROOM_STEP_BYTES_MIN) {
        if (fallocate(writer->file, 0, (off_t)writer->allocated, (off_t)step) == 0) {
            writer->allocated += step;
            step = wanted - writer->allocated;
        } else if (errno == EOPNOTSUPP || errno == ENOSYS) {
            writer->no_promises = true;
            return;
        } else if (errno != EINTR) {
            step /= 2;
        }
    }
}

int disk_writer_make_room(struct disk_writer *writer, uint64_t *ret_room)
{
    *ret_room = 0;
    int error = writer->file < 0 ? disk_writer_begin(writer, writer->segment) : 0;
    if (error)
        return error;
    if (!writer->no_promises && writer->allocated - writer->offset < DISK_ROOM_BYTES)
        disk_writer_allocate(writer);
    /* Of a file system that cannot promise no more can be said than what is free now. */
    uint64_t room = writer->no_promises ? disk_free_bytes(writer->directory)
                                        : writer->allocated - writer->offset;
    *ret_room = room < DISK_ROOM_BYTES ? room : DISK_ROOM_BYTES;
    return 0;
}

/* A snapshot saves space only in the end. It must not take on its way what the log needs. */
static int disk_write_aside(int directory, struct span bytes)
{
    if (disk_free_bytes(directory) < bytes.bytes + DISK_ROOM_BYTES)
        return ENOSPC;
    cleanup_close int file =
        openat(directory, DISK_SNAPSHOT_TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    int error = disk_write_at(file, bytes, 0);
    if (!error && fsync(file))
        error = errno;
    if (error)
        unlinkat(directory, DISK_SNAPSHOT_TEMPORARY, 0); /* do not keep a full disk full */
    return error;
}

int disk_write_snapshot(int directory, struct span file)
{
    int error = disk_write_aside(directory, file);
    if (error)
        return error;
    if (renameat(directory, DISK_SNAPSHOT, directory, DISK_SNAPSHOT_PREVIOUS) && errno != ENOENT)
        return errno;
    if (renameat(directory, DISK_SNAPSHOT_TEMPORARY, directory, DISK_SNAPSHOT))
        return errno;
    return disk_sync_directory(directory);
}
