/* See guard_pages.h. */
#include "agent/io/guard_pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "agent/io/cleanup.h"
#include "agent/io/clock.h"
#include "agent/io/guard_program.h"

_Static_assert((int)GUARD_EXIT_DEADLINE == GUARD_EXIT_CODE, "the core knows it by this number");

enum { SWEEP_AT_MIN = 64 };
enum { TAG_BYTES = 8, TAG_TEXT_BYTES = 2 * TAG_BYTES + 1 };

static void tag_print(struct span bytes, char ret_text[TAG_TEXT_BYTES])
{
    uint8_t tag[crypto_generichash_BYTES_MIN];
    crypto_generichash(tag, sizeof tag, bytes.data, bytes.bytes, NULL, 0);
    sodium_bin2hex(ret_text, TAG_TEXT_BYTES, tag, TAG_BYTES);
}

/* --- The program ------------------------------------------------------------------------------ */

static int write_whole(int fd, struct span bytes)
{
    for (size_t done = 0; done < bytes.bytes;) {
        ssize_t written = write(fd, bytes.data + done, bytes.bytes - done);
        if (written < 0 && errno != EINTR)
            return -1;
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int program_write(const char *path, struct span bytes)
{
    char aside[GUARD_PATH_BYTES_MAX + 8];
    snprintf(aside, sizeof aside, "%s.new", path);
    cleanup_close int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    bool good = fd >= 0 && write_whole(fd, bytes) == 0 && fchmod(fd, 0755) == 0 && fsync(fd) == 0 &&
                rename(aside, path) == 0;
    return good ? 0 : -1;
}

/* Under a name that its content gives: the one of a running container is never written over. */
static int program_install(struct guard_pages *pages, const char *data_dir, struct error *err)
{
    char tag[TAG_TEXT_BYTES], directory[GUARD_PATH_BYTES_MAX - 64];
    struct stat status;
    struct span bytes = guard_program();
    cleanup_free char *absolute = realpath(data_dir, NULL);
    if (!absolute || strlen(absolute) > sizeof directory - 16)
        return error_set(err, ERROR_IO, "--data-dir %s: %s", data_dir,
                         absolute ? "the path is too long" : strerror(errno));
    tag_print(bytes, tag);
    snprintf(directory, sizeof directory, "%s/guard", absolute);
    snprintf(pages->program, sizeof pages->program, "%s/hordelet-guard-%s", directory, tag);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return error_set(err, ERROR_IO, "cannot make %s: %s", directory, strerror(errno));
    if (stat(pages->program, &status) == 0 && status.st_size == (off_t)bytes.bytes)
        return 0;
    if (program_write(pages->program, bytes))
        return error_set(err, ERROR_IO, "cannot write %s: %s", pages->program, strerror(errno));
    return 0;
}

/* --- One page --------------------------------------------------------------------------------- */

static uint64_t page_deadline_ms(const struct deadline_page *page)
{
    return __atomic_load_n(&page->deadline_ms, __ATOMIC_RELAXED);
}

static void page_unmap(void *page)
{
    munmap(page, sizeof(struct deadline_page));
}

static struct deadline_page *page_map(int fd)
{
    void *page =
        mmap(NULL, sizeof(struct deadline_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

static bool page_is_whole(const struct guard_pages *pages, int fd)
{
    struct deadline_page page;
    return pread(fd, &page, sizeof page, 0) == sizeof page &&
           memcmp(page.magic, GUARD_PAGE_MAGIC, GUARD_MAGIC_BYTES) == 0 &&
           memcmp(page.boot_id, pages->boot_id, sizeof page.boot_id) == 0;
}

/* Written whole before it has its name: a container never sees half of one. */
static int page_create(const struct guard_pages *pages, const char *path)
{
    char aside[GUARD_PATH_BYTES_MAX + 8];
    struct deadline_page page = {.deadline_ms = 0};
    memcpy(page.magic, GUARD_PAGE_MAGIC, GUARD_MAGIC_BYTES);
    memcpy(page.boot_id, pages->boot_id, sizeof page.boot_id);
    snprintf(aside, sizeof aside, "%s.new", path);
    cleanup_close int fd = open(aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write_whole(fd, span_of(&page, sizeof page)) || fchmod(fd, 0644) != 0 ||
        rename(aside, path) != 0)
        return -1;
    return take_descriptor(&fd);
}

static struct deadline_page *page_open(const struct guard_pages *pages, const char *path)
{
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && page_is_whole(pages, fd))
        return page_map(fd);
    cleanup_close int made = page_create(pages, path);
    return made >= 0 ? page_map(made) : NULL;
}

/* --- All pages -------------------------------------------------------------------------------- */

static const char *page_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void page_forget(struct guard_pages *pages, const char *path)
{
    void *page = index_remove(&pages->pages, span_text(page_name(path)));
    if (page)
        page_unmap(page);
    unlink(path);
}

/* Those that guard nothing any more. */
static void pages_sweep(struct guard_pages *pages)
{
    uint64_t now_ms = clock_mono_ms();
    const struct dirent *entry;
    cleanup_closedir DIR *directory = opendir(pages->directory);
    while (directory && (entry = readdir(directory))) {
        char path[GUARD_PATH_BYTES_MAX + 256];
        struct deadline_page page = {.deadline_ms = 0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", pages->directory, entry->d_name);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !page_is_whole(pages, fd) ||
            pread(fd, &page, sizeof page, 0) != sizeof page || page.deadline_ms <= now_ms)
            page_forget(pages, path);
    }
    pages->sweep_at = 2 * index_count(&pages->pages);
    if (pages->sweep_at < SWEEP_AT_MIN)
        pages->sweep_at = SWEEP_AT_MIN;
}

static bool is_in_memory(const char *path)
{
    struct statfs status;
    return statfs(path, &status) == 0 &&
           (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

/* Nobody else may put pages there: /dev/shm is everybody's. */
static int directory_make(const char *path, struct error *err)
{
    struct stat status;
    if (mkdir(path, 0711) != 0 && errno != EEXIST)
        return error_set(err, ERROR_IO, "cannot make %s: %s", path, strerror(errno));
    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, ERROR_IO, "%s: is not a directory that only we can write to", path);
    return 0;
}

static void directory_open(struct guard_pages *pages, const char *data_dir, const char *run_dir)
{
    char tag[TAG_TEXT_BYTES], path[GUARD_PATH_BYTES_MAX];
    cleanup_free char *absolute = realpath(data_dir, NULL);
    /* In a container /run is the image's, and that of the host is mounted below it. */
    if (!*run_dir)
        run_dir = is_in_memory("/run") || is_in_memory("/run/hordelet") ? "/run/hordelet"
                                                                        : "/dev/shm/hordelet";
    if (!absolute || strlen(run_dir) > sizeof path - 64 || directory_make(run_dir, &pages->problem))
        return;
    tag_print(span_text(absolute), tag);
    snprintf(path, sizeof path, "%s/%s", run_dir, tag);
    if (directory_make(path, &pages->problem))
        return;
    if (!is_in_memory(path)) {
        error_set(&pages->problem, ERROR_IO,
                  "--run-dir %s: is on a disk, which may hang; it must be on a tmpfs", run_dir);
        return;
    }
    TEXT_SET(pages->directory, path);
    pages_sweep(pages);
}

static bool boot_id_read(char ret_boot_id[GUARD_BOOT_ID_BYTES])
{
    cleanup_close int fd = open(GUARD_BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, ret_boot_id, GUARD_BOOT_ID_BYTES) == GUARD_BOOT_ID_BYTES;
}

int guard_pages_open(struct guard_pages *pages, const char *data_dir, const char *run_dir,
                     struct error *err)
{
    *pages = (struct guard_pages){.directory = ""};
    if (!boot_id_read(pages->boot_id))
        error_set(&pages->problem, ERROR_IO, "%s: cannot be read", GUARD_BOOT_ID_PATH);
    else
        directory_open(pages, data_dir, run_dir);
    return program_install(pages, data_dir, err);
}

void guard_pages_close(struct guard_pages *pages)
{
    index_release(&pages->pages, page_unmap);
}

void guard_page_path(const struct guard_pages *pages, const struct guard_page *page,
                     char ret_path[GUARD_PATH_BYTES_MAX])
{
    snprintf(ret_path, GUARD_PATH_BYTES_MAX, "%.*s/%s.%s.%" PRIu32 ".%s.%" PRIu64,
             GUARD_PATH_BYTES_MAX - 512, pages->directory, page->child.ns, page->child.workload,
             page->child.ordinal, page->uid, page->epoch);
}

struct guard_page guard_page_of(const struct runtime_operation *start)
{
    struct guard_page page = {
        .child = start->child, .epoch = start->epoch, .deadline_ms = start->guard_deadline_ms};
    TEXT_SET(page.uid, start->uid);
    return page;
}

static struct deadline_page *page_add(struct guard_pages *pages, const char *path,
                                      struct error *err)
{
    if (index_count(&pages->pages) >= pages->sweep_at)
        pages_sweep(pages);
    if (index_count(&pages->pages) >= GUARD_PAGES_MAX) {
        error_set(err, ERROR_IO, "cannot guard more than %d containers", GUARD_PAGES_MAX);
        return NULL;
    }
    struct deadline_page *page = page_open(pages, path);
    if (!page)
        error_set(err, ERROR_IO, "cannot make %s: %s", path, strerror(errno));
    else
        index_insert(&pages->pages, span_text(page_name(path)), page);
    return page;
}

int guard_page_set(struct guard_pages *pages, const struct guard_page *page, struct error *err)
{
    char path[GUARD_PATH_BYTES_MAX];
    if (!pages->directory[0])
        return error_set(err, ERROR_IO, "cannot guard: %s", pages->problem.text);
    guard_page_path(pages, page, path);
    struct deadline_page *mapped = index_find(&pages->pages, span_text(page_name(path)));
    if (!mapped && !(mapped = page_add(pages, path, err)))
        return -1;
    if (page->deadline_ms > page_deadline_ms(mapped))
        __atomic_store_n(&mapped->deadline_ms, page->deadline_ms, __ATOMIC_RELEASE);
    return 0;
}
