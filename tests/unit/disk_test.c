/* The data directory, with real files: what was durable comes back in order, whatever a crash, a
 * full disk or a flipped bit has done; what comes back is always a prefix of what was written.
 *
 * The node here is a fake: it asks for the effects of a script, one action after the other as each
 * becomes durable. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/io/disk.h"
#include "agent/io/disk_format.h"
#include "unit.h"

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

enum { TEXT_BYTES = 4096, PATH_BYTES = 256, WAIT_MS = 20000 };

/* ---- a fake node that follows a script ---- */

/* Words: "x" logs x; "=" makes a snapshot of all so far; "!" logs a record of
 * DISK_RECORD_BYTES_MAX. Each waits until it is durable, but for those joined by "+", as in
 * "a+b+c", which are asked for in one step. */
struct node {
    struct loop *loop;
    struct disk *disk;
    const char *script;
    char known[TEXT_BYTES]; /* all records, each followed by a blank */
    uint64_t sequence, synced, snapshots;
    bool failed;         /* by the last EVENT_DISK_STATE */
    bool saw_failed;     /* by any */
    uint64_t room_bytes; /* as last told, less what was logged since: the core counts so */
    unsigned states;
    void (*on_failed)(struct node *node);
    char directory[2 * PATH_BYTES];
    char reports[TEXT_BYTES];
    uv_timer_t too_long;
    bool timed_out;
    struct disk_statistics statistics;
};

static void node_log(struct node *node, struct effects *effects, const char *word, size_t bytes)
{
    static uint8_t big[DISK_RECORD_BYTES_MAX];
    struct effect *effect = effects_append(effects, EFFECT_LOG);
    effect->log.sequence = ++node->sequence;
    effect->log.record = *word == '!' ? span_of(big, sizeof big) : span_of(word, bytes);
    size_t taken = effect->log.record.bytes;
    node->room_bytes -= taken < node->room_bytes ? taken : node->room_bytes;
    if (*word == '!')
        return;
    strncat(node->known, word, bytes);
    strcat(node->known, " ");
}

static void node_snapshot(struct node *node, struct effects *effects)
{
    struct buffer records = {0};
    for (const char *word = node->known; *word; word += strcspn(word, " ") + 1)
        buffer_span(&records, span_of(word, strcspn(word, " ")));
    struct effect *effect = effects_append(effects, EFFECT_SNAPSHOT);
    uint8_t *copy = effects_alloc(effects, records.bytes + 1);
    if (records.bytes)
        memcpy(copy, records.data, records.bytes);
    effect->snapshot.sequence = node->sequence;
    effect->snapshot.records = span_of(copy, records.bytes);
    node->snapshots++;
    buffer_release(&records);
}

static void node_next_action(struct node *node, struct effects *effects)
{
    for (bool joined = true; joined && *node->script;) {
        size_t bytes = strcspn(node->script, " +");
        if (*node->script == '=')
            node_snapshot(node, effects);
        else
            node_log(node, effects, node->script, bytes);
        node->script += bytes;
        joined = *node->script == '+';
        node->script += *node->script != '\0';
    }
}

void node_step(struct node *node, const struct event *event, struct effects *effects)
{
    if (event->type == EVENT_LOG_SYNCED) {
        CU_ASSERT(event->log_synced.sequence > node->synced);
        node->synced = event->log_synced.sequence;
    } else if (event->type == EVENT_DISK_STATE) {
        node->failed = event->disk.failed;
        node->saw_failed |= node->failed;
        node->room_bytes = event->disk.room_bytes;
        node->states++;
        CU_ASSERT((event->disk.message != NULL) == (node->failed || node->room_bytes < 8 << 20));
        if (node->failed && node->on_failed)
            node->on_failed(node);
    } else if (event->type == EVENT_START) {
        node_next_action(node, effects);
    }
}

uint64_t node_deadline(const struct node *node)
{
    (void)node;
    return UINT64_MAX;
}

/* At the end of each turn: go on with the script once what was asked for is durable. */
static void node_turn(void *context)
{
    struct node *node = context;
    struct disk_statistics statistics = disk_statistics(node->disk);
    bool durable = node->synced == node->sequence && statistics.snapshots == node->snapshots;
    if (!durable || node->states == 0)
        return;
    if (*node->script)
        loop_submit(node->loop, &(struct event){.type = EVENT_START});
    else if (!node->failed)
        loop_stop(node->loop);
}

static void node_too_long(uv_timer_t *timer)
{
    struct node *node = timer->data;
    node->timed_out = true;
    loop_stop(node->loop);
}

static bool node_remember(void *context, struct span record)
{
    struct node *node = context;
    if (record.bytes < 100) { /* big ones are not of interest */
        strncat(node->known, (const char *)record.data, record.bytes);
        strcat(node->known, " ");
    }
    return true;
}

static void node_report(void *context, const char *line)
{
    struct node *node = context;
    strncat(node->reports, line, TEXT_BYTES - 2 - strlen(node->reports));
    strcat(node->reports, "\n");
}

/* ---- one run of an agent on a directory ---- */

static int session_open(struct node *node, const char *directory, struct error *err)
{
    *node = (struct node){.script = ""};
    snprintf(node->directory, sizeof node->directory, "%s", directory);
    struct disk_callbacks callbacks = {node_remember, node_report, node};
    return disk_open(&node->disk, directory, &callbacks, err);
}

static void session_run(struct node *node, const char *script)
{
    node->script = script;
    node->loop = loop_new();
    loop_set_node(node->loop, node);
    loop_set_deferred(node->loop, node_turn,
                      node); /* before the disk's: what it logs leaves in the same turn */
    disk_start(node->disk, node->loop);
    uv_timer_init(loop_uv(node->loop), &node->too_long);
    node->too_long.data = node;
    uv_timer_start(&node->too_long, node_too_long, WAIT_MS, 0);
    loop_run(node->loop);
    CU_ASSERT_FALSE(node->timed_out);
    node->statistics = disk_statistics(node->disk);
}

static void session_close(struct node *node)
{
    disk_stop(node->disk);
    if (node->loop) {
        uv_close((uv_handle_t *)&node->too_long, NULL);
        CU_ASSERT_FATAL(loop_settle(node->loop, WAIT_MS));
        loop_free(node->loop);
    }
    disk_free(node->disk);
}

/* Opens, follows the script, closes. The node is for looking at. */
static struct node session(const char *directory, const char *script)
{
    static struct node node;
    struct error error = {0};
    int failed = session_open(&node, directory, &error);
    if (failed)
        printf("\n%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(failed, 0);
    session_run(&node, script);
    session_close(&node);
    return node;
}

/* Only loads. */
static struct node loaded(const char *directory)
{
    static struct node node;
    struct error error = {0};
    int failed = session_open(&node, directory, &error);
    if (failed)
        printf("\n%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(failed, 0);
    session_close(&node);
    return node;
}

#define ASSERT_KNOWS(value, text)                                               \
    do {                                                                        \
        struct node asserted = (value);                                         \
        if (strcmp(asserted.known, text) != 0)                                  \
            printf("\n%d: '%s' is not '%s'\n", __LINE__, asserted.known, text); \
        CU_ASSERT_STRING_EQUAL(asserted.known, text);                           \
    } while (0)

/* ---- files ---- */

static char scratch[PATH_BYTES];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static const char *fresh_directory(void)
{
    strcpy(scratch, "/tmp/hordelet-disk-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scratch));
    return scratch;
}

static void remove_directory(void)
{
    shell("rm -rf %s %s.*", scratch, scratch);
}

static bool exists(const char *directory, const char *name)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static size_t file_bytes(const char *directory, const char *name)
{
    char path[2 * PATH_BYTES];
    struct stat status = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void flip_bit(const char *directory, const char *name, size_t offset, unsigned bit)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    CU_ASSERT_EQUAL_FATAL(pread(file, &byte, 1, (off_t)offset), 1);
    byte ^= (uint8_t)(1u << bit);
    CU_ASSERT_EQUAL_FATAL(pwrite(file, &byte, 1, (off_t)offset), 1);
    close(file);
}

static void write_at_start(const char *directory, const char *name, struct span bytes)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(pwrite(file, bytes.data, bytes.bytes, 0), (ssize_t)bytes.bytes);
    close(file);
}

/* A copy of the directory, for damaging it. */
static const char *copy_directory(const char *directory)
{
    static char copy[PATH_BYTES];
    snprintf(copy, sizeof copy, "%.200s.copy", directory);
    shell("rm -rf %s && cp -a %s %s", copy, directory, copy);
    return copy;
}

/* ---- tests ---- */

static void records_come_back_in_order(void)
{
    const char *directory = fresh_directory();
    ASSERT_KNOWS(session(directory, ""), "");
    ASSERT_KNOWS(session(directory, "a b c"), "a b c ");
    struct node node = session(directory, "d+e+f");
    ASSERT_KNOWS(node, "a b c d e f ");
    CU_ASSERT_EQUAL(node.statistics.batches,
                    1); /* one fdatasync for what was asked for in one step */
    CU_ASSERT_EQUAL(node.states, 1);
    CU_ASSERT(node.room_bytes <= 8 << 20 && node.room_bytes > (8 << 20) - 100);
    node = loaded(directory);
    ASSERT_KNOWS(node, "a b c d e f ");
    CU_ASSERT_STRING_EQUAL(node.reports, "");
    remove_directory();
}

/* The core takes what it logs off the room it was told of. Room is made anew as the log grows: the
 * core must hear of it, or one day it refuses every write on a healthy disk. */
static void a_growing_log_finds_new_room(void)
{
    const char *directory = fresh_directory();
    struct node node = session(directory, "a ! b ! c ! d");
    CU_ASSERT(node.room_bytes > 7 << 20);
    CU_ASSERT_FALSE(node.saw_failed);
    remove_directory();
}

static void the_directory_is_private(void)
{
    char inner[PATH_BYTES * 2];
    snprintf(inner, sizeof inner, "%s/x/y", fresh_directory());
    session(inner, "a");
    struct stat status;
    CU_ASSERT_EQUAL(stat(inner, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0700);
    strcat(inner, "/log.1");
    CU_ASSERT_EQUAL(stat(inner, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
    remove_directory();
}

static void one_agent_at_a_time(void)
{
    const char *directory = fresh_directory();
    static struct node first, second;
    struct error error = {0};
    CU_ASSERT_EQUAL_FATAL(session_open(&first, directory, &error), 0);
    CU_ASSERT_EQUAL(session_open(&second, directory, &error), -1);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, directory));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, pid));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "stop that one first"));
    session_close(&first);
    ASSERT_KNOWS(loaded(directory), "");
    remove_directory();
}

static void a_torn_tail_loses_only_itself(void)
{
    const char *directory = fresh_directory();
    session(directory, "first second");
    size_t before = file_bytes(directory, "log.1");
    session(directory, "third");
    size_t after = file_bytes(directory, "log.1");
    CU_ASSERT(after > before);
    for (size_t cut = before; cut <= after; cut++)
        for (int zeros = 0; zeros <= 1; zeros++) {
            const char *copy = copy_directory(directory);
            shell("truncate -s %zu %s/log.1", cut, copy);
            if (zeros) /* as preallocated space looks */
                shell("truncate -s %zu %s/log.1", after + 100, copy);
            struct node node = loaded(copy);
            ASSERT_KNOWS(node, cut == after ? "first second third " : "first second ");
            CU_ASSERT_EQUAL(*node.reports == '\0', cut == before || cut == after);
            if (cut % 8 == 0)
                session(copy, "fourth");
            else
                continue;
            ASSERT_KNOWS(loaded(copy),
                         cut == after ? "first second third fourth " : "first second fourth ");
        }
    remove_directory();
}

static void a_flipped_bit_ends_the_log_there(void)
{
    const char *directory = fresh_directory();
    session(directory, "first");
    size_t one = file_bytes(directory, "log.1");
    session(directory, "second");
    size_t two = file_bytes(directory, "log.1");
    session(directory, "third");
    size_t three = file_bytes(directory, "log.1");
    for (size_t offset = 0; offset < three; offset++) {
        const char *copy = copy_directory(directory);
        flip_bit(copy, "log.1", offset, (unsigned)(offset * 7 % 8));
        struct node node = loaded(copy);
        ASSERT_KNOWS(node, offset < 32    ? ""
                           : offset < one ? ""
                           : offset < two ? "first "
                                          : "first second ");
        CU_ASSERT_NOT_EQUAL(*node.reports, '\0');
        CU_ASSERT(exists(copy, "log.1.damaged"));
    }
    remove_directory();
}

static void a_snapshot_replaces_the_log_before_it(void)
{
    const char *directory = fresh_directory();
    ASSERT_KNOWS(session(directory, "a b = c"), "a b c ");
    CU_ASSERT(exists(directory, "snapshot") && exists(directory, "log.1") &&
              exists(directory, "log.2"));
    ASSERT_KNOWS(session(directory, "d = e = f"), "a b c d e f ");
    CU_ASSERT(exists(directory, "snapshot.previous"));
    CU_ASSERT_FALSE(exists(directory, "log.1") || exists(directory, "log.2"));
    CU_ASSERT(exists(directory, "log.3") && exists(directory, "log.4"));
    struct node node = loaded(directory);
    ASSERT_KNOWS(node, "a b c d e f ");
    CU_ASSERT_STRING_EQUAL(node.reports, "");
    ASSERT_KNOWS(session(directory, "= = g+=+h"), "a b c d e f g h ");
    ASSERT_KNOWS(loaded(directory), "a b c d e f g h ");
    remove_directory();
}

static void a_damaged_snapshot_is_made_up_for(void)
{
    const char *directory = fresh_directory();
    session(directory, "a b = c");
    session(directory, "d = e");
    size_t bytes = file_bytes(directory, "snapshot");
    for (size_t offset = 0; offset < bytes; offset++) {
        const char *copy = copy_directory(directory);
        flip_bit(copy, "snapshot", offset, (unsigned)(offset % 8));
        struct node node = loaded(copy);
        ASSERT_KNOWS(node, "a b c d e ");
        CU_ASSERT_PTR_NOT_NULL(strstr(node.reports, "snapshot.damaged"));
        CU_ASSERT(exists(copy, "snapshot.damaged"));
        if (offset % 16 != 0)
            continue;
        ASSERT_KNOWS(session(copy, "f = g = h"), "a b c d e f g h ");
        ASSERT_KNOWS(loaded(copy), "a b c d e f g h ");
    }
    remove_directory();
}

static void without_any_snapshot_the_log_is_not_replayed(void)
{
    const char *directory = fresh_directory();
    session(directory, "a b = c = d");
    flip_bit(directory, "snapshot", 50, 1);
    flip_bit(directory, "snapshot.previous", 50, 1);
    struct node node = loaded(directory);
    ASSERT_KNOWS(node, "");
    CU_ASSERT(exists(directory, "snapshot.damaged") &&
              exists(directory, "snapshot.previous.damaged"));
    CU_ASSERT(exists(directory, "log.2.damaged") && exists(directory, "log.3.damaged"));
    ASSERT_KNOWS(session(directory, "x y"), "x y ");
    ASSERT_KNOWS(loaded(directory), "x y ");
    remove_directory();
}

/* Each line turns a good directory into one that a crash between two steps of a snapshot, of the
 * beginning of a segment or of a repair could have left. */
static void a_crash_between_any_two_steps_loses_nothing(void)
{
    static const char *const crashes[] = {
        "true",
        "head -c 60 snapshot > snapshot.tmp", /* writing aside */
        "cp snapshot snapshot.tmp",           /* before the first rename */
        "mv snapshot snapshot.previous",      /* between the renames */
        "mv snapshot snapshot.tmp",           /* the same, with the new one aside */
        "cp $OLD/log.1 .",                    /* before the old segments are deleted */
        "cp $OLD/log.1 $OLD/log.2 .",         /* some of them */
        ": > log.4",                          /* a segment without a header */
        "head -c 20 log.3 > log.4",           /* half a header */
        "head -c 32 log.3 > log.4",           /* the header of another segment */
        "truncate -s +8M log.3",              /* the room was not given back */
        "mv snapshot snapshot.damaged; cp $OLD/snapshot snapshot.previous", /* in a fall-back */
    };
    const char *directory = fresh_directory();
    session(directory, "a b = c");
    char old[PATH_BYTES + 8];
    snprintf(old, sizeof old, "%s.old", directory);
    shell("cp -a %s %s", directory, old);
    session(directory, "d = e");
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        const char *copy = copy_directory(directory);
        shell("cd %s && OLD=%s && %s", copy, old, crashes[i]);
        struct node node = session(copy, "f = g");
        if (strcmp(node.known, "a b c d e f g ") != 0)
            printf("\n%s: %s\n%s", crashes[i], node.known, node.reports);
        ASSERT_KNOWS(node, "a b c d e f g ");
        ASSERT_KNOWS(loaded(copy), "a b c d e f g ");
        CU_ASSERT_FALSE(exists(copy, "snapshot.tmp"));
    }
    remove_directory();
}

static void a_newer_format_is_left_alone(void)
{
    const char *directory = fresh_directory();
    session(directory, "a b");
    struct buffer header = {0};
    disk_format_segment(&header, 1);
    CU_ASSERT_EQUAL(header.bytes, DISK_SEGMENT_HEADER_BYTES);
    header.data[8] = DISK_FORMAT_VERSION + 1;
    uint64_t checksum = XXH3_64bits(header.data, 24);
    memcpy(header.data + 24, &checksum, sizeof checksum);
    write_at_start(directory, "log.1", buffer_view(&header));
    buffer_release(&header);
    size_t bytes = file_bytes(directory, "log.1");
    static struct node node;
    struct error error = {0};
    CU_ASSERT_EQUAL(session_open(&node, directory, &error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "newer hordelet"));
    CU_ASSERT_EQUAL(file_bytes(directory, "log.1"), bytes);
    remove_directory();
}

static void too_much_waiting_is_a_gap_until_a_snapshot(void)
{
    const char *directory = fresh_directory();
    static struct node node;
    struct error error = {0};
    CU_ASSERT_EQUAL_FATAL(session_open(&node, directory, &error), 0);
    /* Four big ones are more than may wait: the fourth is dropped. Only the snapshot makes it
     * durable. */
    session_run(&node, "a !+!+!+!+b+=+c");
    CU_ASSERT(node.saw_failed);
    CU_ASSERT_FALSE(node.failed);
    session_close(&node);
    ASSERT_KNOWS(loaded(directory), "a b c ");
    /* A start that has only the log does not go across the gap. */
    shell("rm %s/snapshot", directory);
    ASSERT_KNOWS(loaded(directory), "a ");
    remove_directory();
}

static void remove_fill(struct node *node)
{
    shell("rm -f %s/../fill", node->directory);
}

static void a_full_disk_fails_and_recovers(void)
{
    const char *directory = fresh_directory();
    if (geteuid() != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=40m")) {
        printf("\n*** SKIPPED: the full disk: cannot mount a tmpfs (%s)\n", strerror(errno));
        remove_directory();
        return;
    }
    char inner[PATH_BYTES + 8];
    snprintf(inner, sizeof inner, "%s/data", directory);
    session(inner, "a");
    shell("dd if=/dev/zero of=%s/fill bs=64k status=none 2>/dev/null || true", directory);
    static struct node node;
    struct error error = {0};
    CU_ASSERT_EQUAL_FATAL(session_open(&node, inner, &error), 0);
    node.on_failed = remove_fill; /* only once the node has been told */
    session_run(&node, "! b");
    CU_ASSERT(node.saw_failed);
    CU_ASSERT_FALSE(node.failed);
    CU_ASSERT(node.room_bytes > 7 << 20);
    session_close(&node);
    umount(directory);
    rmdir(directory);
}

UNIT_MAIN(
    "disk", {"records come back in order", records_come_back_in_order},
    {"a growing log finds new room", a_growing_log_finds_new_room},
    {"the directory is private", the_directory_is_private},
    {"one agent at a time", one_agent_at_a_time},
    {"a torn tail loses only itself", a_torn_tail_loses_only_itself},
    {"a flipped bit ends the log there", a_flipped_bit_ends_the_log_there},
    {"a snapshot replaces the log before it", a_snapshot_replaces_the_log_before_it},
    {"a damaged snapshot is made up for", a_damaged_snapshot_is_made_up_for},
    {"without any snapshot the log is not replayed", without_any_snapshot_the_log_is_not_replayed},
    {"a crash between any two steps loses nothing", a_crash_between_any_two_steps_loses_nothing},
    {"a newer format is left alone", a_newer_format_is_left_alone},
    {"too much waiting is a gap until a snapshot", too_much_waiting_is_a_gap_until_a_snapshot},
    {"a full disk fails and recovers", a_full_disk_fails_and_recovers})
