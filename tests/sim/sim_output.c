/* What simulated containers print: lines of 16 bytes, always the same ones for a container, so that
 * a reader's text can be judged by its offset. There are sim.printed_bytes of them when somebody
 * begins to read, and sim.print_bytes_per_ms more as time goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_private.h"

enum { OUTPUT_EVERY_MS = 5, OUTPUT_BYTES_MAX = 16 * 1024 };

void sim_output_text(const char *container_id, uint64_t from, size_t bytes, char *ret_text)
{
    char line[32];
    for (size_t i = 0; i < bytes; i++) {
        uint64_t at = from + i;
        if (i == 0 || at % SIM_LINE_BYTES == 0)
            snprintf(line, sizeof line, "%-5.5s %09llu\n", container_id,
                     (unsigned long long)(at / SIM_LINE_BYTES));
        ret_text[i] = line[at % SIM_LINE_BYTES];
    }
}

static void output_push(struct sim *sim, const struct sim_output *output)
{
    sim_push(sim, (struct sim_event){.kind = SIM_OUTPUT,
                                     .node = output->node,
                                     .run = output->run,
                                     .at_ms = sim->now_ms + OUTPUT_EVERY_MS,
                                     .asked_ms = output->id});
}

static struct sim_output *output_find(struct sim *sim, size_t node, uint64_t run, uint64_t id)
{
    for (size_t i = 0; i < sim->output_count; i++)
        if (sim->outputs[i].node == node && sim->outputs[i].run == run && sim->outputs[i].id == id)
            return &sim->outputs[i];
    return NULL;
}

void sim_output_ask(struct sim *sim, size_t index, const struct runtime_operation *operation)
{
    sim->outputs = xrealloc(sim->outputs, (sim->output_count + 1) * sizeof *sim->outputs);
    struct sim_output *output = &sim->outputs[sim->output_count++];
    *output = (struct sim_output){.node = index,
                                  .run = sim->nodes[index].run,
                                  .id = operation->id,
                                  .begun_ms = sim->now_ms,
                                  .follow = operation->output.follow,
                                  .engine_boot = sim->nodes[index].engine_boot};
    TEXT_SET(output->container_id, operation->container_id);
    output_push(sim, output);
}

void sim_output_flow(struct sim *sim, size_t index, const struct effect *effect)
{
    struct sim_output *output = output_find(sim, index, sim->nodes[index].run, effect->output.id);
    if (!output)
        return;
    output->granted += effect->output.bytes;
    output->cancelled |= effect->output.cancel;
}

static void output_done(struct sim *sim, struct sim_output *output, enum runtime_result result,
                        const char *message)
{
    struct event done = {.type = EVENT_RUNTIME_DONE,
                         .done = {.id = output->id, .result = result, .message = message}};
    size_t index = output->node;
    *output = sim->outputs[--sim->output_count];
    sim_step(sim, index, &done);
}

void sim_output_due(struct sim *sim, const struct sim_event *due)
{
    struct sim_node *self = &sim->nodes[due->node];
    struct sim_output *output = output_find(sim, due->node, due->run, due->asked_ms);
    char text[OUTPUT_BYTES_MAX];
    if (!output)
        return;
    if (self->run != output->run || !self->node || output->cancelled) {
        if (self->run == output->run && self->node)
            output_done(sim, output, RUNTIME_FAILED, "cancelled");
        else
            *output = sim->outputs[--sim->output_count];
        return;
    }
    if (self->engine_dead || output->engine_boot != self->engine_boot) {
        output_done(sim, output, RUNTIME_FAILED, "the connection was broken");
        return;
    }
    const struct sim_container *at = sim_container(sim, output->node, output->container_id);
    bool running = at && at->container.state == CONTAINER_RUNNING;
    uint64_t printed = sim->printed_bytes;
    if (output->follow && running)
        output->more_ms = sim->now_ms - output->begun_ms;
    printed += output->more_ms * sim->print_bytes_per_ms;
    if (sim->output_hangs)
        output->granted = 0;
    uint64_t limit = printed < output->granted ? printed : output->granted;
    size_t bytes = limit > output->told ? (size_t)(limit - output->told) : 0;
    bytes = bytes < OUTPUT_BYTES_MAX ? bytes : OUTPUT_BYTES_MAX;
    if (bytes == 0 && output->told == printed && !(output->follow && running)) {
        output_done(sim, output, RUNTIME_OK, NULL);
        return;
    }
    output_push(sim, output);
    if (bytes == 0)
        return;
    sim_output_text(output->container_id, output->told, bytes, text);
    output->told += bytes;
    struct event event = {.type = EVENT_RUNTIME_OUTPUT,
                          .output = {.id = output->id, .bytes = span_of(text, bytes)}};
    sim_step(sim, due->node, &event);
}
