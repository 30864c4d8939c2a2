/* START: create, start, inspect.
 *
 * A guarded one whose document has no command looks at the image first, for the guard must be told
 * what to run.
 *
 *   create --ok--> start --> inspect --> running or already ended: done
 *     |                         \--> not started: remove, say why
 *     +--refused--> inspect the one of that name
 *                     |-- ours and running: it is the one we want, done
 *                     |-- ours and ended: remove it, create again (a restart keeps name and epoch)
 *                     |-- another child's of this cluster: create under the distinct name
 *                     |-- anybody else's: fail
 *                     \-- none: the name was not the reason; is the image there?
 *
 * Invariants: a container that is not this very child, epoch and uid of this node is never touched;
 * a running one is never removed; at most ATTEMPTS_MAX creates. */
#include "agent/io/docker_private.h"

#include <stdio.h>
#include <string.h>

#include "agent/io/cleanup.h"

enum { ATTEMPTS_MAX = 4 };

static void start_create(struct docker_operation *operation);

/* ---- what is a spec's fault ---- */

/* Docker says 400 for most of what is wrong with a spec, but 500 for a port that is taken; podman
 * says 500 for all. */
static bool refusal_is_final(int status, const char *message)
{
    static const char *const words[] = {
        "already allocated",         "address already in use", "executable file not found",
        "no such file or directory", "not a directory",        "invalid",
        "exec format error",         "permission denied",      "does not exist",
    };
    if (status >= 400 && status < 500 && status != 404 && status != 408 && status != 409 &&
        status != 429)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(message, words[i]))
            return true;
    return false;
}

static enum runtime_result start_verdict(const struct docker_operation *operation)
{
    return refusal_is_final(operation->status, operation->message) ? RUNTIME_INVALID
                                                                   : RUNTIME_FAILED;
}

/* ---- start and after ---- */

static void start_dropped(struct docker_operation *operation, const struct docker_answer *answer)
{
    (void)answer; /* if it is still there, the next START of this child removes it */
    operation_finish(operation, operation->result, operation->message, NULL);
}

static void start_drop(struct docker_operation *operation, enum runtime_result result)
{
    operation->result = result;
    operation_send_container(operation, "DELETE", operation->id, "?v=1", start_dropped);
}

/* status and message are those of the start. */
static void start_inspected(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_container docker;
    struct error err;
    bool accepted = operation->status < 400;
    if (answer->status == 404) {
        operation_finish(operation, RUNTIME_FAILED,
                         accepted ? "the container vanished" : operation->message, NULL);
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
    if (docker.container.state == CONTAINER_RUNNING ||
        (accepted && docker.container.state == CONTAINER_EXITED)) {
        operation_finish(operation, RUNTIME_OK, NULL, &docker.container);
        return;
    }
    if (accepted)
        docker_message(operation->message, "start",
                       docker.error[0] ? docker.error : "the engine has not started it");
    start_drop(operation, start_verdict(operation));
}

static void start_started(struct docker_operation *operation, const struct docker_answer *answer)
{
    operation_keep(operation, "start", answer);
    operation_send_container(operation, "GET", operation->id, "/json", start_inspected);
}

/* ---- a refused create ---- */

static void start_image_looked(struct docker_operation *operation,
                               const struct docker_answer *answer)
{
    enum runtime_result result =
        answer->status == 404 ? RUNTIME_IMAGE_MISSING : start_verdict(operation);
    operation_finish(operation, result, operation->message, NULL);
}

static void start_removed(struct docker_operation *operation, const struct docker_answer *answer)
{
    if (answer_is_good(answer) || answer->status == 404)
        start_create(operation);
    else
        operation_fail(operation, "remove the ended container of that name", answer);
}

static bool is_this_child(const struct docker_operation *operation,
                          const struct docker_container *docker)
{
    const struct container *container = &docker->container;
    return docker_is_ours(operation->docker, docker) &&
           child_id_compare(&container->child, &operation->request.child) == 0 &&
           container->epoch == operation->request.epoch &&
           strcmp(container->uid, operation->request.uid) == 0;
}

static void start_taken(struct docker_operation *operation, const struct docker_container *docker)
{
    const struct container *container = &docker->container;
    char text[2 * MESSAGE_BYTES_MAX], child[CHILD_ID_TEXT_BYTES_MAX];
    if (docker_is_ours(operation->docker, docker) && !operation->distinct &&
        child_id_compare(&container->child, &operation->request.child) != 0) {
        operation->distinct = true;
        start_create(operation);
        return;
    }
    child_id_print(&container->child, child, sizeof child);
    snprintf(text, sizeof text, "container %.12s, which is %s, has the name %.200s", container->id,
             docker->labelled ? child : "not of this cluster", operation->name);
    docker_message(operation->message, "create", text);
    operation_finish(operation, RUNTIME_FAILED, operation->message, NULL);
}

static void start_conflict(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct docker_container docker;
    struct error err;
    char image[IMAGE_BYTES_MAX + 1];
    if (answer->status == 404) {
        if (docker_json_image(operation->request.document, image))
            operation_send_image(operation, image, start_image_looked);
        else
            operation_finish(operation, RUNTIME_INVALID, operation->message, NULL);
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
    if (!is_this_child(operation, &docker))
        start_taken(operation, &docker);
    else if (docker.container.state == CONTAINER_RUNNING)
        operation_finish(operation, RUNTIME_OK, NULL, &docker.container);
    else
        operation_send_container(operation, "DELETE", docker.container.id, "?v=1", start_removed);
}

/* ---- create ---- */

static void start_created(struct docker_operation *operation, const struct docker_answer *answer)
{
    struct error err;
    if (!answer_is_good(answer)) {
        operation_keep(operation, "create", answer);
        operation_send_container(operation, "GET", operation->name, "/json", start_conflict);
        return;
    }
    if (docker_json_created(operation->id, answer->body, &err)) {
        operation_finish(operation, RUNTIME_FAILED, err.text, NULL);
        return;
    }
    operation_send_container(operation, "POST", operation->id, "/start", start_started);
}

static struct docker_start start_of(const struct docker_operation *operation)
{
    return (struct docker_start){.cluster = operation->docker->cluster,
                                 .node = operation->docker->node,
                                 .operation = &operation->request,
                                 .policy = operation->docker->policy};
}

static void start_create(struct docker_operation *operation)
{
    if (operation->attempts++ == ATTEMPTS_MAX) {
        operation_finish(operation, RUNTIME_FAILED, operation->message, NULL);
        return;
    }
    struct docker_start start = start_of(operation);
    char path[DOCKER_NAME_BYTES_MAX + 64];
    docker_json_name(&start, operation->distinct, operation->name, sizeof operation->name);
    snprintf(path, sizeof path, "%s/containers/create?name=%s", operation->docker->prefix,
             operation->name);
    operation_send(operation, "POST", path, operation->body, start_created);
}

/* image: what the engine has said of it, or NULL. */
static void start_make(struct docker_operation *operation, const char *image)
{
    struct docker_start start = start_of(operation);
    struct docker *docker = operation->docker;
    struct guard_page of = guard_page_of(&operation->request);
    char token[DOCKER_TOKEN_BYTES_MAX], page[GUARD_PATH_BYTES_MAX];
    struct docker_guard guard = {.page = page, .image = image};
    struct error err;
    if (docker->child_api) {
        docker->print_token(docker->context, &operation->request, token, sizeof token);
        start.child_api = docker->child_api;
        start.token = token;
    }
    if (operation->request.guarded) {
        guard.program = docker->guard_pages->program;
        guard_page_path(docker->guard_pages, &of, page);
        start.guard = &guard;
    }
    operation->body = docker_json_create(&start, &err);
    if (!operation->body) {
        bool refused = err.code == ERROR_FORBIDDEN;
        operation_finish(operation, refused ? RUNTIME_REFUSED : RUNTIME_INVALID, err.text, NULL);
        return;
    }
    start_create(operation);
}

static void start_image_known(struct docker_operation *operation,
                              const struct docker_answer *answer)
{
    if (answer->status == 404) {
        docker_answer_message(operation->message, "inspect the image", answer);
        operation_finish(operation, RUNTIME_IMAGE_MISSING, operation->message, NULL);
    } else if (!answer_is_good(answer)) {
        operation_fail(operation, "inspect the image", answer);
    } else {
        cleanup_free char *image = xmemdup(answer->body.data, answer->body.bytes);
        start_make(operation, image);
    }
}

/* The page is there before the container is: a start that the engine carries out late finds the
 * deadline in it, and runs nothing. */
static void start_guarded(struct docker_operation *operation)
{
    struct guard_page page = guard_page_of(&operation->request);
    struct docker *docker = operation->docker;
    char image[IMAGE_BYTES_MAX + 1];
    struct error err;
    if (!docker->guard_pages)
        operation_finish(operation, RUNTIME_INVALID,
                         "cannot guard: the engine is not on this machine (--runtime)", NULL);
    else if (guard_page_set(docker->guard_pages, &page, &err))
        operation_finish(operation, RUNTIME_FAILED, err.text, NULL);
    else if (docker_json_has_command(operation->request.document) ||
             !docker_json_image(operation->request.document, image))
        start_make(operation, NULL);
    else
        operation_send_image(operation, image, start_image_known);
}

void operation_start(struct docker_operation *operation)
{
    if (operation->request.guarded)
        start_guarded(operation);
    else
        start_make(operation, NULL);
}
