/* See target.h. The kinds and their names are those of the API's own table. */
#include "agent/cli/target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/suggest.h"

#define KINDS "workloads (wl), children (ch), names, supervisors (sup) and members"

void targets_release(struct targets *targets)
{
    free(targets->items);
    *targets = (struct targets){0};
}

static void targets_add(struct targets *targets, enum api_resource resource, const char *name)
{
    targets->items = xrealloc(targets->items, (targets->count + 1) * sizeof *targets->items);
    targets->items[targets->count++] = (struct target){resource, name};
}

/* --- Kinds ------------------------------------------------------------------------------------ */

static int unknown_kind(const char *kind, struct error *err)
{
    const char *words[3 * API_RESOURCE_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < API_RESOURCE_COUNT; i++) {
        words[count++] = api_resources[i].plural;
        words[count++] = api_resources[i].singular;
        if (api_resources[i].short_name[0])
            words[count++] = api_resources[i].short_name;
    }
    const char *near = suggest(kind, words, count);
    if (near)
        return error_set(err, ERROR_INVALID, "unknown kind \"%s\": did you mean %s?", kind, near);
    return error_set(err, ERROR_INVALID, "unknown kind \"%s\": there are %s", kind, KINDS);
}

int target_resource(enum api_resource *ret_resource, const char *kind, size_t kind_bytes,
                    struct error *err)
{
    static const char group[] = "." API_GROUP;
    cleanup_free char *word = xmemdup(kind, kind_bytes);
    size_t group_bytes = sizeof group - 1;
    if (kind_bytes > group_bytes && strcasecmp(word + kind_bytes - group_bytes, group) == 0)
        word[kind_bytes - group_bytes] = '\0';
    for (size_t i = 0; i < API_RESOURCE_COUNT; i++) {
        const struct api_resource_info *info = &api_resources[i];
        if (strcasecmp(word, info->plural) == 0 || strcasecmp(word, info->singular) == 0 ||
            (*word && strcasecmp(word, info->short_name) == 0)) {
            *ret_resource = (enum api_resource)i;
            return 0;
        }
    }
    return unknown_kind(word, err);
}

/* --- Command lines ---------------------------------------------------------------------------- */

/* KIND/NAME */
static int parse_pair(struct targets *targets, const char *word, struct error *err)
{
    enum api_resource resource;
    const char *slash = strchr(word, '/');
    if (!slash)
        return error_set(err, ERROR_INVALID, "\"%s\": write KIND/NAME, as the other ones", word);
    if (slash[1] == '\0')
        return error_set(err, ERROR_INVALID, "\"%s\": there is no name behind the slash", word);
    if (target_resource(&resource, word, (size_t)(slash - word), err) < 0)
        return -1;
    targets_add(targets, resource, slash + 1);
    return 0;
}

/* KIND,KIND */
static int parse_kinds(struct targets *targets, const char *word, struct error *err)
{
    do {
        enum api_resource resource;
        size_t bytes = strcspn(word, ",");
        if (target_resource(&resource, word, bytes, err) < 0)
            return -1;
        targets_add(targets, resource, NULL);
        word += bytes;
    } while (*word++ == ',');
    return 0;
}

static int parse_names(struct targets *targets, const struct text_list *arguments,
                       struct error *err)
{
    enum api_resource resource;
    if (target_resource(&resource, arguments->items[0], strlen(arguments->items[0]), err) < 0)
        return -1;
    for (size_t i = 1; i < arguments->count; i++) {
        if (strchr(arguments->items[i], '/'))
            return error_set(err, ERROR_INVALID,
                             "\"%s\": the kind has been said already, write the name only",
                             arguments->items[i]);
        if (arguments->items[i][0] == '\0')
            return error_set(err, ERROR_INVALID, "a name is empty");
        targets_add(targets, resource, arguments->items[i]);
    }
    return 0;
}

int targets_parse(struct targets *ret_targets, const struct text_list *arguments, struct error *err)
{
    *ret_targets = (struct targets){0};
    int result = 0;
    if (arguments->count == 0)
        return error_set(err, ERROR_INVALID, "which kind? There are " KINDS);
    if (strchr(arguments->items[0], '/')) {
        for (size_t i = 0; i < arguments->count && result == 0; i++)
            result = parse_pair(ret_targets, arguments->items[i], err);
    } else if (arguments->count == 1) {
        result = parse_kinds(ret_targets, arguments->items[0], err);
    } else {
        result = parse_names(ret_targets, arguments, err);
    }
    if (result < 0)
        targets_release(ret_targets);
    return result;
}
