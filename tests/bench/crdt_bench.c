/* What the replicated map costs, beside delta_crdt 0.6 (AWLWWMap; measured elsewhere, on such a
 * machine).
 *
 * One line per figure. Only the library: no network, no disk. Keys have 24 bytes, values 100. */
#include <stdio.h>
#include <stdlib.h>

#include "crdt/exchange.h"
#include "tests/bench/bench.h"

enum { KEY_BYTES = 24, VALUE_BYTES = 100, BODY_BYTES = 60 * 1024, REPEATS = 5 };

static double now_ms(void)
{
    return bench_cpu_ns() / 1e6;
}

/* Scatters 0..count-1, so that keys are not written in any order that could help. */
static unsigned scatter(unsigned index, unsigned count)
{
    return (unsigned)((uint64_t)index * 1000003 % count);
}

static void put(struct awmap *map, unsigned number, uint64_t hlc)
{
    static uint8_t value[VALUE_BYTES];
    char key[] = "c/default/service/000000"; /* formatting must not cost more than the put */
    for (size_t at = KEY_BYTES; number > 0; number /= 10)
        key[--at] = (char)('0' + number % 10);
    value[0] = (uint8_t)hlc;
    awmap_put(map, span_of(key, KEY_BYTES), span_of(value, VALUE_BYTES), hlc << 16);
    if (awmap_changed_count(map) >= 1000)
        awmap_changed_clear(map);
}

static struct awmap *map_with(uint64_t writer, unsigned keys)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, writer, 0);
    for (unsigned i = 0; i < keys; i++)
        put(map, scatter(i, keys), i + UINT64_C(1700000000000));
    awmap_changed_clear(map);
    return map;
}

static void bench_puts(unsigned keys, const char *peer)
{
    enum { PUTS = 300000 };
    double fill[REPEATS], again[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = now_ms();
        struct awmap *map = map_with(1, keys);
        double filled = now_ms();
        for (unsigned i = 0; i < PUTS; i++)
            put(map, scatter(i, keys), i);
        again[repeat] = now_ms() - filled;
        fill[repeat] = filled - begin;
        awmap_free(map);
    }
    bench_line(bench_text("local puts into %u keys: new / again", keys),
               bench_text("%.2f / %.2f M/s", keys / bench_median(fill, REPEATS) / 1e3,
                          PUTS / bench_median(again, REPEATS) / 1e3),
               peer, "1 M/s", "-");
}

static void bench_memory(unsigned keys, unsigned rewrites)
{
    size_t before = bench_heap_bytes();
    struct awmap *map = map_with(1, keys);
    uint64_t random = 1;
    for (unsigned i = 0; i < rewrites; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        put(map, (unsigned)((random >> 33) % keys), i);
    }
    awmap_changed_clear(map);
    double each = (double)(bench_heap_bytes() - before) / keys;
    bench_line(bench_text("memory, %u keys, %u rewritten: beside key and value", keys, rewrites),
               bench_text("%.0f B per key", each - KEY_BYTES - VALUE_BYTES),
               "delta_crdt 700-970 B in all", "200 B", "-");
    awmap_free(map);
}

/* One walk; returns the bytes sent, the position included. */
static size_t walk_between(struct awmap *to, const struct awmap *from)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    struct buffer body = {0};
    bool behind, last;
    awmap_position_encode(to, NULL, &body);
    size_t bytes = body.bytes;
    if (!awmap_walk_begin(&walk, from, buffer_view(&body), &behind) || behind)
        abort();
    while (!walk.done) {
        buffer_clear(&body);
        awmap_walk_cut(&walk, from, BODY_BYTES, &body);
        bytes += body.bytes;
        if (!awmap_walk_apply(to, &intake, buffer_view(&body), &last))
            abort();
        awmap_changed_clear(to);
    }
    awmap_walk_release(&walk);
    buffer_release(&body);
    return bytes;
}

static size_t full_between(struct awmap *to, const struct awmap *from)
{
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    struct buffer body = {0};
    size_t bytes = 0;
    bool last;
    for (awmap_full_begin(&full, from, UINT32_MAX); !full.done;) {
        buffer_clear(&body);
        awmap_full_cut(&full, from, BODY_BYTES, &body);
        bytes += body.bytes;
        if (!awmap_full_apply(to, &intake, buffer_view(&body), &last))
            abort();
        awmap_changed_clear(to);
    }
    awmap_full_release(&full);
    buffer_release(&body);
    return bytes;
}

static void bench_catch_up(unsigned keys, const char *peer, const char *goal)
{
    struct awmap *from = map_with(1, keys);
    double walk[REPEATS], full[REPEATS];
    size_t walk_bytes = 0, full_bytes = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct awmap *to = awmap_new(), *other = awmap_new();
        double begin = now_ms();
        walk_bytes = walk_between(to, from);
        double walked = now_ms();
        full_bytes = full_between(other, from);
        double done = now_ms();
        walk[repeat] = walked - begin;
        full[repeat] = done - walked;
        awmap_free(to);
        awmap_free(other);
    }
    double content = (double)keys * (KEY_BYTES + VALUE_BYTES);
    bench_line(bench_text("fresh map, %u keys: a walk", keys),
               bench_text("%.1f ms, %.2f MB (%.2fx)", bench_median(walk, REPEATS),
                          (double)walk_bytes / 1e6, (double)walk_bytes / content),
               peer, goal, "-");
    bench_line(bench_text("fresh map, %u keys: a full comparison", keys),
               bench_text("%.1f ms, %.2f MB (%.2fx)", bench_median(full, REPEATS),
                          (double)full_bytes / 1e6, (double)full_bytes / content),
               peer, goal, "-");
    awmap_free(from);
}

static void bench_ten_differ(unsigned keys, const char *peer)
{
    struct awmap *a = map_with(1, keys), *b = awmap_new();
    awmap_set_writer(b, 2, 0);
    walk_between(b, a);
    for (unsigned i = 0; i < 5; i++) {
        put(a, scatter(i, keys), 5);
        put(b, scatter(keys / 2 + i, keys), 5);
    }
    double begin = now_ms();
    size_t bytes = sizeof(struct awmap_digest) + walk_between(b, a) + walk_between(a, b);
    double took = now_ms() - begin;
    bench_line(bench_text("two maps of %u keys differ in ten: both ways", keys),
               bench_text("%.3f ms, %.1f KB", took, (double)bytes / 1e3), peer, "4 KB", "-");
    awmap_free(a);
    awmap_free(b);
}

/* What any receiver must do with 150,000 entries: copy key and value into memory of its own. */
static void bench_limit(void)
{
    enum { KEYS = 150000 };
    static void *copies[KEYS];
    double ms[REPEATS];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = now_ms();
        for (unsigned i = 0; i < KEYS; i++)
            copies[i] = xcalloc(1, KEY_BYTES + VALUE_BYTES);
        ms[repeat] = now_ms() - begin;
        for (unsigned i = 0; i < KEYS; i++)
            free(copies[i]);
    }
    bench_line("(the limit: memory for 150,000 keys and values)",
               bench_text("%.1f ms", bench_median(ms, REPEATS)), "-", "-", "-");
}

int main(void)
{
    bench_puts(1000, "delta_crdt 0.10 M/s");
    bench_puts(10000, "delta_crdt 0.15 M/s");
    bench_puts(150000, "delta_crdt 0.07 M/s (100k)");
    bench_memory(10000, 0);
    bench_memory(150000, 0);
    bench_memory(150000, 600000);
    bench_catch_up(10000, "delta_crdt 146 ms, 5.5 MB", "20 ms, 1.1x");
    bench_catch_up(30000, "delta_crdt 572 ms, 20 MB", "60 ms, 1.1x");
    bench_catch_up(150000, "-", "500 ms, 1.1x");
    bench_limit();
    bench_ten_differ(10000, "delta_crdt 5.8 ms, 167 KB");
    bench_ten_differ(30000, "delta_crdt 9.2 ms, 372 KB");
    return 0;
}
