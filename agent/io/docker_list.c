/* One complete list: the engine's list of ids, then an inspection of each, a few at a time.
 *
 * The whole takes many requests, and things change meanwhile. Whatever is told in that time (the
 * end of an operation, a change seen by an event) is newer than our first request, so it is noted
 * and laid over the result: the list never takes back what was told before it. What it says that is
 * too old is followed by an event of its own.
 *
 * Invariant: a list ends in exactly one `done`, or is cancelled. */
#include "agent/io/docker_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_slot {
    struct docker_list *list;
    struct docker_call *call; /* NULL: free */
    size_t index;
};

struct docker_list {
    struct docker *docker;
    struct docker_list *next, **link;
    docker_list_function done;
    void *context;
    uint64_t deadline_ms;
    struct docker_call *call;       /* of the ids */
    struct docker_containers found; /* as the list tells of them, then as inspected */
    size_t begun, ended;            /* inspections */
    struct list_slot slots[DOCKER_INSPECTIONS_MAX];
    struct container *newer; /* noted since we began; owned */
    size_t newer_count, newer_capacity;
};

static void list_free(struct docker_list *list)
{
    free(list->found.items);
    free(list->newer);
    free(list);
}

static void list_unlink(struct docker_list *list)
{
    docker_call_cancel(list->call);
    for (size_t i = 0; i < DOCKER_INSPECTIONS_MAX; i++)
        docker_call_cancel(list->slots[i].call);
    *list->link = list->next;
    if (list->next)
        list->next->link = list->link;
}

void docker_list_cancel(struct docker_list *list)
{
    if (!list)
        return;
    list_unlink(list);
    list_free(list);
}

static void list_end(struct docker_list *list, const struct docker_list_result *result)
{
    list_unlink(list);
    list->done(list->context, result);
    list_free(list);
}

static void list_fail(struct docker_list *list, bool timed_out, const char *why)
{
    char problem[MESSAGE_BYTES_MAX + 1];
    docker_message(problem, "list", why);
    list_end(list, &(struct docker_list_result){.timed_out = timed_out, .problem = problem});
}

static void list_fail_answer(struct docker_list *list, const struct docker_answer *answer)
{
    char message[MESSAGE_BYTES_MAX + 1];
    docker_answer_message(message, "", answer);
    list_fail(list, answer->timed_out, message);
}

/* ---- what is newer ---- */

static void list_note(struct docker_list *list, const struct container *container)
{
    for (size_t i = 0; i < list->newer_count; i++) {
        if (strcmp(list->newer[i].id, container->id) != 0)
            continue;
        list->newer[i] = *container;
        return;
    }
    if (list->newer_count == list->newer_capacity) {
        list->newer_capacity = list->newer_capacity ? 2 * list->newer_capacity : 16;
        list->newer = xrealloc(list->newer, list->newer_capacity * sizeof *list->newer);
    }
    list->newer[list->newer_count++] = *container;
}

void docker_lists_note(struct docker *docker, const struct container *container)
{
    for (struct docker_list *list = docker->lists; list; list = list->next)
        list_note(list, container);
}

/* ---- the end ---- */

static const struct container *list_newer(const struct docker_list *list, const char *id)
{
    for (size_t i = 0; i < list->newer_count; i++)
        if (strcmp(list->newer[i].id, id) == 0)
            return &list->newer[i];
    return NULL;
}

static void list_succeed(struct docker_list *list)
{
    size_t count = 0;
    struct container *containers =
        xcalloc(list->found.count + list->newer_count + 1, sizeof *containers);
    for (size_t i = 0; i < list->found.count; i++) {
        const struct docker_container *found = &list->found.items[i];
        if (docker_is_ours(list->docker, found) && !list_newer(list, found->container.id))
            containers[count++] = found->container;
    }
    for (size_t i = 0; i < list->newer_count; i++)
        containers[count++] = list->newer[i];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (containers[i].state != CONTAINER_GONE)
            containers[kept++] = containers[i];
    list_end(list, &(struct docker_list_result){.containers = containers, .count = kept});
    free(containers);
}

/* ---- inspections ---- */

static bool list_inspect_next(struct docker_list *list);

/* Gone meanwhile: 404. An engine that cannot inspect one container (a broken one answers 500 for
 * ever) has at least listed it: its state and labels stand, times and ports are unknown. */
static void list_inspected(void *context, const struct docker_answer *answer)
{
    struct list_slot *slot = context;
    struct docker_list *list = slot->list;
    struct docker_container *container = &list->found.items[slot->index];
    struct error err;
    slot->call = NULL;
    if (answer->status == 0) {
        list_fail_answer(list, answer);
        return;
    }
    if (answer->status == 404)
        container->container.state = CONTAINER_GONE;
    else if (answer_is_good(answer) && docker_json_inspect(container, answer->body, &err)) {
        list_fail(list, false, err.text);
        return;
    }
    list->ended++;
    while (list_inspect_next(list))
        continue;
}

static struct list_slot *list_free_slot(struct docker_list *list)
{
    for (size_t i = 0; i < DOCKER_INSPECTIONS_MAX; i++)
        if (!list->slots[i].call)
            return &list->slots[i];
    return NULL;
}

/* One that was never started has nothing to tell but its labels; and while it is being started the
 * engine keeps an inspection waiting until that is over. */
static void list_skip_created(struct docker_list *list)
{
    while (list->begun < list->found.count &&
           list->found.items[list->begun].container.state == CONTAINER_CREATED) {
        list->begun++;
        list->ended++;
    }
}

/* False: there is nothing to begin, or the list is freed. */
static bool list_inspect_next(struct docker_list *list)
{
    list_skip_created(list);
    if (list->ended == list->found.count) {
        list_succeed(list);
        return false;
    }
    struct list_slot *slot = list_free_slot(list);
    if (!slot || list->begun == list->found.count)
        return false;
    uint64_t left_ms = docker_left_ms(list->deadline_ms);
    if (left_ms == 0) {
        list_fail(list, true, "no time left");
        return false;
    }
    char path[CONTAINER_ID_BYTES_MAX + 64];
    slot->list = list;
    slot->index = list->begun++;
    snprintf(path, sizeof path, "%s/containers/%s/json", list->docker->prefix,
             list->found.items[slot->index].container.id);
    slot->call = docker_http_send(
        list->docker->quick, &(struct docker_request){.method = "GET",
                                                      .path = path,
                                                      .timeout_ms = left_ms,
                                                      .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                                      .done = list_inspected,
                                                      .context = slot});
    return true;
}

static void list_has_ids(void *context, const struct docker_answer *answer)
{
    struct docker_list *list = context;
    struct error err;
    list->call = NULL;
    if (!answer_is_good(answer)) {
        list_fail_answer(list, answer);
        return;
    }
    if (docker_json_list(&list->found, answer->body, &err)) {
        list_fail(list, false, err.text);
        return;
    }
    while (list_inspect_next(list))
        continue;
}

struct docker_list *docker_list_start(struct docker *docker, uint64_t timeout_ms,
                                      docker_list_function done, void *context)
{
    struct docker_list *list = xcalloc(1, sizeof *list);
    list->docker = docker;
    list->done = done;
    list->context = context;
    list->deadline_ms = docker_now_ms() + timeout_ms;
    list->next = docker->lists;
    list->link = &docker->lists;
    if (list->next)
        list->next->link = &list->next;
    docker->lists = list;
    char *filters = docker_filters(docker, false), path[DOCKER_PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/containers/json?all=1&filters=%s", docker->prefix, filters);
    free(filters);
    list->call = docker_http_send(
        docker->quick, &(struct docker_request){.method = "GET",
                                                .path = path,
                                                .timeout_ms = timeout_ms,
                                                .answer_bytes_max = DOCKER_LIST_BYTES_MAX,
                                                .done = list_has_ids,
                                                .context = list});
    return list;
}

void docker_lists_release(struct docker *docker)
{
    while (docker->lists) {
        struct docker_list *list = docker->lists;
        docker->lists = list->next;
        list_free(list);
    }
}
