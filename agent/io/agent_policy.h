/* The policy of this agent: what its flags allow, and which paths of the node are its own. */
#ifndef AGENT_IO_AGENT_POLICY_H
#define AGENT_IO_AGENT_POLICY_H

#include "agent/codec/policy.h"
#include "agent/io/agent_options.h"

struct agent_policy {
    struct policy policy;
    char *owned[POLICY_PROTECTED_MAX]; /* what it borrows */
};

/* guard_directory: of the deadlines of guarded containers. The options are borrowed from then on.
 */
void agent_policy_open(struct agent_policy *policy, const struct agent_options *options,
                       const char *guard_directory);
void agent_policy_close(struct agent_policy *policy);

#endif
