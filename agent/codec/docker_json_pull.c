/* The progress of a pull, and an image reference as a query.
 *
 * The engine writes one JSON object per line, a few per layer and second. A layer counts from its
 * first line; its size is known when its download begins; "Extracting" counts anew and is not added
 * up. */
#include "agent/codec/docker_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/json.h"

static struct docker_layer *pull_layer(struct docker_pull *pull, const char *id)
{
    for (size_t i = 0; i < pull->layer_count && i < DOCKER_LAYERS_MAX; i++)
        if (strncmp(pull->layers[i].id, id, sizeof pull->layers[i].id - 1) == 0)
            return &pull->layers[i];
    if (pull->layer_count == DOCKER_LAYERS_MAX)
        return NULL;
    struct docker_layer *layer = &pull->layers[pull->layer_count++];
    *layer = (struct docker_layer){0};
    TEXT_SET(layer->id, id);
    return layer;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void pull_status(struct docker_pull *pull, const cJSON *line, const char *id,
                        const char *status)
{
    if (starts_with(status, "Pulling from")) /* here the id is the tag */
        return;
    struct docker_layer *layer = pull_layer(pull, id);
    if (!layer)
        return;
    int64_t current = json_get_integer(json_get(line, "progressDetail"), "current", 0);
    int64_t total = json_get_integer(json_get(line, "progressDetail"), "total", 0);
    if (starts_with(status, "Downloading") && current >= 0 && total > 0) {
        layer->current_bytes = (uint64_t)(current < total ? current : total);
        layer->total_bytes = (uint64_t)total;
    } else if (starts_with(status, "Download complete") || starts_with(status, "Extracting")) {
        layer->current_bytes = layer->total_bytes;
    } else if (starts_with(status, "Pull complete") || starts_with(status, "Already exists")) {
        layer->current_bytes = layer->total_bytes;
        layer->done = true;
    }
}

void docker_json_pull_line(struct docker_pull *pull, struct span line)
{
    cleanup_json cJSON *json = json_parse(line, DOCKER_ANSWER_BYTES_MAX, NULL);
    const char *error = json_get_text(json, "error");
    if (!error)
        error = json_text(JSON_GET_PATH(json, "errorDetail", "message"));
    if (!error)
        error = json_get_text(json, "message"); /* the body of a refusal is a line, too */
    if (error)
        TEXT_SET(pull->error, error[0] ? error : "the pull failed");
    const char *id = json_get_text(json, "id"), *status = json_get_text(json, "status");
    if (id && id[0] && status)
        pull_status(pull, json, id, status);
}

void docker_json_pull_text(const struct docker_pull *pull, char *ret_text, size_t bytes)
{
    const uint64_t mega = 1000 * 1000;
    uint64_t current = 0, total = 0;
    size_t done = 0;
    for (size_t i = 0; i < pull->layer_count; i++) {
        current +=
            pull->layers[i].current_bytes / 1000; /* sums of wild numbers must not overflow */
        total += pull->layers[i].total_bytes / 1000;
        done += pull->layers[i].done;
    }
    if (pull->layer_count == 0)
        text_set(ret_text, bytes, "pulling");
    else
        snprintf(ret_text, bytes, "pulling layer %zu of %zu, %" PRIu64 " of %" PRIu64 " MB",
                 done < pull->layer_count ? done + 1 : done, pull->layer_count,
                 current / (mega / 1000), total / (mega / 1000));
}

bool docker_json_percent(const char *text, const char *kept, char *ret_text, size_t bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-._~", byte) || strchr(kept, byte);
        if (at + (plain ? 2 : 4) > bytes)
            return false;
        if (!plain) {
            ret_text[at++] = '%';
            ret_text[at++] = digits[byte >> 4];
            byte = (unsigned char)digits[byte & 15];
        }
        ret_text[at++] = (char)byte;
    }
    if (at >= bytes)
        return false;
    ret_text[at] = 0;
    return true;
}

/* A reference is NAME[:TAG][@DIGEST]; the colon of a port comes before a slash. With a digest the
 * tag says nothing. */
bool docker_json_pull_query(const char *image, char *ret_query, size_t bytes)
{
    char name[IMAGE_BYTES_MAX + 1], escaped_name[3 * IMAGE_BYTES_MAX + 1],
        escaped_tag[3 * IMAGE_BYTES_MAX + 1];
    if (strlen(image) > IMAGE_BYTES_MAX)
        return false;
    TEXT_SET(name, image);
    char *digest = strchr(name, '@');
    if (digest)
        *digest++ = 0;
    char *slash = strrchr(name, '/');
    char *tag = strrchr(slash ? slash : name, ':');
    if (tag)
        *tag++ = 0;
    const char *version = digest ? digest : tag ? tag : "latest";
    if (!docker_json_percent(name, "", escaped_name, sizeof escaped_name) ||
        !docker_json_percent(version, "", escaped_tag, sizeof escaped_tag))
        return false;
    int length = snprintf(ret_query, bytes, "fromImage=%s&tag=%s", escaped_name, escaped_tag);
    return length > 0 && (size_t)length < bytes;
}
