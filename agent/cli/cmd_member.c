/* hordelet cordon, uncordon, forget: what is done to a member by its name, from any agent. */
#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

struct member_options {
    struct cli_options cli;
    const char *output;
};

/* Of one member: the request, and the word for what has been done. */
struct member_action {
    const char *method, *subresource; /* subresource NULL: the member itself */
    const char *body;                 /* NULL: none */
    const char *done;
};

static int member_act(struct invocation *invocation, const struct member_action *action,
                      const char *name, struct output_done *done, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cJSON *answer = NULL;
    api_path_object(&path, API_MEMBERS, NULL, name, action->subresource);
    struct api_send send = {.method = action->method, .path = terminal_text(&path)};
    if (action->body) {
        send.content_type = "application/merge-patch+json";
        send.body = span_text(action->body);
    }
    if (api_client_send(invocation->client, &send, NULL, &answer, err) < 0)
        return error_wrap(err, "member/%s", name);
    output_done_add(done, API_MEMBERS, name, action->done, answer);
    return 0;
}

static int run_on_members(struct invocation *invocation, const struct member_action *action)
{
    const struct member_options *options = invocation->options;
    cleanup_output_done struct output_done done = {0};
    struct error wrong = {0};
    int code = CLI_DONE;
    if (invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "which member? `hordelet get members` names them");
    if (output_done_begin(&done, options->output, &wrong) < 0)
        return cli_fail_usage(invocation, "%s", wrong.text);
    for (size_t i = 0; i < invocation->arguments.count; i++) {
        struct error err = {0};
        if (member_act(invocation, action, invocation->arguments.items[i], &done, &err) == 0)
            continue;
        code = cli_fail(invocation, &err);
        if (!api_client_reached(invocation->client))
            break;
    }
    output_done_end(&done);
    return code;
}

static int run_cordon(struct invocation *invocation)
{
    static const struct member_action action = {
        .method = "PATCH", .body = "{\"spec\":{\"unschedulable\":true}}", .done = "cordoned"};
    return run_on_members(invocation, &action);
}

static int run_uncordon(struct invocation *invocation)
{
    static const struct member_action action = {
        .method = "PATCH", .body = "{\"spec\":{\"unschedulable\":false}}", .done = "uncordoned"};
    return run_on_members(invocation, &action);
}

static int run_forget(struct invocation *invocation)
{
    static const struct member_action action = {
        .method = "POST", .subresource = "forget", .done = "forgotten"};
    return run_on_members(invocation, &action);
}

static const struct flag member_flags[] = {
    CLI_FLAG_OUTPUT_DONE(struct member_options),
    {0},
};

const struct verb verb_cordon = {
    .name = "cordon",
    .usage = "MEMBER... [FLAGS]",
    .summary = "Place no more children on a member",
    .description =
        "What runs there goes on. The member says `unschedulable: true` until it is "
        "uncordoned.\n",
    .examples = "  hordelet cordon node-3\n",
    .flags = member_flags,
    .options_bytes = sizeof(struct member_options),
    .run = run_cordon,
    .arguments = ARGUMENTS_MEMBERS,
};

const struct verb verb_uncordon = {
    .name = "uncordon",
    .usage = "MEMBER... [FLAGS]",
    .summary = "Let a member take children again",
    .description = "Ends what cordon and drain have begun. What runs elsewhere stays there.\n",
    .examples = "  hordelet uncordon node-3\n",
    .flags = member_flags,
    .options_bytes = sizeof(struct member_options),
    .run = run_uncordon,
    .arguments = ARGUMENTS_MEMBERS,
};

const struct verb verb_forget = {
    .name = "forget",
    .usage = "MEMBER... [FLAGS]",
    .summary = "Drop members that are dead and will not come back",
    .description =
        "A dead member stays a member, because it may return, until it is forgotten here or by\n"
        "--forget-after of the agents (24h). A living one leaves by itself: hordelet leave.\n",
    .examples = "  hordelet forget node-3\n",
    .flags = member_flags,
    .options_bytes = sizeof(struct member_options),
    .run = run_forget,
    .arguments = ARGUMENTS_MEMBERS,
};
