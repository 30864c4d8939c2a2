/* What the replicated map costs, beside delta_crdt 0.6 (AWLWWMap; measured elsewhere, on such a
 * machine).
 *
 * One line per figure. Only the library: no network, no disk. Keys have 24 bytes, values 100. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crdt/exchange.h"

enum { KEY_BYTES = 24, VALUE_BYTES = 100, BODY_BYTES = 60 * 1024, REPEATS = 5 };

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
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
    double best_new = 1e9, best_again = 1e9;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double begin = now_ms();
        struct awmap *map = map_with(1, keys);
        double filled = now_ms();
        for (unsigned i = 0; i < PUTS; i++)
            put(map, scatter(i, keys), i);
        double done = now_ms();
        best_new = filled - begin < best_new ? filled - begin : best_new;
        best_again = done - filled < best_again ? done - filled : best_again;
        awmap_free(map);
    }
    printf("local puts, %6u keys: new %4.2f M/s, again %4.2f M/s (delta_crdt %s)\n", keys,
           keys / best_new / 1e3, PUTS / best_again / 1e3, peer);
}

static void bench_memory(unsigned keys, unsigned rewrites)
{
    size_t before = heap_bytes();
    struct awmap *map = map_with(1, keys);
    uint64_t random = 1;
    for (unsigned i = 0; i < rewrites; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        put(map, (unsigned)((random >> 33) % keys), i);
    }
    awmap_changed_clear(map);
    double each = (double)(heap_bytes() - before) / keys;
    printf(
        "memory, %u keys, %u rewritten: %.0f B per key, of which key and value %d, ours %.0f "
        "(delta_crdt 700-970 B per key)\n",
        keys, rewrites, each, KEY_BYTES + VALUE_BYTES, each - KEY_BYTES - VALUE_BYTES);
    awmap_free(map);
}

/* One walk; returns the bytes sent, the position included. */
static size_t walk_between(struct awmap *to, const struct awmap *from)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    struct buffer body = {0};
    bool behind, last;
    awmap_position_encode(to, &body);
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

static void bench_catch_up(unsigned keys, const char *peer)
{
    struct awmap *from = map_with(1, keys);
    double best_walk = 1e9, best_full = 1e9;
    size_t walk_bytes = 0, full_bytes = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct awmap *to = awmap_new(), *other = awmap_new();
        double begin = now_ms();
        walk_bytes = walk_between(to, from);
        double walked = now_ms();
        full_bytes = full_between(other, from);
        double done = now_ms();
        best_walk = walked - begin < best_walk ? walked - begin : best_walk;
        best_full = done - walked < best_full ? done - walked : best_full;
        awmap_free(to);
        awmap_free(other);
    }
    double content = (double)keys * (KEY_BYTES + VALUE_BYTES);
    printf(
        "fresh replica, %6u keys: walk %.1f ms, %.2f MB = %.2fx content; full comparison %.1f "
        "ms, %.2fx (delta_crdt %s)\n",
        keys, best_walk, (double)walk_bytes / 1e6, (double)walk_bytes / content, best_full,
        (double)full_bytes / content, peer);
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
    printf("ten differ of %6u keys: both ways %.3f ms, %zu bytes (delta_crdt %s)\n", keys,
           now_ms() - begin, bytes, peer);
    awmap_free(a);
    awmap_free(b);
}

int main(void)
{
    bench_puts(1000, "103 k/s");
    bench_puts(10000, "152 k/s");
    bench_puts(150000, "69 k/s at 100k keys");
    bench_memory(10000, 0);
    bench_memory(150000, 0);
    bench_memory(150000, 600000);
    bench_catch_up(10000, "146 ms, 5.5 MB");
    bench_catch_up(30000, "572 ms, 20 MB");
    bench_catch_up(150000, "not measured");
    bench_ten_differ(10000, "5.8 ms, 167 KB");
    bench_ten_differ(30000, "9.2 ms, 372 KB");
    return 0;
}
