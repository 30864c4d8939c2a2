/* Opening a data directory.
 *
 * What is loaded is always a prefix of what was written: a snapshot and the log after it, without a
 * gap, up to the first byte that is damaged. Records behind a gap would let the map believe that it
 * had seen what it lacks, so they are never replayed, but kept aside for a person to look at.
 *
 * Damage                          what is done (and reported)
 * - the log's tail, torn or corrupt   what is before it survives; what is behind it goes to
 * log.N.damaged, later segments to log.M.damaged; the log goes on at the last good record
 * - `snapshot`                      goes to snapshot.damaged.K; `snapshot.previous` and the log
 * after that, which are kept until the next snapshot for this, say the same
 * - both snapshots                  the log's beginning is missing, too: all is put aside and the
 * node starts as if its data directory were empty, that is with a fresh replica id and its peers'
 * map
 * - `snapshot.tmp`                  a crash while a snapshot was written: deleted, the log has it
 * all
 * - segments before the snapshot    not damage: they belong to `snapshot.previous` and go with the
 * next snapshot
 *
 * Each of these repairs can itself be cut short by a crash and is then begun anew. */
#include "agent/io/disk_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/io/cleanup.h"
#include "agent/io/disk_format.h"

struct disk_load {
    int directory;
    const struct disk_callbacks *callbacks;
    struct disk_loaded *loaded;
    struct error *err;
    size_t unknown; /* records that nobody understood */
};

__attribute__((format(printf, 2, 3))) static void disk_report(const struct disk_load *load,
                                                              const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    load->callbacks->report(load->callbacks->context, line);
}

void disk_segment_name(uint64_t segment, char *ret_name, size_t bytes)
{
    snprintf(ret_name, bytes, "log.%" PRIu64, segment);
}

/* "log.N": N, or 0 for any other name. */
static uint64_t disk_segment_of(const char *name)
{
    if (strncmp(name, "log.", 4) != 0 || name[4] < '1' || name[4] > '9')
        return 0;
    char *end;
    errno = 0;
    uint64_t segment = strtoull(name + 4, &end, 10);
    return *end == '\0' && errno == 0 ? segment : 0;
}

/* ---- the lock ---- */

static int disk_make_directory(const char *path, struct error *err)
{
    char part[4096];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return error_set(err, ERROR_IO, "--data-dir %.64s...: the path is too long", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) && errno != EEXIST)
            return error_set(err, ERROR_IO, "--data-dir %s: cannot make %s: %s", path, part,
                             strerror(errno));
        *slash = '/';
    }
    if (mkdir(part, 0700) && errno != EEXIST)
        return error_set(err, ERROR_IO,
                         "--data-dir %s: cannot make it: %s; give a directory that this user may "
                         "write to",
                         path, strerror(errno));
    return 0;
}

static int disk_lock_refused(const char *path, int lock, struct error *err)
{
    char pid[32] = "";
    if (errno != EWOULDBLOCK)
        return error_set(err, ERROR_IO, "--data-dir %s: cannot lock it: %s", path, strerror(errno));
    ssize_t bytes = pread(lock, pid, sizeof pid - 1, 0);
    pid[bytes > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return error_set(err, ERROR_IO,
                     "--data-dir %s is in use by another agent (pid %s): stop that one first, or "
                     "give this one a --data-dir of its own",
                     path, *pid ? pid : "unknown");
}

int disk_lock(const char *path, int *ret_directory, int *ret_lock, struct error *err)
{
    if (disk_make_directory(path, err))
        return -1;
    cleanup_close int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return error_set(err, ERROR_IO, "--data-dir %s: %s", path, strerror(errno));
    cleanup_close int lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return error_set(err, ERROR_IO,
                         "--data-dir %s: cannot write there: %s; give a directory that this user "
                         "may write to",
                         path, strerror(errno));
    if (flock(lock, LOCK_EX | LOCK_NB))
        return disk_lock_refused(path, lock, err);
    /* For a person only; what locks is the flock, which ends with the process. */
    if (ftruncate(lock, 0) == 0)
        (void)!dprintf(lock, "%ld\n", (long)getpid());
    *ret_directory = take_descriptor(&directory);
    *ret_lock = take_descriptor(&lock);
    return 0;
}

/* ---- files ---- */

/* 0: read (and *ret_exists says whether it is there at all). */
static int disk_read_file(const struct disk_load *load, const char *name, struct buffer *ret_file,
                          bool *ret_exists)
{
    *ret_exists = false;
    cleanup_close int file = openat(load->directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return 0;
    struct stat status;
    if (file < 0 || fstat(file, &status))
        return error_set(load->err, ERROR_IO, "cannot read %s: %s", name, strerror(errno));
    buffer_clear(ret_file);
    buffer_reserve(ret_file, (size_t)status.st_size);
    while (ret_file->bytes < (size_t)status.st_size) {
        ssize_t bytes =
            read(file, ret_file->data + ret_file->bytes, (size_t)status.st_size - ret_file->bytes);
        if (bytes < 0 && errno != EINTR)
            return error_set(load->err, ERROR_IO, "cannot read %s: %s", name, strerror(errno));
        if (bytes == 0)
            break;
        ret_file->bytes += bytes > 0 ? (size_t)bytes : 0;
    }
    *ret_exists = true;
    return 0;
}

/* Under the first free name of NAME.damaged, NAME.damaged.1, ... */
static void disk_put_aside(const struct disk_load *load, const char *name, const char *why)
{
    char aside[2 * DISK_NAME_BYTES_MAX];
    snprintf(aside, sizeof aside, "%s.damaged", name);
    for (int i = 1; faccessat(load->directory, aside, F_OK, 0) == 0; i++)
        snprintf(aside, sizeof aside, "%s.damaged.%d", name, i);
    if (renameat(load->directory, name, load->directory, aside))
        disk_report(load, "data directory: %s: %s; putting it aside failed: %s", name, why,
                    strerror(errno));
    else
        disk_report(load, "data directory: %s: %s; kept as %s", name, why, aside);
}

static int uint64_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The numbers of all segments, sorted. The caller frees *ret_segments. */
static int disk_list_segments(int directory, uint64_t **ret_segments, size_t *ret_count)
{
    *ret_segments = NULL;
    *ret_count = 0;
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *entries = again >= 0 ? fdopendir(again) : NULL;
    if (!entries)
        return -1;
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        uint64_t segment = disk_segment_of(entry->d_name);
        if (segment == 0)
            continue;
        *ret_segments = xrealloc(*ret_segments, (count + 1) * sizeof **ret_segments);
        (*ret_segments)[count++] = segment;
    }
    if (count)
        qsort(*ret_segments, count, sizeof **ret_segments, uint64_compare);
    *ret_count = count;
    return 0;
}

size_t disk_delete_segments_below(int directory, uint64_t segment)
{
    cleanup_free uint64_t *segments = NULL;
    size_t count, deleted = 0;
    if (disk_list_segments(directory, &segments, &count))
        return 0;
    for (size_t i = 0; i < count && segments[i] < segment; i++) {
        char name[DISK_NAME_BYTES_MAX];
        disk_segment_name(segments[i], name, sizeof name);
        deleted += unlinkat(directory, name, 0) == 0;
    }
    return deleted;
}

/* ---- records ---- */

static void disk_load_record(struct disk_load *load, struct span record)
{
    load->loaded->records++;
    load->unknown += !load->callbacks->restore(load->callbacks->context, record);
}

static void disk_load_snapshot_records(struct disk_load *load, struct span records)
{
    struct reader reader = reader_of(records);
    while (reader_left(&reader) > 0 && !reader.failed) {
        struct span record = reader_span(&reader, records.bytes);
        if (!reader.failed)
            disk_load_record(load, record);
    }
    /* The checksum fits, so it was written like this. */
    if (reader.failed)
        disk_report(load, "data directory: the snapshot ends within a record (a bug of hordelet)");
}

/* 1: loaded, 0: there is none, or it is damaged and was put aside, -1: must not be touched. */
static int disk_load_snapshot(struct disk_load *load, const char *name)
{
    struct buffer file = {0};
    bool exists;
    int result = disk_read_file(load, name, &file, &exists);
    if (result == 0 && exists) {
        struct disk_snapshot_header header;
        struct span records;
        struct error error = {0};
        result = disk_read_snapshot(buffer_view(&file), &header, &records, &error);
        if (result == 0) {
            load->loaded->sequence = header.sequence;
            load->loaded->snapshot_segment = header.first_segment;
            disk_load_snapshot_records(load, records);
            result = 1;
        } else if (error.code == ERROR_MALFORMED) {
            disk_put_aside(load, name, error.text);
            result = 0;
        } else {
            error_set(load->err, error.code, "%s: %s", name, error.text);
        }
    }
    buffer_release(&file);
    return result;
}

/* Keeps a copy of what is behind the last good record, as far as it is anything but zeros, and cuts
 * it off. */
static void disk_cut(const struct disk_load *load, const char *name, struct span file,
                     size_t offset, const char *why)
{
    size_t end = file.bytes;
    while (end > offset && file.data[end - 1] == 0)
        end--;
    char aside[2 * DISK_NAME_BYTES_MAX];
    snprintf(aside, sizeof aside, "%s.damaged", name);
    disk_report(load,
                "data directory: %s: %s at byte %zu; the log ends there, the %zu bytes behind are "
                "kept in %s",
                name, why, offset, end - offset, aside);
    cleanup_close int copy =
        openat(load->directory, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (copy >= 0)
        (void)!write(copy, file.data + offset, end - offset); /* a help for a person, no more */
    cleanup_close int log = openat(load->directory, name, O_WRONLY | O_CLOEXEC);
    if (log < 0 || ftruncate(log, (off_t)offset) || fdatasync(log))
        disk_report(load, "data directory: %s: cutting it off failed: %s", name, strerror(errno));
}

/* True: good to its end, so that the next segment may follow. *ret_end is where its records end. */
static bool disk_load_segment(struct disk_load *load, const char *name, struct span file,
                              uint64_t segment, size_t *ret_end)
{
    size_t offset = DISK_SEGMENT_HEADER_BYTES;
    for (;;) {
        uint64_t sequence;
        struct span record;
        const char *why;
        size_t before = offset;
        enum disk_read read = disk_read_record(file, segment, &offset, &sequence, &record, &why);
        if (read == DISK_READ_RECORD && sequence != load->loaded->sequence + 1) {
            read = DISK_READ_DAMAGED;
            why = "records before this one are missing";
        }
        *ret_end = before;
        if (read == DISK_READ_DAMAGED)
            disk_cut(load, name, file, before, why);
        if (read != DISK_READ_RECORD)
            return read == DISK_READ_END;
        load->loaded->sequence = sequence;
        disk_load_record(load, record);
    }
}

/* Returns 1 if the next segment may follow, 0 if the log ends with this one, -1 if it must not be
 * touched. */
static int disk_load_log(struct disk_load *load, uint64_t segment)
{
    char name[DISK_NAME_BYTES_MAX];
    disk_segment_name(segment, name, sizeof name);
    struct buffer file = {0};
    bool exists;
    struct error error = {0};
    int result = disk_read_file(load, name, &file, &exists);
    if (result == 0 && disk_read_segment(buffer_view(&file), segment, &error)) {
        result = -1;
        if (error.code == ERROR_MALFORMED) {
            /* Also an empty file: a crash right after its creation. */
            if (file.bytes > 0)
                disk_put_aside(load, name, error.text);
            load->loaded->segment = segment;
            load->loaded->offset = 0;
            result = 0;
        } else {
            error_set(load->err, error.code, "%s: %s", name, error.text);
        }
    } else if (result == 0) {
        size_t end;
        result = disk_load_segment(load, name, buffer_view(&file), segment, &end);
        load->loaded->segment = segment;
        load->loaded->offset = end;
    }
    buffer_release(&file);
    return result;
}

static int disk_load_segments(struct disk_load *load, const uint64_t *segments, size_t count)
{
    uint64_t expected = load->loaded->snapshot_segment ? load->loaded->snapshot_segment : 1;
    bool follows = true;
    load->loaded->segment = expected;
    for (size_t i = 0; i < count; i++) {
        char name[DISK_NAME_BYTES_MAX];
        disk_segment_name(segments[i], name, sizeof name);
        if (segments[i] < load->loaded->snapshot_segment)
            continue; /* kept for `snapshot.previous` */
        if (!follows || segments[i] != expected) {
            follows = false;
            disk_put_aside(load, name, "the log before it is missing");
            continue;
        }
        int result = disk_load_log(load, segments[i]);
        if (result < 0)
            return -1;
        follows = result > 0;
        expected++;
    }
    return 0;
}

int disk_load(int directory, const struct disk_callbacks *callbacks, struct disk_loaded *ret_loaded,
              struct error *err)
{
    *ret_loaded = (struct disk_loaded){0};
    struct disk_load load = {directory, callbacks, ret_loaded, err, 0};
    cleanup_free uint64_t *segments = NULL;
    size_t count;
    if (disk_list_segments(directory, &segments, &count))
        return error_set(err, ERROR_IO, "cannot list the data directory: %s", strerror(errno));
    unlinkat(directory, DISK_SNAPSHOT_TEMPORARY, 0);
    int result = disk_load_snapshot(&load, DISK_SNAPSHOT);
    if (result == 0)
        result = disk_load_snapshot(&load, DISK_SNAPSHOT_PREVIOUS);
    if (result < 0 || disk_load_segments(&load, segments, count))
        return -1;
    if (load.unknown)
        disk_report(&load,
                    "data directory: %zu of %zu records are of no known kind and were skipped",
                    load.unknown, ret_loaded->records);
    return 0;
}
