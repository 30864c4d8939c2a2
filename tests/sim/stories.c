/* How a scene is written down and compared. */
#include "tests/sim/stories.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 512, CONTEXT_LINES = 4 };

static void tale_line(struct tale *tale, const char *who, const char *what)
{
    char line[LINE_BYTES_MAX];
    int bytes = snprintf(line, sizeof line, "[%7llu] %s > %s\n",
                         (unsigned long long)(tale->sim.now_ms - tale->origin_ms), who, what);
    buffer_append(&tale->text, line, (size_t)bytes < sizeof line ? (size_t)bytes : sizeof line - 1);
}

/* Not of the protocol's scenes: ids drawn at random, and housekeeping of the map. */
static bool line_is_noise(const char *line)
{
    return strncmp(line, "node ", 5) == 0 || strncmp(line, "retired ", 8) == 0;
}

static void tale_hear(struct sim *sim, size_t index, const char *line)
{
    if (!line_is_noise(line))
        tale_line((struct tale *)sim, sim->nodes[index].name, line);
}

void tale_tell(struct tale *tale, const char *format, ...)
{
    char what[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tale_line(tale, "world", what);
}

/* --- Setting --------------------------------------------------------------------------------- */

void tale_init(struct tale *tale, size_t nodes)
{
    *tale = (struct tale){.origin_ms = 0};
    sim_init(&tale->sim, 1, nodes);
    tale->sim.delay_ms_min = tale->sim.delay_ms_max = 1;
}

void tale_curtain(struct tale *tale)
{
    tale->origin_ms = tale->sim.now_ms;
    tale->sim.listener = tale_hear;
}

void tale_init_running(struct tale *tale, size_t nodes, uint32_t replicas)
{
    tale_init(tale, nodes);
    sim_start_all(&tale->sim);
    if (!sim_until(&tale->sim, sim_all_alive, 10000))
        abort();
    sim_put_workload(&tale->sim, 0, "web", replicas, NULL);
    sim_run(&tale->sim, 200);
    if (!sim_until(&tale->sim, sim_is_converged, 30000))
        abort();
    sim_run(&tale->sim, 10000);
}

/* --- Acts ------------------------------------------------------------------------------------ */

void tale_start(struct tale *tale, size_t index)
{
    tale_tell(tale, "%s starts", tale->sim.nodes[index].name);
    sim_start(&tale->sim, index);
}

void tale_power_off(struct tale *tale, size_t index)
{
    tale_tell(tale, "%s loses power", tale->sim.nodes[index].name);
    sim_kill(&tale->sim, index);
    sim_kill_engine(&tale->sim, index);
}

void tale_detach(struct tale *tale, size_t index, uint64_t away_ms)
{
    struct request request = {.kind = REQUEST_DETACH, .away_ms = away_ms};
    tale_tell(tale, "a user detaches %s for %llu ms", tale->sim.nodes[index].name,
              (unsigned long long)away_ms);
    sim_request(&tale->sim, index, &request);
}

void tale_put(struct tale *tale, size_t index, uint32_t replicas)
{
    struct sim *sim = &tale->sim;
    tale_tell(tale, "a user asks %s for %u of web", sim->nodes[index].name, replicas);
    uint64_t id = sim_put_workload(sim, index, "web", replicas, NULL);
    for (uint64_t end_ms = sim->now_ms + 10000; !sim_reply(sim, id) && sim->now_ms < end_ms;)
        sim_run(sim, 1);
    const struct reply *reply = sim_reply(sim, id);
    tale_tell(tale, "%s answers %d%s", sim->nodes[index].name, reply ? reply->status : 0,
              reply && reply->alone ? ", known to it alone" : "");
}

void tale_run(struct tale *tale, uint64_t duration_ms)
{
    sim_run(&tale->sim, duration_ms);
}

/* --- The golden file ------------------------------------------------------------------------- */

static bool file_read(const char *path, struct buffer *ret_text)
{
    char block[4096];
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    for (size_t bytes; (bytes = fread(block, 1, sizeof block, file)) > 0;)
        buffer_append(ret_text, block, bytes);
    fclose(file);
    return true;
}

static bool file_write(const char *path, const struct buffer *text)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    bool written = fwrite(text->data, 1, text->bytes, file) == text->bytes;
    return fclose(file) == 0 && written;
}

/* The line that begins at *text, which moves behind it; empty at the end. */
static struct span line_next(struct span *text)
{
    const uint8_t *end = text->bytes > 0 ? memchr(text->data, '\n', text->bytes) : NULL;
    size_t bytes = end ? (size_t)(end - text->data) + 1 : text->bytes;
    struct span line = span_of(text->data, bytes);
    text->data += bytes;
    text->bytes -= bytes;
    return line;
}

static void lines_print(const char *mark, struct span text, size_t count)
{
    for (size_t i = 0; i < count && text.bytes > 0; i++) {
        struct span line = line_next(&text);
        printf("%s %.*s", mark, (int)line.bytes, (const char *)line.data);
    }
}

static void difference_print(const char *path, struct span golden, struct span told)
{
    struct span before[CONTEXT_LINES] = {{0}};
    size_t number = 0;
    for (;;) {
        struct span golden_left = golden, told_left = told;
        struct span line = line_next(&golden_left);
        if (!span_equal(line, line_next(&told_left)) || line.bytes == 0)
            break;
        before[number++ % CONTEXT_LINES] = line;
        golden = golden_left;
        told = told_left;
    }
    printf("\n%s:%zu: the scene goes otherwise (- as it was, + as it is)\n", path, number + 1);
    for (size_t i = number > CONTEXT_LINES ? number - CONTEXT_LINES : 0; i < number; i++)
        lines_print(" ", before[i % CONTEXT_LINES], 1);
    lines_print("-", golden, CONTEXT_LINES);
    lines_print("+", told, CONTEXT_LINES);
    printf("If that is meant: STORIES_WRITE=1 stories_test writes it anew; check its times.\n");
}

bool tale_end(struct tale *tale, const char *name, const char *plot)
{
    char path[128];
    struct buffer whole = {0}, golden = {0};
    snprintf(path, sizeof path, "tests/golden/stories/%s.txt", name);
    buffer_append(&whole, plot, strlen(plot));
    buffer_append(&whole, "\n", 1);
    buffer_append(&whole, tale->text.data, tale->text.bytes);
    bool same;
    if (getenv("STORIES_WRITE")) {
        same = file_write(path, &whole);
    } else {
        same = file_read(path, &golden) && span_equal(buffer_view(&golden), buffer_view(&whole));
        if (!same)
            difference_print(path, buffer_view(&golden), buffer_view(&whole));
    }
    same = same && tale->sim.violations == 0;
    buffer_release(&whole);
    buffer_release(&golden);
    buffer_release(&tale->text);
    sim_release(&tale->sim);
    return same;
}
