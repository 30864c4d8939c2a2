/* What hordelet-guard needs of its agent: the program itself, which is mounted into guarded
 * containers, and one page per container with its deadline (agent/guard/page.h).
 *
 * The pages are in memory (a tmpfs), never on a disk: a store into a page of a disk's file system
 * waits for that disk when it is being written back, and a disk that hangs would stop the agent's
 * one thread. They survive restarts of the agent, and end with the machine's boot, as the times in
 * them do. Where there is no tmpfs nothing can be guarded, and starts say so. The program is under
 * --data-dir, for a tmpfs is often mounted noexec.
 *
 * Files: RUN/ID/NS.WORKLOAD.ORDINAL.UID.EPOCH, where ID is made from the data directory: several
 * agents may share a machine. Bounds: GUARD_PAGES_MAX. A page whose deadline has passed guards
 * nothing any more; such pages are swept when the agent starts and whenever there are twice as many
 * as after the last time. */
#ifndef AGENT_IO_GUARD_PAGES_H
#define AGENT_IO_GUARD_PAGES_H

#include "agent/core/effect.h"
#include "agent/core/error.h"
#include "agent/core/index.h"
#include "agent/guard/page.h"

enum {
    GUARD_PAGES_MAX = 16 * 1024, /* as many as containers in a list of the engine's */
    GUARD_PATH_BYTES_MAX = 4096,
};

struct guard_pages {
    char directory[GUARD_PATH_BYTES_MAX]; /* of the pages; empty: `problem` says why */
    char program[GUARD_PATH_BYTES_MAX];   /* of hordelet-guard on this machine */
    char boot_id[GUARD_BOOT_ID_BYTES];
    struct index pages; /* mapped ones, by file name */
    size_t sweep_at;    /* pages */
    struct error problem;
};

/* run_dir: empty for /run/hordelet, or /dev/shm/hordelet where /run is not in memory. A missing
 * tmpfs is no error here: see `problem`. -1: the program could not be written under data_dir. */
int guard_pages_open(struct guard_pages *pages, const char *data_dir, const char *run_dir,
                     struct error *err);
/* The pages stay for their containers. */
void guard_pages_close(struct guard_pages *pages);

/* Makes the page if there is none. A deadline never goes back: an earlier one is ignored. */
int guard_page_set(struct guard_pages *pages, const struct guard_page *page, struct error *err);
/* Where it is, or would be. */
void guard_page_path(const struct guard_pages *pages, const struct guard_page *page,
                     char ret_path[GUARD_PATH_BYTES_MAX]);
/* The one that a START has asked for. */
struct guard_page guard_page_of(const struct runtime_operation *start);

#endif
