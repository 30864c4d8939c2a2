/* OUTPUT: GET containers/ID/logs, a stream that may last for ever. Its reader grants bytes; when
 * they are used up the engine is not read any more, and it is up to the engine to hold back the
 * container's log. */
#include "agent/io/docker_private.h"

#include <inttypes.h>
#include <stdio.h>

static struct docker_operation *output_find(struct docker *docker, uint64_t id)
{
    struct docker_operation *operation = docker->operations;
    while (operation && (operation->request.id != id || operation->request.kind != RUNTIME_OUTPUT))
        operation = operation->next;
    return operation;
}

static void output_hold(struct docker_operation *operation)
{
    if (operation->call)
        docker_call_hold(operation->call, operation->granted <= 0);
}

static void output_tell(struct docker_operation *operation, const struct buffer *printed)
{
    struct event event = {.type = EVENT_RUNTIME_OUTPUT};
    event.output.id = operation->request.id;
    event.output.bytes = buffer_view(printed);
    operation->granted -= (int64_t)printed->bytes;
    output_hold(operation);
    if (printed->bytes > 0)
        docker_tell(operation->docker, &event);
}

static void output_piece(void *context, struct span bytes)
{
    struct docker_operation *operation = context;
    struct buffer printed = {0};
    if (docker_output_read(&operation->output, bytes, &printed)) {
        output_tell(operation, &printed);
    } else {
        docker_call_cancel(operation->call);
        operation->call = NULL;
        operation_finish(operation, RUNTIME_FAILED, "the log is not in the engine's format", NULL);
    }
    buffer_release(&printed);
}

static void output_ended(void *context, const struct docker_answer *answer)
{
    struct docker_operation *operation = context;
    struct buffer printed = {0};
    operation->call = NULL;
    if (!answer_is_good(answer)) {
        if (answer->status == 0)
            docker_watch_suspect(operation->docker);
        operation_fail(operation, "log", answer);
        return;
    }
    docker_output_end(&operation->output, &printed);
    output_tell(operation, &printed);
    buffer_release(&printed);
    operation_finish(operation, RUNTIME_OK, NULL, NULL);
}

void operation_output(struct docker_operation *operation)
{
    const struct runtime_operation *asked = &operation->request;
    char id[3 * CONTAINER_ID_BYTES_MAX + 1], tail[16] = "all", since[48] = "";
    char path[sizeof id + 256];
    docker_json_percent(asked->container_id, "", id, sizeof id); /* it fits */
    if (asked->output.tail != OUTPUT_TAIL_ALL)
        snprintf(tail, sizeof tail, "%" PRIu32, asked->output.tail);
    if (asked->since_ms)
        snprintf(since, sizeof since, "&since=%" PRIu64 ".%03" PRIu64, asked->since_ms / 1000,
                 asked->since_ms % 1000);
    snprintf(path, sizeof path,
             "%s/containers/%s/logs?stdout=1&stderr=1&follow=%d&timestamps=%d&tail=%s%s",
             operation->docker->prefix, id, asked->output.follow, asked->output.timestamps, tail,
             since);
    struct docker_request request = {.method = "GET",
                                     .path = path,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .piece = output_piece,
                                     .done = output_ended,
                                     .context = operation};
    operation->call = docker_http_send(operation->docker->outputs, &request);
    output_hold(operation);
}

void docker_output_flow(struct runtime *runtime, uint64_t id, size_t bytes, bool cancel)
{
    struct docker_operation *operation = output_find((struct docker *)runtime, id);
    if (!operation)
        return;
    operation->granted += (int64_t)bytes;
    operation->cancelled |= cancel;
    if (!cancel) {
        output_hold(operation);
        return;
    }
    docker_call_cancel(operation->call);
    operation->call = NULL;
    docker_begin_soon(operation->docker); /* its end is told one turn later */
}
