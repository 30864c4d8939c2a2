/* See cli.h: from argv to a verb and its exit code. */
#include "agent/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/output.h"
#include "agent/cli/suggest.h"
#include "agent/cli/terminal.h"

const struct verb *const cli_verbs[] = {&verb_agent,
                                        &verb_apply,
                                        &verb_get,
                                        &verb_describe,
                                        &verb_logs,
                                        &verb_delete,
                                        &verb_terminate,
                                        &verb_scale,
                                        &verb_lookup,
                                        &verb_register,
                                        &verb_unregister,
                                        &verb_join,
                                        &verb_leave,
                                        &verb_detach,
                                        &verb_cordon,
                                        &verb_drain,
                                        &verb_uncordon,
                                        &verb_forget,
                                        &verb_set_members,
                                        &verb_rebalance,
                                        &verb_ring,
                                        &verb_wait,
                                        &verb_events,
                                        &verb_export,
                                        &verb_restore,
                                        &verb_gc,
                                        &verb_key,
                                        &verb_completion,
                                        &verb_version,
                                        &verb_help,
                                        &verb_force_electorate,
                                        NULL};
enum { VERB_COUNT = sizeof cli_verbs / sizeof *cli_verbs - 1 };

const struct flag cli_flags[] = {
    {"api", 0, FLAG_TEXT, offsetof(struct cli_options, where.api), "ADDRESS",
     "https://HOST:PORT, http://... or unix:///PATH (default: $HORDELET_API, else local)"},
    {"token-file", 0, FLAG_TEXT, offsetof(struct cli_options, where.login.token_file), "FILE",
     "a bearer token (default: $HORDELET_TOKEN_FILE)"},
    {"cert-file", 0, FLAG_TEXT, offsetof(struct cli_options, where.login.cert_file), "FILE",
     "a client certificate, in PEM (default: $HORDELET_CERT_FILE)"},
    {"key-file", 0, FLAG_TEXT, offsetof(struct cli_options, where.login.key_file), "FILE",
     "its key (default: $HORDELET_KEY_FILE, else it is in --cert-file)"},
    {"ca-file", 0, FLAG_TEXT, offsetof(struct cli_options, where.login.ca_file), "FILE",
     "who vouches for the agent (default: $HORDELET_CA_FILE, else whom the system trusts)"},
    {"timeout", 0, FLAG_DURATION, offsetof(struct cli_options, timeout), "DURATION",
     "give up after this long: 500ms, 30s, 5m (default: 30s; with --wait: 5m)"},
    {"help", 'h', FLAG_BOOL, offsetof(struct cli_options, help), NULL, "show this help"},
    {0},
};

/* --- What went wrong -------------------------------------------------------------------------- */

static void complain(const char *verb, const char *text)
{
    cleanup_buffer struct buffer shown = {0};
    fflush(stdout); /* what has been done comes before what went wrong */
    terminal_printf(&shown, "hordelet: %s%s", verb ? verb : "", verb ? ": " : "");
    terminal_escape_lines(&shown, text);
    fprintf(stderr, "%s\n", terminal_text(&shown));
}

int cli_fail(const struct invocation *invocation, const struct error *err)
{
    complain(invocation->verb->name, err->text);
    return CLI_FAILED;
}

int cli_fail_usage(const struct invocation *invocation, const char *format, ...)
{
    struct error err = {0};
    char text[sizeof err.text];
    const struct verb *verb = invocation->verb;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complain(verb->name, text);
    fprintf(stderr, "usage: hordelet %s %s\nSee `hordelet %s --help`.\n", verb->name, verb->usage,
            verb->name);
    return CLI_USAGE;
}

/* --- Verbs ------------------------------------------------------------------------------------ */

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(cli_verbs[i]->name, name) == 0)
            return cli_verbs[i];
    return NULL;
}

static int fail_unknown_verb(const char *name)
{
    struct error err = {0};
    const char *words[VERB_COUNT], *near;
    for (size_t i = 0; i < VERB_COUNT; i++)
        words[i] = cli_verbs[i]->name;
    near = suggest(name, words, VERB_COUNT);
    error_set(&err, ERROR_INVALID, "unknown verb \"%s\"%s%s%s", name,
              near ? ": did you mean `hordelet " : "", near ? near : "", near ? "`?" : "");
    complain(NULL, err.text);
    fprintf(stderr, "See `hordelet --help`.\n");
    return CLI_USAGE;
}

static int print_help(const struct verb *verb)
{
    cleanup_buffer struct buffer buffer = {0};
    help_print(verb, &buffer);
    output_flush(&buffer);
    return CLI_DONE;
}

static int verb_run_connected(struct invocation *invocation, const struct cli_options *options)
{
    struct api_address address;
    struct error err = {0};
    if (api_address_find(&address, &options->where, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (options->timeout.given && options->timeout.ms == 0)
        return cli_fail_usage(invocation, "--timeout: must be more than 0");
    invocation->client =
        api_client_new(&address, options->timeout.given ? options->timeout.ms : API_TIMEOUT_MS);
    int code = invocation->verb->run(invocation);
    api_client_free(invocation->client);
    return code;
}

/* argv begins behind the verb. */
static int verb_run(struct invocation *invocation, int argc, char **argv)
{
    const struct verb *verb = invocation->verb;
    const struct flag *const tables[FLAG_TABLES] = {verb->flags, cli_flags};
    struct error err = {0};
    cleanup_free void *options =
        xcalloc(1, verb->options_bytes ? verb->options_bytes : sizeof(struct cli_options));
    const struct cli_options *common = options; /* they are the first member of every verb's */
    int code;
    invocation->options = options;
    if (flags_parse(tables, options, &invocation->arguments, argc, argv, &err) < 0)
        code = cli_fail_usage(invocation, "%s", err.text);
    else if (common->help)
        code = print_help(verb);
    else
        code = verb_run_connected(invocation, common);
    text_list_release(&invocation->arguments);
    flags_release(tables, options);
    return code;
}

/* --- The program ------------------------------------------------------------------------------ */

/* `hordelet --api X get wl` means `hordelet get --api X wl`: the verb is moved to the front. All
 * flags that may come before it have a value. False: there is no verb. */
static bool move_verb_first(int argc, char **argv)
{
    int at = 0;
    while (at < argc && argv[at][0] == '-' && argv[at][1])
        at += strchr(argv[at], '=') ? 1 : 2;
    if (at >= argc)
        return false;
    char *verb = argv[at];
    memmove(argv + 1, argv, (size_t)at * sizeof *argv);
    argv[0] = verb;
    return true;
}

static int dispatch(int argc, char **argv, int (*agent)(int argc, char **argv))
{
    if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return print_help(NULL);
    if (strcmp(argv[0], "--version") == 0) {
        printf("hordelet " HORDELET_VERSION "\n");
        return CLI_DONE;
    }
    if (argv[0][0] == '-' && !move_verb_first(argc, argv)) {
        complain(NULL, "there is no verb");
        fprintf(stderr, "See `hordelet --help`.\n");
        return CLI_USAGE;
    }
    struct invocation invocation = {.verb = verb_find(argv[0]), .agent = agent};
    if (!invocation.verb)
        return fail_unknown_verb(argv[0]);
    if (!invocation.verb->run && agent)
        return agent(argc, argv);
    if (!invocation.verb->run) {
        complain("agent", "this program was built without the agent");
        return CLI_FAILED;
    }
    return verb_run(&invocation, argc - 1, argv + 1);
}

int cli_main_with_agent(int argc, char **argv, int (*agent)(int argc, char **argv))
{
    bool is_agent = argc > 1 && strcmp(argv[1], "agent") == 0;
    if (!is_agent)
        signal(SIGPIPE, SIG_IGN); /* a reader that went away must not stop an apply half way */
    int code = dispatch(argc > 0 ? argc - 1 : 0, argv + 1, agent);
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (!lost)
        return code;
    if (errno != EPIPE)
        complain(NULL, "the output could not be written");
    return code == CLI_DONE ? CLI_FAILED : code;
}

int cli_main(int argc, char **argv)
{
    return cli_main_with_agent(argc, argv, NULL);
}
