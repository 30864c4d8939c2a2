/* What all benchmarks share: the clock, medians, and the one form of a line:
 *
 *     what | ours | peer | goal | limit
 *
 * `peer` is another system's figure, measured on a machine like ours; `limit` what the machine
 * itself allows, measured in the same run. "-" where there is none. Benchmarks print, and never
 * fail. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Of this thread on a processor: what the other users of a shared machine take is not ours. Not for
 * what waits. */
static inline double bench_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline size_t bench_heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_percentile(double *values, size_t count, size_t percent)
{
    qsort(values, count, sizeof *values, bench_compare);
    return values[count * percent / 100 < count ? count * percent / 100 : count - 1];
}

static inline double bench_median(double *values, size_t count)
{
    return bench_percentile(values, count, 50);
}

/* A text that lives for the next few lines. */
__attribute__((format(printf, 1, 2))) static inline const char *bench_text(const char *format, ...)
{
    static char texts[16][160];
    static unsigned last;
    char *text = texts[++last % 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof texts[0], format, arguments);
    va_end(arguments);
    return text;
}

static inline void bench_line(const char *what, const char *ours, const char *peer,
                              const char *goal, const char *limit)
{
    printf("%-58s | %-26s | %-26s | %-20s | %s\n", what, ours, peer, goal, limit);
    fflush(stdout);
}

#endif
