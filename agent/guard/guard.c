/* hordelet-guard PAGE COMMAND [ARGUMENT...]: the first process of a container that must not outlive
 * its lease (docs/quorum.md; PaxosLease's "the owner stops by itself").
 *
 * It runs the command only if the deadline in the page is still ahead, forwards signals to it,
 * reaps, and ends with its status. At the deadline it ends at once: the kernel then kills every
 * process of the container, for that is what the death of a pid namespace's first process means
 * (pid_namespaces(7)). It asks nobody: the agent may be stopped or dead, the engine may hang.
 *
 * What it rests on:
 * - CLOCK_BOOTTIME: it counts on while the machine sleeps, and nobody can set it.
 * - The page is memory shared with the agent; the guard's own memory is locked if the container's
 *   limits allow it. So neither a disk nor a pipe that hangs can delay the end: nothing is read or
 *   written on that way.
 * - A page of an earlier boot, a clock with an offset (time_namespaces(7)) or a pid other than 1
 *   would void the promise: then nothing is run.
 * - A page that is cut short kills the guard (SIGBUS), and so the container.
 *
 * Static and without allocations, for it lives beside every guarded workload. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/guard/page.h"

/* --- Words ------------------------------------------------------------------------------------ */

/* Only on ways that run nothing: a full pipe may keep us here for ever. */
static int refuse(int status, const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "hordelet-guard: %s: %s\n", what, why);
    return status;
}

/* --- The page --------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static uint64_t deadline_ms(const struct deadline_page *page)
{
    return __atomic_load_n(&page->deadline_ms, __ATOMIC_ACQUIRE);
}

static const struct deadline_page *page_map(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size < (off_t)sizeof(struct deadline_page))
        return NULL;
    void *page = mmap(NULL, sizeof(struct deadline_page), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static bool page_is_of_this_boot(const struct deadline_page *page)
{
    char boot_id[GUARD_BOOT_ID_BYTES];
    int fd = open(GUARD_BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
    bool read_whole = fd >= 0 && read(fd, boot_id, sizeof boot_id) == sizeof boot_id;
    if (fd >= 0)
        close(fd);
    return read_whole && memcmp(boot_id, page->boot_id, sizeof boot_id) == 0;
}

/* "monotonic 0 0\nboottime 0 0\n"; no such file: a kernel without time namespaces. */
static bool clock_is_the_machines(void)
{
    char text[256], *at;
    long seconds = 1, nanoseconds = 1;
    int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    text[bytes > 0 ? bytes : 0] = 0;
    at = strstr(text, "boottime");
    return at && sscanf(at, "boottime %ld %ld", &seconds, &nanoseconds) == 2 && seconds == 0 &&
           nanoseconds == 0;
}

/* --- The command ------------------------------------------------------------------------------ */

static pid_t command_start(char **argv, const sigset_t *signals_before)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigprocmask(SIG_SETMASK, signals_before, NULL);
    execvp(argv[0], argv);
    int reason = errno;
    _exit(refuse(reason == ENOENT ? GUARD_EXIT_NOT_FOUND : GUARD_EXIT_NOT_EXECUTABLE, argv[0],
                 strerror(reason)));
}

/* Ends with the command. */
static void reap(pid_t command)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == command)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void take_signal(int signals, pid_t command)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        reap(command);
    else
        kill(command, (int)info.ssi_signo);
}

static void timer_set(int timer, uint64_t at_ms)
{
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void watch(const struct deadline_page *page, int signals, int timer, pid_t command)
{
    struct pollfd waiting[] = {{.fd = signals, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
    for (;;) {
        uint64_t until_ms = deadline_ms(page);
        if (now_ms() >= until_ms)
            _exit(GUARD_EXIT_DEADLINE);
        timer_set(timer, until_ms);
        poll(waiting, 2, -1);
        if (waiting[0].revents)
            take_signal(signals, command);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return refuse(GUARD_EXIT_REFUSED, "usage", "hordelet-guard PAGE COMMAND [ARGUMENT...]");
    if (getpid() != 1)
        return refuse(GUARD_EXIT_REFUSED, "not run", "I must be the container's first process");
    const struct deadline_page *page = page_map(argv[1]);
    if (!page || memcmp(page->magic, GUARD_PAGE_MAGIC, GUARD_MAGIC_BYTES) != 0)
        return refuse(GUARD_EXIT_REFUSED, argv[1], "this is no page of an agent");
    if (!page_is_of_this_boot(page) || !clock_is_the_machines())
        return refuse(GUARD_EXIT_REFUSED, argv[1], "its times are not those of this boot's clock");
    mlockall(MCL_CURRENT); /* as far as the limits allow */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (signals < 0 || timer < 0)
        return refuse(GUARD_EXIT_REFUSED, "not run", strerror(errno));
    if (now_ms() >= deadline_ms(page))
        return refuse(GUARD_EXIT_DEADLINE, argv[2], "not run: its lease has passed");
    pid_t command = command_start(argv + 2, &before);
    if (command < 0)
        return refuse(GUARD_EXIT_NOT_EXECUTABLE, argv[2], strerror(errno));
    watch(page, signals, timer, command);
}
