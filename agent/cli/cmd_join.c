/* hordelet join: tell an agent where others are. */
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/core/limits.h"

struct join_options {
    struct cli_options cli;
    const char *output;
};

/* Addresses are separated by blanks or commas. */
static size_t add_addresses(cJSON *addresses, const struct text_list *arguments)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments->count; i++) {
        const char *at = arguments->items[i];
        while (*at) {
            size_t bytes = strcspn(at, ", ");
            cleanup_free char *address = xmemdup(at, bytes);
            if (bytes > 0 && ++count <= SEEDS_MAX)
                json_add_text(addresses, NULL, address);
            at += bytes + (at[bytes] != '\0');
        }
    }
    return count;
}

static int run_join(struct invocation *invocation)
{
    const struct join_options *options = invocation->options;
    cleanup_json cJSON *request = json_new_object();
    cleanup_buffer struct buffer path = {0}, body = {0};
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    cJSON *answer = NULL;
    size_t count = add_addresses(json_add_array(request, "addresses"), &invocation->arguments);
    if (count == 0)
        return cli_fail_usage(
            invocation,
            "whom? Say the gossip address of at least one other agent, as 10.0.0.7:7370");
    if (count > SEEDS_MAX)
        return cli_fail_usage(
            invocation, "at most %d addresses: one is enough, if it can be reached", SEEDS_MAX);
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    json_print_to(&body, request);
    api_path_object(&path, API_MEMBERS, NULL, API_SELF, "join");
    struct api_send send = {
        .method = "POST",
        .path = terminal_text(&path),
        .content_type = "application/json",
        .body = buffer_view(&body),
    };
    if (api_client_send(invocation->client, &send, NULL, &answer, &err) < 0)
        return cli_fail(invocation, &err);
    output_done_line(&done, API_MEMBERS, API_SELF,
                     "joined; `hordelet get members` shows the cluster", answer);
    output_done_end(&done);
    return CLI_DONE;
}

static const struct flag join_flags[] = {
    CLI_FLAG_OUTPUT_DONE(struct join_options),
    {0},
};

const struct verb verb_join = {
    .name = "join",
    .usage = "ADDRESS... [FLAGS]",
    .summary = "Make this machine's agent join others",
    .description =
        "ADDRESS is the gossip address (--gossip) of another agent of the same --cluster. One that "
        "can be\n"
        "reached is enough: the others are learned from it. `hordelet agent --join` does the same "
        "at start.\n",
    .examples =
        "  hordelet join 10.0.0.7:7370\n"
        "  hordelet join 10.0.0.7:7370,10.0.0.8:7370 --api http://10.0.0.9:7371\n",
    .flags = join_flags,
    .options_bytes = sizeof(struct join_options),
    .run = run_join,
};
