/* PROBE: one question to one container.
 *
 *   httpGet, tcpSocket   one connection of its own, to the container
 *   exec                 [is the command before this one still at it?] create -> start, until it
 *                        ends -> inspect
 *
 * Only what the container does counts: an engine that does not answer has said nothing of it. The
 * engine cannot end a command. One that has outlived its time is noted, and while it runs no other
 * is started: it is bad news of its own. */
#include "agent/io/docker_private.h"

#include <stdio.h>
#include <string.h>

enum { OUTPUT_BYTES_MAX = 1024 }; /* of a command, for the message; the rest is let go */

static void probe_finish_bad(struct docker_operation *operation, const char *message)
{
    operation_finish(operation, RUNTIME_UNHEALTHY, message, NULL);
}

/* ---- commands that have outlived their time ---- */

static struct docker_stuck *stuck_find(struct docker *docker,
                                       const struct runtime_operation *request)
{
    for (size_t i = 0; i < docker->stuck_count; i++)
        if (docker->stuck[i].probe == request->probe &&
            strcmp(docker->stuck[i].container_id, request->container_id) == 0)
            return &docker->stuck[i];
    return NULL;
}

static void stuck_drop(struct docker *docker, struct docker_stuck *stuck)
{
    size_t at = (size_t)(stuck - docker->stuck);
    memmove(stuck, stuck + 1, (docker->stuck_count - at - 1) * sizeof *stuck);
    docker->stuck_count--;
}

/* Of more than fit the oldest is not known any more. */
static void stuck_note(struct docker_operation *operation)
{
    struct docker *docker = operation->docker;
    if (docker->stuck_count == DOCKER_STUCK_MAX)
        stuck_drop(docker, &docker->stuck[0]);
    struct docker_stuck *stuck = &docker->stuck[docker->stuck_count++];
    *stuck = (struct docker_stuck){.probe = operation->request.probe};
    TEXT_SET(stuck->container_id, operation->request.container_id);
    TEXT_SET(stuck->exec_id, operation->id);
}

/* ---- exec ---- */

static void exec_send(struct docker_operation *operation, const char *method, const char *rest,
                      const char *body, docker_step_function step)
{
    char path[sizeof operation->id + 64];
    snprintf(path, sizeof path, "%s/exec/%s%s", operation->docker->prefix, operation->id, rest);
    operation_send(operation, method, path, body, step);
}

static void exec_inspected(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_exec exec;
    struct error err;
    char text[MESSAGE_BYTES_MAX + 1];
    if (!answer_is_good(answer)) {
        operation_fail(operation, "inspect the command", answer);
        return;
    }
    if (docker_json_exec(&exec, answer->body, &err)) {
        operation_finish(operation, RUNTIME_FAILED, err.text, NULL);
        return;
    }
    if (exec.running) {
        operation_finish(operation, RUNTIME_FAILED, "the engine lost the command", NULL);
        return;
    }
    if (exec.exit_code == 0) {
        operation_finish(operation, RUNTIME_OK, NULL, NULL);
        return;
    }
    snprintf(text, sizeof text, "exit code %d%s%.200s", exec.exit_code,
             operation->message[0] ? ": " : "", operation->message);
    probe_finish_bad(operation, text);
}

/* The answer to the start ends with the command; its body is what the command has printed. */
static void exec_ended(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (!answer_is_good(answer)) {
        operation_keep(operation, "start the command", answer);
        probe_finish_bad(operation, operation->message);
        return;
    }
    docker_exec_text(operation->message, sizeof operation->message, answer->body);
    exec_send(operation, "GET", "/json", NULL, exec_inspected);
}

static void exec_created(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct error err;
    if (!answer_is_good(answer)) {
        operation_fail(operation, "create the command", answer);
        return;
    }
    if (docker_json_created(operation->id, answer->body, &err)) {
        operation_finish(operation, RUNTIME_FAILED, err.text, NULL);
        return;
    }
    char path[sizeof operation->id + 64];
    snprintf(path, sizeof path, "%s/exec/%s/start", operation->docker->prefix, operation->id);
    struct docker_request request = {.method = "POST",
                                     .path = path,
                                     .body = "{\"Detach\":false,\"Tty\":false}",
                                     .keep = DOCKER_KEEP_START,
                                     .answer_bytes_max = OUTPUT_BYTES_MAX};
    operation_send_request(operation, &request, exec_ended);
}

static void exec_create(struct docker_operation *operation)
{
    char path[sizeof operation->request.container_id + 64];
    snprintf(path, sizeof path, "%s/containers/%s/exec", operation->docker->prefix,
             operation->request.container_id);
    operation_send(operation, "POST", path, operation->probe.body, exec_created);
}

static void stuck_inspected(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_exec exec;
    struct error err;
    struct docker_stuck *stuck = stuck_find(operation->docker, &operation->request);
    bool known = answer_is_good(answer) && docker_json_exec(&exec, answer->body, &err) == 0;
    if (known && exec.running) {
        probe_finish_bad(operation, "the command of an earlier probe still runs");
        return;
    }
    if (stuck)
        stuck_drop(operation->docker, stuck);
    exec_create(operation);
}

static void probe_exec(struct docker_operation *operation)
{
    const struct docker_stuck *stuck = stuck_find(operation->docker, &operation->request);
    if (!stuck) {
        exec_create(operation);
        return;
    }
    TEXT_SET(operation->id, stuck->exec_id);
    exec_send(operation, "GET", "/json", NULL, stuck_inspected);
}

/* ---- httpGet, tcpSocket ---- */

static void http_answered(struct docker_operation *operation, const struct docker_answer *answer)
{
    char text[64];
    snprintf(text, sizeof text, "HTTP status %d", answer->status);
    if (answer->status >= 200 && answer->status < 400)
        operation_finish(operation, RUNTIME_OK, NULL, NULL);
    else
        probe_finish_bad(operation, text);
}

static void probe_connect(struct docker_operation *operation)
{
    const struct docker_probe *probe = &operation->probe;
    struct docker_request request = {.method = "GET",
                                     .url = probe->url,
                                     .headers = (const char *const *)probe->headers,
                                     .header_count = probe->header_count,
                                     .connect_only = probe->action == DOCKER_PROBE_TCP,
                                     .keep = DOCKER_KEEP_NONE};
    operation_send_request(operation, &request, http_answered);
}

/* ---- all of them ---- */

void operation_probe_unanswered(struct docker_operation *operation,
                                const struct docker_answer *answer)
{
    char text[MESSAGE_BYTES_MAX + 1];
    bool command_runs = operation->step == exec_ended;
    TEXT_SET(text, answer->problem);
    if (answer->timed_out)
        snprintf(text, sizeof text, "no %s within %llu ms", command_runs ? "end" : "answer",
                 (unsigned long long)operation->request.timeout_ms);
    if (command_runs && answer->timed_out)
        stuck_note(operation);
    if (operation->probe.url || (command_runs && answer->timed_out)) {
        probe_finish_bad(operation, text);
        return;
    }
    docker_watch_suspect(operation->docker);
    operation_finish(operation, RUNTIME_FAILED, text, NULL);
}

void operation_probe_prepare(struct docker_operation *operation)
{
    const struct docker *docker = operation->docker;
    struct docker_probe_target target = {
        .document = operation->request.document,
        .probe = operation->request.probe,
        .container = operation->request.container,
        .published_host = docker->published_host[0] ? docker->published_host : NULL};
    struct error err = {0};
    if (docker_json_probe(&operation->probe, &target, &err))
        TEXT_SET(operation->message, err.text);
    operation->request.container = NULL; /* it was borrowed */
}

void operation_probe(struct docker_operation *operation)
{
    if (operation->message[0])
        probe_finish_bad(operation, operation->message);
    else if (operation->probe.action == DOCKER_PROBE_EXEC)
        probe_exec(operation);
    else
        probe_connect(operation);
}
