/* hordelet-guard, run for real as the first process of a pid namespace, with pages that the agent's
 * own code writes. Needs root; without, it says so and runs nothing. */
#include "agent/io/guard_pages.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/io/clock.h"
#include "unit.h"

enum { LONG_MS = 60000, SHORT_MS = 300 };
enum { SKIPPED = 77 }; /* ctest's SKIP_RETURN_CODE */

static char run_dir[] = "/dev/shm/guard_test.XXXXXX", data_dir[] = "/tmp/guard_test.XXXXXX";
static struct guard_pages pages;
static int mark[2]; /* a pipe */
static const struct child_id child = {.ns = "default", .workload = "web", .ordinal = 3};
static uint64_t epoch; /* one more each test: its own page */

static struct guard_page page_of(uint64_t deadline_ms)
{
    struct guard_page page = {.child = child, .epoch = epoch, .deadline_ms = deadline_ms};
    TEXT_SET(page.uid, "u");
    return page;
}

static void page_set(uint64_t deadline_ms)
{
    struct guard_page page = page_of(deadline_ms);
    struct error err = {0};
    CU_ASSERT_EQUAL_FATAL(guard_page_set(&pages, &page, &err), 0);
}

static const char *page_path(void)
{
    static char path[GUARD_PATH_BYTES_MAX];
    struct guard_page page = page_of(0);
    guard_page_path(&pages, &page, path);
    return path;
}

/* What a container is to the kernel: the guard's pid here. It runs `script` with sh. */
static pid_t guard_start(const char *page, const char *script)
{
    int ready[2];
    pid_t pid = -1;
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    pid_t maker = fork();
    if (maker == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(99);
        pid_t first = fork();
        if (first == 0) {
            dup2(mark[1], 9);
            execl(pages.program, "hordelet-guard", page, "/bin/sh", "-c", script, (char *)NULL);
            _exit(98);
        }
        (void)!write(ready[1], &first, sizeof first);
        int status;
        waitpid(first, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    close(ready[1]);
    CU_ASSERT_EQUAL_FATAL(read(ready[0], &pid, sizeof pid), sizeof pid);
    close(ready[0]);
    return maker;
}

static pid_t first_of(pid_t maker)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", maker, maker);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    return pid;
}

static int guard_end(pid_t maker)
{
    int status = 0;
    waitpid(maker, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t guard_start_page(const char *script)
{
    return guard_start(page_path(), script);
}

static int run(uint64_t lease_ms, const char *script)
{
    epoch++;
    page_set(clock_mono_ms() + lease_ms);
    return guard_end(guard_start_page(script));
}

/* A script says with `echo >&9` that it has come so far. */
static bool mark_appears(int within_ms)
{
    struct pollfd waiting = {.fd = mark[0], .events = POLLIN};
    char byte;
    return poll(&waiting, 1, within_ms) == 1 && read(mark[0], &byte, 1) == 1;
}

/* All that could have written a mark have ended. */
static bool marks_end(int within_ms)
{
    struct pollfd waiting = {.fd = mark[0], .events = POLLIN};
    close(mark[1]);
    bool ended = poll(&waiting, 1, within_ms) == 1 && waiting.revents == POLLHUP;
    close(mark[0]);
    return pipe2(mark, O_CLOEXEC) == 0 && ended;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void status_is_the_commands(void)
{
    CU_ASSERT_EQUAL(run(LONG_MS, "exit 7"), 7);
    CU_ASSERT_EQUAL(run(LONG_MS, "exit 0"), 0);
    CU_ASSERT_EQUAL(run(LONG_MS, "kill -9 $$"), 128 + SIGKILL);
}

static void a_late_start_runs_nothing(void)
{
    epoch++;
    page_set(clock_mono_ms()); /* now is not ahead */
    CU_ASSERT_EQUAL(guard_end(guard_start_page("echo >&9")), GUARD_EXIT_DEADLINE);
    CU_ASSERT_FALSE(mark_appears(0));
}

static void the_deadline_kills_everything(void)
{
    uint64_t began_ms = clock_mono_ms();
    /* One that ignores signals, and one that has left its session. */
    int status =
        run(SHORT_MS, "trap '' TERM HUP INT; setsid sleep 60 & while :; do sleep 60; done");
    uint64_t took_ms = clock_mono_ms() - began_ms;
    CU_ASSERT_EQUAL(status, GUARD_EXIT_DEADLINE);
    CU_ASSERT(took_ms >= SHORT_MS);
    CU_ASSERT(marks_end(10000));
}

/* False: this process was away until the first deadline had passed, so nothing was renewed. */
static bool renewed(uint64_t lease_ms)
{
    epoch++;
    uint64_t began_ms = clock_mono_ms();
    page_set(began_ms + lease_ms);
    pid_t maker = guard_start_page("sleep 60");
    page_set(began_ms + 3 * lease_ms);
    page_set(began_ms + lease_ms); /* an earlier one is ignored */
    bool in_time = clock_mono_ms() < began_ms + lease_ms;
    CU_ASSERT_EQUAL(guard_end(maker), GUARD_EXIT_DEADLINE);
    CU_ASSERT(!in_time || clock_mono_ms() - began_ms >= 3 * lease_ms);
    return in_time;
}

static void a_renewal_is_a_store_into_the_page(void)
{
    uint64_t lease_ms = SHORT_MS;
    while (!renewed(lease_ms) && lease_ms < LONG_MS)
        lease_ms *= 2;
    CU_ASSERT(lease_ms < LONG_MS);
}

static void signals_are_forwarded(void)
{
    epoch++;
    page_set(clock_mono_ms() + LONG_MS);
    pid_t maker = guard_start_page("trap 'exit 42' TERM; echo >&9; while :; do sleep 0.05; done");
    CU_ASSERT_FATAL(mark_appears(10000));
    kill(first_of(maker), SIGTERM);
    CU_ASSERT_EQUAL(guard_end(maker), 42);
}

static int children_of(pid_t pid)
{
    char path[64], children[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(children, sizeof children, file))
        children[0] = 0;
    if (file)
        fclose(file);
    int count = 0;
    for (const char *at = strtok(children, " "); at; at = strtok(NULL, " "))
        count++;
    return count;
}

/* The orphan of a command's child becomes the guard's, which must not keep it as a zombie. */
static void orphans_are_reaped(void)
{
    char path[128], script[256];
    epoch++;
    page_set(clock_mono_ms() + LONG_MS);
    snprintf(path, sizeof path, "%s/fifo", data_dir);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script,
             "sh -c '(cat %s; echo >&9) & exit 0'; echo >&9; while :; do sleep 60; done", path);
    pid_t maker = guard_start_page(script);
    CU_ASSERT_FATAL(mark_appears(10000));
    pid_t first = first_of(maker);
    CU_ASSERT_EQUAL(children_of(first), 2);
    close(open(path, O_WRONLY | O_CLOEXEC)); /* the orphan goes on */
    CU_ASSERT_FATAL(mark_appears(10000));    /* ... and is about to end */
    uint64_t until_ms = clock_mono_ms() + 10000;
    while (children_of(first) > 1 && clock_mono_ms() < until_ms)
        sched_yield();
    CU_ASSERT_EQUAL(children_of(first), 1);
    kill(first, SIGTERM);
    CU_ASSERT_EQUAL(guard_end(maker), 128 + SIGTERM);
}

static void a_page_that_is_none_runs_nothing(void)
{
    struct deadline_page page = {.deadline_ms = UINT64_MAX};
    char path[128];
    snprintf(path, sizeof path, "%s/page", data_dir);
    CU_ASSERT_EQUAL(guard_end(guard_start(path, "exit 0")), GUARD_EXIT_REFUSED); /* not there */
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    CU_ASSERT_EQUAL(guard_end(guard_start(path, "exit 0")), GUARD_EXIT_REFUSED); /* empty */
    memcpy(page.magic, GUARD_PAGE_MAGIC, GUARD_MAGIC_BYTES);
    memset(page.boot_id, 'x', sizeof page.boot_id);
    CU_ASSERT_EQUAL(pwrite(fd, &page, sizeof page, 0), sizeof page);
    CU_ASSERT_EQUAL(guard_end(guard_start(path, "exit 0")), GUARD_EXIT_REFUSED); /* other boot */
    memcpy(page.boot_id, pages.boot_id, sizeof page.boot_id);
    page.magic[0] = 'x';
    CU_ASSERT_EQUAL(pwrite(fd, &page, sizeof page, 0), sizeof page);
    CU_ASSERT_EQUAL(guard_end(guard_start(path, "exit 0")), GUARD_EXIT_REFUSED); /* other magic */
    memcpy(page.magic, GUARD_PAGE_MAGIC, GUARD_MAGIC_BYTES);
    CU_ASSERT_EQUAL(pwrite(fd, &page, sizeof page, 0), sizeof page);
    CU_ASSERT_EQUAL(guard_end(guard_start(path, "exit 0")), 0); /* this is what was missing */
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    close(fd);
    unlink(path);
}

static void a_command_that_is_none_is_named(void)
{
    CU_ASSERT_EQUAL(run(LONG_MS, "exec /no/such/thing"), GUARD_EXIT_NOT_FOUND);
    CU_ASSERT_EQUAL(run(LONG_MS, "exec /etc/passwd"), GUARD_EXIT_NOT_EXECUTABLE);
}

/* It must not run as anything but the first process: only its end ends all. */
static void only_as_the_first_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(pages.program, "hordelet-guard", "/none", "/bin/true", (char *)NULL);
        _exit(98);
    }
    CU_ASSERT_EQUAL(guard_end(pid), GUARD_EXIT_REFUSED);
}

/* Pages outlive the agent; those that guard nothing any more are swept. */
static void pages_survive_the_agent(void)
{
    struct error err = {0};
    epoch++;
    page_set(clock_mono_ms()); /* it has passed */
    epoch++;
    page_set(clock_mono_ms() + LONG_MS);
    pid_t maker = guard_start_page("echo >&9; exec sleep 60");
    CU_ASSERT_FATAL(mark_appears(10000)); /* it is there for signals */
    guard_pages_close(&pages);
    CU_ASSERT_EQUAL_FATAL(guard_pages_open(&pages, data_dir, run_dir, &err), 0);
    CU_ASSERT_EQUAL(access(page_path(), F_OK), 0);
    epoch--;
    CU_ASSERT_NOT_EQUAL(access(page_path(), F_OK), 0);
    epoch++;
    page_set(clock_mono_ms() + LONG_MS + 1); /* mapped anew: the same page */
    kill(first_of(maker), SIGTERM);
    CU_ASSERT_EQUAL(guard_end(maker), 128 + SIGTERM);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void remove_all(const char *directory)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void no_tmpfs_no_guard(void)
{
    char disk_dir[] = "/var/tmp/guard_test.XXXXXX";
    struct guard_pages none;
    struct statfs status;
    struct error err = {0};
    struct guard_page page = page_of(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(disk_dir));
    CU_ASSERT_EQUAL_FATAL(statfs(disk_dir, &status), 0);
    if (status.f_type == TMPFS_MAGIC) {
        puts("\nSKIPPED: no tmpfs, no guard: /var/tmp is not on a disk here");
    } else {
        CU_ASSERT_EQUAL_FATAL(guard_pages_open(&none, data_dir, disk_dir, &err), 0);
        CU_ASSERT_EQUAL(guard_page_set(&none, &page, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "must be on a tmpfs"));
        guard_pages_close(&none);
    }
    remove_all(disk_dir);
}

int main(void)
{
    struct error err = {0};
    if (geteuid() != 0) {
        puts("guard_test: SKIPPED, all of it: pid namespaces need root");
        return SKIPPED;
    }
    if (pipe2(mark, O_CLOEXEC) != 0 || !mkdtemp(run_dir) || !mkdtemp(data_dir) ||
        guard_pages_open(&pages, data_dir, run_dir, &err)) {
        fprintf(stderr, "guard_test: %s\n", err.text);
        return 1;
    }
    static const struct unit_test tests[] = {
        {"the status is the command's", status_is_the_commands},
        {"a late start runs nothing", a_late_start_runs_nothing},
        {"the deadline kills everything", the_deadline_kills_everything},
        {"a renewal is a store into the page", a_renewal_is_a_store_into_the_page},
        {"signals are forwarded", signals_are_forwarded},
        {"orphans are reaped", orphans_are_reaped},
        {"a page that is none runs nothing", a_page_that_is_none_runs_nothing},
        {"a command that is none is named", a_command_that_is_none_is_named},
        {"only as the first process", only_as_the_first_process},
        {"pages survive the agent", pages_survive_the_agent},
        {"no tmpfs, no guard", no_tmpfs_no_guard},
    };
    int status = unit_run("guard", tests, sizeof tests / sizeof *tests);
    guard_pages_close(&pages);
    remove_all(run_dir);
    remove_all(data_dir);
    return status;
}
