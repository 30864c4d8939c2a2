/* Status objects (see api_status.h), worded as Kubernetes words them: clients match on reason and
 * code, people have seen the messages before. */
#include "agent/codec/api_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_writer.h"

const char *api_status_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "BadRequest"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "NotFound"},
        {405, "MethodNotAllowed"},
        {406, "NotAcceptable"},
        {409, "Conflict"},
        {410, "Expired"},
        {413, "RequestEntityTooLarge"},
        {415, "UnsupportedMediaType"},
        {422, "Invalid"},
        {429, "TooManyRequests"},
        {500, "InternalError"},
        {501, "NotImplemented"},
        {503, "ServiceUnavailable"},
        {504, "Timeout"},
        {507, "InsufficientStorage"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

static int failure_set(struct api_failure *failure, int status, const char *kind, const char *name)
{
    *failure = (struct api_failure){.status = status};
    TEXT_SET(failure->reason, api_status_reason(status));
    TEXT_SET(failure->kind, kind);
    TEXT_SET(failure->name, name ? name : "");
    if (status == 429)
        failure->retry_after_seconds = 1;
    return -1;
}

int api_failure_set(struct api_failure *failure, int status, const char *format, ...)
{
    failure_set(failure, status, "", "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return -1;
}

int api_failure_no_path(struct api_failure *failure)
{
    return api_failure_set(failure, 404, "the server could not find the requested resource");
}

/* "workloads.hordelet.dev", "pods" */
static const char *plural_of(enum api_resource resource, char *text, size_t bytes)
{
    const struct api_resource_info *info = &api_resources[resource];
    snprintf(text, bytes, "%s%s%s", info->plural, info->group[0] ? "." : "", info->group);
    return text;
}

int api_failure_not_found(struct api_failure *failure, enum api_resource resource, const char *name)
{
    char plural[NAME_BYTES_MAX + 1];
    plural_of(resource, plural, sizeof plural);
    failure_set(failure, 404, api_resources[resource].plural, name);
    if (name[0])
        snprintf(failure->message, sizeof failure->message, "%s \"%s\" not found", plural, name);
    else
        snprintf(failure->message, sizeof failure->message,
                 "%s: the path holds no name that could exist (at most %d of a-z, 0-9, -)", plural,
                 NAME_BYTES_MAX);
    return -1;
}

int api_failure_exists(struct api_failure *failure, enum api_resource resource, const char *name)
{
    const char *plural = api_resources[resource].plural;
    failure_set(failure, 409, plural, name);
    TEXT_SET(failure->reason, "AlreadyExists");
    snprintf(failure->message, sizeof failure->message, "%s." API_GROUP " \"%s\" already exists",
             plural, name);
    return -1;
}

int api_failure_conflict(struct api_failure *failure, enum api_resource resource, const char *name,
                         const char *why)
{
    const char *plural = api_resources[resource].plural;
    failure_set(failure, 409, plural, name);
    snprintf(failure->message, sizeof failure->message,
             "Operation cannot be fulfilled on %s." API_GROUP " \"%s\": %s", plural, name, why);
    return -1;
}

/* "spec.container.ports[0].containerPort: must be ..." begins with the path of a field; "line 3,
 * column 4: ..." does not. */
static size_t field_path_bytes(const char *text)
{
    size_t bytes =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-[]/\"'");
    return text[bytes] == ':' && text[bytes + 1] == ' ' ? bytes : 0;
}

int api_failure_invalid(struct api_failure *failure, enum api_resource resource, const char *name,
                        const char *text)
{
    failure_set(failure, 422, api_resources[resource].kind, name);
    snprintf(failure->message, sizeof failure->message, "%s." API_GROUP " \"%s\" is invalid: %s",
             api_resources[resource].kind, name ? name : "", text);
    size_t bytes = field_path_bytes(text);
    if (bytes > 0 && bytes < sizeof failure->cause_field) {
        memcpy(failure->cause_field, text, bytes);
        TEXT_SET(failure->cause_message, text + bytes + 2);
    }
    return -1;
}

static const char *subresource_name(const struct api_route *route)
{
    const struct api_resource_info *info = &api_resources[route->resource];
    for (size_t i = 0; i < info->subresource_count; i++)
        if (info->subresources[i].subresource == route->subresource)
            return info->subresources[i].name;
    return "";
}

int api_failure_forbidden(struct api_failure *failure, const struct api_route *route,
                          const char *user, const char *path)
{
    const struct api_resource_info *info = &api_resources[route->resource];
    bool events = route->endpoint == API_ENDPOINT_EVENTS;
    char plural[NAME_BYTES_MAX + 1], name[API_OBJECT_NAME_BYTES_MAX + 4] = "";
    char place[NAME_BYTES_MAX + 32] = "at the cluster scope";
    if (route->endpoint != API_ENDPOINT_OBJECTS && !events)
        return api_failure_set(failure, 403, "forbidden: User \"%s\" cannot get path \"%.200s\"",
                               user, path);
    failure_set(failure, 403, events ? "events" : info->plural, route->name);
    if (route->name[0])
        snprintf(name, sizeof name, " \"%s\"", route->name);
    if (route->ns[0])
        snprintf(place, sizeof place, "in the namespace \"%s\"", route->ns);
    const char *subresource = subresource_name(route);
    snprintf(failure->message, sizeof failure->message,
             "%s%s is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" %s",
             events ? "events" : plural_of(route->resource, plural, sizeof plural), name, user,
             api_verb_name(route->verb), events ? "events" : info->plural, *subresource ? "/" : "",
             subresource, events ? "" : info->group, place);
    return -1;
}

int api_failure_error(struct api_failure *failure, enum api_resource resource, const char *name,
                      const struct error *err)
{
    switch (err->code) {
    case ERROR_INVALID:
        return api_failure_invalid(failure, resource, name, err->text);
    case ERROR_FORBIDDEN:
        failure_set(failure, 403, api_resources[resource].plural, name);
        TEXT_SET(failure->message, err->text);
        return -1;
    case ERROR_NOT_FOUND:
        return api_failure_not_found(failure, resource, name ? name : "");
    case ERROR_CONFLICT:
        failure_set(failure, 409, api_resources[resource].plural, name);
        TEXT_SET(failure->message, err->text); /* the codec names the object itself */
        return -1;
    case ERROR_TOO_LARGE:
        return api_failure_set(failure, 413, "%s", err->text);
    case ERROR_UNSUPPORTED_MEDIA:
        return api_failure_set(failure, 415, "%s", err->text);
    case ERROR_MALFORMED:
        return api_failure_set(failure, 400, "%s", err->text);
    case ERROR_NONE:
    case ERROR_IO:
        break;
    }
    return api_failure_set(failure, 500, "%s", err->text);
}

int api_failure_reply(struct api_failure *failure, enum api_resource resource, const char *name,
                      const struct reply *reply)
{
    /* A core that forgets the status must not look like a success. */
    int status = reply->status >= 400 && reply->status <= 599 ? reply->status : 500;
    bool kind = status == 422;
    failure_set(failure, status,
                kind ? api_resources[resource].kind : api_resources[resource].plural, name);
    if (reply->reason[0])
        TEXT_SET(failure->reason, reply->reason);
    TEXT_SET(failure->message, reply->message);
    return -1;
}

static void failure_write_details(struct api_writer *writer, const struct api_failure *failure)
{
    api_writer_open(writer, "details", '{');
    api_writer_text_unless_empty(writer, "name", failure->name);
    if (failure->kind[0]) {
        api_writer_text(writer, "group", API_GROUP);
        api_writer_text(writer, "kind", failure->kind);
    }
    if (failure->cause_field[0]) {
        api_writer_open(writer, "causes", '[');
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "reason", "FieldValueInvalid");
        api_writer_text(writer, "message", failure->cause_message);
        api_writer_text(writer, "field", failure->cause_field);
        api_writer_close(writer, '}');
        api_writer_close(writer, ']');
    }
    if (failure->retry_after_seconds)
        api_writer_unsigned(writer, "retryAfterSeconds", failure->retry_after_seconds);
    api_writer_close(writer, '}');
}

static struct api_writer status_begin(struct buffer *buffer, const char *status,
                                      const char *continue_token)
{
    struct api_writer writer = api_writer_of(buffer);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "kind", "Status");
    api_writer_text(&writer, "apiVersion", "v1");
    api_writer_open(&writer, "metadata", '{');
    api_writer_text_unless_empty(&writer, "continue", continue_token);
    api_writer_close(&writer, '}');
    api_writer_text(&writer, "status", status);
    return writer;
}

void api_failure_write(const struct api_failure *failure, struct buffer *buffer)
{
    struct api_writer writer = status_begin(buffer, "Failure", failure->continue_token);
    api_writer_text(&writer, "message", failure->message);
    api_writer_text_unless_empty(&writer, "reason", failure->reason);
    failure_write_details(&writer, failure);
    api_writer_signed(&writer, "code", failure->status);
    api_writer_close(&writer, '}');
}

void api_success_write(struct buffer *buffer, const char *resource, const char *name,
                       const char *uid)
{
    struct api_writer writer = status_begin(buffer, "Success", NULL);
    api_writer_open(&writer, "details", '{');
    api_writer_text_unless_empty(&writer, "name", name);
    api_writer_text(&writer, "group", API_GROUP);
    api_writer_text_unless_empty(&writer, "kind", resource);
    api_writer_text_unless_empty(&writer, "uid", uid);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
}
