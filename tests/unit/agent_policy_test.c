/* Which paths of the node are the agent's own: each file that its flags name, as it is written and
 * as the kernel resolves it. */
#include "agent/io/agent_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/agent_policy_test.XXXXXX";

static char *in_directory(const char *name)
{
    static char text[128];
    snprintf(text, sizeof text, "%s/%s", directory, name);
    return text;
}

static bool is_protected(const struct agent_policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->policy.protected_count; i++)
        if (strcmp(policy->policy.protected_paths[i], path) == 0)
            return true;
    return false;
}

static void each_file_that_a_flag_names_is_our_own(void)
{
    static char runtime[] = "unix:///nowhere/engine.sock", data[] = "/nowhere/data",
                gossip_key[] = "/nowhere/gossip.key", key[] = "/nowhere/api.key",
                tokens[] = "/nowhere/tokens", ca[] = "/nowhere/ca.crt",
                config[] = "/nowhere/config";
    struct agent_options options = {.runtime = runtime,
                                    .data_dir = data,
                                    .gossip_key_file = gossip_key,
                                    .api_key = key,
                                    .api_token_file = tokens,
                                    .api_ca = ca,
                                    .config = config};
    const char *const own[] = {"/nowhere/engine.sock", data, gossip_key, key, tokens, ca, config,
                               "/nowhere/guards"};
    struct agent_policy policy;
    agent_policy_open(&policy, &options, "/nowhere/guards");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        CU_ASSERT_TRUE(is_protected(&policy, own[i]));
    CU_ASSERT_EQUAL(policy.policy.protected_count, sizeof own / sizeof *own);
    agent_policy_close(&policy);
}

/* An engine's socket may come later, its directory is there; a relative path is ours too. */
static void links_on_the_way_hide_nothing(void)
{
    char link[128], runtime[160], real[128];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    strcpy(link, in_directory("link"));
    CU_ASSERT_EQUAL(symlink(directory, link), 0);
    snprintf(runtime, sizeof runtime, "unix://%s/engine.sock", link);
    struct agent_options options = {.runtime = runtime, .data_dir = link};
    struct agent_policy policy;
    agent_policy_open(&policy, &options, "");
    CU_ASSERT_TRUE(is_protected(&policy, link));
    CU_ASSERT_TRUE(is_protected(&policy, directory));
    snprintf(real, sizeof real, "%s/engine.sock", link);
    CU_ASSERT_TRUE(is_protected(&policy, real));
    CU_ASSERT_TRUE(is_protected(&policy, in_directory("engine.sock")));
    agent_policy_close(&policy);
    char here[] = ".", cwd[4096];
    options = (struct agent_options){.runtime = runtime, .data_dir = here};
    agent_policy_open(&policy, &options, "");
    CU_ASSERT_TRUE(is_protected(&policy, getcwd(cwd, sizeof cwd)));
    agent_policy_close(&policy);
    unlink(link);
    rmdir(directory);
}

UNIT_MAIN("agent policy",
          {"each file that a flag names is our own", each_file_that_a_flag_names_is_our_own},
          {"links on the way hide nothing", links_on_the_way_hide_nothing})
