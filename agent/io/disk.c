/* The data directory's driver: batches on the loop's thread, writes and syncs on a worker's.
 *
 *     EFFECT_LOG -> batch being filled -> queue -> one job at a time: write, fdatasync ->
 * EVENT_LOG_SYNCED EFFECT_SNAPSHOT -> waits for the batches before it -> job: write aside, fsync,
 * rename, fsync the directory, delete the segments that only the snapshot before the last one needs
 *
 * While one batch is on its way the next one fills: one fdatasync serves all records that came in
 * the meantime. The first batch leaves at the end of the turn, not at the first record.
 *
 * A snapshot ends the segment: what comes after it goes into a new one, what came before it is in
 * older ones, which can then be deleted as a whole.
 *
 * When the disk fails, the batch is kept and tried again every DISK_RETRY_MS; more records queue up
 * behind it, up to DISK_PENDING_BYTES_MAX. Beyond that they are dropped. The state stays `failed`
 * then, and nothing that was logged since is called durable, until a later snapshot, which holds
 * everything, is. A dropped record has its sequence number all the same, so no start replays the
 * log across the gap.
 *
 * Invariants: one job of each kind at a time. What a job reads and writes is in its struct and the
 * writer, and belongs to the worker until the job's callback. Sequences on disk are the disk's own
 * (they go on over runs); the core's are only echoed. */
#include "agent/io/disk.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "agent/io/cleanup.h"
#include "agent/io/disk_writer.h"

/* Consecutive records of one segment. */
struct disk_batch {
    struct disk_batch *next;
    uint64_t segment;
    uint64_t core_sequence; /* of the last one */
    uint64_t dropped;       /* of the last one that was dropped before it: durable only with a later
                               snapshot */
    size_t records;
    struct buffer bytes;
};

struct disk_write_job {
    uv_work_t work;
    bool running;
    struct disk_writer writer;
    struct disk_batch *batch; /* stays here until it is durable; NULL: only make room */
    int error;                /* errno of the last attempt */
    uint64_t room_bytes;
};

struct disk_snapshot {
    struct disk_snapshot_header header;
    uint64_t core_sequence;
    struct buffer file;
};

struct disk_save_job {
    uv_work_t work;
    bool running;
    struct disk_snapshot *snapshot; /* stays here until it is durable, or a newer one waits */
    uint64_t delete_below;          /* segments */
    int error;
};

struct disk {
    int directory, lock;
    struct loop *loop; /* NULL before disk_start */
    struct disk_callbacks callbacks;
    struct disk_loaded loaded;
    uint64_t sequence;      /* of the last record, on disk or queued or dropped */
    uint64_t segment;       /* that new records go to */
    uint64_t core_sequence; /* of the last record in this run */
    /* the log */
    struct disk_write_job write;
    struct disk_batch *first, *last; /* behind the one in the job */
    size_t pending_bytes;            /* queued and in the job */
    uint64_t dropped;                /* core sequence of the last one that was dropped */
    int write_error;
    uint64_t room_bytes;
    struct {
        uint64_t core_sequence, dropped;
    } written; /* of the last batch that is on disk */
    /* snapshots */
    struct disk_save_job save;
    struct disk_snapshot *waiting;
    uint64_t snapshot_segment; /* where the log goes on after the last durable one; 0: none */
    uint64_t saved;            /* core sequence of the last durable one of this run */
    int save_error;
    /* trying again */
    uv_timer_t retry;
    bool retry_due;
    bool looked; /* the first job has found out how the disk is */
    bool stopped;
    /* what the node was told */
    bool told, told_failed;
    uint64_t told_room_bytes; /* less what the core has logged since */
    uint64_t told_synced;
    struct disk_statistics statistics;
};

static void disk_pump(void *context);

/* ---- what the node is told ---- */

static bool disk_has_gap(const struct disk *disk)
{
    return disk->dropped > disk->saved;
}

static bool disk_failed(const struct disk *disk)
{
    return disk->write_error != 0 || disk_has_gap(disk);
}

static void disk_say_why(const struct disk *disk, char *ret_text, size_t bytes)
{
    if (disk->write_error)
        snprintf(ret_text, bytes, "the log cannot be written: %s; %zu bytes wait",
                 strerror(disk->write_error), disk->pending_bytes);
    else if (disk_has_gap(disk))
        snprintf(ret_text, bytes,
                 "the log has a gap until the next snapshot: the disk was away for "
                 "longer than memory lasts");
    else
        snprintf(ret_text, bytes, "the disk is nearly full: room for %llu more bytes of log",
                 (unsigned long long)disk->room_bytes);
}

/* Room is capped at DISK_ROOM_BYTES, and what the core has logged since is taken off what it was
 * told, as the core does: so a healthy disk tells once in DISK_ROOM_BYTES / 8 of log. */
static bool disk_has_news(const struct disk *disk)
{
    if (!disk->told || disk_failed(disk) != disk->told_failed)
        return true;
    uint64_t room = disk->room_bytes, told = disk->told_room_bytes;
    uint64_t change = room > told ? room - told : told - room;
    return change >= DISK_ROOM_BYTES / 8 || (room == 0 && told > 0);
}

static void disk_tell(struct disk *disk)
{
    if (disk->stopped || !disk_has_news(disk))
        return;
    disk->told = true;
    disk->told_failed = disk_failed(disk);
    disk->told_room_bytes = disk->room_bytes;
    char why[160];
    disk_say_why(disk, why, sizeof why);
    struct event event = {.type = EVENT_DISK_STATE};
    event.disk.failed = disk->told_failed;
    event.disk.room_bytes = disk->room_bytes;
    event.disk.message = event.disk.failed || disk->room_bytes < DISK_ROOM_BYTES ? why : NULL;
    loop_submit(disk->loop, &event);
}

/* The batch written last counts once no record before it is missing; a snapshot makes up for those
 * before it. */
static void disk_tell_synced(struct disk *disk)
{
    uint64_t synced = disk->saved;
    if (disk->written.dropped <= disk->saved && disk->written.core_sequence > synced)
        synced = disk->written.core_sequence;
    if (disk->stopped || synced <= disk->told_synced)
        return;
    disk->told_synced = synced;
    struct event event = {.type = EVENT_LOG_SYNCED};
    event.log_synced.sequence = synced;
    loop_submit(disk->loop, &event);
}

static void disk_report(struct disk *disk, const char *what, int error)
{
    char line[256];
    snprintf(line, sizeof line, "data directory: %s: %s", what,
             error ? strerror(error) : "works again");
    disk->callbacks.report(disk->callbacks.context, line);
}

/* ---- the log ---- */

static void disk_batch_free(struct disk_batch *batch)
{
    if (!batch)
        return;
    buffer_release(&batch->bytes);
    free(batch);
}

static struct disk_batch *disk_batch_to_fill(struct disk *disk)
{
    struct disk_batch *last = disk->last;
    if (last && last->segment == disk->segment && last->dropped == disk->dropped)
        return last;
    struct disk_batch *batch = xcalloc(1, sizeof *batch);
    batch->segment = disk->segment;
    batch->dropped = disk->dropped;
    *(last ? &last->next : &disk->first) = batch;
    disk->last = batch;
    return batch;
}

static void disk_log(void *context, const struct effect *effect)
{
    struct disk *disk = context;
    struct span record = effect->log.record;
    assert(effect->log.sequence > disk->core_sequence && record.bytes <= DISK_RECORD_BYTES_MAX);
    disk->core_sequence = effect->log.sequence;
    disk->sequence++;
    disk->told_room_bytes -=
        record.bytes < disk->told_room_bytes ? record.bytes : disk->told_room_bytes;
    size_t bytes = DISK_RECORD_HEADER_BYTES + record.bytes;
    if (disk->pending_bytes + bytes > DISK_PENDING_BYTES_MAX) {
        disk->dropped = effect->log.sequence;
        return; /* disk_pump tells, at the end of the turn */
    }
    struct disk_batch *batch = disk_batch_to_fill(disk);
    disk_format_record(&batch->bytes, disk->segment, disk->sequence, record);
    batch->core_sequence = effect->log.sequence;
    batch->records++;
    disk->pending_bytes += bytes;
}

static void disk_write_work(uv_work_t *work)
{
    struct disk_write_job *job = &((struct disk *)work->data)->write;
    job->error = 0;
    if (job->batch)
        job->error =
            disk_writer_append(&job->writer, job->batch->segment, buffer_view(&job->batch->bytes));
    int error = disk_writer_make_room(&job->writer, &job->room_bytes);
    if (!job->error)
        job->error = error;
}

static void disk_written(struct disk *disk, struct disk_batch *batch)
{
    disk->pending_bytes -= batch->bytes.bytes;
    disk->written.core_sequence = batch->core_sequence;
    disk->written.dropped = batch->dropped;
    disk->statistics.batches++;
    disk->statistics.records += batch->records;
    disk->statistics.bytes += batch->bytes.bytes;
    disk_batch_free(batch);
}

static void disk_write_done(uv_work_t *work, int status)
{
    (void)status;
    struct disk *disk = work->data;
    struct disk_write_job *job = &disk->write;
    job->running = false;
    disk->looked = true;
    disk->room_bytes = job->room_bytes;
    disk->write_error = job->error;
    disk->statistics.failures += job->error != 0;
    if (!job->error && job->batch) {
        disk_written(disk, job->batch);
        job->batch = NULL;
        disk_tell_synced(disk);
    }
    disk_pump(disk);
}

static void disk_pump_write(struct disk *disk, bool retry)
{
    struct disk_write_job *job = &disk->write;
    if (job->running || (disk->write_error && !retry))
        return;
    if (!job->batch && disk->first) {
        job->batch = disk->first;
        disk->first = job->batch->next;
        if (!disk->first)
            disk->last = NULL;
    }
    if (!job->batch && !retry && disk->looked)
        return;
    job->running = true;
    uv_queue_work(loop_uv(disk->loop), &job->work, disk_write_work, disk_write_done);
}

/* ---- snapshots ---- */

static void disk_snapshot_free(struct disk_snapshot *snapshot)
{
    if (!snapshot)
        return;
    buffer_release(&snapshot->file);
    free(snapshot);
}

/* The segment ends with the last record before the snapshot, whether that is on disk yet or not. */
static void disk_snapshot(void *context, const struct effect *effect)
{
    struct disk *disk = context;
    assert(effect->snapshot.sequence >= disk->core_sequence);
    disk->segment++;
    struct disk_snapshot *snapshot = xcalloc(1, sizeof *snapshot);
    snapshot->core_sequence = disk->core_sequence;
    snapshot->header.sequence = disk->sequence;
    snapshot->header.first_segment = disk->segment;
    disk_format_snapshot(&snapshot->file, &snapshot->header, effect->snapshot.records);
    disk_snapshot_free(disk->waiting); /* the newer one holds all that it held */
    disk->waiting = snapshot;
}

static void disk_save_work(uv_work_t *work)
{
    struct disk *disk = work->data;
    struct disk_save_job *job = &disk->save;
    job->error = disk_write_snapshot(disk->directory, buffer_view(&job->snapshot->file));
    if (!job->error)
        disk_delete_segments_below(disk->directory, job->delete_below);
}

static void disk_saved(struct disk *disk, struct disk_snapshot *snapshot)
{
    disk->snapshot_segment = snapshot->header.first_segment;
    disk->saved = snapshot->core_sequence;
    disk->statistics.snapshots++;
    disk_snapshot_free(snapshot);
}

static void disk_save_done(uv_work_t *work, int status)
{
    (void)status;
    struct disk *disk = work->data;
    struct disk_save_job *job = &disk->save;
    job->running = false;
    if (job->error != disk->save_error)
        disk_report(disk, "writing a snapshot", job->error);
    disk->save_error = job->error;
    disk->statistics.failures += job->error != 0;
    if (!job->error) {
        disk_saved(disk, job->snapshot);
        job->snapshot = NULL;
        disk_tell_synced(disk);
    }
    disk_pump(disk);
}

/* Whether all that the snapshot replaces is on disk. Without that, a start that falls back to the
 * snapshot before it would find a gap. */
static bool disk_log_has_reached(const struct disk *disk, uint64_t segment)
{
    const struct disk_batch *oldest = disk->write.batch ? disk->write.batch : disk->first;
    return !oldest || oldest->segment >= segment;
}

static void disk_pump_save(struct disk *disk, bool retry)
{
    struct disk_save_job *job = &disk->save;
    if (job->running || (disk->save_error && !retry))
        return;
    if (disk->waiting && disk_log_has_reached(disk, disk->waiting->header.first_segment)) {
        disk_snapshot_free(job->snapshot);
        job->snapshot = disk->waiting;
        disk->waiting = NULL;
    }
    if (!job->snapshot)
        return;
    job->running = true;
    job->delete_below = disk->snapshot_segment;
    uv_queue_work(loop_uv(disk->loop), &job->work, disk_save_work, disk_save_done);
}

/* ---- the driver ---- */

static void disk_retry(uv_timer_t *timer)
{
    struct disk *disk = timer->data;
    disk->retry_due = true;
    disk_pump(disk);
}

/* Whatever there is to do and may be done now; at the end of each turn and of each job. */
static void disk_pump(void *context)
{
    struct disk *disk = context;
    if (disk->stopped)
        return;
    if (disk->looked)
        disk_tell(disk);
    bool retry = disk->retry_due;
    disk->retry_due = false;
    disk_pump_write(disk, retry);
    disk_pump_save(disk, retry);
    bool wanting = disk->write_error || disk->save_error || disk->room_bytes < DISK_ROOM_BYTES;
    if (disk->looked && wanting && !uv_is_active((uv_handle_t *)&disk->retry))
        uv_timer_start(&disk->retry, disk_retry, DISK_RETRY_MS, 0);
}

int disk_open(struct disk **ret_disk, const char *path, const struct disk_callbacks *callbacks,
              struct error *err)
{
    cleanup_close int lock = -1;
    cleanup_close int directory = -1;
    struct disk_loaded loaded;
    if (disk_lock(path, &directory, &lock, err))
        return -1;
    if (disk_load(directory, callbacks, &loaded, err))
        return error_wrap(err, "--data-dir %s", path);
    struct disk *disk = xcalloc(1, sizeof *disk);
    disk_writer_init(&disk->write.writer, directory, &loaded);
    disk->directory = take_descriptor(&directory);
    disk->lock = take_descriptor(&lock);
    disk->callbacks = *callbacks;
    disk->loaded = loaded;
    disk->sequence = loaded.sequence;
    disk->segment = loaded.segment;
    disk->snapshot_segment = loaded.snapshot_segment;
    *ret_disk = disk;
    return 0;
}

void disk_start(struct disk *disk, struct loop *loop)
{
    disk->loop = loop;
    disk->write.work.data = disk;
    disk->save.work.data = disk;
    uv_timer_init(loop_uv(loop), &disk->retry);
    disk->retry.data = disk;
    loop_set_sink(loop, EFFECT_LOG, disk_log, disk);
    loop_set_sink(loop, EFFECT_SNAPSHOT, disk_snapshot, disk);
    loop_set_deferred(loop, disk_pump, disk);
}

bool disk_is_idle(const struct disk *disk)
{
    return disk->write_error || (!disk->write.batch && !disk->first);
}

void disk_stop(struct disk *disk)
{
    if (!disk || disk->stopped)
        return;
    disk->stopped = true;
    if (disk->loop)
        uv_close((uv_handle_t *)&disk->retry, NULL);
}

void disk_free(struct disk *disk)
{
    if (!disk)
        return;
    assert(!disk->write.running && !disk->save.running);
    disk_writer_release(&disk->write.writer);
    disk_batch_free(disk->write.batch);
    for (struct disk_batch *batch = disk->first; batch;) {
        struct disk_batch *next = batch->next;
        disk_batch_free(batch);
        batch = next;
    }
    disk_snapshot_free(disk->save.snapshot);
    disk_snapshot_free(disk->waiting);
    close(disk->directory);
    close(disk->lock);
    free(disk);
}

struct disk_statistics disk_statistics(const struct disk *disk)
{
    struct disk_statistics statistics = disk->statistics;
    statistics.room_bytes = disk->room_bytes;
    statistics.pending_bytes = disk->pending_bytes;
    statistics.failed = disk_failed(disk);
    return statistics;
}
