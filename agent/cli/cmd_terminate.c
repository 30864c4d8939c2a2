/* hordelet terminate: stops children for good (Horde.DynamicSupervisor.terminate_child). */
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

struct terminate_options {
    struct cli_options cli;
    const char *ns, *output;
};

/* web-0, child/web-0 and ch/web-0 are the same. */
static const char *child_name(const char *argument)
{
    static const char *const kinds[] = {"child/", "children/", "ch/"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(argument, kinds[i], strlen(kinds[i])) == 0)
            return argument + strlen(kinds[i]);
    return argument;
}

static int terminate_one(struct invocation *invocation, const char *name, struct output_done *done,
                         struct error *err)
{
    const struct terminate_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0};
    cJSON *answer = NULL;
    api_path_object(&path, API_CHILDREN, options->ns ? options->ns : API_NAMESPACE_DEFAULT, name,
                    NULL);
    api_path_query(&path, "terminate", "true");
    struct api_send send = {.method = "DELETE", .path = terminal_text(&path)};
    if (api_client_send(invocation->client, &send, NULL, &answer, err) < 0)
        return error_wrap(err, "child/%s", name);
    output_done_add(done, API_CHILDREN, name, "terminated", answer);
    return 0;
}

static int run_terminate(struct invocation *invocation)
{
    const struct terminate_options *options = invocation->options;
    cleanup_output_done struct output_done done = {0};
    struct error wrong = {0};
    int code = CLI_DONE;
    if (invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "which child? `hordelet get children` names them");
    if (output_done_begin(&done, options->output, &wrong) < 0)
        return cli_fail_usage(invocation, "%s", wrong.text);
    for (size_t i = 0; i < invocation->arguments.count; i++) {
        struct error err = {0};
        if (terminate_one(invocation, child_name(invocation->arguments.items[i]), &done, &err) == 0)
            continue;
        code = cli_fail(invocation, &err);
        if (!api_client_reached(invocation->client))
            break;
    }
    output_done_end(&done);
    return code;
}

static const struct flag terminate_flags[] = {
    CLI_FLAG_NAMESPACE(struct terminate_options),
    CLI_FLAG_OUTPUT_DONE(struct terminate_options),
    {0},
};

const struct verb verb_terminate = {
    .name = "terminate",
    .usage = "CHILD... [FLAGS]",
    .summary = "Stop children for good",
    .description =
        "Stopped with the time that `shutdown` allows, a child then stays `Succeeded`, reason "
        "`deleted`, until\n"
        "its workload changes or `hordelet delete child` has it placed again.\n",
    .examples =
        "  hordelet terminate web-0\n"
        "  hordelet terminate web-0 web-1 -n shop\n",
    .flags = terminate_flags,
    .options_bytes = sizeof(struct terminate_options),
    .run = run_terminate,
    .arguments = ARGUMENTS_CHILDREN,
};
