/* The page that hordelet-guard reads and the agent writes: one file per container, mapped by both,
 * so that a renewal is one store of 8 bytes and reaches the guard whatever became of the engine and
 * of the disk. Native byte order: both are on one machine, by construction. */
#ifndef AGENT_GUARD_PAGE_H
#define AGENT_GUARD_PAGE_H

#include <stdint.h>

#define GUARD_PAGE_MAGIC "hordelet-guard 1" /* 16 bytes, without the final 0 */
#define GUARD_BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

enum { GUARD_MAGIC_BYTES = 16, GUARD_BOOT_ID_BYTES = 36 };

struct deadline_page {
    char magic[GUARD_MAGIC_BYTES];
    char boot_id[GUARD_BOOT_ID_BYTES]; /* of this boot of the machine: deadlines of others mean
                                          nothing now */
    char unused[4];
    uint64_t deadline_ms; /* CLOCK_BOOTTIME; loaded and stored atomically, only ever grows */
};

/* How the guard ends for reasons of its own. What it runs ends with its own status, or 128 and the
 * number of the signal that killed it. */
enum guard_exit {
    GUARD_EXIT_REFUSED = 122,  /* the page is not what it should be */
    GUARD_EXIT_DEADLINE = 124, /* it has passed: nothing was run, or everything was killed */
    GUARD_EXIT_NOT_EXECUTABLE = 126,
    GUARD_EXIT_NOT_FOUND = 127,
};

#endif
