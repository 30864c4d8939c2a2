/* A workload's document as the body of POST /containers/create. The fields of spec.container are
 * those of a Kubernetes Container with the same meaning.
 *
 * The document was validated when it was written, possibly by an agent of another version: whatever
 * cannot be carried out here as it was meant is an error with its path, nothing is left out in
 * silence. */
#include "agent/codec/docker_json_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void docker_json_name(const struct docker_start *start, bool distinct, char *ret_name, size_t bytes)
{
    const struct runtime_operation *operation = start->operation;
    int length = snprintf(ret_name, bytes, "hordelet-%s-%s-%s-%s-%" PRIu32 "-%" PRIu64,
                          start->cluster, start->node, operation->child.ns,
                          operation->child.workload, operation->child.ordinal, operation->epoch);
    if (distinct && length > 0 && (size_t)length < bytes)
        snprintf(ret_name + length, bytes - (size_t)length, "-%08" PRIx32,
                 (uint32_t)child_id_hash(&operation->child));
}

static void create_labels(struct docker_create *create)
{
    const struct runtime_operation *operation = create->start->operation;
    cJSON *labels = json_add_object(create->body, "Labels");
    char text[CHILD_ID_TEXT_BYTES_MAX];
    json_add_text(labels, DOCKER_LABEL_CLUSTER, create->start->cluster);
    json_add_text(labels, DOCKER_LABEL_NODE, create->start->node);
    snprintf(text, sizeof text, "%016" PRIx64, operation->replica);
    json_add_text(labels, DOCKER_LABEL_REPLICA, text);
    child_id_print(&operation->child, text, sizeof text);
    json_add_text(labels, DOCKER_LABEL_CHILD, text);
    json_add_text(labels, DOCKER_LABEL_UID, operation->uid);
    snprintf(text, sizeof text, "%" PRIu64, operation->epoch);
    json_add_text(labels, DOCKER_LABEL_EPOCH, text);
    json_add_text(labels, DOCKER_LABEL_SUPERVISOR, operation->supervisor);
    snprintf(text, sizeof text, "%016" PRIx64, operation->spec_hash);
    json_add_text(labels, DOCKER_LABEL_SPEC_HASH, text);
    if (create->start->guard)
        json_add_text(labels, DOCKER_LABEL_GUARDED, "true");
}

/* Ours. Set before the document's so that those may refer to them, and again after, so that none is
 * overridden: the epoch is a fencing token. */
static int create_own_variables(struct docker_create *create)
{
    const struct runtime_operation *operation = create->start->operation;
    char child[CHILD_ID_TEXT_BYTES_MAX], epoch[24];
    child_id_print(&operation->child, child, sizeof child);
    snprintf(epoch, sizeof epoch, "%" PRIu64, operation->epoch);
    struct environment *environment = &create->environment;
    if (environment_set(environment, "HORDELET_NODE", create->start->node, create->err) ||
        environment_set(environment, "HORDELET_WORKLOAD", operation->child.workload, create->err) ||
        environment_set(environment, "HORDELET_CHILD", child, create->err) ||
        environment_set(environment, "HORDELET_EPOCH", epoch, create->err))
        return -1;
    if (docker_create_has_api(create) &&
        (environment_set(environment, "HORDELET_API", "unix://" DOCKER_CHILD_API "/api.sock",
                         create->err) ||
         environment_set(environment, "HORDELET_TOKEN", create->start->token, create->err)))
        return -1;
    return 0;
}

static int create_variable(struct docker_create *create, const cJSON *variable, unsigned index)
{
    const char *name = json_get_text(variable, "name");
    const cJSON *value = json_get(variable, "value");
    if (!name || !name[0] || strchr(name, '='))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.env[%u].name: must be a name without =", index);
    if ((value && !json_text(value)) || json_get(variable, "valueFrom"))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.env[%u]: only a value that is a string is supported",
                         index);
    char *expanded =
        environment_expand(&create->environment, value ? json_text(value) : "", create->err);
    if (!expanded)
        return error_wrap(create->err, "spec.container.env[%u].value", index);
    int status = environment_set(&create->environment, name, expanded, create->err);
    free(expanded);
    return status;
}

static int create_environment(struct docker_create *create)
{
    if (create_own_variables(create))
        return -1;
    const cJSON *variable;
    unsigned index = 0;
    cJSON_ArrayForEach(
        variable, json_get_array(create->container, "env")) if (create_variable(create, variable,
                                                                                index++)) return -1;
    if (create_own_variables(create))
        return -1;
    cJSON *list = json_add_array(create->body, "Env");
    for (size_t i = 0; i < create->environment.count; i++) {
        struct buffer text = {0};
        const struct environment_variable *known = &create->environment.variables[i];
        buffer_append(&text, known->name, strlen(known->name));
        buffer_append(&text, "=", 1);
        buffer_append(&text, known->value, strlen(known->value) + 1);
        json_add_text(list, NULL, (const char *)text.data);
        buffer_release(&text);
    }
    return 0;
}

/* The words of an array of the document, at the end of `list`. */
static int create_words(struct docker_create *create, const char *field, cJSON *list)
{
    const cJSON *word;
    unsigned index = 0;
    cJSON_ArrayForEach(word, json_get(create->container, field))
    {
        if (!json_text(word))
            return error_set(create->err, ERROR_INVALID,
                             "spec.container.%s[%u]: must be a string, not %s", field, index,
                             json_type_name(word));
        char *expanded = environment_expand(&create->environment, json_text(word), create->err);
        if (!expanded)
            return error_wrap(create->err, "spec.container.%s[%u]", field, index);
        json_add_text(list, NULL, expanded);
        free(expanded);
        index++;
    }
    return 0;
}

static int check_words(struct docker_create *create, const char *field)
{
    const cJSON *words = json_get(create->container, field);
    if (words && !cJSON_IsArray(words))
        return error_set(create->err, ERROR_INVALID, "spec.container.%s: must be an array, not %s",
                         field, json_type_name(words));
    return 0;
}

static bool has_words(const struct docker_create *create, const char *field)
{
    return json_get(create->container, field) && json_get(create->container, field)->child;
}

static void create_image_words(const cJSON *image, const char *field, cJSON *list)
{
    const cJSON *word;
    cJSON_ArrayForEach(word, JSON_GET_PATH(image, "Config", field)) if (json_text(word))
        json_add_text(list, NULL, json_text(word));
}

/* The guard and then what would have been run without it: the image's words must be spelled out,
 * for the engine leaves them out once there is an Entrypoint. */
static int create_guarded_command(struct docker_create *create)
{
    const struct docker_guard *guard = create->start->guard;
    cJSON *list = json_add_array(create->body, "Entrypoint");
    json_add_text(list, NULL, DOCKER_GUARD "/guard");
    json_add_text(list, NULL, DOCKER_GUARD "/page");
    cleanup_json cJSON *image =
        guard->image ? json_parse(span_text(guard->image), DOCKER_ANSWER_BYTES_MAX, NULL) : NULL;
    if (!has_words(create, "command"))
        create_image_words(image, "Entrypoint", list);
    if (create_words(create, "command", list))
        return -1;
    if (!has_words(create, "command") && !has_words(create, "args"))
        create_image_words(image, "Cmd", list);
    if (create_words(create, "args", list))
        return -1;
    if (cJSON_GetArraySize(list) == 2)
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.command: missing, and the image has none");
    json_add_array(create->body, "Cmd");
    return 0;
}

/* command is the engine's Entrypoint, args its Cmd; an absent one is the image's. With a command
 * and no args the engine, like Kubernetes, leaves out the image's Cmd. */
static int create_command(struct docker_create *create)
{
    if (check_words(create, "command") || check_words(create, "args"))
        return -1;
    if (create->start->guard)
        return create_guarded_command(create);
    if (has_words(create, "command") &&
        create_words(create, "command", json_add_array(create->body, "Entrypoint")))
        return -1;
    if (has_words(create, "args") &&
        create_words(create, "args", json_add_array(create->body, "Cmd")))
        return -1;
    return 0;
}

static int create_image(struct docker_create *create)
{
    const char *image = json_get_text(create->container, "image");
    if (!image || !image[0] || strlen(image) > IMAGE_BYTES_MAX)
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.image: must be a string of 1 to %d bytes",
                         IMAGE_BYTES_MAX);
    json_add_text(create->body, "Image", image);
    return 0;
}

static void create_rest(struct docker_create *create)
{
    const char *directory = json_get_text(create->container, "workingDir");
    if (directory && directory[0])
        json_add_text(create->body, "WorkingDir", directory);
    json_add_bool(create->body, "Tty", json_get_bool(create->container, "tty", false));
    json_add_bool(create->body, "OpenStdin", json_get_bool(create->container, "stdin", false));
    json_add_bool(create->body, "StdinOnce", json_get_bool(create->container, "stdinOnce", false));
    /* Restarts are the agent's: the engine's would bring back what was moved away. */
    cJSON *restart = json_add_object(create->host, "RestartPolicy");
    json_add_text(restart, "Name", "no");
    if (json_get_bool(create->spec, "hostNetwork", false))
        json_add_text(create->host, "NetworkMode", "host");
}

static int create_body(struct docker_create *create)
{
    create_labels(create);
    if (create_image(create) || create_environment(create) || create_command(create))
        return -1;
    create->host = json_add_object(create->body, "HostConfig");
    create_rest(create);
    if (docker_create_ports(create) || docker_create_mounts(create) ||
        docker_create_resources(create) || docker_create_security(create))
        return -1;
    return 0;
}

char *docker_json_create(const struct docker_start *start, struct error *err)
{
    const char *text = start->operation->document;
    cleanup_json cJSON *document =
        json_parse(span_text(text ? text : ""), DOCKER_ANSWER_BYTES_MAX, err);
    if (!document) {
        error_wrap(err, "document");
        return NULL;
    }
    const cJSON *spec = json_get_object(document, "spec");
    const cJSON *container = json_get_object(spec, "container");
    if (!container) {
        error_set(err, ERROR_INVALID, "spec.container: missing");
        return NULL;
    }
    if (policy_check(start->policy, spec, err))
        return NULL;
    cleanup_json cJSON *body = json_new_object();
    struct docker_create create = {
        .start = start, .spec = spec, .container = container, .body = body, .err = err};
    int status = create_body(&create);
    environment_release(&create.environment);
    return status ? NULL : json_print(body);
}

bool docker_json_has_command(const char *document)
{
    cleanup_json cJSON *json =
        json_parse(span_text(document ? document : ""), DOCKER_ANSWER_BYTES_MAX, NULL);
    const cJSON *command = JSON_GET_PATH(json, "spec", "container", "command");
    return command && command->child;
}

bool docker_json_image(const char *document, char ret_image[IMAGE_BYTES_MAX + 1])
{
    cleanup_json cJSON *json =
        json_parse(span_text(document ? document : ""), DOCKER_ANSWER_BYTES_MAX, NULL);
    const char *image = json_text(JSON_GET_PATH(json, "spec", "container", "image"));
    if (!image || !image[0] || strlen(image) > IMAGE_BYTES_MAX)
        return false;
    text_set(ret_image, IMAGE_BYTES_MAX + 1, image);
    return true;
}
