/* The driver's life, and its one way to the sink.
 *
 * Everything that leads to the sink runs from a libuv callback: an operation that is submitted
 * begins one turn later. The sink may submit and release while one of our functions is on the stack
 * below it, so release only closes handles; what they point to is freed by the last of the close
 * callbacks.
 *
 * Invariant: after release nothing is told, and no call's callback is called. */
#include "agent/io/docker_private.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/json.h"

uint64_t docker_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

uint64_t docker_left_ms(uint64_t deadline_ms)
{
    uint64_t now_ms = docker_now_ms();
    if (deadline_ms == DOCKER_NO_DEADLINE)
        return DOCKER_NO_DEADLINE;
    return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}

void docker_tell(struct docker *docker, const struct event *event)
{
    if (!docker->released)
        docker->sink(docker->context, event);
}

void docker_note(struct docker *docker, const struct container *container)
{
    docker_lists_note(docker, container);
}

void docker_message(char ret_message[MESSAGE_BYTES_MAX + 1], const char *what, const char *why)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s", what, what[0] ? ": " : "", why);
    text_set(ret_message, MESSAGE_BYTES_MAX + 1, text);
}

void docker_answer_message(char ret_message[MESSAGE_BYTES_MAX + 1], const char *what,
                           const struct docker_answer *answer)
{
    char said[MESSAGE_BYTES_MAX + 1];
    if (answer->status == 0)
        TEXT_SET(said, answer->problem);
    else
        docker_json_message(said, sizeof said, answer->body);
    docker_message(ret_message, what, said[0] ? said : "the engine refused without a word");
}

char *docker_filters(const struct docker *docker, bool events)
{
    static const char *const actions[] = {"start", "die", "oom", "destroy", "remove"};
    cleanup_json cJSON *filters = json_new_object();
    cJSON *labels = json_add_array(filters, "label");
    char label[sizeof DOCKER_LABEL_CLUSTER + NAME_BYTES_MAX + 8];
    snprintf(label, sizeof label, DOCKER_LABEL_CLUSTER "=%s", docker->cluster);
    json_add_text(labels, NULL, label);
    snprintf(label, sizeof label, DOCKER_LABEL_NODE "=%s", docker->node);
    json_add_text(labels, NULL, label);
    if (events) {
        json_add_text(json_add_array(filters, "type"), NULL, "container");
        cJSON *list = json_add_array(filters, "event");
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
            json_add_text(list, NULL, actions[i]);
    }
    char *text = json_print(filters);
    size_t bytes = 3 * strlen(text) + 1;
    char *escaped = xmalloc(bytes);
    docker_json_percent(text, "", escaped, bytes);
    free(text);
    return escaped;
}

bool docker_is_ours(const struct docker *docker, const struct docker_container *container)
{
    return container->labelled && strcmp(container->cluster, docker->cluster) == 0 &&
           strcmp(container->container.node, docker->node) == 0;
}

static void docker_handle_closed(uv_handle_t *handle)
{
    struct docker *docker = handle->data;
    if (--docker->handles > 0)
        return;
    docker_operations_release(docker);
    docker_lists_release(docker);
    docker_watch_release(docker);
    free(docker->cluster);
    free(docker->node);
    free(docker->child_api);
    free(docker);
}

static void docker_release(struct runtime *runtime)
{
    struct docker *docker = (struct docker *)runtime;
    if (docker->released)
        return;
    docker->released = true;
    docker_http_close(docker->quick);
    docker_http_close(docker->slow);
    docker_http_close(docker->outputs);
    docker_http_close(docker->probes);
    uv_close((uv_handle_t *)&docker->watch.timer, docker_handle_closed);
    uv_close((uv_handle_t *)&docker->begin, docker_handle_closed);
}

static void docker_timer_init(struct docker *docker, uv_timer_t *timer)
{
    if (uv_timer_init(docker->loop, timer))
        abort(); /* never: it only fills in the struct */
    timer->data = docker;
    docker->handles++;
}

/* Where an engine of that endpoint publishes ports: on this machine, or on its own. */
static void docker_set_published(struct docker *docker, const char *endpoint)
{
    const char *host = strstr(endpoint, "://"), *end = strrchr(endpoint, ':');
    bool remote = host && strncmp(endpoint, "unix:", 5) != 0;
    TEXT_SET(docker->published_host, "127.0.0.1");
    if (!remote)
        return;
    host += 3;
    if (*host == '[') {
        host++;
        end = strchr(host, ']');
    }
    if (!end || end < host)
        end = host + strlen(host);
    text_set_span(docker->published_host, sizeof docker->published_host,
                  span_of(host, (size_t)(end - host)));
}

struct runtime *docker_new(uv_loop_t *loop, const struct docker_config *config, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_ALL)) /* counted; the agent is single-threaded here */
        abort();
    struct docker_http *quick = docker_http_new(loop, config->endpoint, err);
    if (!quick)
        return NULL;
    struct docker *docker = xcalloc(1, sizeof *docker);
    docker->runtime = (struct runtime){
        .submit = docker_submit, .output_flow = docker_output_flow, .release = docker_release};
    docker->loop = loop;
    docker->cluster = xstrdup(config->cluster);
    docker->node = xstrdup(config->node);
    docker->policy = config->policy;
    docker->print_token = config->print_token;
    if (strncmp(config->endpoint, "unix://", strlen("unix://")) == 0) {
        docker->child_api = config->child_api ? xstrdup(config->child_api) : NULL;
        docker->guard_pages = config->guard_pages;
    }
    docker->sink = config->sink;
    docker->context = config->context;
    docker->quick = quick;
    docker->slow = docker_http_new(loop, config->endpoint, err);
    docker->outputs = docker_http_new(loop, config->endpoint, err);
    docker->probes = docker_http_new(loop, config->endpoint, err);
    if (config->probe_published)
        docker_set_published(docker, config->endpoint);
    snprintf(docker->prefix, sizeof docker->prefix, "/v1.%d", DOCKER_API_MINOR);
    docker_timer_init(docker, &docker->watch.timer);
    docker_timer_init(docker, &docker->begin);
    docker_watch_init(docker);
    return &docker->runtime;
}
