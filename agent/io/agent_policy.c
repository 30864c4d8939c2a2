/* See agent_policy.h. Each path of our own is protected as it is written and as the kernel resolves
 * it: /var/run/docker.sock is /run/docker.sock. */
#include "agent/io/agent_policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void protect_one(struct agent_policy *policy, const char *path)
{
    struct policy *made = &policy->policy;
    for (size_t i = 0; i < made->protected_count; i++)
        if (strcmp(made->protected_paths[i], path) == 0)
            return;
    if (made->protected_count == POLICY_PROTECTED_MAX)
        abort(); /* more kinds of files than there were */
    char *owned = policy->owned[made->protected_count] = xstrdup(path);
    made->protected_paths[made->protected_count++] = owned;
}

/* The file itself may not be there yet, as the socket of an engine that starts later. */
static void protect(struct agent_policy *policy, const char *path)
{
    char text[PATH_MAX], resolved[PATH_MAX], joined[2 * PATH_MAX];
    if (!path || !path[0])
        return;
    if (path[0] == '/')
        protect_one(policy, path);
    snprintf(text, sizeof text, "%s", path);
    if (realpath(text, resolved)) {
        protect_one(policy, resolved);
        return;
    }
    char *slash = strrchr(text, '/');
    if (!slash || slash == text)
        return;
    *slash = '\0';
    if (!realpath(text, resolved))
        return;
    snprintf(joined, sizeof joined, "%s/%s", resolved, slash + 1);
    protect_one(policy, joined);
}

void agent_policy_open(struct agent_policy *policy, const struct agent_options *options,
                       const char *guard_directory)
{
    static const char unix_prefix[] = "unix://";
    *policy =
        (struct agent_policy){.policy = {.privileged = options->allow_privileged,
                                         .host_network = options->allow_host_network,
                                         .host_paths = options->allow_host_paths,
                                         .host_path_count = options->allow_host_path_count,
                                         .capabilities = options->allow_capabilities,
                                         .capability_count = options->allow_capability_count}};
    if (strncmp(options->runtime, unix_prefix, sizeof unix_prefix - 1) == 0)
        protect(policy, options->runtime + sizeof unix_prefix - 1);
    protect(policy, options->data_dir);
    protect(policy, guard_directory);
    protect(policy, options->gossip_key_file);
    protect(policy, options->api_key);
    protect(policy, options->api_token_file);
    /* No secrets, but who writes there says who is an admin, and what is allowed. */
    protect(policy, options->api_ca);
    protect(policy, options->config);
}

void agent_policy_close(struct agent_policy *policy)
{
    for (size_t i = 0; i < policy->policy.protected_count; i++)
        free(policy->owned[i]);
    *policy = (struct agent_policy){0};
}
