/* Operations: each is a short chain of requests. An answer goes to the operation's current step,
 * which sends the next request or finishes. What has happened is decided by the container's state,
 * inspected at the end, never by the status of the request that should have brought it about:
 * engines differ in those.
 *
 *   STOP    stop, or kill -> inspect [-> wait -> inspect]
 *   REMOVE  delete [-> inspect]
 *   PULL    inspect the image [-> create -> inspect the image]
 *   LIST    see docker_list.c
 *   START   see docker_start.c
 *   PROBE   see docker_probe.c
 *   OUTPUT  see docker_output.c
 *
 * Invariant: an operation that has begun has one request (or list) under way, whose timeout is what
 * is left of the operation's own. So each ends, and operation_finish is its only end. */
#include "agent/io/docker_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_INTERVAL_MS = 1000 };

/* ---- life ---- */

static void operation_free(struct docker_operation *operation)
{
    free((char *)operation->request.document);
    free((char *)operation->request.image);
    free(operation->body);
    free(operation->pull);
    docker_probe_release(&operation->probe);
    free(operation);
}

void docker_operations_release(struct docker *docker)
{
    while (docker->operations) {
        struct docker_operation *operation = docker->operations;
        docker->operations = operation->next;
        operation_free(operation);
    }
}

void operation_finish(struct docker_operation *operation, enum runtime_result result,
                      const char *message, const struct container *container)
{
    struct docker *docker = operation->docker;
    bool changes =
        operation->request.kind != RUNTIME_PROBE && operation->request.kind != RUNTIME_OUTPUT;
    char text[MESSAGE_BYTES_MAX + 1];
    TEXT_SET(text, message ? message : "");
    struct event event = {.type = EVENT_RUNTIME_DONE};
    event.done.id = operation->request.id;
    event.done.result = result;
    event.done.message = message ? text : NULL;
    event.done.container = container;
    if (container)
        docker_note(docker, container);
    *operation->link = operation->next;
    if (operation->next)
        operation->next->link = operation->link;
    docker_tell(docker, &event);
    operation_free(operation); /* only now: container and message may lie in it */
    if (result == RUNTIME_TIMED_OUT && changes)
        docker_watch_relist(docker);
}

/* ---- requests ---- */

static void operation_answered(void *context, const struct docker_answer *answer)
{
    struct docker_operation *operation = context;
    if (answer->status != 0) {
        operation->step(operation, answer);
        return;
    }
    if (operation->request.kind == RUNTIME_PROBE) {
        operation_probe_unanswered(operation, answer);
        return;
    }
    docker_watch_suspect(operation->docker);
    operation_finish(operation, answer->timed_out ? RUNTIME_TIMED_OUT : RUNTIME_FAILED,
                     answer->problem, NULL);
}

void operation_send_request(struct docker_operation *operation, struct docker_request *request,
                            docker_step_function step)
{
    uint64_t left_ms = docker_left_ms(operation->deadline_ms);
    bool probe = operation->request.kind == RUNTIME_PROBE;
    if (left_ms == 0) {
        operation_finish(operation, RUNTIME_TIMED_OUT, "no time left", NULL);
        return;
    }
    operation->step = step;
    request->timeout_ms = left_ms == DOCKER_NO_DEADLINE ? 0 : left_ms;
    request->done = operation_answered;
    request->context = operation;
    docker_http_send(probe ? operation->docker->probes : operation->docker->slow, request);
}

void operation_send(struct docker_operation *operation, const char *method, const char *path,
                    const char *body, docker_step_function step)
{
    struct docker_request request = {
        .method = method, .path = path, .body = body, .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX};
    operation_send_request(operation, &request, step);
}

void operation_send_container(struct docker_operation *operation, const char *method,
                              const char *id, const char *rest, docker_step_function step)
{
    char escaped[3 * DOCKER_NAME_BYTES_MAX], path[sizeof escaped + 128];
    docker_json_percent(id, "", escaped, sizeof escaped); /* a name or an id: it fits */
    snprintf(path, sizeof path, "%s/containers/%s%s", operation->docker->prefix, escaped, rest);
    operation_send(operation, method, path, NULL, step);
}

void operation_send_image(struct docker_operation *operation, const char *image,
                          docker_step_function step)
{
    char escaped[3 * IMAGE_BYTES_MAX + 1], path[sizeof escaped + 64];
    if (!docker_json_percent(image, "/:@", escaped, sizeof escaped)) {
        operation_finish(operation, RUNTIME_INVALID, "image: too long", NULL);
        return;
    }
    snprintf(path, sizeof path, "%s/images/%s/json", operation->docker->prefix, escaped);
    operation_send(operation, "GET", path, NULL, step);
}

void operation_keep(struct docker_operation *operation, const char *what,
                    const struct docker_answer *answer)
{
    operation->status = answer->status;
    docker_answer_message(operation->message, what, answer);
}

void operation_fail(struct docker_operation *operation, const char *what,
                    const struct docker_answer *answer)
{
    operation_keep(operation, what, answer);
    operation_finish(operation, RUNTIME_FAILED, operation->message, NULL);
}

static void operation_finish_gone(struct docker_operation *operation)
{
    struct container container = {.state = CONTAINER_GONE};
    TEXT_SET(container.id, operation->request.container_id);
    operation_finish(operation, RUNTIME_OK, NULL, &container);
}

/* ---- STOP ---- */

static void stop_inspected(struct docker_operation *operation, const struct docker_answer *answer);

static void stop_sent(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (operation->status == 0) /* of the stop, not of the wait */
        operation_keep(operation, "stop", answer);
    operation_send_container(operation, "GET", operation->request.container_id, "/json",
                             stop_inspected);
}

/* Still running: the engine answers before the end (a kill), or stop failed, or we wait for ever.
 */
static void stop_inspected(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_container docker;
    struct error err;
    if (answer->status == 404) {
        operation_finish_gone(operation);
        return;
    }
    if (!answer_is_good(answer)) {
        operation_fail(operation, "inspect", answer);
        return;
    }
    if (docker_json_inspect(&docker, answer->body, &err)) {
        operation_finish(operation, RUNTIME_FAILED, err.text, NULL);
        return;
    }
    if (docker.container.state != CONTAINER_RUNNING) {
        operation_finish(operation, RUNTIME_OK, NULL, &docker.container);
        return;
    }
    if (operation->status >= 500 || operation->waited) {
        operation_finish(operation, RUNTIME_FAILED,
                         operation->status >= 500 ? operation->message : "it is still running",
                         &docker.container);
        return;
    }
    operation->waited = true;
    operation_send_container(operation, "POST", operation->request.container_id,
                             "/wait?condition=not-running", stop_sent);
}

static void operation_stop(struct docker_operation *operation)
{
    uint64_t stop_ms = operation->request.stop_ms;
    char rest[48] = "/kill?signal=SIGTERM";
    if (stop_ms == SHUTDOWN_BRUTAL_KILL)
        snprintf(rest, sizeof rest, "/kill?signal=SIGKILL");
    else if (stop_ms != SHUTDOWN_INFINITY)
        snprintf(rest, sizeof rest, "/stop?t=%" PRIu64, stop_ms / 1000 + (stop_ms % 1000 != 0));
    operation_send_container(operation, "POST", operation->request.container_id, rest, stop_sent);
}

/* ---- REMOVE ---- */

static void remove_inspected(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_container docker;
    struct error err;
    bool gone = answer->status == 404 ||
                (answer_is_good(answer) && docker_json_inspect(&docker, answer->body, &err) == 0 &&
                 docker.container.state == CONTAINER_GONE);
    if (gone)
        operation_finish_gone(operation);
    else
        operation_finish(operation, RUNTIME_FAILED, operation->message, NULL);
}

static void remove_sent(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (answer_is_good(answer) || answer->status == 404) {
        operation_finish_gone(operation);
        return;
    }
    operation_keep(operation, "remove", answer);
    operation_send_container(operation, "GET", operation->request.container_id, "/json",
                             remove_inspected);
}

static void operation_remove(struct docker_operation *operation)
{
    operation_send_container(operation, "DELETE", operation->request.container_id, "?v=1",
                             remove_sent);
}

/* ---- PULL ---- */

static void pull_line(void *context, struct span line)
{
    struct docker_operation *operation = context;
    docker_json_pull_line(operation->pull, line);
    uint64_t now_ms = docker_now_ms();
    if (operation->pull->error[0] || now_ms - operation->told_ms < PROGRESS_INTERVAL_MS)
        return;
    operation->told_ms = now_ms;
    char text[MESSAGE_BYTES_MAX + 1];
    docker_json_pull_text(operation->pull, text, sizeof text);
    struct event event = {.type = EVENT_RUNTIME_PROGRESS};
    event.progress.id = operation->request.id;
    event.progress.text = text;
    docker_tell(operation->docker, &event);
}

static void pull_verified(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (answer_is_good(answer))
        operation_finish(operation, RUNTIME_OK, NULL, NULL);
    else
        operation_fail(operation, "pulled, but not there", answer);
}

/* In an answer of 200 every error is possible, from "no such image" (podman) to a full disk. */
static bool pull_error_means_missing(const char *error)
{
    static const char *const words[] = {"not found",     "manifest unknown",  "no such host",
                                        "denied",        "unauthorized",      "does not exist",
                                        "no such image", "connection refused"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(error, words[i]))
            return true;
    return false;
}

static void pull_sent(struct docker_operation *operation, const struct docker_answer *answer)
{
    docker_json_pull_line(operation->pull, answer->body); /* a last line without its end */
    const char *error = operation->pull->error;
    if (answer_is_good(answer) && !error[0]) {
        operation_send_image(operation, operation->request.image, pull_verified);
        return;
    }
    bool missing = !answer_is_good(answer) || pull_error_means_missing(error);
    if (error[0])
        docker_message(operation->message, "pull", error);
    else
        docker_answer_message(operation->message, "pull", answer);
    operation_finish(operation, missing ? RUNTIME_IMAGE_MISSING : RUNTIME_FAILED,
                     operation->message, NULL);
}

static void pull_send(struct docker_operation *operation)
{
    char query[DOCKER_PATH_BYTES_MAX - 64], path[DOCKER_PATH_BYTES_MAX];
    if (!docker_json_pull_query(operation->request.image, query, sizeof query)) {
        operation_finish(operation, RUNTIME_IMAGE_MISSING, "image: too long", NULL);
        return;
    }
    snprintf(path, sizeof path, "%s/images/create?%s", operation->docker->prefix, query);
    operation->pull = xcalloc(1, sizeof *operation->pull);
    struct docker_request request = {.method = "POST",
                                     .path = path,
                                     .answer_bytes_max = DOCKER_STREAM_BYTES_MAX,
                                     .line = pull_line};
    operation_send_request(operation, &request, pull_sent);
}

static void pull_looked(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (answer_is_good(answer))
        operation_finish(operation, RUNTIME_OK, NULL, NULL);
    else if (answer->status >= 500)
        operation_fail(operation, "inspect image", answer);
    else if (operation->request.pull != PULL_NEVER)
        pull_send(operation);
    else
        operation_finish(operation, RUNTIME_IMAGE_MISSING,
                         "the image is not here, and imagePullPolicy is Never", NULL);
}

static void operation_pull(struct docker_operation *operation)
{
    if (!operation->request.image || !operation->request.image[0])
        operation_finish(operation, RUNTIME_IMAGE_MISSING, "no image", NULL);
    else if (operation->request.pull == PULL_ALWAYS)
        pull_send(operation);
    else
        operation_send_image(operation, operation->request.image, pull_looked);
}

/* ---- LIST ---- */

static void list_done(void *context, const struct docker_list_result *result)
{
    struct docker_operation *operation = context;
    operation->list = NULL;
    if (!result->containers) {
        operation_finish(operation, result->timed_out ? RUNTIME_TIMED_OUT : RUNTIME_FAILED,
                         result->problem, NULL);
        return;
    }
    struct event event = {.type = EVENT_RUNTIME_LIST};
    event.list.containers = result->containers;
    event.list.count = result->count;
    docker_tell(operation->docker, &event);
    operation_finish(operation, RUNTIME_OK, NULL, NULL);
}

static void operation_list(struct docker_operation *operation)
{
    uint64_t left_ms = docker_left_ms(operation->deadline_ms);
    if (left_ms > RUNTIME_LIST_TIMEOUT_MS)
        left_ms = RUNTIME_LIST_TIMEOUT_MS;
    operation->list = docker_list_start(operation->docker, left_ms, list_done, operation);
}

/* ---- submit ---- */

static void operation_begin(struct docker_operation *operation)
{
    static void (*const begin[])(struct docker_operation *) = {
        [RUNTIME_PULL] = operation_pull,     [RUNTIME_START] = operation_start,
        [RUNTIME_STOP] = operation_stop,     [RUNTIME_REMOVE] = operation_remove,
        [RUNTIME_PROBE] = operation_probe,   [RUNTIME_LIST] = operation_list,
        [RUNTIME_OUTPUT] = operation_output,
    };
    operation->begun = true;
    if (docker_left_ms(operation->deadline_ms) == 0)
        operation_finish(operation, RUNTIME_TIMED_OUT, "no time left", NULL);
    else
        begin[operation->request.kind](operation);
}

/* The oldest first: submit puts new ones at the end. The list may change with each. */
void docker_operations_begin(struct docker *docker)
{
    struct docker_operation *operation = docker->operations;
    while (operation && !docker->released) {
        if (operation->begun && !operation->cancelled) {
            operation = operation->next;
            continue;
        }
        if (operation->cancelled)
            operation_finish(operation, RUNTIME_FAILED, "cancelled", NULL);
        else
            operation_begin(operation);
        operation = docker->operations;
    }
}

static void operations_begin(uv_timer_t *timer)
{
    docker_operations_begin(timer->data);
}

void docker_begin_soon(struct docker *docker)
{
    uv_timer_start(&docker->begin, operations_begin, 0, 0);
}

void docker_submit(struct runtime *runtime, const struct runtime_operation *request)
{
    struct docker *docker = (struct docker *)runtime;
    if (docker->released)
        return;
    struct docker_operation *operation = xcalloc(1, sizeof *operation);
    operation->docker = docker;
    operation->request = *request;
    operation->request.document = request->document ? xstrdup(request->document) : NULL;
    operation->request.image = request->image ? xstrdup(request->image) : NULL;
    if (request->kind == RUNTIME_PROBE)
        operation_probe_prepare(operation);
    uint64_t now_ms = docker_now_ms();
    operation->deadline_ms = request->timeout_ms < UINT64_MAX - now_ms
                                 ? now_ms + request->timeout_ms
                                 : DOCKER_NO_DEADLINE;
    struct docker_operation **link = &docker->operations;
    while (*link)
        link = &(*link)->next;
    operation->link = link;
    *link = operation;
    docker_begin_soon(docker);
}
