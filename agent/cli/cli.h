/* The command line client: one verb, one file.
 *
 * cli_main finds the verb, reads its flags into its options, and runs it with a client of the
 * agent's API. A verb prints what it did on stdout and what went wrong on stderr, and returns the
 * exit code. Nothing here runs in the agent. */
#ifndef AGENT_CLI_CLI_H
#define AGENT_CLI_CLI_H

#include "agent/cli/api_client.h"
#include "agent/cli/flags.h"

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* The whole program, but for the agent: argv as main gets it. Returns the exit code. */
int cli_main(int argc, char **argv);
/* The same, with what `hordelet agent` runs: argv[0] is "agent" then. cli_main refuses that verb.
 */
int cli_main_with_agent(int argc, char **argv, int (*agent)(int argc, char **argv));

/* --- For the verbs ---------------------------------------------------------------------------- */

/* The flags of all verbs, at the start of each verb's options. */
struct cli_options {
    struct api_flags where;
    struct flag_duration timeout;
    bool help;
};

struct invocation {
    const struct verb *verb;
    const void *options; /* the verb's own struct */
    struct text_list arguments;
    struct api_client *client;
    int (*agent)(int argc, char **argv);
};

/* What a verb's arguments are, for completion. */
enum verb_arguments {
    ARGUMENTS_NONE,
    ARGUMENTS_OBJECTS, /* KIND NAME... */
    ARGUMENTS_WORKLOADS,
    ARGUMENTS_CHILDREN,
    ARGUMENTS_NAMES,
    ARGUMENTS_SUPERVISORS, /* the first; then members */
    ARGUMENTS_MEMBERS,
    ARGUMENTS_FILES,
    ARGUMENTS_VERBS,
    ARGUMENTS_SHELLS,
};

struct verb {
    const char *name, *usage, *summary;        /* usage: what follows the name */
    const char *description, *examples;        /* lines for help */
    const struct flag *flags;                  /* NULL: none of its own */
    size_t options_bytes;                      /* 0: struct cli_options */
    int (*run)(struct invocation *invocation); /* NULL: the agent */
    enum verb_arguments arguments;
};

extern const struct verb verb_agent, verb_apply, verb_get, verb_delete, verb_scale, verb_lookup,
    verb_events, verb_join, verb_leave, verb_detach, verb_version, verb_help, verb_terminate,
    verb_cordon, verb_uncordon, verb_register, verb_unregister, verb_forget, verb_set_members,
    verb_export, verb_drain, verb_describe, verb_logs, verb_gc, verb_restore, verb_completion,
    verb_rebalance, verb_ring, verb_wait, verb_key, verb_force_electorate;

/* Of the end of `verbs`, a NULL. */
extern const struct verb *const cli_verbs[];
extern const struct flag cli_flags[];

/* "hordelet: VERB: text" on stderr, escaped. They return the exit code. */
int cli_fail(const struct invocation *invocation, const struct error *err); /* CLI_FAILED */
int cli_fail_usage(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* CLI_USAGE, and where help is */

/* A flag that many verbs have: {"namespace", 'n', FLAG_TEXT, offsetof(...), ...}. */
#define CLI_FLAG_NAMESPACE(options_struct)                                      \
    {                                                                           \
        "namespace", 'n', FLAG_TEXT, offsetof(options_struct, ns), "NAMESPACE", \
            "namespace of the objects (default: default)"                       \
    }

void help_print(const struct verb *verb, struct buffer *buffer); /* NULL: the overview */

#endif
